"""Which frame a file's coordinates are in: candidates for each group of rows, ranked by evidence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gis.errors import CrsError
from gis.importing.detective.evidence import Evidence
from gis.importing.detective.frames import LATLON_NAMES, LONLAT_NAMES, Frame, frame_of
from gis.importing.detective.grouping import group_rows
from gis.importing.detective.points import points_of
from gis.importing.detective.proposal import Candidate, Group, Proposal, Words
from gis.importing.reading.spool import Header, Reading
from gis.settings import MapDefinition

__all__ = ["declared_frame", "propose"]

# GeoJSON (RFC 7946 section 4) and KML (OGC 07-147r2) have no other CRS than this, unless they say so.
_ALWAYS_CRS84 = frozenset({"geojson", "geojsonseq", "kml"})


def declared_frame(header: Header) -> Frame | None:
    """The frame that the file states, or that its format or the names of its columns stand for.

    Columns called longitude and latitude (lon, 经度, ...) stand for degrees; x and y for nothing. Raises
    CrsError when the file states a frame that is unknown.
    """
    if header.declared_crs is not None:
        return frame_of(header.declared_crs)
    if header.format in _ALWAYS_CRS84:
        return frame_of("CRS84")
    names = [(name or "").strip().lower() for name in (header.x, header.y)]
    if names[0] in LONLAT_NAMES and names[1] in LATLON_NAMES:
        return frame_of("CRS84")
    return None


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
    extent = evidence.extent
    groups = []
    for number, (frames, rows) in enumerate(group_rows(points, extent), 1):
        asked = list(frames)
        if declared is not None and not any(f.same_as(declared) for f in asked):
            asked.append(declared)
        found = [_candidate(frame, points[rows], extent) for frame in asked]
        groups.append(Group(number, rows, sorted(found, key=lambda c: -c.score)))
    return Proposal(groups, declared.name if declared else None, None, None, _SAID, len(points), len(points))


_SAID: Words = ("", "")


def _candidate(
    frame: Frame, points: NDArray[np.float64], extent: tuple[float, float, float, float]
) -> Candidate:
    box = frame.box(extent)
    inside = float(
        (
            (points[:, 0] >= box[0])
            & (points[:, 0] <= box[2])
            & (points[:, 1] >= box[1])
            & (points[:, 1] <= box[3])
        ).mean()
    )
    return Candidate(frame, inside, inside)
