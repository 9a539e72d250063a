"""The record of a report: all that any of its faces needs, in a form whose hash is its name.

The hash covers what was asked, what it was judged by and what came out: input, attributes, kind, law date,
revision, revisions of the layers, rule packs, the district's settings, access scope and the engine's version.
It does not cover when the report was made or expires, nor anything that differs between two equal runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np
import orjson
import shapely
from sqlalchemy import Connection, Engine, select

from gis import tables
from gis.access import PUBLIC
from gis.crs import LONLAT, transformation
from gis.db import connect, scope_of
from gis.reports.deciding import deciding_attributes
from gis.reports.drawing import map_shapes
from gis.reports.shift import SEARCH_M, Shift, is_wanted, smallest_shift
from gis.screening.answer import Examined, Record, examine
from gis.screening.request import ScreenRequest
from gis.settings import MapDefinition
from layers.district import District
from layers.model import Field
from layers.rulemodel import PARCEL, canonical_hash

__all__ = ["canonical", "district_hash", "make_record", "report_id", "request_of"]

FORM = "onemap-report/1"

# What a district says about pages, not about answers.
_NOT_JUDGED = {"demo", "rasters", "view", "languages", "report_valid_days"}
# Far finer than any measure; keeps the last bits of equal computations from making two names.
_DIGITS = 9


def make_record(
    engine: Engine,
    definition: MapDefinition,
    request: ScreenRequest,
    *,
    max_vertices: int = 100_000,
    threads: int = 2,
    search_m: float = SEARCH_M,
) -> Record:
    """Judge the site of ``request`` and write the record of a report on it.

    Beside the answer of `gis.screening.answer.screen` it holds what was asked (``asked``), the district, date
    and maker of each layer's revision, what would pass (``passing``) and the shapes of its map (``map``).

    Raises
    ------
    ScreeningError, CrsError, RevisionError
        When the site, its CRS or the revision asked for cannot be used.
    """
    examined = examine(engine, definition, request, max_vertices=max_vertices, threads=threads)
    answer = examined.record()
    wanted = is_wanted(examined)
    shift = smallest_shift(examined, search_m, threads=threads) if wanted else None
    answer["as_of"] = {"revision": examined.snapshot.revision}
    with connect(engine) as conn:
        revisions = _revisions(conn, [layer["revision"] for layer in answer["layers"]])
    scope = scope_of(engine) or PUBLIC
    for layer in answer["layers"]:
        layer["changed"] = revisions.get(layer["revision"])
    record = {
        "form": FORM,
        "access_scope": "public" if scope == PUBLIC else scope.digest,
        "asked": _asked(examined),
        "district": _district(definition.district),
        **answer,
        "rules": [
            {"id": o.rule.id, "group": o.rule.group, "zone_layer": o.rule.zone_layer, "hash": o.rule.hash}
            for o in examined.judgement.outcomes
        ],
        "passing": {
            "free": _free(examined, answer),
            "shift": _shift(examined, shift, wanted, search_m),
            "deciding": deciding_attributes(examined, threads=threads),
        },
        "map": map_shapes(examined, shift),
    }
    plain: Record = _settled(record)
    return plain


def canonical(record: Record) -> bytes:
    """The record as JSON in UTF-8, keys sorted, no spaces: equal records give equal bytes."""
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)


def report_id(record: Record) -> str:
    """The name of a report: SHA-256 of its canonical JSON, hexadecimal. It is the hash of its JSON face."""
    return hashlib.sha256(canonical(record)).hexdigest()


def request_of(record: Record, *, as_of: str | None = None, law_date: date | None = None) -> ScreenRequest:
    """The question that a record answers, to be asked at another revision or day."""
    asked = record["asked"]
    return ScreenRequest(
        geometry=shapely.from_wkt(asked["wkt"]), crs=asked["crs"], kind=asked["kind"],
        attributes={each["name"]: each["value"] for each in asked["attributes"]},
        accuracy_m=asked["accuracy_m"], law_date=law_date, as_of=as_of,
    )  # fmt: skip


def district_hash(district: District) -> str:
    """A hash of those settings of a district that an answer depends on."""
    return canonical_hash(district.model_dump(mode="json", exclude=_NOT_JUDGED))


def _asked(examined: Examined) -> Record:
    request, site = examined.request, examined.site
    given = [name for name in site.attributes if name not in site.kind.attributes]
    fields = {name: _field(examined, name) for name in given}
    return {
        "wkt": shapely.to_wkt(shapely.force_2d(request.geometry), rounding_precision=-1),
        "crs": request.crs,
        "kind": site.kind.kind,
        "accuracy_m": request.accuracy_m,
        "attributes": [_attribute(fields[name], name, site.attributes[name]) for name in sorted(given)],
    }


def _field(examined: Examined, name: str) -> Field | None:
    layers = [examined.definition.layers[s] for s in examined.site.kind.subjects if s != PARCEL]
    return next((field for layer in layers for field in layer.fields if field.name == name), None)


def _attribute(field: Field | None, name: str, value: Any) -> Record:
    """One attribute with its titles, so that no definition is needed to read it."""
    code = next((c for c in field.code_list if c.code == value), None) if field else None
    return {
        "name": name,
        "title": field.title.model_dump() if field else {"zh": name, "en": name},
        "value": value.isoformat() if hasattr(value, "isoformat") else value,
        "meaning": code.title.model_dump() if code else None,
        "unit": field.unit if field else None,
    }


def _district(district: District) -> Record:
    return {
        "id": district.id,
        "name": district.name.model_dump(),
        "attribution": district.attribution.model_dump(),
        "measuring_crs": f"EPSG:{district.measuring_crs}",
        "storage_crs": f"EPSG:{district.storage_crs}",
        "area_unit_local": district.area_unit_local.model_dump() if district.area_unit_local else None,
        "hash": district_hash(district),
    }


def _revisions(conn: Connection, numbers: Iterable[int]) -> dict[int, Record]:
    r, s = tables.revisions, tables.sources
    query = (
        select(r.c.rev, r.c.at, r.c.who, r.c.kind, r.c.note, s.c.name)
        .outerjoin(s, s.c.source_id == r.c.source_id)
        .where(r.c.rev.in_(set(numbers)))
    )
    return {
        row.rev: {"at": row.at.isoformat(), "who": row.who, "kind": row.kind, "source": row.name}
        for row in conn.execute(query)
    }


def _free(examined: Examined, answer: Record) -> Record | None:
    """The part that is surely free of conflict, and how much is not in conflict; None for a point."""
    parts = answer["parts"]
    if parts is None:
        return None
    unit = next(key for key in ("area_m2", "length_m", "count") if key in parts["clear"])
    rest = [parts[name] for name in ("unknown", "edge", "clear")]
    return {
        unit: parts["clear"][unit],
        "share": parts["clear"]["share"],
        "geometry": parts["clear"]["geometry"],
        "without_conflict": {unit: sum(p[unit] for p in rest), "share": sum(p["share"] for p in rest)},
    }


def _shift(examined: Examined, shift: Shift | None, wanted: bool, search_m: float) -> Record:
    out: Record = {"wanted": wanted, "found": shift is not None, "search_m": search_m}
    if shift is None:
        return out
    district = examined.definition.district
    to_lonlat = transformation(district.measuring_crs, LONLAT, district.extent)
    moved = to_lonlat.geometries(np.array([shift.geometry], dtype=object))[0]
    told = {name: value for name, value in asdict(shift).items() if name != "geometry"}
    return out | told | {"geometry": orjson.loads(shapely.to_geojson(moved))}


def _settled(value: Any) -> Any:
    """``value`` with its numbers rounded, and what JSON has no form for as null."""
    if isinstance(value, dict):
        return {str(key): _settled(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_settled(entry) for entry in value]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return round(float(value), _DIGITS) + 0.0 if np.isfinite(value) else None
    return value.isoformat() if isinstance(value, date) else str(value)
