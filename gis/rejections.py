"""Rows that an import refused, or took with a warning, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from gis import tables
from layers.vocabulary import load_issues

__all__ = ["Rejection", "list_rejections"]


@dataclass(frozen=True)
class Rejection:
    """One finding; ``row_no`` 1 is the first data row of ``file``, ``zh`` and ``en`` say what is wrong."""

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


def list_rejections(conn: Connection, *, layer: str | None = None, limit: int = 100) -> list[Rejection]:
    """The findings of the newest import runs first, row by row; at most ``limit``."""
    runs, found = tables.import_runs, tables.rejects
    query = (
        select(found, runs.c.layer, runs.c.file, runs.c.at)
        .join(runs, found.c.run_id == runs.c.run_id)
        .order_by(found.c.run_id.desc(), found.c.row_no, found.c.reject_id)
        .limit(limit)
    )
    if layer is not None:
        query = query.where(runs.c.layer == layer)
    words = load_issues()
    rows = []
    for row in conn.execute(query):
        issue = words.get(row.code)
        told = {"field": row.field, "value": row.value, "expected": ""}
        zh, en = (issue.zh.format(**told), issue.en.format(**told)) if issue else (row.code, row.code)
        rows.append(
            Rejection(
                row.layer, row.file, row.at, row.row_no, row.field, row.value, row.code, row.severity, zh, en
            )
        )
    return rows
