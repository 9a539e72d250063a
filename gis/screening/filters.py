"""Where-filters of rules, evaluated in three values over columns of attributes.

A missing attribute is not false: a row for which a filter cannot be decided is *unknown*, with the names of
the attributes that would decide it. So an absent value can never turn a hit into a silent pass.

That there is none of something (no consent, no protection distance, no permitted class of activity) is a
statement like any other and has to be made: the code "none" of an enum, a text such as "none" or "无", the
number 0. Only that meets the condition ``{none = true}``. A value that is missing does not say that there is
none; it says nothing, and the row is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from layers.rulemodel import LAW_DATE, NONE, Bounds, Condition, InTable, Prefix, Scalar, StatedNone, Where

__all__ = ["Attributes", "Column", "FilterResult", "Flags", "both", "evaluate"]

Column = NDArray[np.object_]
Flags = NDArray[np.bool_]


class Attributes:
    """Columns of attributes, each reduced on first use to its distinct values and their places.

    Parameters
    ----------
    columns : mapping of str to object[count]
        Values of one type a column; None, NaN and NaT are missing.
    count : int
        The number of rows.

    Raises
    ------
    ValueError
        A column has another length than ``count``.
    """

    def __init__(self, columns: Mapping[str, Column], count: int) -> None:
        for name, column in columns.items():
            if len(column) != count:
                raise ValueError(f"Attribute {name!r} has {len(column)} rows, wanted {count}.")
        self.count = count
        self._columns = columns
        self._encoded: dict[str, tuple[NDArray[np.intp], list[Any]]] = {}

    def encoded(self, name: str) -> tuple[NDArray[np.intp], list[Any]]:
        """Return the place of each row's value in the list of distinct values (-1: missing), and that list.

        A column that is not there is missing in every row.
        """
        if name not in self._columns:
            return np.full(self.count, -1, dtype=np.intp), []
        if name not in self._encoded:
            codes, values = pd.factorize(np.asarray(self._columns[name], dtype=object))
            self._encoded[name] = codes, list(values)
        return self._encoded[name]

    def take(self, rows: NDArray[np.intp]) -> Attributes:
        """Return the attributes of some rows."""
        return Attributes({n: np.asarray(c, dtype=object)[rows] for n, c in self._columns.items()}, len(rows))


@dataclass(frozen=True, eq=False)
class FilterResult:
    """What a filter says of n rows: each row is exactly one of yes, no and unknown.

    Attributes
    ----------
    yes, no, unknown : bool[n]
        A row is *no* as soon as one condition is known to fail, *yes* when all are known to hold.
    missing : mapping of str to bool[n]
        Per attribute the unknown rows that lack it; attributes that no unknown row lacks are left out.
    failing : mapping of str to bool[n]
        Per attribute the rows whose value is known to fail its condition.
    """

    yes: Flags
    no: Flags
    unknown: Flags
    missing: Mapping[str, Flags]
    failing: Mapping[str, Flags]

    def failed(self, row: int) -> tuple[str, ...]:
        """Return the attributes that make row ``row`` a no."""
        return tuple(name for name, fails in self.failing.items() if fails[row])

    def names(self, row: int) -> tuple[str, ...]:
        """Return the attributes that row ``row`` lacks, in the filter's order; none unless it is unknown."""
        return tuple(name for name, lacks in self.missing.items() if lacks[row])


def evaluate(where: Where, attributes: Attributes, law_date: date) -> FilterResult:
    """Evaluate a filter over all rows; all conditions must hold (logical and of Kleene's three values).

    Parameters
    ----------
    where : mapping
        Conditions by attribute: equality, any of, bounds, prefix, or stated to be none. An empty filter
        holds for every row.
    attributes : Attributes
        The columns.
    law_date : datetime.date
        The day whose law is applied; what "law_date" stands for in bounds.
    """
    fails = np.zeros(attributes.count, dtype=bool)
    lacking: dict[str, Flags] = {}
    failing: dict[str, Flags] = {}
    for name, condition in where.items():
        codes, values = attributes.encoded(name)
        lacking[name] = codes < 0
        # The last place is what the code -1 of a missing value reads.
        holds = np.array([*(_holds(condition, value, law_date) for value in values), True])
        failing[name] = ~holds[codes]
        fails |= failing[name]
    any_lacking = np.zeros(attributes.count, dtype=bool)
    for lacks in lacking.values():
        any_lacking |= lacks
    unknown = any_lacking & ~fails
    missing = {name: lacks & unknown for name, lacks in lacking.items() if (lacks & unknown).any()}
    return FilterResult(yes=~fails & ~unknown, no=fails, unknown=unknown, missing=missing, failing=failing)


def both(one: FilterResult, other: FilterResult) -> FilterResult:
    """Both filters at once: what either is known to fail is a no, what both are known to pass a yes."""
    no = one.no | other.no
    unknown = (one.unknown | other.unknown) & ~no
    missing: dict[str, Flags] = {}
    failing: dict[str, Flags] = {}
    for found in (one, other):
        for name, lacks in found.missing.items():
            missing[name] = missing.get(name, False) | (lacks & unknown)
        for name, fails in found.failing.items():
            failing[name] = failing.get(name, False) | fails
    return FilterResult(one.yes & other.yes, no, unknown, missing, failing)


def _holds(condition: Condition, value: Any, law_date: date) -> bool:
    """Whether a value that is not missing meets the condition."""
    match condition:
        case Bounds(at_least=low, above=above, at_most=high, below=below):
            day = _as_day(value)
            return (
                (low is None or bool(day >= _bound(low, law_date)))
                and (above is None or bool(day > _bound(above, law_date)))
                and (high is None or bool(day <= _bound(high, law_date)))
                and (below is None or bool(day < _bound(below, law_date)))
            )
        case StatedNone():
            return _says_none(value)
        case Prefix(prefix=prefixes):
            return str(value).startswith(prefixes)
        case tuple():
            return any(_same(value, option) for option in condition)
        case InTable():
            raise TypeError(f"The codes of table {condition.table!r} were not put in its place.")
        case _:
            return _same(value, condition)


_NONE_IN_WORDS = frozenset({NONE, "无", "没有", "nil", "n/a"})


def _says_none(value: Any) -> bool:
    """Whether a value states that there is none of what it would tell."""
    if isinstance(value, str):
        return value.strip().casefold() in _NONE_IN_WORDS
    return not isinstance(value, (bool, np.bool_)) and bool(value == 0)


def _same(value: Any, option: Scalar) -> bool:
    """Equality that keeps true apart from 1."""
    if isinstance(value, (bool, np.bool_)) != isinstance(option, bool):
        return False
    return bool(_as_day(value) == option)


def _bound(bound: Scalar, law_date: date) -> Any:
    return law_date if bound == LAW_DATE else bound


def _as_day(value: Any) -> Any:
    """Reduce a moment to its day: laws and deadlines go by days."""
    return value.date() if isinstance(value, datetime) else value
