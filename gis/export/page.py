"""A layer as a map page that opens without a network: see `gis.mapfile`."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from gis.crs import LONLAT
from gis.export.content import Written
from gis.features import read_rows
from gis.mapfile import map_page
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["write_page"]


def write_page(path: Path, conn: Connection, definition: MapDefinition, layer: Layer, rev: int) -> Written:
    """Write the page of all rows at ``rev``; a page holds them all at once."""
    rows, geometry = read_rows(conn, definition, layer, rev, LONLAT)
    path.write_text(map_page(conn, definition, layer, rows, geometry, rev), encoding="utf-8")
    return Written(len(rows))
