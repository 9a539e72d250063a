"""What names a row for ever: the layer's key, else the source's own id, else the row's content."""

from __future__ import annotations

import hashlib

import pandas as pd
import shapely

from gis.importing.issues import Issue
from layers.model import Layer

__all__ = ["identify"]


def identify(
    layer: Layer, rows: pd.DataFrame, source: str, source_ids: list[str] | None
) -> tuple[list[str], list[Issue]]:
    """A uid for each row of ``rows`` (index = row number in the file), and an issue for each duplicate.

    With key fields the uid is their values joined by "|"; a second row with the same key is refused
    (duplicate_uid), the first is kept. Without them identical rows of one source are numbered.
    """
    if layer.key:
        keys = ["|".join(str(v) for v in values) for values in rows[list(layer.key)].itertuples(index=False)]
        seen = pd.Series(keys, index=rows.index).duplicated()
        return keys, [
            Issue(int(i), layer.key[0], key, "duplicate_uid")
            for i, key, twice in zip(rows.index, keys, seen, strict=True)
            if twice
        ]
    bases = (
        [f"{source}:{source_ids[i]}" for i in rows.index]
        if source_ids is not None
        else _content_ids(rows, source)
    )
    counts: dict[str, int] = {}
    uids = []
    for base in bases:
        counts[base] = counts.get(base, 0) + 1
        uids.append(base if counts[base] == 1 else f"{base}#{counts[base]}")
    return uids, []


def _content_ids(rows: pd.DataFrame, source: str) -> list[str]:
    names = [c for c in rows.columns if c != "geom"]
    wkb = shapely.to_wkb(rows["geom"].to_numpy(dtype=object)) if "geom" in rows else [None] * len(rows)
    ids = []
    for values, geometry in zip(rows[names].itertuples(index=False), wkb, strict=True):
        content = repr([(n, v) for n, v in zip(names, values, strict=True) if v is not None]).encode() + (
            geometry or b""
        )
        ids.append(f"{source}:{hashlib.sha256(content).hexdigest()[:20]}")
    return ids
