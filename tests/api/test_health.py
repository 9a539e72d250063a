"""Health cards, the register of sources, jobs and harvests over HTTP; one onemap takes from another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from gis.db import connect
from gis.harvest import Wishes, add_harvest, run_harvest
from gis.jobs import enqueue, status
from gis.jobs.worker import Worker
from gis.sources import promise, set_source
from gis.tasks import TASKS, queue_harvest
from tests.api.conftest import SmallMap, client_of
from tests.api.test_cli import Run, onemap

__all__ = ["onemap"]


def test_every_layer_has_a_card(service: TestClient, shared_map: SmallMap) -> None:
    answer = service.get("/health/layers")
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    body = answer.json()
    found = {card["layer"]: card for card in body["layers"]}
    assert list(found) == list(shared_map.definition.layers)
    assert {card["state"] for card in found.values()} <= {"green", "amber", "red", "grey"}
    wells = found["wells"]
    assert (wells["state"], wells["rows"], wells["title"]["en"]) == ("grey", 4, "Wells")
    (reason,) = wells["reasons"]
    assert reason == {"code": "rhythm_unknown", "state": "grey", "zh": "survey未承诺更新频率",
                      "en": "survey promises no update rhythm"}  # fmt: skip
    assert wells["accuracy"] == {"worst_m": 1.0, "typical_m": 1.0, "unknown_share": 0.0}
    pads = found["pads"]
    assert 0 < pads["coverage_share"] < 1 and pads["judging"] is None


def test_the_card_of_judgements_tells_how_far_they_are(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    card = client.get("/health/layers/conflicts").json()
    assert (card["state"], card["judging"]["lagging"]) == ("green", False)
    assert card["reasons"][0]["code"] == "judged"
    own_map.load("wells", "code,name,kind,lon,lat\nNEW,新,dug,120.3,28.9\n")
    card = client.get("/health/layers/conflicts").json()
    assert (card["state"], [r["code"] for r in card["reasons"]]) == ("amber", ["judging_lags"])


def test_a_collection_leads_to_its_card(service: TestClient) -> None:
    links = service.get("/collections/wells").json()["links"]
    (link,) = [link for link in links if link["rel"] == "status"]
    card = service.get(link["href"]).json()
    assert card["layer"] == "wells" and len(card["links"]) == 2
    assert service.get("/health/layers/nothing").status_code == 404
    assert service.get("/health/layers?x=1").status_code == 400


def test_the_register_is_read(own_map: SmallMap) -> None:
    with connect(own_map.engine, write=True) as conn:
        set_source(conn, "survey", {"title_zh": "水利局", "rhythm": "monthly", "contact": "李工"})
        promise(conn, "survey", own_map.definition.layers["wells"], expected_rows=4)
    client = client_of(own_map.app())
    found = {s["name"]: s for s in client.get("/sources").json()["sources"]}
    survey = client.get("/sources/survey").json()
    assert survey == found["survey"]
    assert (survey["title"]["zh"], survey["rhythm"], survey["contact"]) == ("水利局", "P1M", "李工")
    assert survey["rhythm_words"] == {"zh": "每月", "en": "monthly"}
    wells = next(held for held in survey["layers"] if held["layer"] == "wells")
    assert (wells["rows"], wells["expected_rows"]) == (4, 4)
    assert client.get("/sources/nobody").status_code == 404
    card = client.get("/health/layers/wells").json()
    assert card["state"] == "green" and card["sources"][0]["rhythm_words"]["zh"] == "每月"


def test_an_item_tells_its_source_and_when_it_came(service: TestClient) -> None:
    item = service.get("/collections/wells/items/IN").json()
    told = item["provenance"]
    assert (told["source"], told["title_zh"], told["kind"]) == ("survey", "survey", "import")
    assert told["file"] == "wells-survey.csv" and told["rev"] == item["properties"]["rev_from"]


@pytest.fixture
def worker(own_map: SmallMap) -> Iterator[Worker]:
    """The worker of the map, without its clock."""
    tasks = {name: task for name, task in TASKS.items() if task.cron is None}
    running = Worker(own_map.settings, own_map.definition, own_map.engine, tasks)
    running.start()
    yield running
    running.stop()


def test_one_onemap_takes_from_another(own_map: SmallMap, worker: Worker, live: str) -> None:
    """The wells of the shared map, served over HTTP, come into this one through the worker."""
    with connect(own_map.engine, write=True) as conn:
        add_harvest(
            conn, own_map.definition, "neighbour", layer="wells", kind="oapif",
            url=f"{live}collections/wells", wishes=Wishes(page=3),
        )  # fmt: skip
    job = queue_harvest(own_map.engine, "neighbour")
    client = client_of(own_map.app())
    body = ended(client, job)
    assert (body["status"], body["progress"], body["processID"]) == ("successful", 100, "harvest.run")
    results = next(link["href"] for link in body["links"] if link["rel"].endswith("/results"))
    assert client.get(results).json()["fetched"] == 4
    (held,) = client.get("/sources/neighbour").json()["layers"]
    assert (held["layer"], held["rows"]) == ("wells", 4)
    card = client.get("/health/layers/wells").json()
    harvests = {h["name"]: h for source in card["sources"] for h in source["harvests"]}
    assert harvests["neighbour"]["state"] == "changed"
    assert not run_harvest(own_map.engine, own_map.definition, "neighbour").changed


def test_a_job_that_failed_says_why_in_both_languages(own_map: SmallMap, worker: Worker) -> None:
    client = client_of(own_map.app())
    job = queue_harvest(own_map.engine, "nobody")
    body = ended(client, job)
    assert (body["status"], body["error"]["zh"]) == ("failed", "没有自动获取“nobody”。")
    assert client.get(f"/jobs/{job}/results").status_code == 404
    assert client.get("/jobs/999999").status_code == 404
    assert [j["jobID"] for j in client.get("/jobs").json()["jobs"]] == [str(job)]
    assert client.get("/jobs/999999999999999999999999").status_code == 400


def test_a_job_does_not_show_its_payload(own_map: SmallMap) -> None:
    job = enqueue(own_map.engine, "harvest.run", {"name": "s3cret"})
    assert status(own_map.engine, job).state == "accepted"
    client = client_of(own_map.app())
    assert "s3cret" not in client.get(f"/jobs/{job}").text + client.get("/jobs").text


def ended(client: TestClient, job: int) -> dict[str, Any]:
    """The job's status once it has ended."""
    end = time.monotonic() + 20
    while True:
        body: dict[str, Any] = client.get(f"/jobs/{job}").json()
        if body["status"] not in ("accepted", "running"):
            return body
        assert time.monotonic() < end, body
        time.sleep(0.05)


