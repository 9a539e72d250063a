"""Each kind of source: the whole of it arrives, what is new arrives, what is gone is closed."""

from __future__ import annotations

import pytest

from tests.gis.harvest.conftest import Harvester
from tests.gis.harvest.platform import Platform

WEB = ("oapif", "arcgis", "wfs", "http")


@pytest.mark.parametrize("kind", WEB)
def test_the_whole_source_arrives_once_and_follows_its_changes(
    kind: str, harvester: Harvester, platform: Platform
) -> None:
    harvester.add(kind)
    first = harvester.run()
    assert (first.changed, first.whole) == (True, True)
    assert harvester.held() == harvester.expected() and len(harvester.held()) == 7
    second = harvester.run()
    assert (second.changed, second.rev) == (False, None)
    assert harvester.scalar("SELECT count(*) FROM core.revisions") == 1
    assert (
        harvester.scalar("SELECT string_agg(state, ' ' ORDER BY harvest_run_id) FROM core.harvest_runs")
        == "changed unchanged"
    )
    platform.put("W1", "新名", lon=120.5, updated=200)
    platform.put("W9", updated=200)
    del platform.wells["W6"]
    third = harvester.run(whole=True)
    assert harvester.held() == harvester.expected()
    assert third.result is not None
    change = third.result.change
    assert (change.added, change.changed, change.closed, change.unchanged) == (1, 1, 1, 5)


@pytest.mark.parametrize(
    ("kind", "updated", "sign"),
    [("oapif", "updated", "filter="), ("arcgis", None, "TIMESTAMP"), ("wfs", "updated", "filter=")],
)
def test_only_what_is_new_is_asked_for_where_the_source_can_say(
    kind: str, updated: str | None, sign: str, harvester: Harvester, platform: Platform
) -> None:
    platform.geojson = False  # wfs: days, not times
    harvester.add(kind, updated=updated)
    harvester.run()
    platform.put("W1", "新名", lon=120.5, updated=200)
    platform.put("W9", updated=201)
    del platform.wells["W0"]
    before = harvester.held()["W0"]
    platform.asked.clear()
    done = harvester.run()
    assert any(sign in path for path in platform.asked)
    # Those of the last day seen come again, for more may have changed on it since.
    assert (done.whole, done.fetched, done.changed) == (False, 3, True)
    assert harvester.held() == harvester.expected() | {"W0": before}, "what is gone is not seen yet"
    harvester.run(whole=True)
    assert harvester.held() == harvester.expected()


def test_a_collection_may_tell_changes_by_its_own_time(harvester: Harvester, platform: Platform) -> None:
    harvester.add("oapif", updated="datetime")
    harvester.run()
    platform.put("W9", updated=40_000)  # in the year 2079
    done = harvester.run()
    assert (done.whole, done.fetched) == (False, 1) and harvester.held() == harvester.expected()


def test_arcgis_without_pagination_goes_by_object_ids(harvester: Harvester, platform: Platform) -> None:
    platform.pagination = False
    harvester.add("arcgis")
    harvester.run()
    assert harvester.held() == harvester.expected()
    assert sum("objectIds=" in path for path in platform.asked) == 3


def test_arcgis_takes_its_token_from_the_environment(harvester: Harvester, platform: Platform) -> None:
    platform.token = "s3cret"
    harvester.add("arcgis", credentials="PLATFORM_TOKEN")
    harvester.run(environment={"PLATFORM_TOKEN": "s3cret"})
    assert harvester.held() == harvester.expected()
    kept = harvester.scalar("SELECT to_jsonb(h)::text FROM core.harvests h")
    assert "PLATFORM_TOKEN" in kept and "s3cret" not in kept


def test_wfs_gives_gml_with_latitude_first_or_geojson(harvester: Harvester, platform: Platform) -> None:
    platform.geojson = False
    harvester.add("wfs")
    harvester.run()
    assert harvester.held() == harvester.expected()
    assert not any("outputFormat" in path for path in platform.asked)
    platform.geojson = True
    assert not harvester.run(whole=True, accept_columns=True).changed  # an empty column only GML has
    assert any("outputFormat=application%2Fjson" in path for path in platform.asked)


def test_an_unchanged_file_is_not_sent_again(harvester: Harvester, platform: Platform) -> None:
    harvester.add("http")
    harvester.run()
    done = harvester.run()
    assert (done.fetched, done.changed) == (None, False)
    assert "if-none-match" in platform.headers[-1]
    platform.faults.add("no_etag")
    assert harvester.run().result is None, "the same bytes are not imported again"
    platform.put("W9")
    assert harvester.run().changed and harvester.held() == harvester.expected()


def test_a_redirect_on_the_same_host_is_followed(harvester: Harvester, platform: Platform) -> None:
    platform.faults.add("redirect_within")
    harvester.add("http")
    harvester.run()
    assert harvester.held() == harvester.expected()


def test_headers_carry_credentials(harvester: Harvester, platform: Platform) -> None:
    harvester.add("http", credentials="PLATFORM")
    for given, sent in {
        "user:pass word": "Basic dXNlcjpwYXNzIHdvcmQ=",
        "abc": "Bearer abc",
        "Authorization: Token x": "Token x",
    }.items():
        harvester.run(environment={"PLATFORM": given})
        assert platform.headers[-1]["authorization"] == sent
