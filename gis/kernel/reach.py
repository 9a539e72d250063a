"""The limits of a zone set near a site, as polygons: surely within, and possibly within."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel.arrays import TOUCH_M, Floats, Geometries, Indices
from gis.kernel.boundary import Boundary, outlines
from gis.kernel.zones import ZoneSet

__all__ = ["ARC_ERROR_M", "Reach", "arc_error_m", "quad_segs", "reach_near"]

ARC_ERROR_M = 0.01
"""Metres. Arcs are drawn with so many corners that they are off the true circle by no more than this ..."""

MOST_QUAD_SEGS = 256
"""... except for radii above 2,100 m, where this many corners a quarter circle leave 0.00047 % of the radius."""


@dataclass(frozen=True, eq=False)
class Reach:
    """Limits near one site, in coordinates shifted by its origin.

    Attributes
    ----------
    inner : polygon
        Where a place is surely within the distance of a zone.
    outer : polygon
        Where a place may be within it; beyond, it surely is not.
    touches : bool
        The site's nearest point is on the limit itself, within a micrometre, and not inside.
    """

    inner: BaseGeometry
    outer: BaseGeometry
    touches: bool


def quad_segs(radius_m: float) -> int:
    """Corners of a quarter circle that keep an arc within ARC_ERROR_M of the true one (8 to 256)."""
    if radius_m <= ARC_ERROR_M:
        return 8
    half_angle = np.arccos(1.0 - ARC_ERROR_M / radius_m)
    return int(np.clip(np.ceil(np.pi / (4.0 * half_angle)), 8, MOST_QUAD_SEGS))


def arc_error_m(radius_m: float) -> float:
    """How far a drawn arc of that radius is at most from the true one, in metres."""
    return float(radius_m * (1.0 / np.cos(np.pi / (4.0 * quad_segs(radius_m))) - 1.0))


def _grown(geoms: Geometries, radius_m: float, *, over: bool) -> BaseGeometry:
    """The union grown by a radius; ``over`` draws arcs outside the true circle, otherwise inside it."""
    corners = quad_segs(radius_m)
    drawn = radius_m / np.cos(np.pi / (4.0 * corners)) if over else radius_m
    base = shapely.union_all(geoms)
    return base if radius_m <= 0 else shapely.buffer(base, drawn, quad_segs=corners)


def reach_near(site: BaseGeometry, error: float, zones: ZoneSet, grow: float, origin: Floats) -> Reach:
    """Limits of ``zones`` grown by ``grow`` that matter to ``site``.

    Parameters
    ----------
    site : geometry
        In the plane of ``zones``, not shifted.
    error : float
        The site's own accuracy in metres, known.
    zones : ZoneSet
        All of known accuracy (empty ones aside).
    grow : float
        Distance of the rule in metres.
    origin : float64[2]
        Whole metres subtracted from the limits' coordinates.
    """
    total = error + zones.accuracy_m
    candidates, gap = _zones_near(site, zones, grow + total)
    total = total[candidates]
    frame = _frame(site, float((grow + total).max(initial=0.0)) + 1.0)
    local = [_window(zones, int(z), frame, origin) for z in candidates]
    touches = bool((np.abs(gap - grow) <= TOUCH_M).any()) and not bool((gap < grow - TOUCH_M).any())
    return Reach(
        _inner(zones, candidates, local, total, grow, frame, origin), _outer(local, total, grow), touches
    )


def _zones_near(site: BaseGeometry, zones: ZoneSet, limit: Floats) -> tuple[Indices, Floats]:
    """Zones no further from the site than their limit, with their distance."""
    widest = float(np.nanmax(limit, initial=0.0)) + TOUCH_M
    piece = zones.tree.query(site, predicate="dwithin", distance=widest)
    owner = zones.pieces.owner[piece]
    gap = np.full(len(zones), np.inf)
    np.minimum.at(gap, owner, shapely.distance(site, zones.pieces.geoms[piece]))
    near = np.flatnonzero(gap <= limit + TOUCH_M)
    return near, gap[near]


def _frame(site: BaseGeometry, margin: float) -> BaseGeometry:
    x0, y0, x1, y1 = site.bounds
    return shapely.box(x0 - margin, y0 - margin, x1 + margin, y1 + margin)


def _window(zones: ZoneSet, zone: int, frame: BaseGeometry, origin: Floats) -> Geometries:
    """The pieces of a zone within the frame, shifted."""
    pieces = zones.pieces.geoms[zones.piece_start[zone] : zones.piece_start[zone + 1]]
    return _shift(pieces[shapely.intersects(frame, pieces)], origin)


def _shift(geoms: Geometries, origin: Floats) -> Geometries:
    return np.asarray(shapely.transform(geoms, lambda xy: xy - origin), dtype=object)


def _by_radius(local: list[Geometries], radius: Floats) -> list[tuple[float, Geometries]]:
    return [
        (float(r), np.concatenate([g for g, own in zip(local, radius, strict=True) if own == r]))
        for r in np.unique(radius)
    ]


def _outer(local: list[Geometries], total: Floats, grow: float) -> BaseGeometry:
    return shapely.union_all([_grown(g, r, over=True) for r, g in _by_radius(local, grow + total)])


def _inner(
    zones: ZoneSet,
    candidates: Indices,
    local: list[Geometries],
    total: Floats,
    grow: float,
    frame: BaseGeometry,
    origin: Floats,
) -> BaseGeometry:
    far = total <= grow
    grown = [
        _grown(g, r, over=False)
        for r, g in _by_radius([g for g, f in zip(local, far, strict=True) if f], grow - total[far])
    ]
    if far.all():
        return shapely.union_all(grown)
    kept = [_union_eroded(zones, candidates, local, total - grow, frame, origin)]
    if len(np.unique(total)) > 1:
        kept += [
            _eroded(local[i], outlines(zones.geoms[candidates[i : i + 1]])[0], total[i] - grow, frame, origin)
            for i in np.flatnonzero(~far)
        ]
    return shapely.union_all([*grown, *kept])


def _union_eroded(
    zones: ZoneSet,
    candidates: Indices,
    local: list[Geometries],
    depth: Floats,
    frame: BaseGeometry,
    origin: Floats,
) -> BaseGeometry:
    """The union of the zones without what is no deeper inside than the error of the boundary there."""
    boundary = Boundary.trace(shapely.clip_by_rect(zones.geoms[candidates], *frame.bounds))
    base = shapely.union_all(np.concatenate(local))
    margins = [
        _grown(_shift(boundary.lines[depth[boundary.owner] == d], origin), float(d), over=True)
        for d in np.unique(depth[depth > 0])
    ]
    return shapely.difference(base, shapely.union_all(margins))


def _eroded(
    local: Geometries, lines: Geometries, depth: float, frame: BaseGeometry, origin: Floats
) -> BaseGeometry:
    """One zone without what is no deeper inside than ``depth``."""
    near = _shift(lines[shapely.intersects(frame, lines)], origin)
    return shapely.difference(shapely.union_all(local), _grown(near, depth, over=True))
