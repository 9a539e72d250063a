"""Overlay, buffer and nearest against other ways to measure; at once, as jobs, and through OWSLib."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
from fastapi.testclient import TestClient
from owslib.ogcapi.processes import Processes

from gis.jobs import PROCESS
from gis.jobs.worker import Worker
from gis.tasks import TASKS
from tests.api.conftest import SmallMap, client_of
from tests.api.test_errors import shape

PLANE = pyproj.Transformer.from_crs(4490, 4549, always_xy=True)
BACK = pyproj.Transformer.from_crs(4549, 4490, always_xy=True)
RING = [[120.005, 28.905], [120.02, 28.905], [120.02, 28.92], [120.005, 28.92], [120.005, 28.905]]
SQUARE = {"type": "Polygon", "coordinates": [RING]}
PAD = shapely.box(120.0, 28.9, 120.01, 28.91)
WELLS = {"IN": (120.005, 28.905), "OUT": (120.05, 28.905), "RIM": (120.01, 28.905), "ALSO": (120.005, 28.905)}


def run(client: TestClient, name: str, inputs: dict[str, Any], **more: Any) -> Any:
    return client.post(f"/processes/{name}/execution", json={"inputs": inputs, **more})


def plane(geometry: shapely.Geometry) -> shapely.Geometry:
    return shapely.transform(geometry, lambda xy: np.column_stack(PLANE.transform(xy[:, 0], xy[:, 1])))


def test_an_overlay_measures_what_is_shared(service: TestClient) -> None:
    answer = run(service, "overlay", {"site": SQUARE, "layers": ["pads", "wells"]}).json()
    site, pad = plane(shapely.Polygon(RING)), plane(PAD)
    pads, wells = answer["layers"]
    (pair,) = (p for p in answer["pairs"] if p["layer"] == "pads")
    assert (pair["subject"], pair["uid"]) == ("site", "A")
    assert pair["area_m2"] == pytest.approx(shapely.area(shapely.intersection(site, pad)), rel=1e-9)
    assert pair["share"] == pytest.approx(pair["area_m2"] / shapely.area(site))
    assert (pads["pairs"], wells["pairs"], answer["complete"]) == (1, 2, True)  # two in its corner
    by_layer = run(service, "overlay", {"layer": "pads", "layers": ["wells"]}).json()
    assert {p["uid"] for p in by_layer["pairs"]} >= {"IN", "ALSO"} and by_layer["subjects"] == 1
    points = run(service, "overlay", {"layer": "wells", "layers": ["pads"], "limit": 1}).json()
    assert points["pairs"] == [{"subject": "ALSO", "layer": "pads", "uid": "A"}]
    assert (points["layers"][0]["pairs"], points["complete"]) == (len(by_layer["pairs"]), False)


@pytest.mark.parametrize("distance", [1.0, 250.0, -50.0])
def test_a_buffer_is_made_in_metres(service: TestClient, distance: float) -> None:
    answer = run(service, "buffer", {"site": SQUARE, "distance_m": distance}).json()
    grown = plane(shapely.from_geojson(shapely.to_geojson(shapely.geometry.shape(answer["geometry"]))))
    site = plane(shapely.Polygon(RING))
    assert answer["properties"]["area_m2"] == pytest.approx(shapely.area(grown), rel=1e-6)
    reach = shapely.hausdorff_distance(shapely.boundary(grown), shapely.boundary(site))
    assert reach == pytest.approx(abs(distance) * (1 if distance > 0 else math.sqrt(2)), rel=0.01)


def test_the_nearest_rows_are_those_of_measuring_all(service: TestClient) -> None:
    place = (120.012, 28.9)
    x, y = PLANE.transform(*place)
    rows = []
    for uid, (lon, lat) in WELLS.items():
        east, north = np.subtract(PLANE.transform(lon, lat), (x, y))
        rows.append((math.hypot(east, north), uid, math.degrees(math.atan2(east, north)) % 360))
    rows.sort()
    point = {"type": "Point", "coordinates": place}
    for k in (1, 2, 3, 10):
        found = run(service, "nearest", {"site": point, "layers": ["wells"], "k": k}).json()["nearest"]
        assert [each["uid"] for each in found] == [uid for _, uid, _ in rows][:k]
        for each, (metres, _, angle) in zip(found, rows, strict=False):
            assert each["distance_m"] == pytest.approx(metres, abs=1e-6)
            assert each["bearing_deg"] == pytest.approx(angle, abs=1e-6)
    near = run(service, "nearest", {"site": point, "layers": ["wells", "pads"], "within_m": 700.0}).json()
    assert [(each["layer"], each["uid"]) for each in near["nearest"]] == [("pads", "A"), ("wells", "RIM")]
    inside = run(service, "nearest", {"site": SQUARE, "layers": ["pads"]}).json()["nearest"]
    assert (inside[0]["distance_m"], inside[0]["bearing_deg"]) == (0.0, None)


@pytest.mark.parametrize(
    ("name", "inputs", "status"),
    [
        ("overlay", {"layers": ["pads"]}, 400),
        ("overlay", {"site": SQUARE, "layer": "pads", "layers": ["pads"]}, 400),
        ("overlay", {"site": SQUARE, "layers": []}, 400),
        ("overlay", {"site": SQUARE, "layers": ["none"]}, 404),
        ("overlay", {"site": SQUARE, "layers": ["plan_structure"]}, 400),
        ("overlay", {"site": SQUARE, "layers": ["pads"], "colour": 1}, 400),
        ("overlay", {"site": SQUARE, "layers": ["pads"], "as_of": 9999}, 400),
        ("buffer", {"site": SQUARE}, 400), ("buffer", {"site": SQUARE, "distance_m": 1e9}, 400),
        ("buffer", {"site": SQUARE, "distance_m": -99999}, 422),
        ("buffer", {"site": {}, "distance_m": 1}, 422),
        ("nearest", {"site": SQUARE, "layers": ["wells"], "k": 0}, 400),
        ("nearest", {"site": SQUARE, "layers": ["wells"], "within_m": -1}, 400),
        ("nothing", {}, 404),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit_the_description_are_refused(
    service: TestClient, name: str, inputs: dict[str, Any], status: int
) -> None:
    told = shape(run(service, name, inputs), status)
    if name == "nothing":
        assert told["type"].endswith("/ogcapi-processes-1/1.0/no-such-process")


def test_a_body_that_json_does_not_know_is_refused_and_large_numbers_are_taken(service: TestClient) -> None:
    kind = {"Content-Type": "application/json"}
    site = b'{"type":"Feature","properties":{"n":%s},"geometry":{"type":"Point","coordinates":[120.0,28.9]}}'
    sites = b'{"inputs":{"sites":{"type":"FeatureCollection","features":[%s]}}}'
    for number, status in (
        (b"1180591620717411303424", 201),
        (b"NaN", 400),
        (b"1" * 5000, 400),
        (b"[" * 2000, 400),
    ):
        body = sites % (site % number)
        answer = service.post("/processes/screen-batch/execution", content=body, headers=kind)
        assert answer.status_code == status, answer.text
    nul = b'{"inputs":{"label":"%s","sites":{"type":"FeatureCollection","features":[]}}}'
    for text, status in ((rb"a\u0000b", 400), (rb"a\\u0000b", 201), (rb"a\\\u0000b", 400)):
        answer = service.post("/processes/screen-batch/execution", content=nul % text, headers=kind)
        assert answer.status_code == status, answer.text
    far = b'{"inputs":{"distance_m":1,"site":{"type":"Point","coordinates":[118059162071741130342400,28.9]}}}'
    shape(service.post("/processes/buffer/execution", content=far, headers=kind), 422)
    for crs in ("²", "EPSG:²", "9" * 5000):
        shape(run(service, "buffer", {"site": SQUARE | {"crs": crs}, "distance_m": 1}), 422)


def test_each_process_describes_what_it_takes(service: TestClient) -> None:
    listed = service.get("/processes").json()["processes"]
    assert len(service.get("/processes?limit=2").json()["processes"]) == 2
    for process in listed:
        told = service.get(f"/processes/{process['id']}").json()
        assert told["inputs"] and list(told["outputs"]) == ["answer"]
    shape(service.get("/processes/none"), 404)
    given = run(service, "buffer", {"site": SQUARE, "distance_m": 5}, response="document")
    assert list(given.json()) == ["answer"]
    shape(run(service, "buffer", {"site": SQUARE, "distance_m": 5}, outputs={"other": {}}), 400)


@pytest.fixture
def working(own_map: SmallMap, tmp_path: Path) -> Iterator[TestClient]:
    """The service on a map of its own, with a worker."""
    settings = own_map.settings.model_copy(update={"home": tmp_path})
    tasks = {name: task for name, task in TASKS.items() if name.startswith(PROCESS)}
    worker = Worker(settings, own_map.definition, own_map.engine, tasks)
    worker.start()
    yield client_of(own_map.app(home=tmp_path))
    worker.stop()


def test_a_process_runs_as_a_job_where_the_client_prefers_that(working: TestClient) -> None:
    prefer = {"Prefer": "respond-async, wait=5"}
    bodies = {
        "overlay": {"inputs": {"site": SQUARE, "layers": ["pads"]}, "response": "document"},
        "screen": {"inputs": {"site": SQUARE}},
    }
    for name, body in bodies.items():
        made = working.post(f"/processes/{name}/execution", json=body, headers=prefer)
        assert (made.status_code, made.headers["Preference-Applied"]) == (201, "respond-async")
        job = made.json()["jobID"]
        assert made.headers["Location"].endswith(f"/jobs/{job}")
        end = time.monotonic() + 30
        while (told := working.get(f"/jobs/{job}").json())["status"] in ("accepted", "running"):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert (told["status"], told["processID"], told["type"]) == ("successful", name, "process")
        result = working.get(f"/jobs/{job}/results").json()
        now = working.post(f"/processes/{name}/execution", json=body).json()
        assert result == now if name == "overlay" else result["verdict"] == now["verdict"]
    assert [j["processID"] for j in working.get("/jobs?status=successful").json()["jobs"]] == [
        "screen",
        "overlay",
    ]
    assert [j["jobID"] for j in working.get("/jobs?processID=screen").json()["jobs"]] == [job]
    page = working.get("/jobs?limit=1").json()
    (following,) = (link["href"] for link in page["links"] if link["rel"] == "next")
    assert working.get(following).json()["jobs"][0]["processID"] == "overlay"
    assert working.delete(f"/jobs/{job}").json()["status"] == "dismissed"
    assert shape(working.get(f"/jobs/{job}"), 404)["type"].endswith("/no-such-job")
    sync = working.post(
        "/processes/overlay/execution", json=bodies["overlay"], headers={"Prefer": "respond-sync"}
    )
    assert (sync.status_code, sync.headers["Preference-Applied"]) == (200, "respond-sync")


def test_the_results_of_a_failed_job_are_its_error(working: TestClient) -> None:
    body = {"inputs": {"site": SQUARE, "distance_m": -99999}}
    address = "/processes/buffer/execution"
    job = working.post(address, json=body, headers={"Prefer": "respond-async"}).json()["jobID"]
    end = time.monotonic() + 30
    while (told := working.get(f"/jobs/{job}").json())["status"] in ("accepted", "running"):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert told["status"] == "failed"
    now, later = working.post(address, json=body), working.get(f"/jobs/{job}/results")
    assert shape(later, 422)["detail"] == shape(now, 422)["detail"]
    assert later.json()["code"] == now.json()["code"]


def test_a_waiting_job_is_dismissed_and_strangers_start_none(own_map: SmallMap, tmp_path: Path) -> None:
    body, prefer = {"inputs": {"site": SQUARE, "layers": ["pads"]}}, {"Prefer": "respond-async"}
    client = client_of(own_map.app(home=tmp_path))
    job = client.post("/processes/overlay/execution", json=body, headers=prefer).json()["jobID"]
    assert shape(client.get(f"/jobs/{job}/results"), 404)["type"].endswith("/result-not-ready")
    assert client.delete(f"/jobs/{job}").json()["status"] == "dismissed"
    assert client.get(f"/jobs/{job}").json()["status"] == "dismissed"
    public = client_of(own_map.app(allow_imports=False))
    shape(public.post("/processes/overlay/execution", json=body, headers=prefer), 403)
    shape(public.delete(f"/jobs/{job}"), 403)
    assert public.post("/processes/overlay/execution", json=body).status_code == 200


def test_owslib_finds_describes_and_runs_processes(live: str) -> None:
    processes = Processes(live)
    names = {process["id"] for process in processes.processes()}
    assert names == {"screen", "screen-batch", "upstream", "overlay", "buffer", "nearest"}
    assert processes.process("nearest")["inputs"]["k"]["schema"]["maximum"] == 1000
    found = processes.execute(
        "nearest", {"site": {"type": "Point", "coordinates": [120.05, 28.9]}, "layers": ["wells"]}
    )
    assert found["answer"]["nearest"][0]["uid"] == "OUT"
