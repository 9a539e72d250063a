"""The parts of a site that conflict, are in doubt, or are clear."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gis.kept import for_each
from gis.kernel.along import joined
from gis.kernel.arrays import Floats, accuracies, geometries
from gis.kernel.frame import Body, Frame
from gis.kernel.line_parts import by_coverage, by_limits, by_worst
from gis.kernel.measures import size, size_of
from gis.kernel.points import classify_points
from gis.kernel.reach import Reach
from gis.kernel.slivers import one_dimension, without_slivers
from gis.kernel.verdicts import CLEAR, CONFLICT, EDGE, UNKNOWN
from gis.kernel.zones import ZoneSet

__all__ = ["Parts", "combine", "reassigned", "split", "throughout", "uncovered"]

_CODES = (CONFLICT, UNKNOWN, EDGE, CLEAR)


@dataclass(frozen=True, eq=False)
class Parts:
    """A site divided by verdict: four geometries that do not overlap and make up the site.

    Attributes
    ----------
    conflict, unknown, edge, clear : shapely geometry
        Metres in the measuring plane; empty where there is none. All have the site's dimension.
    sizes : float64[4]
        Their sizes in the order conflict, unknown, edge, clear: m2 of a polygon, m of a line, number of
        points. They are measured near the origin, where coordinates are finest, so take shares from here.
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
    def geoms(self) -> tuple[BaseGeometry, BaseGeometry, BaseGeometry, BaseGeometry]:
        """The parts in the order of ``sizes``."""
        return self.conflict, self.unknown, self.edge, self.clear

    @cached_property
    def amounts(self) -> tuple[float, float, float, float]:
        """The ``sizes`` as plain numbers."""
        conflict, unknown, edge, clear = self.sizes.tolist()
        return conflict, unknown, edge, clear

    @property
    def verdict(self) -> int:
        """The worst verdict of any part: a code of :mod:`gis.kernel.verdicts`."""
        present = [code for code, amount in zip(_CODES, self.amounts, strict=True) if amount > 0]
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

    A place is in conflict when it is inside by more than the combined error (accuracy of the subject plus
    that of the zone whose boundary decides), clear when it is outside by more, edge between. Places in doubt
    only because an accuracy is not known are unknown. The measure is the distance to the union of the zones:
    seams do not count. Each part is found by overlay, in coordinates shifted to the site.

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

    Examples
    --------
    >>> zones = ZoneSet.prepare([shapely.box(0, 0, 10, 10)], 1.0)
    >>> split(shapely.box(5, 2, 15, 8), 0.0, zones).sizes
    array([24.,  0., 12., 24.])
    """
    site = geometries(subject, "subject", check=check)[0]
    error = float(accuracies(subject_accuracy_m, 1, "subject_accuracy_m")[0])
    grow = float(accuracies(distance_m, 1, "distance_m")[0])
    if one_dimension(site) == 0:
        parts = _split_points(shapely.get_coordinates(site), error, zones, grow)
    else:
        parts = _split_extended(site, error, zones, grow)
    return _exchanged(parts, CONFLICT, CLEAR) if outside else parts


def _exchanged(parts: Parts, one: int, other: int) -> Parts:
    """The parts with two verdicts in each other's place."""
    order = list(range(len(_CODES)))
    i, j = _CODES.index(one), _CODES.index(other)
    order[i], order[j] = j, i
    conflict, unknown, edge, clear = [parts.geoms[k] for k in order]
    return Parts(conflict, unknown, edge, clear, parts.sizes[order], parts.on_boundary)


def _split_points(xy: Floats, error: float, zones: ZoneSet, grow: float) -> Parts:
    found = classify_points(xy, error, zones, grow)
    return _points_by(xy, found.verdict, on_boundary=bool(found.on_boundary.any()))


