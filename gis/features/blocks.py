"""Features of a layer in blocks: some that follow one another in a band, kept compressed together.

A page takes most of its blocks whole, and of a few, such as those that a side of its box goes through, the
features that lie on it. So a thousand features are some dozen rows of the database and a twentieth of their
bytes, and go out to whoever takes gzip without being looked into.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gis.features.grid import PLACELESS, Box
from gis.features.places import Place
from gis.features.texts import Deflated, Texts, deflated

__all__ = ["BLOCK_ROWS", "Block", "Chosen", "chosen", "ends_of", "packed"]

BLOCK_ROWS = 16
_LEVEL = 6
_PLACES = np.dtype([("row_id", "<i8"), ("x", "<f8"), ("y", "<f8"), ("gx", "<i4"), ("length", "<i4")])


class Block(NamedTuple):
    """Features of one band, without a break: where each stands, and their texts with a comma before each.

    ``places`` holds row_id, x, y (not a number: no place), cell and length of text of each; ``texts`` are
    as `gis.features.texts.Deflated` keeps them.
    """

    gy: int
    places: bytes
    texts: bytes


class Chosen(NamedTuple):
    """Features on a page: their texts, and band, cell and row_id of each, (n, 3)."""

    texts: Texts
    order: NDArray[np.int64]

    def place(self, number: int) -> Place | None:
        """The place of a feature, -1 being the last; None when there is none at all."""
        if not len(self.order):
            return None
        gy, gx, row_id = self.order[number].tolist()
        return Place(row_id, (gy, gx))


def packed(gy: int, rows: Sequence[Any]) -> Iterator[tuple[Any, Any, Block]]:
    """The blocks of a band of ``rows`` (gx, row_id, x, y, feature), each with its first and its last row."""
    for start in range(0, len(rows), BLOCK_ROWS):
        own = rows[start : start + BLOCK_ROWS]
        places = np.zeros(len(own), dtype=_PLACES)
        for name, values in (
            ("row_id", [row.row_id for row in own]),
            ("gx", [row.gx for row in own]),
            ("x", [np.nan if row.x is None else row.x for row in own]),
            ("y", [np.nan if row.y is None else row.y for row in own]),
            ("length", [len(row.feature) + 1 for row in own]),
        ):
            places[name] = values
        texts = deflated(b"".join(b"," + row.feature for row in own), _LEVEL)
        yield own[0], own[-1], Block(gy, places.tobytes(), texts.kept)


def ends_of(block: Block) -> tuple[Place, Place]:
    """The places of its first and its last feature."""
    rows = np.frombuffer(block.places, dtype=_PLACES)
    first, last = (Place(int(row["row_id"]), (block.gy, int(row["gx"]))) for row in rows[[0, -1]])
    return first, last


def chosen(
    blocks: Sequence[Block], box: Box, *, limit: int, place: Place | None, back: bool
) -> tuple[Chosen, bool]:
    """At most ``limit`` features of ``blocks`` in ``box`` behind ``place``, and whether there are more there.

    ``blocks`` are in the order of the grid. ``back``: the last that stand before ``place``.
    """
    rows = np.frombuffer(b"".join([block.places for block in blocks]), dtype=_PLACES)
    counts = np.array([len(block.places) // _PLACES.itemsize for block in blocks], dtype=np.int64)
    bands = np.repeat(np.array([block.gy for block in blocks], dtype=np.int64), counts)
    kept = _within(rows, bands, box)
    if place is not None:
        kept &= _beyond(rows, bands, place, back=back)
    found = np.flatnonzero(kept)
    more = len(found) > limit
    found = found[len(found) - limit :] if back and more else found[:limit]
    if not len(found):
        return Chosen(Texts([], [], []), np.zeros((0, 3), dtype=np.int64)), False
    order = np.column_stack([bands[found], rows["gx"][found], rows["row_id"][found]])
    return Chosen(_texts(blocks, counts, rows["length"], found), order), more


def _texts(
    blocks: Sequence[Block], counts: NDArray[np.int64], lengths: NDArray[np.int32], found: NDArray[np.int64]
) -> Texts:
    """The texts of the rows ``found``, out of the blocks that have one of them."""
    ends = np.cumsum(counts)
    touched = np.zeros(len(blocks), dtype=bool)
    touched[np.searchsorted(ends, found, side="right")] = True
    size = np.add.reduceat(lengths, ends - counts, dtype=np.int64)
    kept = np.where(np.repeat(touched, counts), lengths, 0)  # of the others no text is there
    until = np.cumsum(kept, dtype=np.int64)
    breaks = np.flatnonzero(np.diff(found) != 1)
    # Rows that follow one another are one span, also from one block into the next.
    first, last = found[np.concatenate([[0], breaks + 1])], found[np.concatenate([breaks, [-1]])]
    spans = zip((until[first] - kept[first]).tolist(), until[last].tolist(), strict=True)
    used = [
        Deflated(blocks[number].texts, length)
        for number, length in zip(np.flatnonzero(touched).tolist(), size[touched].tolist(), strict=True)
    ]
    return Texts(used, spans, lengths[found].tolist())


def _within(rows: NDArray[Any], bands: NDArray[np.int64], box: Box) -> NDArray[np.bool_]:
    """Which rows lie in ``box``, its sides included, or have no place."""
    x, y = rows["x"], rows["y"]
    inside = (x >= box.west) & (x <= box.east) & (y >= box.south) & (y <= box.north)
    return np.asarray(inside | (bands == PLACELESS))


def _beyond(rows: NDArray[Any], bands: NDArray[np.int64], place: Place, *, back: bool) -> NDArray[np.bool_]:
    gy, gx = place.values
    # As one comparison of three columns, the first of which decides.
    sign = np.sign(bands - gy) * 4 + np.sign(rows["gx"].astype(np.int64) - gx) * 2
    sign += np.sign(rows["row_id"] - place.row_id)
    return np.asarray(sign < 0 if back else sign > 0)
