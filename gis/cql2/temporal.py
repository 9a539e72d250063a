"""Temporal comparisons (21-065, 7.6): instants and closed intervals, as OWL-Time defines their relations.

A day beside a time is the whole day, in UTC. In an interval of the row's own ``valid_from`` and ``valid_to``
a missing end is an open one, as everywhere in the store; any other property without a value makes the
comparison unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Date, DateTime, Text, and_, case, cast, func, literal, not_, null, or_

from gis.cql2.errors import refused
from gis.cql2.terms import Scene, Term, read_date, read_timestamp, scalar

__all__ = ["TEMPORAL", "either_end", "temporal_condition"]

_OPEN = ".."
_OPEN_PROPERTIES = ("valid_from", "valid_to")
_TIMES = ("date", "datetime")


@dataclass(frozen=True)
class _Span:
    """From ``start`` to ``end``, both included; of one ``kind``, date or datetime."""

    kind: str
    start: ColumnElement[Any]
    end: ColumnElement[Any]
    is_interval: bool
    nullable: tuple[ColumnElement[Any], ...] = ()
    """Ends of an interval that may be null."""


def temporal_condition(scene: Scene, op: str, args: list[Any]) -> ColumnElement[bool]:
    """The comparison ``op`` (t_after, ...) of two temporal expressions."""
    if len(args) != 2:
        raise refused(f"{op} takes two times.", f"{op} 需要两个时间。")
    first, second = _alike(_span(scene, args[0]), _span(scene, args[1]))
    if op in _INTERVALS_ONLY and not (first.is_interval and second.is_interval):
        raise refused(
            f"{op} compares intervals; an instant is none.",
            f"{op} 只比较区间，不能用于时刻。",
            "Use T_AFTER, T_BEFORE, T_DISJOINT, T_EQUALS or T_INTERSECTS, or write INTERVAL(a, b).",
            "请用 T_AFTER、T_BEFORE、T_DISJOINT、T_EQUALS、T_INTERSECTS，或写成 INTERVAL(a, b)。",
        )
    return _unless_null([*first.nullable, *second.nullable], TEMPORAL[op](first, second))


def _unless_null(ends: list[ColumnElement[Any]], condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """``condition``, unknown where an end is null, also where the other ends would decide it."""
    if not ends:
        return condition
    return case((or_(*(end.is_(None) for end in ends)), null()), else_=condition)


def either_end(scene: Scene, node: Any) -> ColumnElement[Any]:
    """Null when an end of the interval that ``node`` writes is."""
    span = _span(scene, node)
    return case((or_(span.start.is_(None), span.end.is_(None)), None), else_=span.start)


def _span(scene: Scene, node: Any) -> _Span:
    if isinstance(node, dict) and set(node) == {"interval"}:
        return _interval(scene, node["interval"])
    term = scalar(scene, node)
    if term.kind == "text" and isinstance(term.plain, str):
        term = _instant_of(term.plain)
    if term.kind not in _TIMES:
        raise refused(
            "a temporal function compares dates, times and intervals.",
            "时间函数只比较日期、时间与区间。",
            "Write DATE('2026-08-15'), TIMESTAMP('2026-08-15T00:00:00Z') or INTERVAL('2026-01-01', '..').",
            "请写成 DATE('2026-08-15')、TIMESTAMP('2026-08-15T00:00:00Z') 或 INTERVAL('2026-01-01', '..')。",
        )
    return _Span(term.kind, term.sql, term.sql, False)


def _instant_of(text: str) -> Term:
    if len(text) == 10:
        return Term("date", literal(read_date(text), Date))
    return Term("datetime", literal(read_timestamp(text), DateTime(timezone=True)))


def _interval(scene: Scene, ends: Any) -> _Span:
    if not isinstance(ends, list) or len(ends) != 2:
        raise refused("an interval has two ends.", "区间需有两端。")
    terms = [None if end == _OPEN else _end(scene, end) for end in ends]
    kinds = {term.kind for term in terms if term is not None}
    if len(kinds) > 1:
        raise refused(
            "the ends of an interval are both dates or both times.", "区间两端须同为日期或同为时间。"
        )
    kind = kinds.pop() if kinds else "date"
    start, end = (
        _infinity(kind, sign) if term is None else term.sql
        for term, sign in zip(terms, ("-infinity", "infinity"), strict=True)
    )
    if _is_own(ends[0]):
        start = func.coalesce(start, _infinity(kind, "-infinity"))
    if _is_own(ends[1]):
        end = func.coalesce(end, _infinity(kind, "infinity"))
    nullable = tuple(
        sql
        for node, sql in zip(ends, (start, end), strict=True)
        if isinstance(node, dict) and not _is_own(node)
    )
    return _Span(kind, start, end, True, nullable)


def _is_own(node: Any) -> bool:
    return node in ({"property": name} for name in _OPEN_PROPERTIES)


def _end(scene: Scene, node: Any) -> Term:
    term = _instant_of(node) if isinstance(node, str) else scalar(scene, node)
    if term.kind not in _TIMES:
        raise refused("the ends of an interval are dates or times.", "区间两端须为日期或时间。")
    return term


def _infinity(kind: str, text: str) -> ColumnElement[Any]:
    return cast(literal(text, Text), Date() if kind == "date" else DateTime(timezone=True))


def _alike(first: _Span, second: _Span) -> tuple[_Span, _Span]:
    if first.kind == second.kind:
        return first, second
    return _in_time(first), _in_time(second)


def _in_time(span: _Span) -> _Span:
    """``span`` in times: from the beginning of its first day to the last microsecond of its last."""
    if span.kind == "datetime":
        return span
    start, end = (func.timezone("UTC", cast(day, DateTime)) for day in (span.start, span.end))
    last = end + timedelta(days=1) - timedelta(microseconds=1)
    return replace(span, kind="datetime", start=start, end=last)


_Relation = Callable[[_Span, _Span], ColumnElement[bool]]


def _after(a: _Span, b: _Span) -> ColumnElement[bool]:
    return a.start > b.end


def _disjoint(a: _Span, b: _Span) -> ColumnElement[bool]:
    return or_(_after(a, b), _after(b, a))


def _reversed(relation: _Relation) -> _Relation:
    return lambda a, b: relation(b, a)


def _during(a: _Span, b: _Span) -> ColumnElement[bool]:
    return and_(a.start > b.start, a.end < b.end)


def _finishes(a: _Span, b: _Span) -> ColumnElement[bool]:
    return and_(a.start > b.start, a.end == b.end)


def _meets(a: _Span, b: _Span) -> ColumnElement[bool]:
    return a.end == b.start


def _overlaps(a: _Span, b: _Span) -> ColumnElement[bool]:
    return and_(a.start < b.start, a.end > b.start, a.end < b.end)


def _starts(a: _Span, b: _Span) -> ColumnElement[bool]:
    return and_(a.start == b.start, a.end < b.end)


TEMPORAL: Mapping[str, _Relation] = {
    "t_after": _after,
    "t_before": _reversed(_after),
    "t_disjoint": _disjoint,
    "t_equals": lambda a, b: and_(a.start == b.start, a.end == b.end),
    "t_intersects": lambda a, b: not_(_disjoint(a, b)),
    "t_contains": _reversed(_during),
    "t_during": _during,
    "t_finishedby": _reversed(_finishes),
    "t_finishes": _finishes,
    "t_meets": _meets,
    "t_metby": _reversed(_meets),
    "t_overlappedby": _reversed(_overlaps),
    "t_overlaps": _overlaps,
    "t_startedby": _reversed(_starts),
    "t_starts": _starts,
}
_INTERVALS_ONLY = frozenset(TEMPORAL) - {"t_after", "t_before", "t_disjoint", "t_equals", "t_intersects"}
