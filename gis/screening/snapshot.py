"""All that a judgement rests on, read at one revision: zone layers with their indexes, and subjects."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from threading import Event, Lock, Thread
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import (
    ARRAY,
    URL,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Text,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    text,
)

from gis import tables
from gis.db import ask_row, database_role, scope_of
from gis.kept import for_each
from gis.screening.inputs import PreparedLayer, Subjects, ZoneLayer
from gis.screening.rows import LayerRows, read_rows
from gis.screening.seeing import out_of_sight, scope_key, seen_definition
from gis.settings import MapDefinition
from layers.rulepacks import Rule

__all__ = [
    "Snapshot",
    "Standing",
    "as_subjects",
    "enabled_rules",
    "held_snapshot",
    "prepare_rows",
    "standing",
    "take_snapshot",
    "zone_layers",
]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Zone layers in force on ``law_date`` at ``revision``, by layer id.

    Attributes
    ----------
    rows : mapping of layer id to LayerRows
        Only the rows in force; what findings say of a zone beyond its geometry is looked up here.
    prepared : mapping of layer id to PreparedLayer
        The same zones, in the same order, ready for the judge.
    no_access : frozenset of str
        Layers that were asked for and that the scope it was taken for may not see.
    traced : Event
        Set when `trace` was called; each further view of the same zones has it too.
    """

    revision: int
    law_date: date
    rows: Mapping[str, LayerRows]
    prepared: Mapping[str, PreparedLayer]
    no_access: frozenset[str] = frozenset()
    traced: Event = field(default_factory=Event)

    def trace(self) -> None:
        """Trace all boundaries now, once."""
        if not self.traced.is_set():
            self.traced.set()
            self._trace()

    def trace_aside(self) -> None:
        """The same beside what is going on: a service need not let anybody wait for it."""
        if not self.traced.is_set():
            self.traced.set()
            Thread(target=self._trace, name="trace", daemon=True).start()

    def _trace(self) -> None:
        for layer in self.prepared.values():
            layer.trace()


# Cutting zones and making their union costs more than any single answer; the key names content.
_PREPARED: OrderedDict[tuple[int, bytes], tuple[LayerRows, LayerRows, PreparedLayer]] = OrderedDict()
_PREPARED_LOCK = Lock()
_PREPARED_SIZE = 128
_TAKING_LOCK = Lock()
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


@dataclass(frozen=True)
class Standing:
    """The newest revision, which one touched each layer last, and the sources as JSON by name."""

    head: int
    touched: Mapping[str, int]
    sources: Mapping[str, orjson.Fragment]


# What names the state of the store. No other version of a row was written by the same transaction and lies in
# the same place, as long as the server runs; and what a revision touches is written together with it. What of
# that a role sees is said by policies, which are renewed all at once (`gis.rights`).
_STATE = (
    "concat_ws(' ', pg_postmaster_start_time(), "
    "(SELECT concat(xmin, ctid) FROM core.revisions ORDER BY rev DESC LIMIT 1), "
    "(SELECT string_agg(concat(xmin, ctid), ' ') FROM core.sources), "
    "(SELECT concat(xmin, ctid) FROM pg_policy "
    "WHERE polrelid = 'core.revision_layers'::regclass AND polname = 'store'))"
)
_STANDINGS: OrderedDict[tuple[object, ...], tuple[str, Standing]] = OrderedDict()
_STANDINGS_SIZE = 64


def standing(engine: Engine, layers: Iterable[str]) -> Standing:
    """Where the store stands, for ``layers`` (ids): asked in full when its state is another than before."""
    names, scope = tuple(dict.fromkeys(layers)), scope_of(engine)
    key = _database(engine.url), scope and database_role(scope), names
    (state,) = ask_row(engine, f"SELECT {_STATE}", {})
    told = _STANDINGS.get(key)
    if told is None or told[0] != state:
        state, newest, touched, sources = ask_row(engine, _standing(engine.dialect), {"layers": list(names)})
        told = state, Standing(newest, {name: touched.get(name, 0) for name in names}, _sources(sources))
        with _PREPARED_LOCK:
            _STANDINGS[key] = told
            while len(_STANDINGS) > _STANDINGS_SIZE:
                _STANDINGS.popitem(last=False)
    return told[1]


@for_each(size=64)
def _database(url: URL) -> str:
    """What a database is known by; an address makes it anew whenever it is compared."""
    return url.render_as_string(hide_password=False)


@lru_cache(maxsize=8)
def _sources(told: str) -> Mapping[str, orjson.Fragment]:
    """The sources that the database tells, as records show them, by name."""
    return {
        row["name"]: orjson.Fragment(orjson.dumps({
            "name": row["name"], "title": {"zh": row["title_zh"], "en": row["title_en"]},
            "bureau": row["bureau"], "is_demonstration": row["is_demonstration"],
        }))
        for row in orjson.loads(told)
    }  # fmt: skip


