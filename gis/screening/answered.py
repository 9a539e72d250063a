"""What one question of a rule found."""

from __future__ import annotations

from dataclasses import dataclass

from gis.screening.ground import Answer, Codes
from gis.screening.hits import Hits

__all__ = ["Answered"]


@dataclass(eq=False, slots=True)
class Answered:
    """What one question found; several rules may share it, so nobody writes to it.

    Attributes
    ----------
    answer : Answer
        With what attributes leave open.
    hits : Hits
        The zones behind it.
    zone_count : int
        How many zones it was about.
    straight : int8[n] or None
        See `gis.screening.judgement.RuleOutcome`.
    """

    answer: Answer
    hits: Hits
    zone_count: int = 0
    straight: Codes | None = None
