"""Geometric facts about many subjects and many zones: what meets what, how much, how far, how surely.

Pure functions of arrays in metres of one measuring plane. The kernel knows no law, no layer and no database;
it says how a geometry lies to a set of zones, and leaves what that means to the rules.

    cut                       zones in small pieces                               -> Pieces
    ZoneSet.prepare           zones with their indexes                            -> ZoneSet
    points_in_zones           which points lie in which zones                     -> pairs
    intersecting, within      which geometries meet or are near which zones       -> pairs
    overlap, distance         area or length shared, distance of pairs            -> float64
    bearing, witness          direction and what to draw for pairs                -> float64, geometries
    signed_margin             how deep inside or how far outside the union        -> Margin
    classify_points           verdicts of points, with error                      -> PointVerdicts
    throughout                all of a site by one verdict                        -> Parts
    split, combine, uncovered parts of a site by verdict                          -> Parts
    reassigned                some verdicts of parts as another one               -> Parts
    sharing                   witness and overlap of one pair                     -> geometry, float
"""

from gis.kernel.cutting import Pieces, cut
from gis.kernel.margin import (
    Margin,
    depth_within,
    depths_within,
    gap_from_outside,
    margin_inside,
    side_of,
    signed_margin,
)
from gis.kernel.measures import bearing, distance, overlap, sharing, size, size_of, witness
from gis.kernel.pairs import intersecting, points_in_zones, within
from gis.kernel.parts import Parts, combine, reassigned, split, throughout, uncovered
from gis.kernel.points import PointVerdicts, classify_points
from gis.kernel.verdicts import CLEAR, CONFLICT, EDGE, UNKNOWN
from gis.kernel.zones import ZoneSet

__all__ = [
    "CLEAR",
    "CONFLICT",
    "EDGE",
    "UNKNOWN",
    "Margin",
    "Parts",
    "Pieces",
    "PointVerdicts",
    "ZoneSet",
    "bearing",
    "classify_points",
    "combine",
    "cut",
    "depth_within",
    "depths_within",
    "distance",
    "gap_from_outside",
    "intersecting",
    "margin_inside",
    "overlap",
    "points_in_zones",
    "reassigned",
    "sharing",
    "side_of",
    "signed_margin",
    "size",
    "size_of",
    "split",
    "throughout",
    "uncovered",
    "within",
    "witness",
]
