"""Workbooks: which sheet, which heading, typed cells, and packages that are not what they seem."""

from __future__ import annotations

import datetime as dt
import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from gis.importing.issues import FILE
from gis.importing.reading.limits import Limits, limits_set
from tests.gis.importing.reading.texts import (
    assert_whole,
    column,
    damaged,
    found,
    good,
    reason,
    rows,
    take,
    wkt,
)

HEAD = ["编码", "名称", "经度", "纬度"]
BODY: list[list[Any]] = [[f"00{i}", f"站{i}", 120 + i / 8, 29 + i / 16] for i in range(1, 5)]


def book(*sheets: tuple[str, list[list[Any]]], change: Callable[[Any], None] | None = None) -> bytes:
    """A workbook of sheets, each a title and rows."""
    held = openpyxl.Workbook()
    held.remove(held.active)
    for title, content in sheets:
        sheet = held.create_sheet(title)
        for row in content:
            sheet.append(row)
    if change is not None:
        change(held)
    written = io.BytesIO()
    held.save(written)
    return written.getvalue()


def repacked(content: bytes, change: Callable[[str, bytes], bytes | None], **more: bytes) -> bytes:
    """The package with each part changed, or left out where None comes back, and further parts."""
    written = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            part = change(info.filename, old.read(info))
            if part is not None:
                new.writestr(info.filename, part)
        for name, part in more.items():
            new.writestr(name.replace("__", "/").replace("_", "."), part)
    return written.getvalue()


def test_cells_keep_their_types(tmp_path: Path) -> None:
    content = book(
        (
            "表",
            [
                [*HEAD, "日期", "时刻", "数", "真", "混"],
                [*BODY[0], dt.date(2024, 5, 1), dt.datetime(2024, 5, 1, 8, 30), 7, True, 1],
                [*BODY[1], dt.date(2024, 5, 2), dt.datetime(2024, 5, 2), 8, False, "二"],
            ],
        )
    )
    reading = take("xlsx", content, tmp_path)
    first, second = rows(reading)
    assert (first["编码"], first["经度"], first["日期"], first["数"], first["真"], first["混"]) == (
        "001", 120.125, dt.date(2024, 5, 1), 7, True, "1",
    )  # fmt: skip
    assert (first["时刻"], second["时刻"]) == (dt.datetime(2024, 5, 1, 8, 30), dt.datetime(2024, 5, 2))
    assert wkt(reading)[0] == "POINT (120.125 29.0625)"
    assert (reading.header.x, reading.header.y, reading.header.member) == ("经度", "纬度", "表")
    assert found(reading) == []


def test_coordinates_as_text_and_in_degrees(tmp_path: Path) -> None:
    content = book(
        (
            "a",
            [
                HEAD,
                ["1", "a", "120.5", "29.5"],
                ["2", "b", "120°9′18″", "29°12′3″"],
                ["3", "c", "东经120", 29],
            ],
        )
    )
    reading = take("xlsx", content, tmp_path)
    assert found(reading) == [(1, "repair", "coordinate_parsed"), (2, "error", "coordinate_not_number")]
    assert wkt(reading)[0] == "POINT (120.5 29.5)"


def test_error_cells_and_formulas_without_result_refuse_their_rows(tmp_path: Path) -> None:
    content = book(
        ("a", [HEAD, *BODY, ["5", "e", "#N/A", 29], ["6", "=A1", "=120+0.1", 29], ["7", "#REF!", 120, 29]])
    )
    reading = take("xlsx", content, tmp_path)
    assert sorted(found(reading)) == [
        (4, "error", "error_cell"),
        (5, "error", "formula_no_value"),
        (5, "error", "formula_no_value"),
        (6, "error", "error_cell"),
    ]
    assert good(reading) == 4
    assert [issue.value for issue in reading.issues if issue.row == 5] == ["=A1", "=120+0.1"]


def test_a_formula_with_its_result_is_its_result(tmp_path: Path) -> None:
    def solve(name: str, part: bytes) -> bytes:
        return part.replace(b"<f>120+0.5</f><v></v>", b"<f>120+0.5</f><v>120.5</v>").replace(
            b"<f>120+0.5</f><v />", b"<f>120+0.5</f><v>120.5</v>"
        )

    content = repacked(book(("a", [HEAD, ["1", "a", "=120+0.5", 29.5]])), solve)
    reading = take("xlsx", content, tmp_path)
    assert wkt(reading) == ["POINT (120.5 29.5)"] and found(reading) == []


def test_digits_that_a_spreadsheet_has_lost(tmp_path: Path) -> None:
    content = book(("a", [["统一社会信用代码", "产值"], [913301000000000000, 3.3e17], [330106, 5]]))
    assert found(take("xlsx", content, tmp_path)) == [(0, "error", "code_mangled")]


def test_titles_above_the_heading(tmp_path: Path) -> None:
    def merge(held: Any) -> None:
        held["a"].merge_cells("A1:D1")

    content = book(("a", [["监测点位一览表"], [], ["2024年"], HEAD, *BODY]), change=merge)
    reading = take("xlsx", content, tmp_path)
    assert found(reading) == [(FILE, "repair", "header_found")] and reading.issues[0].value == "4"
    assert good(reading) == 4


def test_merged_cells_are_not_filled_down(tmp_path: Path) -> None:
    content = book(("a", [HEAD, *BODY]), change=lambda held: held["a"].merge_cells("A3:A4"))
    assert column(take("xlsx", content, tmp_path), "编码") == ["001", "002", None, "004"]


