"""The refused rows of a run as they were read, with their reasons, ready to be written by `gis.export`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import shapely
from sqlalchemy import Connection, CursorResult, RowMapping, text

from gis.crs import parse_crs
from gis.errors import CrsError
from gis.export.content import Batch, Column, Content
from gis.importing.returned import REASONS, ROW_NUMBER
from gis.rejections.listing import OWNERS, sentences
from layers.model import Layer

__all__ = ["HeldRows"]

_GEOM = "geom"  # under this name a row has its geometry as WKT, in the CRS of the file
_BATCH_ROWS = 1000
_INT64 = 2**63

_ROWS = text(
    'SELECT row_no, (array_agg("row"))[1] AS held, jsonb_agg('
    "jsonb_build_object('code', code, 'field', field, 'value', value, 'owner', owner) ORDER BY reject_id) "
    "FILTER (WHERE severity = ANY(:severities)) AS found "
    "FROM core.rejects WHERE run_id = :run_id AND row_no > 0 AND (NOT :is_open OR resolved_by IS NULL) "
    "GROUP BY row_no HAVING bool_or(severity = ANY(:severities)) ORDER BY row_no"
)
_TITLES: dict[str, tuple[str, str]] = {
    "_code": ("原因代码", "Codes of the reasons"),
    "_field": ("字段", "Fields"),
    "_value": ("值", "Values"),
    "_reason_zh": ("原因", "Reasons in Chinese"),
    "_reason_en": ("原因（英文）", "Reasons"),
    "_remedy_zh": ("如何处理", "What to do, in Chinese"),
    "_remedy_en": ("如何处理（英文）", "What to do"),
    "_owner": ("由谁处理", "Who mends it"),
}


@dataclass
class HeldRows:
    """The rows of one run that have a finding of one of ``severities``, as often as they are asked for.

    ``columns`` and ``kinds`` of shapes are found in a first look at all rows.
    """

    conn: Connection
    run: RowMapping
    layer: Layer | None
    severities: Sequence[str]
    is_open: bool = False

    def __post_init__(self) -> None:
        self._result: CursorResult[Any] | None = None
        self.rows = 0
        self.shapes: set[str] = set()
        seen: dict[str, set[type]] = {}
        header = (self.run["options"] or {}).get("header") or {}
        order = list(header.get("columns") or [])
        # A column of that name stands there in place of the geometry.
        self._has_shapes = _GEOM not in order
        for row in self._read():
            self.rows += 1
            for name, value in self._values(row).items():
                seen.setdefault(name, set()).add(type(value))
            shape = self._shape(row)
            if shape is not None:
                self.shapes.add(shape.geom_type)
        names = [*(n for n in order if n in seen), *sorted(n for n in seen if n not in order)]
        self.columns = tuple(Column(name, _kind(seen[name])) for name in names)
        # The columns of coordinates of a table are there; the one of geometry texts is made anew.
        self.wkt = header.get("wkt") or "wkt"
        self.has_wkt = bool(header.get("wkt")) or (bool(self.shapes) and header.get("x") not in names)

    def _read(self) -> Iterator[RowMapping]:
        given = {
            "run_id": self.run["run_id"],
            "severities": list(self.severities),
            "is_open": self.is_open,
        }
        options = {"stream_results": True, "max_row_buffer": _BATCH_ROWS}
        self.close()
        self._result = self.conn.execute(_ROWS, given, execution_options=options)
        yield from self._result.mappings()

    def close(self) -> None:
        """End the reading that is under way: a writer that gave up has left it half read."""
        if self._result is not None:
            self._result.close()
            self._result = None

    def _values(self, row: RowMapping) -> Mapping[str, Any]:
        held = row["held"] or {}
        return {name: value for name, value in held.items() if name != _GEOM or self._shape(row) is None}

    def _shape(self, row: RowMapping) -> Any:
        wkt = (row["held"] or {}).get(_GEOM) if self._has_shapes else None
        return shapely.from_wkt(wkt, on_invalid="ignore") if isinstance(wkt, str) else None

    def _text_of_shape(self, row: RowMapping) -> str | None:
        """The geometry as WKT, or the text that could not be read as one."""
        if self._shape(row) is not None:
            return str(row["held"][_GEOM])
        return next((one["value"] for one in row["found"] if one["field"] == self.wkt), None)

    @property
    def crs(self) -> str | None:
        """The CRS that the file declared, where it is one that can be written."""
        try:
            return parse_crs(self.run["declared_crs"]).to_string() if self.run["declared_crs"] else None
        except CrsError:
            return None

    def content(self, *, as_table: bool) -> Content:
        """The rows for a writer; for a table the place is in the columns that it came from, else in "wkt"."""
        placed = bool(self.shapes)
        kind = next(iter(self.shapes)) if len(self.shapes) == 1 else "Geometry"
        own = (Column(_free(ROW_NUMBER, self.columns), "integer", "原文件行号", "Row in the file"),)
        reasons = tuple(Column(_free(name, self.columns), "text", *_TITLES[name]) for name in REASONS)
        as_wkt = (Column(self.wkt, "text"),) if as_table and self.has_wkt else ()
        columns = (*self.columns, *as_wkt, *own, *reasons)
        geometry = kind if placed and not as_table else None
        crs = self.crs
        return Content(
            name="rejects",
            columns=columns,
            key=own[0].name,
            geometry=geometry,
            crs=crs,
            batches=lambda: self._batches(with_wkt=bool(as_wkt), with_shapes=geometry is not None),
            facts={"layer": self.run["layer"], "run": self.run["run_id"]} | ({"frame": crs} if crs else {}),
        )

    def _batches(self, *, with_wkt: bool, with_shapes: bool) -> Iterator[Batch]:
        rows: list[tuple[list[Any], Any]] = []
        for row in self._read():
            rows.append((self._told(row, with_wkt=with_wkt), self._shape(row)))
            if len(rows) >= _BATCH_ROWS:
                yield _batch(rows, with_shapes=with_shapes)
                rows = []
        if rows:
            yield _batch(rows, with_shapes=with_shapes)

    def _told(self, row: RowMapping, *, with_wkt: bool) -> list[Any]:
        values = self._values(row)
        told = [_as(column.kind, values.get(column.name)) for column in self.columns]
        wkt = [self._text_of_shape(row)] if with_wkt else []
        return [*told, *wkt, row["row_no"], *_reasons(row["found"], self.layer)]


def _batch(rows: list[tuple[list[Any], Any]], *, with_shapes: bool) -> Batch:
    shapes = np.empty(len(rows), dtype=object)
    shapes[:] = [shape for _, shape in rows]
    return Batch(list(zip(*(values for values, _ in rows), strict=True)), shapes if with_shapes else None)


def _reasons(found: Sequence[Mapping[str, Any]], layer: Layer | None) -> list[str]:
    """The texts of `REASONS` for one row; several findings are joined by "；" or "; "."""
    told = [sentences(one["code"], one["field"], one["value"], layer) for one in found]
    owners = list(dict.fromkeys(one["owner"] for one in found))
    return [
        "; ".join(dict.fromkeys(one["code"] for one in found)),
        "; ".join(dict.fromkeys(one["field"] for one in found if one["field"])),
        "; ".join(str(one["value"])[:200] for one in found if one["value"] is not None),
        " ".join(dict.fromkeys(zh for zh, _, _, _ in told)),
        " ".join(dict.fromkeys(en for _, en, _, _ in told)),
        " ".join(dict.fromkeys(zh for _, _, zh, _ in told if zh)),
        " ".join(dict.fromkeys(en for _, _, _, en in told if en)),
        "; ".join(" ".join(OWNERS.get(owner, (owner, ""))) for owner in owners),
    ]


def _free(name: str, columns: Sequence[Column]) -> str:
    """``name``, or the next longer one that the file has not used itself."""
    taken = {column.name.lower() for column in columns}
    while name in taken:
        name = f"_{name}"
    return name


def _kind(types: set[type]) -> str:
    """The type of a column that held values of these types."""
    types = types - {type(None)}
    if types == {bool}:
        return "boolean"
    if types == {int}:
        return "integer"
    return "number" if types and types <= {int, float} else "text"


def _as(kind: str, value: Any) -> Any:
    if value is None or kind == "boolean":
        return value
    if kind == "integer":
        return value if -_INT64 <= value < _INT64 else None
    if kind == "number":
        return float(value)
    return value if isinstance(value, str) else orjson.dumps(value).decode()
