"""One batch of a reading through all that can be said of a row by itself: placed, mapped, checked, mended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from gis.importing.checks import check_columns
from gis.importing.issues import Issue
from gis.importing.mapping import FieldPlan
from gis.importing.placing import Placing
from gis.importing.reading.spool import GEOM, ROW, Reading
from gis.importing.repair import Mender
from gis.importing.shapes import sort_out, turned
from gis.importing.uids import uid_array
from gis.importing.unlocated import Locate
from layers.model import Layer

__all__ = ["Accepted", "Preparer"]

Geometries = NDArray[np.object_]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Accepted:
    """The rows of a batch that were taken, and all that was found in it.

    ``geometry`` is in the storage CRS, None for a layer without; ``uids`` are not yet unique.
    """

    batch: pa.RecordBatch
    rows: Rows
    values: dict[str, pa.Array]
    geometry: Geometries | None
    uids: pa.Array
    issues: list[Issue]


@dataclass(frozen=True)
class Preparer:
    """Takes batches through ``plan``, ``placing`` and the checks of ``layer``.

    ``stated_m`` is the bound of the position error where a row states none (None: unknown); ``locate``, when
    given, finds a place for rows without one: (rows, values, geometry, accuracy, refused) -> (geometry,
    accuracy, issues).
    """

    layer: Layer
    reading: Reading
    plan: FieldPlan
    placing: Placing
    mender: Mender
    source: str
    stated_m: float | None
    refused: Rows
    locate: Locate | None = None

    def prepare(self, batch: pa.RecordBatch) -> Accepted:
        """Check and type the rows of ``batch``; accepted + refused = all of them."""
        rows = batch.column(ROW).to_numpy()
        given, issues = self.plan.apply(batch)
        values, found = check_columns(self.layer, given, rows)
        issues += found
        geometry: Geometries | None = None
        if self.layer.has_geometry:
            geometry, values, found = self._shapes(batch, rows, values)
            issues += found
        bad = np.isin(rows, self.refused) if len(self.refused) else np.zeros(len(rows), dtype=bool)
        errors = [i.row for i in issues if i.severity == "error"]
        if errors:
            bad |= np.isin(rows, np.array(errors))
        ids = self._ids(batch)
        if bad.any():
            keep = pa.array(~bad)
            values = {name: column.filter(keep) for name, column in values.items()}
            geometry = geometry[~bad] if geometry is not None else None
            ids = ids.filter(keep) if ids is not None else None
        uids = uid_array(self.layer, values, geometry, self.source, ids)
        return Accepted(batch, rows[~bad], values, geometry, uids, issues)

    def _ids(self, batch: pa.RecordBatch) -> pa.Array | None:
        """The file's own row identifiers: "uid" of an export, or "id", which formats with features have."""
        names = batch.schema.names
        if self.layer.key:
            return None
        if "uid" in names:
            return batch.column(names.index("uid"))
        if self.reading.header.format in ("csv", "xlsx") or "id" not in names:
            return None
        return batch.column(names.index("id"))

    def _shapes(
        self, batch: pa.RecordBatch, rows: Rows, values: Mapping[str, pa.Array]
    ) -> tuple[Geometries, dict[str, pa.Array], list[Issue]]:
        read = shapely.from_wkb(batch.column(GEOM).to_numpy(zero_copy_only=False), on_invalid="ignore")
        placed: Geometries = np.asarray(read, dtype=object)
        issues: list[Issue] = []
        if self.placing.parts:
            placed, issues = self.placing.apply(rows, placed)
        accuracy = self._accuracy(values.get("accuracy_m"), len(rows))
        # A row whose place was refused in reading or placing has its reason; no second one is due.
        told = np.isin(rows, np.array([i.row for i in issues if i.severity == "error"], dtype=np.int64))
        told |= np.isin(rows, self.refused)
        if self.locate is not None:
            placed, accuracy, found = self.locate(rows, values, placed, accuracy, told)
            issues += found
            told |= np.isin(rows, np.array([i.row for i in found if i.severity == "error"], dtype=np.int64))
        seen = sort_out(self.layer, placed)
        for code, flags in seen.faults.items():
            issues += [
                Issue(int(rows[i]), "geom", self._told(code, placed[i]), code)
                for i in np.flatnonzero(flags & ~told)
            ]
        if seen.invalid.any():
            issues += self.mender.mend(self.layer, rows, seen.geometry, seen.invalid)
        return turned(self.layer, seen.geometry), {**values, "accuracy_m": accuracy}, issues

    def _told(self, code: str, geometry: Any) -> str | None:
        return geometry.geom_type if code == "geometry_type" and geometry is not None else None

    def _accuracy(self, own: pa.Array | None, count: int) -> pa.Array:
        """Each row's position error: its own, else the stated one; plus that of the transformation."""
        stated = pa.scalar(self.stated_m, pa.float64())
        if own is None:
            own = pa.nulls(count, pa.float64())
        bound = own.fill_null(stated) if self.stated_m is not None else own
        return pc.add(bound, self.placing.accuracy_m)
