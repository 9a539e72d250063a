"""What people say of conflicts outlives judging, and a conflict's age is that of its last opening."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from gis import tables
from gis.db import connect
from gis.errors import NotFound, QueryError
from gis.screening.conflicts import refresh
from gis.screening.marks import listed, mark, standings
from tests.ledger.world import World

TODAY = datetime.now(UTC).date()


def _judge(world: World) -> None:
    refresh(world.engine, world.definition, law_date=world.law_date)


def test_marks_survive_judging_expire_and_end_with_the_conflict(new_world: Callable[[int], World]) -> None:
    world = new_world(7)
    _judge(world)
    uid = next(uid for uid in world.ledger() if uid.startswith("plots/"))
    subject = uid.partition("/")[2].partition("|")[0]
    with connect(world.engine, write=True) as conn:
        before = standings(conn, world.definition, [uid])[uid]
        assert (before.status, len(before.history), before.marks) == ("open", 1, ())
        mark(conn, world.definition, uid, "challenged", why="量错", who="甲")
        said = mark(conn, world.definition, uid, "accepted", why="有批复", who="乙", until=TODAY)
    assert (said.status, said.opened_rev) == ("accepted", before.opened_rev)
    assert [(each.mark, each.who) for each in said.marks] == [("accepted", "乙"), ("challenged", "甲")]

    world.write("dots", {"d0": world.row("dots")})
    refresh(world.engine, world.definition, law_date=world.law_date, full=True)
    with connect(world.engine) as conn:
        assert standings(conn, world.definition, [uid])[uid].status == "accepted"
        later = standings(conn, world.definition, [uid], today=TODAY + timedelta(days=1))[uid]
        assert later.status == "expired"
        assert [each.uid for each in listed(conn, world.definition, status="accepted")] == [uid]
        assert uid not in {each.uid for each in listed(conn, world.definition, status="open", limit=10_000)}

    table = tables.table_for(world.definition.layers["plots"], world.definition.district.storage_crs)
    with connect(world.engine) as conn:
        row = conn.execute(select(table).where(table.c.uid == subject, table.c.rev_to.is_(None))).one()
    world.write("plots", {subject: None})
    _judge(world)
    with connect(world.engine) as conn:
        assert standings(conn, world.definition, [uid]) == {}
    _put_back(world, subject, int(row.row_id))
    _judge(world)
    with connect(world.engine) as conn:
        again = standings(conn, world.definition, [uid])[uid]
        assert [what for _, _, what in again.history] == ["opened", "closed", "opened"]
        assert again.opened_rev > before.opened_rev
        assert again.status == "open" and not any(each.stands for each in again.marks)
        assert (
            standings(conn, world.definition, [uid], rev=before.opened_rev)[uid].opened_rev
            == before.opened_rev
        )


def _put_back(world: World, uid: str, row_id: int) -> None:
    """The very same row again, as a revision."""
    from gis.revisions import Change, new_revision, note_touch

    with connect(world.engine, write=True) as conn:
        rev = new_revision(conn, who="test", kind="import")
        names = [row[0] for row in conn.exec_driver_sql(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'layer' "
            "AND table_name = 'plots' AND column_name NOT IN ('row_id', 'rev_from', 'rev_to')")]  # fmt: skip
        listed_names = ", ".join(f'"{name}"' for name in names)
        conn.exec_driver_sql(
            f"INSERT INTO layer.plots ({listed_names}, rev_from) "
            f"SELECT {listed_names}, {rev} FROM layer.plots WHERE row_id = {row_id}"
        )
        note_touch(conn, rev, "plots", Change(rev, 1, 0, 0, 0))


def test_a_mark_names_a_conflict_a_reason_and_a_day_to_come(new_world: Callable[[int], World]) -> None:
    world = new_world(8)
    _judge(world)
    uid = next(iter(world.ledger()))
    with connect(world.engine, write=True) as conn:
        with pytest.raises(NotFound):
            mark(conn, world.definition, "dots/none|x", "accepted", why="y", who="z")
        with pytest.raises(QueryError):
            mark(conn, world.definition, uid, "accepted", why=" ", who="z")
        with pytest.raises(QueryError):
            mark(conn, world.definition, uid, "accepted", why="y", who="z", until=TODAY - timedelta(days=1))
