"""Rows to filter, and an independent reading of CQL2: each tree evaluated in Python on one row.

True, False or None (unknown). It shares nothing with `gis.cql2` but the form of the tree, and shapely stands
for PostGIS.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import shapely
from sqlalchemy import Engine, select

from gis import tables
from gis.cql2 import Filter, computing, filter_condition, parse_filter
from gis.db import connect
from gis.settings import MapDefinition

Row = Mapping[str, Any]
Truth = bool | None

_SQUARE = shapely.box(120.0, 29.0, 120.1, 29.1)
ROWS: Sequence[Row] = (
    {"code": "P", "name": "Straße", "kind": "a", "whole_number": 5, "whole_numbers": 5, "ratio": 0.5,
     "is_on": True, "day": date(2020, 1, 1), "moment": datetime(2020, 1, 1, 12, tzinfo=UTC),
     "valid_from": date(2019, 1, 1), "valid_to": date(2021, 6, 30), "geom": shapely.Point(120.05, 29.05)},
    {"code": "Q", "name": "STRASSE", "kind": "1", "whole_number": -3, "whole_numbers": 4, "ratio": 2.25,
     "is_on": False, "day": date(2021, 6, 30), "moment": datetime(2021, 6, 30, tzinfo=UTC),
     "valid_from": date(2020, 1, 1), "geom": shapely.Point(120.1, 29.1)},
    {"code": "R", "name": "papá", "whole_number": 2**53 + 1, "ratio": -0.0, "is_on": True,
     "day": date(2019, 12, 31), "moment": datetime(2019, 12, 31, 23, 59, 59, tzinfo=UTC),
     "valid_to": date(2019, 12, 31), "geom": shapely.MultiPolygon([_SQUARE])},
    {"code": "S", "name": "100%_\\'x", "kind": "a", "whole_numbers": 0, "ratio": 10.0,
     "moment": datetime(2020, 1, 1, tzinfo=UTC),
     "geom": shapely.LineString([(119.95, 29.05), (120.15, 29.05)])},
    {"code": "T", "name": "金华 Οδος", "kind": "1", "whole_number": 7, "whole_numbers": 2, "ratio": 7.0,
     "day": date(2020, 1, 1), "geom": shapely.MultiPolygon([shapely.box(120.1, 29.0, 120.2, 29.1)])},
    {"code": "U", "name": "", "is_on": False},
)  # fmt: skip
NAMES = tuple(str(row["code"]) for row in ROWS)


def asked(engine: Engine, definition: MapDefinition, trees: Sequence[Any]) -> list[dict[str, Truth]]:
    """What the database says of each row for each tree, in one statement."""
    layer, district = definition.layers["shapes"], definition.district
    table = tables.table_for(layer, district.storage_crs)
    found = [filter_condition(Filter(tree), layer, table, district) for tree in trees]
    labelled = [condition.label(f"c{number}") for number, condition in enumerate(found)]
    s = tables.sources
    statement = select(table.c.uid, *labelled).join_from(table, s, table.c.source_id == s.c.source_id)
    with connect(engine) as conn:
        rows = conn.execute(statement).all()
    return [{row.uid: row[number + 1] for row in rows} for number in range(len(trees))]


def kept(
    engine: Engine, definition: MapDefinition, text: str, language: str = "cql2-text", **crs: Any
) -> str:
    """The codes of the rows that the filter keeps, in order, as one word."""
    layer, district = definition.layers["shapes"], definition.district
    table = tables.table_for(layer, district.storage_crs)
    condition = filter_condition(parse_filter(text, language, **crs), layer, table, district)
    s = tables.sources
    statement = select(table.c.uid).join_from(table, s, table.c.source_id == s.c.source_id).where(condition)
    with connect(engine) as conn, computing():
        return "".join(sorted(conn.scalars(statement)))


__all__ = ["NAMES", "ROWS", "asked", "kept", "truth"]


# --- the independent reading -------------------------------------------------------------------------------


def truth(tree: Any, row: Row) -> Truth:
    """Whether the condition ``tree`` holds for ``row``; None: unknown."""
    if isinstance(tree, bool):
        return tree
    if "property" in tree:
        found = _value(tree, row)
        assert found is None or isinstance(found, bool)
        return found
    op, args = tree["op"], tree["args"]
    if op in ("and", "or"):
        return _joined(op, [truth(arg, row) for arg in args])
    if op == "not":
        inner = truth(args[0], row)
        return None if inner is None else not inner
    if op == "isNull":
        return _value(args[0], row) is None
    if op.startswith("t_"):
        return _in_time(op.lower(), *(_span(arg, row) for arg in args))
    values = [_value(arg, row) for arg in args[: 1 if op == "in" else None]]
    if op == "in":
        equal = [_compared("=", values[0], _value(entry, row)) for entry in args[1]]
        return _joined("or", equal)
    if op == "between":
        return _joined("and", [_compared(">=", values[0], values[1]), _compared("<=", values[0], values[2])])
    if None in values:
        return None
    if op == "like":
        return _like(*values)
    if op.startswith("s_"):
        return bool(_SPATIAL[op](*values))
    return _compared(op, *values)


def _joined(op: str, parts: Sequence[Truth]) -> Truth:
    decisive = op == "or"
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive


def _compared(op: str, left: Any, right: Any) -> Truth:
    if left is None or right is None:
        return None
    return bool(
        {"=": left == right, "<>": left != right, "<": left < right, ">": left > right,
         "<=": left <= right, ">=": left >= right}[op]
    )  # fmt: skip


def _like(text: str, pattern: str) -> bool:
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    expression = "".join(
        {"%": ".*", "_": "."}.get(part) or re.escape(part[-1] if part[0] == "\\" else part) for part in parts
    )
    return re.fullmatch(expression, text, re.DOTALL) is not None


_SPATIAL: Mapping[str, Callable[[Any, Any], bool]] = {
    "s_intersects": shapely.intersects, "s_disjoint": shapely.disjoint, "s_equals": shapely.equals,
    "s_touches": shapely.touches, "s_within": shapely.within, "s_overlaps": shapely.overlaps,
    "s_crosses": shapely.crosses, "s_contains": shapely.contains,
}  # fmt: skip


def _value(node: Any, row: Row) -> Any:
    if not isinstance(node, dict):
        return node
    if "property" in node:
        name = node["property"]
        return row.get("geom" if name == "geometry" else name)
    if "date" in node:
        return date.fromisoformat(node["date"])
    if "timestamp" in node:
        return datetime.fromisoformat(node["timestamp"])
    if "bbox" in node:
        return shapely.box(*node["bbox"])
    if "coordinates" in node:
        return shapely.force_2d(shapely.geometry.shape(node))
    values = [_value(arg, row) for arg in node["args"]]
    return None if None in values else _CALCULATED[node["op"]](*values)


def _divided(divide: Callable[[float, float], float]) -> Callable[[float, float], float | None]:
    return lambda a, b: None if b == 0 else divide(float(a), float(b))


def _bare(text: str) -> str:
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in parts if unicodedata.category(c) != "Mn"))


_CALCULATED: Mapping[str, Callable[..., Any]] = {
    "+": lambda a, b: float(a) + float(b),
    "-": lambda a, b: float(a) - float(b),
    "*": lambda a, b: float(a) * float(b),
    "/": _divided(lambda a, b: a / b),
    "%": _divided(math.fmod),
    "div": _divided(lambda a, b: float(math.trunc(a / b))),
    "casei": str.casefold,
    "accenti": _bare,
    "length": len,
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "year": lambda moment: moment.year,
    "month": lambda moment: moment.month,
    "day": lambda moment: moment.day,
    "trim": lambda text: text.strip(" "),
}

_Span = tuple[Any, Any, str] | None
_OPEN = {
    "date": (date.min, date.max),
    "datetime": (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
}


def _span(node: Any, row: Row) -> _Span:
    if not (isinstance(node, dict) and "interval" in node):
        instant = _value(node, row)
        return None if instant is None else (instant, instant, _kind(instant))
    ends: list[Any] = []
    for end in node["interval"]:
        if end == "..":
            ends.append("..")
        elif isinstance(end, str):
            ends.append(date.fromisoformat(end) if len(end) == 10 else datetime.fromisoformat(end))
        else:
            value = _value(end, row)
            is_own = end in ({"property": "valid_from"}, {"property": "valid_to"})
            ends.append(".." if value is None and is_own else value)
    if None in ends:
        return None
    kind = next((_kind(end) for end in ends if end != ".."), "date")
    start, end = (_OPEN[kind][place] if end == ".." else end for place, end in enumerate(ends))
    return start, end, kind


def _kind(instant: date) -> str:
    return "datetime" if isinstance(instant, datetime) else "date"


def _timed(span: tuple[Any, Any, str]) -> tuple[Any, Any]:
    start, end, kind = span
    if kind == "datetime":
        return start, end
    first, last = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (start, end))
    if end == date.max:
        return first, datetime.max.replace(tzinfo=UTC)
    return first, last + timedelta(days=1) - timedelta(microseconds=1)


def _in_time(op: str, first: _Span, second: _Span) -> Truth:
    if first is None or second is None:
        return None
    mixed = first[2] != second[2]
    (a, b), (c, d) = (_timed(span) if mixed else span[:2] for span in (first, second))
    return {
        "t_after": a > d, "t_before": b < c, "t_disjoint": a > d or b < c,
        "t_equals": a == c and b == d, "t_intersects": a <= d and b >= c,
        "t_contains": a < c and b > d, "t_during": a > c and b < d,
        "t_finishedby": a < c and b == d, "t_finishes": a > c and b == d,
        "t_meets": b == c, "t_metby": a == d,
        "t_overlaps": a < c < b < d, "t_overlappedby": c < a < d < b,
        "t_startedby": a == c and b > d, "t_starts": a == c and b < d,
    }[op]  # fmt: skip
