"""Refused rows come back in the form they came in, with the reasons, and are taken when they are mended."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pytest
import shapely
from sqlalchemy import Engine

from gis.db import connect
from gis.errors import NotFound
from gis.importing import ImportOptions, ImportResult, SourceInfo, import_file
from gis.importing.returned import REASONS
from gis.rejections import GivenBack, export_rejects, list_rejections, retry_rejects
from gis.settings import MapDefinition
from tests.gis.conftest import content

SOURCE = SourceInfo("survey", accuracy_m=10)
ROWS = [
    {"code": "1", "井名": "好井", "kind": "dug", "depth": 3.5, "_own": "a"},
    {"code": "2", "井名": "=坏类", "kind": "pond", "depth": 4.0, "_own": "b"},
    {"code": None, "井名": "无码", "kind": "lake", "depth": None, "_own": None},
    {"code": "4", "井名": "好井", "kind": "bored", "depth": -1.0, "_own": "d"},
]
PLACES = [shapely.Point(120.1, 29.0), shapely.Point(120.2, 29.25), shapely.Point(120.3, 29.0)] * 2

Take = Callable[..., ImportResult]


@pytest.fixture
def take(store: Engine, small_map: MapDefinition) -> Take:
    """Imports a file into the wells: take(path, crs="EPSG:4490")."""

    def run(path: Path, **given: Any) -> ImportResult:
        return import_file(
            store, small_map, "wells", path, ImportOptions(SOURCE, mapping={"name": "井名"}, **given)
        )

    return run


@pytest.fixture
def give(store: Engine, small_map: MapDefinition) -> Callable[..., GivenBack]:
    """Writes the refused rows of a run to a file or into a folder."""

    def run(run_id: int | None, place: Path, **given: Any) -> GivenBack:
        assert run_id is not None
        with connect(store) as conn:
            return export_rejects(conn, run_id, place, layers=small_map.layers, **given)

    return run


def made(folder: Path, ending: str) -> Path:
    """The rows as a file."""
    path = folder / f"wells{ending}"
    if ending == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*ROWS[0], "经度", "纬度"])
            for row, place in zip(ROWS, PLACES, strict=False):
                writer.writerow(["" if v is None else v for v in [*row.values(), place.x, place.y]])
    elif ending == ".xlsx":
        book = openpyxl.Workbook()
        assert book.active is not None
        book.active.append([*ROWS[0], "经度", "纬度"])
        for row, place in zip(ROWS, PLACES, strict=False):
            book.active.append([*row.values(), place.x, place.y])
            book.active.cell(book.active.max_row, 2).data_type = "s"
        book.save(path)
    else:
        frame = gpd.GeoDataFrame(ROWS, geometry=PLACES[: len(ROWS)], crs=4490)
        if ending == ".parquet":
            frame.to_parquet(path)
        else:
            own: dict[str, Any] = {".shp": {"encoding": "gbk"}, ".fgb": {"SPATIAL_INDEX": "NO"}}
            frame.to_file(path, **own.get(ending, {}))
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    """What a file holds, as another program reads it."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".xlsx":
        head, *rows = openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True)
        return [dict(zip(head, row, strict=True)) for row in rows]
    frame = gpd.read_parquet(path) if path.suffix == ".parquet" else gpd.read_file(path)
    return frame.to_dict("records")


_LATER = [pytest.param(ending, marks=pytest.mark.long) for ending in (".xlsx", ".gpkg", ".fgb", ".parquet")]


