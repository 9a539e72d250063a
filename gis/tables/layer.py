"""The typed table of a layer, as its definition says."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from geoalchemy2 import Geometry
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from gis.crs import WEB_MERCATOR, has_web_degrees
from gis.kept import for_each
from gis.tables.core import NAMING, rule_texts
from layers.model import Field, Layer

__all__ = [
    "COARSE_M",
    "MADE_FROM",
    "NOT_CONTENT",
    "ROW_COLUMNS",
    "code_check",
    "has_web_index",
    "table_for",
    "told",
]

_TYPES: dict[str, type[TypeEngine[Any]]] = {
    "text": Text,
    "enum": Text,
    "integer": BigInteger,
    "number": Double,
    "boolean": Boolean,
    "date": Date,
}


def told(layer: Layer) -> frozenset[str]:
    """The fields of ``layer`` that `rule_texts` tells, alone or beside its rows; none for most layers."""
    if len(layer.stored_fields) == len(layer.fields):
        return frozenset()
    own = {"text_id", "rules", "rev_from", "rev_to"}
    return frozenset(field.name for field in layer.fields) & set(rule_texts.c.keys()) - own


COARSE_M = 100
"""Metres: current rows with a larger error have an index of their own."""

# Columns that every layer row has beside its fields, in the order of the "now" views.
ROW_COLUMNS = ("accuracy_m", "is_indicative", "source_id", "valid_from", "valid_to", "rev_from", "rev_to")


def _field_column(field: Field) -> Column[object]:
    kind = DateTime(timezone=True) if field.type == "datetime" else _TYPES[field.type]()
    comment = f"{field.title.zh} / {field.title.en}" + (f" [{field.unit}]" if field.unit else "")
    return Column(field.name, kind, nullable=not field.required, comment=comment)


def code_check(layer: Layer, field: Field) -> CheckConstraint | None:
    """The CHECK that keeps an enumeration to its codes; its name carries a hash of them, so change shows."""
    if field.type != "enum":
        return None
    codes = [value.code for value in field.code_list]
    digest = hashlib.sha256("\0".join(codes).encode()).hexdigest()[:8]
    quoted = ", ".join("'" + code.replace("'", "''") + "'" for code in codes)
    return CheckConstraint(f'"{field.name}" IN ({quoted})', name=f"{field.name}_{digest}")


NOT_CONTENT = frozenset({"areas", "rests_on"})
"""Columns of a layer that say who may see a row, not what it states: derived anew, never a revision."""

MADE_FROM: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "conflicts": ("subject_layer", ("subject_uid",)),
    "disagreements": ("layer", ("uid_shown", "uid_other")),
}
"""A row that was made from others is for those who see them: the columns with their layer and their uids."""


def has_web_index(layer: Layer, storage_crs: int) -> bool:
    """Whether rows have an index of their places in EPSG:3857; else that in the storage CRS serves for both.

    Rows of derived layers are written by the ten thousand, and a spatial index is what costs most of it. In
    degrees that the formula of EPSG:3857 takes as they are, a box there is a box here.
    """
    return layer.role != "derived" or not has_web_degrees(storage_crs)


def table_for(layer: Layer, storage_crs: int) -> Table:
    """The table of ``layer`` in schema ``layer``, its geometry in EPSG:``storage_crs``, x,y order.

    That of a generalised layer, which holds its cells, is in schema ``general``.

    ``geom_web`` repeats the geometry in EPSG:3857, made at write time by the same explicitly chosen
    transformation that everything else uses, so that tiles neither transform nor trust the server's choice.

    The same layer has the same table each time: to make one takes longer than most statements about it.
    """
    made = _made_of(layer)
    if storage_crs not in made:
        made[storage_crs] = _make(layer, storage_crs)
    return made[storage_crs]


@for_each(size=256)
def _made_of(_: Layer) -> dict[int, Table]:
    """The tables of a layer that were made already, by storage CRS."""
    return {}


def _make(layer: Layer, storage_crs: int) -> Table:
    metadata = MetaData(schema="general" if layer.is_generalised else "layer", naming_convention=NAMING)
    columns: list[Column[object]] = [
        Column("row_id", BigInteger, Identity(), primary_key=True),
        Column("uid", Text, nullable=False),
        *(_field_column(field) for field in layer.stored_fields),
    ]
    if layer.has_geometry:
        columns += [
            Column("geom", Geometry(layer.geometry.upper(), srid=storage_crs, spatial_index=False)),
            Column("geom_web", Geometry("GEOMETRY", srid=WEB_MERCATOR, spatial_index=False)),
        ]
    columns += [
        Column("accuracy_m", Double, comment="bound of the position error in metres; null is unknown"),
        Column("is_indicative", Boolean, nullable=False, server_default="false"),
        Column("source_id", Integer, nullable=False),
        Column("valid_from", Date),
        Column("valid_to", Date),
        Column("rev_from", BigInteger, nullable=False),
        Column("rev_to", BigInteger),
        Column("areas", ARRAY(Text), comment="codes of the areas it lies in or touches; null: not known"),
    ]
    if layer.role == "derived":
        columns.append(Column("rests_on", ARRAY(Text), comment="layers, and layer.field, it was made from"))
    checks = [check for field in layer.stored_fields if (check := code_check(layer, field)) is not None]
    title = f"{layer.title.zh} / {layer.title.en}"
    table = Table(layer.id, metadata, *columns, *checks, comment=title, info={"layer": layer})
    current = table.c.rev_to.is_(None)
    if layer.role == "derived":
        # Long names, written by the ten thousand: hashes cost less to keep. That no two current rows share
        # one is seen to where they are compared (`gis.applying`), which nothing goes around.
        Index(f"ix_{layer.id}_uid", table.c.uid, postgresql_using="hash")
    else:
        Index(f"uq_{layer.id}_current_uid", table.c.uid, unique=True, postgresql_where=current)
        Index(f"ix_{layer.id}_uid", table.c.uid)
    Index(f"ix_{layer.id}_revs", table.c.rev_from, table.c.rev_to)
    # For roles that see some areas only; where no areas are known it is empty and costs nothing.
    known = table.c.areas.is_not(None)
    Index(f"ix_{layer.id}_areas", table.c.areas, postgresql_using="gin", postgresql_where=known)
    _, made_from = MADE_FROM.get(layer.derived or "", ("", ()))
    for field in layer.stored_fields:
        if field.indexed:
            name, method = f"ix_{layer.id}_{field.name}", "hash" if field.name in made_from else "btree"
            Index(name, table.c[field.name], postgresql_where=current, postgresql_using=method)
    if layer.has_geometry:
        # The few rows whose place may be far off are looked for apart, so that they widen no search for all.
        coarse = and_(current, table.c.accuracy_m > COARSE_M)
        Index(f"ix_{layer.id}_coarse", table.c.accuracy_m, postgresql_where=coarse)
        Index(f"ix_{layer.id}_geom", table.c.geom, postgresql_using="gist")
        # A box never leaves out what has no place; the spatial index finds those by reading all of itself.
        placeless = table.c.geom.is_(None)
        Index(f"ix_{layer.id}_placeless", table.c.row_id, postgresql_where=placeless)
        if has_web_index(layer, storage_crs):
            Index(f"ix_{layer.id}_geom_web", table.c.geom_web, postgresql_using="gist")
    return table
