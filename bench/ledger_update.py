"""The conflict ledger of 1,000,000 enterprises and 2,000 zones, brought up to date against judged anew.

onemap                one zone with 1 % of the enterprises moves as a whole: each of them lies deeper or less
onemap, notch         a notch of 300 m is cut into its outline, elsewhere each time
onemap, clock         the law date moves across 2026-08-15, where the Code replaces the older laws
onemap, words         a rule gets another title
onemap, severity      a rule gets another severity
onemap, distance      a rule reaches less far
full                  every enterprise against every zone, after each of them; it must change nothing

Zones have the grades of drinking-water sources, the shipped rules apply. Built once a run, in a store of its
own that is removed at the end.
"""

from __future__ import annotations

import resource
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from sqlalchemy import Engine, create_engine, insert

from bench.ending import own_folder
from bench.processor import Spent, spent_on
from bench.report import Row
from bench.workload import SEED, Workload, workload
from gis import tables
from gis.applying import apply_staged
from gis.cluster import Cluster
from gis.crs import WEB_MERCATOR, transformation
from gis.db import connect
from gis.importing.fill import fill_empty
from gis.importing.options import SourceInfo
from gis.importing.register import register_source
from gis.importing.stage import Stage
from gis.importing.values import ARROW
from gis.revisions import Change, new_revision, note_touch
from gis.screening.conflicts import RefreshResult, refresh
from gis.settings import MapDefinition, Settings
from gis.sync import sync
from layers.model import Text
from layers.rulemodel import DWithin, RulePack, canonical_hash

__all__ = ["LAYER", "SUBJECTS", "fill", "ledger_update"]

EDITS = 5
SUBJECTS, LAYER = "enterprises", "water_source_zones"
BEFORE, AFTER = date(2026, 8, 14), date(2026, 8, 16)


def ledger_update(share: float = 1.0) -> list[Row]:
    """Build the store, edit it, and compare updates with judging everything."""
    definition = Settings().load_map()
    made = workload().share(share)
    with _store(definition) as engine:
        edited = fill(engine, definition, made)
        print("Judging everything (once) ...", flush=True)
        first, done = spent_on(engine, lambda: refresh(engine, definition, law_date=BEFORE))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{first}: {done.change.added:,} rows; peak memory {memory:,} MB", flush=True)
        zone = made.zones[edited]
        rows = [_zone_edits(engine, definition, edited, "onemap", _moved(zone))]
        _move(engine, definition, edited, zone)
        refresh(engine, definition, law_date=BEFORE)
        rows.append(_zone_edits(engine, definition, edited, "onemap, notch", _notched(zone)))
        rows.append(_step(engine, definition, "onemap, clock", AFTER))
        changed = definition
        for name, rule_id, change in _changes(definition):
            changed = _with_rule(changed, rule_id, change)
            rows.append(_step(engine, changed, f"onemap, {name}", AFTER))
        full, done = spent_on(engine, lambda: refresh(engine, changed, law_date=AFTER, full=True))
        assert done.change.is_empty, done.change
        print(f"full: {full}", flush=True)
        rows.append(_row("full", [full], done))
    return rows


def _moved(zone: Any) -> Iterator[Any]:
    """The zone in other places: the margin of all that it holds is another, and every row is written anew."""
    for turn in range(EDITS):
        yield shapely.affinity.translate(zone, 20.0 * (turn + 1), 0.0)


def _notched(zone: Any) -> Iterator[Any]:
    """The zone without a piece of its rim."""
    rim = shapely.get_exterior_ring(shapely.get_geometry(zone, 0))
    for turn in range(EDITS):
        place = shapely.line_interpolate_point(rim, (turn + 0.5) / EDITS, normalized=True)
        yield max(shapely.get_parts(shapely.difference(zone, shapely.buffer(place, 300.0))), key=shapely.area)


