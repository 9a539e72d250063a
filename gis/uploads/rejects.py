"""The findings of an import as a file to mend and to import again."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine

from gis.db import connect
from gis.errors import QueryError
from gis.importing.issues import FILE, Issue
from gis.importing.reading import Reading
from gis.rejections import export_rejects, sentences
from gis.settings import MapDefinition
from gis.uploads.store import Upload
from layers.model import Layer

__all__ = ["FORMATS", "Made", "as_csv", "export"]

FORMATS = ("csv", "geojson", "xlsx", "original")
_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".geojson": "application/geo+json",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".zip": "application/zip",
}
_OWN = ("行号 row", "字段 field", "值 value", "原因 reason", "处理 remedy", "程度 severity", "代码 code")
# What a spreadsheet would run as a formula; it is written as text (CWE-1236).
_ACTIVE = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Made:
    """A file for the user."""

    name: str
    content: bytes
    media_type: str


def export(engine: Engine, definition: MapDefinition, upload: Upload, f: str) -> Made:
    """The findings in the format ``f`` (one of `FORMATS`).

    After the import: the refused rows, or where there are none the mended ones, as the importer gives them
    back. Before it: a CSV of what the dry run found.

    Raises
    ------
    QueryError
        When there are none yet, or when ``f`` can be made only after the import.
    ExportRefused
        When the format cannot hold the rows.
    """
    result = upload.read("result")
    if result is not None and result["run"] is not None:
        return _given_back(engine, definition, result, f)
    kept = upload.folder / "rejects.csv"
    if not kept.is_file():
        raise QueryError(
            "There are no findings yet.",
            "尚无检查结果。",
            remedy_en="POST a plan first.",
            remedy_zh="请先提交导入方案。",
        )
    if f != "csv":
        raise QueryError(
            f"{f} can be had after the import.",
            f"导入完成后才能下载 {f}。",
            remedy_en="Take csv.",
            remedy_zh="请使用 csv。",
        )
    files = upload.state.get("files") or [{"name": "upload"}]
    name = f"{PurePath(files[0]['name']).stem}-rejects.csv"
    return Made(name, kept.read_bytes(), _TYPES[".csv"])


def _given_back(engine: Engine, definition: MapDefinition, result: Mapping[str, Any], f: str) -> Made:
    severities = ("error",) if result["bad"] else ("repair", "warning")
    ending = None if f == "original" else f".{f}"
    with TemporaryDirectory(prefix="onemap-rejects-") as folder, connect(engine) as conn:
        given = export_rejects(
            conn, result["run"], Path(folder), layers=definition.layers, ending=ending, severities=severities
        )
        if len(given.files) == 1:
            path = given.files[0]
            return Made(path.name, path.read_bytes(), _TYPES.get(path.suffix, "application/octet-stream"))
        return Made(f"{given.path.stem}.zip", _zipped(given.files), _TYPES[".zip"])


def _zipped(files: Iterable[Path]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.name)
    return out.getvalue()


def as_csv(reading: Reading, issues: Iterable[Issue], layer: Layer) -> bytes:
    """A line a finding, with its row as it was read behind it; UTF-8 with the mark that Excel wants."""
    by_row: dict[int, list[Issue]] = {}
    for issue in issues:
        by_row.setdefault(issue.row, []).append(issue)
    columns = reading.header.columns
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*_OWN, *(_safe(name) for name in columns)])
    for issue in by_row.pop(FILE, []):
        writer.writerow([*_told(issue, layer), *("" for _ in columns)])
    for number, values in _rows(reading, by_row):
        for issue in by_row[number]:
            writer.writerow([*_told(issue, layer), *(_safe(value) for value in values)])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _rows(reading: Reading, wanted: Mapping[int, Any]) -> Iterator[tuple[int, list[Any]]]:
    for batch in reading.batches():
        numbers = batch.column(0).to_pylist()
        for i, number in enumerate(numbers):
            if number in wanted:
                yield number, [batch.column(at)[i].as_py() for at in range(2, batch.num_columns)]


def _told(issue: Issue, layer: Layer) -> list[str]:
    zh, en, remedy_zh, remedy_en = sentences(issue.code, issue.field, issue.value, layer)
    row = "" if issue.row == FILE else str(issue.row + 1)
    said = [f"{zh} {en}", f"{remedy_zh} {remedy_en}"]
    own = [row, issue.field, issue.value, *said, issue.severity, issue.code]
    return [_safe(value) for value in own]


def _safe(value: object) -> str:
    text = "" if value is None else str(value)
    number = text[:1] in "+-" and text[1:].replace(".", "", 1).isdigit()
    return f"'{text}" if text.startswith(_ACTIVE) and not number else text
