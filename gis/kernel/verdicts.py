"""Codes of the four verdicts, ordered so that the worse one is the greater."""

from __future__ import annotations

__all__ = ["CLEAR", "CONFLICT", "EDGE", "UNKNOWN"]

CLEAR = 0
EDGE = 1
UNKNOWN = 2
CONFLICT = 3