# --- the command line


def test_commands_of_the_register(onemap: Run) -> None:
    assert onemap("sources", "set", "survey", "--bureau", "水利局", "--rhythm", "weekly").status == 0
    assert onemap("sources", "set", "survey", "--layer", "wells", "--rows", "4").status == 0
    shown = onemap("sources", "show", "survey", "--json").json
    assert (shown["bureau"], shown["rhythm"]) == ("水利局", "P1W")
    assert "水利局" in onemap("sources", "list").out and "weekly" in onemap("sources", "show", "survey").out
    (card,) = onemap("health", "--layer", "wells", "--json").json
    assert (card["state"], card["expected_rows"]) == ("green", 4)
    assert "As promised" in onemap("health").out
    assert onemap("sources", "set", "nobody", "--bureau", "x").status == 1
    assert [(e["action"], e["object"]) for e in onemap("audit", "list", "--json").json] == [
        ("source.set", "survey"), ("source.set", "survey"),
    ]  # fmt: skip
    assert onemap("sources", "set", "survey", "--rhythm", "often").status == 1
    assert onemap("sources", "set", "survey", "--rows", "4").status == 2
    assert onemap("health", "--layer", "nothing").status == 1


def test_commands_of_harvests(onemap: Run, live: str) -> None:
    address = f"{live}collections/wells"
    given = ("--layer", "wells", "--kind", "oapif", "--url", address, "--every", "PT6H")
    assert onemap("harvest", "add", "other", *given, "--credentials", "OTHER").status == 0
    (listed,) = onemap("harvest", "list", "--json").json
    assert (listed["kind"], listed["url"], listed["every"], listed["source"]) == (
        "oapif",
        address,
        "PT6H",
        "other",
    )
    missing = onemap("harvest", "run", "--due")
    assert missing.status == 1 and "environment variable OTHER" in missing.err
    assert onemap("harvest", "remove", "other").status == 0
    assert onemap("harvest", "add", "other", *given).status == 0
    done = onemap("harvest", "run", "other", "--json")
    assert done.status == 0 and [r["fetched"] for r in done.json] == [4]
    assert "nothing new" in onemap("harvest", "run", "other").out
    assert onemap("harvest", "run").status == 2 and onemap("harvest", "run", "nobody").status == 1
    told = onemap("audit", "list", "--json").json
    assert [e["action"] for e in reversed(told) if e["object"] == "other"] == [
        "harvest.add", "harvest.remove", "harvest.add", "harvest", "harvest",
    ]  # fmt: skip
    secret = onemap("harvest", "add", "x", *given[:-3], f"{address}?token=abc")
    assert secret.status == 1 and "password or token" in secret.err
    assert "other" in onemap("harvest", "list").out
