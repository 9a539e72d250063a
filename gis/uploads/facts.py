"""What a file turned out to be, in a form for people: kinds of geometry, samples, findings by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from gis.importing.issues import FILE, Issue
from gis.importing.options import Count
from gis.importing.reading.spool import GEOM, Header, Reading
from gis.rejections import sentences
from layers.model import Layer

__all__ = ["describe", "findings"]

_SAMPLES = 3
_SAMPLE_LENGTH = 60
_SAMPLED_BATCHES = 4
_ROWS_NAMED = 20
_REASONS = 60


def describe(reading: Reading) -> dict[str, Any]:
    """Header, columns with types and some values, kinds of geometry, and what reading found.

    Kinds are counted over all rows; values are taken from the first of them. No row is kept in memory
    longer than its batch.
    """
    header = reading.header
    kinds: Counter[str] = Counter()
    samples: dict[str, list[str]] = {name: [] for name in header.columns}
    types: dict[str, str] = {}
    for number, batch in enumerate(reading.batches()):
        kinds.update(_kinds(batch))
        if number < _SAMPLED_BATCHES:
            types = {name: _type(batch.schema.field(at + 2).type) for at, name in enumerate(header.columns)}
            for at, name in enumerate(header.columns):
                _take(samples[name], batch.column(at + 2))
    columns = [
        {"name": name, "type": types.get(name, "text"), "samples": samples[name]} for name in header.columns
    ]
    return {
        "header": _header(header),
        "columns": columns,
        "geometry": dict(kinds),
        "issues": findings(reading.issues),
    }


def _header(header: Header) -> dict[str, Any]:
    """The header without the columns, which are told apart; a CRS in full (WKT) by its name only."""
    held = asdict(header)
    held.pop("columns")
    declared = header.declared_crs
    if declared is not None and len(declared) > 60:
        held["declared_crs"] = declared.partition('"')[2].partition('"')[0] or declared[:60]
    held["members"] = list(header.members[:200])
    return held


def _kinds(batch: pa.RecordBatch) -> Counter[str]:
    """How many rows have each kind of geometry; "none" for those without."""
    column = batch.column(GEOM)
    missing = column.null_count
    counted: Counter[str] = Counter()
    if missing < len(column):
        geometry = shapely.from_wkb(column.drop_null().to_numpy(zero_copy_only=False), on_invalid="ignore")
        names, counts = np.unique(shapely.get_type_id(geometry), return_counts=True)
        for number, count in zip(names.tolist(), counts.tolist(), strict=True):
            counted["none" if number < 0 else shapely.GeometryType(number).name.title()] += count
    if missing:
        counted["none"] += missing
    return counted


def _type(kind: pa.DataType) -> str:
    """The type of a column in the words that fields of layers use."""
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_timestamp(kind):
        return "datetime"
    return "text"


def _take(samples: list[str], column: pa.Array) -> None:
    """Add the first values of ``column`` that differ and say something."""
    if len(samples) >= _SAMPLES:
        return
    for value in column.slice(0, 2000):
        text = "" if value.as_py() is None else str(value.as_py()).strip()
        short = text if len(text) <= _SAMPLE_LENGTH else f"{text[:_SAMPLE_LENGTH]}…"
        if short and short not in samples:
            samples.append(short)
            if len(samples) >= _SAMPLES:
                return


def findings(
    issues: Iterable[Issue], layer: Layer | None = None, counts: Sequence[Count] = ()
) -> list[dict[str, Any]]:
    """Issues by code and field: how many rows, which first (1 is the first data row), the words of one.

    ``layer`` says what a value should have been; ``counts`` count what ``issues`` hold only the first of.
    """
    groups: dict[tuple[str, str | None], list[Issue]] = {}
    for issue in issues:
        groups.setdefault((issue.code, issue.field), []).append(issue)
    totals = {(count.code, count.field): count.rows for count in counts}
    order = {"error": 0, "repair": 1, "warning": 2}
    found = [_finding(group, layer, totals.get(key)) for key, group in groups.items()]
    return sorted(found, key=lambda entry: (order.get(entry["severity"], 3), -entry["count"]))[:_REASONS]


def _finding(group: Sequence[Issue], layer: Layer | None, total: int | None) -> dict[str, Any]:
    first = group[0]
    rows = sorted({issue.row for issue in group if issue.row != FILE})
    zh, en, remedy_zh, remedy_en = sentences(first.code, first.field, first.value, layer, titled=True)
    return {
        "code": first.code,
        "severity": first.severity,
        "field": first.field,
        "value": first.value if first.value is None else first.value[:_SAMPLE_LENGTH],
        "count": total or len(rows) or len(group),
        "rows": [row + 1 for row in rows[:_ROWS_NAMED]],
        "of_file": not rows,
        "zh": zh,
        "en": en,
        "remedy_zh": remedy_zh,
        "remedy_en": remedy_en,
    }
