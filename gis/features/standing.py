"""Where a layer stands for whoever reads, in one statement: what names its content, and what is ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Connection, Text, and_, bindparam, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, psycopg

from gis import tables
from gis.access import Scope
from gis.db import Question, driver_cursor, scope_of
from gis.features.facts import SOURCES
from layers.model import Layer

__all__ = [
    "Ready",
    "Standing",
    "form_seen",
    "source_words",
    "standing_asked",
    "standing_of",
    "standing_told",
]


@dataclass(frozen=True)
class Ready:
    """What is kept ready of a layer: its form, its bands with rows (None: none), and rows without a place.

    ``is_newest``: the rows are just those of the newest revision, ``is_current``: that is the one asked for.
    Else only single texts serve.
    """

    form: str
    south: int | None
    north: int | None
    placeless: int
    is_newest: bool
    is_current: bool


@dataclass(frozen=True)
class Standing:
    """A layer at revision ``rev``: the last one up to it that ``touched`` the layer, a digest of the sources.

    ``ready`` is what holds of what is kept; None: nothing does.
    """

    rev: int
    touched: int
    sources: str
    ready: Ready | None

    @property
    def stamp(self) -> tuple[int, str]:
        """What names the content of the layer, as `content_stamp` does."""
        return self.touched, self.sources


def source_words(among: Any) -> Any:
    """What the sources whose numbers are ``among`` are called in features, as one text."""
    s = tables.sources
    words = func.concat_ws("|", s.c.source_id, s.c.name, s.c.is_demonstration)
    joined = func.string_agg(words, aggregate_order_by(bindparam(None, ","), s.c.source_id))
    return select(func.coalesce(joined, "")).where(s.c.source_id == func.any(among)).scalar_subquery()


def _statement() -> tuple[str, Mapping[str, Any]]:
    """Its text and its own values: written by SQLAlchemy once, since it takes longer than the server does."""
    revisions, touches, f = tables.revisions, tables.revision_layers, tables.item_forms.c
    wanted = bindparam("rev", type_=BigInteger)
    newest = select(func.coalesce(func.max(revisions.c.rev), 0)).scalar_subquery()
    at = select(func.coalesce(wanted, newest).label("rev")).cte("at")
    touched = select(func.max(touches.c.rev)).where(touches.c.layer == bindparam("layer", type_=Text))
    ever = touched.scalar_subquery()
    until = touched.where(touches.c.rev <= select(at.c.rev).scalar_subquery()).scalar_subquery()
    held = and_(f.form == bindparam("form", type_=Text), f.sources == source_words(f.source_ids))
    statement = select(
        at.c.rev, func.coalesce(until, 0), SOURCES,
        f.form, f.south, f.north, f.placeless,
        f.rev == ever, and_(f.rev == ever, f.rev <= at.c.rev),
    ).select_from(at.outerjoin(tables.item_forms, held))  # fmt: skip
    compiled = statement.compile(dialect=psycopg.dialect())  # type: ignore[no-untyped-call]  # it has no types
    return compiled.string, compiled.params


_STANDING, _VALUES = _statement()


def standing_asked(layer: Layer, form: str | None, rev: int | None = None) -> Question:
    """What to ask for where ``layer`` stands at ``rev`` (None: now), and for what is ready in ``form``."""
    return _STANDING, {**_VALUES, "rev": rev, "layer": layer.id, "form": form}


def standing_told(row: Sequence[Any]) -> Standing:
    """What the row that comes of it says."""
    at, touched, sources, *held = row
    return Standing(at, touched, sources, None if held[0] is None else Ready(*held))


def form_seen(scope: Scope | None, layer: Layer) -> str | None:
    """The form of ``layer`` that ``scope`` may have whole; None: there is none."""
    limited = scope is not None and scope.areas is not None
    return None if limited else tables.form_of(layer)


def standing_of(conn: Connection, layer: Layer, rev: int | None = None) -> Standing:
    """Where ``layer`` stands at ``rev`` (None: now) for whoever ``conn`` reads for."""
    with driver_cursor(conn) as cursor:
        cursor.execute(*standing_asked(layer, form_seen(scope_of(conn), layer), rev))
        (row,) = cursor.fetchall()
    return standing_told(row)
