"""All that a judgement rests on, read at one revision: zone layers with their indexes, and subjects."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from gis import tables
from gis.screening.inputs import PreparedLayer, Subjects, ZoneLayer
from gis.screening.rows import LayerRows, read_rows
from gis.settings import MapDefinition
from layers.rulepacks import Rule

__all__ = ["Snapshot", "as_subjects", "enabled_rules", "take_snapshot", "zone_layers"]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Zone layers in force on ``law_date`` at ``revision``, by layer id.

    Attributes
    ----------
    rows : mapping of layer id to LayerRows
        Only the rows in force; what findings say of a zone beyond its geometry is looked up here.
    prepared : mapping of layer id to PreparedLayer
        The same zones, in the same order, ready for the judge.
    """

    revision: int
    law_date: date
    rows: Mapping[str, LayerRows]
    prepared: Mapping[str, PreparedLayer]


# Cutting zones and making their union costs more than any single answer; the key names content.
_PREPARED: OrderedDict[tuple[int, bytes], tuple[LayerRows, LayerRows, PreparedLayer]] = OrderedDict()
_PREPARED_LOCK = Lock()
_PREPARED_SIZE = 128
# Most answers rest on the newest state; its layers are named by the revisions that touched them last.
_SNAPSHOTS: OrderedDict[tuple[object, ...], tuple[MapDefinition, Snapshot]] = OrderedDict()
_SNAPSHOTS_SIZE = 16


def enabled_rules(definition: MapDefinition) -> tuple[Rule, ...]:
    """The rules of the packs that are on, without those switched off, in order of their groups."""
    return tuple(rule for pack in definition.packs.values() for rule in pack.rules if rule.enabled)


def zone_layers(rules: Iterable[Rule]) -> list[str]:
    """The ids of the zone layers that ``rules`` ask and of the networks they follow, each once."""
    every = [(rule.zone_layer, getattr(rule.predicate, "network", None)) for rule in rules]
    return list(dict.fromkeys(name for pair in every for name in pair if name is not None))


def take_snapshot(
    conn: Connection, definition: MapDefinition, rev: int, law_date: date, layers: Iterable[str]
) -> Snapshot:
    """Read ``layers`` (ids) as zones at revision ``rev``, those rows that are in force on ``law_date``."""
    names = tuple(dict.fromkeys(layers))
    touched = _touched(conn, names, rev)
    key = str(conn.engine.url), id(definition), law_date, tuple(touched.items())
    with _PREPARED_LOCK:
        held = _SNAPSHOTS.get(key)
    if held is not None and held[0] is definition:
        return replace(held[1], revision=rev)
    rows: dict[str, LayerRows] = {}
    prepared: dict[str, PreparedLayer] = {}
    for layer_id in names:
        found = read_rows(conn, definition, definition.layers[layer_id], rev, touched[layer_id])
        rows[layer_id], prepared[layer_id] = _prepare(found, found.in_force(law_date))
    snapshot = Snapshot(rev, law_date, rows, prepared)
    with _PREPARED_LOCK:
        _SNAPSHOTS[key] = definition, snapshot
        while len(_SNAPSHOTS) > _SNAPSHOTS_SIZE:
            _SNAPSHOTS.popitem(last=False)
    return snapshot


def _touched(conn: Connection, layers: tuple[str, ...], rev: int) -> dict[str, int]:
    """The last revision up to ``rev`` that touched each layer; 0 for one that was never touched."""
    t = tables.revision_layers
    query = select(t.c.layer, func.max(t.c.rev)).where(t.c.layer.in_(layers), t.c.rev <= rev)
    found = {row[0]: row[1] for row in conn.execute(query.group_by(t.c.layer))}
    return {layer: found.get(layer, 0) for layer in layers}


def _prepare(rows: LayerRows, mask: NDArray[np.bool_]) -> tuple[LayerRows, PreparedLayer]:
    key = (id(rows), np.packbits(mask).tobytes())
    with _PREPARED_LOCK:
        if key in _PREPARED:
            _PREPARED.move_to_end(key)
            return _PREPARED[key][1:]
    taken = rows.take(np.flatnonzero(mask))
    prepared = PreparedLayer(
        ZoneLayer(
            layer_id=rows.layer.id, uids=taken.uids, names=taken.labels, geoms=taken.geoms,
            accuracy_m=taken.accuracy_m, is_indicative=taken.is_indicative, attributes=taken.attributes,
            coverage=taken.coverage, network=rows.layer.network,
        )
    )  # fmt: skip
    with _PREPARED_LOCK:
        # The rows are kept with the entry, so that their id cannot be given to another object meanwhile.
        _PREPARED[key] = (rows, taken, prepared)
        while len(_PREPARED) > _PREPARED_SIZE:
            _PREPARED.popitem(last=False)
    return taken, prepared


def as_subjects(rows: LayerRows) -> Subjects:
    """All rows of a subject layer, in the order of ``rows``."""
    return Subjects(
        layer_id=rows.layer.id, kinds=frozenset({rows.layer.id}), uids=rows.uids, geoms=rows.geoms,
        accuracy_m=rows.accuracy_m, attributes=rows.attributes,
    )  # fmt: skip
