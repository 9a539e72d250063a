"""The parts of a site that conflict, are in doubt, or are clear."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely.geometry.base import BaseGeometry

from gis.errors import KernelInputError
from gis.kernel.arrays import TOUCH_M, Floats, Geometries, accuracies, geometries
from gis.kernel.reach import Reach, reach_near
from gis.kernel.measures import size
from gis.kernel.points import classify_points
from gis.kernel.verdicts import CLEAR, CONFLICT, EDGE, UNKNOWN
from gis.kernel.zones import ZoneSet

__all__ = ["Parts", "combine", "split", "uncovered"]


@dataclass(frozen=True, eq=False)
class Parts:
    """A site divided by verdict: four geometries that do not overlap and make up the site.

    Attributes
    ----------
    conflict, unknown, edge, clear : shapely geometry
        Metres in the measuring plane; empty where there is none. All have the site's dimension.
    sizes : float64[4]
        Their sizes in the order conflict, unknown, edge, clear: m2 of a polygon, m of a line, number of points. They
        are measured near the origin, where coordinates are finest, so take shares from here.
    on_boundary : bool
        The site merely touches the limit, though no part of it need lie within: the verdict is edge at least.
    """

    conflict: BaseGeometry
    unknown: BaseGeometry
    edge: BaseGeometry
    clear: BaseGeometry
    sizes: Floats
    on_boundary: bool = False

    @property
    def verdict(self) -> int:
        """The worst verdict of any part: a code of :mod:`gis.kernel.verdicts`."""
        codes = (CONFLICT, UNKNOWN, EDGE)
        present = [code for code, size_ in zip(codes, self.sizes, strict=False) if size_ > 0]
        return max([*present, EDGE if self.on_boundary else CLEAR])


def split(
    subject: BaseGeometry,
    subject_accuracy_m: float | None,
    zones: ZoneSet,
    distance_m: float = 0.0,
    *,
    outside: bool = False,
    check: bool = True,
) -> Parts:
    """The parts of ``subject`` by where it is relative to ``zones`` grown by ``distance_m``.

    A place is in conflict when it is inside by more than the combined error (accuracy of the subject plus that of
    the zone whose boundary decides), clear when it is outside by more, edge between. Places in doubt only because an
    accuracy is not known are unknown. The measure is the distance to the union of the zones: seams do not count.
    Each part is found by overlay, in coordinates shifted to the site.

    Rounded limits (at corners, and all around for ``distance_m`` > 0) are drawn with arcs of at most
    :data:`gis.kernel.reach.ARC_ERROR_M` error, always so that edge gains and neither conflict nor clear does.

    Parameters
    ----------
    subject : polygon, line or point, or a multiple of one kind
        The site in metres of the plane of ``zones``. Empty gives four empty parts.
    subject_accuracy_m : float or None
        Bound of its position error in metres; NaN or None = unknown: all is unknown when there is any zone.
    zones : ZoneSet
    distance_m : float
        Not negative; "within 500 m" is 500.
    outside : bool
        True when being *outside* the zones is the conflict: conflict and clear change places.
    check : bool
        False skips the validity test of ``subject``.

    Raises
    ------
    KernelInputError
        For an invalid subject, one of mixed kinds, a negative accuracy or distance.
    """
    site = geometries(subject, "subject", check=check)[0]
    dimension = _one_dimension(site)
    error = float(accuracies(subject_accuracy_m, 1, "subject_accuracy_m")[0])
    grow = float(accuracies(distance_m, 1, "distance_m")[0])
    if dimension == 0 and not site.is_empty:
        parts = _split_points(site, error, zones, grow)
    else:
        parts = _split_extended(site, error, zones, grow)
    return _exchanged(parts) if outside else parts


def _one_dimension(site: BaseGeometry) -> int:
    dimensions = set(shapely.get_dimensions(shapely.get_parts(site)).tolist()) - {-1}
    if len(dimensions) > 1:
        raise KernelInputError(
            "The site mixes points, lines and polygons.",
            "地块混合了点、线、面。",
            remedy_en="Screen each kind on its own.",
            remedy_zh="请按几何类型分别筛查。",
        )
    return dimensions.pop() if dimensions else -1


def _exchanged(parts: Parts) -> Parts:
    return replace(parts, conflict=parts.clear, clear=parts.conflict, sizes=parts.sizes[[3, 1, 2, 0]])


def _split_points(site: BaseGeometry, error: float, zones: ZoneSet, grow: float) -> Parts:
    xy = shapely.get_coordinates(site)
    found = classify_points(xy, error, zones, grow)
    groups = [xy[found.verdict == code] for code in (CONFLICT, UNKNOWN, EDGE, CLEAR)]
    sizes = np.array([len(g) for g in groups], dtype=np.float64)
    geoms = [shapely.multipoints(g) if len(g) != 1 else shapely.points(g[0]) for g in groups]
    return Parts(*geoms, sizes=sizes, on_boundary=bool(found.on_boundary.any()))


def _split_extended(site: BaseGeometry, error: float, zones: ZoneSet, grow: float) -> Parts:
    origin = _origin(site)
    local = _shifted(site, -origin)
    if site.is_empty or shapely.is_empty(zones.geoms).all():
        return _parts(origin, [_none(local), _none(local), _none(local), local])
    if np.isnan(error):
        return _parts(origin, [_none(local), local, _none(local), _none(local)])
    known = ~np.isnan(zones.accuracy_m) | shapely.is_empty(zones.geoms)
    reach = reach_near(site, error, zones if known.all() else zones.take(known), grow, origin)
    pieces = _divide(local, reach)
    if not known.all():
        rest = shapely.difference(local, pieces[0])
        return _parts(origin, [pieces[0], _kept(rest, local), _none(local), _none(local)])
    touched = _thin(pieces[0], local)
    if touched:
        pieces = [_none(local), _kept(shapely.union_all([pieces[0], pieces[1]]), local), pieces[2]]
    conflict, edge, clear = pieces
    return _parts(origin, [conflict, _none(local), edge, clear], on_boundary=touched or reach.touches)


def _divide(site: BaseGeometry, reach: Reach) -> list[BaseGeometry]:
    """Conflict, edge and clear part of a site, all in local coordinates."""
    near = _kept(shapely.intersection(site, reach.outer), site)
    clear = _kept(shapely.difference(site, reach.outer), site)
    conflict = _kept(shapely.intersection(near, reach.inner), site)
    edge = _kept(shapely.difference(near, reach.inner), site)
    if shapely.get_dimensions(site) == 1:
        # A line along the limit itself touches: it is neither inside nor outside.
        rim = shapely.boundary(reach.inner)
        along = _kept(shapely.intersection(conflict, rim), site)
        if not along.is_empty:
            conflict = _kept(shapely.difference(conflict, rim), site)
            edge = _kept(shapely.union_all([edge, along]), site)
    return [conflict, edge, clear]


def _thin(conflict: BaseGeometry, site: BaseGeometry) -> bool:
    """Whether a conflict is nothing but rounding along a shared boundary: nowhere a micrometre deep."""
    return 0 < size([conflict])[0] <= TOUCH_M * (shapely.length(conflict) if _area_like(site) else 1.0)


def _area_like(geom: BaseGeometry) -> bool:
    return bool(shapely.get_dimensions(geom) == 2)


def _kept(geom: BaseGeometry, like: BaseGeometry) -> BaseGeometry:
    """The parts of ``geom`` of the dimension of ``like``; an overlay also returns points and lines of contact."""
    dimension = shapely.get_dimensions(like)
    if geom.is_empty:
        return _none(like)
    parts = shapely.get_parts(geom)
    chosen = parts[(shapely.get_dimensions(parts) == dimension) & ~shapely.is_empty(parts)]
    if len(chosen) == len(parts):
        return geom
    return shapely.multipolygons(chosen) if dimension == 2 else shapely.multilinestrings(chosen)


def _none(like: BaseGeometry) -> BaseGeometry:
    return shapely.from_wkt("POLYGON EMPTY" if _area_like(like) else "LINESTRING EMPTY")


def _origin(geom: BaseGeometry) -> Floats:
    """A point of whole metres near the geometry: shifting by it loses no digit."""
    if geom.is_empty:
        return np.zeros(2)
    x0, y0, x1, y1 = geom.bounds
    return np.floor(np.array([(x0 + x1) / 2, (y0 + y1) / 2]))


def _shifted(geom: Any, by: Floats) -> Any:
    return shapely.transform(geom, lambda xy: xy + by)


def _parts(origin: Floats, pieces: list[BaseGeometry], *, on_boundary: bool = False) -> Parts:
    return Parts(*(_shifted(p, origin) for p in pieces), sizes=size(pieces), on_boundary=on_boundary)


def combine(site: BaseGeometry, parts: Iterable[Parts]) -> Parts:
    """Each place of ``site`` with the worst verdict that any of ``parts`` gives it: conflict > unknown > edge > clear.

    Parameters
    ----------
    site : polygon, line or point, or a multiple of one kind
        Metres in the measuring plane.
    parts : iterable of Parts
        Parts of the same site, one for each rule or theme; none gives a site that is clear.

    Returns
    -------
    Parts
        Four parts of the site, each found by overlay; ``on_boundary`` when any of ``parts`` is.
    """
    given = list(parts)
    origin = _origin(site)
    local = _shifted(site, -origin)
    if shapely.get_dimensions(site) == 0:
        return _combine_points(site, given)
    taken = _none(local)
    pieces: list[BaseGeometry] = []
    for name in ("conflict", "unknown", "edge"):
        layer = shapely.union_all([_shifted(getattr(p, name), -origin) for p in given])
        mine = shapely.intersection(local, layer) if not layer.is_empty else _none(local)
        pieces.append(_kept(shapely.difference(mine, taken), local))
        taken = shapely.union_all([taken, layer])
    pieces.append(_kept(shapely.difference(local, taken), local))
    return _parts(origin, pieces, on_boundary=any(p.on_boundary for p in given))


def _combine_points(site: BaseGeometry, given: list[Parts]) -> Parts:
    xy = shapely.get_coordinates(site)
    codes = np.zeros(len(xy), dtype=np.int8)
    for part in given:
        for name, code in (("conflict", CONFLICT), ("unknown", UNKNOWN), ("edge", EDGE)):
            listed = shapely.get_coordinates(getattr(part, name))
            here = (xy[:, None] == listed[None]).all(axis=2).any(axis=1)
            codes[here] = np.maximum(codes[here], code)
    groups = [xy[codes == code] for code in (CONFLICT, UNKNOWN, EDGE, CLEAR)]
    geoms = [shapely.multipoints(g) if len(g) != 1 else shapely.points(g[0]) for g in groups]
    sizes = np.array([len(g) for g in groups], dtype=np.float64)
    return Parts(*geoms, sizes=sizes, on_boundary=any(p.on_boundary for p in given))


def uncovered(site: BaseGeometry, coverage: BaseGeometry | None) -> Parts:
    """The part of ``site`` outside a layer's coverage as unknown, the rest clear; combine it with the rule's parts.

    ``coverage`` is a polygon in the measuring plane; None means that the layer covers everything.
    """
    origin = _origin(site)
    local = _shifted(site, -origin)
    if coverage is None or site.is_empty:
        return combine(site, [])
    if shapely.get_dimensions(site) == 0:
        return _uncovered_points(site, coverage)
    area = _shifted(coverage, -origin)
    missing = _kept(shapely.difference(local, area), local)
    covered = _kept(shapely.intersection(local, area), local)
    return _parts(origin, [_none(local), missing, _none(local), covered])


def _uncovered_points(site: BaseGeometry, coverage: BaseGeometry) -> Parts:
    points = shapely.get_parts(site)
    held = shapely.intersects(points, coverage)
    empty = shapely.from_wkt("POINT EMPTY")
    groups = [empty, shapely.multipoints(points[~held]), empty, shapely.multipoints(points[held])]
    sizes = np.array([0.0, np.count_nonzero(~held), 0.0, np.count_nonzero(held)])
    return Parts(*groups, sizes=sizes)
