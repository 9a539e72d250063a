"""Which frame a file's coordinates are in: candidates for each group of rows, ranked by evidence."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from gis.errors import CrsError
from gis.importing.detective.attributes import spread_rows
from gis.importing.detective.clues import Clues, clues_of, known_pairs
from gis.importing.detective.evidence import Evidence
from gis.importing.detective.frames import LATLON_NAMES, LONLAT_NAMES, Frame, Words, frame_of
from gis.importing.detective.grouping import group_rows, split_by_places
from gis.importing.detective.measures import Mark, Offsets, Pairs, inside_mark
from gis.importing.detective.points import points_of, share_inside
from gis.importing.detective.proposal import Candidate, Group, Proposal
from gis.importing.reading.spool import Header, Reading
from gis.settings import MapDefinition

__all__ = ["MARGIN", "declared_frame", "propose"]

# GeoJSON (RFC 7946 section 4) and KML (OGC 07-147r2) have no other CRS than this, unless they say so.
_ALWAYS_CRS84 = frozenset({"geojson", "geojsonseq", "kml"})

# What may stand before or after "lon" and still means degrees that are not shifted.
_PLAIN = re.compile(r"^(wgs[_-]?84|cgcs[_-]?2000)[_\s-]*|[_\s-]*\(?(wgs[_-]?84|cgcs[_-]?2000)\)?$")

# The rule of the clear winner. Extent and stated places are too coarse for datums: registered positions or
# shapes must be among the evidence, the winner must fit it well, and no rival may come near. Two systems that
# differ by less than the evidence can tell get nearly the same mark; a shift of 500 m makes 0.9 against 0.1.
CLEAR, MARGIN = 0.6, 0.25
_IN_PLACE = 0.5
_NOTHING = 0.2

Extent = tuple[float, float, float, float]

_SAMPLE_LONLAT = 25
_MOST_SHOWN = 8
# Groups whose attributes are looked at; of a file in more kinds than this only the extent is asked.
_MOST_GROUPS = 6


def declared_frame(header: Header) -> Frame | None:
    """The frame that the file states, or that its format or the names of its columns stand for.

    Columns called longitude and latitude (lon, 经度, ...) stand for degrees; x and y for nothing. Raises
    CrsError when the file states a frame that is unknown.
    """
    if header.declared_crs is not None:
        return frame_of(header.declared_crs)
    if header.format in _ALWAYS_CRS84:
        return frame_of("CRS84")
    return frame_of("CRS84") if _named_degrees(header) else None


def _named_degrees(header: Header) -> bool:
    x, y = (_PLAIN.sub("", (name or "").strip().lower()) for name in (header.x, header.y))
    return x in LONLAT_NAMES and y in LATLON_NAMES


def propose(reading: Reading, definition: MapDefinition, evidence: Evidence) -> Proposal:
    """What the coordinates of ``reading`` may be in, group by group.

    Parameters
    ----------
    reading : Reading
        Coordinates in any frame, x,y as the file has them.
    evidence : Evidence
        From `load_evidence`; with an empty one only the district's extent judges.

    Returns
    -------
    Proposal
        Groups in the order of their size; candidates with positions in degrees. No groups when no row has a
        geometry.
    """
    points = points_of(reading)
    try:
        declared = declared_frame(reading.header)
    except CrsError:
        declared = None
    pairs = known_pairs(reading, points, evidence)
    groups: list[Group] = []
    for frames, rows in split_by_places(group_rows(points, evidence.extent), pairs, evidence.extent):
        asked = [*frames, *_also(declared, frames, points[rows], evidence.extent)]
        looked_at = len(groups) < _MOST_GROUPS
        clues = clues_of(reading, points, rows, pairs, evidence) if looked_at else Clues(points[rows])
        groups.append(_judged(len(groups) + 1, asked, points, rows, clues, declared, evidence))
    return _concluded(reading.header, groups, declared, points, pairs)


def _also(
    declared: Frame | None, frames: tuple[Frame, ...], points: NDArray[np.float64], extent: Extent
) -> list[Frame]:
    """The declared frame, and that with its axes swapped where this puts the rows in place."""
    if declared is None:
        return []
    turned = declared.swap()
    more = [declared, *([turned] if share_inside(points, turned.box(extent)) >= _IN_PLACE else [])]
    return [frame for frame in more if not any(f.same_as(frame) for f in frames)]


def _judged(
    number: int,
    frames: list[Frame],
    points: NDArray[np.float64],
    rows: NDArray[np.int64],
    clues: Clues,
    declared: Frame | None,
    evidence: Evidence,
) -> Group:
    """One group's candidates, best first, and its winner if it has a clear one."""
    held = points[rows]
    low, high = held.min(axis=0), held.max(axis=0)
    judged = []
    for frame in frames:
        box = frame.box(evidence.extent)
        share = share_inside(held, box)
        around = bool((low < box[:2]).all() and (high > box[2:]).all())
        marks, offsets = _marks(frame, share, around, clues, evidence)
        candidate = _candidate(frame, share, marks, offsets, clues, declared, evidence)
        judged.append((candidate, _mean(marks), any(mark.fine for mark in marks)))
    judged.sort(key=lambda found: -found[0].score)
    shown = [
        candidate
        for place, (candidate, _, _) in enumerate(judged)
        if place < _MOST_SHOWN or (declared is not None and candidate.frame.same_as(declared))
    ]
    return Group(number, rows, shown, _clear_winner(judged))


def _clear_winner(judged: list[tuple[Candidate, float, bool]]) -> str | None:
    """The first of the ranked candidates when its evidence, custom left aside, is clear."""
    if not judged:
        return None
    first, fit, fine = judged[0]
    clear = (
        fine
        and first.frame.old_datum is None
        and first.inside >= _IN_PLACE
        and fit >= CLEAR
        and all(fit - other >= MARGIN for _, other, _ in judged[1:])
    )
    return first.crs if clear else None


