"""Functions that a filter may call beside those of the standard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Double, Text, cast, func

__all__ = ["FUNCTIONS", "Function"]

_NUMBER = ("number", "integer")
_DAY = ("date", "datetime")


@dataclass(frozen=True)
class Function:
    """A function: the kinds that each argument may have, the kind it returns, and its SQL.

    Null in any argument gives null.
    """

    name: str
    zh: str
    en: str
    arguments: tuple[tuple[str, ...], ...]
    returns: str
    make: Callable[..., ColumnElement[Any]]


def _part(name: str) -> Callable[..., ColumnElement[Any]]:
    return lambda moment: cast(func.date_part(name, moment), BigInteger)


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        function.name: function
        for function in (
            Function("length", "字符数", "Number of characters", (("text",),), "integer",
                     lambda text: cast(func.char_length(text), BigInteger)),
            Function("trim", "去掉首尾空格", "Without blanks at both ends", (("text",),), "text",
                     lambda text: func.btrim(text, type_=Text)),
            Function("abs", "绝对值", "Absolute value", (_NUMBER,), "number",
                     lambda number: func.abs(cast(number, Double), type_=Double)),
            Function("floor", "向下取整", "Largest whole number not above", (_NUMBER,), "number",
                     lambda number: func.floor(cast(number, Double), type_=Double)),
            Function("ceil", "向上取整", "Smallest whole number not below", (_NUMBER,), "number",
                     lambda number: func.ceil(cast(number, Double), type_=Double)),
            Function("year", "年（UTC）", "Year (UTC)", (_DAY,), "integer", _part("year")),
            Function("month", "月（UTC）", "Month (UTC)", (_DAY,), "integer", _part("month")),
            Function("day", "日（UTC）", "Day of the month (UTC)", (_DAY,), "integer", _part("day")),
        )
    }
)  # fmt: skip
"""The functions by name, in lower case."""
