"""Which prepared levels of a layer may be used: those that say exactly what the rows say.

`core.tile_levels` names the last revision that the levels of a layer know, how they were drawn, and which
sources were demonstration data then. Cut shapes are kept by row, and a row is never changed, so they hold at
any revision; a sum holds as long as no row of its cell comes or goes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, ScalarSelect, Text, cast, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from gis import tables
from gis.db import scope_of
from gis.revisions import last_touch
from layers.model import Layer

__all__ = ["Levels", "codes", "demonstration_sources", "held_levels", "rendering_hash", "sees_whole"]

# Changes with every change of what tiles or levels hold, so that no cache and no level serves an old one.
_RENDERING = "4"


@dataclass(frozen=True)
class Levels:
    """What may be used for one tile: cut ``shapes``, and sums of points to zoom ``finest`` (None: none).

    The sums are those of revision ``upto``; the tile is wanted at ``wanted``.
    """

    shapes: bool = False
    finest: int | None = None
    upto: int = 0
    wanted: int = 0


def rendering_hash(layer: Layer) -> str:
    """A short hash of what, besides the rows, decides about the layer's tiles."""
    by = (layer.style.by if layer.style else None) or ""
    how = f"cells of {layer.access.generalise_m}" if layer.is_generalised else ""
    parts = [
        _RENDERING, how, layer.id, layer.geometry, layer.names.label, str(layer.zoom.min), by, *codes(layer)
    ]  # fmt: skip
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def codes(layer: Layer) -> list[str]:
    """The values of the classifying field in the order of the legend."""
    return [entry.value for entry in layer.style.classes] if layer.style else []


def demonstration_sources() -> ScalarSelect[str]:
    """The sources that are demonstration data, as text."""
    s = tables.sources
    number = cast(s.c.source_id, Text)
    listed = func.string_agg(number, aggregate_order_by(literal(","), s.c.source_id))
    return select(func.coalesce(listed, "")).where(s.c.is_demonstration).scalar_subquery()


def sees_whole(conn: Connection, layer: Layer) -> bool:
    """Whether whoever ``conn`` reads for sees every row of ``layer`` as it is, as far as is known here.

    Levels are made from all rows. Which rows of a derived layer a role sees the database knows alone: it
    shows `core.tile_levels` only to those from whom nothing of the layer is withheld (`gis.rights`).
    """
    scope = scope_of(conn)
    return not layer.is_generalised and (scope is None or scope.areas is None)


def held_levels(conn: Connection, layer: Layer, rev: int | None) -> Levels:
    """The levels of ``layer`` that hold at ``rev`` (None: now) for whoever ``conn`` reads for."""
    if not sees_whole(conn, layer):
        return Levels()
    held = tables.tile_levels
    row = conn.execute(
        select(held.c.rev, held.c.finest, held.c.demonstration == demonstration_sources())
        .where(held.c.layer == layer.id, held.c.rendering == rendering_hash(layer))
    ).one_or_none()  # fmt: skip
    if row is None:
        return Levels()
    upto, finest, same_marks = row
    if finest is None or not same_marks:
        return Levels(shapes=True)
    return Levels(True, finest, upto, last_touch(conn, [layer.id], rev))
