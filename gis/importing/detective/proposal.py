"""What the detective found: groups of rows, and for each the frames it may be in, ranked by evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gis.importing.detective.frames import Frame, Words
from gis.importing.detective.measures import Pairs

__all__ = ["Candidate", "Group", "Proposal"]


@dataclass(frozen=True)
class Candidate:
    """One frame that a group of rows may be in.

    Attributes
    ----------
    score : float
        0 to 1: how well the evidence fits, and how common the frame is; see docs/coordinates.md.
    inside : float
        Share of the group's rows that fall into the district's extent.
    evidence : list of (zh, en)
        Sentences that a person can check.
    centre : (lon, lat) or None
        The middle of the sampled rows read in this frame, degrees; for an old datum some 100 m off.
    bbox : (west, south, east, north) or None
        The box of the sampled rows read in this frame, degrees.
    sample : list of (lon, lat)
        A few of the rows read in this frame, degrees, for a map.
    offset_m : (east, north, spread, pairs) or None
        The median offset from registered positions in metres, how much it varies, from how many pairs.
    """

    frame: Frame
    score: float
    inside: float
    evidence: list[Words] = field(default_factory=list)
    centre: tuple[float, float] | None = None
    bbox: tuple[float, float, float, float] | None = None
    sample: list[tuple[float, float]] = field(default_factory=list)
    offset_m: tuple[float, float, float, int] | None = None

    @property
    def crs(self) -> str:
        """What to write after ``--crs`` to choose it."""
        return self.frame.name

    def as_dict(self) -> dict[str, Any]:
        """For JSON; ``centre``, ``bbox`` and ``sample`` in degrees (CRS84)."""
        old = self.frame.old_datum
        return {
            "crs": self.crs,
            "title": {"zh": self.frame.zh, "en": self.frame.en},
            "swapped": self.frame.swapped,
            "score": round(self.score, 3),
            "inside": round(self.inside, 4),
            "needs_parameters": {"zh": old[0], "en": old[1]} if old else None,
            "evidence": [{"zh": zh, "en": en} for zh, en in self.evidence],
            "centre": _rounded(self.centre),
            "bbox": _rounded(self.bbox),
            "sample": [_rounded(point) for point in self.sample],
        }


def _rounded(numbers: tuple[float, ...] | None) -> list[float] | None:
    return [round(v, 6) for v in numbers] if numbers is not None else None


@dataclass(frozen=True)
class Group:
    """Rows of one kind: ``number`` from 1, ``rows`` as positions in the file from 0, best candidate first."""

    number: int
    rows: NDArray[np.int64]
    candidates: list[Candidate]
    winner: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON; rows are counted from 1 and given as count, first and last."""
        return {
            "number": self.number,
            "rows": len(self.rows),
            "first_row": int(self.rows[0]) + 1,
            "last_row": int(self.rows[-1]) + 1,
            "candidates": [candidate.as_dict() for candidate in self.candidates],
            "winner": self.winner,
        }

    def candidate(self, frame: Frame) -> Candidate | None:
        """What was found about ``frame``."""
        return next((c for c in self.candidates if c.frame.same_as(frame)), None)


@dataclass(frozen=True)
class Proposal:
    """The groups, largest first, and what to make of them.

    Attributes
    ----------
    declared : str or None
        The frame that the file states, or that its format or its columns' names stand for.
    declared_fits : bool or None
        Whether the evidence lets it stand; None when nothing is declared or nothing can be said.
    winner : str or None
        The frame that is clear for every group, by the rule in docs/coordinates.md.
    sentence : (zh, en)
        The finding in one sentence.
    sampled, total : int
        Rows with a position, and all rows of the file.
    points : (n, 2) array
        One position a row, as the file has it; NaN without geometry.
    pairs : Pairs or None
        The rows whose code is registered, with both positions.
    """

    groups: list[Group]
    declared: str | None
    declared_fits: bool | None
    winner: str | None
    sentence: Words
    sampled: int
    total: int
    points: NDArray[np.float64] = field(repr=False)
    pairs: Pairs | None = field(default=None, repr=False)

    @property
    def main(self) -> Group | None:
        """The largest group; None when no row has a geometry."""
        return self.groups[0] if self.groups else None

    def ranked(self, language: str, most: int = 4) -> str:
        """The best candidates of each of the first groups in words."""
        zh = language == "zh"
        if not self.groups:
            return "文件中没有坐标" if zh else "the file has no coordinates"
        parts = []
        for group in self.groups[:3]:
            named = [
                f"{c.crs}（{c.frame.zh}，{c.score:.2f}）" if zh else f"{c.crs} ({c.frame.en}, {c.score:.2f})"
                for c in group.candidates[:most]
            ]
            head = (
                f"第 {group.number} 组 {len(group.rows)} 行："
                if zh
                else f"group {group.number}, {len(group.rows)} rows: "
            )
            nothing = "没有合适的" if zh else "nothing fits"
            parts.append(
                (head if len(self.groups) > 1 else "") + (("、" if zh else ", ").join(named) or nothing)
            )
        return ("；" if zh else "; ").join(parts)

    def as_dict(self) -> dict[str, Any]:
        """The one form that command line, JSON and the web show."""
        return {
            "groups": [group.as_dict() for group in self.groups],
            "declared": self.declared,
            "declared_fits": self.declared_fits,
            "winner": self.winner,
            "sentence": {"zh": self.sentence[0], "en": self.sentence[1]},
            "sampled": self.sampled,
            "total": self.total,
        }
