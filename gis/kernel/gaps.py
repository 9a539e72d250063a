"""How far one subject is from each of several sets of lines, told together.

An index finds the nearest line of one set by measuring to it, and to a few others that turn out not to be it,
from all corners of the subject. Several sets are looked through at once here: balls around lines, then one
place of the subject, leave hardly more than one line of each set to be measured to, and what is a line of
several sets is measured to once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel.arrays import TOUCH_M, Flags, Floats, Geometries, Indices
from gis.kernel.boundary import Boundary

__all__ = ["Gaps", "Nearest"]


class Nearest(NamedTuple):
    """What is nearest of each of k sets.

    Attributes
    ----------
    gap_m : float64[k]
    owner : int64[k]
        The zone that the nearest line bounds, as its set numbers them.
    is_tied : bool[k]
        Lines of other zones are as near.
    line : object[k]
        That line.
    """

    gap_m: Floats
    owner: Indices
    is_tied: Flags
    line: Geometries


@dataclass(frozen=True, eq=False)
class Gaps:
    """Several sets of lines, to be looked through at once: worth it for some thousand lines, not for more.

    Attributes
    ----------
    lines : object[n]
        Each once.
    middle : float64[2, n]
        One vertex of each line.
    radius_m : float64[n]
        How far the line goes from there.
    line, owner : int64[m]
        The lines of all sets, one set after the other, and the zones that they bound.
    of : int64[m]
        The set that each is of.
    start : int64[k]
        Where each set begins.
    """

    lines: Geometries
    middle: Floats
    radius_m: Floats
    line: Indices
    owner: Indices
    of: Indices
    start: Indices

    @classmethod
    def among(cls, sets: Sequence[Boundary]) -> Gaps:
        """For these sets in one plane, in metres; at least one, and none empty."""
        count = np.array([len(each) for each in sets])
        every = np.concatenate([each.lines for each in sets])
        _, first, line = np.unique(shapely.to_wkb(every), return_index=True, return_inverse=True)
        lines = every[first]
        xy, at = shapely.get_coordinates(lines, return_index=True)
        begin = np.searchsorted(at, np.arange(len(lines) + 1))
        middle = xy[(begin[:-1] + begin[1:]) // 2]
        radius = np.maximum.reduceat(np.hypot(*(xy - middle[at]).T), begin[:-1])
        owner = np.concatenate([each.owner for each in sets])
        of, start = np.repeat(np.arange(len(sets)), count), np.cumsum(count) - count
        return cls(lines, np.ascontiguousarray(middle.T), radius, line, owner, of, start)

    def nearest(self, subject: BaseGeometry) -> Nearest:
        """The nearest line of each set to a subject, a point, line or polygon that is not empty.

        The distance is that of `shapely.distance`, to the last digit.
        """
        place, extent = _place_in(subject)
        away = np.hypot(self.middle[0] - place[0], self.middle[1] - place[1])
        near = self._least(away - self.radius_m, away, extent)
        away = self._measured(shapely.Point(place), near)
        gap = self._measured(subject, self._least(away - extent, away, 0.0))[self.line]
        least = np.minimum.reduceat(gap, self.start)
        at = (gap == least[self.of]).nonzero()[0]
        first = at[at.searchsorted(self.start)]
        owner = self.owner[first]
        tied = np.zeros(len(owner), dtype=bool)
        tied[self.of[at[self.owner[at] != owner[self.of[at]]]]] = True
        return Nearest(least, owner, tied, self.lines[self.line[first]])

    def _least(self, least_m: Floats, most_m: Floats, farther_m: float) -> Indices:
        """The lines that can be the nearest of a set, by bounds of the distance of each.

        ``farther_m`` is what both bounds are off by at most, together.
        """
        limit = np.minimum.reduceat(most_m[self.line], self.start) + farther_m + TOUCH_M
        can = np.zeros(len(self.lines), dtype=bool)
        can[self.line[least_m[self.line] <= limit[self.of]]] = True
        return can.nonzero()[0]

    def _measured(self, subject: BaseGeometry, near: Indices) -> Floats:
        """The distance to some lines; infinite to the others."""
        gap = np.full(len(self.lines), np.inf)
        gap[near] = shapely.distance(subject, self.lines[near])
        return gap


def _place_in(subject: BaseGeometry) -> tuple[Floats, float]:
    """A vertex in the middle of a subject, and how far the subject goes from there."""
    xy = shapely.get_coordinates(subject)
    x, y = xy.T
    x0, y0, x1, y1 = subject.bounds
    place = xy[np.hypot(x - (x0 + x1) / 2.0, y - (y0 + y1) / 2.0).argmin()]
    return place, float(np.hypot(x - place[0], y - place[1]).max())