def _marks(
    frame: Frame, share: float, around: bool, clues: Clues, evidence: Evidence
) -> tuple[list[Mark], Offsets | None]:
    marks, offsets, extent = [inside_mark(share, around)], None, evidence.extent
    if share == 0.0 and not around:  # nowhere near: how far off is no evidence
        return marks, offsets
    if clues.pairs is not None and (found := clues.pairs.mark(frame, extent)) is not None:
        marks.append(found[0])
        offsets = found[1]
    for clue in (clues.restated, clues.shapes):
        if clue is not None and (mark := clue.mark(frame, extent)) is not None:
            marks.append(mark)
    marks += [place.mark(frame, extent) for place in clues.within]
    return marks, offsets


def _mean(marks: list[Mark]) -> float:
    """The weighted geometric mean: one piece of evidence that speaks against a frame counts."""
    weights = np.array([mark.weight for mark in marks])
    fits = np.array([mark.fit for mark in marks])
    return float(np.exp((weights * np.log(fits)).sum() / weights.sum()))


def _candidate(
    frame: Frame,
    share: float,
    marks: list[Mark],
    offsets: Offsets | None,
    clues: Clues,
    declared: Frame | None,
    evidence: Evidence,
) -> Candidate:
    prior = clues.prior(frame, declared)
    words = [mark.words for mark in marks] + ([prior.words] if prior.words[0] else [])
    lonlat = frame.to_lonlat(clues.sample, evidence.extent)
    lonlat = lonlat[np.isfinite(lonlat).all(axis=1)]
    score = _mean([*marks, prior])
    off = (offsets.east, offsets.north, offsets.spread, offsets.n) if offsets is not None else None
    if not len(lonlat):
        return Candidate(frame, score, share, words, offset_m=off)
    middle, low, high = np.median(lonlat, axis=0), lonlat.min(axis=0), lonlat.max(axis=0)
    some = lonlat[spread_rows(np.arange(len(lonlat)), _SAMPLE_LONLAT)]
    return Candidate(
        frame,
        score,
        share,
        words,
        (float(middle[0]), float(middle[1])),
        (float(low[0]), float(low[1]), float(high[0]), float(high[1])),
        [(float(lon), float(lat)) for lon, lat in some],
        off,
    )


def _concluded(
    header: Header,
    groups: list[Group],
    declared: Frame | None,
    points: NDArray[np.float64],
    pairs: Pairs | None,
) -> Proposal:
    groups = [Group(i, g.rows, g.candidates, g.winner) for i, g in enumerate(groups, 1)]
    winners = {g.winner for g in groups}
    winner = winners.pop() if len(winners) == 1 else None
    fits = _declared_fits(groups, declared)
    sampled = int(np.isfinite(points).all(axis=1).sum())
    return Proposal(
        groups,
        declared.name if declared else None,
        fits,
        winner,
        _sentence(header, groups, declared, fits, winner),
        sampled,
        len(points),
        points,
        pairs,
    )


def _declared_fits(groups: list[Group], declared: Frame | None) -> bool | None:
    """Whether what is declared may stand for the largest group: no other frame is clearly better."""
    if declared is None or not groups:
        return None
    main = groups[0]
    own, best = main.candidate(declared), main.candidates[0]
    if own is None or best.inside - own.inside >= _IN_PLACE:
        return False
    if best.inside == 0.0:  # the file is about another place, of which nothing is known here
        return None
    return best.score - own.score < MARGIN


def _stated(header: Header, declared: Frame) -> Words:
    """Who says so: the file, its format, or the names of its columns."""
    if header.format in _ALWAYS_CRS84 and declared.base == "CRS84":
        return f"该格式规定的 {declared.name}", f"{declared.name}, the system of the format,"
    if header.declared_crs is not None:
        return f"文件声明的 {declared.name}", f"{declared.name}, which the file states,"
    return f"列名所示的 {declared.name}", f"{declared.name}, which the columns' names suggest,"


def _sentence(
    header: Header, groups: list[Group], declared: Frame | None, fits: bool | None, winner: str | None
) -> Words:
    if not groups:
        return "文件中没有坐标。", "The file has no coordinates."
    if len(groups) > 1 and len({g.candidates[0].crs for g in groups if g.candidates}) > 1:
        counts = [(len(g.rows), g.candidates[0].crs if g.candidates else "?") for g in groups]
        return (
            "文件中的行分属不同坐标系：" + "，".join(f"{n} 行像 {crs}" for n, crs in counts) + "。",
            "The rows are in different systems: "
            + ", ".join(f"{n} rows look like {crs}" for n, crs in counts)
            + ".",
        )
    best = groups[0].candidates[0] if groups[0].candidates else None
    if best is None or (best.score < _NOTHING and best.inside == 0.0):
        return (
            "按任何常见坐标系都不在本区域内。",
            "In no common reference system do the rows lie in the district.",
        )
    if declared is not None:
        zh, en = _stated(header, declared)
        if fits:
            return f"{zh} 与证据不矛盾。", f"Nothing speaks against {en.removesuffix(',')}."
        return f"{zh} 与证据不符，{best.crs} 更合适。", f"{en} fits the evidence less well than {best.crs}."
    if winner is not None:
        return f"证据明确指向 {winner}。", f"The evidence is clear for {winner}."
    return (
        f"最可能是 {best.crs}，但证据不足以确定，请确认。",
        f"Most likely {best.crs}, but the evidence does not settle it: please confirm.",
    )
