"""What names a row for ever: the layer's key, else the source's own id, else the row's content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from layers.model import Layer

__all__ = ["uid_array"]


def uid_array(
    layer: Layer,
    values: Mapping[str, pa.Array],
    geometry: NDArray[np.object_] | None,
    source: str,
    ids: pa.Array | None,
) -> pa.Array:
    """A uid for each row of a batch, not yet unique.

    With key fields their values joined by "|"; else the source's name and ``ids``, the file's own row
    identifiers; else the source's name and a hash of what the row says.
    """
    if layer.key:
        parts = [values[name].cast(pa.string()) for name in layer.key]
        if len(parts) == 1:
            return parts[0].fill_null("None")
        return pc.binary_join_element_wise(*parts, "|", null_handling="replace", null_replacement="None")
    if ids is not None:
        # What an export has as uid begins with the source already.
        texts, prefix = ids.cast(pa.string()), f"{source}:"
        own = pc.if_else(pc.starts_with(texts, prefix), pc.utf8_slice_codeunits(texts, len(prefix)), texts)
        return pc.binary_join_element_wise(pa.scalar(source), own.fill_null("None"), ":")
    return _content_ids(values, geometry, source)


def _content_ids(
    values: Mapping[str, pa.Array], geometry: NDArray[np.object_] | None, source: str
) -> pa.Array:
    count = len(next(iter(values.values())))
    wkb = shapely.to_wkb(geometry) if geometry is not None else [None] * count
    ids = []
    columns = [column.to_pylist() for column in values.values()]
    for row, shape in zip(zip(*columns, strict=True), wkb, strict=True):
        said = [(n, v) for n, v in zip(values, row, strict=True) if v is not None]
        ids.append(f"{source}:{hashlib.sha256(repr(said).encode() + (shape or b'')).hexdigest()[:20]}")
    return pa.array(ids, pa.string())
