"""The piece of a zone that is nearest to a subject."""

from __future__ import annotations

import numpy as np
import shapely

from gis.errors import KernelInputError
from gis.kernel.arrays import Floats, Geometries, Indices
from gis.kernel.threads import each_zone
from gis.kernel.zones import ZoneSet

__all__ = ["nearest_piece", "rows_by_zone"]

MANY_PIECES = 8
"""The index of a zone of more pieces is kept with it: making it costs more than most questions."""


def rows_by_zone(zone: Indices) -> tuple[Indices, list[Indices]]:
    """The distinct zones among ``zone`` and, for each, the rows where it stands."""
    order = np.argsort(zone, kind="stable")
    names, first = np.unique(zone[order], return_index=True)
    return names.astype(np.int64), np.split(order, first[1:]) if len(names) else []


def nearest_piece(
    subjects: Geometries, zones: ZoneSet, s: Indices, z: Indices, *, threads: int | None = None
) -> tuple[Indices, Floats]:
    """For each pair (s[i], z[i]) the zone's piece nearest to the subject and its distance in metres.

    Returns
    -------
    tuple of int64[k], float64[k]
        Index into ``zones.pieces`` and distance; 0 where they meet.

    Raises
    ------
    KernelInputError
        When a pair names an empty subject or an empty zone: nothing is near those.
    """
    if shapely.is_empty(subjects[s]).any() or shapely.is_empty(zones.geoms[z]).any():
        raise KernelInputError("A pair names an empty geometry.", "几何对中含空几何。")
    piece = np.zeros(len(s), dtype=np.int64)
    distance = np.zeros(len(s))
    if not len(s):
        return piece, distance  # and nothing is cut
    names, rows = rows_by_zone(z)
    start, geoms = zones.piece_start, zones.pieces.geoms
    rows_of = dict(zip(names.tolist(), rows, strict=True))

    def nearest(zone: int) -> None:
        mine = rows_of[zone]
        large = start[zone + 1] - start[zone] > MANY_PIECES
        tree = zones.alone(zone).tree if large else shapely.STRtree(geoms[start[zone] : start[zone + 1]])
        (_, found), gap = tree.query_nearest(subjects[s[mine]], return_distance=True, all_matches=False)
        piece[mine], distance[mine] = found + start[zone], gap

    each_zone(nearest, names, zones.weight[names], threads)
    return piece, distance
