"""The same again changes nothing, and what was known before is known to be so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, text

from gis import tables
from gis.db import connect
from gis.importing import ImportResult
from gis.revisions import revert
from gis.settings import MapDefinition
from tests.gis.conftest import content

Load = Callable[..., ImportResult]
HEADER = "code,name,kind,depth,lon,lat\n"
ROWS = HEADER + "1,甲,dug,1,120,29.1234567\n2,乙,bored,,120.1,29\n3,坏,pond,1,120,29\n"


def revisions(store: Engine) -> int:
    with connect(store) as conn:
        return conn.scalar(text("SELECT count(*) FROM core.revisions")) or 0


def test_the_same_file_is_known_and_recorded(load: Load, store: Engine) -> None:
    first = load("wells", ROWS)
    before = content(store, "wells")
    again = load("wells", ROWS)
    assert (first.repeated, first.change.rev, first.change.added) == (False, 1, 2)
    assert again.repeated
    assert (again.change.rev, again.change.unchanged, again.total, again.good, again.bad) == (
        None,
        2,
        3,
        2,
        1,
    )
    assert content(store, "wells") == before
    with connect(store) as conn:
        runs = conn.execute(text("SELECT total, good, bad, rev FROM core.import_runs ORDER BY run_id")).all()
    assert [tuple(run) for run in runs] == [(3, 2, 1, 1), (3, 2, 1, None)]
    assert revisions(store) == 1


def test_a_rewritten_file_of_the_same_content_is_compared_row_by_row(load: Load, store: Engine) -> None:
    load("wells", ROWS)
    again = load(
        "wells", HEADER + "2,乙,bored,,120.10,29.0\n1,甲,dug,1.0,120,29.1234567\n3,坏,pond,1,120,29\n"
    )
    assert (again.repeated, again.change.rev, again.change.unchanged, again.bad) == (False, None, 2, 1)
    assert revisions(store) == 1


def test_after_an_undo_or_another_hand_the_file_is_taken_anew(
    load: Load, store: Engine, small_map: MapDefinition
) -> None:
    load("wells", ROWS)
    with connect(store, write=True) as conn:
        revert(conn, 1, [tables.table_for(layer, 4490) for layer in small_map.layers.values()], who="t")
    assert content(store, "wells") == []
    again = load("wells", ROWS)
    assert (again.repeated, again.change.added, again.change.rev) == (False, 2, 3)
    load("wells", HEADER + "1,改,dug,1,120,29.1234567\n", source="other")
    third = load("wells", ROWS)
    assert (third.repeated, third.change.changed, third.change.rev) == (False, 1, 5)


def test_other_options_are_another_import(load: Load) -> None:
    load("wells", ROWS)
    assert load("wells", ROWS).repeated
    assert not load("wells", ROWS, mode="replace").repeated
    assert not load("wells", ROWS, outside="keep").repeated
    assert not load("wells", ROWS, accuracy_m=20.0).repeated


def test_a_run_says_what_was_read_and_how(load: Load, store: Engine, tmp_path: Path) -> None:
    load("wells", ROWS, who="li")
    with connect(store) as conn:
        run = conn.execute(text("SELECT * FROM core.import_runs")).mappings().one()
    assert (run["format"], run["who"], run["used_crs"], run["size"]) == (
        "csv",
        "li",
        "EPSG:4490",
        len(ROWS.encode()),
    )
    assert len(run["sha256"]) == 64 and run["started"] < run["finished"]
    assert run["options"]["columns"] == {"code": "code", "name": "name", "kind": "kind", "depth": "depth"}
    assert (run["options"]["mode"], run["options"]["source"]["name"]) == ("upsert", "survey")