@pytest.mark.parametrize("ending", [".csv", ".geojson", ".shp", *_LATER])
def test_rows_come_back_as_they_came_and_are_taken_when_mended(
    take: Take,
    give: Callable[..., GivenBack],
    store: Engine,
    small_map: MapDefinition,
    tmp_path: Path,
    ending: str,
) -> None:
    crs = {"crs": "EPSG:4490"} if ending in (".csv", ".xlsx", ".geojson") else {}
    first = take(made(tmp_path, ending), **crs)
    assert (first.total, first.good, first.bad) == (4, 1, 3)
    folder = tmp_path / "back"
    folder.mkdir()
    back = give(first.run_id, folder)
    assert back.path.suffix == (".zip" if ending == ".shp" else ending) and back.rows == 3
    rows = sorted(rows_of(back.path), key=lambda row: int(row["_row"]))
    assert [int(row["_row"]) for row in rows] == [2, 3, 4]
    assert set(ROWS[0]) <= set(rows[0])
    assert [str(row["井名"]).lstrip("'") for row in rows] == ["=坏类", "无码", "好井"]
    if ending != ".shp":
        assert set(REASONS) <= set(rows[0])
        assert rows[0]["_code"] == "unknown_code" and rows[1]["_field"] == "code; kind"
        assert "pond" in rows[0]["_reason_zh"] and "dug 大口井" in rows[0]["_remedy_zh"]
    if "geometry" in rows[0]:
        assert [row["geometry"].wkb for row in rows] == [place.wkb for place in PLACES[1:4]]
    else:
        assert [(float(r["经度"]), float(r["纬度"])) for r in rows] == [(p.x, p.y) for p in PLACES[1:4]]
    # Nothing mended: refused again. Then two of three.
    again = retry_rejects(store, small_map, first.run_id or 0, back.path)
    assert (again.resolved, again.refused, again.result.bad) == ((), (2, 3, 4), 3)
    mended = mend(back.path, {2: {"kind": "dug"}, 3: {"code": "3", "kind": "dug"}}, tmp_path)
    done = retry_rejects(store, small_map, first.run_id or 0, mended)
    assert (done.resolved, done.refused, done.result.change.added) == ((2, 3), (4,), 2)
    assert [(row[0]["uid"], row[0]["name"], row[0]["accuracy_m"]) for row in content(store, "wells")] == [  # type: ignore[index]
        ("1", "好井", 10.0), ("2", "=坏类", 10.0), ("3", "无码", 10.0),
    ]  # fmt: skip
    with connect(store) as conn:
        left = list_rejections(conn, run_id=first.run_id, severity="error", is_open=True)
    assert [(entry.row_no, entry.code) for entry in left] == [(4, "out_of_range")]


def mend(path: Path, changes: dict[int, dict[str, str]], folder: Path) -> Path:
    """The file with values of some rows changed, by their numbers, as the user's program writes it."""
    if path.suffix == ".xlsx":
        book = openpyxl.load_workbook(path)
        sheet = book.worksheets[0]
        head = [cell.value for cell in sheet[1]]
        for row in sheet.iter_rows(min_row=2):
            for name, value in changes.get(row[head.index("_row")].value, {}).items():
                row[head.index(name)].value = value
        book.save(folder / "mended.xlsx")
        return folder / "mended.xlsx"
    if path.suffix == ".csv":
        rows = [row | changes.get(int(row["_row"]), {}) for row in rows_of(path)]
        with (folder / "mended.csv").open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return folder / "mended.csv"
    frame = gpd.read_parquet(path) if path.suffix == ".parquet" else gpd.read_file(path)
    for number, values in changes.items():
        for name, value in values.items():
            frame.loc[frame["_row"].astype(int) == number, name] = value
    target = folder / ("mended.gpkg" if path.suffix == ".zip" else f"mended{path.suffix}")
    frame.to_parquet(target) if path.suffix == ".parquet" else frame.to_file(target)
    return target


def test_findings_are_listed_in_words_with_who_mends_them(
    take: Take, store: Engine, small_map: MapDefinition, tmp_path: Path
) -> None:
    run = take(made(tmp_path, ".csv"), crs="EPSG:4490").run_id
    with connect(store) as conn:
        found = list_rejections(conn, layers=small_map.layers, run_id=run, code="unknown_code")
        assert [entry.row_no for entry in found] == [2, 3]
        assert list_rejections(conn, layer="pads") == []
        assert list_rejections(conn, severity="repair") == []
        assert len(list_rejections(conn, limit=1)) == 1
    entry = found[0]
    assert (entry.run_id, entry.layer, entry.field, entry.value, entry.owner) == (
        run,
        "wells",
        "kind",
        "pond",
        "supplier",
    )
    assert "dug 大口井" in entry.remedy_zh and "pond" in entry.en and entry.resolved_by is None


def test_a_run_that_is_not_there_is_named(give: Callable[..., GivenBack], tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no import run 7"):
        give(7, tmp_path)


def test_another_format_can_be_had(take: Take, give: Callable[..., GivenBack], tmp_path: Path) -> None:
    run = take(made(tmp_path, ".gpkg")).run_id
    as_table = give(run, tmp_path / "r.csv")
    rows = rows_of(as_table.path)
    assert [shapely.from_wkt(row["wkt"]).wkb for row in rows] == [place.wkb for place in PLACES[1:4]]
    assert give(run, tmp_path, ending=".xlsx").path.name == "wells-rejects.xlsx"
