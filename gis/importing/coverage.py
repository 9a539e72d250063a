"""Where a source's data of a layer are complete: read from a file, renewed with the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import shapely
from sqlalchemy import Connection, func, insert, select, text, update

from gis import tables
from gis.crs import LONLAT, transformation
from gis.importing.detective import declared_frame
from gis.importing.reading import GEOM, TRUSTED, read_file
from gis.revisions import Change, new_revision, note_touch
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["read_coverage", "write_coverage"]


def read_coverage(definition: MapDefinition, path: Path) -> shapely.Geometry:
    """The polygons of a file joined, in the storage CRS; a file that states no CRS is in degrees."""
    district = definition.district
    with read_file(path, limits=TRUSTED) as reading:
        frame = declared_frame(reading.header)
        if frame is None:
            move: Any = transformation(LONLAT, district.storage_crs, district.extent).xy
        else:
            move = frame.move_to(district.storage_crs, district.extent).xy
        shapes = [
            shapely.from_wkb(batch.column(GEOM).drop_null().to_numpy(zero_copy_only=False))
            for batch in reading.batches()
        ]
    return shapely.union_all(shapely.transform(np.concatenate(shapes), move))


def write_coverage(
    conn: Connection,
    layer: Layer,
    source_id: int,
    geometry: shapely.Geometry | None,
    change: Change,
    *,
    who: str,
    note: str,
) -> Change:
    """Renew the source's coverage of the layer where it differs, in the rows' revision or a new one."""
    if geometry is None:
        return change
    c = tables.coverage
    current = (c.c.layer == layer.id, c.c.source_id == source_id, c.c.rev_to.is_(None))
    wkb = shapely.to_wkb(geometry)
    held = conn.scalar(select(text("ST_AsBinary(geom)")).select_from(c).where(*current))
    if held is not None and bytes(held) == wkb:
        return change
    rev = change.rev or new_revision(conn, who=who, kind="import", note=note, source_id=source_id)
    conn.execute(update(c).where(*current).values(rev_to=rev))
    conn.execute(
        insert(c).values(layer=layer.id, source_id=source_id, geom=func.ST_GeomFromWKB(wkb), rev_from=rev)
    )
    if change.rev is None:
        note_touch(conn, rev, layer.id, Change(rev, 0, 0, 0, 0))
    return Change(rev, change.added, change.changed, change.closed, change.unchanged)
