"""Rows on their way into the storage CRS, and those that do not go with the rest of their file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.importing.detective import Frame, Proposal
from gis.importing.detective.frames import Move, catalogue
from gis.importing.detective.points import within
from gis.importing.issues import Issue

__all__ = ["Outside", "Part", "Placing"]

Extent = tuple[float, float, float, float]
Outside = Literal["refuse", "keep"]
Objects = NDArray[np.object_]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Part:
    """Rows of one frame and the way from it into the storage CRS."""

    frame: Frame
    move: Move


@dataclass(frozen=True)
class Placing:
    """How the rows of one file get into the storage CRS.

    Attributes
    ----------
    crs, operation : str or None
        The frame or frames and the operations used, for the register of sources; None without geometry.
    accuracy_m : float
        A bound of what the operation adds to the position error in metres; the largest of several.
    proposal : Proposal or None
        What the detective found.
    issues : list of Issue
        Findings about the file as a whole, and about rows against registered positions.
    """

    parts: tuple[Part, ...]
    part_of: NDArray[np.int8] | None
    extent: Extent
    storage_box: Extent
    outside: Outside
    proposal: Proposal | None
    issues: list[Issue] = field(default_factory=list)

    @property
    def crs(self) -> str | None:
        """Names of the frames, the first one first."""
        return "; ".join(dict.fromkeys(part.frame.name for part in self.parts)) or None

    @property
    def operation(self) -> str | None:
        """Names of the operations."""
        return "; ".join(dict.fromkeys(part.move.name for part in self.parts)) or None

    @property
    def accuracy_m(self) -> float:
        """The largest bound among the parts; 0.0 without geometry."""
        return max((part.move.accuracy_m for part in self.parts), default=0.0)

    def apply(self, rows: NDArray[np.int64], geometry: Objects) -> tuple[Objects, list[Issue]]:
        """Geometry in the storage CRS, x,y order, and what was found, for some rows of the file.

        Parameters
        ----------
        rows : (n,) int array
            Positions in the file, from 0.
        geometry : (n,) object array
            Shapely geometries as the file has them; None and empty stay so. Z and M are dropped.

        Returns
        -------
        geometry : (n,) object array
            None for a row that is refused here; its reason is among the issues, and no other reason is due.
            A coordinate that is no number in the file is passed on for the geometry checks.
        issues : list of Issue
            Errors axes_swapped, other_crs, coordinate_out_of_range, antimeridian; outside_extent as an error,
            or as a warning when rows beyond the district are kept; repairs datum_shifted.
        """
        out = np.full(len(geometry), None, dtype=object)
        issues: list[Issue] = []
        # Making a geometry anew costs more than everything else here, so it is done only where it must be.
        flat = geometry if not shapely.has_z(geometry).any() else np.asarray(shapely.force_2d(geometry))
        numbers = self.part_of[rows] if self.part_of is not None else np.zeros(len(rows), dtype=np.int8)
        for number, part in enumerate(self.parts):
            at = np.flatnonzero(numbers == number)
            if len(at):
                out[at], found = self._moved(part, rows[at], flat[at])
                issues += found
        return out, issues

    def _moved(self, part: Part, rows: NDArray[np.int64], flat: Objects) -> tuple[Objects, list[Issue]]:
        before = shapely.bounds(flat)
        moved = _transformed(flat, part.move)
        after = shapely.bounds(moved)
        read: Flags = np.asarray(np.isfinite(before).all(axis=1))
        middles = np.where(read[:, None], before[:, :2] / 2.0 + before[:, 2:] / 2.0, np.nan)
        found = _Findings(rows, middles)
        beyond, wide = _impossible(part.frame, before, after, read)
        away = read & ~beyond & ~wide & ~_meets(after, self.storage_box)
        found.add(
            "axes_swapped", self._fits(part.frame.swap(), middles, beyond | away), part.frame.swap().name
        )
        if part.frame.degrees:
            found.add("coordinate_out_of_range", beyond & ~found.told)
        found.add("antimeridian", wide)
        for other in self._others(part.frame):
            found.add("other_crs", self._fits(other, middles, (beyond | away) & ~found.told), other.name)
        found.add("coordinate_out_of_range", beyond & ~found.told)
        severity = "error" if self.outside == "refuse" else "warning"
        found.add("outside_extent", away & ~found.told, severity=severity)
        moved[found.refused] = None
        if part.frame.shifted:
            self._note_shift(part.frame, found, flat, read & ~found.refused)
        return moved, found.issues

    def _note_shift(self, frame: Frame, found: _Findings, flat: Objects, kept: Flags) -> None:
        original = shapely.to_wkb(flat[kept], hex=True)
        found.issues += [
            Issue(row, "geom", frame.name, "datum_shifted", "repair", text)
            for row, text in zip(found.rows[kept].tolist(), original, strict=True)
        ]

    def _fits(self, frame: Frame, middles: NDArray[np.float64], asked: Flags) -> Flags:
        """Which of the rows ``asked`` about lie in the district when they are read in ``frame``."""
        out = np.zeros(len(middles), dtype=bool)
        at = np.flatnonzero(asked)
        if len(at):
            out[at] = within(middles[at], frame.box(self.extent))
        return out

    def _others(self, frame: Frame) -> Iterable[Frame]:
        """Frames whose numbers differ in kind from those of ``frame``: degrees, metres, a zone number."""
        for other in catalogue(self.extent):
            if other.old_datum is None and not other.shifted and not _alike(frame, other):
                yield other
                yield other.swap()


def _impossible(
    frame: Frame, before: NDArray[np.float64], after: NDArray[np.float64], read: Flags
) -> tuple[Flags, Flags]:
    """Rows beyond the numbers that the frame has at all, and rows that reach round half of the globe."""
    wide = np.zeros(len(before), dtype=bool)
    if not frame.degrees:
        return read & ~np.isfinite(after).all(axis=1), wide
    lon, lat = (1, 0) if frame.swapped else (0, 1)
    limit = np.empty(4)
    limit[[lon, lon + 2]], limit[[lat, lat + 2]] = 180.0, 90.0
    beyond = np.asarray(read & (np.abs(before) > limit).any(axis=1))
    at = np.flatnonzero(read & ~beyond)
    wide[at] = before[at, lon + 2] - before[at, lon] > 180.0
    return beyond, wide


def _alike(a: Frame, b: Frame) -> bool:
    if a.degrees or b.degrees:
        return a.degrees == b.degrees
    if a.projection is None or b.projection is None:
        return a.base == b.base
    return a.projection[3] == b.projection[3]


class _Findings:
    """Issues of some rows of one frame; a row is told one reason."""

    def __init__(self, rows: NDArray[np.int64], centres: NDArray[np.float64]) -> None:
        self.rows, self.centres = rows, centres
        self.issues: list[Issue] = []
        self.told = np.zeros(len(rows), dtype=bool)
        self.refused = np.zeros(len(rows), dtype=bool)

    def add(self, code: str, at: Flags, fits: str = "", severity: str = "error") -> None:
        """An issue with the row's coordinates for each of the rows ``at``; ``fits`` names what suits them."""
        self.told |= at
        if severity == "error":
            self.refused |= at
        for i in np.flatnonzero(at).tolist():
            x, y = (f"{v:.10g}" for v in self.centres[i])
            value = f"{x} {y}" + (f" → {fits}" if fits else "")
            self.issues.append(Issue(int(self.rows[i]), "geom", value, code, severity))


def _transformed(flat: Objects, move: Move) -> Objects:
    if move.still:
        return flat.copy()
    if (shapely.get_type_id(flat) == 0).all():  # all points: several times faster than vertex by vertex
        out, full = flat.copy(), ~shapely.is_empty(flat)
        out[full] = shapely.points(move.xy(shapely.get_coordinates(flat[full])))
        return out
    return np.asarray(shapely.transform(flat, move.xy), dtype=object)


def _meets(bounds: NDArray[np.float64], box: Extent) -> Flags:
    west, south, east, north = bounds.T
    return np.asarray((west <= box[2]) & (east >= box[0]) & (south <= box[3]) & (north >= box[1]))
