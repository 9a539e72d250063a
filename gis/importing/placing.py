"""Bringing a file's geometry into the storage CRS: in which frame it is read, and which rows do not go with it.

The frame is what the user says, else what the file states, else what the evidence makes clear; otherwise the
file is refused with the ranked proposal. Axes are never swapped, and no datum is shifted, without being told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.crs import LONLAT, transformation
from gis.errors import CrsError, ImportRefused
from gis.importing.detective import Evidence, Frame, Proposal, declared_frame, frame_of, propose
from gis.importing.detective.clues import known_pairs
from gis.importing.detective.frames import Move, catalogue, modern_name
from gis.importing.detective.points import points_of, share_inside, within
from gis.importing.detective.propose import MARGIN
from gis.importing.issues import FILE, Issue, told
from gis.importing.reading.spool import Reading
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["PlaceRefused", "Placing", "decide", "storage_extent"]

Extent = tuple[float, float, float, float]
Outside = Literal["refuse", "keep"]
Objects = NDArray[np.object_]

# A file with no more than this share of its rows in the district has its frame wrong, when another frame puts at
# least _MOST of them there: a row or two that happen to fall right do not save it.
_NEARLY_NONE, _MOST = 0.1, 0.5
# So many rows all beyond the district are no slips of single rows.
_FEW = 3


class PlaceRefused(ImportRefused):
    """A file refused for its coordinate reference system; ``proposal`` is the ranked evidence."""

    def __init__(
        self,
        en: str,
        zh: str,
        *,
        remedy_en: str,
        remedy_zh: str,
        reason: str,
        proposal: Proposal | None,
    ) -> None:
        super().__init__(en, zh, remedy_en=remedy_en, remedy_zh=remedy_zh, reason=reason)
        self.proposal = proposal


@dataclass(frozen=True)
class _Part:
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
        A bound of what the operation adds to the position error, in metres; the largest where there are several.
    proposal : Proposal or None
        What the detective found.
    issues : list of Issue
        Findings about the file as a whole, and about rows against registered positions.
    """

    parts: tuple[_Part, ...]
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
        flat = np.asarray(shapely.force_2d(geometry), dtype=object)
        numbers = self.part_of[rows] if self.part_of is not None else np.zeros(len(rows), dtype=np.int8)
        for number, part in enumerate(self.parts):
            at = np.flatnonzero(numbers == number)
            if len(at):
                out[at], found = self._moved(part, rows[at], flat[at])
                issues += found
        return out, issues

    def _moved(self, part: _Part, rows: NDArray[np.int64], flat: Objects) -> tuple[Objects, list[Issue]]:
        before = shapely.bounds(flat)
        moved = _transformed(flat, part.move)
        after = shapely.bounds(moved)
        read = np.isfinite(before).all(axis=1)
        found = _Findings(rows, (before[:, :2] + before[:, 2:]) / 2.0)
        if part.frame.degrees:
            lon, lat = (1, 0) if part.frame.swapped else (0, 1)
            limit = np.empty(4)
            limit[[lon, lon + 2]], limit[[lat, lat + 2]] = 180.0, 90.0
            beyond = read & (np.abs(before) > limit).any(axis=1)
            wide = read & ~beyond & (before[:, lon + 2] - before[:, lon] > 180.0)
        else:
            beyond, wide = read & ~np.isfinite(after).all(axis=1), np.zeros(len(rows), dtype=bool)
        away = read & ~beyond & ~wide & ~_meets(after, self.storage_box)
        odd = np.flatnonzero(beyond | away)
        turned = np.zeros(len(rows), dtype=bool)
        turned[odd] = self._inside(part.frame.swap(), found.centres[odd])
        found.add("axes_swapped", turned, part.frame.swap().name)
        found.add("coordinate_out_of_range", beyond & ~turned & part.frame.degrees)
        found.add("antimeridian", wide)
        for other in self._others(part.frame):
            left = np.flatnonzero((beyond | away) & ~found.told)
            fits = np.zeros(len(rows), dtype=bool)
            fits[left] = self._inside(other, found.centres[left])
            found.add("other_crs", fits, other.name)
        found.add("coordinate_out_of_range", beyond & ~found.told)
        found.add(
            "outside_extent", away & ~found.told, severity="error" if self.outside == "refuse" else "warning"
        )
        moved[found.refused] = None
        if part.frame.shifted:
            self._note_shift(part.frame, found, flat, read & ~found.refused)
        return moved, found.issues

    def _note_shift(self, frame: Frame, found: _Findings, flat: Objects, kept: NDArray[np.bool_]) -> None:
        original = shapely.to_wkb(flat[kept], hex=True)
        found.issues += [
            Issue(row, "geom", frame.name, "datum_shifted", "repair", text)
            for row, text in zip(found.rows[kept].tolist(), original, strict=True)
        ]

    def _inside(self, frame: Frame, centres: NDArray[np.float64]) -> NDArray[np.bool_]:
        return within(centres, frame.box(self.extent))

    def _others(self, frame: Frame) -> Iterable[Frame]:
        """Frames whose numbers cannot be taken for those of ``frame``: another zone number, degrees, metres."""
        for other in catalogue(self.extent):
            if other.old_datum is None and not other.shifted and not _alike(frame, other):
                yield other
                yield other.swap()


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

    def add(self, code: str, at: NDArray[np.bool_], fits: str = "", severity: str = "error") -> None:
        """An issue with the row's coordinates for each of the rows ``at``; ``fits`` names what suits them."""
        self.told |= at
        if severity == "error":
            self.refused |= at
        for i in np.flatnonzero(at).tolist():
            x, y = (f"{v:.10g}" for v in self.centres[i])
            value = f"{x} {y}" + (f" → {fits}" if fits else "")
            self.issues.append(Issue(int(self.rows[i]), "geom", value, code, severity))


