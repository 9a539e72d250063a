"""Values in a filter: properties, literals, arithmetic and functions, each with its type."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Double,
    FromClause,
    Numeric,
    Text,
    cast,
    func,
    literal,
)

from gis.axes import NamedCrs
from gis.cql2.errors import refused, unknown
from gis.cql2.folding import without_accents, without_case
from gis.cql2.functions import FUNCTIONS
from gis.filters import column_of, filterable
from layers.district import District
from layers.model import Layer

__all__ = ["GEOMETRY", "Scene", "Term", "alike", "number", "property_term", "scalar"]

GEOMETRY = "geometry"
"""The name under which filters know the geometry of a row."""
_LARGEST = 2**63 - 1
_KINDS = {"text": "text", "enum": "text", "integer": "integer", "number": "number"}
_WORDS = {
    "text": ("text", "文本"),
    "integer": ("number", "数值"),
    "number": ("number", "数值"),
    "boolean": ("boolean", "布尔值"),
    "date": ("date", "日期"),
    "datetime": ("timestamp", "时间"),
    "geometry": ("geometry", "几何"),
}


@dataclass(frozen=True)
class Scene:
    """What a filter is about: a layer, its rows (joined with ``core.sources``) and the CRS of literals."""

    layer: Layer
    table: FromClause
    district: District
    crs: NamedCrs


@dataclass(frozen=True)
class Term:
    """An expression of one ``kind``: text, integer, number, boolean, date, datetime or geometry.

    ``plain`` is the value of a literal as it was written, for what reads it as another type.
    """

    kind: str
    sql: ColumnElement[Any]
    plain: Any = None

    @property
    def is_number(self) -> bool:
        """Whether it is a whole or a broken number."""
        return self.kind in ("integer", "number")


def scalar(scene: Scene, node: Any) -> Term:
    """The term that ``node`` writes; QueryError when it writes none."""
    if isinstance(node, dict):
        return _of_object(scene, node)
    if isinstance(node, bool):
        return Term("boolean", literal(node, Boolean), node)
    if isinstance(node, int | float):
        return _number(node)
    if isinstance(node, str):
        if "\0" in node:
            raise refused("a text holds the character U+0000.", "文本含有字符 U+0000。")
        return Term("text", literal(node, Text), node)
    raise refused(
        f"{_shown(node)} is no value here.",
        f"此处 {_shown(node)} 不是有效的值。",
        "Compare with IS NULL, or with one value.",
        "请使用 IS NULL，或与单个值比较。",
    )


def _number(value: float) -> Term:
    if not math.isfinite(value):
        raise refused("a number is too large.", "数值过大。")
    if isinstance(value, int) or (value.is_integer() and abs(value) <= 2**53):
        if abs(value) > _LARGEST:
            raise refused(f"the number {value} is too large.", f"数值 {value} 过大。")
        return Term("integer", literal(int(value), BigInteger), value)
    return Term("number", literal(value, Double), value)


def _of_object(scene: Scene, node: Mapping[str, Any]) -> Term:
    if set(node) == {"property"}:
        return property_term(scene, node["property"])
    if set(node) == {"date"}:
        return Term("date", literal(read_date(node["date"]), Date), node["date"])
    if set(node) == {"timestamp"}:
        moment = read_timestamp(node["timestamp"])
        return Term("datetime", literal(moment, DateTime(timezone=True)), node["timestamp"])
    if set(node) == {"op", "args"} and isinstance(node["op"], str) and isinstance(node["args"], list):
        return _of_operation(scene, node["op"], node["args"])
    raise refused(f"{_shown(node)} is no value.", f"{_shown(node)} 不是有效的值。")


def property_term(scene: Scene, name: Any) -> Term:
    """The property called ``name``; QueryError when the layer has none to filter by."""
    fields = filterable(scene.layer)
    if name == GEOMETRY and scene.layer.has_geometry:
        return Term("geometry", scene.table.c.geom)
    if not isinstance(name, str) or name not in fields:
        known = [*fields, *([GEOMETRY] if scene.layer.has_geometry else [])]
        raise unknown("property", "属性", str(name), known)
    kind = fields[name].type
    return Term(_KINDS.get(kind, kind), column_of(scene.table, name))


def _of_operation(scene: Scene, op: str, args: list[Any]) -> Term:
    if op in _ARITHMETIC:
        if len(args) != 2:
            raise refused(f"{op} takes two numbers.", f"{op} 需要两个数。")
        left, right = (number(scene, arg) for arg in args)
        return Term("number", _ARITHMETIC[op](left, right))
    if op in ("casei", "accenti"):
        if len(args) != 1:
            raise refused(f"{op} takes one text.", f"{op} 需要一个文本。")
        inner = _expect(scalar(scene, args[0]), "text")
        fold = without_case if op == "casei" else without_accents
        return Term("text", fold(inner.sql))
    function = FUNCTIONS.get(op.lower())
    if function is None:
        raise unknown("function", "函数", op, [*FUNCTIONS, "casei", "accenti"])
    if len(args) != len(function.arguments):
        raise refused(
            f"{function.name} takes {len(function.arguments)} arguments.",
            f"{function.name} 需要 {len(function.arguments)} 个参数。",
        )
    terms = [_fit(scene, arg, kinds) for arg, kinds in zip(args, function.arguments, strict=True)]
    return Term(function.returns, function.make(*(term.sql for term in terms)))


def _fit(scene: Scene, node: Any, kinds: tuple[str, ...]) -> Term:
    term = scalar(scene, node)
    if term.kind in kinds:
        return term
    return _expect(term, kinds[0])


def number(scene: Scene, node: Any) -> ColumnElement[float]:
    """The number that ``node`` writes, as a double."""
    return cast(_expect(scalar(scene, node), "number").sql, Double)


def _expect(term: Term, kind: str) -> Term:
    """``term`` when it is of ``kind`` (a whole number is a number too)."""
    if term.kind == kind or (kind == "number" and term.is_number):
        return term
    raise _mismatch(term, kind)


def alike(left: Term, right: Term) -> tuple[Term, Term]:
    """Two terms that can be compared; a text literal beside a date or time is read as one."""
    left, right = _as_kind(left, right.kind), _as_kind(right, left.kind)
    if left.kind != right.kind and not (left.is_number and right.is_number):
        raise _mismatch(left, right.kind)
    if left.kind == "geometry":
        raise refused(
            "geometries are not compared by operators.",
            "几何不能用比较运算符比较。",
            "Use S_EQUALS, S_INTERSECTS and the like.",
            "请使用 S_EQUALS、S_INTERSECTS 等函数。",
        )
    return left, right


def _as_kind(term: Term, kind: str) -> Term:
    if term.kind != "text" or not isinstance(term.plain, str):
        return term
    if kind == "date":
        return Term("date", literal(read_date(term.plain), Date), term.plain)
    if kind == "datetime":
        return Term("datetime", literal(read_timestamp(term.plain), DateTime(timezone=True)), term.plain)
    return term


def _mismatch(term: Term, kind: str) -> Exception:
    (found_en, found_zh), (wanted_en, wanted_zh) = _WORDS[term.kind], _WORDS[kind]
    return refused(
        f"a {found_en} stands where a {wanted_en} is needed.",
        f"应为{wanted_zh}，实为{found_zh}。",
        "Texts are quoted, numbers not; days are DATE('2026-08-15'), "
        "times TIMESTAMP('2026-08-15T00:00:00Z').",
        "文本加引号，数值不加；日期写 DATE('2026-08-15')，时间写 TIMESTAMP('2026-08-15T00:00:00Z')。",
    )


def read_date(text: Any) -> date:
    """The day that ``text`` writes (RFC 3339 full-date)."""
    found: date = _read(text, _day, "2026-08-15")
    return found


def read_timestamp(text: Any) -> datetime:
    """The moment that ``text`` writes (RFC 3339 date-time); without a zone it is in UTC."""
    found: datetime = _read(text, _moment, "2026-08-15T08:00:00Z")
    return found


def _day(text: str) -> date:
    if len(text) != 10:
        raise ValueError(text)
    return date.fromisoformat(text)


def _moment(text: str) -> datetime:
    if len(text) < 16:
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _read(text: Any, read: Callable[[str], Any], example: str) -> Any:
    try:
        return read(text)
    except (TypeError, ValueError, OverflowError):
        raise refused(
            f"{_shown(text)} is no date or time as it is needed here.",
            f"{_shown(text)} 不是此处所需的日期或时间。",
            f"Write {example}.",
            f"请写成 {example}。",
        ) from None


def _shown(node: Any) -> str:
    return repr(node)[:80]


def _not_zero(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """``value``, or null for 0: what is divided by it is unknown then, and no error."""
    return func.nullif(value, 0)


def _exact(value: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(value, Numeric)


_ARITHMETIC: Mapping[str, Callable[[Any, Any], ColumnElement[Any]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / _not_zero(b),
    "%": lambda a, b: cast(func.mod(_exact(a), _not_zero(_exact(b))), Double),
    "div": lambda a, b: cast(func.div(_exact(a), _not_zero(_exact(b))), Double),
    "^": lambda a, b: func.power(a, b, type_=Double),
}
