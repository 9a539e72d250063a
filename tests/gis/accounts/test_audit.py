"""The audit log: what is written stays, and what was done to it shows at its row."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from gis.access import Role, Scope
from gis.accounts.audit import GENESIS, Checked, Event, Origin, entries, record_now, verify
from gis.accounts.caller import NOBODY, Caller
from gis.accounts.sightings import Sighting, Sightings
from gis.db import connect
from gis.errors import DatabaseError
from tests.gis.accounts.conftest import emptied, forced

LI = Caller(Scope(Role.EDITOR, ("330702",), "环保局", "li"), "session")
ORIGIN = Origin(LI, "10.0.0.7", "abc")

_WORDS = st.text(max_size=30)
_EVENTS = st.lists(
    st.builds(
        Event,
        action=_WORDS,
        object=_WORDS,
        outcome=st.sampled_from(["done", "refused", "failed"]),
        detail=st.dictionaries(
            _WORDS, st.one_of(_WORDS, st.integers(-(2**63), 2**63), st.booleans(), st.none()), max_size=3
        ),
    ),
    min_size=3,
    max_size=6,
)


def checked(engine: Engine, noted: tuple[int, str] | None = None) -> Checked:
    with connect(engine) as conn:
        return verify(conn, noted=noted)


def found(engine: Engine) -> tuple[int, str] | None:
    """Row and kind of the fault that a check names."""
    fault = checked(engine).fault
    return None if fault is None else (fault.seq, fault.kind)


def test_an_empty_log_and_a_written_one_are_whole(log: Engine) -> None:
    assert checked(log) == Checked(0, GENESIS.hex(), None)
    record_now(log, ORIGIN, Event("import", "wells", detail={"rows": 4, "file": "井.csv"}))
    record_now(log, Origin(NOBODY), Event("session.open", "", "refused"))
    assert (checked(log).rows, found(log)) == (2, None)
    with connect(log) as conn:
        newest, first = entries(conn)
        assert [e.seq for e in entries(conn, who="li")] == [first.seq]
        assert entries(conn, action="sess%") == []
    assert (first.who, first.address, first.trace, first.scope) == ("li", "10.0.0.7", "abc", LI.scope.digest)
    assert first.detail == {"rows": 4, "file": "井.csv"}
    assert (newest.seq, newest.who, newest.via, newest.outcome) == (2, None, "none", "refused")


@pytest.mark.parametrize(
    "statement",
    ["UPDATE core.audit SET who = 'x'", "DELETE FROM core.audit", "TRUNCATE core.audit"],
)
def test_the_database_refuses_to_change_the_log(log: Engine, statement: str) -> None:
    record_now(log, ORIGIN, Event("import"))
    with pytest.raises(DatabaseError, match="never changed"), connect(log, write=True) as conn:
        conn.execute(text(statement))
    assert checked(log).rows == 1


@settings(max_examples=25)
@given(events=_EVENTS, data=st.data())
def test_whatever_is_done_to_a_row_is_found_at_that_row(
    ground: Engine, events: list[Event], data: st.DataObject
) -> None:
    emptied(ground)
    record_now(ground, ORIGIN, *events[:2])
    record_now(ground, ORIGIN, *events[2:])
    assert (checked(ground).rows, found(ground)) == (len(events), None)
    row = data.draw(st.integers(1, len(events) - 1))
    column = data.draw(st.sampled_from(["who", "via", "address", "action", "object", "outcome", "detail"]))
    forced(
        ground, f"UPDATE core.audit SET \"{column}\" = coalesce(\"{column}\", '') || 'x' WHERE seq = {row}"
    )
    assert found(ground) == (row, "altered")


@pytest.fixture
def five(log: Engine) -> Engine:
    """Five rows, two of which say the same."""
    record_now(log, ORIGIN, *(Event("a", thing) for thing in ("one", "two", "three", "two", "five")))
    return log


@pytest.mark.parametrize(
    ("statements", "fault"),
    [
        (["DELETE FROM core.audit WHERE seq = 3"], (3, "missing")),
        (["DELETE FROM core.audit WHERE seq = 1"], (1, "missing")),
        (
            ["DELETE FROM core.audit WHERE seq = 3", "UPDATE core.audit SET seq = seq - 1 WHERE seq > 3"],
            (3, "moved"),
        ),
        (
            [
                "UPDATE core.audit SET seq = 9 WHERE seq = 2",
                "UPDATE core.audit SET seq = 2 WHERE seq = 4",
                "UPDATE core.audit SET seq = 4 WHERE seq = 9",
            ],
            (2, "moved"),
        ),
        (["UPDATE core.audit SET at = at - interval '1 day' WHERE seq = 5"], (5, "altered")),
        (["UPDATE core.audit SET previous = hash WHERE seq = 4"], (4, "altered")),
        (
            [
                "INSERT INTO core.audit SELECT 6, at, who, via, address, action, object, outcome, scope, "
                "trace, detail, hash, hash FROM core.audit WHERE seq = 5"
            ],
            (6, "altered"),
        ),
    ],
)
def test_rows_that_went_away_moved_or_came_are_named(
    five: Engine, statements: list[str], fault: tuple[int, str]
) -> None:
    forced(five, *statements)
    assert found(five) == fault


def test_an_end_that_was_cut_off_shows_against_what_was_noted(five: Engine) -> None:
    whole = checked(five)
    noted = (whole.rows, whole.head)
    forced(five, "DELETE FROM core.audit WHERE seq > 3")
    assert checked(five).fault is None
    cut = checked(five, noted).fault
    assert cut is not None and (cut.seq, cut.kind) == (5, "unknown_head")
    record_now(five, ORIGIN, Event("a", "two"), Event("a", "other"))
    replaced = checked(five, noted).fault
    assert replaced is not None and replaced.seq == 5


def test_many_writers_make_one_chain(log: Engine) -> None:
    def write() -> None:
        for _ in range(8):
            record_now(log, ORIGIN, Event("a"), Event("b"))

    writers = [threading.Thread(target=write) for _ in range(4)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert (checked(log).rows, found(log)) == (64, None)


def told(engine: Engine) -> list[tuple[Any, ...]]:
    with connect(engine) as conn:
        return [(e.who, e.action, e.object, e.detail.get("times")) for e in reversed(entries(conn))]


def test_looks_are_gathered_by_caller_and_thing(log: Engine) -> None:
    seen = Sightings(log, delay_s=0.01)
    for _ in range(500):
        seen.note(Sighting(LI, "10.0.0.7", "layer.see", "wells"))
    seen.note(Sighting(LI, "10.0.0.7", "layer.see", "pads"))
    seen.note(Sighting(NOBODY, None, "layer.see", "wells"))
    writer = seen._writer
    if writer is not None:
        writer.join(10)
    firsts = [
        ("li", "layer.see", "wells", 1),
        ("li", "layer.see", "pads", 1),
        (None, "layer.see", "wells", 1),
    ]
    assert told(log) == firsts
    seen.close()
    assert told(log) == [*firsts, ("li", "layer.see", "wells", 500)]
    assert found(log) is None
