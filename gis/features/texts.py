"""Features of a page as the JSON that is sent: plain, or as one gzip stream of parts compressed before.

Parts compressed by themselves and ended at a byte (RFC 1951, 3.2.4: an empty stored block) may stand one
behind the other in a stream. Its check sum is put together from theirs (Adler, zlib, crc32_combine).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Deflated", "Texts", "deflated"]

_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # gzip, deflate, no name, no time, no system
_QUICK = 1
_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31


@dataclass(frozen=True, slots=True)
class Deflated:
    """Bytes kept compressed: ``size`` and ``crc`` are of the bytes, ``shift`` moves a check sum past them."""

    data: bytes
    size: int
    crc: int
    shift: int

    def plain(self) -> bytes:
        """The bytes."""
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(self.data)


def deflated(data: bytes, level: int = _QUICK) -> Deflated:
    """``data`` compressed so that anything may stand before and behind it."""
    squeezed = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = squeezed.compress(data) + squeezed.flush(zlib.Z_FULL_FLUSH)
    return Deflated(body, len(data), zlib.crc32(data), _shift(len(data)))


class Texts:
    """Features as JSON in UTF-8, in ``parts``: of each its feature(s) with a comma in front of every one.

    ``lengths`` are those of the features with their commas, in order.
    """

    def __init__(self, parts: Sequence[bytes | Deflated], lengths: Sequence[int]) -> None:
        self._parts = parts
        self._lengths = lengths

    @classmethod
    def of(cls, features: Sequence[bytes]) -> Texts:
        """Of single features without commas."""
        return cls([b"," + b",".join(features)] if features else [], [len(each) + 1 for each in features])

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[bytes]:
        """Each feature."""
        whole, at = self.within(b"", b""), 0
        for length in self._lengths:
            yield whole[at : at + length - 1]
            at += length

    def within(self, head: bytes, tail: bytes) -> bytes:
        """The features with commas between them, behind ``head`` and before ``tail``; copied once."""
        plain = [part if isinstance(part, bytes) else part.plain() for part in self._parts]
        if plain:
            plain[0] = plain[0][1:]
        return b"".join((head, *plain, tail))

    def gzipped(self, head: bytes, tail: bytes) -> bytes:
        """`within` as a gzip stream; what is kept compressed is passed on as it is."""
        parts = list(self._parts)
        if parts:
            first = parts[0]
            parts[0] = (first if isinstance(first, bytes) else first.plain())[1:]
        written, crc, size, waiting = [_HEAD], 0, 0, [head]
        for part in (*parts, tail):
            if isinstance(part, bytes):
                waiting.append(part)
                continue
            for each in (deflated(b"".join(waiting)), part) if waiting else (part,):
                written.append(each.data)
                crc, size = _times(each.shift, crc) ^ each.crc, size + each.size
            waiting = []
        last = b"".join(waiting)
        squeezed = zlib.compressobj(_QUICK, zlib.DEFLATED, -zlib.MAX_WBITS)
        written += [squeezed.compress(last), squeezed.flush()]
        crc = _times(_shift(len(last)), crc) ^ zlib.crc32(last)
        written.append(crc.to_bytes(4, "little") + ((size + len(last)) & 0xFFFFFFFF).to_bytes(4, "little"))
        return b"".join(written)


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
