"""One thing and what each source states about it, field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import shapely
from sqlalchemy import Connection, and_, func, select

from gis import tables
from gis.crs import LONLAT, transformation
from gis.errors import NotFound
from gis.linking.pairs import linking_of, members, table_of
from gis.revisions import alive
from gis.settings import MapDefinition
from layers.model import Layer, Linking

__all__ = ["Claim", "Thing", "preferred", "thing"]


@dataclass(frozen=True)
class Claim:
    """What one source states: its value, and the row and revision it stands in."""

    value: Any
    uid: str
    source: str
    title_zh: str
    title_en: str
    bureau: str | None
    at: datetime


@dataclass(frozen=True)
class Thing:
    """All rows that mean one thing. ``fields`` maps a field to its claims, the one to show first.

    ``places`` are the claims of where it is: lon/lat in EPSG:4326 and the bound of the error, or None.
    """

    uids: tuple[str, ...]
    fields: Mapping[str, tuple[Claim, ...]]
    places: tuple[Claim, ...]


def preferred(rules: Linking, field: str, claims: Sequence[Claim]) -> list[Claim]:
    """``claims`` in the order of precedence of ``field``; among equals the newest statement first."""
    order = rules.order(field)

    def rank(claim: Claim) -> int:
        places = [order.index(name) for name in (claim.source, claim.bureau) if name in order]
        return min(places, default=order.index("*"))

    return sorted(claims, key=lambda claim: (rank(claim), -claim.at.timestamp(), claim.uid))


def thing(conn: Connection, definition: MapDefinition, layer: Layer, uid: str) -> Thing:
    """What the sources state about the thing that row ``uid`` means. Raises NotFound without such a row."""
    rules = linking_of(layer)
    uids = members(conn, definition, layer, uid)
    rows = _rows(conn, definition, layer, uids)
    if uid not in {row["uid"] for row in rows}:
        raise NotFound(f"Layer {layer.id!r} has no row {uid!r}.", f"图层“{layer.id}”中没有“{uid}”。")
    fields = {
        field.name: tuple(preferred(rules, field.name, _claims(rows, field.name))) for field in layer.fields
    }
    places = tuple(preferred(rules, "geom", _places(definition, rows))) if layer.has_geometry else ()
    return Thing(tuple(uids), fields, places)


def _rows(
    conn: Connection, definition: MapDefinition, layer: Layer, uids: Sequence[str]
) -> list[dict[str, Any]]:
    t, s, r = table_of(definition, layer), tables.sources, tables.revisions
    columns = [t.c.uid, *(t.c[f.name] for f in layer.fields), t.c.accuracy_m]
    place = [func.ST_AsBinary(t.c.geom).label("place")] if layer.has_geometry else []
    said = [s.c.name.label("s_name"), s.c.title_zh.label("s_zh"), s.c.title_en.label("s_en")]
    query = (
        select(*columns, *place, *said, s.c.bureau.label("s_bureau"), r.c.at.label("s_at"))
        .join(s, s.c.source_id == t.c.source_id)
        .join(r, r.c.rev == t.c.rev_from)
        .where(and_(alive(t, None), t.c.uid.in_(uids)))
        .order_by(t.c.uid)
    )
    return [dict(row._mapping) for row in conn.execute(query)]


def _claim(row: Mapping[str, Any], value: Any) -> Claim:
    return Claim(value, row["uid"], row["s_name"], row["s_zh"], row["s_en"], row["s_bureau"], row["s_at"])


def _claims(rows: Sequence[Mapping[str, Any]], field: str) -> list[Claim]:
    return [_claim(row, row[field]) for row in rows if row[field] is not None]


def _places(definition: MapDefinition, rows: Sequence[Mapping[str, Any]]) -> list[Claim]:
    placed = [row for row in rows if row["place"] is not None]
    if not placed:
        return []
    district = definition.district
    shapes = shapely.from_wkb(np.array([bytes(row["place"]) for row in placed], dtype=object))
    centres = transformation(district.storage_crs, LONLAT, district.extent).geometries(
        shapely.point_on_surface(shapes)
    )
    return [
        _claim(row, {"lon": float(p.x), "lat": float(p.y), "accuracy_m": row["accuracy_m"]})
        for row, p in zip(placed, centres, strict=True)
    ]
