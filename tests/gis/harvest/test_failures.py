"""A failing source never damages the layer: it stays as it was, the card turns amber, the next try waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from gis.db import connect
from gis.errors import ImportRefused, NotFound, OneMapError, QueryError
from gis.harvest import Wishes, add_harvest, back_off, due, find_harvest, forget_runs, remove_harvest
from gis.sources import set_source
from tests.gis.harvest.conftest import Harvester
from tests.gis.harvest.platform import Platform

FAULTS = [
    ("oapif", "500", "harvest_status"),
    ("oapif", "truncate", "harvest_truncated"),
    ("oapif", "cut_json", "harvest_unreadable"),
    ("oapif", "html", "harvest_unreadable"),
    ("oapif", "slow", "harvest_timeout"),
    ("oapif", "redirect", "harvest_elsewhere"),
    ("oapif", "next_elsewhere", "harvest_elsewhere"),
    ("oapif", "half", "harvest_incomplete"),
    ("oapif", "loop", "harvest_incomplete"),
    ("oapif", "renamed", "harvest_schema_changed"),
    ("arcgis", "arcgis_error", "harvest_status"),
    ("arcgis", "half", "harvest_incomplete"),
    ("arcgis", "no_offset", "harvest_incomplete"),
    ("arcgis", "renamed", "harvest_schema_changed"),
    ("wfs", "wfs_exception", "harvest_status"),
    ("wfs", "half", "harvest_incomplete"),
    ("wfs", "entity", "harvest_unreadable"),
    ("http", "500", "harvest_status"),
    ("http", "truncate", "harvest_truncated"),
    ("http", "redirect", "harvest_elsewhere"),
]


@pytest.mark.parametrize("kind", ["oapif", "arcgis", "wfs", "http"])
def test_a_failing_source_leaves_the_layer_as_it_was_and_its_card_amber(
    kind: str, harvester: Harvester, platform: Platform
) -> None:
    harvester.add(kind)
    with connect(harvester.engine, write=True) as conn:
        set_source(conn, "platform", {"rhythm": "daily", "accuracy_m": 1.0})
    harvester.run()
    before, revisions = harvester.held(), harvester.scalar("SELECT max(rev) FROM core.revisions")
    assert harvester.card().state == "green"
    platform.put("W1", "不应出现")
    for failures, (_, fault, code) in enumerate([f for f in FAULTS if f[0] == kind], start=1):
        platform.faults = {fault}
        with pytest.raises(ImportRefused) as refused:
            harvester.run(whole=kind != "http")
        assert refused.value.reason == code, fault
        assert harvester.held() == before
        card = harvester.card()
        assert card.state == ("amber" if failures < 5 else "red")
        told = card.sources[0].harvests[0]
        assert (told.state, told.failures) == ("failed", failures)
        assert told.error is not None and told.error["zh"] in card.reasons[0].zh
    assert harvester.scalar("SELECT max(rev) FROM core.revisions") == revisions
    platform.faults = set()
    assert harvester.run(whole=kind != "http").changed
    assert harvester.held() == harvester.expected()
    assert harvester.card().state == "green"


def test_the_next_try_waits_longer_each_time() -> None:
    waits = [back_off(n) / timedelta(minutes=1) for n in (1, 2, 3, 9, 10, 1000)]
    assert waits == [5, 10, 20, 1280, 1440, 1440]


def test_a_failed_harvest_is_due_again_after_the_wait(harvester: Harvester, platform: Platform) -> None:
    harvester.add("oapif")
    engine = harvester.engine
    with connect(engine) as conn:
        assert due(conn) == ["platform"]
    harvester.run()
    now = datetime.now(UTC)
    with connect(engine) as conn:
        assert due(conn) == [] and due(conn, now + timedelta(minutes=61)) == ["platform"]
    platform.faults.add("500")
    with pytest.raises(ImportRefused):
        harvester.run()
    with connect(engine) as conn:
        assert due(conn) == [] and due(conn, now + timedelta(minutes=6)) == ["platform"]


def test_a_source_that_lost_many_rows_closes_none(harvester: Harvester, platform: Platform) -> None:
    harvester.add("oapif")
    harvester.run()
    before = harvester.held()
    for code in ("W0", "W1", "W2"):
        del platform.wells[code]
    with pytest.raises(ImportRefused, match="close 3 of 7"):
        harvester.run(whole=True)
    platform.wells.clear()
    with pytest.raises(ImportRefused) as refused:
        harvester.run(whole=True)
    assert refused.value.reason == "harvest_emptied"
    assert harvester.held() == before
    platform.put("W5")
    harvester.run(whole=True, allow_large_close=True)
    assert list(harvester.held()) == ["W5"]


def test_a_source_that_has_nothing_yet_is_well(harvester: Harvester, platform: Platform) -> None:
    platform.wells.clear()
    harvester.add("arcgis")
    done = harvester.run()
    assert (done.fetched, done.changed) == (0, False)
    platform.put("W1")
    assert harvester.run().changed


def test_a_row_that_turns_wrong_at_its_source_stays_as_it_was(
    harvester: Harvester, platform: Platform
) -> None:
    harvester.add("oapif")
    harvester.run()
    before = harvester.held()
    platform.put("W3", kind="nonsense")
    platform.put("W8", lon=120.3)
    del platform.wells["W0"]
    done = harvester.run(whole=True)
    assert done.result is not None and done.result.bad == 1
    assert harvester.held() == before | {"W8": ("井", "dug", 120.3, 28.9)}, (
        "nothing is closed beside a refused row"
    )
    assert harvester.card().open_rejects == 1
    platform.put("W3", "修好", lon=120.03)
    harvester.run(whole=True)
    assert harvester.held() == harvester.expected()


def test_new_columns_are_taken_once_a_person_says_so(harvester: Harvester, platform: Platform) -> None:
    harvester.add("arcgis")
    harvester.run()
    platform.faults.add("renamed")
    with pytest.raises(ImportRefused, match="no longer has the columns kind;"):
        harvester.run()
    harvester.run(accept_columns=True)
    harvester.run()


def test_too_much_is_not_taken(harvester: Harvester, platform: Platform) -> None:
    from gis.harvest import NetLimits

    harvester.add("http")
    with pytest.raises(ImportRefused) as refused:
        harvester.run(limits=NetLimits(total_mb=0))
    assert refused.value.reason == "harvest_too_large" and harvester.held() == {}


def test_nobody_there_is_told_in_words(harvester: Harvester, platform: Platform) -> None:
    harvester.add("http", url="http://127.0.0.1:9/wells.csv")
    with pytest.raises(ImportRefused, match="cannot be reached") as refused:
        harvester.run()
    assert refused.value.reason == "harvest_unreachable"


def test_missing_and_wrong_credentials_are_told_apart(harvester: Harvester, platform: Platform) -> None:
    platform.token = "right"
    harvester.add("arcgis", credentials="PLATFORM_TOKEN")
    for environment, code in [
        ({}, "harvest_credentials_missing"),
        ({"PLATFORM_TOKEN": "x"}, "harvest_denied"),
    ]:
        with pytest.raises(ImportRefused) as refused:
            harvester.run(environment=environment)
        assert refused.value.reason == code
    assert harvester.scalar("SELECT count(*) FROM core.harvest_runs WHERE error::text LIKE '%right%'") == 0


def test_proxies_of_the_environment_are_not_used(
    harvester: Harvester, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    harvester.add("oapif")
    assert harvester.run().changed


def test_a_run_that_was_killed_counts_as_failed_at_the_next(harvester: Harvester, platform: Platform) -> None:
    harvester.add("oapif")
    with connect(harvester.engine, write=True) as conn:
        conn.execute(
            text(
                "INSERT INTO core.harvest_runs (harvest_id, state, whole) "
                "SELECT harvest_id, 'running', false FROM core.harvests"
            )
        )
    harvester.run()
    assert (
        harvester.scalar("SELECT error ->> 'code' FROM core.harvest_runs ORDER BY 1 LIMIT 1")
        == "harvest_interrupted"
    )


def test_runs_of_long_ago_are_forgotten_but_for_the_newest(harvester: Harvester, platform: Platform) -> None:
    harvester.add("oapif")
    for _ in range(3):
        harvester.run()
    with connect(harvester.engine, write=True) as conn:
        conn.execute(text("UPDATE core.harvest_runs SET finished = finished - interval '91 days'"))
        forget_runs(conn, 90)
        assert conn.scalar(text("SELECT count(*) FROM core.harvest_runs")) == 1
    assert harvester.card().confirmed_at is not None


def test_two_processes_do_not_run_one_harvest_at_once(harvester: Harvester, platform: Platform) -> None:
    from gis.harvest.run import _alone

    harvester.add("oapif")
    with connect(harvester.engine) as conn:
        found = find_harvest(conn, "platform")
    with _alone(harvester.engine, found), pytest.raises(ImportRefused) as refused:
        harvester.run()
    assert refused.value.reason == "harvest_busy"
    assert harvester.run().changed


WRONG = [
    ({"url": "ftp://host/x"}, "begins with http"),
    ({"url": "file:///etc/passwd"}, "begins with http"),
    ({"url": "http://user:secret@host/x"}, "password or token"),
    ({"url": "http://host/x?token=1"}, "password or token"),
    (
        {"kind": "postgis", "url": "postgresql://a:b@host/db", "wishes": Wishes(name="t")},
        "password or token",
    ),
    ({"kind": "postgis", "url": "postgresql://host/db"}, "needs the name"),
    ({"kind": "csw"}, "no kind"),
    ({"layer": "nothing"}, "no layer"),
    ({"every": "often"}, "is not a rhythm"),
    ({"every": "irregular"}, "regular rhythm"),
    ({"name": "../x"}, "cannot be the name"),
    ({"wishes": Wishes(mapping={"nothing": "x"})}, "no field nothing"),
    ({"wishes": Wishes(credentials="a b")}, "environment variable"),
]


def test_a_wrong_harvest_is_refused(harvester: Harvester) -> None:
    for wrong, told in WRONG:
        given: dict[str, object] = {
            "name": "h",
            "layer": "wells",
            "kind": "http",
            "url": "http://host/x",
            **wrong,
        }
        name = given.pop("name")
        with pytest.raises((QueryError, NotFound), match=told), connect(harvester.engine, write=True) as conn:
            add_harvest(conn, harvester.definition, name, **given)  # type: ignore[arg-type]


def test_a_harvest_that_is_removed_leaves_its_rows(harvester: Harvester, platform: Platform) -> None:
    harvester.add("oapif")
    harvester.run()
    with connect(harvester.engine, write=True) as conn:
        with pytest.raises(QueryError, match="already"):
            add_harvest(
                conn, harvester.definition, "platform", layer="wells", kind="http", url="http://host/x"
            )
        remove_harvest(conn, "platform")
    assert len(harvester.held()) == 7
    with pytest.raises(OneMapError, match="no harvest"):
        harvester.run()
