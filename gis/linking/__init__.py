"""Rows of different sources that mean the same thing: found, decided by people, compared."""

from gis.linking.candidates import Candidate, candidates
from gis.linking.decisions import Decision, decide, list_decisions, undo
from gis.linking.disagreements import refresh
from gis.linking.things import Claim, Thing, thing

__all__ = [
    "Candidate",
    "Claim",
    "Decision",
    "Thing",
    "candidates",
    "decide",
    "list_decisions",
    "refresh",
    "thing",
    "undo",
]
