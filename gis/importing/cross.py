"""What only shows when the rows of a file are held against each other, or against what is known already.

While the batches pass, a few numbers a row are kept (hashes of identifier and label, the middle of the shape:
32 bytes). They raise suspicions for whole columns at a time; the rows they point at are then looked at in the
staged table.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from gis.crs import Transformation, parse_crs, transformation
from gis.importing.batches import Accepted
from gis.importing.conflicts import NamedPlaces
from gis.importing.detective import Evidence
from gis.importing.issues import Issue
from gis.importing.stage import ROW_NO, Stage
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["NEAR_M", "PILE_NAMES", "ROUND_DEGREES", "ROUND_PILE_ROWS", "Cross"]

# So many different names at exactly one coordinate are no building full of firms but a placeholder ...
PILE_NAMES = 10
# ... and so are fewer rows, whatever their names, where the coordinate is round.
ROUND_PILE_ROWS = 3
# A single row is suspected only at a coordinate as round as this, among many rows that are not.
ROUND_DEGREES, PILE_ROUND_DEGREES, ROUND_METRES = 0.1, 0.01, 1000.0
ROUND_FEW, ROUND_SHARE = 20, 0.1
# Rows of the same name and this near are taken for one thing entered twice.
NEAR_M = 50.0

Rows = NDArray[np.int64]
Hashes = NDArray[np.uint64]


@dataclass
class Cross:
    """Collects with `seen` while batches pass, in their order; concludes with `found`."""

    conn: Connection
    definition: MapDefinition
    layer: Layer
    stage: Stage
    evidence: Evidence
    _rows: list[Rows] = field(default_factory=list)
    _uids: list[Hashes] = field(default_factory=list)
    _labels: list[Hashes] = field(default_factory=list)
    _xy: list[NDArray[np.float64]] = field(default_factory=list)
    _coarse: list[NDArray[np.bool_]] = field(default_factory=list)

    def __post_init__(self) -> None:
        district = self.definition.district
        self._places = NamedPlaces.of(self.definition, self.layer, self.evidence)
        self._to_plane: Transformation = transformation(
            district.storage_crs, district.measuring_crs, district.extent
        )

    def seen(self, accepted: Accepted) -> list[Issue]:
        """Remember a batch; what its rows tell by themselves of name and place."""
        self._rows.append(accepted.rows)
        self._uids.append(_hashed(accepted.uids))
        if accepted.geometry is None:
            return []
        self._labels.append(_hashed(accepted.values[self.layer.names.label]))
        bounds = shapely.bounds(accepted.geometry)
        middle = (bounds[:, :2] + bounds[:, 2:]) / 2
        self._xy.append(middle)
        bound = accepted.values["accuracy_m"].fill_null(0.0).to_numpy(zero_copy_only=False)
        self._coarse.append(bound > self.definition.district.coarse_position_m)
        return self._places.conflicts(accepted.rows, accepted.values, middle)

    def found(self) -> list[Issue]:
        """Findings over all rows; rows refused here are taken out of the staged table."""
        if not self.stage.rows:
            return []
        rows, uids = np.concatenate(self._rows), np.concatenate(self._uids)
        issues = self._duplicates(rows, uids)
        if not self.layer.has_geometry:
            return issues
        xy, labels = np.concatenate(self._xy), np.concatenate(self._labels)
        self._xy, self._labels, self._uids = [], [], []
        group = _groups(xy)
        issues += (same := self._same_content(rows, group))
        # A place that is said to be coarse, such as a township's seat, claims nothing that it does not hold.
        piled = self._piles(rows, xy, group, labels) & ~np.concatenate(self._coarse)
        issues += self._told(rows[piled], xy[piled], "placeholder_position")
        known = piled | np.isin(rows, np.array([i.row for i in same], dtype=np.int64))
        issues += self._near(rows[~known], xy[~known], labels[~known])
        return issues

    # --- One identifier twice -----------------------------------------------------------------------------

    def _duplicates(self, rows: Rows, uids: Hashes) -> list[Issue]:
        """With a key the first row stays; without, identical rows are numbered."""
        suspects = rows[_shared(uids)]
        if not len(suspects):
            return []
        asked = text(
            f"SELECT {ROW_NO}, uid FROM {self.stage.name} "
            f"WHERE {ROW_NO} = ANY(CAST(:rows AS bigint[])) ORDER BY 1"
        )
        times: Counter[str] = Counter()
        later: list[tuple[int, str, int]] = []
        for row, uid in self.conn.execute(asked, {"rows": suspects.tolist()}):
            times[uid] += 1
            if times[uid] > 1:
                later.append((row, uid, times[uid]))
        if not later:
            return []
        if self.layer.key:
            self.conn.execute(
                text(f"DELETE FROM {self.stage.name} WHERE {ROW_NO} = ANY(CAST(:rows AS bigint[]))"),
                {"rows": [row for row, _, _ in later]},
            )
            return [Issue(row, self.layer.key[0], uid, "duplicate_uid") for row, uid, _ in later]
        self.conn.execute(
            text(
                f"UPDATE {self.stage.name} AS s SET uid = s.uid || '#' || n.n FROM "
                f"unnest(CAST(:rows AS bigint[]), CAST(:ns AS int[])) AS n(r, n) WHERE s.{ROW_NO} = n.r"
            ),
            {"rows": [row for row, _, _ in later], "ns": [n for _, _, n in later]},
        )
        return []

    def _same_content(self, rows: Rows, group: NDArray[np.int64]) -> list[Issue]:
        """Rows that say the same as an earlier one but for their key."""
        suspects = rows[_shared(group)]
        if not len(suspects):
            return []
        names = [f.name for f in self.layer.fields if f.name not in self.layer.key]
        same = ", ".join([*(f'"{name}"' for name in names), "ST_AsBinary(geom)"])
        asked = text(
            f"SELECT first, {ROW_NO} FROM "
            f"(SELECT {ROW_NO}, min({ROW_NO}) OVER (PARTITION BY {same}) AS first "
            f"FROM {self.stage.name} WHERE {ROW_NO} = ANY(CAST(:rows AS bigint[]))) AS s "
            f"WHERE first < {ROW_NO} ORDER BY 2"
        )
        return [
            Issue(row, None, str(first + 1), "duplicate_content", "warning")
            for first, row in self.conn.execute(asked, {"rows": suspects.tolist()})
        ]

    # --- Placeholders -------------------------------------------------------------------------------------

    def _piles(
        self, rows: Rows, xy: NDArray[np.float64], group: NDArray[np.int64], labels: Hashes
    ) -> NDArray[np.bool_]:
        """Rows of points that stand where many others of other names stand, or at a round coordinate."""
        if not self.layer.geometry.endswith("Point"):
            return np.zeros(len(rows), dtype=bool)
        names = np.ones(len(rows), dtype=np.int64)
        together = _shared(group)
        if together.any():
            pairs = np.unique(np.column_stack([group[together].astype(np.uint64), labels[together]]), axis=0)
            names[together] = np.bincount(pairs[:, 0].astype(np.int64), minlength=len(rows))[group[together]]
        is_round = self._round(xy, PILE_ROUND_DEGREES)
        piled = (names >= PILE_NAMES) | (is_round & (np.bincount(group)[group] >= ROUND_PILE_ROWS))
        alone = self._round(xy, ROUND_DEGREES)
        if len(rows) >= ROUND_FEW and (alone & ~piled).sum() <= ROUND_SHARE * len(rows):
            piled |= alone
        return np.asarray(piled)

    def _round(self, xy: NDArray[np.float64], degrees: float) -> NDArray[np.bool_]:
        geographic = parse_crs(self.definition.district.storage_crs).is_geographic
        steps = xy / (degrees if geographic else ROUND_METRES)
        return np.asarray((np.abs(steps - np.round(steps)) < 1e-7).all(axis=1))

    def _told(self, rows: Rows, xy: NDArray[np.float64], code: str) -> list[Issue]:
        return [
            Issue(row, "geom", f"{x:.6f} {y:.6f}", code, "warning")
            for row, (x, y) in zip(rows.tolist(), xy.tolist(), strict=True)
        ]

    # --- One thing twice ----------------------------------------------------------------------------------

    def _near(self, rows: Rows, xy: NDArray[np.float64], labels: Hashes) -> list[Issue]:
        """Rows of one name within `NEAR_M`: in the order of name and x, each is held against the next."""
        shared = _shared(labels) & (labels != _hashed(pa.nulls(1, pa.string()))[0])
        if 2 * len(np.unique(labels)) < len(labels):
            return []  # the label is a category, not a name
        rows, xy, labels = rows[shared], xy[shared], labels[shared]
        if len(rows) < 2:
            return []
        order = np.lexsort((xy[:, 0], labels))
        rows, labels, plane = rows[order], labels[order], self._to_plane.xy(xy[order])
        apart = np.hypot(*(plane[1:] - plane[:-1]).T)
        near = np.flatnonzero((labels[1:] == labels[:-1]) & (apart <= NEAR_M))
        pairs = np.sort(np.column_stack([rows[near], rows[near + 1]]), axis=1)
        return [
            Issue(
                second, self.layer.names.label, f"{first + 1} ({metres:.0f} m)", "near_duplicate", "warning"
            )
            for (first, second), metres in zip(pairs.tolist(), apart[near].tolist(), strict=True)
        ]


def _hashed(values: pa.Array) -> Hashes:
    return np.asarray(pd.util.hash_array(_objects(values), categorize=False), dtype=np.uint64)


def _objects(values: pa.Array) -> NDArray[Any]:
    return np.asarray(values.cast(pa.string()).to_numpy(zero_copy_only=False), dtype=object)


def _shared(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values occur more than once."""
    order = np.argsort(values, kind="stable")
    same = values[order][1:] == values[order][:-1]
    found = np.zeros(len(values), dtype=bool)
    found[order[1:][same]] = True
    found[order[:-1][same]] = True
    return found


def _groups(xy: NDArray[np.float64]) -> NDArray[np.int64]:
    """A number for each row, the same for rows whose coordinates are the same to the bit."""
    bits = np.ascontiguousarray(xy).view(np.uint64)
    mixed = bits[:, 0] * np.uint64(0x9E3779B97F4A7C15) ^ (bits[:, 1] + np.uint64(0x7F4A7C15))
    return np.unique(mixed, return_inverse=True)[1].astype(np.int64)
