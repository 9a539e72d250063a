"""Rows of a layer near given places, by the index of the store first and exactly in the plane second."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Connection,
    Double,
    Subquery,
    Table,
    Text,
    and_,
    any_,
    func,
    literal,
    or_,
    select,
    true,
)

from gis import tables
from gis.crs import transformation
from gis.kernel.boundary import Boundary
from gis.revisions import alive
from gis.screening.columns import read_columns
from gis.screening.filters import Attributes, evaluate
from gis.screening.rows import LayerRows, read_where
from gis.settings import MapDefinition
from layers.model import Layer
from layers.predicates import Where

__all__ = [
    "Places",
    "Reach",
    "boxes",
    "gathered_boxes",
    "joined_reaches",
    "padding",
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
    query = select(t.c.row_id).where(alive(t, None), _meets_any(t.c.geom, found, definition))
    return read_columns(conn, query)["row_id"].astype(np.int64)


def _boxes(found: NDArray[np.float64], definition: MapDefinition) -> Subquery:
    """The boxes as a table of their numbers and geometries."""
    sides = [literal(side.tolist(), ARRAY(Double)) for side in found.T]
    given = func.unnest(*sides).table_valued("x0", "y0", "x1", "y1", with_ordinality="n").render_derived()
    envelope = func.ST_MakeEnvelope(
        given.c.x0, given.c.y0, given.c.x1, given.c.y1, definition.district.storage_crs
    )
    return select((given.c.n - 1).label("n"), envelope.label("box")).subquery("boxes")


class Places:
    """Geometries in the plane that others are asked to be near of. For one thread at a time.

    Copies are prepared, and made only of those that are asked: two threads that use the same prepared
    geometry crash the process.

    Attributes
    ----------
    geoms : geometry[n]
    """

    def __init__(
        self,
        geoms: NDArray[np.object_],
        redrawn: Mapping[int, tuple[shapely.Geometry, shapely.Geometry]] | None = None,
    ) -> None:
        """``redrawn``: of some places, which are lines, the polygons before and after that differ there.

        What lies in one of the two only is near such a place too.
        """
        self.geoms, self._redrawn = geoms, redrawn or {}
        self._own: dict[int, NDArray[np.object_]] = {}
        self._rim: dict[int, shapely.STRtree] = {}

    def near(self, place: int, geoms: NDArray[np.object_], metres: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of ``geoms`` are within ``metres`` (one each) of a place, or a little farther."""
        one, reach = self._copies(place)[:1], metres + SLACK_M
        if place in self._redrawn:
            before, after = self._own[place][1:]
            within = shapely.intersects(before, geoms) ^ shapely.intersects(after, geoms)
            rest = np.flatnonzero(~within)
            within[rest] = _dwithin(one, geoms[rest], reach[rest])
            return np.asarray(within)
        area = shapely.get_dimensions(one[0]) == 2
        few = len(geoms) < _MANY and place not in self._rim
        if few or not area or not (shapely.get_type_id(geoms) == 0).all():
            return _dwithin(one, geoms, reach)
        # Most points lie inside, or far from the outline; both are found much faster than a distance is.
        close = np.asarray(shapely.intersects_xy(one[0], shapely.get_x(geoms), shapely.get_y(geoms)))
        rest = np.flatnonzero(~close)
        close[rest[self._rim_of(place).query(geoms[rest], "dwithin", reach[rest])[0]]] = True
        return close

    def get_ready(self) -> None:
        """Index the large areas before they are asked, which another thread may do before this one asks."""
        large = (shapely.get_dimensions(self.geoms) == 2) & (shapely.get_num_coordinates(self.geoms) > _LARGE)
        for place in np.flatnonzero(large).tolist():
            x0, y0, x1, y1 = shapely.bounds(self.geoms[place]).tolist()
            shapely.intersects_xy(self._copies(place)[0], (x0 + x1) / 2.0, (y0 + y1) / 2.0)
            self._rim_of(place)

    def _copies(self, place: int) -> NDArray[np.object_]:
        if place not in self._own:
            copies = [self.geoms[place], *self._redrawn.get(place, ())]
            self._own[place] = np.asarray(shapely.from_wkb(shapely.to_wkb(copies)), dtype=object)
            shapely.prepare(self._own[place])
        return self._own[place]

    def _rim_of(self, place: int) -> shapely.STRtree:
        if place not in self._rim:
            self._rim[place] = Boundary.of_each(self._copies(place)[:1]).tree
        return self._rim[place]


_MANY = 100
_LARGE = 10_000


