"""What the ledger has of the subjects of a scope, looked up once while they are found and judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    MetaData,
    Table,
    Text,
    any_,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    true,
    tuple_,
    update,
)

from gis import tables
from gis.revisions import alive
from gis.screening.columns import read_columns, texts
from gis.screening.scope import Scope

__all__ = ["Margins", "OnRecord", "Recorded"]


@dataclass(frozen=True, eq=False)
class Margins:
    """The largest margin on record of pairs of a subject and a zone layer, in metres, where it is above 0."""

    subject_layer: NDArray[np.object_]
    subject_uid: NDArray[np.object_]
    zone_layer: NDArray[np.object_]
    margin_m: NDArray[np.float64]

    def of(self, subject_layer: str, zone_layer: str, uids: NDArray[np.object_]) -> NDArray[np.float64]:
        """Those of some subjects; 0 where there is none."""
        mine = np.flatnonzero((self.subject_layer == subject_layer) & (self.zone_layer == zone_layer))
        place = pd.Index(uids).get_indexer(pd.Index(self.subject_uid[mine]))
        found = np.zeros(len(uids))
        found[place[place >= 0]] = self.margin_m[mine][place >= 0]
        return found


_Found = TypeVar("_Found")

Recorded = Future[Margins]
"""Margins that somebody looks up meanwhile."""

_KNOWN = Table(
    "on_record", MetaData(schema="pg_temp"), Column("row_id", BigInteger), Column("margin_m", Double),
    *(Column(n, Text) for n in ("uid", "subject_layer", "subject_uid", "zone_layer", "zone_uid", "rules")),
)  # fmt: skip
_ENDED = Table("ended_ahead", MetaData(schema="pg_temp"), Column("row_id", BigInteger))
# Fewer are ended with the others as fast.
WORTH_ENDING = 1_000


class OnRecord:
    """Looks up what the ledger has by a thread of its own, on the connection that is to write.

    Whoever finds the scope says early whom it will hold, so that the server looks for them while the rest is
    followed. For a ``with``; nobody else may use the connection before what was asked for last has come.

    Attributes
    ----------
    known : Table
        A temporary table of the current rows on the subjects of the scope.
    """

    known = _KNOWN

    def __init__(self, conn: Connection, ledger: Table) -> None:
        self._conn, self._ledger = conn, ledger
        self._pool = ThreadPoolExecutor(1, "record")
        self._expected: dict[str, NDArray[np.object_]] = {}
        self._last: Future[Any] = self._pool.submit(_make_known, conn)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        if kind is None and not self._last.cancelled():
            self._last.result()

    def _then(self, work: Callable[[], _Found]) -> Future[_Found]:
        """Do something after what was asked for before; where that failed, this fails in the same words."""
        before = self._last

        def done() -> _Found:
            before.result()
            return work()

        coming = self._pool.submit(done)
        self._last = coming
        return coming

    def expect(self, subject_layer: str, uids: NDArray[np.object_]) -> None:
        """Look up what is known of subjects that the scope will name."""
        held = self._expected.get(subject_layer, np.empty(0, dtype=object))
        new = uids[pd.Index(held).get_indexer(pd.Index(uids)) < 0]
        if len(new):
            self._expected[subject_layer] = np.concatenate([held, new])
            self._then(lambda: _add_known(self._conn, self._ledger, subject_layer, new))

    def margins(self, scope: Scope) -> Recorded:
        """The margins of the subjects that a scope names, all of whom are in `known` then."""
        for name in scope.layers():
            self.expect(name, scope.uids(name))
        return self._then(lambda: _margins(self._conn))

    def open_rules(self, scope: Scope) -> Future[dict[str, Mapping[str, str]]]:
        """The rules that are open without a row: by subject layer, and uid of those that a scope names."""
        return self._then(lambda: {n: _open_rules(self._conn, n, scope.uids(n)) for n in scope.layers()})

    def end_ahead(self, scope: Scope, begin: Callable[[], int]) -> Future[int | None]:
        """End the rows that will hardly stay as they are while those on their subjects are judged.

        ``begin`` gives the revision; None where there are too few such rows. Whoever finds that one stays as
        it was takes it back: see `answered` and `take_back`.
        """
        return self._then(lambda: _end_ahead(self._conn, self._ledger, scope, begin))

    def answered(self, held: Table) -> None:
        """Tell that what became of rows of ``held`` (row_id) is settled."""
        self._conn.execute(delete(_ENDED).where(_ENDED.c.row_id == held.c.row_id))

    def take_back(self) -> None:
        """Let the rows that ended ahead go on of which nobody told what became of them."""
        left = self._ledger.c.row_id == any_(func.array(select(_ENDED.c.row_id).scalar_subquery()))
        self._conn.execute(update(self._ledger).where(left).values(rev_to=None))


def _end_ahead(conn: Connection, ledger: Table, scope: Scope, begin: Callable[[], int]) -> int | None:
    known = _KNOWN
    other = or_(
        tuple_(known.c.zone_layer, known.c.zone_uid).in_(sorted(scope.other_zones)),
        known.c.rules.in_(sorted(scope.other_limits)),
    )
    if (conn.scalar(select(func.count()).select_from(known).where(other)) or 0) < WORTH_ENDING:
        return None
    rev = begin()
    conn.execute(text("CREATE TEMP TABLE ended_ahead (row_id bigint) ON COMMIT DROP"))
    conn.execute(insert(_ENDED).from_select(["row_id"], select(known.c.row_id).where(other)))
    ended = ledger.c.row_id == any_(func.array(select(_ENDED.c.row_id).scalar_subquery()))
    conn.execute(update(ledger).where(ended).values(rev_to=rev))
    return rev


def _make_known(conn: Connection) -> None:
    listed = ", ".join(f"{c.name} {c.type.compile(dialect=conn.dialect)}" for c in _KNOWN.columns)
    conn.execute(text(f"CREATE TEMP TABLE on_record ({listed}) ON COMMIT DROP"))


def _add_known(conn: Connection, ledger: Table, subject_layer: str, uids: NDArray[np.object_]) -> None:
    names = [column.name for column in _KNOWN.columns]
    asked = func.unnest(texts(uids)).table_valued("uid").render_derived()
    mine = ledger.c.subject_layer == subject_layer, ledger.c.subject_uid == asked.c.uid
    # Each is looked up by itself. Left to choose, the planner reads all current rows once the history of few
    # subjects is long: it takes everybody to have as many.
    each = select(*(ledger.c[n] for n in names)).where(alive(ledger, None), *mine).offset(0).lateral("each")
    conn.execute(insert(_KNOWN).from_select(names, select(each).select_from(asked.join(each, true()))))


def _margins(conn: Connection) -> Margins:
    known = _KNOWN
    pair = known.c.subject_layer, known.c.subject_uid, known.c.zone_layer
    query = select(*pair, func.max(known.c.margin_m).label("margin_m")).where(known.c.margin_m > 0)
    found = read_columns(conn, query.group_by(*pair))
    margin_m = found.pop("margin_m").astype(float)
    return Margins(**found, margin_m=margin_m)


def _open_rules(conn: Connection, layer: str, uids: NDArray[np.object_]) -> Mapping[str, str]:
    """The rules that are open without a row, of subjects of a layer, by uid."""
    u = tables.uncovered
    query = select(u.c.uid, u.c.rules).where(u.c.layer == layer, u.c.uid == any_(texts(uids)))
    found = read_columns(conn, query)
    return dict(zip(found["uid"], found["rules"], strict=True))
