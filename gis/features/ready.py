"""Pages of points in a box out of what is kept ready of a layer: texts in the order of the grid, and counts.

It is used where it says exactly what the rows say: for the last revision of the layer, with its sources
called as they are called now, and for whoever sees every row and the very fields of the texts. The database
shows each role only the forms that are its own (`gis.rights`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection

from gis.db import Question, driver_cursor
from gis.features.blocks import BLOCK_ROWS, Block, Chosen, chosen, ends_of
from gis.features.grid import PLACELESS, Box
from gis.features.places import Place
from gis.features.standing import Ready

__all__ = [
    "blocks_asked",
    "blocks_wanted",
    "count_asked",
    "count_ready",
    "place_of",
    "read_ready",
    "read_texts",
]


def read_texts(conn: Connection, ready: Ready, row_ids: Sequence[int]) -> dict[int, bytes]:
    """The features of those of ``row_ids`` that are kept; a row never changes, nor does its text."""
    with driver_cursor(conn) as cursor:
        cursor.execute(
            "SELECT row_id, feature FROM core.item_rows WHERE form = %s AND row_id = ANY (%s)",
            (ready.form, list(row_ids)),
        )
        return dict(cursor.fetchall())


# Bands one by one, in each the blocks that reach into the cells of the box: as they stand in the index. One
# that begins west of the box is the last that does, or begins in the same cell; that is asked beside, since
# under a policy only what is known before is looked up in the index.
_BLOCKS = """
SELECT band.gy, b.places, b.texts
FROM (
    SELECT gy, west, east, coalesce((
        SELECT w.first_gx FROM core.item_blocks AS w
        WHERE w.form = %(form)s AND w.gy = bands.gy AND w.first_gx < bands.west
        ORDER BY w.first_gx DESC LIMIT 1), west) AS start
    FROM (
        SELECT gy, CASE gy WHEN {placeless} THEN 0 ELSE %(first_gx)s::int END AS west,
               CASE gy WHEN {placeless} THEN 0 ELSE %(last_gx)s::int END AS east
        FROM unnest(%(bands)s::int[]) AS gy ORDER BY gy {down}
    ) AS bands ORDER BY gy {down}
) AS band
CROSS JOIN LATERAL (
    SELECT i.* FROM core.item_blocks AS i
    WHERE i.form = %(form)s AND i.gy = band.gy AND i.first_gx BETWEEN band.start AND band.east
      AND i.last_gx >= band.west {beyond}
    ORDER BY i.first_gx {down}, i.first_row {down} LIMIT %(most)s
) AS b
ORDER BY band.gy {down}, b.first_gx {down}, b.first_row {down} LIMIT %(most)s
"""
_AFTER = "AND (i.gy, i.last_gx, i.last_row) > (%(at_gy)s, %(at_gx)s, %(at_row)s)"
_BEFORE = "AND (i.gy, i.first_gx, i.first_row) < (%(at_gy)s, %(at_gx)s, %(at_row)s)"
_SPARE = 8


def read_ready(
    conn: Connection, ready: Ready, box: Box, *, limit: int, place: Place | None, back: bool
) -> tuple[Chosen, bool]:
    """At most ``limit`` features in ``box`` or without a place, behind ``place``, and whether there are more.

    ``back``: the last before ``place``. They are in the order of the grid in any case.
    """
    blocks: list[Block] = []
    most = blocks_wanted(limit)
    while True:
        came = _blocks(conn, ready, box, _end(blocks, place, back=back), most, back=back)
        blocks = [*came[::-1], *blocks] if back else [*blocks, *came]
        if not blocks:
            return chosen(blocks, box, limit=limit, place=place, back=back)
        found, more = chosen(blocks, box, limit=limit, place=place, back=back)
        if more or len(came) < most:
            return found, more
        most *= 2


def blocks_wanted(limit: int) -> int:
    """How many blocks to ask for at first for so many features: of many only some lie in the box."""
    return 3 * -(-limit // BLOCK_ROWS) // 2 + _SPARE


def _end(blocks: Sequence[Block], place: Place | None, *, back: bool) -> Place | None:
    """Where to read on: behind the blocks that are there, or before them."""
    if not blocks:
        return place
    return ends_of(blocks[0])[0] if back else ends_of(blocks[-1])[1]


def _blocks(
    conn: Connection, ready: Ready, box: Box, place: Place | None, most: int, *, back: bool
) -> list[Block]:
    """The next blocks that reach into ``box``, ``most`` of them; ``back``: before, turned."""
    asked = blocks_asked(ready.form, box, _bands(ready, box), most, place=place, back=back)
    with driver_cursor(conn) as cursor:
        cursor.execute(*asked)
        return cursor.fetchall()


def blocks_asked(
    form: str, box: Box, bands: list[int], most: int, *, place: Place | None = None, back: bool = False
) -> Question:
    """What to ask for the first ``most`` blocks of ``bands`` (upwards) that reach into ``box``.

    Behind ``place``, if there is one; ``back``: the last before it, turned. Rows are those of `Block`.
    """
    values: dict[str, Any] = {"form": form, "most": most, "first_gx": box.first_gx, "last_gx": box.last_gx}
    if place is not None:
        values["at_gy"], values["at_gx"] = place.values
        values["at_row"] = place.row_id
        bands = [gy for gy in bands if (gy <= place.values[0] if back else gy >= place.values[0])]
    return _blocks_statement(back, place is not None), values | {"bands": bands}


@cache
def _blocks_statement(back: bool, placed: bool) -> str:
    return _BLOCKS.format(
        placeless=PLACELESS,
        down="DESC" if back else "",
        beyond="" if not placed else _BEFORE if back else _AFTER,
    )


_NTH = """
SELECT r.gy, r.gx, r.row_id
FROM (
    SELECT gy, CASE gy WHEN {placeless} THEN 0 ELSE %(first_gx)s::int END AS west,
           CASE gy WHEN {placeless} THEN 0 ELSE %(last_gx)s::int END AS east
    FROM unnest(%(bands)s::int[]) AS gy ORDER BY gy
) AS band
CROSS JOIN LATERAL (
    SELECT i.row_id, i.gy, i.gx FROM core.item_rows AS i
    WHERE i.form = %(form)s AND i.gy = band.gy AND i.gx BETWEEN band.west AND band.east
      AND (i.x IS NULL OR i.x BETWEEN %(west)s AND %(east)s AND i.y BETWEEN %(south)s AND %(north)s)
    ORDER BY i.gx, i.row_id
) AS r
ORDER BY band.gy, r.gx, r.row_id LIMIT 1 OFFSET %(before)s
"""


def place_of(conn: Connection, ready: Ready, box: Box, number: int) -> Place | None:
    """The place of row ``number`` (from 1) of those in ``box`` or without a place; None: there is none."""
    values = {**vars(box), "form": ready.form, "bands": _bands(ready, box), "before": number - 1}
    with driver_cursor(conn) as cursor:
        cursor.execute(_NTH.format(placeless=PLACELESS), values)
        found = cursor.fetchone()
    return None if found is None else Place(found[2], (found[0], found[1]))


# Whole cells from sums, and row by row only what lies in the cells on the rim of the box.
_COUNT = """
SELECT (
    SELECT coalesce(sum(
        coalesce((SELECT c.upto FROM core.item_cells AS c WHERE c.form = %(form)s AND c.gy = band.gy
                  AND c.gx < %(last_gx)s ORDER BY c.gx DESC LIMIT 1), 0)
        - coalesce((SELECT c.upto FROM core.item_cells AS c WHERE c.form = %(form)s AND c.gy = band.gy
                    AND c.gx <= %(first_gx)s ORDER BY c.gx DESC LIMIT 1), 0)), 0)
    FROM unnest(%(inner)s::int[]) AS band(gy)
    WHERE %(first_gx)s < %(last_gx)s
) + (
    SELECT coalesce(sum(met.n), 0)
    FROM (SELECT gy, %(first_gx)s::int AS west, %(last_gx)s::int AS east
          FROM (VALUES (%(first_gy)s::int), (%(last_gy)s::int)) AS ends(gy) GROUP BY gy
          UNION ALL
          SELECT band.gy, side.gx, side.gx
          FROM unnest(%(inner)s::int[]) AS band(gy),
               (SELECT %(first_gx)s::int AS gx UNION SELECT %(last_gx)s::int) AS side) AS rim
    CROSS JOIN LATERAL (
        SELECT count(*) AS n FROM core.item_rows AS i
        WHERE i.form = %(form)s AND i.gy = rim.gy AND i.gx BETWEEN rim.west AND rim.east
          AND i.x BETWEEN %(west)s AND %(east)s AND i.y BETWEEN %(south)s AND %(north)s) AS met
)
"""


def count_asked(form: str, box: Box, bands: Sequence[int]) -> Question:
    """What to ask for the number of rows in ``box``, its sides included, of which ``bands`` have some."""
    inner = [gy for gy in bands if box.first_gy < gy < box.last_gy]
    return _COUNT, {**vars(box), "form": form, "inner": inner}


def count_ready(conn: Connection, ready: Ready, box: Box) -> int:
    """How many rows lie in ``box``, its sides included, or have no place."""
    with driver_cursor(conn) as cursor:
        cursor.execute(*count_asked(ready.form, box, _bands(ready, box)))
        ((found,),) = cursor.fetchall()
    return int(found) + ready.placeless


def _bands(ready: Ready, box: Box) -> list[int]:
    """The bands of ``box`` in which there may be rows, and that of rows without a place, if there are any."""
    placeless = [PLACELESS] if ready.placeless else []
    if ready.south is None or ready.north is None:
        return placeless
    return [*range(max(box.first_gy, ready.south), min(box.last_gy, ready.north) + 1), *placeless]
