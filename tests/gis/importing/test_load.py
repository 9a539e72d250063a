"""Flags that refuse nothing, numbers that must add up, and many rows at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shapely
from sqlalchemy import Engine, text

from gis.datums import wgs84_to_gcj02
from gis.db import connect
from gis.errors import ImportRefused
from gis.importing import ImportOptions, ImportResult, SourceInfo, import_file
from gis.importing.copying import points_or_wkb, wkb_pieces
from gis.importing.fill import FILL_ROWS
from gis.importing.reading import Header, Reading, Spool
from gis.settings import MapDefinition
from tests.gis.conftest import content

Load = Callable[..., ImportResult]
HEADER = "code,name,kind,depth,lon,lat\n"


def rows_told(result: ImportResult, code: str) -> set[int]:
    return {i.row for i in result.issues if i.code == code and i.severity == "warning"}


def scattered(count: int, first: int = 0) -> str:
    return "".join(
        f"S{i},散{i},dug,1,{119.501 + i * 0.0037:.6f},{28.713 + i * 0.0029:.6f}\n"
        for i in range(first, first + count)
    )


def test_points_are_written_as_other_places_are_whatever_lies_between_them() -> None:
    line, hollow = shapely.LineString([(0, 0), (1, 2)]), shapely.Point()
    places = np.array(
        [line, shapely.Point(119.5, 28.7), None, shapely.Point(1, 2), hollow, line], dtype=object
    )
    for some in (places, places[[1, 3]], places[[0, 2]], places[:0]):
        assert points_or_wkb(some, 4490).equals(wkb_pieces(some, 4490))


def test_many_names_at_one_point_are_flagged_and_few_are_not(load: Load) -> None:
    pile = "".join(f"P{i},厂{i},dug,1,119.6543,28.9876\n" for i in range(12))
    few = "".join(f"F{i},楼{i},dug,1,119.7123,28.9321\n" for i in range(4))
    same = "".join(f"T{i},同名,dug,{i},119.8321,28.9111\n" for i in range(12))
    result = load("wells", HEADER + scattered(10) + pile + few + same)
    assert result.bad == 0
    assert rows_told(result, "placeholder_position") == set(range(10, 22))


def test_round_coordinates_are_flagged_among_others(load: Load) -> None:
    few = "".join(f"F{i},,dug,{i},119.71,28.93\n" for i in range(3))
    result = load("wells", HEADER + scattered(30) + few + "R,整,dug,1,120,29\n")
    assert rows_told(result, "placeholder_position") == {30, 31, 32, 33}
    # Where all are round, they are so by the way they were measured.
    coarse = "".join(
        f"C{i},粗{i},dug,1,{119.1 + i % 7 / 10:.1f},{28.5 + i // 7 / 10:.1f}\n" for i in range(30)
    )
    assert rows_told(load("wells", HEADER + coarse, source="b"), "placeholder_position") == set()


def test_a_place_that_is_said_to_be_coarse_is_no_placeholder(load: Load) -> None:
    pile = "".join(f"P{i},厂{i},dug,1,119.6543,28.9876\n" for i in range(12))
    assert rows_told(load("wells", HEADER + pile, accuracy_m=12_000), "placeholder_position") == set()


def test_duplicates_within_a_file_are_told_once(load: Load, store: Engine) -> None:
    result = load(
        "wells",
        HEADER
        + "1,甲,dug,1,119.71234,28.91234\n2,甲,dug,1,119.71234,28.91234\n3,甲,dug,9,119.71260,28.91234\n"
        "1,又,dug,1,119.5,28.9123\n4,乙,dug,1,119.9,28.91\n5,乙,dug,1,119.99,28.91\n",
    )
    assert rows_told(result, "duplicate_content") == {1}
    assert rows_told(result, "near_duplicate") == {2}
    assert {(i.row, i.code) for i in result.issues if i.severity == "error"} == {(3, "duplicate_uid")}
    assert (result.total, result.good, result.bad, result.warned) == (6, 5, 1, 2)
    assert len(content(store, "wells")) == 5


def test_a_known_thing_that_has_moved_is_told(load: Load) -> None:
    before = [(119.6543, 28.9876), (119.7, 29.01), (119.8, 29.02), (119.9, 29.03)]
    shifted = wgs84_to_gcj02(np.array(before[1:2]))[0]
    after = [before[0], tuple(shifted), (119.8, 29.02005), (119.92, 29.03)]
    write = lambda places: HEADER + "".join(f"{n},井,dug,1,{x!r},{y!r}\n" for n, (x, y) in enumerate(places))  # noqa: E731
    load("wells", write(before))
    result = load("wells", write([(float(x), float(y)) for x, y in after]))
    assert result.change.changed == 3
    told = {(i.row, i.code): i.value for i in result.issues}
    assert set(told) == {(1, "datum_suspected"), (3, "position_moved")}
    assert "GCJ-02" in str(told[1, "datum_suspected"])


def _reading(folder: Path, count: int, claimed: int | None, first: int = 0) -> Reading:
    numbers = np.arange(first, first + count)
    xy = np.column_stack([119.5 + numbers % 991 / 1000, 28.6 + numbers % 997 / 1000 + numbers / 1e7])
    spool = Spool(folder)
    for part in np.array_split(np.arange(count), max(1, count // 9000)):
        names = [f"W{n}" for n in numbers[part]]
        wkb = pa.array(shapely.to_wkb(shapely.points(xy[part])), pa.binary())
        spool.add(wkb, ["code", "name"], [pa.array(names), pa.array(names)])
    spool.finish(Header("gpkg", columns=("code", "name"), declared_crs="EPSG:4490", rows_claimed=claimed))
    return Reading.load(folder)


def test_a_file_with_other_rows_than_it_claims_is_refused(
    store: Engine, small_map: MapDefinition, tmp_path: Path
) -> None:
    options = ImportOptions(SourceInfo("s"))
    with pytest.raises(ImportRefused, match="says it has 12 rows, but 10 were read") as caught:
        import_file(store, small_map, "wells", Path("w.gpkg"), options, reading=_reading(tmp_path, 10, 12))
    assert caught.value.reason == "rows_claimed_mismatch"
    assert content(store, "wells") == []


def _shape_of_store(store: Engine) -> list[tuple[object, ...]]:
    queries = (
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'wells'",
        "SELECT column_name, data_type, is_nullable, identity_generation, "
        "col_description('layer.wells'::regclass, ordinal_position::int) "
        "FROM information_schema.columns WHERE table_schema = 'layer' AND table_name = 'wells'",
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = 'layer.wells'::regclass",
        "SELECT pg_get_viewdef('now.wells'::regclass)",
    )
    with connect(store) as conn:
        return [tuple(row) for query in queries for row in conn.execute(text(f"{query} ORDER BY 1"))]


def test_many_first_rows_leave_the_table_as_it_was_defined(
    store: Engine, small_map: MapDefinition, tmp_path: Path
) -> None:
    before = _shape_of_store(store)
    count = FILL_ROWS + 500
    options = ImportOptions(SourceInfo("s"))
    folders = [tmp_path / str(n) for n in range(2)]
    for folder in folders:
        folder.mkdir()
    first = _reading(folders[0], count, None)
    phases: list[str] = []
    result = import_file(
        store, small_map, "wells", Path("w.gpkg"), options, reading=first,
        progress=lambda phase, _done, _total: phases.append(phase),
    )  # fmt: skip
    assert (result.good, result.change.added, result.change.rev) == (count, count, 1)
    assert list(dict.fromkeys(phases)) == ["placing", "checking", "comparing", "writing"]
    assert _shape_of_store(store) == before
    with connect(store) as conn:
        seen = conn.execute(
            text("SELECT count(*), count(DISTINCT row_id), min(rev_from) FROM layer.wells")
        ).one()
        assert tuple(seen) == (count, count, 1)
        assert conn.scalar(text("SELECT count(*) FROM now.wells")) == count
    again = import_file(store, small_map, "wells", Path("w.gpkg"), options, reading=first)
    assert (again.change.unchanged, again.change.rev) == (count, None)
    more = import_file(
        store, small_map, "wells", Path("w.gpkg"), options, reading=_reading(folders[1], 50, None, count - 20)
    )
    assert (more.change.added, more.change.unchanged, more.change.rev) == (30, 20, 2)


def test_a_table_with_somebodys_view_is_filled_the_ordinary_way(
    store: Engine, small_map: MapDefinition, tmp_path: Path
) -> None:
    with connect(store, write=True) as conn:
        conn.execute(text("CREATE VIEW public.mine AS SELECT uid FROM layer.wells"))
        table = conn.scalar(text("SELECT 'layer.wells'::regclass::oid"))
    reading = _reading(tmp_path, FILL_ROWS, None)
    result = import_file(
        store, small_map, "wells", Path("w.gpkg"), ImportOptions(SourceInfo("s")), reading=reading
    )
    assert result.change.added == FILL_ROWS
    with connect(store) as conn:
        assert conn.scalar(text("SELECT 'layer.wells'::regclass::oid")) == table
        assert conn.scalar(text("SELECT count(*) FROM public.mine")) == FILL_ROWS


def test_the_row_of_a_finding_is_kept_as_it_was_read(
    store: Engine, small_map: MapDefinition, tmp_path: Path
) -> None:
    feature = {
        "type": "Feature",
        "properties": {"code": "1", "kind": "pond", "depth": 2.5, "ours": "甲"},
        "geometry": {"type": "Point", "coordinates": [120.047, 28.888]},
    }
    path = tmp_path / "w.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}), encoding="utf-8")
    import_file(store, small_map, "wells", path, ImportOptions(SourceInfo("s")))
    with connect(store) as conn:
        kept = conn.execute(text('SELECT row_no, field, value, code, "row" FROM core.rejects')).one()
    assert tuple(kept[:4]) == (1, "kind", "pond", "unknown_code")
    assert kept[4] == {
        "code": "1",
        "kind": "pond",
        "depth": 2.5,
        "ours": "甲",
        "geom": "POINT (120.047 28.888)",
    }
