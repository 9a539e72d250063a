"""Writes are numbered revisions; the past never changes; an undo is a new revision."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from gis import revisions, tables
from gis.db import connect
from gis.errors import DatabaseError, ImportRefused, RevertRefused, RevisionError
from gis.importing import ImportOptions, ImportResult, SourceInfo, import_file
from gis.settings import MapDefinition
from tests.gis.conftest import content

Load = Callable[..., ImportResult]
HEADER = "code,name,kind,depth,lon,lat\n"
TWO = HEADER + "1,甲井,dug,3.5,120.01,28.9\n2,乙井,bored,,120.02,28.9\n"


def test_the_same_content_twice_makes_no_revision(load: Load, store: Engine) -> None:
    first, second = load("wells", TWO), load("wells", TWO)
    assert (first.change.rev, first.change.added) == (1, 2)
    assert (second.change.rev, second.change.unchanged) == (None, 2)
    with connect(store) as conn:
        assert revisions.head(conn) == 1


def test_a_change_closes_the_old_row_and_as_of_still_shows_it(load: Load, store: Engine) -> None:
    load("wells", TWO)
    before = content(store, "wells")
    change = load("wells", TWO.replace("3.5", "4")).change
    assert (change.rev, change.added, change.changed, change.closed, change.unchanged) == (2, 0, 1, 0, 1)
    assert content(store, "wells", 1) == before
    assert content(store, "wells") != before


def test_replace_closes_only_rows_of_the_same_source(load: Load, store: Engine) -> None:
    load("wells", TWO)
    load("wells", HEADER + "9,丙井,dug,1,120.03,28.9\n", source="other")
    change = load(
        "wells", HEADER + "1,甲井,dug,3.5,120.01,28.9\n", mode="replace", allow_large_close=True
    ).change
    assert (change.closed, change.unchanged) == (1, 1)
    assert [row[0]["uid"] for row in content(store, "wells")] == ["1", "9"]  # type: ignore[index]


def test_replace_asks_before_it_closes_more_than_a_fifth(load: Load) -> None:
    load("wells", TWO)
    with pytest.raises(ImportRefused, match="close 1 of 2"):
        load("wells", HEADER + "1,甲井,dug,3.5,120.01,28.9\n", mode="replace")


def test_a_dry_run_tells_the_difference_and_stores_nothing(load: Load, store: Engine) -> None:
    load("wells", TWO)
    planned = load(
        "wells", HEADER + "1,甲井,dug,9,120.01,28.9\n3,丁井,dug,1,120.0,28.9\n", dry_run=True
    ).change
    assert (planned.rev, planned.added, planned.changed) == (None, 1, 1)
    assert len(content(store, "wells")) == 2


def test_append_refuses_to_change_existing_rows(load: Load) -> None:
    load("wells", TWO)
    with pytest.raises(ImportRefused, match="1 rows are in the layer"):
        load("wells", TWO.replace("3.5", "4"), mode="append")


def test_a_moved_point_is_a_change(load: Load) -> None:
    load("wells", TWO)
    assert load("wells", TWO.replace("120.01", "120.0100001")).change.changed == 1


def test_a_revert_restores_the_content_and_erases_nothing(
    load: Load, store: Engine, small_map: MapDefinition
) -> None:
    load("wells", TWO)
    before = content(store, "wells")
    load("wells", TWO.replace("3.5", "4") + "3,丁井,dug,1,120.0,28.9\n")
    changed = content(store, "wells")
    done = _revert(store, small_map, 2)
    assert (done.rev, done.added, done.changed, done.closed) == (3, 0, 1, 1)
    assert content(store, "wells") == before
    assert content(store, "wells", 2) == changed


def test_a_revert_names_the_later_revisions_that_stand_in_its_way(
    load: Load, store: Engine, small_map: MapDefinition
) -> None:
    load("wells", TWO)
    load("wells", TWO.replace("3.5", "4"))
    load("wells", TWO.replace("3.5", "5"))
    with pytest.raises(RevertRefused, match="revisions 2, 3 changed the same rows"):
        _revert(store, small_map, 1)
    with connect(store) as conn:
        assert revisions.head(conn) == 3


def test_a_revision_whose_successors_were_undone_can_be_undone(
    load: Load, store: Engine, small_map: MapDefinition
) -> None:
    load("wells", TWO)
    load("wells", TWO.replace("3.5", "4"))
    _revert(store, small_map, 2)
    _revert(store, small_map, 1)
    assert content(store, "wells") == []


def test_a_revert_can_itself_be_reverted(load: Load, store: Engine, small_map: MapDefinition) -> None:
    load("wells", TWO)
    loaded = content(store, "wells")
    _revert(store, small_map, 1)
    _revert(store, small_map, 2)
    assert content(store, "wells") == loaded


def test_an_unknown_revision_is_refused(store: Engine, small_map: MapDefinition) -> None:
    with pytest.raises(RevisionError, match="Revision 7 does not exist"):
        _revert(store, small_map, 7)


def test_as_of_takes_a_number_or_a_time(load: Load, store: Engine) -> None:
    load("wells", TWO)
    with connect(store) as conn:
        assert revisions.resolve_as_of(conn, 1) == 1
        assert revisions.resolve_as_of(conn, "2020-01-01T00:00:00+08:00") == 0
        assert revisions.resolve_as_of(conn, "2999-01-01") == 1
        for wrong in ("2", "yesterday", "-1", "²", "9" * 19, "9" * 5000):
            with pytest.raises(RevisionError):
                revisions.resolve_as_of(conn, wrong)


def test_coverage_is_revisioned_and_reverted_with_its_import(
    load: Load, store: Engine, small_map: MapDefinition, tmp_path: Path
) -> None:
    area = tmp_path / "area.csv"
    area.write_text('wkt\n"POLYGON((120 28,121 28,121 29,120 29,120 28))"\n')
    covered = load("wells", TWO, coverage=area)
    assert load("wells", TWO, coverage=area).change.rev is None
    assert covered.change.rev == 1
    _revert(store, small_map, 1)
    with connect(store) as conn:
        alive = revisions.alive(tables.coverage, None)
        assert conn.scalar(text(f"SELECT count(*) FROM core.coverage WHERE {alive}")) == 0
        assert revisions.last_touch(conn, ["wells"]) == 2


def test_eight_writers_at_once_leave_no_gap_and_no_change_behind_a_reader(
    store: Engine, small_map: MapDefinition, tmp_path: Path
) -> None:
    followed: list[int] = []
    snapshots: dict[int, list[tuple[object, ...]]] = {}
    done = threading.Event()

    def write(k: int) -> None:
        for j in range(4):
            path = tmp_path / f"w{k}-{j}.csv"
            # Every writer also changes the shared row 0, so that their comparisons collide.
            path.write_text(
                HEADER
                + f"0,shared,dug,{k}{j},120,28.9\n"
                + "".join(f"{k}-{i},n,dug,{j},120.0{k},28.9\n" for i in range(5))
            )
            import_file(
                store,
                small_map,
                "wells",
                path,
                ImportOptions(SourceInfo(f"w{k}", accuracy_m=1), crs="EPSG:4490"),
            )

    def follow() -> None:
        last = 0
        while not (done.is_set() and last == _head(store)):
            newest = _head(store)
            for rev in range(last + 1, newest + 1):
                with connect(store) as conn:
                    followed.append(revisions.show_revision(conn, rev).rev)
                snapshots[rev] = content(store, "wells", rev)
            last = newest

    reader = threading.Thread(target=follow)
    reader.start()
    writers = [threading.Thread(target=write, args=(k,)) for k in range(8)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join(30)
    assert followed == list(range(1, 33))
    for rev, seen in snapshots.items():
        assert content(store, "wells", rev) == seen
    assert len(content(store, "wells")) == 41


def test_a_failed_write_leaves_no_revision(load: Load, store: Engine, small_map: MapDefinition) -> None:
    load("wells", TWO)
    with pytest.raises(DatabaseError), connect(store, write=True) as conn:
        revisions.new_revision(conn, who="test", kind="import")
        conn.execute(text("INSERT INTO layer.wells (uid) VALUES ('x')"))
    with connect(store) as conn:
        assert revisions.head(conn) == 1


def _head(engine: Engine) -> int:
    with connect(engine) as conn:
        return revisions.head(conn)


def _revert(engine: Engine, definition: MapDefinition, number: int) -> revisions.Change:
    crs = definition.district.storage_crs
    with connect(engine, write=True) as conn:
        return revisions.revert(
            conn, number, [tables.table_for(layer, crs) for layer in definition.layers.values()], who="test"
        )
