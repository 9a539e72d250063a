"""Every error that onemap raises on purpose, as one tree.

    OneMapError                    anything a user can be told in words
    ├── SettingsError              a setting or a combination of settings is wrong
    ├── ClusterError               the private PostGIS cannot be found, started or reached
    ├── DatabaseError              the database refused or went away
    │   └── DatabaseBusy           a lock or statement time-out; trying again may help
    ├── SyncRefused                a definition change that would destroy data
    ├── CrsError                   a CRS is unknown, or no trustworthy transformation exists
    ├── GeometryError              a geometry is not acceptable
    │   └── KernelInputError       an array handed to the kernel breaks its contract
    ├── ImportRefused              a file as a whole cannot be imported
    ├── ExportRefused              a file cannot be written as asked
    │   └── PrintUnavailable       this machine lacks what a print needs
    ├── EditError                  an item cannot be written as asked
    ├── RevisionError              a revision is unknown
    │   └── RevertRefused          later revisions changed the same rows
    ├── QueryError                 a query names something that is not there or is out of bounds
    │   └── NotFound               the layer, row, tile or raster asked for does not exist
    ├── UploadError                an upload cannot be worked on as asked
    │   ├── WrongState             the step does not follow the one taken last
    │   │   └── UploadBusy         somebody works on it just now
    │   └── UploadsFull            too many are open
    ├── ScreeningError             a site cannot be screened as given
    ├── AccountError               an account or a key cannot be as asked
    └── AccessError                who asks, or what they may
        ├── CredentialRefused      nobody is known by what was shown
        ├── IssuerUnreachable      what an issuer says cannot be checked now
        ├── RoleMissing            somebody is known, and has no role here
        └── TooManyGuesses         passwords were guessed too often; later is better

None of them knows HTTP; api.errors maps them to a status in one table.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AccessError",
    "AccountError",
    "ClusterError",
    "CredentialRefused",
    "CrsError",
    "DatabaseBusy",
    "DatabaseError",
    "EditError",
    "ExportRefused",
    "GeometryError",
    "ImportRefused",
    "IssuerUnreachable",
    "KernelInputError",
    "NotFound",
    "OneMapError",
    "PrintUnavailable",
    "QueryError",
    "RevertRefused",
    "RevisionError",
    "RoleMissing",
    "ScreeningError",
    "SettingsError",
    "SyncRefused",
    "TooManyGuesses",
    "UploadBusy",
    "UploadError",
    "UploadsFull",
    "WrongState",
]


class OneMapError(Exception):
    """What went wrong and what to do about it, in English and Chinese.

    Parameters
    ----------
    en, zh : str
        One sentence that names the thing and the value. ``str(error)`` is the English one.
    remedy_en, remedy_zh : str
        What the user can do; may be empty.
    """

    code: ClassVar[str] = "error"

    def __init__(self, en: str, zh: str = "", *, remedy_en: str = "", remedy_zh: str = "") -> None:
        super().__init__(en)
        self.en, self.zh = en, zh or en
        self.remedy_en, self.remedy_zh = remedy_en, remedy_zh or remedy_en

    def text(self, language: str = "en") -> str:
        """The sentence with its remedy in ``language`` ("zh" or anything else for English)."""
        sentence, remedy = (
            (self.zh, self.remedy_zh) if language.startswith("zh") else (self.en, self.remedy_en)
        )
        return f"{sentence} {remedy}".strip()


class SettingsError(OneMapError):
    """A setting, or a combination of settings, that cannot work."""

    code = "settings"


class ClusterError(OneMapError):
    """The private PostGIS cannot be found, started or reached."""

    code = "cluster"


class DatabaseError(OneMapError):
    """The database refused a statement or went away."""

    code = "database"


class DatabaseBusy(DatabaseError):
    """A lock or a statement time-out; the same call may succeed later."""

    code = "database_busy"


class SyncRefused(OneMapError):
    """A definition changed in a way that would lose data."""

    code = "sync_refused"


class CrsError(OneMapError):
    """A CRS is unknown, or no transformation of known accuracy exists."""

    code = "crs"


class GeometryError(OneMapError):
    """A geometry is empty, invalid, of the wrong kind, or too large."""

    code = "geometry"


class KernelInputError(GeometryError):
    """An array handed to the kernel breaks its contract."""

    code = "kernel_input"


class ImportRefused(OneMapError):
    """A file that cannot be imported as a whole; nothing of it was stored.

    ``reason`` is the code of layers/vocab/issues that says why; `gis.importing.issues.refused` fills it in.
    """

    code = "import_refused"

    def __init__(
        self,
        en: str,
        zh: str = "",
        *,
        remedy_en: str = "",
        remedy_zh: str = "",
        reason: str = "import_refused",
    ) -> None:
        super().__init__(en, zh, remedy_en=remedy_en, remedy_zh=remedy_zh)
        self.reason = reason


class ExportRefused(OneMapError):
    """A file that cannot be written: its kind, its CRS or its place."""

    code = "export_refused"


class PrintUnavailable(ExportRefused):
    """A print that this machine cannot make: it lacks a program or a font."""

    code = "print_unavailable"


class EditError(OneMapError):
    """An item that is not written, or not as it was sent; see `gis.editing.errors`."""

    code = "edit"


class RevisionError(OneMapError):
    """A revision number or time that does not exist."""

    code = "revision"


class RevertRefused(RevisionError):
    """Later revisions changed rows that the revert would touch."""

    code = "revert_refused"


class QueryError(OneMapError):
    """A query that names an unknown thing or leaves its bounds."""

    code = "query"


class NotFound(QueryError):
    """The layer, row, tile or raster asked for does not exist."""

    code = "not_found"


class ScreeningError(OneMapError):
    """A site that cannot be screened as given."""

    code = "screening"


class UploadError(OneMapError):
    """An upload that cannot be worked on as asked."""

    code = "upload"


class WrongState(UploadError):
    """A step that does not follow the one that was taken last."""

    code = "wrong_state"


class UploadBusy(WrongState):
    """Somebody works on the upload just now."""

    code = "upload_busy"


class UploadsFull(UploadError):
    """No further upload is taken until others are finished or removed."""

    code = "uploads_full"


class AccountError(OneMapError):
    """An account or a key that cannot be made or changed as asked."""

    code = "account"


class AccessError(OneMapError):
    """Who asks could not be settled, or may not do this."""

    code = "access"


class CredentialRefused(AccessError):
    """A password, session, key or token by which nobody is known, or none where one is needed.

    ``reason`` tells a program which: login, session, key, token, needed.
    """

    code = "credential"

    def __init__(
        self, en: str, zh: str = "", *, reason: str = "needed", remedy_en: str = "", remedy_zh: str = ""
    ) -> None:
        super().__init__(en, zh, remedy_en=remedy_en, remedy_zh=remedy_zh)
        self.reason = reason


class RoleMissing(AccessError):
    """A person or program that its issuer vouches for, without a role here."""

    code = "role_missing"


class IssuerUnreachable(AccessError):
    """The keys of an issuer of tokens cannot be had; the same call may succeed later."""

    code = "issuer_unreachable"


class TooManyGuesses(AccessError):
    """Wrong passwords came too often; ``retry_after_s`` is when the next one will be looked at."""

    code = "too_many_guesses"

    def __init__(self, en: str, zh: str = "", *, retry_after_s: int = 60) -> None:
        super().__init__(en, zh)
        self.retry_after_s = retry_after_s
