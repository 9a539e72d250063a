"""The parts of a site that conflict, are in doubt, or are clear."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gis.kernel.arrays import Floats, accuracies, geometries
from gis.kernel.measures import size
from gis.kernel.overlay import kept, nothing, one_dimension, origin_of, shifted, without_slivers
from gis.kernel.points import classify_points
from gis.kernel.reach import Reach
from gis.kernel.verdicts import CLEAR, CONFLICT, EDGE, UNKNOWN
from gis.kernel.zones import ZoneSet

__all__ = ["Parts", "combine", "split", "uncovered"]

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
    def verdict(self) -> int:
        """The worst verdict of any part: a code of :mod:`gis.kernel.verdicts`."""
        present = [code for code, part in zip(_CODES, self.sizes, strict=True) if part > 0]
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
        xy = shapely.get_coordinates(site)
        found = classify_points(xy, error, zones, grow)
        verdicts, on_boundary = found.verdict, bool(found.on_boundary.any())
        return _point_parts(xy, _exchanged(verdicts) if outside else verdicts, on_boundary)
    return _extended_parts(site, error, zones, grow, outside)


def _exchanged(verdicts: NDArray[np.int8]) -> NDArray[np.int8]:
    return np.where(verdicts == CONFLICT, CLEAR, np.where(verdicts == CLEAR, CONFLICT, verdicts)).astype(
        np.int8
    )


def _point_parts(xy: Floats, verdicts: NDArray[np.int8], on_boundary: bool) -> Parts:
    groups = [xy[verdicts == code] for code in _CODES]
    conflict, unknown, edge, clear = (
        shapely.points(group[0]) if len(group) == 1 else shapely.multipoints(group) for group in groups
    )
    sizes = np.array([len(group) for group in groups], dtype=np.float64)
    return Parts(conflict, unknown, edge, clear, sizes, on_boundary)


def _extended_parts(site: BaseGeometry, error: float, zones: ZoneSet, grow: float, outside: bool) -> Parts:
    origin = origin_of(site)
    local, none = shifted(site, -origin), nothing(site)
    present = ~shapely.is_empty(zones.geoms)
    if site.is_empty or not present.any():
        pieces, touched = [none, none, none, local], False
    elif np.isnan(error):
        pieces, touched = [none, local, none, none], False
    else:
        known = ~np.isnan(zones.accuracy_m[present]).any()
        reach = Reach.around(
            site, error, zones if known else zones.take(~np.isnan(zones.accuracy_m)), grow, origin
        )
        conflict, edge, clear = _divided(local, reach)
        touched = reach.is_touched_by(local)
        if not known:
            # A zone that may be anywhere leaves only what other zones surely hold.
            edge, clear, unknown = none, none, kept(shapely.difference(local, conflict), local)
        pieces = [conflict, none if known else unknown, edge, clear]
    if outside:
        pieces[0], pieces[3] = pieces[3], pieces[0]
    return _parts(origin, local, pieces, touched)


def _divided(site: BaseGeometry, reach: Reach) -> tuple[BaseGeometry, BaseGeometry, BaseGeometry]:
    """Conflict, edge and clear part of a site, all in shifted coordinates."""
    if not len(reach.near):
        return nothing(site), nothing(site), site
    outer, inner = reach.outer(), reach.inner()
    near = kept(shapely.intersection(site, outer), site)
    clear = kept(shapely.difference(site, outer), site)
    conflict = kept(shapely.intersection(near, inner), site)
    edge = kept(shapely.difference(near, inner), site)
    if shapely.get_dimensions(site) == 1:
        conflict, along = _off_the_rim(conflict, inner)
        edge = kept(shapely.union_all([edge, along]), site)
    return conflict, edge, clear


def _off_the_rim(line: BaseGeometry, area: BaseGeometry) -> tuple[BaseGeometry, BaseGeometry]:
    """A line without, and only, what runs along the rim of an area: that touches and is not inside."""
    rim = shapely.boundary(area)
    along = kept(shapely.intersection(line, rim), line)
    return (line if along.is_empty else kept(shapely.difference(line, rim), line)), along


def _parts(origin: Floats, site: BaseGeometry, pieces: list[BaseGeometry], on_boundary: bool) -> Parts:
    tidy = without_slivers(pieces, site)
    conflict, unknown, edge, clear = (shifted(piece, origin) for piece in tidy)
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
    if one_dimension(site) == 0:
        return _combined_points(site, given, on_boundary)
    origin = origin_of(site)
    local = shifted(site, -origin)
    taken, pieces = nothing(site), []
    for name in ("conflict", "unknown", "edge"):
        layer = shapely.union_all([shifted(getattr(part, name), -origin) for part in given])
        mine = shapely.difference(shapely.intersection(local, layer), taken)
        pieces.append(kept(mine, local))
        taken = shapely.union_all([taken, layer])
    pieces.append(kept(shapely.difference(local, taken), local))
    return _parts(origin, local, pieces, on_boundary)


def _combined_points(site: BaseGeometry, given: list[Parts], on_boundary: bool) -> Parts:
    xy = shapely.get_coordinates(site)
    verdicts = np.full(len(xy), CLEAR, dtype=np.int8)
    for part in given:
        for code, geom in ((CONFLICT, part.conflict), (UNKNOWN, part.unknown), (EDGE, part.edge)):
            named = shapely.get_coordinates(geom)
            here = (xy[:, None] == named[None]).all(axis=2).any(axis=1)
            verdicts[here] = np.maximum(verdicts[here], code)
    return _point_parts(xy, verdicts, on_boundary)


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
    if coverage is None or site.is_empty:
        return combine(site, [])
    if one_dimension(site) == 0:
        xy = shapely.get_coordinates(site)
        held = shapely.intersects_xy(coverage, xy)
        return _point_parts(xy, np.where(held, CLEAR, UNKNOWN).astype(np.int8), on_boundary=False)
    origin = origin_of(site)
    local, area, none = shifted(site, -origin), shifted(coverage, -origin), nothing(site)
    missing = kept(shapely.difference(local, area), local)
    covered = kept(shapely.intersection(local, area), local)
    return _parts(origin, local, [none, missing, none, covered], on_boundary=False)
