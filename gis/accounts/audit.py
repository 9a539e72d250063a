"""The audit log: rows that are only ever added, each bound to the one before by a hash.

A row's hash is SHA-256 over its content as canonical JSON and the hash of the row before; the first follows
32 zero bytes. Rows are numbered 1, 2, 3 ... under one lock held to the commit, so a row that was altered,
taken out or moved shows at that row. Taking rows off the end shows only against a number and hash that were
noted elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, func, insert, select

from gis.accounts.caller import Caller
from gis.accounts.tables import audit
from gis.db import connect
from gis.locks import Lock, take

__all__ = [
    "GENESIS",
    "Checked",
    "Entry",
    "Event",
    "Fault",
    "Origin",
    "entries",
    "record",
    "record_now",
    "verify",
]

GENESIS = bytes(32)
_LONGEST = 500  # characters of a text; the rest is left out
_BATCH = 5_000

Outcome = Literal["done", "refused", "failed"]


@dataclass(frozen=True)
class Origin:
    """Who does something, and from where; ``trace`` finds it in other logs."""

    caller: Caller
    address: str | None = None
    trace: str | None = None


@dataclass(frozen=True)
class Event:
    """Something that was done or refused: ``action`` such as session.open, to ``object``.

    ``detail`` holds flat values and no secret.
    """

    action: str
    object: str = ""
    outcome: Outcome = "done"
    detail: Mapping[str, str | int | bool | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """One row as `onemap audit list` shows it."""

    seq: int
    at: datetime
    who: str | None
    via: str
    address: str | None
    action: str
    object: str
    outcome: str
    scope: str | None
    trace: str | None
    detail: dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """The first row that is not as it was written, and what happened to it, in English and Chinese."""

    seq: int
    kind: Literal["altered", "missing", "moved", "unknown_head"]
    en: str
    zh: str


@dataclass(frozen=True)
class Checked:
    """What a check of the log found; ``head`` is the last hash, hexadecimal, to be noted elsewhere."""

    rows: int
    head: str
    fault: Fault | None


def record_now(engine: Engine, origin: Origin, *events: Event) -> None:
    """Add ``events`` in a transaction of their own."""
    with connect(engine, write=True) as conn:
        record(conn, origin, events)


def record(conn: Connection, origin: Origin, events: Sequence[Event]) -> None:
    """Add ``events`` to the log at the end of a short transaction: its lock is held to the commit."""
    record_all(conn, [(origin, event) for event in events])


def record_all(conn: Connection, done: Sequence[tuple[Origin, Event]]) -> None:
    """The same for events of several origins."""
    if not done:
        return
    take(conn, Lock.AUDIT)
    last = conn.execute(select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).one_or_none()
    seq, previous = (last.seq, bytes(last.hash)) if last else (0, GENESIS)
    at = conn.execute(select(func.clock_timestamp())).scalar_one()
    rows = []
    for origin, event in done:
        seq += 1
        row = {"seq": seq, "at": at, "previous": previous} | _content(origin, event)
        previous = row["hash"] = _hash(row, seq)
        rows.append(row)
    conn.execute(insert(audit), rows)


def _content(origin: Origin, event: Event) -> dict[str, Any]:
    scope = origin.caller.scope
    detail = {_plain(name): _plain(v) if isinstance(v, str) else v for name, v in event.detail.items()}
    return {
        "who": _plain(scope.account),
        "via": origin.caller.via,
        "address": _plain(origin.address),
        "action": _plain(event.action) or "",
        "object": _plain(event.object) or "",
        "outcome": event.outcome,
        "scope": scope.digest,
        "trace": _plain(origin.trace),
        "detail": _canonical(detail),
    }


def _plain(words: str | None) -> str | None:
    """``words`` as the database can hold them: no NUL, no halves of characters, not endless."""
    if words is None:
        return None
    return words[:_LONGEST].replace("\0", "�").encode("utf-8", "replace").decode("utf-8")


def _canonical(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _hash(row: Mapping[str, Any], seq: int) -> bytes:
    """The hash of ``row`` if it were number ``seq``."""
    content = {
        name: row[name]
        for name in ("who", "via", "address", "action", "object", "outcome", "scope", "trace", "detail")
    }
    content |= {"seq": seq, "at": row["at"].astimezone(UTC).isoformat(timespec="microseconds")}
    return hashlib.sha256(bytes(row["previous"]) + _canonical(content).encode()).digest()


def entries(
    conn: Connection,
    *,
    limit: int = 50,
    who: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
) -> list[Entry]:
    """The newest rows first; of one account, of actions that begin alike, not before a time."""
    query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if who is not None:
        query = query.where(audit.c.who == who)
    if action is not None:
        query = query.where(audit.c.action.startswith(action, autoescape=True))
    if since is not None:
        query = query.where(audit.c.at >= since)
    names = [each for each in Entry.__dataclass_fields__ if each != "detail"]
    return [
        Entry(**{name: row[name] for name in names}, detail=json.loads(row["detail"]))
        for row in conn.execute(query).mappings()
    ]


def verify(conn: Connection, *, noted: tuple[int, str] | None = None) -> Checked:
    """Follow the chain from the first row; stops at the first fault.

    ``noted`` is a number and hash that was written down before: that row must still be there with that hash.
    """
    seq, previous = 0, GENESIS
    for row in _all(conn):
        if (fault := _fault(conn, row, seq + 1, previous)) is not None:
            return Checked(seq, previous.hex(), fault)
        seq, previous = row["seq"], bytes(row["hash"])
        if noted and noted[0] == seq and noted[1] != previous.hex():
            return Checked(seq, previous.hex(), _other_head(*noted))
    if noted and noted[0] > seq:
        return Checked(seq, previous.hex(), _other_head(*noted))
    return Checked(seq, previous.hex(), None)


def _all(conn: Connection) -> Iterator[dict[str, Any]]:
    reached = -(2**62)
    while rows := conn.execute(
        select(audit).where(audit.c.seq > reached).order_by(audit.c.seq).limit(_BATCH)
    ).mappings().all():  # fmt: skip
        yield from (dict(row) for row in rows)
        reached = rows[-1]["seq"]


def _fault(conn: Connection, row: dict[str, Any], wanted: int, previous: bytes) -> Fault | None:
    """What is wrong with ``row``, which should be number ``wanted`` and follow ``previous``."""
    found = row["seq"]
    if found != wanted and _hash(row, found) == bytes(row["hash"]):
        return Fault(wanted, "missing", f"Row {wanted} is missing.", f"缺少第 {wanted} 行。")
    if _hash(row, found) != bytes(row["hash"]):
        own = _own_number(conn, row)
        if own is not None:
            return Fault(
                found, "moved", f"Row {found} was moved; it was written as row {own}.",
                f"第 {found} 行被移动过，它原是第 {own} 行。",
            )  # fmt: skip
        return Fault(found, "altered", f"Row {found} was altered.", f"第 {found} 行被改动过。")
    if bytes(row["previous"]) != previous:
        before = found - 1
        return Fault(
            before, "altered", f"Row {before} was written anew: row {found} follows another.",
            f"第 {before} 行被重写过：第 {found} 行并非接续其后。",
        )  # fmt: skip
    return None


def _own_number(conn: Connection, row: dict[str, Any]) -> int | None:
    """The number under which ``row`` was written, when its content is whole and only its number is not."""
    for (before,) in conn.execute(select(audit.c.seq).where(audit.c.hash == row["previous"])):
        for number in (before + 1, before):
            if _hash(row, number) == bytes(row["hash"]):
                return int(number)
    highest = conn.scalar(select(func.max(audit.c.seq))) or 0
    near = range(1, highest + 2) if highest < _BATCH else range(row["seq"] - _BATCH, row["seq"] + _BATCH)
    return next((n for n in near if _hash(row, n) == bytes(row["hash"])), None)


def _other_head(seq: int, noted: str) -> Fault:
    return Fault(
        seq, "unknown_head", f"Row {seq} with the hash {noted[:12]}… is gone: the log's end was replaced.",
        f"日志中没有哈希为 {noted[:12]}… 的第 {seq} 行：其末尾已被替换。",
    )  # fmt: skip
