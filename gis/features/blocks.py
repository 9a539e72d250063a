"""Features of a layer in blocks: some that follow one another in a band, kept compressed together.

A page takes most of its blocks whole, and of a few, such as those that a side of its box goes through, the
features that lie on it. So a thousand features are some dozen rows of the database and a twentieth of their
bytes, and go out to whoever takes gzip without being looked into.
"""

from __future__ import annotations

import struct
import zlib
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
_SUMS = struct.Struct("<II")
_PLACES = np.dtype([("row_id", "<i8"), ("x", "<f8"), ("y", "<f8"), ("gx", "<i4"), ("length", "<i4")])


class Block(NamedTuple):
    """Features of one band, without a break: where each stands, and their texts with a comma before each.

    ``places`` holds row_id, x, y (not a number: no place), cell and length of text of each; ``texts`` are
    deflated, behind their check sum and what moves one past them (`gis.features.texts`).
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
        kept = deflated(b"".join(b"," + row.feature for row in own), _LEVEL)
        texts = _SUMS.pack(kept.crc, kept.shift) + kept.data
        yield own[0], own[-1], Block(gy, places.tobytes(), texts)


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
        return Chosen(Texts([], []), np.zeros((0, 3), dtype=np.int64)), False
    lengths = rows["length"]
    order = np.column_stack([bands[found], rows["gx"][found], rows["row_id"][found]])
    texts = Texts(_parts(blocks, counts, lengths, found), lengths[found].tolist())
    return Chosen(texts, order), more


def _parts(
    blocks: Sequence[Block], counts: NDArray[np.int64], lengths: NDArray[np.int32], found: NDArray[np.int64]
) -> list[bytes | Deflated]:
    """The texts of the rows ``found``: of a block of which all were found the block's, else theirs alone."""
    # Runs of rows of one block that follow one another.
    ends, starts = np.cumsum(counts), np.cumsum(counts) - counts
    owner = np.searchsorted(ends, found, side="right")
    breaks = np.flatnonzero((np.diff(found) != 1) | (np.diff(owner) != 0)) + 1
    firsts = np.concatenate([[0], breaks])
    lasts = np.concatenate([breaks, [len(found)]]) - 1
    until = np.cumsum(lengths, dtype=np.int64)
    before, of = until - lengths, owner[firsts]
    at = (until - lengths)[starts[of]]  # where the text of the run's block begins
    whole = (found[lasts] - found[firsts] + 1) == counts[of]
    size = until[ends[of] - 1] - at
    parts: list[bytes | Deflated] = []
    number, plain = -1, b""
    for block, all_of_it, length, start, end in zip(
        of.tolist(), whole.tolist(), size.tolist(),
        (before[found[firsts]] - at).tolist(), (until[found[lasts]] - at).tolist(), strict=True,
    ):  # fmt: skip
        texts = blocks[block].texts
        if all_of_it:
            parts.append(Deflated(texts[_SUMS.size :], length, *_SUMS.unpack_from(texts)))
            continue
        if block != number:
            number, plain = block, zlib.decompressobj(-zlib.MAX_WBITS).decompress(texts[_SUMS.size :])
        parts.append(plain[start:end])
    return parts


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
