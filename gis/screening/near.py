"""Rows of a layer near given places, by the index of the store first and exactly in the plane second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from sqlalchemy import ARRAY, Connection, Double, Subquery, any_, func, literal, or_, select

from gis import tables
from gis.crs import transformation
from gis.revisions import alive
from gis.screening.columns import read_columns
from gis.screening.filters import Attributes, evaluate
from gis.settings import MapDefinition
from layers.model import Layer
from layers.predicates import Where

__all__ = [
    "Reach",
    "boxes",
    "gathered_boxes",
    "joined_reaches",
    "near_place",
    "padding",
    "prepared_here",
    "rows_in_boxes",
    "subjects_near",
]

SLACK_M = 1.0
"""Metres added to every search: the index works with rounded boxes in the storage CRS."""


@cache
def _is_geographic(crs: int) -> bool:
    return bool(pyproj.CRS(crs).is_geographic)


def padding(definition: MapDefinition) -> tuple[float, float]:
    """How far a metre reaches at most in x and y of the storage CRS, anywhere in the district."""
    district = definition.district
    if not _is_geographic(district.storage_crs):
        return 1.02, 1.02
    _, south, _, north = district.extent
    widest = np.cos(np.radians(min(89.0, max(abs(south), abs(north)) + 1.0)))
    return 1.0 / (110_000.0 * float(widest)), 1.0 / 110_000.0


def boxes(
    definition: MapDefinition, geoms: NDArray[np.object_], metres: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Boxes in the storage CRS, float64[n, 4], that hold all within ``metres`` of geometries in the plane."""
    district = definition.district
    back = transformation(district.measuring_crs, district.storage_crs, district.extent)
    found = np.asarray(shapely.bounds(back.geometries(_hulls(geoms))), dtype=np.float64).reshape(-1, 4)
    dx, dy = padding(definition)
    x, y = (metres + SLACK_M) * dx, (metres + SLACK_M) * dy
    return found + np.stack([-x, -y, x, y], axis=1)


def gathered_boxes(
    definition: MapDefinition, geoms: NDArray[np.object_], metres: NDArray[np.float64]
) -> NDArray[np.float64]:
    """As `boxes`, but few: those of neighbours are put together. They hold more ground for it."""
    bounds = np.asarray(shapely.bounds(geoms), dtype=np.float64).reshape(-1, 4)
    there = np.isfinite(bounds).all(axis=1)
    around = bounds[there] + metres[there, None] * np.array([-1.0, -1.0, 1.0, 1.0])
    if not len(around):
        return np.empty((0, 4))
    cells = np.floor((around[:, :2] + around[:, 2:]) / 2.0 / _CELL_M).astype(np.int64)
    names, cell = np.unique(cells, axis=0, return_inverse=True)
    low, high = np.full((len(names), 2), np.inf), np.full((len(names), 2), -np.inf)
    np.minimum.at(low, cell.reshape(-1), around[:, :2])
    np.maximum.at(high, cell.reshape(-1), around[:, 2:])
    sides = np.max(high - low, axis=1) / _SIDE_PARTS
    joined = shapely.segmentize(shapely.box(*low.T, *high.T), np.maximum(sides, 1.0))
    return boxes(definition, np.asarray(joined, dtype=object), np.zeros(len(joined)))


_CELL_M = 2_000.0
_SIDE_PARTS = 16


def _hulls(geoms: NDArray[np.object_]) -> NDArray[np.object_]:
    """The geometries, but the upright box around each that has more vertices than such a box in parts.

    In 16 parts a side of 50 km, bent by the transformation, is drawn to 0.1 m: less than the slack.
    """
    many = np.flatnonzero(shapely.get_num_coordinates(geoms) > 4 * _SIDE_PARTS)
    if not len(many):
        return geoms
    bounds = np.asarray(shapely.bounds(geoms[many]))
    sides = np.maximum(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])
    hulls = geoms.copy()
    hulls[many] = shapely.segmentize(shapely.box(*bounds.T), sides / _SIDE_PARTS)
    return hulls