def _split_extended(site: BaseGeometry, error: float, zones: ZoneSet, grow: float) -> Parts:
    # A zone that may be anywhere leaves sure only what other zones hold.
    doubt = UNKNOWN if zones.has_boundless else CLEAR
    if np.isnan(error) and not zones.is_blank:
        return _all_of(site, UNKNOWN)
    reach = Reach.around(site, error, zones.bounded, grow)
    if reach.is_empty():
        return _all_of(site, doubt)
    if reach.is_deep_inside():
        return _all_of(site, CONFLICT)
    divide = _divided_line if shapely.get_dimensions(site) == 1 else _divided_area
    return divide(reach, unsure=doubt == UNKNOWN)


def _divided_line(reach: Reach, *, unsure: bool) -> Parts:
    local = reach.frame.into(reach.site)
    outer, inner = (
        reach.frame.together([cover.area for cover in covers]) for covers in (reach.outer(), reach.inner())
    )
    pieces, verdicts = by_limits(local, outer, inner)
    if unsure:
        verdicts = np.where(verdicts == CONFLICT, CONFLICT, UNKNOWN).astype(np.int8)
    return _lines_by(reach.frame, pieces, verdicts, on_boundary=reach.is_touched())


def _divided_area(reach: Reach, *, unsure: bool) -> Parts:
    frame, local = reach.frame, reach.frame.into(reach.site)
    none: BaseGeometry = shapely.Polygon()
    if reach.holds_all():
        conflict, edge, clear = local, none, none
    elif reach.is_even():
        edge, settled = frame.divided(local, reach.borders())
        conflict, clear = reach.inside_and_outside(settled)
    else:
        near, clear = (local, none) if reach.may_hold_all() else frame.divided(local, reach.outer())
        conflict, edge = frame.divided(near, reach.inner())
    touched = reach.is_touched(conflict)
    areas = [conflict, none, edge, clear]
    if unsure:
        areas = [conflict, frame.without(local, conflict), none, none]
    for area, verdict in zip(areas, _CODES, strict=True):
        if area is local:
            return _all_of(reach.site, verdict, on_boundary=touched)
    return _polygons_by(frame, areas, on_boundary=touched)


def throughout(site: BaseGeometry, verdict: int) -> Parts:
    """The parts of a site that is of one verdict throughout; an empty one is clear.

    Parameters
    ----------
    site : polygon, line or point, or a multiple of one kind
        Metres in the measuring plane.
    verdict : int
        A code of :mod:`gis.kernel.verdicts`.

    Raises
    ------
    KernelInputError
        For a site of mixed kinds.
    """
    dimension = one_dimension(site)
    if dimension == 0:
        xy = shapely.get_coordinates(site)
        return _points_by(xy, np.full(len(xy), verdict, dtype=np.int8), on_boundary=False)
    return _all_of(site, verdict if dimension > 0 else CLEAR)


def _all_of(site: BaseGeometry, verdict: int, *, on_boundary: bool = False) -> Parts:
    none = _NO_AREA if shapely.get_dimensions(site) == 2 else _NO_LINE
    conflict, unknown, edge, clear = (site if code == verdict else none for code in _CODES)
    sizes = np.zeros(len(_CODES))
    sizes[_CODES.index(verdict)] = _amount(site)
    return Parts(conflict, unknown, edge, clear, sizes, on_boundary)


_NO_AREA, _NO_LINE = shapely.Polygon(), shapely.LineString()


@for_each(size=64)
def _amount(site: BaseGeometry) -> float:
    """The size of a site, measured near the origin; a site is asked about by many rules."""
    return size_of(Frame.around(shapely.bounds([site])).into(site))


def _points_by(xy: Floats, verdicts: NDArray[np.int8], *, on_boundary: bool) -> Parts:
    groups = [xy[verdicts == code] for code in _CODES]
    conflict, unknown, edge, clear = (
        shapely.Point(group[0]) if len(group) == 1 else shapely.MultiPoint(group) for group in groups
    )
    sizes = np.array([len(group) for group in groups], dtype=np.float64)
    return Parts(conflict, unknown, edge, clear, sizes, on_boundary)


