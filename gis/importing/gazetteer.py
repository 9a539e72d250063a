"""Names of counties and townships, where they are, and how far from there a thing of that name may be."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from gis import tables
from gis.crs import Transformation, transformation
from gis.settings import MapDefinition
from layers.headings import fold
from layers.model import Layer

__all__ = ["Gazetteer", "Spot", "load_gazetteer", "reach"]

_MOST_PLACES = 50_000  # of one layer; more are no counties or townships
_KINDS = ("街道办事处", "办事处", "街道", "镇", "乡")
_COUNTY_KINDS = ("自治县", "县", "市", "区", "旗")


@dataclass(frozen=True)
class Spot:
    """Where things of one name are put: ``point`` in the storage CRS, none of them farther than ``bound_m``.

    A township that is known by name only has neither.
    """

    name: str
    county: str | None
    point: shapely.Point | None = None
    bound_m: float = math.inf


@dataclass
class Gazetteer:
    """Townships and counties by folded name; ``aliases``: folded name -> the name it stands for."""

    townships: dict[str, list[Spot]] = field(default_factory=dict)
    counties: dict[str, Spot] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def county(self, text: str | None) -> Spot | None:
        """The county that ``text`` is the name of, in full or without 市, 区, 县; or the only one in it."""
        key = fold(text or "")
        key = fold(self.aliases.get(key, key))
        found = self.counties.get(key) or _only(self.counties, key, _COUNTY_KINDS)
        if found is None:
            named = self.counties_in(text)
            found = named[0] if len(named) == 1 else None
        return found

    def township(self, text: str | None) -> list[Spot]:
        """The townships, one a county, that ``text`` is the name of; aliases and short names count."""
        key = fold(text or "")
        if not key:
            return []
        key = fold(self.aliases.get(key, key))
        found = self.townships.get(key) or _stem(self.townships, key, _KINDS)
        return found or self.townships_in(text)

    def counties_in(self, text: str | None) -> list[Spot]:
        """The counties whose full name stands in ``text``, in the order of the text."""
        return [self.counties[name] for name in _named(text, self._county_names)]

    def townships_in(self, text: str | None) -> list[Spot]:
        """The townships of the one name that stands in full in ``text``; none when several names do."""
        names = _named(text, self._township_names)
        if len(names) != 1:
            return []
        return self.townships.get(fold(self.aliases.get(names[0], names[0])), [])

    @cached_property
    def _county_names(self) -> re.Pattern[str]:
        return _any_of(self.counties)

    @cached_property
    def _township_names(self) -> re.Pattern[str]:
        return _any_of([*self.townships, *self.aliases])


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    """Any of the names of three characters and more; of two that begin alike the longer."""
    known = sorted((n for n in names if len(n) >= 3), key=lambda n: (-len(n), n))
    return re.compile("|".join(map(re.escape, known)) or r"(?!)")


def _named(text: str | None, names: re.Pattern[str]) -> list[str]:
    """The names that stand in ``text``, each once, none overlapping an earlier one."""
    return list(dict.fromkeys(names.findall(fold(text or ""))))


def _stem(names: Mapping[str, list[Spot]], key: str, kinds: Iterable[str]) -> list[Spot]:
    """What ``key`` means without its kind (孝顺镇, 东孝街道办事处), by at least two characters."""
    stem = _without(key, kinds)
    return [
        s for name, spots in names.items() if len(stem) >= 2 and _without(name, kinds) == stem for s in spots
    ]


def _only(names: Mapping[str, Spot], key: str, kinds: Iterable[str]) -> Spot | None:
    stem = _without(key, kinds)
    found = [s for name, s in names.items() if len(stem) >= 2 and _without(name, kinds) == stem]
    return found[0] if len(found) == 1 else None


def _without(name: str, kinds: Iterable[str]) -> str:
    for kind in kinds:
        if name.endswith(kind) and len(name) > len(kind) + 1:
            return name.removesuffix(kind)
    return name


def reach(
    shapes: NDArray[np.object_], points: NDArray[np.object_], to_plane: Transformation
) -> NDArray[np.float64]:
    """Metres from each point to the farthest vertex of its shape, in the plane of ``to_plane``.

    No part of a polygon is farther from a point than its farthest vertex. Shapes and points are (n,) arrays
    in the storage CRS; none may be empty.
    """
    flat, middles = to_plane.geometries(shapes), to_plane.geometries(points)
    vertices, owner = shapely.get_coordinates(flat, return_index=True)
    away = np.hypot(*(vertices - shapely.get_coordinates(middles)[owner]).T)
    out = np.zeros(len(shapes))
    np.maximum.at(out, owner, away)
    return out


def load_gazetteer(conn: Connection, definition: MapDefinition) -> Gazetteer:
    """The places that the store holds now.

    Polygons and seats come from the context layers whose label is the name of a county or township; further
    names of townships, without a place, from the registers of administrative codes. A polygon's bound is the
    farthest vertex from its inner point plus its own position error; one of unknown error gives no bound and
    is left out. A seat's is the district's stated ``township_bound_m``, plus its own error where it is known;
    a county's seat gives none.
    """
    found = Gazetteer(
        aliases={fold(alias.name): alias.stands_for for alias in definition.district.places.aliases}
    )
    for layer in definition.layers.values():
        label, county = layer.names.label, layer.names.county
        if layer.role == "context" and layer.has_geometry and label == county:
            for spot in _spots(conn, definition, layer, None):
                found.counties.setdefault(fold(spot.name), spot)
        elif layer.role == "context" and layer.has_geometry and label == layer.names.township:
            for spot in _spots(conn, definition, layer, definition.district.places.township_bound_m):
                _add(found.townships, spot)
    for spot in _registered(conn, definition):
        if fold(spot.name) not in found.counties:
            _add(found.townships, spot)
    return found


def _add(townships: dict[str, list[Spot]], spot: Spot) -> None:
    """One spot a name and county: the one with the smaller bound."""
    held = townships.setdefault(fold(spot.name), [])
    for i, other in enumerate(held):
        if other.county == spot.county:
            held[i] = min(other, spot, key=lambda s: s.bound_m)
            return
    held.append(spot)


def _spots(conn: Connection, definition: MapDefinition, layer: Layer, seat_bound: float | None) -> list[Spot]:
    table = tables.table_for(layer, definition.district.storage_crs)
    names = layer.names
    columns: list[Any] = [table.c[names.label], func.ST_AsBinary(table.c.geom), table.c.accuracy_m]
    columns += [table.c[names.county]] if names.county not in (None, names.label) else []
    current = select(*columns).where(table.c.rev_to.is_(None), table.c.geom.isnot(None))
    rows = [row for row in conn.execute(current.order_by(table.c.uid).limit(_MOST_PLACES)) if row[0]]
    if not rows:
        return []
    shapes = shapely.from_wkb(np.array([bytes(row[1]) for row in rows], dtype=object))
    points = shapely.point_on_surface(shapes)
    district = definition.district
    to_plane = transformation(district.storage_crs, district.measuring_crs, district.extent)
    bounds = reach(shapes, points, to_plane)
    spots = []
    for row, shape, point, away in zip(rows, shapes, points, bounds.tolist(), strict=True):
        bound = _bound(shape, away, row[2], seat_bound)
        if bound is not None:
            spots.append(Spot(row[0], row[3] if len(row) > 3 else None, point, bound))
    return spots


def _bound(
    shape: shapely.Geometry, away: float, error: float | None, seat_bound: float | None
) -> float | None:
    """The bound in whole metres, rounded up; None when there is none."""
    if shapely.get_dimensions(shape) == 0:
        return math.ceil(seat_bound + (error or 0.0)) if seat_bound is not None else None
    return math.ceil(away + error) if error is not None else None


def _registered(conn: Connection, definition: MapDefinition) -> list[Spot]:
    """Townships that a register of administrative codes names, each with its county, without a place."""
    spots = []
    for layer in definition.layers.values():
        names = layer.names
        coded = any(f.format == "adcode" for f in layer.fields)
        if layer.role != "register" or names.county is None or not coded:
            continue
        table = tables.table_for(layer, definition.district.storage_crs)
        rows = select(table.c[names.label], table.c[names.county]).where(table.c.rev_to.is_(None))
        for name, county in conn.execute(rows.order_by(table.c.uid).limit(_MOST_PLACES)):
            if name and county and name != county:
                spots.append(Spot(name, county))
    return spots
