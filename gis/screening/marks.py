"""How long a conflict has been open, and what people say of it.

A mark never changes a conflict and never deletes it: "challenged" says that somebody doubts it, "accepted"
that it is known and tolerated for a reason, perhaps until a day. Marks are only ever added; the newest counts
while the conflict stands, and one that was closed and opens again is without a mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, cast

from sqlalchemy import Connection, Table, Text, any_, func, insert, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from gis import tables
from gis.errors import NotFound, QueryError
from gis.revisions import alive
from gis.settings import MapDefinition

__all__ = [
    "MARKS",
    "STATUSES",
    "Listed",
    "Mark",
    "Standing",
    "last_mark",
    "listed",
    "mark",
    "require_open",
    "standings",
]

Kind = Literal["challenged", "accepted", "withdrawn"]
Status = Literal["open", "challenged", "accepted", "expired"]
MARKS: tuple[Kind, ...] = ("challenged", "accepted", "withdrawn")
STATUSES: tuple[Status, ...] = ("open", "challenged", "accepted", "expired")


@dataclass(frozen=True)
class Mark:
    """What somebody said of a conflict.

    Attributes
    ----------
    until : date or None
        The last day it holds.
    stands : bool
        It was said of the conflict as it is open now, not of an earlier time.
    """

    mark: Kind
    why: str
    until: date | None
    who: str
    at: datetime
    stands: bool

    def is_expired(self, today: date) -> bool:
        """Whether its last day is past."""
        return self.until is not None and self.until < today


@dataclass(frozen=True)
class Standing:
    """One conflict through time.

    Attributes
    ----------
    opened_rev, opened_at
        Where it was opened last; it has been there ever since.
    history : tuple of (revision, time, "opened" or "closed")
        The oldest first.
    marks : tuple of Mark
        The newest first.
    status : str
        "open" without a mark that stands; "expired" when the last one's day is past.
    """

    opened_rev: int
    opened_at: datetime
    history: tuple[tuple[int, datetime, str], ...]
    marks: tuple[Mark, ...]
    status: Status

    def as_json(self, today: date) -> dict[str, Any]:
        """For a card: since when, how it is marked, and everything that was before."""
        current = self.marks[0] if self.status != "open" else None
        return {
            "since": self.opened_at.isoformat(),
            "since_revision": self.opened_rev,
            "days": (today - self.opened_at.date()).days,
            "status": self.status,
            "mark": None if current is None else _mark_json(current),
            "history": [
                {"revision": rev, "at": at.isoformat(), "what": what} for rev, at, what in self.history
            ],
            "marks": [_mark_json(each) for each in self.marks],
        }


@dataclass(frozen=True)
class Listed:
    """One conflict in a list."""

    uid: str
    rules: str
    verdict: str
    severity: str
    subject: str | None
    zone: str | None
    standing: Standing


def _mark_json(each: Mark) -> dict[str, Any]:
    return {
        "mark": each.mark, "why": each.why, "until": each.until and each.until.isoformat(), "who": each.who,
        "at": each.at.isoformat(), "stands": each.stands,
    }  # fmt: skip


def mark(
    conn: Connection,
    definition: MapDefinition,
    uid: str,
    kind: Kind,
    *,
    why: str,
    who: str,
    until: date | None = None,
) -> Standing:
    """Say something of a conflict that is open now.

    Raises
    ------
    NotFound
        When no conflict of that uid is open.
    QueryError
        Without a reason or a name, or with a last day that is past.
    """
    if not why.strip() or not who.strip():
        raise QueryError(
            "A mark says why, and who says so.",
            "标记须写明理由和人员。",
            remedy_en="Give a reason and a name.",
            remedy_zh="请填写理由和姓名。",
        )
    today = datetime.now(UTC).date()
    if until is not None and until < today:
        raise QueryError(
            f"{until} is past.", f"{until} 已过。",
            remedy_en="Give a day from today on, or none.", remedy_zh="请给出今天或以后的日期，或不填。",
        )  # fmt: skip
    standing = require_open(conn, definition, uid)
    values = {"uid": uid, "mark": kind, "why": why.strip(), "who": who.strip(), "until": until}
    conn.execute(insert(tables.conflict_marks).values(**values, opened_rev=standing.opened_rev))
    return standings(conn, definition, [uid])[uid]


def require_open(conn: Connection, definition: MapDefinition, uid: str) -> Standing:
    """How the conflict ``uid`` stands now; NotFound where the connection sees none that is open."""
    standing = None if "\0" in uid else standings(conn, definition, [uid]).get(uid)
    if standing is None:
        raise NotFound(f"No conflict {uid[:200]!r} is open.", f"没有未结的冲突“{uid[:200]}”。")
    return standing


def last_mark(conn: Connection) -> int:
    """The number of the newest mark; 0 without any."""
    return conn.scalar(select(func.coalesce(func.max(tables.conflict_marks.c.mark_id), 0))) or 0


def standings(
    conn: Connection,
    definition: MapDefinition,
    uids: Sequence[str],
    rev: int | None = None,
    *,
    today: date | None = None,
) -> dict[str, Standing]:
    """How the conflicts ``uids`` stand at revision ``rev`` (None: now), by uid; those not open are left out.

    Marks are told as they are on ``today`` (None: the day in UTC), whatever the revision.
    """
    t, r = _ledger(definition), tables.revisions
    wanted = t.c.uid == any_(literal(list(uids), ARRAY(Text)))
    versions = select(t.c.uid, t.c.rev_from, t.c.rev_to).where(wanted)
    if rev is not None:
        versions = versions.where(t.c.rev_from <= rev)
    spans: dict[str, list[tuple[int, int | None]]] = {}
    for row in conn.execute(versions.order_by(t.c.uid, t.c.rev_from)):
        end = None if row.rev_to is None or (rev is not None and row.rev_to > rev) else row.rev_to
        spans.setdefault(row.uid, []).append((row.rev_from, end))
    events = {uid: _events(found) for uid, found in spans.items() if found[-1][1] is None}
    numbers = {number for found in events.values() for number, _ in found}
    times = {
        row.rev: row.at for row in conn.execute(select(r.c.rev, r.c.at).where(r.c.rev.in_(sorted(numbers))))
    }
    marks = _marks(conn, list(events), {uid: found[-1][0] for uid, found in events.items()})
    today = today or datetime.now(UTC).date()
    return {
        uid: Standing(
            found[-1][0], times[found[-1][0]],
            tuple((number, times[number], what) for number, what in found),
            tuple(marks.get(uid, ())), _status(marks.get(uid, ()), today),
        )
        for uid, found in events.items()
    }  # fmt: skip


def _ledger(definition: MapDefinition) -> Table:
    from gis.screening.conflicts import conflicts_layer

    return tables.table_for(conflicts_layer(definition), definition.district.storage_crs)


def _events(spans: Sequence[tuple[int, int | None]]) -> list[tuple[int, str]]:
    """Openings and closings; a row that follows another at the same revision is only a change."""
    events: list[tuple[int, str]] = []
    closed: int | None = None
    for begin, end in spans:
        if closed is not None and closed != begin:
            events.append((closed, "closed"))
        if closed != begin:
            events.append((begin, "opened"))
        closed = end
    return events


def _marks(conn: Connection, uids: Sequence[str], opened: dict[str, int]) -> dict[str, list[Mark]]:
    m = tables.conflict_marks
    query = select(m).where(m.c.uid == any_(literal(list(uids), ARRAY(Text)))).order_by(m.c.mark_id.desc())
    found: dict[str, list[Mark]] = {}
    for row in conn.execute(query):
        stands = row.opened_rev == opened[row.uid]
        found.setdefault(row.uid, []).append(Mark(row.mark, row.why, row.until, row.who, row.at, stands))
    return found


def _status(marks: Sequence[Mark], today: date) -> Status:
    if not marks or not marks[0].stands or marks[0].mark == "withdrawn":
        return "open"
    return "expired" if marks[0].is_expired(today) else cast(Status, marks[0].mark)


def listed(
    conn: Connection,
    definition: MapDefinition,
    *,
    status: Status | None = None,
    rule: str | None = None,
    limit: int = 50,
) -> list[Listed]:
    """Single conflicts that are open now, the oldest first; by status, or by a rule."""
    t, m = _ledger(definition), tables.conflict_marks
    query = select(
        t.c.uid, t.c.rules, t.c.verdict, t.c.severity, t.c.subject_name, t.c.subject_uid, t.c.zone_name,
        t.c.zone_uid,
    ).where(alive(t, None))  # fmt: skip
    if rule is not None:
        query = query.where(func.string_to_array(t.c.rules, " ").op("@>")(literal([rule], ARRAY(Text))))
    if status not in (None, "open"):
        query = query.where(t.c.uid.in_(select(m.c.uid)))
    rows = conn.execute(query).all()
    found: list[Listed] = []
    known = standings(conn, definition, [row.uid for row in rows])
    for row in rows:
        standing = known[row.uid]
        if status in (None, standing.status):
            found.append(
                Listed(row.uid, row.rules, row.verdict, row.severity, row.subject_name or row.subject_uid,
                       row.zone_name or row.zone_uid, standing)
            )  # fmt: skip
    return sorted(found, key=lambda each: (each.standing.opened_rev, each.uid))[:limit]