def _dwithin(
    one: NDArray[np.object_], geoms: NDArray[np.object_], metres: NDArray[np.float64]
) -> NDArray[np.bool_]:
    return np.asarray(shapely.dwithin(one, geoms, metres))  # type: ignore[call-overload]  # stubs know one distance


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
    places: Places,
    reaches: Sequence[Reach],
    law_date: date,
    fields: Collection[str],
    rev: int,
) -> LayerRows | None:
    """The current rows of ``layer`` that any of ``reaches`` counts, in order of uid; None: there are none.

    Parameters
    ----------
    places : Places
        Empty ones have nothing near.
    law_date : datetime.date
        What filters compare with.
    fields : collection of str
        The attributes that the rows are to have, beside those that filters ask for.
    rev : int
        The newest revision.
    """
    farthest = np.max([reach.metres for reach in reaches], axis=0)
    filled = np.flatnonzero(~shapely.is_empty(places.geoms) & (farthest >= 0))
    if not len(filled):
        return None
    # The nearest first: whom it counts need not be looked at again.
    reaches = sorted(reaches, key=lambda reach: float(reach.metres.max()))
    asked = {name for reach in reaches for where in reach.filters for name in where} | set(fields)
    near = []
    ready: Future[None] | None = None
    for where in _candidates(definition, layer, places.geoms[filled], farthest[filled], reaches):
        with ThreadPoolExecutor(1, "places") as pool:  # while the server looks
            ready = ready or pool.submit(places.get_ready)
            rows = read_where(conn, definition, layer, where, asked, rev)
        ready.result()
        lying, attributes = _lying(rows, definition), Attributes(rows.attributes, len(rows.uids))
        counted = np.zeros(len(rows.uids), dtype=bool)
        for reach in reaches:
            may = ~np.all([evaluate(each, attributes, law_date).no for each in reach.filters], axis=0)
            some = np.flatnonzero(may & ~counted)
            counted[some] = _close(lying, some, places, reach.metres)
        near.append(rows.take(np.flatnonzero(counted)))
    return near[0].and_also(*near[1:]).by_uid()


def _candidates(
    definition: MapDefinition,
    layer: Layer,
    places: NDArray[np.object_],
    metres: NDArray[np.float64],
    reaches: Sequence[Reach],
) -> Iterator[ColumnElement[bool]]:
    """Conditions of the rows whose boxes are within reach of those of places; a row may meet several."""
    t = tables.table_for(layer, definition.district.storage_crs)
    district = definition.district
    plane = transformation(district.storage_crs, district.measuring_crs, district.extent)
    metres = metres + tables.COARSE_M + plane.accuracy_m
    dx, dy = padding(definition)
    coarse = t.c.accuracy_m > tables.COARSE_M
    around = func.ST_Expand(t.c.geom, t.c.accuracy_m * dx, t.c.accuracy_m * dy)
    may = or_(*(_may_hold(where, t) for reach in reaches for where in reach.filters))
    fine = or_(t.c.accuracy_m.is_(None), ~coarse)
    lines = shapely.get_dimensions(places) == 1
    for found in (
        boxes(definition, places[~lines], metres[~lines]),
        _boxes_along(definition, places[lines], metres[lines]),
    ):
        if len(found):
            yield and_(alive(t, None), fine, may, _meets_any(t.c.geom, found, definition))
            yield and_(alive(t, None), coarse, may, _meets_any(around, found, definition))


def _meets_any(
    shape: ColumnElement[Any], found: NDArray[np.float64], definition: MapDefinition
) -> ColumnElement[bool]:
    """Whether ``shape`` meets any of the boxes: the index is searched for each, and no row fetched twice."""
    every = func.array(select(_boxes(found, definition).c.box).scalar_subquery())
    met: ColumnElement[bool] = shape.op("&&")(any_(every))
    return met


def _may_hold(where: Where, t: Table) -> ColumnElement[bool]:
    """A condition that no row fails for which the filter may hold: most others need not be read."""
    asked: list[ColumnElement[bool]] = [true()]
    for name, condition in where.items():
        values = condition if isinstance(condition, tuple) else (condition,)
        column = t.c.get(name)
        kind = {Boolean: bool, Text: str}.get(type(column.type)) if column is not None else None
        if column is not None and kind is not None and all(isinstance(value, kind) for value in values):
            asked.append(or_(column.is_(None), column == any_(literal(list(values), ARRAY(column.type)))))
    return and_(*asked)


def _boxes_along(
    definition: MapDefinition, places: NDArray[np.object_], metres: NDArray[np.float64]
) -> NDArray[np.float64]:
    """As `boxes`, but many along each line: the one around the rim of a coverage would hold the district."""
    found = [np.empty((0, 4))]
    for place, reach in zip(places, metres, strict=True):
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


def _lying(rows: LayerRows, definition: MapDefinition) -> _Lying:
    district = definition.district
    plane = transformation(district.storage_crs, district.measuring_crs, district.extent)
    error = np.nan_to_num(rows.accuracy_m, nan=plane.accuracy_m)
    return _Lying(rows.geoms, np.asarray(shapely.bounds(rows.geoms)).reshape(-1, 4), error)


def _close(
    lying: _Lying, rows: NDArray[np.int64], places: Places, metres: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which of ``rows`` are within reach of any place, given their own errors."""
    (west, south, east, north), own = lying.bounds[rows].T, lying.error_m[rows]
    close = np.zeros(len(rows), dtype=bool)
    boxes_of = np.asarray(shapely.bounds(places.geoms)).reshape(-1, 4)
    for place in np.flatnonzero((metres >= 0) & np.isfinite(boxes_of[:, 0])).tolist():
        x0, y0, x1, y1 = boxes_of[place]
        far = own + metres[place] + SLACK_M
        boxed = (west <= x1 + far) & (east >= x0 - far) & (south <= y1 + far) & (north >= y0 - far)
        near = np.flatnonzero(boxed & ~close)
        if len(near):
            close[near] = places.near(place, lying.geoms[rows[near]], metres[place] + own[near])
    return close
