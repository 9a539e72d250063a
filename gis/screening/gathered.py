"""Rows of subject and zone layers: what was read to find whom a change concerns is not read again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection

from gis.screening.asking import subject_fields
from gis.screening.rows import LayerRows, read_named, read_some
from gis.settings import MapDefinition
from layers.rulemodel import Rule

__all__ = ["Gathered"]


class Gathered:
    """Rows at one revision, the newest, in one transaction. For one thread at a time."""

    def __init__(self, conn: Connection, definition: MapDefinition, rules: Sequence[Rule], rev: int) -> None:
        self._conn, self._definition, self._rules, self._rev = conn, definition, rules, rev
        self._subjects: dict[str, list[LayerRows]] = {}
        self._zones: dict[str, LayerRows] = {}

    def fields(self, subject: str) -> set[str]:
        """The attributes of a subject layer that rules ask for, or that rows of the ledger name."""
        names = self._definition.layers[subject].names
        asked = {name for name in (names.township, names.county) if name}
        for rule in self._rules:
            if subject in rule.subjects:
                asked |= subject_fields(rule, self._definition.packs[rule.pack].deciding(rule))
        return asked

    def keep(self, rows: LayerRows) -> None:
        """Subjects that were read with all `fields` of their layer."""
        self._subjects.setdefault(rows.layer.id, []).append(rows)

    def subjects(self, name: str, uids: NDArray[np.object_]) -> LayerRows:
        """The current rows of a layer that have these uids (each once), in order of uid, with its `fields`.

        What was kept of the layer is given away with them.
        """
        layer, fields = self._definition.layers[name], self.fields(name)
        held = self._subjects.pop(name, [])
        if not held:
            return read_named(self._conn, self._definition, layer, uids, self._rev, fields)
        known = held[0].and_also(*held[1:]).by_uid()
        place = pd.Index(known.uids).get_indexer(pd.Index(uids))
        known, rest = known.take(np.sort(place[place >= 0])), uids[place < 0]
        if not len(rest):
            return known
        return known.and_also(
            read_named(self._conn, self._definition, layer, rest, self._rev, fields)
        ).by_uid()

    def zones(self, zone_layer: str, row_ids: NDArray[np.int64]) -> LayerRows:
        """Versions of zones by their ids, in that order; none is read twice."""
        held = self._zones.get(zone_layer)
        missing = row_ids if held is None else np.setdiff1d(row_ids, held.row_ids)
        if held is None or len(missing):
            layer = self._definition.layers[zone_layer]
            found = read_some(self._conn, self._definition, layer, missing, self._rev)
            held = self._zones[zone_layer] = found if held is None else held.and_also(found)
        return held.take(pd.Index(held.row_ids).get_indexer(pd.Index(row_ids)))
