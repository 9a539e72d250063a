"""What names the content of every layer now, in one short statement."""

from __future__ import annotations

from sqlalchemy import Engine, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from gis import tables
from gis.db import ask_once

__all__ = ["Newest"]


class Newest:
    """Names of the content of layers: equal as long as their rows and sources say the same.

    Each `now` asks the database, so a revision that is committed shows in the very next answer. What each
    layer was last touched by is read again only when there is a new revision.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._head = -1
        self._touched: dict[str, int] = {}

    def now(self) -> dict[str, tuple[int, str]]:
        """For each layer with rows the last revision that touched it, and a digest of the sources."""
        s, r, t = tables.sources, tables.revisions, tables.revision_layers
        words = func.concat_ws("|", s.c.source_id, s.c.name, s.c.title_zh, s.c.title_en, s.c.is_demonstration)
        digest = select(func.md5(func.string_agg(words, aggregate_order_by(literal(","), s.c.source_id))))
        newest = select(func.coalesce(func.max(r.c.rev), 0)).scalar_subquery()
        with ask_once(self._engine) as conn:
            head, sources = conn.execute(select(newest, digest.scalar_subquery())).one()
            if head != self._head:
                touches = select(t.c.layer, func.max(t.c.rev)).group_by(t.c.layer)
                touched = {row[0]: int(row[1]) for row in conn.execute(touches)}
                self._head, self._touched = head, touched
        return {layer: (rev, str(sources)) for layer, rev in self._touched.items()}
