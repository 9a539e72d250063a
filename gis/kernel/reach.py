"""The limits of a zone set near a site, as polygons: surely within, and possibly within."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel.arrays import TOUCH_M, Flags, Floats, Geometries, Indices
from gis.kernel.boundary import SEAM_M
from gis.kernel.frame import Body, Cover, Frame, near
from gis.kernel.front import CLEARLY_M, DRAWN, front_of, is_held
from gis.kernel.line_parts import by_limits
from gis.kernel.slivers import is_sliver
from gis.kernel.verdicts import CONFLICT
from gis.kernel.zones import ZoneSet

__all__ = ["ARC_ERROR_M", "Reach", "arc_error_m", "quad_segs"]

ARC_ERROR_M = 0.01
"""Metres. Arcs are drawn with so many corners that they are off the true circle by no more than this ..."""

MOST_QUAD_SEGS = 256
"""... except for radii above 2,120 m, where so many corners a quarter circle leave 4.7 millionths of it."""

WIDE_M = 30.0
"""Metres. By more than this lines are grown one by one: the curve that GEOS draws around a rough line crosses
itself at every bend, and the wider it is the more other bends it crosses."""

AREAS = (3, 6)
"""The types of geometry that are polygons only."""


def quad_segs(radius_m: float) -> int:
    """Corners of a quarter circle that keep an arc within ARC_ERROR_M of the true one (8 to 256)."""
    if radius_m <= ARC_ERROR_M:
        return 8
    half_angle = np.arccos(1.0 - ARC_ERROR_M / radius_m)
    return int(np.clip(np.ceil(np.pi / (4.0 * half_angle)), 8, MOST_QUAD_SEGS))


def arc_error_m(radius_m: float) -> float:
    """How far a drawn arc of that radius is at most from the true one, in metres."""
    return float(radius_m * (1.0 / np.cos(np.pi / (4.0 * quad_segs(radius_m))) - 1.0))


@dataclass(frozen=True, eq=False)
class Grown:
    """All places within a radius of lines of a frame, drawn when that is asked for."""

    lines: Geometries
    radius_m: float
    over: bool

    @cached_property
    def area(self) -> BaseGeometry:
        """As a polygon; ``over`` draws arcs outside the true circle, otherwise they are inside it."""
        corners = quad_segs(self.radius_m)
        drawn = self.radius_m / np.cos(np.pi / (4.0 * corners)) if self.over else self.radius_m
        line = shapely.get_dimensions(self.lines) == 1
        merged = shapely.line_merge(shapely.MultiLineString(list(self.lines[line])))
        grown: BaseGeometry = shapely.buffer(
            shapely.GeometryCollection([merged, *self.lines[~line]]), drawn, quad_segs=corners
        )
        return grown

    def reaches(self, area: BaseGeometry) -> bool:
        """Whether it may share a place with another area; drawn or not."""
        return bool(shapely.dwithin(area, self.lines, self.radius_m + 2 * arc_error_m(self.radius_m)).any())


@dataclass(frozen=True, eq=False)
class Reach:
    """What of a zone set matters to one site, cut out around it.

    Attributes
    ----------
    zones : ZoneSet
        All zones, all of known accuracy.
    site : geometry
        The site in their plane.
    total_m : float64[n]
        The accuracy of each zone plus the site's.
    grow_m : float
        The rule's distance.
    rim : int64[k]
        Lines of ``zones.rim`` that the site may be within the distance of, given the zone's own accuracy.
    gap_m : float64[k]
        How far those are from the site.
    held : int64[j]
        Pieces of ``zones`` that meet the site's box.
    frame : Frame
        Where all limits are.
    """

    zones: ZoneSet
    site: BaseGeometry
    total_m: Floats
    grow_m: float
    rim: Indices
    gap_m: Floats
    held: Indices
    frame: Frame
    _drawn: dict[tuple[object, ...], tuple[Geometries, list[Grown]]] = field(default_factory=dict)
    _joined: dict[bytes, BaseGeometry] = field(default_factory=dict)

    @classmethod
    def around(cls, site: BaseGeometry, error_m: float, zones: ZoneSet, grow_m: float) -> Reach:
        """What of ``zones`` (of known accuracy, empty ones aside) matters to ``site``; one plane, metres."""
        total = error_m + zones.error_m
        farthest = grow_m + (error_m + zones.widest_m) + TOUCH_M
        rim = zones.rim.tree.query(site, predicate="dwithin", distance=farthest)
        # The coarsest zone widens the search for all; what is farther than its own limit has no say.
        own_limit = grow_m + total[zones.rim.owner[rim]] + TOUCH_M
        gap = shapely.distance(site, zones.rim.lines[rim])
        rim, gap = rim[gap <= own_limit], gap[gap <= own_limit]
        box = np.array(site.bounds)
        held = zones.tree.query(shapely.box(*box), predicate="intersects")
        boxes = [box[None], shapely.bounds(zones.rim.lines[rim]), shapely.bounds(zones.pieces.geoms[held])]
        frame = Frame.around(np.concatenate(boxes), stored=True)
        return cls(zones, site, total, grow_m, rim, gap, held, frame)

    def is_empty(self) -> bool:
        """Whether no zone comes near the site."""
        return not len(self.rim) and not self._holds(np.ones(len(self.zones), dtype=bool)).any()

    def is_deep_inside(self) -> bool:
        """Whether each part of the site surely lies within the distance of a zone that holds it.

        That is so in a zone whose own outline is farther than its error takes it, less the distance; where
        other zones end does not matter then.
        """
        owner = self.zones.rim.owner[self.rim]
        depth = np.maximum(self.total_m[owner] - self.grow_m, 0.0) + TOUCH_M
        quiet = np.ones(len(self.zones), dtype=bool)
        quiet[owner[self.gap_m <= depth]] = False
        return bool(self._holds(quiet).all())

    def _holds(self, chosen: Flags) -> Flags:
        """Which parts of the site meet one of the chosen zones (bool[n]); bool[parts]."""
        pieces = self.held[chosen[self.zones.pieces.owner[self.held]]]
        met = shapely.intersects(shapely.get_parts(self.site)[:, None], self.zones.pieces.geoms[pieces][None])
        return np.asarray(met.any(axis=1))

    def holds_all(self) -> bool:
        """Whether the whole site is surely within the distance: then neither limit comes near it.

        A place that is near enough to one line is told by that alone; cells are looked at for a wide distance
        from zones of one accuracy. False tells nothing.
        """
        if self._all_within(self.grow_m - self.total_m):
            return True
        spare = np.unique(self.grow_m - self.total_m[self._owners])
        if len(spare) != 1 or not len(self.rim) or spare[0] <= WIDE_M:
            return False
        pieces = self.zones.pieces.geoms[self.held]
        bodies = pieces[shapely.get_dimensions(pieces) == 2]
        return is_held(self.site, bodies, self.zones.rim.lines[self.rim], float(spare[0]))

    def may_hold_all(self) -> bool:
        """Whether each place of the site may be within the distance of a zone; False tells nothing."""
        return self._all_within(self.grow_m + self.total_m)

    def _all_within(self, radius_m: Floats) -> bool:
        """Whether the circle around the site's box lies within the radius (float64[n]) around one line."""
        radius = radius_m[self.zones.rim.owner[self.rim]] * (1.0 - DRAWN) - CLEARLY_M
        return bool((self._farthest_m < radius).any())

    @cached_property
    def _farthest_m(self) -> Floats:
        """What no place of the site is farther from a line of the rim than; float64[k]."""
        x0, y0, x1, y1 = self.site.bounds
        middle = shapely.Point((x0 + x1) / 2, (y0 + y1) / 2)
        away = shapely.distance(middle, self.zones.rim.lines[self.rim])
        return np.asarray(away + math.hypot(x1 - x0, y1 - y0) / 2)

    @cached_property
    def _owners(self) -> Indices:
        """The zones that matter, some of them repeated."""
        return np.concatenate([self.zones.rim.owner[self.rim], self.zones.pieces.owner[self.held]])

    def is_even(self) -> bool:
        """Whether it is asked what lies in areas of one error: then that is a strip along their boundary.

        On one side of it a place surely is inside, on the other one outside.
        """
        if self.grow_m > 0 or not len(self.held):
            return False
        error = np.unique(self.total_m[self._owners])
        if len(error) > 1 or error[0] < 10 * SEAM_M:
            return False
        return bool(np.isin(shapely.get_type_id(self.zones.geoms[self._owners]), AREAS).all())

    def borders(self) -> Iterator[Cover]:
        """The strip of `is_even`: seams between the areas are no boundary."""
        return self._grown(self.zones.union.among(self.rim), self.total_m, over=True)

    def inside_and_outside(self, area: BaseGeometry) -> tuple[BaseGeometry, BaseGeometry]:
        """The polygons of an area of the frame beside that strip: one place of each tells where it is."""
        if area.is_empty:
            return area, area
        parts = shapely.get_parts(area)
        places = shapely.transform(shapely.point_on_surface(parts), lambda xy: xy + self.frame.origin)
        bodies = self.zones.pieces.geoms[self.held]
        inside = shapely.dwithin(places[:, None], bodies[None], SEAM_M).any(axis=1)
        if inside.all():
            return area, shapely.Polygon()
        if not inside.any():
            return shapely.Polygon(), area
        return shapely.MultiPolygon(list(parts[inside])), shapely.MultiPolygon(list(parts[~inside]))

    def outer(self) -> Iterator[Cover]:
        """Areas where a place of the site may be within the distance of a zone; beyond, it surely is not."""
        yield Body(self._bodies(np.ones(len(self.zones), dtype=bool)))
        yield from self._grown(self._rim_lines(), self.grow_m + self.total_m, over=True)

    def inner(self) -> Iterator[Cover]:
        """Areas where a place of the site is surely within the distance of a zone.

        Zones whose error is less than the distance are grown by the difference. The others must be entered
        deeper than their error: either into the union as a whole, at every part of its boundary, or into one
        zone.
        """
        spare = self.grow_m - self.total_m
        yield Body(self._bodies(spare >= 0))
        yield from self._grown(self._rim_lines(), np.where(spare > 0, spare, 0.0), over=False)
        if len(self.held) and (spare < 0).any():
            yield Body(self._deep_in_union(-spare))
            if len(np.unique(spare)) > 1:
                held = (int(zone) for zone in self._held_zones() if spare[zone] < 0)
                yield from (Body(self._deep_in_zone(zone, -spare)) for zone in held)

    def is_touched(self, conflict: BaseGeometry | None = None) -> bool:
        """Whether the site comes up to the limit, within a micrometre, and no further.

        ``conflict`` is the area of it that surely is within.
        """
        gap = 0.0
        if not shapely.intersects(self.site, self.zones.pieces.geoms[self.held]).any():
            gap = float(self.gap_m.min(initial=np.inf))
        if abs(gap - self.grow_m) > TOUCH_M or self.grow_m > 0:
            return abs(gap - self.grow_m) <= TOUCH_M
        if conflict is not None and 2.0 * conflict.area > TOUCH_M * conflict.length:
            return False
        site, area = self.frame.into(self.site), self._bodies(np.ones(len(self.zones), dtype=bool))
        if shapely.get_dimensions(site) == 1:
            _, verdicts = by_limits(site, area, area)
            return not (verdicts == CONFLICT).any()
        return bool(is_sliver(shapely.get_parts(self.frame.within(site, area))).all())

    def _held_zones(self) -> Indices:
        return np.unique(self.zones.pieces.owner[self.held])

    def _bodies(self, chosen: Flags) -> BaseGeometry:
        """The union of the polygons of the chosen zones (bool[n]), as far as they meet the site's box."""
        pieces = self.held[chosen[self.zones.pieces.owner[self.held]]]
        key = pieces.tobytes()
        if key not in self._joined:  # both limits, and every depth, start from the same few
            geoms = self.zones.pieces.geoms[pieces]
            area = geoms[shapely.get_dimensions(geoms) == 2]
            self._joined[key] = self.frame.together(near(self.frame.into(area), self.frame.into(self.site)))
        return self._joined[key]

    def _rim_lines(self) -> tuple[Geometries, Indices]:
        return self.zones.rim.lines[self.rim], self.zones.rim.owner[self.rim]

    def _deep_in_union(self, depth: Floats) -> BaseGeometry:
        line = self.zones.outline.tree.query(
            self.site, predicate="dwithin", distance=float(depth.max()) + TOUCH_M
        )
        doubtful = self._grown(self.zones.union.among(line), depth, over=True)
        return self.frame.rest(self._bodies(np.ones(len(self.zones), dtype=bool)), doubtful)

    def _deep_in_zone(self, zone: int, depth: Floats) -> BaseGeometry:
        lines, owner = self._rim_lines()
        doubtful = self._grown((lines[owner == zone], owner[owner == zone]), depth, over=True)
        return self.frame.rest(self._bodies(np.arange(len(self.zones)) == zone), doubtful)

    def _grown(self, lines: tuple[Geometries, Indices], radius_m: Floats, *, over: bool) -> Iterator[Grown]:
        """Lines grown by the radius of their zone (float64[n], 0 leaves them out), right on the site only."""
        geoms, owner = lines
        for radius in np.unique(radius_m[owner]):
            if radius > 0:
                chosen = geoms[radius_m[owner] == radius]
                # The outer limit and the depth that is asked of a zone are often the same lines grown alike.
                key = (float(radius), over, *map(id, chosen))
                if key not in self._drawn:
                    self._drawn[key] = chosen, self._grown_by(chosen, float(radius), over=over)
                yield from self._drawn[key][1]

    def _grown_by(self, lines: Geometries, radius_m: float, *, over: bool) -> list[Grown]:
        """Lines grown by one radius; several areas, which may overlap, those that hold most first."""
        front = self.frame.into(front_of(self.site, lines, radius_m))
        if radius_m <= WIDE_M:
            return [Grown(front, radius_m, over)]
        away = shapely.distance(front, self.frame.into(self.site).centroid)
        return [Grown(front[[place]], radius_m, over) for place in np.argsort(away, kind="stable").tolist()]
