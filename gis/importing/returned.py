"""The columns that a file of refused rows has beside its own, so that it can be mended and imported again."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["REASONS", "ROW_NUMBER", "returned_columns"]

ROW_NUMBER = "_row"
REASONS = ("_code", "_field", "_value", "_reason_zh", "_reason_en", "_remedy_zh", "_remedy_en", "_owner")


def returned_columns(columns: Iterable[str]) -> frozenset[str]:
    """Those of ``columns`` that `gis.rejections` has put there; none where the row number is not among them.

    A Shapefile has cut their names to ten bytes.
    """
    names = list(columns)
    if ROW_NUMBER not in names:
        return frozenset()
    known = {name for reason in (ROW_NUMBER, *REASONS) for name in (reason, reason[:10])}
    numbered = {f"{reason[:9]}{digit}" for reason in REASONS for digit in range(1, 10)}
    return frozenset(name for name in names if name in known | numbered)
