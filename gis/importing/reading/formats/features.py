"""Where the features of a JSON text begin and end, found while it streams by.

The structure (brackets outside of strings, and their depth) is computed for some megabytes at once with
numpy. So depth is known before any parser recurses, and one feature at a time is in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gis.importing.issues import refused

__all__ = ["MOST_BYTES", "PARSER_DEPTH", "Splitter", "depth_of"]

PARSER_DEPTH = 512  # deeper, and parsers recurse too far: the file is refused
MOST_BYTES = 64 << 20  # of one feature, and of all that is not features
_FEATURES = re.compile(rb'"features"\s*:\s*\[$')
_QUOTE, _BACK, _OPEN, _CLOSE, _LIST = b'"'[0], b"\\"[0], (b"{"[0], b"["[0]), (b"}"[0], b"]"[0]), b"["[0]


def _structure(
    data: NDArray[np.uint8], in_string: bool, escaped: bool
) -> tuple[NDArray[np.intp], bool, bool]:
    """Where brackets stand outside of strings, and how the next piece begins: within a string, escaped."""
    quotes = data == _QUOTE
    backs = np.flatnonzero(data == _BACK)
    ends_escaped = False
    if escaped or len(backs):
        taken = _escaped_places(backs, len(data), escaped)
        ends_escaped = len(taken) > 0 and taken[-1] == len(data)
        inside = taken[taken < len(data)]
        quotes[inside] = False
    brackets = (data == _OPEN[0]) | (data == _OPEN[1]) | (data == _CLOSE[0]) | (data == _CLOSE[1])
    at = np.flatnonzero(brackets)
    marks = np.flatnonzero(quotes)
    before = np.searchsorted(marks, at)
    outside = (before + in_string) % 2 == 0
    return at[outside], bool((len(marks) + in_string) % 2), bool(ends_escaped)


def _escaped_places(backs: NDArray[np.intp], count: int, escaped: bool) -> NDArray[np.intp]:
    """The places whose meaning a backslash before them takes; ``count`` is the place after the last."""
    if escaped:
        # The first byte is taken; if it is itself a backslash, it escapes nothing.
        backs = backs[1:] if len(backs) and backs[0] == 0 else backs
    starts = np.flatnonzero(np.diff(backs, prepend=-2) != 1)
    lengths = np.diff(starts, append=len(backs))
    order = np.arange(len(backs)) - np.repeat(starts, lengths)
    taken = backs[order % 2 == 0] + 1
    return np.concatenate([[0], taken]) if escaped else taken


def depth_of(text: bytes) -> int:
    """How deep objects and lists are nested in ``text``."""
    if text.count(b"{") + text.count(b"[") < 8:
        return text.count(b"{") + text.count(b"[")
    data = np.frombuffer(text, dtype=np.uint8)
    at, _, _ = _structure(data, False, False)
    kinds = data[at]
    steps = np.where((kinds == _OPEN[0]) | (kinds == _OPEN[1]), 1, -1)
    return int(np.cumsum(steps).max(initial=0))


@dataclass
class Splitter:
    """Cuts one JSON document into the elements of its list "features" and the rest.

    Iterate over `split`; afterwards ``rest`` is the document with `{}` for each element, ``after`` tells
    whether anything but blanks follows the document.
    """

    rest: bytearray = field(default_factory=bytearray)
    after: bool = False
    _depth: int = 0
    _in_string: bool = False
    _escaped: bool = False
    _listing: bool = False  # within the list "features" of the document itself
    _held: bytearray = field(default_factory=bytearray)
    _size: int = 0  # of the element, when it became too large to be kept
    done: bool = False

    def split(self, chunks: Iterable[bytes]) -> Iterator[tuple[bytes | None, int]]:
        """The elements: the bytes of each and their number; None instead of bytes beyond `MOST_BYTES`.

        Raises refused("too_deep") beyond `PARSER_DEPTH`, "not_geojson" when the rest alone is too large.
        Stops after the document's end.
        """
        for chunk in chunks:
            yield from self._piece(chunk)
            if len(self.rest) > MOST_BYTES:
                raise refused("not_geojson", value=f"> {MOST_BYTES >> 20} MB")
            if self.done:
                return

    def _piece(self, chunk: bytes) -> Iterator[tuple[bytes | None, int]]:
        data = np.frombuffer(chunk, dtype=np.uint8)
        at, self._in_string, self._escaped = _structure(data, self._in_string, self._escaped)
        kinds = data[at]
        opens = (kinds == _OPEN[0]) | (kinds == _OPEN[1])
        depths = self._depth + np.cumsum(np.where(opens, 1, -1))
        if len(depths) and depths.max() > PARSER_DEPTH:
            raise refused("too_deep", value=f"> {PARSER_DEPTH}")
        # Only these matter: the list opens (2), closes (1), an element opens (3), closes (2), the end (0).
        matter = (opens & (depths <= 3)) | (~opens & (depths <= 2))
        start = 0
        for place, opened, depth, kind in zip(
            at[matter].tolist(),
            opens[matter].tolist(),
            depths[matter].tolist(),
            kinds[matter].tolist(),
            strict=True,
        ):
            if self._listing and depth == 3 and opened:
                self.rest += chunk[start:place]
                start = place
            elif self._listing and depth == 2 and not opened:
                yield self._element(chunk[start : place + 1])
                self.rest += b"{}"
                start = place + 1
            elif depth == 2 and opened and kind == _LIST:
                self.rest += chunk[start : place + 1]
                start = place + 1
                self._listing = _FEATURES.search(self.rest[-80:]) is not None
            elif depth == 1 and not opened:
                self._listing = False
            elif depth <= 0:
                self.rest += chunk[start : place + 1]
                self.after = bool(chunk[place + 1 :].strip())
                self.done = True
                return
        self._depth = int(depths[-1]) if len(depths) else self._depth
        self._keep(chunk[start:])

    def _keep(self, part: bytes) -> None:
        """Put the end of a piece where it belongs: to the element that it is part of, or to the rest."""
        if not (self._listing and self._depth >= 3):
            self.rest += part
        elif self._size or len(self._held) + len(part) > MOST_BYTES:
            self._size += len(self._held) + len(part)
            self._held.clear()
        else:
            self._held += part

    def _element(self, last: bytes) -> tuple[bytes | None, int]:
        size = self._size + len(self._held) + len(last)
        text = bytes(self._held) + last if not self._size and size <= MOST_BYTES else None
        self._held.clear()
        self._size = 0
        return text, size