def _zone_edits(
    engine: Engine, definition: MapDefinition, edited: int, name: str, shapes: Iterator[Any]
) -> Row:
    spent, done = [], None
    for turn, shape in enumerate(shapes):
        _move(engine, definition, edited, shape)
        took, done = spent_on(engine, lambda: refresh(engine, definition, law_date=BEFORE))
        spent.append(took)
        print(f"{name} {turn + 1}/{EDITS}: {took}, {done.subjects:,} judged, {done.change}", flush=True)
    assert done is not None
    _check(engine, definition, BEFORE)
    return _row(name, spent, done)


def _step(engine: Engine, definition: MapDefinition, name: str, law_date: date) -> Row:
    took, done = spent_on(engine, lambda: refresh(engine, definition, law_date=law_date))
    print(f"{name}: {took}, {done.subjects:,} judged, {done.change}", flush=True)
    _check(engine, definition, law_date)
    return _row(name, [took], done)


def _check(engine: Engine, definition: MapDefinition, law_date: date) -> None:
    """Judging everything finds nothing else."""
    done = refresh(engine, definition, law_date=law_date, full=True)
    assert done.full, "not judged in full"
    assert done.change.is_empty and not done.retold, done


def _row(name: str, spent: list[Spent], done: RefreshResult) -> Row:
    seconds = [each.clock_s for each in spent]
    params = {
        "min": min(seconds), "max": max(seconds), "pairs": done.subjects,
        "changed": done.change.added + done.change.changed + done.change.closed,
        "process_s": statistics.median(each.process_s for each in spent),
        "server_s": statistics.median(each.server_s for each in spent),
        "load": statistics.median(each.load for each in spent),
    }  # fmt: skip
    return Row("ledger-update", name, statistics.median(seconds), "s", len(seconds), params)


@contextmanager
def _store(definition: MapDefinition) -> Iterator[Engine]:
    with own_folder() as folder:
        engine = create_engine(Cluster(folder / "home").ensure_running())
        sync(engine, definition)
        yield engine
        engine.dispose()


