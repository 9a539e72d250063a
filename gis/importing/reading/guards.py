"""Texts for spreadsheets: none of them runs as a formula, and each is read back as what it was."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["safe_cell", "unguarded", "unsafe_cell"]

# A spreadsheet runs a cell that begins so as a formula (OWASP, CSV injection). Apostrophes before it are
# counted, so that a text that has one of its own keeps it.
_RUNS = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = r"'+[=+\-@\t\r]"


def safe_cell(text: str) -> str:
    """``text`` for a spreadsheet: one that would run as a formula gets an apostrophe in front."""
    return "'" + text if _RUNS.match(text) else text


def unsafe_cell(text: str) -> str:
    """The text that `safe_cell` was given."""
    return text[1:] if re.match(_GUARDED, text) else text


def unguarded(texts: pa.Array) -> pa.Array:
    """The same for an array of texts; null stays null."""
    if not pc.any(pc.starts_with(texts, "'")).as_py():
        return texts
    guarded = pc.match_substring_regex(texts, f"^{_GUARDED}")
    return pc.if_else(guarded, pc.utf8_slice_codeunits(texts, 1), texts)
