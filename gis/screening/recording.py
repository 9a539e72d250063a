"""The record of one answer, as JSON: what is the same for many sites stands ready, and all is joined once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import shapely
from orjson import Fragment

from gis.crs import LONLAT, Transformation, ellipsoidal_area_m2, transformation
from gis.kernel import Parts
from gis.screening.findings import WORST_FIRST, Cleared, Finding, ZoneFact, worst
from gis.screening.geojson import geojson
from gis.screening.judgement import Judgement
from gis.screening.request import ScreenRequest, Site
from gis.screening.sentences import missing_names, say
from gis.screening.snapshot import Snapshot
from gis.screening.texts import Said, texts_of
from gis.screening.wording import met_of, outside_share
from gis.settings import MapDefinition

__all__ = ["Record", "Writer"]

Record = dict[str, Any]
"""JSON-ready, or with pieces that are JSON already (`orjson.Fragment`)."""

Pieces = list[bytes]
"""What is JSON when it is joined."""


class Writer:
    """Writes the record of one judgement of one site."""

    def __init__(
        self,
        definition: MapDefinition,
        site: Site,
        snapshot: Snapshot,
        judgement: Judgement,
        sources: Mapping[str, Fragment],
    ) -> None:
        self._definition, self._site, self._snapshot = definition, site, snapshot
        self._judgement, self._sources = judgement, sources
        district = definition.district
        self._to_lonlat: Transformation = transformation(district.measuring_crs, LONLAT, district.extent)
        self._dimension = int(shapely.get_dimensions(site.plane))
        self._texts = texts_of(definition)
        self._titles = self._texts.titles(site.kind.subjects)
        self._covered: dict[bytes, bytes] = {}
        # By identity: the judgement holds what they name.
        self._drawn: dict[int, Fragment] = {}
        self._divided: dict[int, bytes] = {}

    def text(self, request: ScreenRequest, engine: str, newest: int) -> bytes:
        """The whole answer, by ``engine`` (its name and version), when ``newest`` was the newest revision."""
        judged, rows, hidden = self._judgement, self._snapshot.rows, self._snapshot.no_access
        findings = judged.findings(0)
        verdict, severity = worst(findings)
        groups = judged.themes(findings)
        parts = {group: judged.parts(0, group) for group in (None, *groups)}
        self._draw(findings, parts.values())
        themes = sorted(groups.items(), key=lambda theme: WORST_FIRST[worst(theme[1])[0]])
        seen = [name for name in rows if name not in hidden]
        told = {
            "engine": engine,
            "law_date": self._snapshot.law_date.isoformat(),
            "as_of": {"revision": self._snapshot.revision, "head": newest},
            "site": self._describe_site(request),
            "verdict": verdict,
            "severity": severity,
            "demonstration": any(rows[name].any_demonstration for name in seen),
        }
        pieces = [orjson.dumps(told)[:-1], b',"parts":', self._parts(parts[None])]
        pieces += _listed("themes", (self._theme(group, own, parts[group]) for group, own in themes))
        pieces += _listed("clear", map(self._cleared, judged.cleared(0)))
        pieces += _listed("layers", map(self._layer, seen))
        pieces += [self._no_access(), b',"packs":', self._texts.packs, b"}"]
        return b"".join(pieces)

    def _no_access(self) -> bytes:
        """The layers that the answer is not made from, because whoever asked may not see them."""
        names = sorted(self._snapshot.no_access)
        layers = [{"id": n, "title": self._texts.text(self._definition.layers[n].title)} for n in names]
        return b',"no_access":' + orjson.dumps(layers) if layers else b""

    def _describe_site(self, request: ScreenRequest) -> Record:
        site, district, dimension = self._site, self._definition.district, self._dimension
        unit, area = district.area_unit_local, float(shapely.area(site.plane))
        return {
            "geometry": Fragment(geojson([site.lonlat])[0]),
            "kind": site.kind.kind,
            "kind_title": self._texts.text(site.kind.title),
            "attributes": {
                k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in site.attributes.items()
            },
            "accuracy_m": site.accuracy_m,
            "accuracy_source": "stated" if site.accuracy_is_stated else "district",
            "crs": request.crs,
            "area_m2": area if dimension == 2 else None,
            "area_ellipsoidal_m2": ellipsoidal_area_m2(site.given, site.epsg, district.extent)
            if dimension == 2
            else None,
            "area_local": {"value": area / unit.m2, "unit": self._texts.text(unit.name)}
            if unit and dimension == 2
            else None,
            "length_m": float(shapely.length(site.plane)) if dimension == 1 else None,
        }

    def _draw(self, findings: Sequence[Finding], divided: Iterable[Parts | None]) -> None:
        """Write all that is shown in degrees; many findings show the same, above all the whole site."""
        every = {id(parts): parts for parts in (*divided, *(f.parts for f in findings)) if parts is not None}
        cut = np.array([geometry for parts in every.values() for geometry in parts.geoms], dtype=object)
        shown = [*cut[~shapely.is_empty(cut)], *(zone.witness for f in findings for zone in f.zones)]
        distinct = {id(geometry): geometry for geometry in shown}
        texts = geojson(list(distinct.values()), self._to_lonlat.xy)
        self._drawn = dict(zip(distinct, map(Fragment, texts), strict=True))
        self._divided = {key: orjson.dumps(self._divide(parts)) for key, parts in every.items()}

    def _divide(self, parts: Parts) -> Record:
        """The four parts with size and share; empty ones have no geometry."""
        unit = {2: "area_m2", 1: "length_m", 0: "count"}[self._dimension]
        conflict, unknown, edge, clear = sizes = parts.sizes.tolist()
        total = conflict + unknown + edge + clear
        return {
            name: {
                unit: size,
                "share": size / total if total else 0.0,
                "geometry": self._drawn.get(id(geometry)),
            }
            for name, size, geometry in zip(WORST_FIRST, sizes, parts.geoms, strict=True)
        }

    def _parts(self, parts: Parts | None) -> bytes:
        return b"null" if parts is None else self._divided[id(parts)]

    def _theme(self, group: str, findings: Sequence[Finding], parts: Parts | None) -> Pieces:
        verdict, severity = worst(findings)
        title = self._texts.theme(group, verdict, severity)
        return [
            title,
            b',"parts":',
            self._parts(parts),
            *_listed("findings", map(self._finding, findings)),
            b"}",
        ]

    def _finding(self, finding: Finding) -> Pieces:
        """A finding in words, with the facts of the place amid them, and in law."""
        is_bare = finding.verdict == "unknown" and not finding.zones
        before, after = self._said_of_absence(finding) if is_bare else self._said(finding)
        facts = b',"margin_m":%b,"error_m":%b,"on_boundary":%b,"parts":' % (
            _number(finding.margin_m),
            _number(finding.error_m),
            b"true" if finding.on_boundary else b"false",
        )
        zones = orjson.dumps([self._zone(zone) for zone in finding.zones]) if finding.zones else b"[]"
        return [before, facts, self._parts(finding.parts), b',"zones":', zones, b",", after]

    def _said_of_absence(self, finding: Finding) -> Said:
        """What is said of an unknown without zones: the same wherever the site is, unless a share is told."""
        if outside_share(finding) is not None:
            return self._said(finding)
        key = (
            "absence", finding.rule.id, finding.severity, finding.severity_if_official, finding.missing,
            finding.applies, finding.has_basis, self._site.kind.kind, *map(id, finding.citations),
            *(note.zh for note in finding.notes),
        )  # fmt: skip
        return self._texts.said(key, finding.citations, lambda: self._said(finding))

    def _said(self, finding: Finding) -> Said:
        """A finding in words and law: what stands before the facts of the place, and after them."""
        rule, texts = finding.rule, self._texts
        missing = missing_names(finding.missing, self._titles)
        sentence = say(
            rule, finding.verdict, met_of(finding), margin_m=finding.margin_m, error_m=finding.error_m,
            on_boundary=finding.on_boundary, missing=missing, outside_share=outside_share(finding),
        )  # fmt: skip
        before = {
            "rule": rule.id,
            "group": rule.group,
            "title": texts.text(rule.title),
            "verdict": finding.verdict,
            "severity": finding.severity,
            "severity_if_official": finding.severity_if_official,
            "missing": [{"name": name, "title": texts.text(title)} for name, title in missing],
            "applies": finding.applies,
            "sentence": {"zh": sentence.zh, "en": sentence.en},
        }
        return orjson.dumps(before)[:-1], self._law(finding)

    def _law(self, finding: Finding) -> bytes:
        """What a finding says last: the law behind it, and what its rule says."""
        notes = (note.zh for note in finding.notes)
        key = "law", finding.rule.id, finding.has_basis, *map(id, finding.citations), *notes
        return self._texts.said(key, finding.citations, lambda: (b"", self._written_law(finding)))[1]

    def _written_law(self, finding: Finding) -> bytes:
        of_rule = self._texts.rule(finding.rule)
        after = {
            "legal": [self._texts.citation(reference) for reference in finding.citations],
            "has_basis": finding.has_basis,
            "predicate": of_rule["predicate"],
            "statutory": of_rule["statutory"],
            "notes": [self._texts.text(note) for note in finding.notes],
            **{name: of_rule[name] for name in ("exceptions", "disposal", "penalty", "note", "confidence")},
        }
        return orjson.dumps(after)[1:]

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
            "witness": self._drawn[id(zone.witness)],
        }

    def _cleared(self, cleared: Cleared) -> Pieces:
        key = "cleared", cleared.rule.id, cleared.code, id(cleared.reason), cleared.names
        return [
            self._texts.said(key, cleared.reason, lambda: (orjson.dumps(self._why_clear(cleared)), b""))[0]
        ]

    def _why_clear(self, cleared: Cleared) -> Record:
        rule, texts = cleared.rule, self._texts
        return {
            "rule": rule.id, "group": rule.group, "title": texts.text(rule.title),
            "code": cleared.code, "reason": texts.text(cleared.reason), "names": list(cleared.names),
        }  # fmt: skip

    def _layer(self, layer_id: str) -> Pieces:
        before, after = self._texts.layer(self._snapshot.rows[layer_id], self._sources)
        return [before, self._coverage(layer_id), after]

    def _coverage(self, layer_id: str) -> bytes:
        """How much of the site a layer covers: full, partial, none, or not stated."""
        coverage, key = self._snapshot.rows[layer_id].coverage, self._snapshot.prepared[layer_id].coverage_key
        if key not in self._covered:
            within = self._judgement.within.get(key)
            self._covered[key] = _covered(self._site.plane, coverage, within)
        return self._covered[key]


def _covered(site: shapely.Geometry, coverage: shapely.Geometry | None, within: bool | None) -> bytes:
    """``within`` tells what the judge has found already, where no outline comes near."""
    if coverage is None:
        return b"unstated"
    if within or (within is None and shapely.covers(coverage, site)):
        return b"full"
    return b"partial" if within is None and shapely.intersects(coverage, site) else b"none"


def _listed(name: str, each: Iterable[Pieces]) -> Pieces:
    """A further member of an object: an array under ``name``."""
    pieces, before = [b',"%b":[' % name.encode()], b""
    for one in each:
        pieces.append(before)
        pieces += one
        before = b","
    pieces.append(b"]")
    return pieces


def _number(value: float | None) -> bytes:
    return b"null" if value is None else orjson.dumps(value)
