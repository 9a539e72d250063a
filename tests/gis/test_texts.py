"""Texts that are kept compressed come out as they went in, also as one gzip stream."""

from __future__ import annotations

import gzip
import zlib

import numpy as np
import pytest

from gis.features.texts import Texts, deflated

FEATURES = [b'{"id":%d,"of":"%s"}' % (i, b"x" * (i % 50)) for i in range(400)]


def of_blocks(seed: int) -> tuple[Texts, list[bytes]]:
    """Some of the features, and they themselves: spans of blocks of several sizes."""
    rng = np.random.default_rng(seed)
    blocks, spans, kept, at, size = [], [], [], 0, 0
    run = True
    while at < len(FEATURES):
        block, begun = b"", size
        for feature in FEATURES[at : (at := at + int(rng.integers(1, 60)))]:
            start, size = size, size + len(feature) + 1
            block += b"," + feature
            run = run != (rng.random() < 0.1)
            if run:
                kept.append(feature)
                spans.append((start, size))
        assert size - begun == len(block)
        blocks.append(deflated(block, int(rng.integers(1, 10))))
    return Texts(blocks, joined(spans), [len(each) + 1 for each in kept]), kept


def joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that touch made one, as a page has them."""
    found: list[tuple[int, int]] = []
    for start, end in spans:
        if found and found[-1][1] == start:
            start = found.pop()[0]
        found.append((start, end))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_spans_are_joined_plain_and_compressed(seed: int) -> None:
    texts, kept = of_blocks(seed)
    whole = b'{"all":[' + b",".join(kept) + b"]}"
    assert texts.within(b'{"all":[', b"]}") == whole
    assert list(texts) == kept and len(texts) == len(kept)
    sent = texts.gzipped(b'{"all":[', b"]}")
    assert gzip.decompress(sent) == whole  # which checks sum and size
    stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert stream.decompress(sent) == whole and stream.eof and not stream.unused_data  # one member only


def test_no_feature_at_all() -> None:
    for texts in (Texts([], [], []), Texts.of([])):
        assert texts.within(b"[", b"]") == b"[]" == gzip.decompress(texts.gzipped(b"[", b"]"))
        assert not list(texts) and not texts
    assert list(Texts.of(FEATURES)) == FEATURES
