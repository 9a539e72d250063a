"""The catalogue: a record for each layer and each stored report, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
import shapely
from sqlalchemy import Connection, func, select

from gis import tables
from gis.crs import parse_crs
from gis.errors import NotFound, QueryError
from gis.features import LayerFacts, layer_facts
from gis.filters import BBox, Interval
from gis.licences import spdx_id
from gis.revisions import head
from gis.settings import MapDefinition
from gis.sources import Source, list_sources
from layers.model import Layer
from layers.vocabulary import load_themes

__all__ = ["CATALOGUE", "CatalogueQuery", "Entry", "Identifier", "Terms", "entries", "entry"]

CATALOGUE = "catalogue"
"""The name of the collection of records; no layer may have it."""

Kind = Literal["dataset", "report"]
Extent = tuple[float, float, float, float]
_MOST_REPORTS = 10_000


@dataclass(frozen=True)
class Terms:
    """The licence of one source in its own words (None: it tells none)."""

    source: str
    words: str | None

    @property
    def spdx(self) -> str | None:
        """Its identifier in the SPDX list."""
        return None if self.words is None else spdx_id(self.words)


@dataclass(frozen=True)
class Identifier:
    """What others call a resource: a value, within a scheme where one is told."""

    scheme: str | None
    value: str

    def fits(self, wanted: str) -> bool:
        """Whether ``wanted`` means it: "scheme:value", "value", or "scheme" with or without its colon."""
        scheme, _, value = wanted.rpartition(":")
        if wanted in (self.scheme, self.value):
            return True
        return bool(scheme) and self.scheme == scheme and value in ("", self.value)


@dataclass(frozen=True)
class Entry:
    """One record; titles and words by language, times in UTC, ``extent`` in degrees, ``facts`` JSON-ready.

    ``terms`` are those of its sources; none where no source tells any.
    """

    id: str
    kind: Kind
    title: dict[str, str]
    words: dict[str, str]
    keywords: dict[str, list[str]]
    created: datetime | None
    updated: datetime | None
    extent: Extent | None
    terms: tuple[Terms, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    contacts: tuple[dict[str, Any], ...] = ()
    theme: str | None = None
    layer: Layer | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CatalogueQuery:
    """Which records: ``q`` are terms of which one must be found, each a row of words in order.

    Of ``external`` one must fit an identifier, as `Identifier.fits` has it.
    """

    q: Sequence[str] = ()
    bbox: BBox | None = None
    interval: Interval | None = None
    ids: Sequence[str] | None = None
    external: Sequence[str] | None = None
    kinds: Sequence[str] | None = None
    reports: bool = True


def entries(conn: Connection, definition: MapDefinition, query: CatalogueQuery) -> list[Entry]:
    """The records that fit, layers first, then reports in the order of their making.

    Raises QueryError for a box that is not in degrees.
    """
    if query.bbox is not None and not parse_crs(query.bbox.crs).is_geographic:
        raise QueryError(
            "Records are searched by a box in degrees.", "目录检索的范围须以度为单位。",
            remedy_en="Leave bbox-crs out.", remedy_zh="请去掉 bbox-crs。",
        )  # fmt: skip
    found = list(_layers(conn, definition))
    if query.reports and (query.kinds is None or "report" in query.kinds):
        found += _reports(conn)
    return [each for each in found if _fits(each, query)]


def entry(conn: Connection, definition: MapDefinition, name: str, *, reports: bool = True) -> Entry:
    """The record called ``name``; NotFound when there is none."""
    for each in entries(conn, definition, CatalogueQuery(ids=[name], reports=reports)):
        return each
    raise NotFound(f"There is no record {name[:80]!r}.", f"目录中没有“{name[:80]}”。")


def _layers(conn: Connection, definition: MapDefinition) -> Iterator[Entry]:
    rev = head(conn)
    facts = layer_facts(conn, definition, rev)
    by_layer: dict[str, list[Source]] = {}
    for source in list_sources(conn, definition):
        for held in source.layers:
            if held.rows:
                by_layer.setdefault(held.layer, []).append(source)
    r, t = tables.revisions, tables.revision_layers
    spans = conn.execute(
        select(t.c.layer, func.min(r.c.at), func.max(r.c.at)).join(r, r.c.rev == t.c.rev).group_by(t.c.layer)
    )
    times = {name: (first, last) for name, first, last in spans}
    for layer in definition.layers.values():
        yield _of_layer(layer, facts[layer.id], by_layer.get(layer.id, []), times.get(layer.id))


def _of_layer(
    layer: Layer, facts: LayerFacts, sources: list[Source], times: tuple[datetime, datetime] | None
) -> Entry:
    themes = load_themes()
    theme = [themes[layer.theme].title] if layer.theme in themes else []
    first, last = (None, None) if times is None else (each.astimezone(UTC) for each in times)
    told = {
        "itemCount": facts.count,
        "revision": facts.last_revision,
        "isDemonstration": facts.is_demonstration,
        "isIndicative": facts.is_indicative,
        "sources": [_source(source, layer.id) for source in sources],
    }
    return Entry(
        id=layer.id,
        kind="dataset",
        title=layer.title.model_dump(),
        words=layer.abstract.model_dump(),
        keywords={lang: [layer.id, layer.role, *(t.text(lang) for t in theme)] for lang in ("zh", "en")},
        created=first,
        updated=last,
        extent=facts.extent,
        terms=tuple(Terms(s.name, s.licence) for s in sources) if any(s.licence for s in sources) else (),
        identifiers=tuple(_identifier(s.identifier) for s in sources if s.identifier),
        contacts=tuple(
            {"name": s.contact or s.bureau, "organization": s.bureau, "roles": ["custodian"]}
            for s in sources
            if s.contact or s.bureau
        ),
        theme=layer.theme,
        layer=layer,
        facts=told,
    )


def _identifier(text: str) -> Identifier:
    scheme, _, value = text.rpartition(":")
    return Identifier(scheme or None, value)


def _source(source: Source, layer: str) -> dict[str, Any]:
    """What the catalogue says of a source and what it holds of ``layer``."""
    held = next(each for each in source.layers if each.layer == layer)
    same = (
        "name",
        "bureau",
        "licence",
        "attribution",
        "url",
        "identifier",
        "contact",
        "accuracy_m",
        "crs",
        "transformation",
    )
    return {name: getattr(source, name) for name in same} | {
        "title": {"zh": source.title_zh, "en": source.title_en},
        "rhythm": held.rhythm or source.rhythm,
        "confirmed": held.confirmed_at,
        "rows": held.rows,
        "isDemonstration": source.is_demonstration,
    }


def _reports(conn: Connection) -> Iterator[Entry]:
    t = tables.reports
    newest = select(t).order_by(t.c.at.desc()).limit(_MOST_REPORTS).subquery()
    for row in conn.execute(select(newest).order_by(newest.c.at, newest.c.report_id)):
        record, at = orjson.loads(bytes(row.record)), row.at.astimezone(UTC)
        site, verdict = record["site"], record["verdict"]
        kind = site["kind_title"]
        west, south, east, north = shapely.bounds(shapely.from_geojson(orjson.dumps(site["geometry"])))
        yield Entry(
            id=row.report_id,
            kind="report",
            title={"zh": f"空间准入审查报告：{kind['zh']}", "en": f"Screening report: {kind['en']}"},
            words={"zh": f"结论：{verdict}", "en": f"Verdict: {verdict}"},
            keywords={"zh": ["报告", verdict], "en": ["report", verdict]},
            created=at,
            updated=at,
            extent=(float(west), float(south), float(east), float(north)),
            facts={
                "verdict": verdict,
                "severity": record["severity"],
                "lawDate": record["law_date"],
                "revision": record["as_of"]["revision"],
                "isDemonstration": record["demonstration"],
                "expires": row.expires.astimezone(UTC),
            },
        )


def _fits(found: Entry, query: CatalogueQuery) -> bool:
    if query.ids is not None and found.id not in query.ids:
        return False
    if query.external is not None and not _is_called(found, query.external):
        return False
    if query.kinds is not None and found.kind not in query.kinds:
        return False
    if query.bbox is not None and not _meets(found.extent, query.bbox):
        return False
    if query.interval is not None and not _during(found, query.interval):
        return False
    return not query.q or _says(found, query.q)


def _is_called(found: Entry, wanted: Sequence[str]) -> bool:
    return any(identifier.fits(each) for identifier in found.identifiers for each in wanted)


def _meets(extent: Extent | None, box: BBox) -> bool:
    """As items do, records without a place match any box (17-069r4, fc-bbox-response); so with time."""
    if extent is None:
        return True
    west, south, east, north = extent
    if box.west > box.east:
        beside = west <= box.east or box.west <= east
    else:
        beside = west <= box.east and box.west <= east
    return beside and south <= box.north and box.south <= north


def _during(found: Entry, interval: Interval) -> bool:
    if found.created is None or found.updated is None:
        return True
    begins = interval.end is None or found.created.date() <= interval.end
    return begins and (interval.start is None or interval.start <= found.updated.date())


def _says(found: Entry, terms: Sequence[str]) -> bool:
    words = [found.id, *found.title.values(), *found.words.values()]
    text = "\n".join([*words, *(word for each in found.keywords.values() for word in each)]).casefold()
    return any(" ".join(term.split()).casefold() in text for term in terms if term.strip())
