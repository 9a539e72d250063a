"""Features of a layer in blocks: some that follow one another in a band, kept compressed together.

A page takes most of its blocks whole, and of a few, such as those that a side of its box goes through, the
features that lie on it. So a thousand features are some dozen rows of the database and a twentieth of their
bytes, and go out to whoever takes gzip without being looked into.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gis.features.grid import Box
from gis.features.places import Place
from gis.features.texts import Texts, deflated

__all__ = ["BLOCK_ROWS", "Block", "Chosen", "chosen", "ends_of", "packed"]

BLOCK_ROWS = 16
_LEVEL = 6
_PLACES = np.dtype([("row_id", "<i8"), ("x", "<f8"), ("y", "<f8"), ("gx", "<i4"), ("length", "<i4")])


Block = tuple[int, bytes, bytes]
"""Features of one band, without a break: the band, where each stands, their texts with a comma before each.

Of each stand row_id, x, y (not a number: no place), cell and length of text; the texts are as
`gis.features.texts.Deflated` keeps them. A row of the database as it comes: an object for each costs more.
"""


class Chosen(NamedTuple):
    """Features on a page: their texts, and band, cell and row_id of each, in order."""

    texts: Texts
    gy: NDArray[np.int64]
    gx: NDArray[np.int64]
    row_id: NDArray[np.int64]

    def place(self, number: int) -> Place | None:
        """The place of a feature, -1 being the last; None when there is none at all."""
        if not len(self.gy):
            return None
        return Place(int(self.row_id[number]), (int(self.gy[number]), int(self.gx[number])))


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
        yield own[0], own[-1], (gy, places.tobytes(), texts.kept)


def ends_of(block: Block) -> tuple[Place, Place]:
    """The places of its first and its last feature."""
    gy, places, _ = block
    rows = np.frombuffer(places, dtype=_PLACES)
    first, last = (Place(int(row["row_id"]), (gy, int(row["gx"]))) for row in rows[[0, -1]])
    return first, last


def chosen(
    blocks: Sequence[Block], box: Box, *, limit: int, place: Place | None, back: bool
) -> tuple[Chosen, bool]:
    """At most ``limit`` features of ``blocks`` in ``box`` behind ``place``, and whether there are more there.

    ``blocks`` are in the order of the grid. ``back``: the last that stand before ``place``.
    """
    gy, places, kept_texts = zip(*blocks, strict=True) if blocks else ((), (), ())
    rows = np.frombuffer(b"".join(places), dtype=_PLACES)
    counts = np.array([len(each) for each in places], dtype=np.int64) // _PLACES.itemsize
    bands = np.array(gy, dtype=np.int64).repeat(counts)
    kept = _within(rows, box)
    if place is not None:
        kept &= _beyond(rows, bands, place, back=back)
    found = kept.nonzero()[0]
    more = len(found) > limit
    found = found[len(found) - limit :] if back and more else found[:limit]
    texts = _texts(kept_texts, counts, rows["length"], found) if len(found) else Texts([], [], [])
    return Chosen(texts, bands[found], rows["gx"][found], rows["row_id"][found]), more


def _texts(
    blocks: Sequence[bytes], counts: NDArray[np.int64], lengths: NDArray[np.int32], found: NDArray[np.int64]
) -> Texts:
    """The texts of the rows ``found``, out of those ``blocks`` that have one of them."""
    wanted = np.zeros(len(lengths), dtype=bool)
    wanted[found] = True
    begins = counts.cumsum() - counts
    touched = np.logical_or.reduceat(wanted, begins)
    sizes = np.add.reduceat(lengths, begins, dtype=np.int64)
    until = (lengths * touched.repeat(counts)).cumsum(dtype=np.int64)  # of other blocks no text is there
    # Rows that follow one another are one span, also from one block into the next.
    breaks = (found[1:] - found[:-1] != 1).nonzero()[0]
    first, last = found[np.append(0, breaks + 1)], found[np.append(breaks, -1)]
    spans = zip((until[first] - lengths[first]).tolist(), until[last].tolist(), strict=True)
    used = zip(compress(blocks, touched.tolist()), sizes[touched].tolist(), strict=True)
    return Texts(list(used), spans, lengths[found])


def _within(rows: NDArray[Any], box: Box) -> NDArray[np.bool_]:
    """Which rows lie in ``box``, its sides included, or have no place, which is beyond no side."""
    x, y = rows["x"], rows["y"]
    return np.asarray(~((x < box.west) | (x > box.east) | (y < box.south) | (y > box.north)))


def _beyond(rows: NDArray[Any], bands: NDArray[np.int64], place: Place, *, back: bool) -> NDArray[np.bool_]:
    gy, gx = place.values
    # As one comparison of three columns, the first of which decides.
    sign = np.sign(bands - gy) * 4 + np.sign(rows["gx"].astype(np.int64) - gx) * 2
    sign += np.sign(rows["row_id"] - place.row_id)
    return np.asarray(sign < 0 if back else sign > 0)
