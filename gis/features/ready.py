"""Pages of points in a box out of what is kept ready of a layer: texts in the order of the grid, and counts.

It is used where it says exactly what the rows say: for the last revision of the layer, with its sources
called as they are called now, and for whoever sees every row and the very fields of the texts. The database
shows each role only the forms that are its own (`gis.rights`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import aggregate_order_by

from gis import tables
from gis.db import scope_of
from gis.features.grid import PLACELESS, Box
from gis.features.places import Place
from layers.model import Layer

__all__ = ["Ready", "ReadyRow", "count_ready", "find_ready", "read_ready", "read_texts", "source_words"]

ReadyRow = tuple[int, int, int, bytes]
"""Band, cell, row_id, and the feature."""


@dataclass(frozen=True)
class Ready:
    """What is kept ready of a layer: its form, its bands with rows (None: none), and rows without a place.

    ``is_current``: the rows are just those of the revision asked for. Else only single texts serve.
    """

    form: str
    south: int | None
    north: int | None
    placeless: int
    is_current: bool


def source_words(among: Any) -> Any:
    """What the sources whose numbers are ``among`` are called in features, as one text."""
    s = tables.sources
    words = func.concat_ws("|", s.c.source_id, s.c.name, s.c.is_demonstration)
    joined = func.string_agg(words, aggregate_order_by(text("','"), s.c.source_id))
    return select(func.coalesce(joined, "")).where(s.c.source_id == func.any(among)).scalar_subquery()


_TOUCHED = (
    select(func.max(tables.revision_layers.c.rev))
    .where(tables.revision_layers.c.layer == bindparam("layer"))
    .scalar_subquery()
)
_F = tables.item_forms.c
_HELD = select(
    _F.form, _F.south, _F.north, _F.placeless, and_(_F.rev == _TOUCHED, _F.rev <= bindparam("rev"))
).where(_F.form == bindparam("form"), _F.sources == source_words(_F.source_ids))


def find_ready(conn: Connection, layer: Layer, rev: int) -> Ready | None:
    """What is kept ready of ``layer`` for whoever ``conn`` reads for at ``rev``; None: nothing that holds."""
    scope, form = scope_of(conn), tables.form_of(layer)
    if form is None or (scope is not None and scope.areas is not None):
        return None
    row = conn.execute(_HELD, {"form": form, "layer": layer.id, "rev": rev}).one_or_none()
    return None if row is None else Ready(*row)


def read_texts(conn: Connection, ready: Ready, row_ids: Sequence[int]) -> dict[int, bytes]:
    """The features of those of ``row_ids`` that are kept; a row never changes, nor does its text."""
    with _cursor(conn) as cursor:
        cursor.execute(
            "SELECT row_id, feature FROM core.item_rows WHERE form = %s AND row_id = ANY (%s)",
            (ready.form, list(row_ids)),
        )
        return dict(cursor.fetchall())


# Bands one by one, in each the cells of the box: as rows stand in the index.
_ROWS = """
SELECT r.gy, r.gx, r.row_id, r.feature
FROM (
    SELECT gy, %(first_gx)s::int AS west, %(last_gx)s::int AS east
    FROM generate_series(%(first_gy)s::int, %(last_gy)s::int) AS gy {placeless} ORDER BY gy {down}
) AS band
CROSS JOIN LATERAL (
    SELECT i.row_id, i.gy, i.gx, i.feature FROM core.item_rows AS i
    WHERE i.form = %(form)s AND i.gy = band.gy AND i.gx BETWEEN band.west AND band.east
      AND (i.x IS NULL OR i.x BETWEEN %(west)s AND %(east)s AND i.y BETWEEN %(south)s AND %(north)s) {beyond}
    ORDER BY i.gx {down}, i.row_id {down} LIMIT %(most)s
) AS r
ORDER BY band.gy {down}, r.gx {down}, r.row_id {down} LIMIT %(limit)s OFFSET %(offset)s
"""
_PLACELESS = f"UNION ALL SELECT {PLACELESS}, 0, 0"
_BEYOND = "AND (i.gy, i.gx, i.row_id) {sign} (%(at_gy)s, %(at_gx)s, %(at_row)s)"


def read_ready(
    conn: Connection, ready: Ready, box: Box, *, limit: int, offset: int, place: Place | None, back: bool
) -> list[ReadyRow]:
    """At most ``limit`` rows in ``box`` or without a place, behind ``place``; ``back``: before, turned."""
    first, last = _bands(ready, box)
    values: dict[str, Any] = {
        **asdict(box), "form": ready.form, "limit": limit, "offset": offset, "most": limit + offset,
    }  # fmt: skip
    if place is not None:
        values["at_gy"], values["at_gx"] = place.values
        values["at_row"] = place.row_id
        first, last = (first, min(last, place.values[0])) if back else (max(first, place.values[0]), last)
    statement = _ROWS.format(
        placeless=_PLACELESS if ready.placeless else "",
        down="DESC" if back else "",
        beyond="" if place is None else _BEYOND.format(sign="<" if back else ">"),
    )
    with _cursor(conn) as cursor:
        cursor.execute(statement, values | {"first_gy": first, "last_gy": last})
        found: list[ReadyRow] = cursor.fetchall()
    return found


# Whole cells from sums, and row by row only what lies in the cells on the rim of the box.
_COUNT = """
SELECT (
    SELECT coalesce(sum(
        coalesce((SELECT c.upto FROM core.item_cells AS c WHERE c.form = %(form)s AND c.gy = band.gy
                  AND c.gx < %(last_gx)s ORDER BY c.gx DESC LIMIT 1), 0)
        - coalesce((SELECT c.upto FROM core.item_cells AS c WHERE c.form = %(form)s AND c.gy = band.gy
                    AND c.gx <= %(first_gx)s ORDER BY c.gx DESC LIMIT 1), 0)), 0)
    FROM generate_series(%(inner_first)s::int, %(inner_last)s::int) AS band(gy)
    WHERE %(first_gx)s < %(last_gx)s
) + (
    SELECT coalesce(sum(met.n), 0)
    FROM (SELECT gy, %(first_gx)s::int AS west, %(last_gx)s::int AS east
          FROM (VALUES (%(first_gy)s::int), (%(last_gy)s::int)) AS ends(gy) GROUP BY gy
          UNION ALL
          SELECT band.gy, side.gx, side.gx
          FROM generate_series(%(inner_first)s::int, %(inner_last)s::int) AS band(gy),
               (SELECT %(first_gx)s::int AS gx UNION SELECT %(last_gx)s::int) AS side) AS rim
    CROSS JOIN LATERAL (
        SELECT count(*) AS n FROM core.item_rows AS i
        WHERE i.form = %(form)s AND i.gy = rim.gy AND i.gx BETWEEN rim.west AND rim.east
          AND i.x BETWEEN %(west)s AND %(east)s AND i.y BETWEEN %(south)s AND %(north)s) AS met
)
"""


def count_ready(conn: Connection, ready: Ready, box: Box) -> int:
    """How many rows lie in ``box``, its sides included, or have no place."""
    first, last = _bands(ready, box)
    values = {
        **asdict(box), "form": ready.form,
        "inner_first": max(first, box.first_gy + 1), "inner_last": min(last, box.last_gy - 1),
    }  # fmt: skip
    with _cursor(conn) as cursor:
        cursor.execute(_COUNT, values)
        (found,) = cursor.fetchone()
    return int(found) + ready.placeless


def _cursor(conn: Connection) -> Any:
    """A cursor of the driver itself: texts come as the bytes that they are kept as, and nothing reads on."""
    driver = conn.connection.driver_connection
    assert driver is not None  # the connection has not been given back
    return driver.cursor(binary=True)


def _bands(ready: Ready, box: Box) -> tuple[int, int]:
    """The first and the last band of ``box`` in which there may be rows; none when the first lies behind."""
    if ready.south is None or ready.north is None:
        return 1, 0
    return max(box.first_gy, ready.south), min(box.last_gy, ready.north)