def _lines_by(frame: Frame, pieces: Floats, verdicts: NDArray[np.int8], *, on_boundary: bool) -> Parts:
    placed = pieces + frame.origin
    long = (placed[:, 0] != placed[:, 1]).any(axis=1)
    groups = [joined(placed[long & (verdicts == code)]) for code in _CODES]
    conflict, unknown, edge, clear = (
        group[0] if len(group) == 1 else shapely.MultiLineString(list(group)) for group in groups
    )
    length = np.hypot(*(pieces[:, 1] - pieces[:, 0]).T)
    sizes = np.array([length[verdicts == code].sum() for code in _CODES])
    return Parts(conflict, unknown, edge, clear, sizes, on_boundary)


def _polygons_by(frame: Frame, areas: list[BaseGeometry], *, on_boundary: bool) -> Parts:
    tidy = without_slivers(areas)
    conflict, unknown, edge, clear = (frame.out(area) for area in tidy)
    return Parts(conflict, unknown, edge, clear, size(tidy), on_boundary)


def combine(site: BaseGeometry, parts: Iterable[Parts]) -> Parts:
    """The worst verdict of any of ``parts`` at each place of ``site``: conflict > unknown > edge > clear.

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

    Raises
    ------
    KernelInputError
        For a site of mixed kinds.
    """
    given = list(parts)
    on_boundary = any(part.on_boundary for part in given)
    dimension = one_dimension(site)
    if dimension == 0:
        return _combined_points(shapely.get_coordinates(site), given, on_boundary)
    given, floor = _that_matter(site, given) if dimension > 0 else ([], CLEAR)
    if not given:
        return _all_of(site, floor, on_boundary=on_boundary)
    if len(given) == 1 and _makes_up(site, given[0]):
        milder = _CODES[_CODES.index(floor) + 1 :]
        told = reassigned(site, given[0], milder, floor)
        return told if told.on_boundary == on_boundary else replace(told, on_boundary=on_boundary)
    frame = Frame.around(shapely.bounds([site]), stored=True)
    if dimension == 1:
        moved = [[frame.into(geom) for geom in part.geoms] for part in given]
        pieces, verdicts = by_worst(frame.into(site), moved)
        return _lines_by(frame, pieces, np.maximum(verdicts, floor).astype(np.int8), on_boundary=on_boundary)
    return _polygons_by(frame, _worst_areas(frame, site, given, floor), on_boundary=on_boundary)


def reassigned(site: BaseGeometry, parts: Parts, sources: Sequence[int], target: int) -> Parts:
    """The parts of ``site`` with some verdicts turned into another one, which keeps its own places.

    An area is what the other verdicts leave of the site, found by overlay: a plain union of neighbours may
    lose one of them to rounding.

    Parameters
    ----------
    site : polygon, line or point, or a multiple of one kind
        Metres in the measuring plane.
    parts : Parts
        They make up the site.
    sources : sequence of int
        Codes of :mod:`gis.kernel.verdicts`.
    target : int
        Another one.

    Raises
    ------
    KernelInputError
        For a site of mixed kinds.
    """
    amount = dict(zip(_CODES, parts.amounts, strict=True))
    held = [code for code in sources if code != target and amount[code] > 0]
    if not held:
        return parts
    if len(held) == 1 and not amount[target] > 0:
        return _exchanged(parts, held[0], target)
    others = [code for code in _CODES if amount[code] > 0 and code not in (*held, target)]
    if not others:
        told = throughout(site, target)
        return replace(told, on_boundary=True) if parts.on_boundary else told
    if one_dimension(site) < 2:
        return _collected(parts, held, target)
    frame = Frame.around(shapely.bounds([site]), stored=True)
    areas: list[BaseGeometry] = [shapely.Polygon()] * len(_CODES)
    for code in others:
        areas[_CODES.index(code)] = frame.into(parts.geoms[_CODES.index(code)])
    left = [Body(areas[_CODES.index(code)]) for code in others]
    areas[_CODES.index(target)] = frame.rest(frame.into(site), left)
    return _polygons_by(frame, areas, on_boundary=parts.on_boundary)


