"""What is prepared of layers so that their tiles are drawn fast; made anew at any time."""

from __future__ import annotations

from geoalchemy2 import Geometry
from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, SmallInteger, Table, Text

from gis.crs import WEB_MERCATOR
from gis.tables.core import CORE

__all__ = [
    "tile_cells",
    "tile_levels",
    "tile_rows",
    "tile_shapes",
]

tile_levels = Table(
    "tile_levels",
    CORE,
    Column("layer", Text, primary_key=True),
    Column("rev", BigInteger, nullable=False, comment="last revision of the layer in the levels"),
    Column("rendering", Text, nullable=False, comment="what was drawn and how; else it is not used"),
    Column("demonstration", Text, nullable=False, comment="sources that were demonstration data"),
    Column("finest", SmallInteger, comment="the last zoom whose points are summed; null: none"),
    comment="Up to which revision the levels of a layer have been prepared",
)

tile_rows = Table(
    "tile_rows",
    CORE,
    Column("layer", Text, primary_key=True),
    Column("row_id", BigInteger, primary_key=True, autoincrement=False),
    *(Column(side, Double, nullable=False) for side in ("west", "south", "east", "north")),
    comment="Rows whose shape is prepared, each with its box in EPSG:3857",
)

tile_shapes = Table(
    "tile_shapes",
    CORE,
    Column("layer", Text, primary_key=True),
    Column("z", SmallInteger, primary_key=True, autoincrement=False),
    Column("cx", Integer, primary_key=True, autoincrement=False),
    Column("cy", Integer, primary_key=True, autoincrement=False),
    Column("row_id", BigInteger, primary_key=True, autoincrement=False),
    Column(
        "geom",
        Geometry(srid=WEB_MERCATOR, spatial_index=False),
        comment="what of the shape lies in and around the tile; null: it covers it, z is -1 - zoom",
    ),
    Index(None, "layer", "row_id"),
    comment="Large shapes, simplified for each zoom and cut by its tiles",
)

tile_cells = Table(
    "tile_cells",
    CORE,
    Column("layer", Text, primary_key=True),
    Column("z", SmallInteger, primary_key=True, autoincrement=False),
    Column("gx", Integer, primary_key=True, autoincrement=False),
    Column("gy", Integer, primary_key=True, autoincrement=False),
    Column("n", Integer, nullable=False),
    Column("uid", Text, comment="of a single row"),
    Column("label", Text, comment="of a single row"),
    Column("rank", SmallInteger, comment="place in the legend of the first class"),
    Column("is_indicative", Boolean, nullable=False),
    Column("is_demonstration", Boolean, nullable=False),
    Column("bbox", Text, comment="of several rows: the box around them in degrees, as tiles say it"),
    *(Column(side, Double, nullable=False) for side in ("west", "south", "east", "north")),
    comment="Current points of a layer summed on the grid of each zoom, 64 cells to the side of a tile",
)
