"""The limits of a zone set near a site, as polygons: surely within, and possibly within."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel.arrays import TOUCH_M, Flags, Floats, Geometries, Indices
from gis.kernel.frame import Frame, polygons
from gis.kernel.line_parts import by_limits
from gis.kernel.slivers import is_sliver
from gis.kernel.verdicts import CONFLICT
from gis.kernel.zones import ZoneSet

__all__ = ["ARC_ERROR_M", "Reach", "arc_error_m", "quad_segs"]

ARC_ERROR_M = 0.001
"""Metres. Arcs are drawn with so many corners that they are off the true circle by no more than this ..."""

MOST_QUAD_SEGS = 256
"""... except for radii above 212 m, where so many corners a quarter circle leave 4.7 millionths of it."""


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
class Reach:
    """The zones that matter to one site, cut out around it and shifted to its origin.

    Attributes
    ----------
    zones : ZoneSet
        All zones, all of known accuracy.
    near : int64[k]
        Those that the site may be within the distance of.
    gap_m : float64[k]
        Their distance from the site.
    total_m : float64[k]
        Their accuracy plus the site's.
    bodies : object[k]
        The zones near the site, shifted.
    grow_m : float
        The rule's distance.
    site : geometry
        The site, not shifted.
    frame : Frame
        Where ``bodies`` and all limits are.
    """

    zones: ZoneSet
    near: Indices
    gap_m: Floats
    total_m: Floats
    bodies: Geometries
    grow_m: float
    site: BaseGeometry
    frame: Frame

    @classmethod
    def around(cls, site: BaseGeometry, error_m: float, zones: ZoneSet, grow_m: float) -> Reach:
        """What of ``zones`` (of known accuracy, empty ones aside) matters to ``site``; one plane, metres."""
        limit = grow_m + error_m + np.nan_to_num(zones.accuracy_m)
        near, gap = _zones_near(site, zones, limit)
        margin = float(limit[near].max(initial=0.0)) + 1.0
        window = np.array(site.bounds) + margin * np.array([-1, -1, 1, 1])
        pieces = [_pieces_in(zones, int(zone), shapely.box(*window)) for zone in near]
        boxes = np.concatenate([window[None], *(shapely.bounds(p).reshape(-1, 4) for p in pieces)])
        frame = Frame.around(boxes, stored=True)
        bodies = np.array([frame.together(frame.into(p)) for p in pieces], dtype=object)
        return cls(zones, near, gap, limit[near] - grow_m, bodies, grow_m, site, frame)

    def outer(self) -> BaseGeometry:
        """Where a place may be within the distance of a zone; beyond, it surely is not."""
        return self._grown_each(self.bodies, self.grow_m + self.total_m, over=True)

    def inner(self) -> BaseGeometry:
        """Where a place is surely within the distance of a zone: polygons only.

        Zones whose error is less than the distance are grown by the difference. The others must be entered
        deeper than their error: either into the union as a whole, at every part of its boundary, or into one
        zone.
        """
        area = self._is_area()
        far = (self.total_m < self.grow_m) | (area & (self.total_m == self.grow_m))
        grown = polygons(self._grown_each(self.bodies[far], self.grow_m - self.total_m[far], over=False))
        if far[area].all():
            return grown
        deep = [self._deep_in_union()]
        if len(np.unique(self.total_m)) > 1:
            deep += [self._deep_in_zone(int(i)) for i in np.flatnonzero(area & ~far)]
        return self.frame.together([grown, *deep])

    def is_touched(self) -> bool:
        """Whether the site comes up to the limit, within a micrometre, and no further."""
        if not len(self.gap_m) or abs(float(self.gap_m.min()) - self.grow_m) > TOUCH_M:
            return False
        if self.grow_m > 0:
            return True
        site, area = self.frame.into(self.site), self.frame.together(self.bodies[self._is_area()])
        if shapely.get_dimensions(site) == 1:
            _, verdicts = by_limits(site, area, area)
            return not (verdicts == CONFLICT).any()
        return bool(is_sliver(shapely.get_parts(self.frame.within(site, area))).all())

    def _is_area(self) -> Flags:
        return np.asarray(shapely.get_dimensions(self.bodies) == 2)

    def _deep_in_union(self) -> BaseGeometry:
        depth = np.full(len(self.zones), 0.0)
        depth[self.near] = self.total_m - self.grow_m
        lines, owner = self.zones.boundary_near(self.site, float(depth.max()) + TOUCH_M)
        rim = self._grown_each(self.frame.into(lines), depth[owner], over=True, skip_zero=True)
        return self.frame.without(self.frame.together(self.bodies[self._is_area()]), rim)

    def _deep_in_zone(self, i: int) -> BaseGeometry:
        depth = float(self.total_m[i]) - self.grow_m
        outline = self.zones.outline
        near = outline.tree.query(self.site, predicate="dwithin", distance=depth + TOUCH_M)
        own = self.frame.into(outline.lines[near[outline.owner[near] == self.near[i]]])
        return self.frame.without(self.bodies[i], _grown(shapely.union_all(own), depth, over=True))

    def _grown_each(
        self, geoms: Geometries, radius_m: Floats, *, over: bool, skip_zero: bool = False
    ) -> BaseGeometry:
        """The union of geometries grown by a radius each.

        ``over`` draws arcs outside the true circle, otherwise they are inside it. ``skip_zero`` leaves out
        what is not grown.
        """
        grown = [
            _grown(shapely.union_all(geoms[radius_m == radius]), max(float(radius), 0.0), over=over)
            for radius in np.unique(radius_m)
            if radius > 0 or not skip_zero
        ]
        return grown[0] if len(grown) == 1 else self.frame.together(grown)


def _zones_near(site: BaseGeometry, zones: ZoneSet, limit: Floats) -> tuple[Indices, Floats]:
    """Zones no further from the site than their limit, with their distance."""
    piece = zones.tree.query(site, predicate="dwithin", distance=float(limit.max(initial=0.0)) + TOUCH_M)
    gap = np.full(len(zones), np.inf)
    np.minimum.at(gap, zones.pieces.owner[piece], shapely.distance(site, zones.pieces.geoms[piece]))
    near = np.flatnonzero(gap <= limit + TOUCH_M)
    return near, gap[near]


def _pieces_in(zones: ZoneSet, zone: int, window: BaseGeometry) -> Geometries:
    pieces = zones.pieces.geoms[zones.piece_start[zone] : zones.piece_start[zone + 1]]
    return np.asarray(pieces[shapely.intersects(window, pieces)], dtype=object)


def _grown(geom: BaseGeometry, radius_m: float, *, over: bool) -> BaseGeometry:
    if radius_m == 0:
        return geom
    corners = quad_segs(radius_m)
    drawn = radius_m / np.cos(np.pi / (4.0 * corners)) if over else radius_m
    grown: BaseGeometry = shapely.buffer(geom, drawn, quad_segs=corners)
    return grown
