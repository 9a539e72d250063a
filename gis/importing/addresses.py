"""Places for rows without coordinates: never a false point, always a bound of the error.

What is known of a row is asked from the finest to the coarsest: the place of the same address or the same
enterprise in the store, its township, its county. The point stands for an area, and ``accuracy_m`` says how
far the thing may be from it.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Text, any_, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY

from gis import tables
from gis.crs import Transformation, transformation
from gis.importing.gazetteer import Gazetteer, Spot, load_gazetteer, reach
from gis.importing.issues import Issue
from gis.importing.values import as_text
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["place_unlocated"]

# An address that names a house; "经济开发区" names square kilometres.
_HOUSE = re.compile(r"\d+(?:[-之]\d+)?\s*(?:号|弄|幢|栋)")
# What writers of addresses add or leave out. Deleted by PostgreSQL on both sides, so both agree.
_MARKS = " \t,.;:、。·()[]{}-_#\"'/\\"
_MOST_HITS = 200  # places of one address or enterprise; more say that it is no address


@dataclass(frozen=True)
class _Row:
    """What a row says of its place."""

    number: int
    uscc: str | None
    township: str | None
    county: str | None
    address: str | None


@dataclass(frozen=True)
class _Placed:
    code: str
    name: str
    point: shapely.Point
    bound_m: float


def place_unlocated(
    conn: Connection, definition: MapDefinition, layer: Layer, rows: pd.DataFrame
) -> tuple[NDArray[np.object_], NDArray[np.float64], list[Issue]]:
    """A point and a bound of its error for each row of ``rows``, as far as the store knows one.

    Parameters
    ----------
    layer : Layer
        Where the rows go; its ``names`` say which fields hold township, county and address, a field of format
        uscc the credit code. A layer of lines or polygons is given no places.
    rows : DataFrame
        The rows without coordinates, columns named as the fields, index = row number; may be empty.

    Returns
    -------
    geometry : (n,) array of Point or None, in the storage CRS
    accuracy_m : (n,) array of float
        The bound in metres, rounded up; NaN where there is no place.
    issues : list of Issue
        A repair for each placed row (placed_by_address, placed_by_township, placed_by_county); an error where
        the names mean several places (place_ambiguous) or contradict each other (place_contradicts). A row
        whose names are unknown gets neither; it stays without a place.
    """
    geometry: NDArray[np.object_] = np.full(len(rows), None, dtype=object)
    accuracy = np.full(len(rows), np.nan)
    issues: list[Issue] = []
    if rows.empty or layer.geometry not in ("Point", "MultiPoint", "Geometry"):
        return geometry, accuracy, issues
    stated = _stated(layer, rows)
    known = _by_address(conn, definition, layer, stated)
    gazetteer = load_gazetteer(conn, definition)
    for i, row in enumerate(stated):
        found = known.get(row.number) or _by_name(gazetteer, row)
        if isinstance(found, Issue):
            issues.append(found)
        elif found is not None:
            geometry[i] = (
                shapely.multipoints([found.point]) if layer.geometry == "MultiPoint" else found.point
            )
            accuracy[i] = found.bound_m
            told = f"{found.name}（±{found.bound_m:.0f} m）"
            issues.append(Issue(row.number, "geom", told, found.code, "repair", _said(row)))
    return geometry, accuracy, issues


def _stated(layer: Layer, rows: pd.DataFrame) -> list[_Row]:
    uscc = next((f.name for f in layer.fields if f.format == "uscc"), None)
    names = layer.names
    columns = [_texts(rows, name) for name in (uscc, names.township, names.county, names.address)]
    return [_Row(int(n), *values) for n, *values in zip(rows.index, *columns, strict=True)]


def _texts(rows: pd.DataFrame, name: str | None) -> list[str | None]:
    return [None] * len(rows) if name is None or name not in rows else [as_text(v) for v in rows[name]]


def _said(row: _Row) -> str | None:
    return " ".join(part for part in (row.county, row.township, row.address) if part) or None


# ---- by township or county


def _by_name(gazetteer: Gazetteer, row: _Row) -> _Placed | Issue | None:
    """The place of the township or county that the row names, in its fields or in its address."""
    said = [c for c in (gazetteer.county(row.county), _county_in(gazetteer, row)) if c is not None]
    if len({c.name for c in said}) > 1:
        return _contradiction(row)
    county = said[0] if said else None
    townships = gazetteer.township(row.township) or gazetteer.townships_in(row.address)
    fitting = [t for t in townships if county is None or t.county in (None, county.name)]
    if townships and not fitting:
        return _contradiction(row)
    if len(fitting) > 1:
        names = "、".join(f"{t.county or ''}{t.name}" for t in fitting)
        return Issue(row.number, "geom", names, "place_ambiguous", original=_said(row))
    township = fitting[0] if fitting else None
    if township is not None and township.point is not None:
        return _Placed("placed_by_township", township.name, township.point, township.bound_m)
    if county is None and township is not None:
        county = gazetteer.county(township.county)
    if county is None or county.point is None:
        return None
    return _Placed("placed_by_county", county.name, county.point, county.bound_m)


def _county_in(gazetteer: Gazetteer, row: _Row) -> Spot | None:
    """The county that the address, or the field of the township, names; None when it names several."""
    named = {c.name: c for text in (row.township, row.address) for c in gazetteer.counties_in(text)}
    return next(iter(named.values())) if len(named) == 1 else None


def _contradiction(row: _Row) -> Issue:
    return Issue(row.number, "geom", _said(row), "place_contradicts")


# ---- by address or enterprise


@dataclass(frozen=True)
class _Hit:
    point: shapely.Point
    plane: tuple[float, float]
    bound_m: float


def _by_address(
    conn: Connection, definition: MapDefinition, layer: Layer, rows: Sequence[_Row]
) -> dict[int, _Placed]:
    """Row number -> the place of the same address, else of the same enterprise, where that is known well.

    A place counts when its own error is known and below the district's ``coarse_position_m``. Things of one
    address or one enterprise lie within ``same_site_m`` of each other; only the enterprise itself, in its own
    layer, is where it is. Places farther apart than their bounds allow say nothing.
    """
    addresses = sorted({r.address for r in rows if r.address and _HOUSE.search(r.address)})
    codes = sorted({r.uscc for r in rows if r.uscc})
    if not addresses and not codes:
        return {}
    by_address: dict[str, list[_Hit]] = defaultdict(list)
    by_code: dict[str, list[_Hit]] = defaultdict(list)
    apart = definition.district.places.same_site_m
    for other in definition.layers.values():
        if other.role not in ("subject", "context") or not other.has_geometry:
            continue
        if other.names.address is not None and addresses:
            _collect(by_address, _same_address(conn, definition, other, addresses), definition, apart)
        uscc = next((f.name for f in other.fields if f.format == "uscc"), None)
        if uscc is not None and codes:
            spread = 0.0 if other.id == layer.id else apart
            _collect(by_code, _same_code(conn, definition, other, uscc, codes), definition, spread)
    found: dict[int, _Placed] = {}
    for row in rows:
        for key, places in ((row.address, by_address), (row.uscc, by_code)):
            hit = _agreed(places.get(key or "", ()))
            if hit is not None:
                found[row.number] = _Placed("placed_by_address", str(key), hit.point, hit.bound_m)
                break
    return found


def _normal(text: ColumnElement[Any]) -> ColumnElement[Any]:
    """An address in the form that addresses are compared in."""
    folded = func.lower(func.normalize(text, literal_column("NFKC")))
    return func.translate(folded, literal(_MARKS, Text), literal("", Text))


def _same_address(
    conn: Connection, definition: MapDefinition, layer: Layer, addresses: Sequence[str]
) -> Iterable[Any]:
    table = tables.table_for(layer, definition.district.storage_crs)
    wanted = select(func.unnest(literal(list(addresses), ARRAY(Text))).label("address")).subquery()
    keys = (
        select(wanted.c.address, _normal(wanted.c.address).label("key"))
        .cte("wanted")
        .prefix_with("MATERIALIZED")
    )
    held = _normal(table.c[layer.names.address or ""])
    return conn.execute(_known_well(table, definition, keys.c.address).join(keys, held == keys.c.key)).all()


def _same_code(
    conn: Connection, definition: MapDefinition, layer: Layer, uscc: str, codes: Sequence[str]
) -> Iterable[Any]:
    table = tables.table_for(layer, definition.district.storage_crs)
    wanted = table.c[uscc] == any_(literal(list(codes), ARRAY(Text)))
    return conn.execute(_known_well(table, definition, table.c[uscc]).where(wanted)).all()


def _known_well(table: Any, definition: MapDefinition, key: ColumnElement[Any]) -> Any:
    """Key, place and error of the current rows of ``table`` whose place is known well."""
    return (
        select(key, func.ST_AsBinary(table.c.geom), table.c.accuracy_m)
        .select_from(table)
        .where(table.c.rev_to.is_(None), table.c.geom.isnot(None))
        .where(table.c.accuracy_m <= definition.district.coarse_position_m)
        .order_by(table.c.accuracy_m, table.c.uid)
    )


def _collect(
    found: dict[str, list[_Hit]], rows: Iterable[Any], definition: MapDefinition, spread: float
) -> None:
    rows = list(rows)
    if not rows:
        return
    shapes = shapely.from_wkb(np.array([bytes(row[1]) for row in rows], dtype=object))
    points = shapely.point_on_surface(shapes)
    to_plane = _to_plane(definition)
    away = reach(shapes, points, to_plane)
    plane = shapely.get_coordinates(to_plane.geometries(points))
    for row, point, xy, radius in zip(rows, points, plane.tolist(), away.tolist(), strict=True):
        if len(found[row[0]]) < _MOST_HITS:
            bound = math.ceil(radius + row[2] + spread)
            found[row[0]].append(_Hit(point, (xy[0], xy[1]), bound))


def _to_plane(definition: MapDefinition) -> Transformation:
    district = definition.district
    return transformation(district.storage_crs, district.measuring_crs, district.extent)


def _agreed(hits: Sequence[_Hit]) -> _Hit | None:
    """The best of places that can all be one place; None when two of them cannot."""
    if not hits:
        return None
    best = min(hits, key=lambda hit: hit.bound_m)
    can_be_one = all(
        math.dist(first.plane, second.plane) <= first.bound_m + second.bound_m
        for i, first in enumerate(hits)
        for second in hits[i + 1 :]
    )
    return best if can_be_one else None
