"""The answer to "may this stand here?": one record that every face (page, file, print) is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import orjson
import shapely
from sqlalchemy import Engine

from gis.crs import LONLAT, Transformation, transformation
from gis.db import connect, scope_of
from gis.kernel import Parts
from gis.revisions import resolve_as_of
from gis.screening.findings import Cleared, Finding, ZoneFact
from gis.screening.judge import Judgement, judge
from gis.screening.request import ScreenRequest, Site, read_site
from gis.screening.seeing import area_seen
from gis.screening.sentences import missing_names, say
from gis.screening.snapshot import (
    Snapshot,
    enabled_rules,
    held_snapshot,
    standing,
    take_snapshot,
    zone_layers,
)
from gis.screening.texts import texts_of
from gis.screening.wording import met_of, outside_share
from gis.settings import MapDefinition

__all__ = ["Examined", "examine", "screen"]

Record = dict[str, Any]

_ENGINE = f"onemap {version('onemap')}"
_WORST_FIRST = {"conflict": 0, "unknown": 1, "edge": 2, "clear": 3}


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
    sources : mapping of name to dict
        The sources of the zones, as the record shows them.
    """

    definition: MapDefinition
    request: ScreenRequest
    site: Site
    snapshot: Snapshot
    judgement: Judgement
    sources: Mapping[str, Record]
    newest: int

    def record(self) -> Record:
        """The answer, JSON-ready; see `screen`."""
        writer = _Writer(self.definition, self.site, self.snapshot, self.judgement, self.sources)
        return writer.record(self.request, self.newest)

    def brief(self) -> Record:
        """Only the verdicts: of the whole, of each theme, and of the rules behind them."""
        judged, texts = self.judgement, texts_of(self.definition)
        findings = judged.findings(0)
        themes = [
            {
                "id": group,
                "title": texts.groups[group],
                "verdict": judged.verdict(0, group),
                "severity": judged.severity(0, group),
                "rules": [
                    {"rule": f.rule.id, "title": texts.text(f.rule.title), "verdict": f.verdict,
                     "severity": f.severity, "missing": list(f.missing)}
                    for f in findings if f.rule.group == group
                ],
            }
            for group in judged.groups()
        ]  # fmt: skip
        themes.sort(key=lambda theme: _WORST_FIRST[str(theme["verdict"])])
        return {
            "detail": "live",
            "engine": _ENGINE,
            "law_date": self.snapshot.law_date.isoformat(),
            "as_of": {"revision": self.snapshot.revision, "head": self.newest},
            "verdict": judged.verdict(0),
            "severity": judged.severity(0),
            "themes": themes,
        }


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
    used = [rule for rule in enabled_rules(definition) if not site.subjects.kinds.isdisjoint(rule.subjects)]
    layers = zone_layers(used)
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


def _in_sight(engine: Engine, definition: MapDefinition, site: Site) -> bool:
    """Whether any of the site lies where the engine's scope sees zones."""
    scope = scope_of(engine)
    if scope is None or scope.areas is None:
        return True
    with connect(engine) as conn:
        return bool(shapely.intersects(area_seen(conn, definition), site.plane))


