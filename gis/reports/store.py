"""Reports that were kept: each is named by the hash of its record, and neither it nor a face of it changes.

Rows are only ever added, and the database itself refuses anything else. Whoever comes first decides: a record
that is there already keeps the dates of its first making, and a face the look of its first rendering.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import orjson
from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects.postgresql import insert

from gis import tables
from gis.db import connect, scope_of
from gis.errors import NotFound
from gis.reports.content import Beside
from gis.reports.faces import FACES, JSON, rendered
from gis.reports.record import canonical, make_record, report_id
from gis.screening.answer import Record
from gis.screening.asking import zone_filters
from gis.screening.request import ScreenRequest
from gis.settings import MapDefinition, Settings

__all__ = ["Report", "keep_report", "open_report", "public_address", "report_face"]

_NAME = re.compile(r"[0-9a-f]{64}")


class Report:
    """A stored report: ``report_id``, ``created`` and ``expires`` (in UTC), and its record as bytes."""

    def __init__(self, report_id: str, body: bytes, created: datetime, expires: datetime) -> None:
        self.report_id, self.body, self.created, self.expires = report_id, body, created, expires

    @property
    def record(self) -> Record:
        """The record as it was written."""
        record: Record = orjson.loads(self.body)
        return record

    def beside(self, address: str | None) -> Beside:
        """What stands beside the record on its faces."""
        return Beside(self.report_id, self.created, self.expires, address)


def keep_report(
    engine: Engine, definition: MapDefinition, settings: Settings, request: ScreenRequest, *, who: str
) -> Report:
    """Screen the site of ``request`` and store the report on it; the one that is there where it is equal.

    It expires after the district's ``report_valid_days``.

    Raises
    ------
    ScreeningError, CrsError, RevisionError
        When the site, its CRS or the revision asked for cannot be used.
    """
    record = make_record(
        engine, definition, request, max_vertices=settings.max_vertices, threads=settings.threads
    )
    name, body, t = report_id(record), canonical(record), tables.reports
    now = datetime.now(UTC)
    expires = now + timedelta(days=definition.district.report_valid_days)
    row = {
        "report_id": name, "record": body, "at": now, "expires": expires, "who": who,
        "rests_on": rests_on(definition, record), "areas": _areas(engine),
    }  # fmt: skip
    with connect(engine, write=True) as conn:
        conn.execute(insert(t).values(row).on_conflict_do_nothing())
        return open_report(conn, name)


def rests_on(definition: MapDefinition, record: Record) -> list[str]:
    """The layers whose content a record shows, and layer.field of the fields that its rules asked of zones.

    Who may not see one of them does not see the report, whoever made it.
    """
    whole = definition.whole
    names = {layer["id"] for layer in record["layers"]}
    used = {rule["id"] for rule in record["rules"]}
    for pack in whole.packs.values():
        for rule in pack.rules:
            if rule.id in used and rule.zone_layer in names:
                for where in zone_filters(rule, pack.deciding(rule)):
                    names |= {f"{rule.zone_layer}.{name}" for name in where}
    return sorted(names)


def _areas(engine: Engine) -> list[str] | None:
    scope = scope_of(engine)
    return None if scope is None or scope.areas is None else list(scope.areas)


def open_report(conn: Connection, name: str) -> Report:
    """The report called ``name``; NotFound when there is none that the connection's scope may see."""
    t = tables.reports
    row = None
    if _NAME.fullmatch(name):
        row = conn.execute(select(t).where(t.c.report_id == name)).one_or_none()
    if row is None:
        raise NotFound(
            f"There is no report {name[:80]!r}.", f"没有报告“{name[:80]}”。",
            remedy_en="A report's number has 64 characters; it was made by screening with report = true.",
            remedy_zh="报告编号共 64 个字符，审查时选择生成报告方可获得。",
        )  # fmt: skip
    return Report(row.report_id, bytes(row.record), row.at.astimezone(UTC), row.expires.astimezone(UTC))


def public_address(settings: Settings, name: str) -> str | None:
    """Where the public opens the report; None without ``ONEMAP_PUBLIC_URL``."""
    return None if settings.public_url is None else f"{settings.public_url}/reports/{name}"


def report_face(engine: Engine, report: Report, face: str, lang: str, *, address: str | None) -> bytes:
    """One face of a stored report, as it was first rendered; ``address`` is used at that first time only.

    Parameters
    ----------
    face : str
        "json", which is the record in no language, or one of `gis.reports.faces.FACES`.
    lang : str
        "zh" or "en".

    Raises
    ------
    PrintUnavailable
        When the machine lacks what a print needs.
    """
    if face == JSON:
        return report.body
    assert face in FACES
    with connect(engine) as conn:
        held = _held(conn, report.report_id, face, lang)
    if held is not None:
        return held
    body = rendered(report.record, report.beside(address), face, lang)
    key = {"report_id": report.report_id, "face": face, "lang": lang}
    row = {**key, "body": body, "engine": f"onemap {version('onemap')}"}
    with connect(engine, write=True) as conn:
        conn.execute(insert(tables.report_faces).values(row).on_conflict_do_nothing())
        first = _held(conn, report.report_id, face, lang)
    assert first is not None
    return first


def _held(conn: Connection, name: str, face: str, lang: str) -> bytes | None:
    t = tables.report_faces
    body = conn.scalar(select(t.c.body).where(t.c.report_id == name, t.c.face == face, t.c.lang == lang))
    return None if body is None else bytes(body)
