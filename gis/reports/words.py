"""The words of a report that its record does not hold, in Chinese and English, and how it writes numbers."""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["LANGUAGES", "Words", "plain"]

LANGUAGES = ("zh", "en")

# What no page may hold: control characters, halves of characters, and signs that turn the direction of text.
_UNFIT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def plain(value: Any) -> Any:
    """``value`` with each text in it fit for a page, whatever it was imported as."""
    if isinstance(value, str):
        return _UNFIT.sub("\ufffd", value)
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list) else value


@cache
def _words(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


class Words:
    """The words of ``file`` in one language, "zh" or "en"."""

    file = Path(__file__).with_name("words.toml")

    def __init__(self, lang: str) -> None:
        self.lang = lang

    def __call__(self, name: str, **told: object) -> str:
        """The words called ``name``, such as "label.area", with ``told`` filled in."""
        found = _words(self.file)
        for step in name.split("."):
            found = found[step]
        text: str = found[self.lang]
        return text.format(**told) if told else text

    def pick(self, text: Any) -> str:
        """The text of a record's {zh, en}; the other language where this one is empty."""
        if not text:
            return ""
        return str(text.get(self.lang) or text.get("zh") or text.get("en") or "")

    def listed(self, names: list[str]) -> str:
        """Names in a row, each once."""
        return self("comma").join(dict.fromkeys(name for name in names if name))

    def labelled(self, label: str, value: str) -> str:
        """A label and its value in one line."""
        return f"{label}{self('colon')}{value}"

    def area(self, m2: float) -> str:
        """An area in m²."""
        if m2 >= 100 or m2 == 0:
            return f"{m2:,.0f} m²"
        return f"{m2:.1f} m²" if m2 >= 0.05 else "<0.1 m²"

    def metres(self, value: float) -> str:
        """A length in metres, or kilometres from 10 on."""
        size = abs(value)
        if size >= 10_000:
            return f"{value / 1000:,.1f} km"
        if size >= 100:
            return f"{value:,.0f} m"
        return f"{value:.1f} m" if size >= 0.05 or size == 0 else "<0.1 m"

    def share(self, value: float) -> str:
        """A share of one as per cent; never 100 % or 0 % for what only comes close."""
        if 0 < value < 0.0005:
            return "<0.1%"
        return ">99.9%" if 0.9995 <= value < 1 - 1e-9 else f"{value:.1%}"

    def bearing(self, degrees: float) -> str:
        """A bearing with its compass point."""
        return f"{degrees:.0f}° {self.compass(degrees)}"

    def compass(self, degrees: float) -> str:
        """The nearest of eight compass points."""
        return self(f"compass.{round(degrees / 45) % 8}")

    def moment(self, when: datetime | str) -> str:
        """A time in UTC to the minute."""
        at = datetime.fromisoformat(when) if isinstance(when, str) else when
        return f"{at:%Y-%m-%d %H:%M} UTC"