class _Writer:
    """Turns one judgement of one site into the record."""

    def __init__(
        self,
        definition: MapDefinition,
        site: Site,
        snapshot: Snapshot,
        judgement: Judgement,
        sources: Mapping[str, Record],
    ) -> None:
        self._definition, self._site, self._snapshot = definition, site, snapshot
        self._judgement, self._sources = judgement, sources
        district = definition.district
        self._to_lonlat: Transformation = transformation(district.measuring_crs, LONLAT, district.extent)
        self._texts = texts_of(definition)
        self._titles = self._texts.titles(site.kind.subjects)
        self._covered: dict[bytes, str] = {}
        self._divided: dict[int, tuple[Parts, Record]] = {}
        self._drawn: dict[int, tuple[shapely.Geometry, Any]] = {}

    def record(self, request: ScreenRequest, newest: int) -> Record:
        """The whole answer."""
        judged = self._judgement
        findings = judged.findings(0)
        themes = [self._theme(group, findings) for group in judged.groups()]
        themes.sort(key=lambda t: _WORST_FIRST[t["verdict"]])
        seen = [name for name in self._snapshot.rows if name not in self._snapshot.no_access]
        layers = [self._layer(layer_id) for layer_id in seen]
        return {
            "engine": _ENGINE,
            "law_date": self._snapshot.law_date.isoformat(),
            "as_of": {"revision": self._snapshot.revision, "head": newest},
            "site": self._describe_site(request),
            "verdict": judged.verdict(0),
            "severity": judged.severity(0),
            "demonstration": any(layer["is_demonstration"] for layer in layers),
            "parts": self._parts(judged.parts(0)),
            "themes": themes,
            "clear": [self._cleared(cleared) for cleared in judged.cleared(0)],
            "layers": layers,
            **self._no_access(),
            "packs": self._texts.packs,
        }

    def _no_access(self) -> Record:
        """The layers that the answer is not made from, because whoever asked may not see them."""
        names = sorted(self._snapshot.no_access)
        layers = [{"id": n, "title": self._texts.text(self._definition.layers[n].title)} for n in names]
        return {"no_access": layers} if layers else {}

    def _describe_site(self, request: ScreenRequest) -> Record:
        site, unit = self._site, self._definition.district.area_unit_local
        area = float(shapely.area(site.plane))
        dimension = int(shapely.get_dimensions(site.plane))
        return {
            "geometry": orjson.loads(shapely.to_geojson(site.lonlat)),
            "kind": site.kind.kind,
            "kind_title": self._texts.text(site.kind.title),
            "attributes": {
                k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in site.attributes.items()
            },
            "accuracy_m": site.accuracy_m,
            "accuracy_source": "stated" if site.accuracy_is_stated else "district",
            "crs": request.crs,
            "area_m2": area if dimension == 2 else None,
            "area_ellipsoidal_m2": site.area_ellipsoidal_m2 if dimension == 2 else None,
            "area_local": {"value": area / unit.m2, "unit": unit.name.model_dump()}
            if unit and dimension == 2
            else None,
            "length_m": float(shapely.length(site.plane)) if dimension == 1 else None,
        }

    def _lonlat(self, geometry: shapely.Geometry) -> Any:
        """GeoJSON in degrees; many findings show the same geometry, above all the whole site."""
        found = self._drawn.get(id(geometry))
        if found is None:
            moved = self._to_lonlat.geometries(np.array([geometry], dtype=object))[0]
            found = self._drawn[id(geometry)] = geometry, orjson.loads(shapely.to_geojson(moved))
        return found[1]

    def _parts(self, parts: Parts | None) -> Record | None:
        """The four parts with size and share; empty ones have no geometry. Many rules divide a site alike."""
        if parts is None:
            return None
        if id(parts) not in self._divided:
            self._divided[id(parts)] = parts, self._divide(parts)
        return self._divided[id(parts)][1]

    def _divide(self, parts: Parts) -> Record:
        unit = {2: "area_m2", 1: "length_m", 0: "count"}[int(shapely.get_dimensions(self._site.plane))]
        total = float(parts.sizes.sum())
        out: Record = {}
        for name, size in zip(_WORST_FIRST, parts.sizes, strict=True):
            geometry = getattr(parts, name)
            out[name] = {
                unit: float(size),
                "share": float(size) / total if total else 0.0,
                "geometry": None if shapely.is_empty(geometry) else self._lonlat(geometry),
            }
        return out

    def _theme(self, group: str, findings: Sequence[Finding]) -> Record:
        judged = self._judgement
        return {
            "id": group,
            "title": self._texts.groups[group],
            "verdict": judged.verdict(0, group),
            "severity": judged.severity(0, group),
            "parts": self._parts(judged.parts(0, group)),
            "findings": [self._finding(finding) for finding in findings if finding.rule.group == group],
        }

    def _finding(self, finding: Finding) -> Record:
        is_bare = finding.verdict == "unknown" and not finding.zones
        said = self._said_of_absence(finding) if is_bare else self._said(finding)
        own = {
            "margin_m": finding.margin_m,
            "error_m": finding.error_m,
            "on_boundary": finding.on_boundary,
            "parts": self._parts(finding.parts),
            "zones": [self._zone(zone) for zone in finding.zones],
        }
        return said | own

    def _said_of_absence(self, finding: Finding) -> Record:
        """What is said of an unknown without zones: the same wherever the site is, unless a share is told."""
        if outside_share(finding) is not None:
            return self._said(finding)
        key = (
            finding.rule.id, finding.severity, finding.severity_if_official, finding.missing, finding.applies,
            finding.has_basis, self._site.kind.kind, *map(id, finding.citations), *map(id, finding.notes),
        )  # fmt: skip
        named = finding.citations, finding.notes
        return self._texts.said(key, named, lambda: self._said(finding))

    def _said(self, finding: Finding) -> Record:
        """A finding in words and law, with room for the facts of the place."""
        rule, texts = finding.rule, self._texts
        missing, of_rule = missing_names(finding.missing, self._titles), texts.rule(rule)
        sentence = say(
            rule, finding.verdict, met_of(finding), margin_m=finding.margin_m, error_m=finding.error_m,
            on_boundary=finding.on_boundary, missing=missing, outside_share=outside_share(finding),
        )  # fmt: skip
        return {
            "rule": rule.id,
            "group": rule.group,
            "title": of_rule["title"],
            "verdict": finding.verdict,
            "severity": finding.severity,
            "severity_if_official": finding.severity_if_official,
            "missing": [{"name": name, "title": texts.text(title)} for name, title in missing],
            "applies": finding.applies,
            "sentence": sentence.model_dump(),
            **dict.fromkeys(("margin_m", "error_m", "on_boundary", "parts", "zones")),
            "legal": [texts.citation(reference) for reference in finding.citations],
            "has_basis": finding.has_basis,
            "predicate": of_rule["predicate"],
            "statutory": of_rule["statutory"],
            "notes": [texts.text(note) for note in finding.notes],
            **{name: of_rule[name] for name in ("exceptions", "disposal", "penalty", "note", "confidence")},
        }

    def _zone(self, zone: ZoneFact) -> Record:
        rows = self._snapshot.rows[zone.layer]
        return {
            "layer": zone.layer,
            "layer_title": self._texts.text(rows.layer.title),
            "uid": zone.uid,
            "name": zone.name or zone.uid,
            "verdict": zone.verdict,
            "severity": zone.severity,
            "overlap_m2": zone.overlap_m2,
            "overlap_m": zone.overlap_m,
            "share": zone.share,
            "distance_m": zone.distance_m,
            "bearing_deg": zone.bearing_deg,
            "margin_m": zone.margin_m,
            "error_m": zone.error_m,
            "limit_m": zone.limit_m,
            "along_m": zone.along_m,
            "river": zone.river,
            "on_boundary": zone.on_boundary,
            "is_indicative": zone.is_indicative,
            "is_demonstration": bool(rows.is_demonstration[zone.row]),
            "source": self._sources.get(str(rows.sources[zone.row])),
            "witness": self._lonlat(zone.witness),
        }

    def _cleared(self, cleared: Cleared) -> Record:
        rule, texts = cleared.rule, self._texts
        return {
            "rule": rule.id, "group": rule.group, "title": texts.text(rule.title),
            "code": cleared.code, "reason": texts.text(cleared.reason), "names": list(cleared.names),
        }  # fmt: skip

    def _layer(self, layer_id: str) -> Record:
        rows = self._snapshot.rows[layer_id]
        return {
            "id": layer_id,
            "title": self._texts.text(rows.layer.title),
            "revision": rows.revision,
            "rows": len(rows.uids),
            "coverage": self._coverage(layer_id),
            "is_demonstration": rows.any_demonstration,
            "is_indicative": rows.any_indicative,
            "sources": [self._sources[name] for name in rows.source_names],
        }

    def _coverage(self, layer_id: str) -> str:
        """How much of the site a layer covers: full, partial, none, or not stated."""
        coverage, key = self._snapshot.rows[layer_id].coverage, self._snapshot.prepared[layer_id].coverage_key
        if key not in self._covered:
            self._covered[key] = _covered(self._site.plane, coverage)
        return self._covered[key]


def _covered(site: shapely.Geometry, coverage: shapely.Geometry | None) -> str:
    if coverage is None:
        return "unstated"
    if shapely.covers(coverage, site):
        return "full"
    return "partial" if shapely.intersects(coverage, site) else "none"
