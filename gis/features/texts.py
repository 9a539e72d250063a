"""Features of a page as the JSON that is sent: plain, or as one gzip stream of parts compressed before.

Parts compressed by themselves and ended at a byte (RFC 1951, 3.2.4: an empty stored block) may stand one
behind the other in a stream. Its check sum is put together from theirs (Adler, zlib, crc32_combine).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from deflate import deflate_decompress
from numpy.typing import NDArray

__all__ = ["Deflated", "Texts", "deflated"]

_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # gzip, deflate, no name, no time, no system
_END = b"\x03\x00"  # an empty block that is the last
_SUMS = struct.Struct("<II")
_QUICK = 1
_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31


class Deflated(NamedTuple):
    """``size`` bytes kept compressed, behind their check sum and what moves one past them."""

    kept: bytes
    size: int

    @property
    def data(self) -> bytes:
        """The compressed bytes."""
        return self.kept[_SUMS.size :]

    @property
    def sums(self) -> tuple[int, int]:
        """The check sum of the bytes, and what moves one past them."""
        crc, shift = _SUMS.unpack_from(self.kept)
        return crc, shift


def deflated(data: bytes, level: int = _QUICK) -> Deflated:
    """``data`` compressed so that anything may stand before and behind it."""
    squeezed = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = squeezed.compress(data) + squeezed.flush(zlib.Z_FULL_FLUSH)
    return Deflated(_SUMS.pack(zlib.crc32(data), _shift(len(data))) + body, len(data))


def _inflated(blocks: Sequence[tuple[bytes, int]]) -> memoryview:
    """The bytes of ``blocks``, one behind the other: of one stream, since each call for itself costs more."""
    stream = b"".join([kept[_SUMS.size :] for kept, _ in blocks] + [_END])
    # In half the time that zlib takes, which is an eighth of a page.
    return memoryview(deflate_decompress(stream, sum([size for _, size in blocks])))


class Texts:
    """Features as JSON in UTF-8: ``spans`` (start, end) of the bytes of ``blocks``, one behind the other.

    Blocks are those of `Deflated`, or no more than its values, or the bytes themselves. In the bytes each
    feature has a comma in front; the spans go upwards. ``lengths`` are those of the features with their
    commas, in order.
    """

    def __init__(
        self,
        blocks: Sequence[tuple[bytes, int]] | bytes,
        spans: Iterable[tuple[int, int]],
        lengths: Sequence[int] | NDArray[np.int32],
    ) -> None:
        self._blocks = blocks
        self._spans = list(spans)
        self._lengths = lengths
        if self._spans:  # before the first feature there is no comma
            start, end = self._spans[0]
            self._spans[0] = (start + 1, end)

    @classmethod
    def of(cls, features: Sequence[bytes]) -> Texts:
        """Of single features without commas."""
        joined = b"".join([b"," + each for each in features])
        return cls(joined, [(0, len(joined))] if features else [], [len(each) + 1 for each in features])

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[bytes]:
        """Each feature."""
        whole, at = self.within(b"", b""), 0
        for length in np.asarray(self._lengths).tolist():
            yield whole[at : at + length - 1]
            at += length

    def within(self, head: bytes, tail: bytes) -> bytes:
        """The features with commas between them, behind ``head`` and before ``tail``; copied once."""
        blocks = self._blocks
        plain = memoryview(blocks) if isinstance(blocks, bytes) else _inflated(blocks)
        return b"".join([head, *[plain[start:end] for start, end in self._spans], tail])

    def gzipped(self, head: bytes, tail: bytes) -> bytes:
        """`within` as a gzip stream; what is kept compressed is passed on as it is."""
        written, crc, size, waiting = [_HEAD], 0, 0, [head]
        for part in (*self._parts(), tail):
            if isinstance(part, bytes):
                waiting.append(part)
                continue
            for each in (deflated(b"".join(waiting)), part) if waiting else (part,):
                written.append(each.data)
                own, shift = each.sums
                crc, size = _times(shift, crc) ^ own, size + each.size
            waiting = []
        last = b"".join(waiting)
        squeezed = zlib.compressobj(_QUICK, zlib.DEFLATED, -zlib.MAX_WBITS)
        written += [squeezed.compress(last), squeezed.flush()]
        crc = _times(_shift(len(last)), crc) ^ zlib.crc32(last)
        written.append(crc.to_bytes(4, "little") + ((size + len(last)) & 0xFFFFFFFF).to_bytes(4, "little"))
        return b"".join(written)

    def _parts(self) -> list[Deflated | bytes]:
        """The spans in order: a block of which all is wanted as it is, of the others what is wanted."""
        if isinstance(self._blocks, bytes):
            return [self._blocks[start:end] for start, end in self._spans]
        found: list[Deflated | slice] = []
        cut: list[Deflated] = []
        begun = 0  # where the next of those that are cut will begin
        for block, inside in _by_block(self._blocks, self._spans):
            if inside == [(0, block.size)]:
                found.append(block)
            elif inside:
                found += [slice(begun + start, begun + end) for start, end in inside]
                cut.append(block)
                begun += block.size
        plain = _inflated(cut)
        return [bytes(plain[part]) if isinstance(part, slice) else part for part in found]


def _by_block(
    blocks: Sequence[tuple[bytes, int]], spans: Sequence[tuple[int, int]]
) -> Iterator[tuple[Deflated, list[tuple[int, int]]]]:
    """Each of ``blocks`` with the parts of ``spans`` in it, counted from where it begins."""
    number, at = 0, 0
    for block in map(Deflated._make, blocks):
        end, inside = at + block.size, []
        while number < len(spans) and spans[number][0] < end:
            start, stop = spans[number]
            inside.append((max(start, at) - at, min(stop, end) - at))
            if stop > end:
                break
            number += 1
        yield block, inside
        at = end


def _times(a: int, b: int) -> int:
    """The product of two polynomials over GF(2) modulo that of CRC-32; bit 0 is the highest power."""
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = (a << 1) & 0xFFFFFFFF
        b = (b >> 1) ^ (_POLYNOMIAL if b & 1 else 0)
    return product


@lru_cache(maxsize=10_000)
def _shift(size: int) -> int:
    """X to the power of 8 ``size``: what moves a check sum past so many bytes."""
    power, squared = _ONE, _ONE >> 8
    while size:
        if size & 1:
            power = _times(squared, power)
        squared, size = _times(squared, squared), size >> 1
    return power
