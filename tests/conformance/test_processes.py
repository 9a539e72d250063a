"""OGC API Processes: what the tests of the processes themselves leave out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator
from sqlalchemy import text

from gis.db import connect
from gis.jobs import enqueue
from gis.jobs.schema import in_queue
from tests.api.conftest import SmallMap, client_of
from tests.api.test_errors import shape
from tests.api.test_processes import SQUARE

EXECUTE = "http://www.opengis.net/def/rel/ogc/1.0/execute"
BUFFER = {"inputs": {"site": SQUARE, "distance_m": 5}}


def rels(document: dict[str, Any]) -> dict[str, str]:
    return {link["rel"]: link["href"] for link in document["links"]}


def test_the_landing_page_leads_to_processes_and_jobs(service: TestClient) -> None:
    links = rels(service.get("/?f=json").json())
    rel = "http://www.opengis.net/def/rel/ogc/1.0"
    for name in (f"{rel}/processes", f"{rel}/job-list", f"{rel}/conformance", "service-desc"):
        assert service.get(links[name]).status_code == 200


def test_processes_are_described_in_the_form_of_the_standard(service: TestClient) -> None:
    listed = service.get("/processes")
    assert listed.headers["content-type"] == "application/json" and rels(listed.json())["self"]
    for summary in listed.json()["processes"]:
        assert {"id", "version", "title", "jobControlOptions", "outputTransmission"} <= summary.keys()
        assert set(summary["jobControlOptions"]) <= {"sync-execute", "async-execute", "dismiss"}
        told = service.get(rels(summary)["self"]).json()
        assert told.items() >= summary.items()
        assert rels(told)[EXECUTE].endswith(f"/processes/{told['id']}/execution")
        for port in (*told["inputs"].values(), *told["outputs"].values()):
            Draft202012Validator.check_schema(port["schema"])
            assert port["title"] and not {"contentEncoding", "bbox", "anyOf"} & port["schema"].keys()
            for kind in port["schema"].get("oneOf", ()):
                assert kind.keys() & {"type", "const", "$ref"} and kind != {"type": "null"}


def test_the_list_of_processes_is_cut_where_it_is_asked(service: TestClient) -> None:
    assert [len(service.get(f"/processes?limit={n}").json()["processes"]) for n in (1, 3, 1000)] == [1, 3, 6]
    for wrong in ("0", "-1", "x", "1001"):
        shape(service.get(f"/processes?limit={wrong}"), 400)


def test_values_come_raw_or_in_a_document(service: TestClient) -> None:
    address = "/processes/buffer/execution"
    raw = service.post(address, json=BUFFER)
    document = service.post(address, json=BUFFER | {"response": "document", "outputs": {"answer": {}}})
    assert raw.status_code == document.status_code == 200
    assert document.json() == {"answer": raw.json()}


def test_each_process_has_the_one_output_answer_by_value(service: TestClient) -> None:
    """So there are neither several outputs nor references to be sent."""
    for summary in service.get("/processes").json()["processes"]:
        assert summary["outputTransmission"] == ["value"]
        assert list(service.get(rels(summary)["self"]).json()["outputs"]) == ["answer"]
    by_reference = BUFFER | {"outputs": {"answer": {"transmissionMode": "reference"}}}
    shape(service.post("/processes/buffer/execution", json=by_reference), 400)


def test_an_input_of_several_types_takes_each(service: TestClient) -> None:
    asked = {"site": SQUARE, "layers": ["pads"]}
    answers = [
        service.post("/processes/overlay/execution", json={"inputs": asked | {"as_of": revision}})
        for revision in (2, "2")
    ]
    assert [each.status_code for each in answers] == [200, 200] and answers[0].json() == answers[1].json()


def test_results_of_no_job_are_not_there(service: TestClient) -> None:
    assert shape(service.get("/jobs/999999/results"), 404)["type"].endswith("/1.0/no-such-job")


def test_jobs_are_listed_by_process_status_and_number(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    made = [
        client.post("/processes/buffer/execution", json=BUFFER, headers={"Prefer": "respond-async"}).json()
        for _ in range(2)
    ]
    told = client.get(f"/jobs/{made[0]['jobID']}").json()
    assert told.items() >= {"type": "process", "status": "accepted", "processID": "buffer"}.items()

    def numbers(query: str) -> list[str]:
        return [job["jobID"] for job in client.get(f"/jobs?{query}").json()["jobs"]]

    both = [job["jobID"] for job in reversed(made)]
    assert numbers("processID=buffer") == numbers("type=process&status=accepted") == both
    assert numbers("processID=overlay") == numbers("status=failed") == []
    assert numbers("limit=1") == both[:1]
    for wrong in ("limit=0", "limit=10001", "status=lost", "type=other", "datetime=soon", "minDuration=-1",
                  "maxDuration=x", "datetime=2026-02-01/2026-01-01"):  # fmt: skip
        shape(client.get(f"/jobs?{wrong}"), 400)


def test_jobs_are_found_by_when_they_were_made_and_how_long_they_ran(own_map: SmallMap) -> None:
    """Four jobs of known times, written as a worker would: one waits, one runs, two have ended."""
    client = client_of(own_map.app())
    waits, runs, short, long = (enqueue(own_map.engine, "process.buffer", {}) for _ in range(4))
    made = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with connect(own_map.engine, write=True) as conn:
        for day, (job, began, ended) in enumerate(
            [(waits, None, None), (runs, datetime.now(UTC) - timedelta(hours=1), None),
             (short, made, made + timedelta(seconds=5)), (long, made, made + timedelta(seconds=50))]
        ):  # fmt: skip
            end = ended or datetime.now(UTC)
            given = {"id": job, "made": made + timedelta(days=day), "began": began, "end": end}
            conn.execute(
                text(
                    "UPDATE jobs.progress SET created_at = :made, started_at = :began, updated_at = :end "
                    "WHERE job_id = :id"
                ),
                given,
            )
            for status in ("doing", "succeeded")[: (began is not None) + (ended is not None)]:
                changed = text("UPDATE procrastinate_jobs SET status = :status WHERE id = :id")
                in_queue(conn).execute(changed, {"id": job, "status": status})

    def found(query: str) -> set[int]:
        return {int(job["jobID"]) for job in client.get(f"/jobs?{query}").json()["jobs"]}

    assert found("datetime=2026-03-01T12:00:00Z") == found("datetime=../2026-03-01") == {waits}
    assert found("datetime=2026-03-02/2026-03-03T12:00:00Z") == {runs, short}
    assert found("datetime=2026-03-03T12:00:01Z/..") == found("datetime=2026-03-04/") == {long}
    assert found("minDuration=5") == {runs, short, long} and found("minDuration=6&maxDuration=50") == {long}
    assert found("maxDuration=49") == {short} and found("minDuration=3500") == {runs}
    assert found("minDuration=5&status=accepted") == set()
    listed = client.get("/jobs?limit=1&minDuration=5").json()
    assert {job["jobID"] for job in client.get(rels(listed)["next"]).json()["jobs"]} == {str(short)}


def test_the_list_of_jobs_has_the_parameters_and_links_of_the_standard(service: TestClient) -> None:
    paths = service.get("/api").json()["paths"]
    given = {each["name"]: each["schema"] for each in paths["/jobs"]["get"]["parameters"]}
    limit = {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 10}
    assert given["limit"].items() >= limit.items() and given["datetime"]["type"] == "string"
    for name in ("type", "processID", "status"):
        assert (given[name]["type"], given[name]["items"]["type"]) == ("array", "string")
    for name in ("minDuration", "maxDuration"):
        assert (given[name]["type"], given[name]["items"]["type"]) == ("array", "integer")
    for path in ("/jobs?limit=3", "/processes?limit=3"):
        links = {link["rel"]: link for link in service.get(path).json()["links"]}
        kinds = {rel: service.get(link["href"]).headers["content-type"] for rel, link in links.items()}
        assert kinds.items() >= {"self": "application/json", "alternate": "text/html; charset=utf-8"}.items()
        assert links["alternate"]["type"] == "text/html" and "limit=3" in links["alternate"]["href"]
