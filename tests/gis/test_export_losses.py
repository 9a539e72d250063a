"""The table of losses in docs/formats.md, line by line: nothing is cut without being told."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pyogrio
import pytest
import shapely
from sqlalchemy import Engine

from gis.errors import ExportRefused
from gis.export import FORMATS, WriteOptions, export_layer, safe_cell, unsafe_cell
from gis.export.content import Batch, Column, Content, as_text
from gis.settings import MapDefinition
from tests.gis.kit import LAYERS, kit, kit_map, put

__all__ = ["kit", "kit_map"]

DOC = Path(__file__).parents[2] / "docs" / "formats.md"
HERE = shapely.Point(120.1, 29.0)
MOMENT = datetime(2020, 1, 2, 3, 4, 5, 678901, UTC)


def _documented() -> list[tuple[str, str, str]]:
    """(ending, what becomes of it, reason) of each line of the table."""
    found = []
    for line in DOC.read_text(encoding="utf-8").split("## What does not fit")[1].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0].startswith("`."):
            found += [(end, cells[2], cells[3].strip("`")) for end in re.findall(r"`(\.\w+)`", cells[0])]
    return found


@dataclass(frozen=True)
class Case:
    """A value that a format cannot hold as it is, and what stands in the file in its place."""

    field: str
    value: Any
    kept: Any = None
    options: WriteOptions = field(default_factory=WriteOptions)


BESIDE = {
    (".shp", "text_too_long"): Case("name", "长" * 85),
    (".shp", "not_in_encoding"): Case("name", "𠮷井", options=WriteOptions(encoding="gbk")),
    (".shp", "empty_text"): Case("name", ""),
    (".shp", "blank_at_end"): Case("name", "a  "),
    (".shp", "integer_too_long"): Case("whole_numbers", -(10**17)),
    (".shp", "number_too_long"): Case("ratio", 1e23),
    (".shp", "number_rounded"): Case("ratio", 0.1 + 0.2, kept=0.3),
    (".shp", "number_not_finite"): Case("ratio", float("inf")),
    (".shp", "day_too_early"): Case("day", date(999, 12, 31)),
    (".xlsx", "text_too_long"): Case("name", "=" + "长" * 32_766),
    (".xlsx", "character_not_allowed"): Case("name", "a\x07b"),
    (".xlsx", "empty_text"): Case("name", ""),
    (".kml", "character_not_allowed"): Case("name", "a\x07b"),
}
AS_TEXT = {
    (".shp", "time_as_text"): Case("moment", MOMENT, kept="2020-01-02T03:04:05.678901+00:00"),
    (".xlsx", "integer_as_text"): Case("whole_numbers", 10**15, kept=str(10**15)),
    (".xlsx", "day_as_text"): Case("day", date(1900, 2, 28), kept="1900-02-28"),
    (".xlsx", "time_as_text"): Case("moment", MOMENT, kept="2020-01-02T03:04:05.678901+00:00"),
    (".csv", "empty_text"): Case("name", "", kept='""'),
    (".gpkg", "time_as_text"): Case("moment", MOMENT, kept="2020-01-02T03:04:05.678901+00:00"),
    (".fgb", "time_as_text"): Case("moment", MOMENT, kept="2020-01-02T03:04:05.678901+00:00"),
}
ONE_BY_ONE = {
    (".shp", "short_name"), (".shp", "several_kinds"), (".shp", "too_many_fields"), (".shp", "too_large"),
    (".xlsx", "number_not_finite"), (".xlsx", "too_many_rows"), (".geojson", "number_not_finite"),
    (".gpkg", "sign_of_zero"), (".fgb", "no_place"),
}  # fmt: skip


def test_the_table_has_a_test_for_each_line_and_a_line_for_each_test() -> None:
    told = {(end, reason) for end, _, reason in _documented()}
    assert told == BESIDE.keys() | AS_TEXT.keys() | ONE_BY_ONE
    said = {(end, reason): what for end, what, reason in _documented()}
    assert {key for key, what in said.items() if what == "beside"} == BESIDE.keys()
    assert {key for key, what in said.items() if what == "as text"} == AS_TEXT.keys()


@pytest.fixture
def export_one(
    kit: Engine, kit_map: MapDefinition, tmp_path: Path
) -> Callable[[str, Case], tuple[Path, int]]:
    """Exports one row that holds the value of a case; the file, and how many values stand beside it."""

    def run(ending: str, case: Case) -> tuple[Path, int]:
        put(kit, "spots", [{"code": "c", "geom": HERE, case.field: case.value}])
        path = tmp_path / f"a{ending}"
        result = export_layer(kit, kit_map, LAYERS["spots"], path, options=case.options)
        return path, result.beside

    return run


@pytest.mark.parametrize("key", BESIDE, ids="-".join)
def test_what_does_not_fit_stands_whole_in_a_table_beside(
    export_one: Callable[[str, Case], tuple[Path, int]], key: tuple[str, str]
) -> None:
    case = BESIDE[key]
    path, beside = export_one(key[0], case)
    assert _value(path, case.field) == case.kept
    with path.with_name("a.beside.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["uid"], row["field"], row["reason"], beside) == ("c", case.field, key[1], 1)
    assert unsafe_cell(row["value"]) == as_text(case.value)


@pytest.mark.parametrize("key", AS_TEXT, ids="-".join)
def test_what_a_format_has_no_type_for_is_text(
    export_one: Callable[[str, Case], tuple[Path, int]], key: tuple[str, str]
) -> None:
    path, beside = export_one(key[0], AS_TEXT[key])
    assert (_value(path, AS_TEXT[key].field), beside) == (AS_TEXT[key].kept, 0)


def _value(path: Path, field: str) -> Any:
    """The value of ``field`` in the one row of a file, None where there is none."""
    if path.suffix == ".csv":
        head, line = path.read_text("utf-8-sig").splitlines()
        return line.split(",")[head.split(",").index(field)]
    if path.suffix == ".xlsx":
        head, row = openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True)
        return row[head.index(field)]
    if path.suffix == ".kml":
        found = re.search(rf'<SimpleData name="{field}">([^<]*)<', path.read_text())
        return found and found[1]
    if path.suffix == ".shp":
        with path.with_name("a.fields.csv").open(encoding="utf-8-sig", newline="") as file:
            field = {row["field"]: row["short"] for row in csv.DictReader(file)}[field]
    (value,) = pyogrio.read_arrow(path)[1][field].to_pylist()
    return value


def test_names_are_short_unique_and_told() -> None:
    from gis.export.shortnames import short_names

    assert short_names(["abcdefghijk", "abcdefghijl", "ABCDEFGHIJ", "a"], "utf-8") == [
        "abcdefghi1", "abcdefghi2", "ABCDEFGHIJ", "a",
    ]  # fmt: skip
    assert short_names(["企业名称信息", "企业名称信号"], "utf-8") == ["企业名", "企业名1"]
    assert short_names(["企业名称信息", "企业名称信号"], "gbk") == ["企业名称信", "企业名称1"]
    assert short_names(["x", "X", "𠮷"], "gbk") == ["x", "X1", "f"]


@pytest.mark.parametrize("ending", [".xlsx", ".geojson"])
def test_a_number_that_is_none_is_refused(
    export_one: Callable[[str, Case], tuple[Path, int]], tmp_path: Path, ending: str
) -> None:
    with pytest.raises(ExportRefused, match="ratio of c is nan"):
        export_one(ending, Case("ratio", float("nan")))
    assert list(tmp_path.iterdir()) == []


def test_shapes_of_several_kinds_are_refused(kit: Engine, kit_map: MapDefinition, tmp_path: Path) -> None:
    line = shapely.LineString([(120, 29), (121, 29)])
    put(kit, "shapes", [{"code": "1", "geom": HERE}, {"code": "2", "geom": line}])
    with pytest.raises(ExportRefused, match="shapes of several kinds"):
        export_layer(kit, kit_map, LAYERS["shapes"], tmp_path / "a.shp")
    assert list(tmp_path.iterdir()) == []


def test_the_sign_of_a_zero_is_lost_in_a_geopackage_only(
    export_one: Callable[[str, Case], tuple[Path, int]],
) -> None:
    for ending in (".gpkg", ".fgb", ".geojson", ".parquet"):
        path, _ = export_one(ending, Case("ratio", -0.0))
        frame = gpd.read_parquet(path) if ending == ".parquet" else gpd.read_file(path)
        assert (frame["ratio"][0], np.signbit(frame["ratio"][0])) == (0, ending != ".gpkg")


def test_a_row_without_a_place_is_refused_by_flatgeobuf(
    kit: Engine, kit_map: MapDefinition, tmp_path: Path
) -> None:
    put(kit, "spots", [{"code": "1"}])
    with pytest.raises(ExportRefused, match="cannot hold a row without a place"):
        export_layer(kit, kit_map, LAYERS["spots"], tmp_path / "a.fgb")
    for ending in (".gpkg", ".geojson", ".parquet", ".shp", ".csv", ".xlsx", ".kml"):
        result = export_layer(kit, kit_map, LAYERS["spots"], tmp_path / f"a{ending}")
        assert result.rows == 1


# --- Limits, with contents made for them ------------------------------------------------------------------


def _content(
    columns: tuple[Column, ...], batches: Callable[[], Iterator[Batch]], geometry: str | None
) -> Content:
    return Content("a", columns, columns[0].name, geometry, "EPSG:4490" if geometry else None, batches)


def test_more_fields_than_a_dbf_has_are_refused(tmp_path: Path) -> None:
    columns = tuple(Column(f"f{n}", "integer") for n in range(256))
    content = _content(columns, lambda: iter([Batch([[1]] * 256, None)]), None)
    with pytest.raises(ExportRefused, match="256 fields"):
        FORMATS[".shp"](tmp_path / "a.shp", content, WriteOptions())


def test_more_rows_than_a_sheet_has_are_refused_at_once(tmp_path: Path) -> None:
    content = _content((Column("a", "integer"),), lambda: iter([Batch([range(1_048_576)], None)]), None)
    with pytest.raises(ExportRefused, match="1,048,575 rows"):
        FORMATS[".xlsx"](tmp_path / "a.xlsx", content, WriteOptions())


@pytest.mark.long
def test_more_than_two_gigabytes_of_shapes_are_refused(tmp_path: Path) -> None:
    angles = np.linspace(0, 2 * np.pi, 1_000_000)
    shape = shapely.Polygon(np.column_stack([120 + np.cos(angles), 29 + np.sin(angles)]))
    batch = Batch([["x"]], np.array([shape], dtype=object))
    content = _content((Column("a", "text"),), lambda: iter([batch] * 140), "Polygon")
    with pytest.raises(ExportRefused, match="more than 2 GB"):
        FORMATS[".shp"](tmp_path / "a.shp", content, WriteOptions())


# --- Formulas ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["=1", "'=1", "''+a", "'", "''", "'a", "a'=", "", "-", "'-", "\t", "𠮷"])
def test_a_guarded_text_is_read_back_as_it_was(text: str) -> None:
    assert unsafe_cell(safe_cell(text)) == text
    assert not safe_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))
