"""What a change would do is what it does, and looking leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import func, select

from gis import tables
from gis.db import connect
from gis.importing import ImportOptions, SourceInfo
from gis.intake import take_in
from gis.revisions import head
from gis.screening.blast import Rehearsal, draw, preview_rules
from gis.screening.conflicts import judged_up_to, refresh
from tests.ledger.world import RULES, World, hashed, pack_of

AREA = "POLYGON((119.99 29.0,120.06 29.0,120.06 29.07,119.99 29.07,119.99 29.0))"


def _findings(world: World) -> dict[tuple[str, str], set[tuple[str, str, str]]]:
    found: dict[tuple[str, str], set[tuple[str, str, str]]] = {}
    for row in world.ledger().values():
        said = found.setdefault((row["subject_layer"], row["subject_uid"]), set())
        said |= {(rule, row["verdict"], row["severity"]) for rule in row["rules"].split()}
    return found


def _changed(before: dict[Any, Any], after: dict[Any, Any]) -> set[tuple[str, str]]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def _judgings(world: World) -> int:
    with connect(world.engine) as conn:
        return int(conn.scalar(select(func.count()).select_from(tables.judgings)) or 0)


def test_a_rule_pack_is_looked_at_before_it_is_published(
    new_world: Callable[[int], World], tmp_path: Path
) -> None:
    world = new_world(3)
    refresh(world.engine, world.definition)
    before, judgings = _findings(world), _judgings(world)
    rules = tuple(
        hashed(rule.model_copy(update={"severity": "notice"})) if rule.id == "AR-02" else rule
        for rule in RULES
        if rule.id != "AR-04"
    )
    changed = replace(world.definition, packs={"test": pack_of(rules)})
    blast = preview_rules(world.engine, world.definition, changed)
    assert (_findings(world), _judgings(world)) == (before, judgings)
    refresh(world.engine, changed)
    assert {(each.layer, each.uid) for each in blast.affected} == _changed(before, _findings(world)) != set()
    assert not blast.lagging
    assert {rule for rule, *_ in blast.by_rule} <= {"AR-02", "AR-04"}
    assert all(after == 0 for rule, _, _, _, after in blast.by_rule if rule == "AR-04")


def test_a_dry_run_shows_whose_conflicts_change(new_world: Callable[[int], World], tmp_path: Path) -> None:
    world = new_world(4)
    refresh(world.engine, world.definition)
    before = _findings(world)
    file = tmp_path / "areas.csv"
    file.write_text(f'code,name,grade,wkt\nNEW,新,1,"{AREA}"\n', encoding="utf-8")
    rehearsal = Rehearsal(world.definition)
    options = ImportOptions(
        SourceInfo("survey", accuracy_m=1.0), crs="EPSG:4490", dry_run=True, rehearsed=rehearsal.look
    )
    with connect(world.engine) as conn:
        newest = head(conn)
    take_in(world.engine, world.definition, "areas", file, options)
    with connect(world.engine) as conn:
        assert head(conn) == newest
    assert rehearsal.found is not None and not rehearsal.found.lagging
    said = {(each.layer, each.uid) for each in rehearsal.found.affected}
    draw(world.definition, rehearsal.places, tmp_path / "map.geojson")
    drawn = orjson.loads((tmp_path / "map.geojson").read_bytes())["features"]
    assert len(drawn) == len(said) and drawn[0]["geometry"]["coordinates"]

    # The import itself is followed by the judging.
    take_in(world.engine, world.definition, "areas", file, replace(options, dry_run=False))
    with connect(world.engine) as conn:
        assert not judged_up_to(conn, world.definition, head(conn)).lagging
    assert said == _changed(before, _findings(world)) != set()
    full = refresh(world.engine, world.definition, full=True)
    assert full.change.is_empty
