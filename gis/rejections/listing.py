"""The findings of imports in words: what is wrong, what to do, and who has to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from gis import tables
from gis.importing.issues import issue_words, told
from layers.model import Field, Layer

__all__ = ["Rejection", "list_rejections", "sentences"]

OWNERS = {
    "supplier": ("数据提供单位", "the supplier of the data"),
    "importer": ("导入人员", "whoever imports"),
    "platform": ("平台管理员", "the platform's administrator"),
}


@dataclass(frozen=True)
class Rejection:
    """One finding in words.

    ``row_no`` 1 is the first data row of ``file``, 0 the file as a whole. ``severity`` is "error" (refused),
    "repair" or "warning"; ``original`` is what stood there before a repair. ``owner`` is who mends it.
    ``resolved_by`` is the run that took the mended row.
    """

    run_id: int
    layer: str
    file: str
    at: datetime
    row_no: int
    field: str | None
    value: str | None
    code: str
    severity: str
    zh: str
    en: str
    remedy_zh: str = ""
    remedy_en: str = ""
    owner: str = "supplier"
    original: str | None = None
    resolved_by: int | None = None


def list_rejections(
    conn: Connection,
    *,
    layers: Mapping[str, Layer] | None = None,
    layer: str | None = None,
    run_id: int | None = None,
    code: str | None = None,
    severity: str | None = None,
    is_open: bool = False,
    limit: int = 100,
) -> list[Rejection]:
    """The findings of the newest import runs first, row by row; at most ``limit``.

    ``layers`` are the definitions, from which the words say what a value should have been; ``is_open`` leaves
    out what a later run has taken.
    """
    runs, found = tables.import_runs, tables.rejects
    query = (
        select(found, runs.c.layer, runs.c.file, runs.c.at)
        .join(runs, found.c.run_id == runs.c.run_id)
        .order_by(found.c.run_id.desc(), found.c.row_no, found.c.reject_id)
        .limit(limit)
    )
    wanted = {
        runs.c.layer: layer,
        found.c.run_id: run_id,
        found.c.code: code,
        found.c.severity: severity,
    }
    query = query.where(*(column == value for column, value in wanted.items() if value is not None))
    if is_open:
        query = query.where(found.c.resolved_by.is_(None))
    return [_rejection(row, (layers or {}).get(row["layer"])) for row in conn.execute(query).mappings()]


def _rejection(row: RowMapping, layer: Layer | None) -> Rejection:
    zh, en, remedy_zh, remedy_en = sentences(row["code"], row["field"], row["value"], layer)
    return Rejection(
        run_id=row["run_id"], layer=row["layer"], file=row["file"], at=row["at"], row_no=row["row_no"],
        field=row["field"], value=row["value"], code=row["code"], severity=row["severity"], zh=zh, en=en,
        remedy_zh=remedy_zh, remedy_en=remedy_en, owner=row["owner"], original=row["original"],
        resolved_by=row["resolved_by"],
    )  # fmt: skip


def sentences(
    code: str, field: str | None, value: str | None, layer: Layer | None = None, *, titled: bool = False
) -> tuple[str, str, str, str]:
    """What is wrong and what to do, each in Chinese and English; a code without words stands for itself.

    ``titled`` calls the field by its title in each language instead of its name.
    """
    if code not in issue_words():
        return code, code, "", ""
    known = next((f for f in layer.fields if f.name == field), None) if layer is not None else None
    names = (known.title.zh, known.title.en) if titled and known is not None else (field or "", field or "")
    given = {"value": _short(value), "expected": _expected(code, known)}
    (zh, _, remedy_zh, _), (_, en, _, remedy_en) = (told(code, field=name, **given) for name in names)
    return zh, en, remedy_zh, remedy_en


def _short(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 200 else text[:200] + "…"


def _expected(code: str, field: Field | None) -> str:
    """What a value of ``field`` should have been."""
    if field is None:
        return ""
    if field.code_list and code != "wrong_type":
        return "、".join(f"{value.code} {value.zh}" for value in field.code_list)
    if code == "pattern":
        return field.pattern or ""
    if code == "out_of_range":
        low = "-∞" if field.min is None else f"{field.min:g}"
        high = "+∞" if field.max is None else f"{field.max:g}"
        return f"[{low}, {high}]" + (f" {field.unit}" if field.unit else "")
    return _TYPES.get(field.type, field.type)


_TYPES = {
    "text": "文字 text",
    "integer": "整数 integer",
    "number": "数值 number",
    "boolean": "是/否 true/false",
    "date": "日期 date",
    "datetime": "时间 time",
    "enum": "代码 code",
}
