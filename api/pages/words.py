"""The words of the pages, in Chinese and English."""

from __future__ import annotations

from pathlib import Path

from gis.reports.words import Words as ReportWords

__all__ = ["Words"]


class Words(ReportWords):
    """The words in one language, "zh" or "en"."""

    file = Path(__file__).with_name("words.toml")

    def known(self, name: str) -> str | None:
        """The words called ``name``; None where nobody wrote any."""
        try:
            return self(name)
        except KeyError:
            return None
