"""Texts that are kept compressed come out as they went in, also as one gzip stream."""

from __future__ import annotations

import gzip
import zlib

import numpy as np
import pytest

from gis.features.texts import Texts, deflated

FEATURES = [b'{"id":%d,"of":"%s"}' % (i, b"x" * (i % 50)) for i in range(400)]


def of_blocks(seed: int) -> Texts:
    """The features in parts of several sizes, some of which are kept compressed."""
    rng = np.random.default_rng(seed)
    parts, at = [], 0
    while at < len(FEATURES):
        count = int(rng.integers(1, 60))
        part = b"".join(b"," + each for each in FEATURES[at : at + count])
        parts.append(deflated(part, int(rng.integers(1, 10))) if rng.random() < 0.7 else part)
        at += count
    return Texts(parts, [len(each) + 1 for each in FEATURES])


@pytest.mark.parametrize("seed", range(20))
def test_parts_are_joined_plain_and_compressed(seed: int) -> None:
    texts, whole = of_blocks(seed), b'{"all":[' + b",".join(FEATURES) + b"]}"
    assert texts.within(b'{"all":[', b"]}") == whole
    assert list(texts) == FEATURES and len(texts) == len(FEATURES)
    sent = texts.gzipped(b'{"all":[', b"]}")
    assert gzip.decompress(sent) == whole  # which checks sum and size
    stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert stream.decompress(sent) == whole and stream.eof and not stream.unused_data  # one member only


def test_no_feature_at_all() -> None:
    for texts in (Texts([], []), Texts.of([])):
        assert texts.within(b"[", b"]") == b"[]" == gzip.decompress(texts.gzipped(b"[", b"]"))
        assert not list(texts) and not texts
    assert list(Texts.of(FEATURES)) == FEATURES