def rows_in_boxes(
    conn: Connection, definition: MapDefinition, layer: Layer, found: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Row ids of the current rows of ``layer`` whose boxes meet any of ``found`` (storage CRS)."""
    found = np.unique(found[np.isfinite(found).all(axis=1)], axis=0)
    if not len(found):
        return np.empty(0, dtype=np.int64)
    t = tables.table_for(layer, definition.district.storage_crs)
    box = _boxes(found, definition)
    query = select(t.c.row_id).distinct().select_from(t.join(box, t.c.geom.op("&&")(box.c.box)))
    return read_columns(conn, query.where(alive(t, None)))["row_id"].astype(np.int64)


def _boxes(found: NDArray[np.float64], definition: MapDefinition) -> Subquery:
    """The boxes as a table of their numbers and geometries."""
    sides = [literal(side.tolist(), ARRAY(Double)) for side in found.T]
    given = func.unnest(*sides).table_valued("x0", "y0", "x1", "y1", with_ordinality="n").render_derived()
    envelope = func.ST_MakeEnvelope(
        given.c.x0, given.c.y0, given.c.x1, given.c.y1, definition.district.storage_crs
    )
    return select((given.c.n - 1).label("n"), envelope.label("box")).subquery("boxes")


def prepared_here(places: NDArray[np.object_]) -> NDArray[np.object_]:
    """Copies of geometries, prepared, for this thread alone: two that use the same one crash the process."""
    own = np.asarray(shapely.from_wkb(shapely.to_wkb(places)), dtype=object)
    shapely.prepare(own)
    return own


def near_place(
    place: shapely.Geometry, geoms: NDArray[np.object_], metres: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which of ``geoms`` are within ``metres`` (one each) of a place (prepared), or a little farther."""
    one = np.array([place], dtype=object)
    return np.asarray(shapely.dwithin(one, geoms, metres + SLACK_M))  # type: ignore[call-overload]  # stubs know one distance


@dataclass(frozen=True, eq=False)
class Reach:
    """Whom a change at some places may concern.

    Attributes
    ----------
    metres : float64[n]
        For each place: a row counts when it is no farther than this plus its own ``accuracy_m`` (not known:
        0). Below 0: nobody.
    filters : tuple of Where
        And when one of these may hold of its attributes.
    """

    metres: NDArray[np.float64]
    filters: tuple[Where, ...]


def joined_reaches(reaches: Sequence[Reach]) -> list[Reach]:
    """The same, those of like metres as one."""
    joined: dict[bytes, Reach] = {}
    for reach in reaches:
        held = joined.get(reach.metres.tobytes())
        filters = reach.filters if held is None else (*held.filters, *reach.filters)
        joined[reach.metres.tobytes()] = Reach(reach.metres, filters)
    return list(joined.values())


def subjects_near(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    places: NDArray[np.object_],
    reaches: Sequence[Reach],
    law_date: date,
) -> NDArray[np.object_]:
    """Uids of the current rows of ``layer`` that any of ``reaches`` counts.

    Parameters
    ----------
    places : geometry[n]
        In the measuring plane; empty ones have nothing near.
    law_date : datetime.date
        What filters compare with.
    """
    farthest = np.max([reach.metres for reach in reaches], axis=0)
    filled = np.flatnonzero(~shapely.is_empty(places) & (farthest >= 0))
    if not len(filled):
        return np.empty(0, dtype=object)
    places, farthest = prepared_here(places[filled]), farthest[filled]
    # The nearest first: whom it counts need not be looked at again.
    reaches = sorted(reaches, key=lambda reach: float(reach.metres.max()))
    uids = []
    for columns in _candidates(conn, definition, layer, places, farthest, reaches):
        lying = _lying(columns, definition)
        attributes = Attributes(columns, len(columns["uid"]))
        counted = np.zeros(len(columns["uid"]), dtype=bool)
        for reach in reaches:
            may = ~np.all([evaluate(where, attributes, law_date).no for where in reach.filters], axis=0)
            rows = np.flatnonzero(may & ~counted)
            counted[rows] = _close(lying, rows, places, reach.metres[filled])
        uids.append(columns["uid"][counted])
    return np.unique(np.concatenate(uids)) if uids else np.empty(0, dtype=object)


def _candidates(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    places: NDArray[np.object_],
    metres: NDArray[np.float64],
    reaches: Sequence[Reach],
) -> Iterator[dict[str, NDArray[np.object_]]]:
    """The rows whose boxes are within reach of those of the places, with what is asked of them."""
    t = tables.table_for(layer, definition.district.storage_crs)
    district = definition.district
    plane = transformation(district.storage_crs, district.measuring_crs, district.extent)
    box = _boxes(_boxes_along(definition, places, metres + tables.COARSE_M + plane.accuracy_m), definition)
    dx, dy = padding(definition)
    coarse = t.c.accuracy_m > tables.COARSE_M
    around = func.ST_Expand(t.c.geom, t.c.accuracy_m * dx, t.c.accuracy_m * dy)
    asked = {name for reach in reaches for where in reach.filters for name in where}
    named = asked & {field.name for field in layer.fields} - {"uid", "accuracy_m"}
    columns = (t.c.uid, t.c.accuracy_m, func.ST_AsBinary(t.c.geom).label("wkb"))
    for meets, which in (
        (t.c.geom.op("&&")(box.c.box), or_(t.c.accuracy_m.is_(None), ~coarse)),
        (around.op("&&")(box.c.box), coarse),
    ):
        # Each row once, though several boxes meet it: old and new outlines mostly lie on each other.
        met = select(t.c.row_id).select_from(t.join(box, meets)).where(alive(t, None), which).distinct()
        query = select(*columns, *(t.c[name] for name in sorted(named)))
        query = query.where(t.c.row_id == any_(func.array(met.correlate(None).scalar_subquery())))
        found = read_columns(conn, query)
        if len(found["uid"]):
            yield found


def _boxes_along(
    definition: MapDefinition, places: NDArray[np.object_], metres: NDArray[np.float64]
) -> NDArray[np.float64]:
    """As `boxes`, but many along a line: the one around the rim of a coverage would hold the district."""
    lines = shapely.get_dimensions(places) == 1
    found = [boxes(definition, places[~lines], metres[~lines])]
    for place, reach in zip(places[lines], metres[lines], strict=True):
        xy, part = shapely.get_coordinates(
            shapely.get_parts(shapely.segmentize(place, _CELL_M)), return_index=True
        )
        goes_on = part[1:] == part[:-1]
        steps = np.asarray(shapely.linestrings(np.stack([xy[:-1][goes_on], xy[1:][goes_on]], axis=1)))
        found.append(gathered_boxes(definition, steps, np.full(len(steps), reach)))
    return np.concatenate(found)


@dataclass(frozen=True, eq=False)
class _Lying:
    """Where rows lie in the plane, with their bounds and errors."""

    geoms: NDArray[np.object_]
    bounds: NDArray[np.float64]
    error_m: NDArray[np.float64]


def _lying(columns: Mapping[str, NDArray[np.object_]], definition: MapDefinition) -> _Lying:
    district = definition.district
    plane = transformation(district.storage_crs, district.measuring_crs, district.extent)
    geoms = plane.geometries(columns["wkb"])
    error = np.nan_to_num(columns["accuracy_m"].astype(float)) + plane.accuracy_m
    return _Lying(geoms, np.asarray(shapely.bounds(geoms)), error)


def _close(
    lying: _Lying, rows: NDArray[np.int64], places: NDArray[np.object_], metres: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which of ``rows`` are within reach of any place, given their own errors."""
    (west, south, east, north), own = lying.bounds[rows].T, lying.error_m[rows]
    close = np.zeros(len(rows), dtype=bool)
    for place, reach in zip(places, metres, strict=True):
        if reach < 0:
            continue
        x0, y0, x1, y1 = shapely.bounds(place)
        far = own + reach + SLACK_M
        boxed = (west <= x1 + far) & (east >= x0 - far) & (south <= y1 + far) & (north >= y0 - far)
        near = np.flatnonzero(boxed & ~close)
        if len(near):
            close[near] = near_place(place, lying.geoms[rows[near]], reach + own[near])
    return close
