"""Rows of a batch that have no coordinates, and the place that their words give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from sqlalchemy import Engine

from gis.db import connect
from gis.importing.addresses import place_unlocated
from gis.importing.issues import Issue
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["Locate", "locator"]

Geometries = NDArray[np.object_]
# (row numbers, typed values, geometry, position error, rows to leave alone) -> geometry, error, issues
Locate = Callable[
    [NDArray[np.int64], Mapping[str, pa.Array], Geometries, pa.Array, NDArray[np.bool_]],
    tuple[Geometries, pa.Array, list[Issue]],
]


def locator(engine: Engine, definition: MapDefinition, layer: Layer) -> Locate | None:
    """Fills in places as `place_unlocated` finds them, on a connection of its own; None where none can be.

    The bound found is the row's position error, in place of what the source states for measured positions.
    """
    names = layer.names
    if layer.geometry not in ("Point", "MultiPoint", "Geometry") or not any(
        (names.township, names.county, names.address, *(f.format == "uscc" for f in layer.fields))
    ):
        return None

    def locate(
        rows: NDArray[np.int64],
        values: Mapping[str, pa.Array],
        geometry: Geometries,
        accuracy: pa.Array,
        told: NDArray[np.bool_],
    ) -> tuple[Geometries, pa.Array, list[Issue]]:
        at = np.flatnonzero(shapely.is_missing(geometry) & ~told)
        if not len(at):
            return geometry, accuracy, []
        chosen = {name: column.take(pa.array(at)).to_pylist() for name, column in values.items()}
        frame = pd.DataFrame(chosen, index=rows[at], dtype=object)
        with connect(engine) as conn:
            found, bounds, issues = place_unlocated(conn, definition, layer, frame)
        out, errors = geometry.copy(), accuracy.to_numpy(zero_copy_only=False).copy()
        placed = at[~shapely.is_missing(found)]
        out[at] = found
        errors[placed] = bounds[~shapely.is_missing(found)]
        return out, pa.array(errors, from_pandas=True), issues

    return locate
