"""A filter as a condition on the rows of a layer; three-valued as SQL is, so that unknown keeps nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Boolean, ColumnElement, FromClause, and_, collate, literal, not_, or_

from gis.cql2.errors import refused, unknown
from gis.cql2.functions import FUNCTIONS
from gis.cql2.reading import Filter
from gis.cql2.spatial import SPATIAL, operand_sql, spatial_condition
from gis.cql2.temporal import TEMPORAL, either_end, temporal_condition
from gis.cql2.terms import Scene, Term, alike, number, property_term, scalar
from layers.district import District
from layers.model import Layer

__all__ = ["filter_condition"]

Condition = ColumnElement[bool]


def filter_condition(found: Filter, layer: Layer, table: FromClause, district: District) -> Condition:
    """The condition for rows of ``table`` for which the filter is true; the caller joins ``core.sources``.

    Literal geometries come with the axes of the filter's CRS and are taken to the storage CRS.

    Raises
    ------
    QueryError
        For a name that the layer does not have, a function or operator that does not exist, types that do not
        fit each other, and values that cannot be read.
    CrsError
        When no trustworthy transformation leads from the filter's CRS to the storage CRS.
    """
    return _boolean(Scene(layer, table, district, found.crs), found.tree)


def _boolean(scene: Scene, node: Any) -> Condition:
    if isinstance(node, bool):
        return literal(node, Boolean)
    if not isinstance(node, dict):
        raise _no_condition(node)
    if set(node) == {"property"}:
        return _as_boolean(property_term(scene, node["property"]), node)
    op, args = node.get("op"), node.get("args")
    if set(node) != {"op", "args"} or not isinstance(op, str) or not isinstance(args, list):
        raise _no_condition(node)
    if op in _CONDITIONS:
        return _CONDITIONS[op](scene, op, args)
    if op.lower() in SPATIAL:
        return spatial_condition(scene, op.lower(), args)
    if op.lower() in TEMPORAL:  # the standard writes t_metBy; others t_metby
        return temporal_condition(scene, op.lower(), args)
    if op.lower() in FUNCTIONS or op in ("casei", "accenti"):
        return _as_boolean(scalar(scene, node), node)
    raise unknown("operator or function", "运算符或函数", op, [*_CONDITIONS, *SPATIAL, *TEMPORAL, *FUNCTIONS])


def _as_boolean(term: Term, node: Any) -> Condition:
    if term.kind != "boolean":
        raise _no_condition(node)
    return term.sql


def _no_condition(node: Any) -> Exception:
    return refused(
        f"{str(node)[:80]} is neither true nor false.",
        f"{str(node)[:80]} 不是条件。",
        "Compare it with something: depth > 10, name LIKE 'A%', kind IS NULL.",
        "请写成比较：depth > 10、name LIKE 'A%'、kind IS NULL。",
    )


def _count(op: str, args: list[Any], wanted: int) -> None:
    if len(args) != wanted:
        raise refused(f"{op} takes {wanted} arguments.", f"{op} 需要 {wanted} 个参数。")


def _joined(scene: Scene, op: str, args: list[Any]) -> Condition:
    if len(args) < 2:
        raise refused(f"{op} joins two conditions or more.", f"{op} 需要两个以上条件。")
    parts = [_boolean(scene, arg) for arg in args]
    return and_(*parts) if op == "and" else or_(*parts)


def _negated(scene: Scene, op: str, args: list[Any]) -> Condition:
    _count(op, args, 1)
    return not_(_boolean(scene, args[0]).self_group())


def _compared(scene: Scene, op: str, args: list[Any]) -> Condition:
    _count(op, args, 2)
    left, right = alike(*(scalar(scene, arg) for arg in args))
    return _COMPARISONS[op](*_ordered(op, left, right))


def _ordered(op: str, left: Term, right: Term) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Texts are put in order by their code points, on every database alike."""
    if left.kind == "text" and op not in ("=", "<>"):
        return collate(left.sql, "C"), right.sql
    return left.sql, right.sql


_COMPARISONS: Mapping[str, Callable[[Any, Any], Condition]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


def _like(scene: Scene, op: str, args: list[Any]) -> Condition:
    _count(op, args, 2)
    text = scalar(scene, args[0])
    pattern = _pattern(args[1])
    if text.kind != "text" or pattern is None:
        raise refused(
            "LIKE compares a text with a pattern.",
            "LIKE 只比较文本与模式。",
            "Write name LIKE 'A%', or CASEI(name) LIKE CASEI('a%').",
            "请写成 name LIKE 'A%' 或 CASEI(name) LIKE CASEI('a%')。",
        )
    # A backslash at the end would escape nothing; an even number of them are backslashes themselves.
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise refused(
            "a pattern ends with a backslash that escapes nothing.", "模式以未转义任何字符的反斜杠结尾。"
        )
    return text.sql.like(scalar(scene, args[1]).sql)


def _pattern(node: Any) -> str | None:
    """The literal pattern in ``node``, in CASEI and ACCENTI however deep; None when there is none."""
    while isinstance(node, dict) and node.get("op") in ("casei", "accenti"):
        inner = node.get("args")
        if not isinstance(inner, list) or len(inner) != 1:
            return None
        node = inner[0]
    return node if isinstance(node, str) else None


def _between(scene: Scene, op: str, args: list[Any]) -> Condition:
    _count(op, args, 3)
    kinds = {scalar(scene, arg).kind for arg in args}
    if kinds <= {"integer", "number"}:
        value, low, high = (number(scene, arg) for arg in args)
        if "number" not in kinds:
            value, low, high = (scalar(scene, arg).sql for arg in args)
        return and_(value >= low, value <= high)
    # Beyond the standard, which knows numbers only: days and times.
    return and_(_compared(scene, ">=", [args[0], args[1]]), _compared(scene, "<=", [args[0], args[2]]))


def _in(scene: Scene, op: str, args: list[Any]) -> Condition:
    _count(op, args, 2)
    if not isinstance(args[1], list) or not args[1]:
        raise refused("IN takes a list of values.", "IN 需要一个值列表。", "Write kind IN ('a', 'b').")
    first = scalar(scene, args[0])
    pairs = [alike(first, scalar(scene, entry)) for entry in args[1]]
    plain = [right.sql for _, right in pairs]
    if all(left is first for left, _ in pairs):
        return first.sql.in_(plain)
    return or_(*(left.sql == right.sql for left, right in pairs))


def _is_null(scene: Scene, op: str, args: list[Any]) -> Condition:
    _count(op, args, 1)
    return _nullable(scene, args[0]).is_(None)


def _nullable(scene: Scene, node: Any) -> ColumnElement[Any]:
    if isinstance(node, dict) and {"bbox", "type"} & set(node):
        return operand_sql(scene, node)
    if isinstance(node, dict) and set(node) == {"interval"}:
        return either_end(scene, node)
    op = node.get("op") if isinstance(node, dict) else None
    if isinstance(op, str) and (op in _CONDITIONS or op.lower() in SPATIAL or op.lower() in TEMPORAL):
        return _boolean(scene, node).self_group()
    return scalar(scene, node).sql


_CONDITIONS: Mapping[str, Callable[[Scene, str, list[Any]], Condition]] = {
    "and": _joined,
    "or": _joined,
    "not": _negated,
    **dict.fromkeys(_COMPARISONS, _compared),
    "like": _like,
    "between": _between,
    "in": _in,
    "isNull": _is_null,
}