def _transformed(flat: Objects, move: Move) -> Objects:
    if (shapely.get_type_id(flat) == 0).all():  # all points: several times faster than vertex by vertex
        xy = move.xy(np.column_stack([shapely.get_x(flat), shapely.get_y(flat)]))
        empty = shapely.is_empty(flat)
        out = np.asarray(shapely.points(xy), dtype=object)
        out[empty] = flat[empty]
        return out
    return np.asarray(shapely.transform(flat, move.xy), dtype=object)


def _meets(bounds: NDArray[np.float64], box: Extent) -> NDArray[np.bool_]:
    west, south, east, north = bounds.T
    return np.asarray((west <= box[2]) & (east >= box[0]) & (south <= box[3]) & (north >= box[1]))


def storage_extent(definition: MapDefinition) -> Extent:
    """The district's extent in the storage CRS: the box around its outline."""
    district = definition.district
    outline = shapely.segmentize(shapely.box(*district.extent), 0.1)
    moved = transformation(LONLAT, district.storage_crs, district.extent).geometries(np.array([outline]))
    west, south, east, north = shapely.bounds(moved[0]).tolist()
    return west, south, east, north


# --- the decision -------------------------------------------------------------------------------------------


def decide(
    definition: MapDefinition,
    layer: Layer,
    reading: Reading,
    crs: str,
    evidence: Evidence,
    by_group: Mapping[int, str] | None = None,
    *,
    outside: Outside = "refuse",
) -> Placing:
    """In which frame the rows of ``reading`` are read, and how they get into the storage CRS.

    Parameters
    ----------
    crs : str
        "auto", or a name as `frame_of` takes it ("EPSG:4549", "CRS84", "GCJ-02", "BD-09", with " swapped").
    evidence : Evidence
        What the store holds; see `load_evidence`.
    by_group : mapping, optional
        Names for single groups of the proposal, by their number; the rest follow ``crs``.
    outside : "refuse" or "keep"
        Whether a row wholly beyond the district's extent is an error or a warning.

    Raises
    ------
    PlaceRefused
        With reason crs_missing, crs_unknown, crs_wrong, axes_swapped, zone_prefix, outside_district or
        datum_needs_parameters; its text holds the ranked proposal.
    """
    extent = definition.district.extent
    if not layer.has_geometry:
        return Placing((), None, extent, extent, outside, None)
    proposal = propose(reading, definition, evidence)
    box = storage_extent(definition)
    if not proposal.groups:  # nothing to place; a wrong name is told all the same
        _stated(reading, crs, proposal)
        return Placing((), None, extent, box, outside, proposal)
    frames = _frames(reading, crs, by_group or {}, proposal)
    points = points_of(reading)
    parts: list[_Part] = []
    part_of = np.zeros(proposal.total, dtype=np.int8)
    for frame in dict.fromkeys(frames.values()):
        rows = np.concatenate([g.rows for g in proposal.groups if frames[g.number] == frame])
        part = _Part(frame, _move(definition, frame, proposal))
        _refuse_misplaced(frame, points[rows], extent, proposal, outside)
        part_of[rows] = len(parts)
        parts.append(part)
    chosen = crs.strip().lower() == "auto" and proposal.declared is None
    issues = _doubts(reading, proposal, frames, points, evidence, chosen)
    return Placing(tuple(parts), part_of if len(parts) > 1 else None, extent, box, outside, proposal, issues)


