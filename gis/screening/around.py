"""The zones of a layer around one subject: measured once, whatever is asked about them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel.arrays import TOUCH_M, Floats, Indices
from gis.kernel.zones import ZoneSet

__all__ = ["Around"]


@dataclass(frozen=True, eq=False)
class Around:
    """One subject and the zones of a layer.

    Attributes
    ----------
    subject : geometry
        Metres in the plane of ``zones``.
    accuracy_m : float
        Bound of its error; one that is not known counts as zero here.
    zones : ZoneSet
    reach_m : float
        The farthest that any rule looks.
    """

    subject: BaseGeometry
    accuracy_m: float
    zones: ZoneSet
    reach_m: float

    @cached_property
    def outline_m(self) -> dict[int, float]:
        """How far the outlines of zones are, of those nearer than the errors take them; by the zone."""
        rim, line = self.zones.rim, self._rim
        if not len(line):
            return {}
        away = shapely.distance(self.subject, rim.lines[line]).tolist()
        return _least(rim.owner[line].tolist(), away)

    @cached_property
    def _rim(self) -> Indices:
        """The lines of outlines that the errors may take to the subject."""
        farthest = self.accuracy_m + self.zones.widest_m + TOUCH_M
        return self.zones.rim.tree.query(self.subject, predicate="dwithin", distance=farthest)

    @cached_property
    def near(self) -> tuple[Indices, Floats]:
        """The zones that may be within reach, given the errors, in order, and their distance in metres."""
        zones = self.zones
        own = self.reach_m + self.accuracy_m
        piece = zones.tree.query(self.subject, predicate="dwithin", distance=own + zones.widest_m + TOUCH_M)
        if not len(piece):
            return np.empty(0, np.int64), np.empty(0)
        away = shapely.distance(self.subject, zones.pieces.geoms[piece]).tolist()
        gaps = _least(zones.pieces.owner[piece].tolist(), away)
        for zone, gap in gaps.items():
            if gap <= TOUCH_M and self._meets(zone):
                gaps[zone] = 0.0
        theirs = zones.error_m
        kept = [zone for zone in sorted(gaps) if gaps[zone] <= own + theirs[zone] + TOUCH_M]
        return np.array(kept, dtype=np.int64), np.array([gaps[zone] for zone in kept])

    def _meets(self, zone: int) -> bool:
        """Whether a zone is met that a piece of it touches.

        Along a cut a piece may be off by a rounding step, so that is asked of the whole zone, unless its
        outline tells: farther than those steps the subject lies inside, and a place of it is one of the zone.
        """
        geometry = self.zones.geoms[zone]
        if self.outline_m.get(zone, np.inf) > 2 * TOUCH_M and shapely.get_dimensions(geometry) == 2:
            return True
        if self.outline_m.get(zone) == 0.0 and self._crosses(zone):
            return True
        return bool(shapely.intersects(self.subject, geometry))

    def _crosses(self, zone: int) -> bool:
        """Whether the subject meets a line of the outline of a zone."""
        line = self._rim[self.zones.rim.owner[self._rim] == zone]
        return bool(shapely.intersects(self.subject, self.zones.rim.lines[line]).any())

    @cached_property
    def met(self) -> frozenset[int]:
        """The zones that are polygons and met, by the errors of the outlines or for certain."""
        zone, gap = self.near
        met = zone[gap == 0]
        return frozenset(met[shapely.get_dimensions(self.zones.geoms[met]) == 2].tolist())

    def is_deep_in(self, zone: int, depth_m: float) -> bool:
        """Whether the subject, a single part, lies in a polygon and its outline is farther than that.

        ``depth_m`` is no more than the errors of both together, or a micrometre.
        """
        if zone not in self.met or shapely.get_num_geometries(self.subject) > 1:
            return False
        outline_m = self.outline_m.get(zone)
        return outline_m is None or outline_m > depth_m


def _least(names: list[int], values: list[float]) -> dict[int, float]:
    """The least value of each name."""
    least: dict[int, float] = {}
    for name, value in zip(names, values, strict=True):
        if not value >= least.get(name, np.inf):
            least[name] = value
    return least
