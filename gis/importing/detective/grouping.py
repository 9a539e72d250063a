"""Rows of one kind together: by the size of their numbers, and by the family of frames that places them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.importing.detective.frames import Frame, catalogue
from gis.importing.detective.measures import Pairs
from gis.importing.detective.points import within

__all__ = ["Family", "families", "group_rows", "split_by_places"]

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
        return within(points, self.box)


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
            fits = within(points[rest], (x0, y0, x1, y1))
            chosen, rest = rest[fits], rest[~fits]
            at = [i for i, f in enumerate(known) if f.kind == kind and f.swapped == swapped]
            if kind == "degrees":
                groups[at[0]] = (groups[at[0]][0], np.union1d(groups[at[0]][1], chosen))
            else:
                groups.append((tuple(frame for i in at for frame in known[i].frames), chosen))
    groups.append(((), rest))
    return groups


# A row belongs to the frame that brings it this near to its registered position, when every other leaves it
# at least twice as far off: half of what separates WGS 84 from GCJ-02 (some 550 m).
_NEAR_M = 250.0
# So many rows make a kind of their own.
_LEAST_ROWS, _LEAST_SHARE = 3, 0.02


def split_by_places(
    groups: list[tuple[tuple[Frame, ...], NDArray[np.int64]]], pairs: Pairs | None, extent: Extent
) -> list[tuple[tuple[Frame, ...], NDArray[np.int64]]]:
    """Groups whose rows of known position are not all in one frame, split; rows not known follow their run.

    Where the kinds lie in runs of rows, a row between two rows of one kind is of that kind; the rest is a
    group of its own, about which less is known.
    """
    if pairs is None:
        return groups
    out = []
    for frames, rows in groups:
        at = np.isin(pairs.rows, rows, assume_unique=True)
        kinds = _kinds(frames, pairs, at, extent)
        counts = np.bincount(kinds[kinds >= 0], minlength=len(frames))
        enough = max(_LEAST_ROWS, _LEAST_SHARE * int(at.sum()))
        real = np.flatnonzero(counts >= enough)
        if len(real) < 2:
            out.append((frames, rows))
            continue
        kinds[~np.isin(kinds, real)] = -1
        of_row = _by_runs(rows, pairs.rows[at], kinds, len(real))
        out += [(frames, rows[of_row == k]) for k in (*real.tolist(), -1) if (of_row == k).any()]
    return sorted(out, key=lambda g: (-len(g[1]), g[1][0]))


def _kinds(
    frames: tuple[Frame, ...], pairs: Pairs, at: NDArray[np.bool_], extent: Extent
) -> NDArray[np.int64]:
    """For each known row of a group the number of its frame, -1 where none is clear."""
    modern = [i for i, f in enumerate(frames) if f.old_datum is None]
    if len(modern) < 2 or not at.any():
        return np.full(int(at.sum()), -1)
    off = np.column_stack([np.hypot(*pairs.offsets(frames[i], extent)[at].T) for i in modern])
    off = np.where(np.isfinite(off), off, np.inf)
    order = np.argsort(off, axis=1)
    each = np.arange(len(off))
    first, second = off[each, order[:, 0]], off[each, order[:, 1]]
    clear = (first <= _NEAR_M) & (second >= 2 * first)
    return np.where(clear, np.array(modern)[order[:, 0]], -1)


def _by_runs(
    rows: NDArray[np.int64], known: NDArray[np.int64], kinds: NDArray[np.int64], different: int
) -> NDArray[np.int64]:
    """The kind of each of ``rows``: its own, or that of both known neighbours when kinds lie in few runs."""
    clear = kinds >= 0
    known, kinds = known[clear], kinds[clear]
    after = np.searchsorted(known, rows)
    inner = (after > 0) & (after < len(known))
    before, after = np.clip(after - 1, 0, None), np.clip(after, None, len(known) - 1)
    of_row = np.where(known[after] == rows, kinds[after], -1)
    runs = 1 + int((np.diff(kinds) != 0).sum())
    if runs <= 2 * different:
        between = inner & (of_row < 0) & (kinds[before] == kinds[after])
        of_row[between] = kinds[before][between]
    return np.asarray(of_row)