def _stated(reading: Reading, crs: str, proposal: Proposal) -> Frame | None:
    """The frame the user says, else the file; None when neither does."""
    try:
        return frame_of(crs) if crs.strip().lower() != "auto" else declared_frame(reading.header)
    except CrsError as error:
        said = crs if crs.strip().lower() != "auto" else str(reading.header.declared_crs)
        said = said if len(said) <= 80 else said[:77] + "..."
        raise _refusal("crs_unknown", (said, said), proposal) from error


def _frames(reading: Reading, crs: str, by_group: Mapping[int, str], proposal: Proposal) -> dict[int, Frame]:
    """The frame of each group."""
    chosen: dict[int, Frame] = {}
    for number, name in by_group.items():
        try:
            chosen[number] = frame_of(name)
        except CrsError as error:
            raise _refusal("crs_unknown", (name, name), proposal) from error
    open_groups = [g for g in proposal.groups if g.number not in chosen]
    stated = _stated(reading, crs, proposal) if open_groups else None
    for group in open_groups:
        if stated is not None:
            chosen[group.number] = stated
        elif group.winner is not None:
            chosen[group.number] = frame_of(group.winner)
        else:
            raise _refusal("crs_missing", ("", ""), proposal)
    return {g.number: chosen[g.number] for g in proposal.groups}


def _move(definition: MapDefinition, frame: Frame, proposal: Proposal) -> Move:
    if frame.old_datum is not None:
        zh, en = frame.old_datum
        words = (f"{zh}（{frame.name}）", f"{en} ({frame.name})")
        raise _refusal("datum_needs_parameters", words, proposal, modern_name(frame))
    try:
        return frame.move_to(definition.district.storage_crs, definition.district.extent)
    except CrsError as error:
        words = (f" {frame.zh}（{frame.name}）", f"{frame.en} ({frame.name})")
        raise _refusal("datum_needs_parameters", words, proposal, "EPSG:4490") from error


def _refuse_misplaced(
    frame: Frame, points: NDArray[np.float64], extent: Extent, proposal: Proposal, outside: Outside
) -> None:
    """Refuse the file when (nearly) none of its rows fall into the district as they are read."""
    inside = share_inside(points, frame.box(extent))
    if inside > _NEARLY_NONE:
        return
    fitting = [c.frame for g in proposal.groups for c in g.candidates if c.inside >= _MOST]
    fitting = [f for f in fitting if share_inside(points, f.box(extent)) >= _MOST]
    words = (f"{frame.name}（{frame.zh}）", f"{frame.name} ({frame.en})")
    if any(f.same_as(frame.swap()) for f in fitting):
        x, y = points[0]
        raise _refusal("axes_swapped", (f"{x:.10g} {y:.10g}",) * 2, proposal, frame.swap().name)
    zoned = next((f for f in fitting if f.same_but_zone(frame)), None)
    if zoned is not None:
        raise _refusal("zone_prefix", words, proposal, zoned.name)
    if fitting:
        raise _refusal("crs_wrong", words, proposal)
    if inside == 0 and len(points) >= _FEW and outside == "refuse":
        raise _refusal("outside_district", words, proposal)