@for_each(size=8)
def _standing(dialect: Dialect) -> str:
    """The statement for a `Standing` and the state it is of, its one parameter the list of layers."""
    r, t, s = tables.revisions, tables.revision_layers, tables.sources
    layers = bindparam("layers", type_=ARRAY(Text))
    last = select(t.c.layer, func.max(t.c.rev).label("rev")).where(t.c.layer == any_(layers))
    each = last.group_by(t.c.layer).subquery()
    shown = ("name", "title_zh", "title_en", "bureau", "is_demonstration")
    parts: list[ColumnElement[Any]] = []
    for name in shown:
        parts += [literal_column(f"'{name}'"), s.c[name]]
    source = func.json_build_object(*parts)
    query = select(
        literal_column(_STATE),
        select(func.coalesce(func.max(r.c.rev), text("0"))).scalar_subquery(),
        select(
            func.coalesce(func.json_object_agg(each.c.layer, each.c.rev), text("'{}'::json"))
        ).scalar_subquery(),
        select(func.coalesce(cast(func.json_agg(source), Text), text("'[]'"))).scalar_subquery(),
    )
    return str(query.compile(dialect=dialect))


def held_snapshot(
    engine: Engine, definition: MapDefinition, rev: int, law_date: date, touched: Mapping[str, int]
) -> Snapshot | None:
    """The snapshot of the layers in ``touched``, by the revisions that touched them last, if it is kept."""
    with _PREPARED_LOCK:
        held = _SNAPSHOTS.get(_key(engine, definition.whole, law_date, touched))
    return replace(held[1], revision=rev) if held is not None and held[0] is definition.whole else None


def _key(
    engine: Engine, definition: MapDefinition, law_date: date, touched: Mapping[str, int]
) -> tuple[object, ...]:
    scope = scope_key(definition, scope_of(engine))
    return _database(engine.url), id(definition), law_date, tuple(touched.items()), scope


def take_snapshot(
    conn: Connection, definition: MapDefinition, rev: int, law_date: date, layers: Iterable[str]
) -> Snapshot:
    """Read ``layers`` (ids) as zones at revision ``rev``, those rows that are in force on ``law_date``.

    As far as the connection's scope sees them.
    """
    definition, names = definition.whole, tuple(dict.fromkeys(layers))
    touched = _touched(conn, names, rev)
    with _TAKING_LOCK:  # several who ask at once wait for the first, instead of all doing its work
        held = held_snapshot(conn.engine, definition, rev, law_date, touched)
        return held or _take(conn, definition, rev, law_date, touched)


def _take(
    conn: Connection, definition: MapDefinition, rev: int, law_date: date, touched: Mapping[str, int]
) -> Snapshot:
    rows: dict[str, LayerRows] = {}
    prepared: dict[str, PreparedLayer] = {}
    scope = scope_of(conn)
    hidden = out_of_sight(definition, scope) & touched.keys()
    layers = seen_definition(definition, scope).layers
    for layer_id in (name for name in touched if name not in hidden):
        found = read_rows(conn, definition, layers[layer_id], rev, touched[layer_id])
        rows[layer_id], prepared[layer_id] = _prepare(found, found.in_force(law_date))
    snapshot = Snapshot(rev, law_date, rows, prepared, hidden)
    with _PREPARED_LOCK:
        _SNAPSHOTS[_key(conn.engine, definition, law_date, touched)] = definition, snapshot
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
    prepared = prepare_rows(taken)
    with _PREPARED_LOCK:
        # The rows are kept with the entry, so that their id cannot be given to another object meanwhile.
        _PREPARED[key] = (rows, taken, prepared)
        while len(_PREPARED) > _PREPARED_SIZE:
            _PREPARED.popitem(last=False)
    return taken, prepared


def prepare_rows(rows: LayerRows) -> PreparedLayer:
    """The zones ``rows``, all of them taken to be in force, ready for the judge."""
    return PreparedLayer(
        ZoneLayer(
            layer_id=rows.layer.id, uids=rows.uids, names=rows.labels, geoms=rows.geoms,
            accuracy_m=rows.accuracy_m, is_indicative=rows.is_indicative, attributes=rows.attributes,
            coverage=rows.coverage, network=rows.layer.network,
        )
    )  # fmt: skip


def as_subjects(rows: LayerRows) -> Subjects:
    """All rows of a subject layer, in the order of ``rows``."""
    return Subjects(
        layer_id=rows.layer.id, kinds=frozenset({rows.layer.id}), uids=rows.uids, geoms=rows.geoms,
        accuracy_m=rows.accuracy_m, attributes=rows.attributes,
    )  # fmt: skip
