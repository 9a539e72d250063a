"""Texts for spreadsheets: none of them runs as a formula, and each can be read back as what it was."""

from __future__ import annotations

import re

__all__ = ["safe_cell", "unsafe_cell"]

# A spreadsheet runs a cell that begins so as a formula (OWASP, CSV injection). Apostrophes before it are
# counted, so that a text that has one of its own keeps it.
_RUNS = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def safe_cell(text: str) -> str:
    """``text`` for a spreadsheet: one that would run as a formula gets an apostrophe in front."""
    return "'" + text if _RUNS.match(text) else text


def unsafe_cell(text: str) -> str:
    """The text that `safe_cell` was given."""
    return text[1:] if _GUARDED.match(text) else text
