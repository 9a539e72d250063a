"""One column's values on their way, and what was done to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["EXACT", "Column", "Remark", "replaced", "where"]

EXACT = float(2**53)  # from here on a double does not hold every whole number


@dataclass(frozen=True, slots=True)
class Remark:
    """What happened to the value at ``position`` of a column: a repair, or an error that took it away."""

    position: int
    code: str
    value: str | None
    original: str
    severity: Literal["repair", "error"] = "repair"


@dataclass(frozen=True)
class Column:
    """Values of one field, native where all of them could be read, else text; and a remark a change."""

    values: pa.Array
    remarks: list[Remark]


def where(mask: pa.Array) -> list[int]:
    """The positions at which ``mask`` is true."""
    return np.flatnonzero(np.asarray(pc.fill_null(mask, False))).tolist() if len(mask) else []


def replaced(texts: pa.Array, positions: list[int], values: list[str | None]) -> pa.Array:
    """``texts`` with ``values`` at ``positions``."""
    mask = np.zeros(len(texts), dtype=bool)
    mask[positions] = True
    in_order = [values[i] for i in np.argsort(positions)]
    return pc.replace_with_mask(texts, pa.array(mask), pa.array(in_order, pa.string()))
