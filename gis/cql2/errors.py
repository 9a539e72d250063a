"""What can be wrong with a filter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from gis.errors import QueryError

__all__ = ["computing", "refused", "unknown"]


def refused(en: str, zh: str, remedy_en: str = "", remedy_zh: str = "") -> QueryError:
    """A QueryError that says that it is about the filter."""
    return QueryError(f"filter: {en}", f"filter：{zh}", remedy_en=remedy_en, remedy_zh=remedy_zh)


def unknown(kind_en: str, kind_zh: str, name: str, known: Iterable[str]) -> QueryError:
    """A QueryError for a name that does not exist, with those that do."""
    listed = ", ".join(known)
    return refused(
        f"there is no {kind_en} {name[:80]!r}.",
        f"没有{kind_zh}“{name[:80]}”。",
        f"Known: {listed}.",
        f"可用：{listed}。",
    )


# SQLSTATE: numbers out of range, division by zero, arguments of power and logarithm.
_OF_NUMBERS = {"22003", "22012", "2201E", "2201F"}
_NO_COLLATION = "42704"


@contextmanager
def computing() -> Iterator[None]:
    """Tell errors of the database that come from the arithmetic of a filter as what they are.

    Raises
    ------
    QueryError
        When an expression leaves the range of numbers, or the database has no ICU collation for CASEI.
    """
    try:
        yield
    except exc.DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state in _OF_NUMBERS:
            raise refused(
                "a calculation leaves the range of numbers.",
                "计算结果超出数值范围。",
                "Exclude such rows, or use smaller numbers.",
                "请排除这些行，或使用较小的数值。",
            ) from error
        if state == _NO_COLLATION:
            raise refused(
                "this database has no ICU, which CASEI needs.",
                "此数据库没有 ICU，无法使用 CASEI。",
                "Use a PostgreSQL that was built with ICU.",
                "请使用带 ICU 的 PostgreSQL。",
            ) from error
        raise
