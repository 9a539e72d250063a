"""The CRS detective: which frame a file's coordinates are in, with the evidence for it."""

from gis.importing.detective.evidence import Area, Evidence, Known, Seat, load_evidence
from gis.importing.detective.frames import Frame, frame_of
from gis.importing.detective.proposal import Candidate, Group, Proposal
from gis.importing.detective.propose import declared_frame, propose

__all__ = [
    "Area",
    "Candidate",
    "Evidence",
    "Frame",
    "Group",
    "Known",
    "Proposal",
    "Seat",
    "declared_frame",
    "frame_of",
    "load_evidence",
    "propose",
]
