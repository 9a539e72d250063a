"""The answer to "may this stand here?": one record that every face (page, file, print) is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version

import orjson
import shapely
from orjson import Fragment
from sqlalchemy import Engine

from gis.db import connect, scope_of
from gis.kept import for_each
from gis.revisions import resolve_as_of
from gis.screening.findings import WORST_FIRST, worst
from gis.screening.judge import judge
from gis.screening.judgement import Judgement
from gis.screening.recording import Record, Writer
from gis.screening.request import ScreenRequest, Site, read_site
from gis.screening.seeing import area_seen
from gis.screening.snapshot import (
    Snapshot,
    enabled_rules,
    held_snapshot,
    standing,
    take_snapshot,
    zone_layers,
)
from gis.screening.texts import texts_of
from gis.settings import MapDefinition

__all__ = ["Examined", "Record", "examine", "screen"]

_ENGINE = f"onemap {version('onemap')}"


def screen(
    engine: Engine,
    definition: MapDefinition,
    request: ScreenRequest,
    *,
    max_vertices: int = 100_000,
    threads: int = 2,
) -> Record:
    """Judge one site by all rules that are on, and return the answer record.

    Parameters
    ----------
    request : ScreenRequest
        The site in its own CRS, x,y order.
    max_vertices : int
        A site with more is refused.

    Returns
    -------
    dict
        JSON-ready. Geometry in it is GeoJSON in lon/lat; areas are in m² of the measuring plane, with the
        ellipsoidal area of the site beside; lengths and distances in metres.

    Raises
    ------
    ScreeningError, CrsError, RevisionError
        When the site, its CRS or the revision asked for cannot be used.
    """
    return examine(engine, definition, request, max_vertices=max_vertices, threads=threads).record()


@dataclass(frozen=True, eq=False)
class Examined:
    """One site, judged: what the record is written from, and what further questions start from.

    Attributes
    ----------
    newest : int
        The newest revision when it was judged; ``snapshot.revision`` is the one that was judged.
    sources : mapping of name to JSON
        The sources of the zones, as the record shows them.
    """

    definition: MapDefinition
    request: ScreenRequest
    site: Site
    snapshot: Snapshot
    judgement: Judgement
    sources: Mapping[str, Fragment]
    newest: int

    def text(self) -> bytes:
        """The answer as JSON in UTF-8; see `screen`."""
        writer = Writer(self.definition, self.site, self.snapshot, self.judgement, self.sources)
        return writer.text(self.request, _ENGINE, self.newest)

    def record(self) -> Record:
        """The same as objects."""
        record: Record = orjson.loads(self.text())
        return record

    def brief(self) -> bytes:
        """As JSON only the verdicts: of the whole, of each theme, and of the rules behind them."""
        judged, texts = self.judgement, texts_of(self.definition)
        findings = judged.findings(0)
        verdict, severity = worst(findings)
        themes = [
            {
                "id": group,
                "title": texts.groups[group],
                **dict(zip(("verdict", "severity"), worst(own), strict=True)),
                "rules": [
                    {"rule": f.rule.id, "title": texts.text(f.rule.title), "verdict": f.verdict,
                     "severity": f.severity, "missing": f.missing}
                    for f in own
                ],
            }
            for group, own in judged.themes(findings).items()
        ]  # fmt: skip
        themes.sort(key=lambda theme: WORST_FIRST[str(theme["verdict"])])
        told = {
            "detail": "live",
            "engine": _ENGINE,
            "law_date": self.snapshot.law_date.isoformat(),
            "as_of": {"revision": self.snapshot.revision, "head": self.newest},
            "verdict": verdict,
            "severity": severity,
            "themes": themes,
        }
        return orjson.dumps(told)


def examine(
    engine: Engine,
    definition: MapDefinition,
    request: ScreenRequest,
    *,
    max_vertices: int = 100_000,
    threads: int = 2,
    facts: bool = True,
) -> Examined:
    """Judge one site by all rules that are on; parameters and errors are those of `screen`.

    Without ``facts`` only verdicts, severities and what is missing are found, which is quicker.
    """
    definition = definition.whole
    site = read_site(definition, request, max_vertices=max_vertices)
    # Without a time zone of the district, UTC is the honest choice of a calendar day.
    law_date = request.law_date or datetime.now(UTC).date()
    layers = _asked_layers(definition)(site.subjects.kinds)
    now = standing(engine, layers)
    snapshot = None
    if request.as_of is None:
        snapshot = held_snapshot(engine, definition, now.head, law_date, now.touched)
    if snapshot is None:
        with connect(engine) as conn:
            revision = now.head if request.as_of is None else resolve_as_of(conn, request.as_of)
            snapshot = take_snapshot(conn, definition, revision, law_date, layers)
    if not _in_sight(engine, definition, site):
        snapshot = replace(snapshot, no_access=frozenset(layers))
    judgement = judge(
        site.subjects, snapshot.prepared, definition.packs.values(), law_date, no_access=snapshot.no_access,
        threads=threads, facts=facts,
    )  # fmt: skip
    return Examined(definition, request, site, snapshot, judgement, now.sources, now.head)


@for_each(size=8)
def _asked_layers(definition: MapDefinition) -> Callable[[frozenset[str]], list[str]]:
    """The layers that rules ask about subjects of some kinds, looked up once."""

    @cache
    def of(kinds: frozenset[str]) -> list[str]:
        return zone_layers(r for r in enabled_rules(definition) if not kinds.isdisjoint(r.subjects))

    return of


def _in_sight(engine: Engine, definition: MapDefinition, site: Site) -> bool:
    """Whether any of the site lies where the engine's scope sees zones."""
    scope = scope_of(engine)
    if scope is None or scope.areas is None:
        return True
    with connect(engine) as conn:
        return bool(shapely.intersects(area_seen(conn, definition), site.plane))
