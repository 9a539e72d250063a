"""The frame in which a file is read on its way into the storage CRS, or the refusal that says what it may be.

The frame is what the user says, else what the file states, else what the evidence makes clear; otherwise the
file is refused with the ranked proposal. Axes are never swapped, and no datum is shifted, without being told.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.crs import LONLAT, transformation
from gis.errors import CrsError, ImportRefused
from gis.importing.detective import Evidence, Frame, Proposal, declared_frame, frame_of, propose
from gis.importing.detective.frames import Move, modern_name
from gis.importing.detective.points import share_inside
from gis.importing.detective.propose import MARGIN
from gis.importing.issues import FILE, Issue, told
from gis.importing.landing import Outside, Part, Placing
from gis.importing.reading.spool import Reading
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["PlaceRefused", "Placing", "decide", "storage_extent"]

Extent = tuple[float, float, float, float]

# A file with no more than this share of its rows in the district has its frame wrong, when another puts at
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
        With reason crs_missing, crs_unknown, crs_group_unknown, crs_wrong, axes_swapped, zone_prefix,
        outside_district or datum_needs_parameters; its text holds the ranked proposal.
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
    points = proposal.points
    parts: list[Part] = []
    part_of = np.zeros(proposal.total, dtype=np.int8)
    for frame in dict.fromkeys(frames.values()):
        rows = np.concatenate([g.rows for g in proposal.groups if frames[g.number] == frame])
        part = Part(frame, _move(definition, frame, proposal))
        _refuse_misplaced(frame, points[rows], extent, proposal, outside)
        part_of[rows] = len(parts)
        parts.append(part)
    chosen = crs.strip().lower() == "auto" and proposal.declared is None
    issues = _doubts(proposal, frames, evidence.extent, chosen)
    return Placing(tuple(parts), part_of if len(parts) > 1 else None, extent, box, outside, proposal, issues)


def _stated(reading: Reading, crs: str, proposal: Proposal) -> Frame | None:
    """The frame the user says, else the file; None when neither does."""
    if crs.strip().lower() != "auto":
        return _named(reading, crs, proposal)
    try:
        return declared_frame(reading.header)
    except CrsError as error:
        said = _shown(str(reading.header.declared_crs))
        raise _refusal("crs_unknown", (said, said), proposal) from error


def _named(reading: Reading, name: str, proposal: Proposal) -> Frame:
    """The frame that the user names; what the file states may be named as the proposal shows it."""
    stated = declared_frame(reading.header) if proposal.declared is not None else None
    if stated is not None and name in (stated.name, stated.swap().name):
        return stated if name == stated.name else stated.swap()
    try:
        return frame_of(name)
    except CrsError as error:
        raise _refusal("crs_unknown", (_shown(name), _shown(name)), proposal) from error


def _shown(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


def _frames(reading: Reading, crs: str, by_group: Mapping[int, str], proposal: Proposal) -> dict[int, Frame]:
    """The frame of each group."""
    chosen = {number: _named(reading, name, proposal) for number, name in by_group.items()}
    known = {group.number for group in proposal.groups}
    for number in chosen.keys() - known:
        raise _refusal("crs_group_unknown", (str(number), str(number)), proposal)
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
    if inside == 0 and len(points) >= _FEW and outside == "refuse" and _possible(frame, points):
        raise _refusal("outside_district", words, proposal)


def _possible(frame: Frame, points: NDArray[np.float64]) -> bool:
    """Whether any of the numbers may be right in the frame; impossible ones are told row by row."""
    whole = (-90.0, -180.0, 90.0, 180.0) if frame.swapped else (-180.0, -90.0, 180.0, 90.0)
    return not frame.degrees or share_inside(points, whole) > 0.0


def _refusal(code: str, value: tuple[str, str], proposal: Proposal, first: str | None = None) -> PlaceRefused:
    """The refusal in both languages: ``first`` is what is offered before the ranked rest."""
    expected = (first, first) if first else (proposal.ranked("zh"), proposal.ranked("en"))
    zh, _, remedy_zh, _ = told(code, value=value[0], expected=expected[0])
    _, en, _, remedy_en = told(code, value=value[1], expected=expected[1])
    return PlaceRefused(en, zh, remedy_en=remedy_en, remedy_zh=remedy_zh, reason=code, proposal=proposal)


def _doubts(proposal: Proposal, frames: Mapping[int, Frame], extent: Extent, chosen: bool) -> list[Issue]:
    """What there is to say about the frames taken: another fits better, there are several, places moved."""
    issues: list[Issue] = []
    for group in proposal.groups:
        best, own = group.candidates[0] if group.candidates else None, group.candidate(frames[group.number])
        lands = own is not None and own.inside >= _MOST  # rows that land elsewhere are told one by one
        if best is not None and own is not None and lands and best.score - own.score >= MARGIN:
            value = f"{own.crs} {own.score:.2f} < {best.crs} {best.score:.2f} × {len(group.rows)}"
            issues.append(Issue(FILE, None, value, "crs_doubtful", "warning"))
        elif chosen and group.winner is not None and frames[group.number].name == group.winner:
            issues.append(Issue(FILE, None, f"{group.winner} × {len(group.rows)}", "crs_chosen", "warning"))
    likely = [(g.candidates[0], g) for g in proposal.groups if g.candidates]
    likely = [(best, g) for best, g in likely if best.inside >= _MOST]
    if len(set(frames.values())) == 1 and len({best.crs for best, _ in likely}) > 1:
        value = ", ".join(f"{best.crs} × {len(g.rows)}" for best, g in likely)
        issues.append(Issue(FILE, None, value, "crs_mixed", "warning"))
    return issues + _shifted_codes(proposal, frames, extent)


# A registered thing found this far off, in metres, and brought near by taking a shift back, was shifted:
# GCJ-02 moves by 300 to 700 m, BD-09 by up to 1.2 km; "near" is a third of the distance.
_SHIFT_FROM_M, _SHIFT_TO_M, _NEARER = 300.0, 1_500.0, 1 / 3


def _shifted_codes(proposal: Proposal, frames: Mapping[int, Frame], extent: Extent) -> list[Issue]:
    """A warning for each row whose registered position is a web map's shift away."""
    pairs = proposal.pairs
    if pairs is None:
        return []
    issues = []
    for group in proposal.groups:
        frame = frames[group.number]
        at = np.flatnonzero(np.isin(pairs.rows, group.rows, assume_unique=True))
        if not len(at) or not frame.degrees or frame.shifted or frame.old_datum is not None:
            continue
        off = np.hypot(*pairs.offsets(frame, extent)[at].T)
        for name in ("GCJ-02", "BD-09"):
            other = frame_of(name).swap() if frame.swapped else frame_of(name)
            left = np.hypot(*pairs.offsets(other, extent)[at].T)
            moved = (off >= _SHIFT_FROM_M) & (off <= _SHIFT_TO_M) & (left <= _NEARER * off)
            issues += [
                Issue(row, "geom", f"{metres:.0f} m → {name}", "datum_suspected", "warning")
                for row, metres in zip(pairs.rows[at[moved]].tolist(), off[moved].tolist(), strict=True)
            ]
            off = np.where(moved, 0.0, off)
    return issues