def _refusal(code: str, value: tuple[str, str], proposal: Proposal, first: str | None = None) -> PlaceRefused:
    """The refusal in both languages: ``first`` is what is offered before the ranked rest."""
    expected = (first, first) if first else (proposal.ranked("zh"), proposal.ranked("en"))
    zh, _, remedy_zh, _ = told(code, value=value[0], expected=expected[0])
    _, en, _, remedy_en = told(code, value=value[1], expected=expected[1])
    return PlaceRefused(en, zh, remedy_en=remedy_en, remedy_zh=remedy_zh, reason=code, proposal=proposal)


def _doubts(
    reading: Reading,
    proposal: Proposal,
    frames: Mapping[int, Frame],
    points: NDArray[np.float64],
    evidence: Evidence,
    chosen: bool,
) -> list[Issue]:
    """What there is to say about the frames taken: another fits better, there are several, places have moved."""
    issues: list[Issue] = []
    for group in proposal.groups:
        best, own = group.candidates[0] if group.candidates else None, group.candidate(frames[group.number])
        if best is not None and own is not None and best.score - own.score >= MARGIN:
            value = f"{own.crs} {own.score:.2f} < {best.crs} {best.score:.2f} × {len(group.rows)}"
            issues.append(Issue(FILE, None, value, "crs_doubtful", "warning"))
        elif chosen and group.winner is not None and frames[group.number].name == group.winner:
            issues.append(Issue(FILE, None, f"{group.winner} × {len(group.rows)}", "crs_chosen", "warning"))
    likely = [(g.candidates[0], g) for g in proposal.groups if g.candidates]
    likely = [(best, g) for best, g in likely if best.inside >= _MOST]
    if len(set(frames.values())) == 1 and len({best.crs for best, _ in likely}) > 1:
        value = ", ".join(f"{best.crs} × {len(g.rows)}" for best, g in likely)
        issues.append(Issue(FILE, None, value, "crs_mixed", "warning"))
    return issues + _shifted_codes(reading, proposal, frames, points, evidence)


# A registered thing found this far off, in metres, and brought near by taking a shift back, was shifted: GCJ-02
# moves by 300 to 700 m, BD-09 by up to 1.2 km; "near" is a third of the distance.
_SHIFT_FROM_M, _SHIFT_TO_M, _NEARER = 300.0, 1_500.0, 1 / 3


def _shifted_codes(
    reading: Reading,
    proposal: Proposal,
    frames: Mapping[int, Frame],
    points: NDArray[np.float64],
    evidence: Evidence,
) -> list[Issue]:
    """A warning for each row whose registered position is a web map's shift away."""
    pairs = known_pairs(reading, points, evidence)
    if pairs is None:
        return []
    issues = []
    for group in proposal.groups:
        frame = frames[group.number]
        at = np.flatnonzero(np.isin(pairs.rows, group.rows, assume_unique=True))
        if not len(at) or not frame.degrees or frame.shifted or frame.old_datum is not None:
            continue
        off = np.hypot(*pairs.offsets(frame, evidence.extent)[at].T)
        for name in ("GCJ-02", "BD-09"):
            other = frame_of(name).swap() if frame.swapped else frame_of(name)
            left = np.hypot(*pairs.offsets(other, evidence.extent)[at].T)
            moved = (off >= _SHIFT_FROM_M) & (off <= _SHIFT_TO_M) & (left <= _NEARER * off)
            issues += [
                Issue(row, "geom", f"{metres:.0f} m → {name}", "datum_suspected", "warning")
                for row, metres in zip(pairs.rows[at[moved]].tolist(), off[moved].tolist(), strict=True)
            ]
            off = np.where(moved, 0.0, off)
    return issues
