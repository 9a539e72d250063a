"""Rows of one kind together: by the size of their numbers, and by which family of frames puts them in place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.importing.detective.frames import Frame, catalogue

__all__ = ["Family", "families", "group_rows"]

Extent = tuple[float, float, float, float]

# Round the district's box, so that a shift of datum does not push a row over its edge: BD-09 moves by 1.2 km,
# the old datums and UTM's scale by less than 2 km.
_MARGIN_DEG, _MARGIN_M = 0.02, 2_000.0

# What the numbers can be at all when no frame puts them into the district: (x from, x to, y from, y to).
_KINDS = {
    "degrees": (-180.0, 180.0, -90.0, 90.0),
    "plane": (-500_000.0, 1_500_000.0, 1_000_000.0, 7_000_000.0),
    "numbered plane": (13_000_000.0, 46_000_000.0, 1_000_000.0, 7_000_000.0),
}


@dataclass(frozen=True)
class Family:
    """Frames whose numbers look alike: ``box`` is the district's extent in them, with a margin."""

    kind: str
    frames: tuple[Frame, ...]
    box: Extent

    @property
    def swapped(self) -> bool:
        """Whether its frames are those with the axes swapped."""
        return self.frames[0].swapped

    def holds(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of the (n, 2) points lie in the box."""
        return _within(points, self.box)


def _within(points: NDArray[np.float64], box: Extent) -> NDArray[np.bool_]:
    x, y = points[:, 0], points[:, 1]
    return np.asarray((x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3]))


def families(extent: Extent, swapped: bool) -> list[Family]:
    """The district's frames by what their numbers look like."""
    held: dict[tuple[str, float, float], list[Frame]] = {}
    for frame in catalogue(extent):
        held.setdefault(_family(frame), []).append(frame.swap() if swapped else frame)
    return [
        Family(kind, tuple(frames), _roomy(frames[0].box(extent), frames[0].degrees))
        for (kind, _, _), frames in held.items()
    ]


def _family(frame: Frame) -> tuple[str, float, float]:
    if frame.degrees:
        return "degrees", 0.0, 0.0
    if frame.projection is None:
        return "other plane", 0.0, 0.0
    _, meridian, _, easting = frame.projection
    return ("plane" if easting < 1_000_000 else "numbered plane"), meridian, easting


def _roomy(box: Extent, degrees: bool) -> Extent:
    room = _MARGIN_DEG if degrees else _MARGIN_M
    return box[0] - room, box[1] - room, box[2] + room, box[3] + room


def group_rows(
    points: NDArray[np.float64], extent: Extent
) -> list[tuple[tuple[Frame, ...], NDArray[np.int64]]]:
    """The frames to consider and the rows, for each kind of rows, largest first.

    Parameters
    ----------
    points : (n, 2)
        As the file has them; NaN for a row without geometry, which is in no group.
    """
    known = [f for swapped in (False, True) for f in families(extent, swapped)]
    held = [family.holds(points) for family in known]
    place = np.full(len(points), -1, dtype=np.int16)
    # A row that two families would put into the district goes with the larger one.
    for i in sorted(range(len(known)), key=lambda i: -int(held[i].sum())):
        place[held[i] & (place < 0)] = i
    present = np.isfinite(points).all(axis=1)
    groups = [(known[i].frames, np.flatnonzero(place == i)) for i in range(len(known))]
    rest = np.flatnonzero(present & (place < 0))
    groups = _with_rest(groups, known, points, rest)
    return sorted(
        ((frames, rows) for frames, rows in groups if len(rows)), key=lambda g: (-len(g[1]), g[1][0])
    )


def _with_rest(
    groups: list[tuple[tuple[Frame, ...], NDArray[np.int64]]],
    known: list[Family],
    points: NDArray[np.float64],
    rest: NDArray[np.int64],
) -> list[tuple[tuple[Frame, ...], NDArray[np.int64]]]:
    """Rows that no frame puts into the district: by what their numbers can be; degrees join the degrees."""
    for swapped in (False, True):
        for kind, (x0, x1, y0, y1) in _KINDS.items():
            if not len(rest):
                return groups
            if kind == "degrees" and swapped:
                x0, x1, y0, y1 = -90.0, 90.0, -180.0, 180.0
            elif swapped:
                x0, x1, y0, y1 = y0, y1, x0, x1
            fits = _within(points[rest], (x0, y0, x1, y1))
            chosen, rest = rest[fits], rest[~fits]
            at = [i for i, f in enumerate(known) if f.kind == kind and f.swapped == swapped]
            if kind == "degrees":
                groups[at[0]] = (groups[at[0]][0], np.union1d(groups[at[0]][1], chosen))
            else:
                groups.append((tuple(frame for i in at for frame in known[i].frames), chosen))
    groups.append(((), rest))
    return groups
