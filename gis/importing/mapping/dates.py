"""Dates as people write them: 2024年3月5日, 2024/3/5, 20240305, and the day numbers of spreadsheets."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from gis.importing.mapping.codes import half_width

__all__ = ["AmbiguousDate", "day_of_number", "read_date", "read_datetime"]

_DIGITS = str.maketrans("〇零一二三四五六七八九", "00123456789")
_DAY = r"(\d{4})\s*(?:年|[-/.])\s*(\d{1,2})\s*(?:月|[-/.])\s*(\d{1,2})\s*[日号]?"
_COMPACT = r"(\d{4})(\d{2})(\d{2})"
_TIME = r"(?:\s*[T ]?\s*(\d{1,2})\s*[:时点]\s*(\d{1,2})\s*[:分]?\s*(?:(\d{1,2})(\.\d+)?\s*秒?)?)"
_MOMENT = re.compile(rf"(?:{_DAY}|{_COMPACT}){_TIME}?\s*(Z|[+-]\d{{2}}:?\d{{2}})?")
_DAY_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")
_CHINESE = re.compile(
    r"([〇零一二三四五六七八九]{4})年([一二三四五六七八九十]{1,3})月([一二三四五六七八九十]{1,3})[日号]"
)

# Day numbers of spreadsheets that are read as dates: 1950-01-01 to 2099-12-31. A lower one is rather a year.
_FIRST_SERIAL, _LAST_SERIAL = 18264, 73050
# The 1900 system counts a 29 February 1900 that never was (ECMA-376 part 1, 18.17.4.1); from 1 March 1900
# on the days count from here.
_SERIAL_ORIGIN = date(1899, 12, 30)


class AmbiguousDate(ValueError):
    """A date whose day and month cannot be told apart, such as 03/05/2024."""


def read_date(text: str) -> date:
    """The day that ``text`` names; a time of day behind it is dropped.

    Raises
    ------
    AmbiguousDate
        Day and month may be either way round.
    ValueError
        It is no date, or a day that does not exist.
    """
    return read_datetime(text).date()


def read_datetime(text: str) -> datetime:
    """The moment that ``text`` names, midnight when it names only a day. Raises as `read_date`."""
    plain = half_width(text).strip()
    found = _MOMENT.fullmatch(plain)
    if found is None:
        return _other_forms(plain)
    year, month, day = (found[i] or found[i + 3] for i in (1, 2, 3))
    moment = datetime(
        int(year), int(month), int(day), int(found[7] or 0), int(found[8] or 0), int(found[9] or 0)
    )
    if found[10]:
        moment += timedelta(seconds=float(found[10]))
    if found[11]:
        zone = found[11].replace("Z", "+00:00")
        moment = datetime.fromisoformat(moment.isoformat() + zone)
    return moment


def _other_forms(plain: str) -> datetime:
    found = _DAY_LAST.fullmatch(plain)
    if found is not None:
        first, second, year = int(found[1]), int(found[2]), int(found[3])
        if first <= 12 and second <= 12 and first != second:
            raise AmbiguousDate(plain)
        day, month = (first, second) if first > 12 else (second, first)
        return datetime(year, month, day)
    found = _CHINESE.fullmatch(plain)
    if found is not None:
        return datetime(
            int(found[1].translate(_DIGITS)), _chinese_number(found[2]), _chinese_number(found[3])
        )
    if re.fullmatch(r"\d{5}(\.0+)?", plain):
        return datetime.combine(day_of_number(float(plain)), datetime.min.time())
    raise ValueError(text_of_fault(plain))


def text_of_fault(text: str) -> str:
    """What the ValueError of an unreadable date says."""
    return f"{text!r} is no date"


def _chinese_number(text: str) -> int:
    """一 to 三十一. Raises ValueError for 十十 and the like."""
    tens, ten, ones = text.rpartition("十")
    if len(tens) > 1 or len(ones) > 1:
        raise ValueError(text_of_fault(text))
    if not ten:
        return int(ones.translate(_DIGITS))
    return int(tens.translate(_DIGITS) or 1) * 10 + int(ones.translate(_DIGITS) or 0)


def day_of_number(number: float) -> date:
    """The day that a number in a date column stands for: 20240305, or a spreadsheet's day number.

    Raises ValueError for any other number; 2024 is a year, not the 2024th day.
    """
    whole = int(number)
    if 10_000_101 <= whole <= 99_991_231 and whole == number:
        return date(whole // 10_000, whole // 100 % 100, whole % 100)
    if _FIRST_SERIAL <= whole <= _LAST_SERIAL:
        return _SERIAL_ORIGIN + timedelta(days=whole)
    raise ValueError(text_of_fault(f"{number:g}"))
