"""What is kept ready of the current rows of layers of points, so that pages are quick; made anew any time."""

from __future__ import annotations

import hashlib

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from gis.tables.core import CORE
from layers.model import Layer

__all__ = ["form_of", "item_blocks", "item_cells", "item_forms", "item_rows"]

# Changes with every change of what a feature says, so that no text of another program is served.
_WORDING = "1"

item_forms = Table(
    "item_forms",
    CORE,
    Column("form", Text, primary_key=True, comment="a layer with the fields that a text tells: gis.tables"),
    Column("layer", Text, nullable=False),
    Column("rev", BigInteger, nullable=False, comment="last revision of the layer that is in it"),
    Column("source_ids", ARRAY(Integer), nullable=False),
    Column("sources", Text, nullable=False, comment="what these sources were called"),
    Column("south", Integer, comment="first band with a row; null: none has a place"),
    Column("north", Integer),
    Column("placeless", Integer, nullable=False, comment="rows without a place"),
    comment="Of which layers the current rows are kept ready, and up to which revision",
)

item_rows = Table(
    "item_rows",
    CORE,
    Column("form", Text, nullable=False),
    Column("gy", Integer, nullable=False, comment="band of the grid, to the north"),
    Column("gx", Integer, nullable=False, comment="cell in the band, to the east"),
    Column("row_id", BigInteger, nullable=False),
    Column("x", Double, comment="in the storage CRS"),
    Column("y", Double),
    Column("feature", LargeBinary, nullable=False, comment="GeoJSON in UTF-8"),
    PrimaryKeyConstraint("form", "gy", "gx", "row_id", postgresql_include=["x", "y"]),
    Index(None, "form", "row_id"),
    comment="Current rows in the order of their places, each with its feature as text",
)

item_blocks = Table(
    "item_blocks",
    CORE,
    Column("form", Text, primary_key=True),
    Column("gy", Integer, primary_key=True, autoincrement=False, comment="band of the grid, to the north"),
    Column("first_gx", Integer, primary_key=True, autoincrement=False, comment="cell of the first row"),
    Column("first_row", BigInteger, primary_key=True, autoincrement=False),
    Column("last_gx", Integer, nullable=False),
    Column("last_row", BigInteger, nullable=False),
    Column("places", LargeBinary, nullable=False, comment="of its rows: gis.features.blocks"),
    Column("texts", LargeBinary, nullable=False, comment="GeoJSON in UTF-8, deflated, behind check sums"),
    comment="Current rows in the order of their places, so many together",
)

item_cells = Table(
    "item_cells",
    CORE,
    Column("form", Text, primary_key=True),
    Column("gy", Integer, primary_key=True, autoincrement=False),
    Column("gx", Integer, primary_key=True, autoincrement=False),
    Column("upto", Integer, nullable=False, comment="rows in the band from its west end through this cell"),
    comment="How many current rows lie in the cells of each band",
)


def form_of(layer: Layer) -> str | None:
    """The name of what is kept ready of ``layer`` as somebody sees it; None: nothing ever is.

    Who does not see some fields has another form, so nobody is given a text that tells more, or less.
    """
    if layer.geometry != "Point" or layer.role == "derived" or layer.is_generalised:
        return None
    parts = [_WORDING, layer.id, *(f"{field.name} {field.type}" for field in layer.fields)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
