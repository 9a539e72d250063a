"""What is wrong, odd or mended in a file or in one of its rows.

Trouble with data is a row, not an exception: each refused or repaired value becomes an `Issue` with the row
number, the field, the value and a code whose words stand in layers/vocab/issues/. Only a file that cannot be
taken at all raises `ImportRefused`, made by `refused` from the same words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from gis.errors import ImportRefused
from layers.vocabulary import Issue as Words
from layers.vocabulary import load_issues

__all__ = ["FILE", "Issue", "issue_words", "refused", "told"]

FILE = -1  # the row number of an issue that concerns the file as a whole


@dataclass(frozen=True, slots=True)
class Issue:
    """A finding in row ``row`` (0 is the first data row; `FILE` the file as a whole).

    ``severity`` is "error" (the row is refused), "repair" (the row is taken, changed) or "warning" (taken as
    it is). ``original`` is what stood there before a repair, as text or as hexadecimal WKB.
    """

    row: int
    field: str | None
    value: str | None
    code: str
    severity: str = "error"
    original: str | None = None


@cache
def issue_words() -> dict[str, Words]:
    """The words of each code."""
    return dict(load_issues())


def told(code: str, *, field: str = "", value: str = "", expected: str = "") -> tuple[str, str, str, str]:
    """Sentence in Chinese, sentence in English, remedy in Chinese, remedy in English.

    Raises KeyError for a code without words; tests hold that there is none.
    """
    words = issue_words()[code]
    given = {"field": field, "value": value, "expected": expected}
    zh, en, remedy_zh, remedy_en = (
        text.format(**given) for text in (words.zh, words.en, words.remedy_zh, words.remedy_en)
    )
    return zh, en, remedy_zh, remedy_en


def refused(code: str, *, field: str = "", value: str = "", expected: str = "") -> ImportRefused:
    """The error that refuses the whole file for the reason ``code``, in words; raise it."""
    zh, en, remedy_zh, remedy_en = told(code, field=field, value=value, expected=expected)
    return ImportRefused(en, zh, remedy_en=remedy_en, remedy_zh=remedy_zh, reason=code)
