"""Taking files in: read, check, compare with what is there, write as one revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gis.importing.load import ImportOptions, ImportResult, SourceInfo, import_file

__all__ = ["ImportOptions", "ImportResult", "SourceInfo", "import_file"]


def __getattr__(name: str) -> object:
    """The four names, from `load`, when first asked for: the reading child has no use for a database."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gis.importing import load

    return getattr(load, name)
