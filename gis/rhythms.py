"""How often something is promised, as an ISO 8601 duration."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache

from gis.errors import QueryError
from layers.model import Text
from layers.vocabulary import SHIPPED, read_toml

__all__ = ["IRREGULAR", "parse_rhythm", "rhythm_span", "rhythm_words"]

IRREGULAR = "irregular"

# ISO 8601-1:2019, 5.5.2. Fractions are not taken: nobody promises them.
_DURATION = re.compile(
    r"P(?=[0-9T])(?:(?P<years>\d{1,3})Y)?(?:(?P<months>\d{1,3})M)?(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,5})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,7})S)?)?"
)
# The mean length in the Gregorian calendar; a promise is kept or broken by days, not by seconds.
_YEAR, _MONTH = timedelta(days=365.2425), timedelta(days=365.2425 / 12)
_SHORTEST = timedelta(minutes=1)


@cache
def _usual() -> dict[str, tuple[str, Text]]:
    """The usual words of layers/vocab/rhythms.toml: key -> duration and words."""
    tables = read_toml(SHIPPED / "vocab" / "rhythms.toml")
    return {key: (row["duration"], Text(zh=row["zh"], en=row["en"])) for key, row in tables.items()}


def parse_rhythm(text: str) -> str:
    """``text`` ("monthly", "每月", "P1M", "irregular") as the store keeps it: a duration, or "irregular".

    Raises QueryError for anything else, and for a duration below a minute.
    """
    wanted = text.strip()
    for key, (duration, words) in _usual().items():
        if wanted.lower() in (key, words.en) or wanted == words.zh:
            return duration
    wanted = wanted.upper()
    span = _span(wanted)
    if span is None or span < _SHORTEST:
        raise QueryError(
            f"{text!r} is not a rhythm.",
            f"“{text}”不是更新频率。",
            remedy_en="Write daily, weekly, monthly, quarterly, yearly, irregular, or a duration: PT6H.",
            remedy_zh="请写 每日、每周、每月、每季度、每年、不定期，或 PT6H 形式的时长。",
        )
    return wanted


def rhythm_span(rhythm: str | None) -> timedelta | None:
    """The length of a kept rhythm; None for an irregular one and for none."""
    return None if rhythm is None else _span(rhythm)


def _span(text: str) -> timedelta | None:
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    n = {name: int(value) for name, value in found.groupdict(default="0").items()}
    return (
        n["years"] * _YEAR
        + n["months"] * _MONTH
        + timedelta(
            weeks=n["weeks"], days=n["days"], hours=n["hours"], minutes=n["minutes"], seconds=n["seconds"]
        )
    )


def rhythm_words(rhythm: str) -> Text:
    """A kept rhythm for people; a duration without a usual word is said in its parts."""
    for duration, words in _usual().values():
        if duration == rhythm:
            return words
    found = _DURATION.fullmatch(rhythm)
    if found is None:
        return Text(zh=rhythm, en=rhythm)
    zh, en = [], []
    units = {"years": "年", "months": "个月", "weeks": "周", "days": "天", "hours": "小时", "minutes": "分钟",
             "seconds": "秒"}  # fmt: skip
    for name, unit in units.items():
        n = int(found[name] or 0)
        if n:
            zh.append(f"{n} {unit}")
            en.append(f"{n} {name if n > 1 else name[:-1]}")
    return Text(zh=f"每 {' '.join(zh)}", en=f"every {' '.join(en)}")
