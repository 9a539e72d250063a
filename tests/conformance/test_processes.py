"""OGC API Processes: what the tests of the processes themselves leave out."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

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
            assert port["title"] and not {"contentEncoding", "bbox"} & port["schema"].keys()


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
    for wrong in ("limit=0", "status=lost", "type=other"):
        shape(client.get(f"/jobs?{wrong}"), 400)
