"""On which days a judgement may change although no data do: laws, validity, and deadlines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from layers.predicates import LAW_DATE, Bounds, Where
from layers.rulemodel import Reference, Rule, with_predecessors

__all__ = ["FAR", "dated", "days_of_law", "next_days", "valid_until"]

_DAY = timedelta(days=1)
FAR = date.max
"""Stands for no day at all in arrays of days."""


def dated(where: Where) -> tuple[str, ...]:
    """The attributes that a filter compares with the law date."""
    return tuple(
        name
        for name, condition in where.items()
        if isinstance(condition, Bounds) and LAW_DATE in condition.model_dump(by_alias=True).values()
    )


def days_of_law(rule: Rule, references: Mapping[str, Reference]) -> tuple[date, ...]:
    """The days on which a legal text behind ``rule`` begins to hold, or holds no more; sorted."""
    texts = with_predecessors(rule.legal, references).values()
    begin = {text.valid_from for text in texts}
    end = {text.valid_to + _DAY for text in texts if text.valid_to is not None and text.valid_to < FAR}
    return tuple(sorted(begin | end))


def valid_until(values: NDArray[np.object_]) -> NDArray[np.object_]:
    """The first day on which rows are no more in force, by their last day; `FAR` where that is open."""
    days = np.full(len(values), FAR, dtype=object)
    for row in np.flatnonzero(values != None):  # noqa: E711  # for each value
        days[row] = values[row] + _DAY if values[row] < FAR else FAR
    return days


def next_days(values: NDArray[np.object_], law_date: date) -> NDArray[np.object_]:
    """When a comparison of each value with the law date may next turn out otherwise; `FAR` for never."""
    return np.array([_next(value, law_date) for value in values], dtype=object)


def _next(value: object, law_date: date) -> date:
    if isinstance(value, datetime):
        value = value.date()
    if not isinstance(value, date) or value < law_date:
        return FAR
    # "Not later than" fails on the value itself only once it is past; "not before" holds on it already.
    return value if value > law_date else value + _DAY if value < FAR else FAR
