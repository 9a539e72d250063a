"""What the ledger has of the subjects of a scope, looked up once while the first of them are judged."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass

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
    func,
    insert,
    select,
    text,
)

from gis import tables
from gis.revisions import alive
from gis.screening.columns import read_columns, texts
from gis.screening.scope import Scope

__all__ = ["Margins", "Recorded", "known_margins", "open_rules", "table_of_known"]


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


Recorded = Future[Margins]
"""Margins that somebody looks up meanwhile."""

_KNOWN = Table(
    "on_record", MetaData(schema="pg_temp"), Column("row_id", BigInteger), Column("margin_m", Double),
    *(Column(name, Text) for name in ("uid", "subject_layer", "subject_uid", "zone_layer", "rules")),
)  # fmt: skip


def table_of_known(conn: Connection, ledger: Table, scope: Scope) -> Table:
    """A temporary table of the current rows on the subjects that a scope names."""
    listed = ", ".join(f"{c.name} {c.type.compile(dialect=conn.dialect)}" for c in _KNOWN.columns)
    conn.execute(text(f"CREATE TEMP TABLE on_record ({listed}) ON COMMIT DROP"))
    names = [column.name for column in _KNOWN.columns]
    for name in scope.layers():
        mine = ledger.c.subject_layer == name, ledger.c.subject_uid == any_(texts(scope.uids(name)))
        rows = select(*(ledger.c[n] for n in names)).where(alive(ledger, None), *mine)
        conn.execute(insert(_KNOWN).from_select(names, rows))
    return _KNOWN


def known_margins(conn: Connection, known: Table) -> Margins:
    """The margins in such a table."""
    pair = known.c.subject_layer, known.c.subject_uid, known.c.zone_layer
    query = select(*pair, func.max(known.c.margin_m).label("margin_m")).where(known.c.margin_m > 0)
    found = read_columns(conn, query.group_by(*pair))
    margin_m = found.pop("margin_m").astype(float)
    return Margins(**found, margin_m=margin_m)


def open_rules(conn: Connection, layer: str, uids: NDArray[np.object_]) -> Mapping[str, str]:
    """The rules that are open without a row, of subjects of a layer, by uid."""
    u = tables.uncovered
    query = select(u.c.uid, u.c.rules).where(u.c.layer == layer, u.c.uid == any_(texts(uids)))
    found = read_columns(conn, query)
    return dict(zip(found["uid"], found["rules"], strict=True))