NOTES = ("说明", [["填报说明"], ["编码按国标填写"]])
LOOKUP = ("代码表", [["代码", "含义"], ["1", "水"], ["2", "气"]])


def test_the_sheet_with_the_table_is_chosen(tmp_path: Path) -> None:
    for others in ([NOTES], [LOOKUP], [NOTES, LOOKUP]):
        reading = take("xlsx", book(*others, ("数据", [HEAD, *BODY])), tmp_path)
        assert found(reading) == [(FILE, "repair", "sheet_chosen")] and reading.header.member == "数据"
        assert good(reading) == 4
    empty = take("xlsx", book(("数据", [HEAD, *BODY]), ("Sheet2", []), ("Sheet3", [])), tmp_path)
    assert found(empty) == [] and empty.header.members == ("数据", "Sheet2", "Sheet3")

    def hide(held: Any) -> None:
        held["旧"].sheet_state = "hidden"

    hidden = book(("旧", [HEAD, *BODY]), ("新", [HEAD, *BODY[:2]]), change=hide)
    assert take("xlsx", hidden, tmp_path).header.rows == 2


def test_several_tables_need_a_name(tmp_path: Path) -> None:
    content = book(("一", [HEAD, *BODY]), ("二", [HEAD, *BODY[:1]]))
    assert reason("xlsx", content, tmp_path) == "several_layers"
    assert take("xlsx", content, tmp_path, member="二").header.rows == 1
    assert reason("xlsx", content, tmp_path, member="三") == "member_missing"


@pytest.mark.parametrize(
    "content, code",
    [
        ([], "empty_file"),
        ([HEAD], "empty_file"),
        (BODY, "column_missing"),
        ([HEAD[:3], *(row[:3] for row in BODY)], "column_missing"),
        ([["编码", "名称", "名称"], ["1", "a", "b"]], "duplicate_column"),
        ([[f"c{i}" for i in range(1001)], list(range(1001))], "too_many_columns"),
    ],
)
def test_a_sheet_that_holds_no_table(tmp_path: Path, content: list[list[Any]], code: str) -> None:
    assert reason("xlsx", book(("a", content)), tmp_path) == code


def test_cells_far_away_cost_nothing_and_cells_beside_are_kept(tmp_path: Path) -> None:
    def stretch(held: Any) -> None:
        held["a"].cell(1_048_576, 1).number_format = "0.00"
        held["a"].cell(2, 6).value = "备注"

    reading = take("xlsx", book(("a", [HEAD, *BODY]), change=stretch), tmp_path)
    assert reading.header.rows == good(reading) == 4
    assert column(reading, "column_6") == ["备注", None, None, None]


GOOD = book(("a", [HEAD, *BODY]))


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
UTF16_DOCTYPE = '<?xml version="1.0"?><!DOCTYPE a><styleSheet/>'.encode("utf-16")


def _in_sheet(text: bytes) -> Callable[[str, bytes], bytes]:
    return lambda name, part: text + part if "sheet1" in name else part


@pytest.mark.parametrize(
    "content, code",
    [
        (repacked(GOOD, _in_sheet(b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>')), "xml_entity"),
        (repacked(GOOD, lambda n, p: UTF16_DOCTYPE if "styles" in n else p), "xml_entity"),
        (repacked(GOOD, _in_sheet(b'<?xml version="1.0" encoding="cp037"?>')), "not_xlsx"),
        (repacked(GOOD, lambda n, p: p, xl__vbaProject_bin=b"x"), "macro_refused"),
        (repacked(GOOD, lambda n, p: p.replace(b"spreadsheetml", b"macroEnabled")), "macro_refused"),
        (repacked(GOOD, lambda n, p: None if "workbook.xml" in n else p), "not_xlsx"),
        (repacked(GOOD, lambda n, p: p[: len(p) // 2] if "sheet1" in n else p), "not_xlsx"),
        (repacked(GOOD, lambda n, p: p, xl__media__a_bin=b"\0" * 30_000_000), "decompression_bomb"),
        (GOOD[: len(GOOD) // 2], "not_xlsx"),
        (b"PK\x03\x04 nothing", "not_xlsx"),
        (b"code,name\n1,2\n", "not_xlsx"),
        (OLE + b"\0" * 600, "old_xls"),
        (OLE + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"), "file_encrypted"),
        (b"\x09\x08\x10\x00\x00\x06\x05\x00" + b"\0" * 90, "old_xls"),
    ],
)  # fmt: skip
def test_packages_that_are_not_what_they_seem(tmp_path: Path, content: bytes, code: str) -> None:
    assert reason("xlsx", content, tmp_path) == code


def test_bytes_unpacked_are_bounded_whatever_the_ratio(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(3_000_000)
    content = repacked(GOOD, lambda n, p: p, xl__media__a_bin=noise)
    with limits_set(Limits(unzipped_mb=2)):
        assert reason("xlsx", content, tmp_path) == "decompression_bomb"
    assert take("xlsx", content, tmp_path).header.rows == 4


def test_an_external_link_is_left_alone(tmp_path: Path) -> None:
    link = b'<externalLink xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"/>'
    content = repacked(GOOD, lambda n, p: p, xl__externalLinks__externalLink1_xml=link)
    assert good(take("xlsx", content, tmp_path)) == 4


@pytest.mark.parametrize("seed", range(3))
def test_damaged_workbooks_are_refused_or_add_up(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    for _ in range(10):
        assert_whole("xlsx", damaged(GOOD, source), tmp_path)
        hurt = repacked(GOOD, lambda n, p: damaged(p, source) if source.random() < 0.3 else p)
        assert_whole("xlsx", hurt, tmp_path)