def _collected(parts: Parts, sources: Sequence[int], target: int) -> Parts:
    """The same for points and lines, which need no overlay to lie side by side."""
    places, place = [_CODES.index(code) for code in sources], _CODES.index(target)
    geoms: list[Any] = list(parts.geoms)
    pieces = shapely.get_parts([geoms[p] for p in (*places, place)])
    pieces = pieces[~shapely.is_empty(pieces)]
    point = bool(shapely.get_dimensions(pieces[0]) == 0)
    for p in places:
        geoms[p] = shapely.Point() if point else shapely.LineString()
    geoms[place] = shapely.multipoints(pieces) if point else shapely.multilinestrings(pieces)
    sizes = np.array(parts.sizes)
    sizes[place] += sizes[places].sum()
    sizes[places] = 0.0
    conflict, unknown, edge, clear = geoms
    return Parts(conflict, unknown, edge, clear, sizes, parts.on_boundary)


def _worst_areas(frame: Frame, site: BaseGeometry, given: list[Parts], floor: int) -> list[BaseGeometry]:
    """The areas of each verdict, in the frame; nothing is milder than ``floor``."""
    whole: BaseGeometry = frame.into(site)
    areas: list[BaseGeometry] = [shapely.Polygon()] * len(_CODES)
    left = whole
    for place in range(_CODES.index(floor)):
        here = [frame.into(part.geoms[place]) for part in given if part.amounts[place] > 0]
        if len(here) == 1 and left is whole:
            areas[place], left = here[0], frame.without(whole, here[0])
        else:
            areas[place], left = frame.divided(left, map(Body, here))
    areas[_CODES.index(floor)] = left
    return areas


def _that_matter(site: BaseGeometry, given: list[Parts]) -> tuple[list[Parts], int]:
    """The divisions without those that others outdo everywhere, and the mildest verdict that is left.

    A division may leave out what is clear, so whether one verdict holds everywhere is asked of its size.
    """
    distinct = list({tuple(map(id, part.geoms)): part for part in given}.values())
    left = [part for part in distinct if any(part.amounts[:3])]
    if not left:
        return [], CLEAR
    amount = _amount(site) * (1 - _WHOLE)
    for place, verdict in enumerate(_CODES[:3]):
        if any(part.amounts[place] >= amount for part in left):
            return [part for part in left if any(part.amounts[:place])], verdict
    return left, CLEAR


_WHOLE = 1e-12
"""A part that lacks less than this share of the site is the whole site."""


def _makes_up(site: BaseGeometry, part: Parts) -> bool:
    amount = _amount(site)
    return abs(sum(part.amounts) - amount) <= 1e-9 * amount


def _combined_points(xy: Floats, given: list[Parts], on_boundary: bool) -> Parts:
    verdicts = np.full(len(xy), CLEAR, dtype=np.int8)
    for part in given:
        for code, geom in zip(_CODES, part.geoms, strict=True):
            named = shapely.get_coordinates(geom)
            here = (xy[:, None] == named[None]).all(axis=2).any(axis=1)
            verdicts[here] = np.maximum(verdicts[here], code)
    return _points_by(xy, verdicts, on_boundary=on_boundary)


def uncovered(site: BaseGeometry, coverage: BaseGeometry | None) -> Parts:
    """The part of ``site`` outside a layer's coverage as unknown, the rest clear; combine it with others.

    Parameters
    ----------
    site : polygon, line or point, or a multiple of one kind
        Metres in the measuring plane.
    coverage : polygon or None
        In the same plane; its edge belongs to it. None: the layer covers everything.

    Raises
    ------
    KernelInputError
        For a site of mixed kinds.
    """
    dimension = one_dimension(site)
    if coverage is None or dimension < 0:
        return combine(site, [])
    if dimension == 0:
        xy = shapely.get_coordinates(site)
        held = shapely.intersects_xy(coverage, xy)
        return _points_by(xy, np.where(held, CLEAR, UNKNOWN).astype(np.int8), on_boundary=False)
    frame = Frame.around(shapely.bounds([site, coverage]), stored=True)
    local, area = frame.into(site), frame.into(coverage)
    if dimension == 1:
        return _lines_by(frame, *by_coverage(local, area), on_boundary=False)
    none = shapely.Polygon()
    areas = [none, frame.without(local, area), none, frame.within(local, area)]
    return _polygons_by(frame, areas, on_boundary=False)