def fill(engine: Engine, definition: MapDefinition, made: Workload) -> int:
    """Enterprises, zones and coverages; which zone has about a hundredth of the enterprises in it."""
    rng = np.random.default_rng(SEED)
    count, zones = len(made.xy), len(made.zones)
    held = _held(made)
    edited = int(np.argmin(np.abs(held - count / 100)))
    grade = rng.choice(["1", "2", "quasi", "rural"], zones, p=[0.02, 0.02, 0.02, 0.94])
    grade[-zones // 100 :] = "rural"
    grade[edited] = "2"
    names = np.array([f"E{n:07d}" for n in range(count)], dtype=object)
    _load(engine, definition, SUBJECTS, made.points, names, 10.0, {
        "ent_id": pa.array(names), "name": pa.array(names),
        "water_supply_related": pa.array(rng.random(count) < 0.01),
        "discharges_pollutants": _flags(rng, count, 0.3), "heavy_water_pollution": _flags(rng, count, 0.05),
        "source_type": pa.array(np.where(rng.random(count) < 0.02, "livestock", "yard")),
        "industry_code": pa.array(
            rng.choice(["A0313", "C2614", "C3311"], count, p=[0.02, 0.48, 0.5]), mask=rng.random(count) < 0.02
        ),
    })  # fmt: skip
    codes = np.array([f"Z{n:04d}" for n in range(zones)], dtype=object)
    fields = {"name": pa.array(codes), "grade": pa.array(grade)}
    _load(engine, definition, LAYER, made.zones, codes, 5.0, fields)
    _cover(engine, definition)
    print(f"{count:,} enterprises, {zones:,} zones, {held[edited]:,} in the edited one", flush=True)
    return edited


def _flags(rng: np.random.Generator, count: int, share: float) -> pa.Array:
    """True for a share of the rows; one in fifty is not known."""
    return pa.array(rng.random(count) < share, mask=rng.random(count) < 0.02)


def _held(made: Workload) -> NDArray[np.int64]:
    """How many points lie in each zone, by a tenth of them."""
    part = made.points[::10]
    pairs = shapely.STRtree(part).query(made.zones, "intersects")[0]
    return np.bincount(pairs, minlength=len(made.zones)) * 10


def _load(
    engine: Engine, definition: MapDefinition, name: str, geoms: NDArray[np.object_],
    uids: NDArray[np.object_], accuracy_m: float, fields: dict[str, pa.Array],
) -> None:  # fmt: skip
    district, layer = definition.district, definition.layers[name]
    back = transformation(district.measuring_crs, district.storage_crs, district.extent)
    web = transformation(district.storage_crs, WEB_MERCATOR, district.extent)
    stored = back.geometries(geoms)
    if layer.geometry == "MultiPolygon":
        stored = np.array([shapely.multipolygons(shapely.get_parts([g])) for g in stored], dtype=object)
    values = {f.name: fields.get(f.name, pa.nulls(len(uids), ARROW[f.type])) for f in layer.fields}
    values["accuracy_m"] = pa.array(np.full(len(uids), accuracy_m))
    table = tables.table_for(layer, district.storage_crs)
    with connect(engine, write=True) as conn:
        source = register_source(conn, SourceInfo("bench"))
        stage = Stage(conn, layer, table, web)
        stage.add(stage.columns(np.arange(len(uids)), values, stored, pa.array(uids), source))
        stage.analyze()
        apply_staged(conn, table, stage.table, mode="upsert", who="bench", kind="import", fill=fill_empty)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql(f'ANALYZE layer."{name}"')


def _cover(engine: Engine, definition: MapDefinition) -> None:
    """All layers that rules ask are complete in and around the whole district."""
    west, south, east, north = definition.district.extent
    box = shapely.box(west - 1, south - 1, east + 1, north + 1).wkt
    layers = {rule.zone_layer for pack in definition.packs.values() for rule in pack.rules} - {None}
    with connect(engine, write=True) as conn:
        rev = new_revision(conn, who="bench", kind="import")
        for name in sorted(str(layer) for layer in layers):
            geom = f"SRID={definition.district.storage_crs};{box}"
            conn.execute(insert(tables.coverage).values(layer=name, source_id=1, geom=geom, rev_from=rev))
            note_touch(conn, rev, name, Change(rev, 0, 0, 0, 0))


def _move(engine: Engine, definition: MapDefinition, zone: int, shape: Any) -> None:
    """Give a zone another outline."""
    uid = np.array([f"Z{zone:04d}"], dtype=object)
    fields = {"name": pa.array(uid), "grade": pa.array(["2"])}
    _load(engine, definition, LAYER, np.array([shape], dtype=object), uid, 5.0, fields)


def _changes(definition: MapDefinition) -> list[tuple[str, str, dict[str, Any]]]:
    """What is changed of which rule: its name, the rule's id, and the new values."""
    predicate = _pack_with(definition, "DW-13").rule("DW-13").predicate
    assert isinstance(predicate, DWithin)
    return [
        ("words", "ZC-08", {"title": Text(zh="别的标题", en="Another title")}),
        ("severity", "DW-07", {"severity": "notice"}),
        ("distance", "DW-13", {"predicate": predicate.model_copy(update={"distance_m": 400.0})}),
    ]


def _pack_with(definition: MapDefinition, rule_id: str) -> RulePack:
    return next(pack for pack in definition.packs.values() if any(r.id == rule_id for r in pack.rules))


def _with_rule(definition: MapDefinition, rule_id: str, change: dict[str, Any]) -> MapDefinition:
    """The definition with some values of a rule changed."""
    pack, rules = _pack_with(definition, rule_id), []
    for rule in pack.rules:
        values = {**change, "hash": canonical_hash([rule.hash, change])}
        rules.append(rule.model_copy(update=values) if rule.id == rule_id else rule)
    changed = pack.model_copy(
        update={"rules": tuple(rules), "hash": canonical_hash([pack.hash, rule_id, change])}
    )
    return replace(definition, packs={**definition.packs, pack.id: changed})
