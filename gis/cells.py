"""The generalised form of a controlled layer: the cells of a fixed grid that it touches, nothing else of it.

Who may not see the layer itself sees these, as a layer of its own table in schema ``general`` with the same
revisions. A cell is a square of the measuring plane whose corners are multiples of its side, so its outline
says nothing about what touches it; cells of different sources are different rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, LargeBinary, any_, func, insert, literal, select, union, update
from sqlalchemy.dialects.postgresql import ARRAY

from gis import tables
from gis.areas import read_areas
from gis.crs import WEB_MERCATOR, transformation
from gis.revisions import Change, alive, note_touch
from gis.settings import MapDefinition
from layers.access import generalised
from layers.model import Layer

__all__ = ["cells_touched", "note_cells", "renew_cells"]

_PAIRS_AT_ONCE = 500_000


def cells_touched(geometry: NDArray[np.object_], side_m: float) -> NDArray[np.int64]:
    """Column and row of the grid cells that any of ``geometry`` touches, (n, 2), each once, sorted.

    Geometry is in a plane, metres, x,y order; missing and empty ones touch nothing.
    """
    geometry = geometry[~(shapely.is_missing(geometry) | shapely.is_empty(geometry))]
    if not len(geometry):
        return np.empty((0, 2), dtype=np.int64)
    shapely.prepare(geometry)
    found = [_met(geometry, *pairs, side_m) for pairs in _pairs(geometry, side_m)]
    return np.unique(np.concatenate(found), axis=0)


def _pairs(
    geometry: NDArray[np.object_], side_m: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Shapes by number, and beside each a cell of its bounding box, in parts that fit in memory."""
    corners = np.floor(shapely.bounds(geometry) / side_m).astype(np.int64)
    # A bound on a line of the grid touches the cell on its other side too.
    west, south = corners[:, 0] - 1, corners[:, 1] - 1
    wide, high = corners[:, 2] - west + 1, corners[:, 3] - south + 1
    ends = np.cumsum(wide * high)
    start = 0
    while start < len(geometry):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _PAIRS_AT_ONCE, side="right")))
        chosen = np.arange(start, stop)
        shape = np.repeat(chosen, (wide * high)[chosen])
        place = np.arange(len(shape)) - np.repeat(
            ends[chosen] - (wide * high)[chosen] - before, (wide * high)[chosen]
        )
        cell = np.stack([west[shape] + place % wide[shape], south[shape] + place // wide[shape]], axis=1)
        yield shape, cell
        start = stop


def _met(
    geometry: NDArray[np.object_], shape: NDArray[np.int64], cell: NDArray[np.int64], side_m: float
) -> NDArray[np.int64]:
    hit = shapely.intersects(geometry[shape], _squares(cell, side_m))
    return np.unique(cell[hit], axis=0)


def _squares(cell: NDArray[np.int64], side_m: float) -> NDArray[np.object_]:
    west, south = cell[:, 0] * side_m, cell[:, 1] * side_m
    return np.asarray(shapely.box(west, south, west + side_m, south + side_m))


def renew_cells(conn: Connection, definition: MapDefinition, layer: Layer, rev: int) -> None:
    """Bring the cells of ``layer``, as part of revision ``rev``, to what its current rows touch."""
    side_m = layer.access.generalise_m
    assert side_m is not None
    cells = generalised(layer)
    t = tables.table_for(cells, definition.district.storage_crs)
    wanted = _wanted(conn, definition, layer, side_m)
    held = {row.uid: row.row_id for row in conn.execute(select(t.c.uid, t.c.row_id).where(alive(t, None)))}
    gone = [row_id for uid, row_id in held.items() if uid not in wanted]
    if gone:
        old = t.c.row_id == any_(literal(gone, ARRAY(BigInteger)))
        conn.execute(update(t).where(old).values(rev_to=rev))
    new = [uid for uid in wanted if uid not in held]
    if new:
        _add(conn, definition, cells, {uid: wanted[uid] for uid in new}, side_m, rev)
    if gone or new:
        note_touch(conn, rev, layer.id, Change(rev, 0, 0, 0, 0), cells=True)


def note_cells(conn: Connection, definition: MapDefinition, layer: Layer) -> None:
    """Say of the touches of ``layer`` which of them changed its cells, where an older store did not."""
    t = tables.table_for(generalised(layer), definition.district.storage_crs)
    touched = tables.revision_layers
    revs = union(select(t.c.rev_from), select(t.c.rev_to).where(t.c.rev_to.is_not(None)))
    conn.execute(
        update(touched)
        .where(touched.c.layer == layer.id, ~touched.c.cells, touched.c.rev.in_(revs))
        .values(cells=True)
    )


def _wanted(
    conn: Connection, definition: MapDefinition, layer: Layer, side_m: float
) -> dict[str, tuple[int, int, int]]:
    """The source, column and row of each cell by its uid."""
    district = definition.district
    t = tables.table_for(layer, district.storage_crs)
    rows = conn.execute(
        select(t.c.source_id, func.ST_AsBinary(t.c.geom, type_=LargeBinary))
        .where(alive(t, None), t.c.geom.is_not(None))
        .order_by(t.c.source_id)
    ).all()
    if not rows:
        return {}
    sources = np.array([row[0] for row in rows])
    to_plane = transformation(district.storage_crs, district.measuring_crs, district.extent)
    plane = to_plane.geometries(
        np.asarray(shapely.from_wkb(np.array([row[1] for row in rows], dtype=object)))
    )
    found = {}
    for source in np.unique(sources).tolist():
        for x, y in cells_touched(plane[sources == source], side_m).tolist():
            found[f"{side_m:g}/{source}/{x}/{y}"] = (source, x, y)
    return found


def _add(
    conn: Connection,
    definition: MapDefinition,
    cells: Layer,
    wanted: dict[str, tuple[int, int, int]],
    side_m: float,
    rev: int,
) -> None:
    district = definition.district
    t = tables.table_for(cells, district.storage_crs)
    where = np.array(list(wanted.values()), dtype=np.int64)
    to_storage = transformation(district.measuring_crs, district.storage_crs, district.extent)
    stored = to_storage.geometries(_squares(where[:, 1:], side_m))
    web = transformation(district.storage_crs, WEB_MERCATOR, district.extent).geometries(stored)
    place, kinds = read_areas(conn, definition).of(stored, rows=len(stored))
    label = f"{side_m / 1000:g} km"
    rows = [
        {
            "uid": uid, cells.names.label: label, "is_indicative": True, "source_id": int(where[i, 0]),
            "rev_from": rev, "areas": None if place[i] < 0 else list(kinds[place[i]]),
            "geom": _text(stored[i], district.storage_crs),
            "geom_web": _text(web[i], WEB_MERCATOR),
        }
        for i, uid in enumerate(wanted)
    ]  # fmt: skip
    conn.execute(insert(t), rows)


def _text(geometry: shapely.Geometry, crs: int) -> str:
    return f"SRID={crs};{shapely.to_wkt(geometry, rounding_precision=-1)}"
