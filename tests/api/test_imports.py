"""Files into layers over HTTP: from the upload to the revision, what is refused, and who may."""

from __future__ import annotations

import csv
import io
import json
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas
import httpx
import openpyxl
import pyproj
import pytest
import shapely
from fastapi.testclient import TestClient

from gis.jobs.worker import Worker
from gis.tasks import TASKS
from gis.uploads import Uploads
from tests.api.conftest import SmallMap, client_of
from tests.api.test_errors import shape
from tests.waiting import wait_for

HOME = "onemap"
PLAN = {"layer": "wells", "crs": "EPSG:4549"}
# Places of the wells in degrees; the file holds them in the plane of EPSG:4549.
PLACES = {"N1": (120.003, 28.902), "N2": (120.004, 28.903), "N3": (120.006, 28.906), "N4": (120.007, 28.907)}
ROWS = [
    {"编码": "N1", "名称": "东井", "类型": "dug", "深度": 3.0},
    {"编码": "N2", "名称": "西井", "类型": "bored", "深度": 30.0},
    {"编码": "N3", "名称": "南井", "类型": "dug", "深度": -5.0},  # out of range
    {"编码": "N4", "名称": "北井", "类型": "钢管", "深度": 9.0},  # no such code
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / HOME


@pytest.fixture
def client(shared_map: SmallMap, home: Path) -> Iterator[TestClient]:
    """The service with uploads in a folder of the test; it commits nothing."""
    yield from served(shared_map, home)


@pytest.fixture
def writing(own_map: SmallMap, home: Path) -> Iterator[TestClient]:
    """The same on a map that this test may write to."""
    yield from served(own_map, home)


def served(small: SmallMap, home: Path) -> Iterator[TestClient]:
    app = small.app(home=home)
    yield client_of(app)
    app.state.workshop.close()


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A shapefile in GBK without .prj and .cpg, by ending."""
    folder = tmp_path_factory.mktemp("wells")
    plane = pyproj.Transformer.from_crs(4490, 4549, always_xy=True)
    points = [shapely.Point(plane.transform(*PLACES[row["编码"]])) for row in ROWS]
    frame = geopandas.GeoDataFrame(ROWS, geometry=points)
    with pytest.warns(UserWarning, match="crs"):
        frame.to_file(folder / "w.shp", encoding="GBK", engine="pyogrio")
    return {ending: (folder / f"w.{ending}").read_bytes() for ending in ("shp", "dbf", "shx")}


def zipped(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for ending, content in parts.items():
            archive.writestr(f"新井.{ending}", content)
    return out.getvalue()


def upload(client: TestClient, *files: tuple[str, bytes], **headers: str) -> httpx.Response:
    return client.post("/imports", files=[("files", file) for file in files], headers=headers)


def settled(client: TestClient, name: str) -> dict[str, Any]:
    """The import once nobody works on it."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        answer = client.get(f"/imports/{name}")
        assert answer.status_code == 200, answer.text
        found = dict(answer.json())
        if found["state"] not in ("receiving", "reading", "checking", "committing"):
            return found
        time.sleep(0.03)
    raise AssertionError("still not settled")


def read(client: TestClient, *files: tuple[str, bytes]) -> dict[str, Any]:
    made = upload(client, *files)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"/imports/{made.json()['id']}"
    return settled(client, made.json()["id"])


def planned(client: TestClient, name: str, **plan: Any) -> dict[str, Any]:
    answer = client.post(f"/imports/{name}/plan", json=PLAN | plan)
    assert answer.status_code == 202, answer.text
    return settled(client, name)


def committed(client: TestClient, name: str, **word: Any) -> dict[str, Any]:
    answer = client.post(f"/imports/{name}/commit", json=word)
    assert answer.status_code == 202, answer.text
    return settled(client, name)


def test_a_shapefile_without_prj_goes_all_the_way(
    writing: TestClient, home: Path, parts: dict[str, bytes]
) -> None:
    client = writing
    found = read(client, ("新井.zip", zipped(parts)))
    name = found["id"]
    assert found["state"] == "ready" and found["files"][0]["name"] == "新井.zip"
    assert found["header"]["format"] == "shapefile" and found["header"]["rows"] == 4
    assert found["header"]["encoding"].upper().startswith("GB") and found["header"]["declared_crs"] is None
    assert found["geometry"] == {"Point": 4}
    assert {c["name"]: c["samples"][:2] for c in found["columns"]}["名称"] == ["东井", "西井"]
    assert found["layers"][0]["id"] == "wells" and found["layers"][0]["suits"]
    proposal = found["proposal"]
    assert proposal["layer"] == "wells"
    assert {f["field"]: f["column"] for f in proposal["mapping"]} == {
        "code": "编码", "name": "名称", "kind": "类型", "depth": "深度"
    }  # fmt: skip
    assert [f["required"] for f in proposal["mapping"]] == [True, False, False, False]
    (group,) = proposal["crs"]["groups"]
    assert group["candidates"][0]["crs"] == "EPSG:4549" and group["candidates"][0]["evidence"]

    for candidate in group["candidates"][:2]:
        answer = client.get(f"/imports/{name}/preview", params={"crs": candidate["crs"], "group": 1})
        assert answer.headers["content-type"] == "application/json"
        rows = answer.json()["features"]
        assert [row["properties"]["row"] for row in rows] == [1, 2, 3, 4]
        for row, place in zip(rows, PLACES.values(), strict=True):
            assert row["geometry"]["coordinates"] == pytest.approx(place, abs=0.002)

    found = planned(client, name)
    assert found["state"] == "planned", found["problem"]
    check = found["check"]
    assert (check["total"], check["good"], check["bad"]) == (4, 2, 2)
    assert (check["added"], check["changed"], check["closed"], check["rev"]) == (2, 0, 0, None)
    refused = {entry["code"]: entry for entry in check["findings"] if entry["severity"] == "error"}
    assert refused["out_of_range"]["rows"] == [3] and refused["unknown_code"]["rows"] == [4]
    assert "深度" in refused["out_of_range"]["zh"] and "Depth" in refused["out_of_range"]["en"]
    changes = client.get(f"/imports/{name}/changes").json()["features"]
    assert {(row["properties"]["change"], row["properties"]["uid"]) for row in changes} == {
        ("added", "N1"), ("added", "N2")
    }  # fmt: skip
    before = client.get("/collections/wells/items").json()["numberMatched"]
    early = client.get(f"/imports/{name}/rejects", params={"f": "csv"})
    assert {row["名称"] for row in csv.DictReader(io.StringIO(early.content.decode("utf-8-sig")))} >= {
        "南井", "北井"
    }  # fmt: skip

    found = committed(client, name)
    assert found["state"] == "done", found["problem"]
    assert found["result"]["rev"] and found["result"]["added"] == 2
    after = client.get("/collections/wells/items").json()
    assert after["numberMatched"] == before + 2
    placed = {row["id"]: row["geometry"]["coordinates"] for row in after["features"]}
    for uid in ("N1", "N2"):  # within a metre
        assert placed[uid] == pytest.approx(PLACES[uid], abs=1e-5)
    assert sorted(entry.name for entry in (home / "uploads" / name).iterdir() if entry.is_dir()) == []

    check_rejects(client, name)
    assert client.delete(f"/imports/{name}").status_code == 204
    shape(client.get(f"/imports/{name}"), 404)
    assert not (home / "uploads" / name).exists()


def check_rejects(client: TestClient, name: str) -> None:
    """The two refused rows, in every format."""

    def rejects(f: str) -> httpx.Response:
        answer = client.get(f"/imports/{name}/rejects", params={"f": f})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
        return answer

    rows = list(csv.DictReader(io.StringIO(rejects("csv").content.decode("utf-8-sig"))))
    assert [row["名称"] for row in rows] == ["南井", "北井"]
    assert [f["properties"]["名称"] for f in rejects("geojson").json()["features"]] == ["南井", "北井"]
    sheet = openpyxl.load_workbook(io.BytesIO(rejects("xlsx").content)).active
    assert sheet is not None and sheet.max_row == 3
    with zipfile.ZipFile(io.BytesIO(rejects("original").content)) as archive:
        assert {Path(entry).suffix for entry in archive.namelist()} >= {".shp", ".dbf", ".shx"}


def test_the_parts_of_a_shapefile_make_one_dataset(client: TestClient, parts: dict[str, bytes]) -> None:
    found = read(client, *((f"新井.{ending}", content) for ending, content in parts.items()))
    assert found["state"] == "ready" and found["header"]["rows"] == 4
    shape(upload(client, ("a.dbf", parts["dbf"]), ("a.shx", parts["shx"])), 422)
    shape(upload(client, ("a.shp", parts["shp"]), ("b.shp", parts["shp"])), 422)
    shape(upload(client, ("a.csv", b"code\n1\n"), ("b.csv", b"code\n1\n")), 422)
    shape(upload(client, ("a.csv", b"code\n1\n"), ("a.csv", b"code\n1\n")), 400)


def test_a_change_is_told_and_replace_asks(writing: TestClient) -> None:
    client = writing
    text = "code,name,kind,lon,lat\nIN,里井,dug,120.005,28.905\n".encode()
    name = read(client, ("wells.csv", text))["id"]
    plan = {"crs": "EPSG:4490", "source": {"name": "survey", "accuracy_m": 1.0}}
    changed = planned(client, name, **plan)["check"]
    assert (changed["added"], changed["changed"]) == (0, 1)  # the depth is gone
    assert changed["closes_many"] is False
    check = planned(client, name, mode="replace", **plan)["check"]
    assert check["closed"] == 3 and check["closes_many"] is True
    found = committed(client, name)
    assert found["state"] == "planned" and found["problem"]["remedy_zh"] and not found["result"]
    found = committed(client, name, close_many=True)
    assert found["state"] == "done" and found["result"]["closed"] == 3
    shape(client.post(f"/imports/{name}/commit", json={}), 409)


def test_a_step_out_of_turn_is_refused(client: TestClient) -> None:
    name = read(client, ("wells.csv", b"code,lon,lat\nA,120,28.9\n"))["id"]
    shape(client.post(f"/imports/{name}/commit", json={}), 409)
    shape(client.get(f"/imports/{name}/changes"), 400)
    shape(client.get(f"/imports/{name}/rejects"), 400)
    shape(client.get(f"/imports/{name}/rejects", params={"f": "pdf"}), 400)
    shape(client.get(f"/imports/{name}/preview", params={"crs": "EPSG:999999"}), 400)
    shape(client.get(f"/imports/{name}", params={"layer": "nowhere"}), 404)
    for plan in ({}, {"layer": "wells", "mode": "erase"}, {"layer": "wells", "path": "/etc"}):
        shape(client.post(f"/imports/{name}/plan", json=plan), 400)
    for layer in ("nowhere", "conflicts"):
        shape(client.post(f"/imports/{name}/plan", json={"layer": layer}), 404)
    for wrong in ("x", "A" * 22, "..%2F..%2Fetc", "%00"):
        shape(client.get(f"/imports/{wrong}"), 404)
    told = client.post(f"/imports/{name}/commit", json={}, headers={"Accept-Language": "en"})
    assert told.json()["detail"].startswith("This import is ready")


def small_zip(**entries: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for entry, content in entries.items():
            archive.writestr(entry, content)
    return out.getvalue()


BAD = {
    "empty.csv": b"",
    "noise.bin": bytes(range(256)) * 40,
    "letter.txt": "尊敬的领导".encode(),
    "cut.zip": small_zip(a=b"b")[:40],
    "nothing.zip": small_zip(),
    "escape.zip": small_zip(**{"../../etc/cron.d/x.shp": b"x"}),
    "macro.xlsm": small_zip(**{"xl/vbaProject.bin": b"x", "[Content_Types].xml": b"<x/>"}),
    "deep.geojson": b"[" * 100_000,
    "half.geojson": b'{"type":"FeatureCollection","features":[{"type":"Feature","geom',
    "bomb.kml": b'<!DOCTYPE x [<!ENTITY a "a"><!ENTITY b "&a;&a;">]><kml>&b;</kml>',
    "fake.gpkg": b"SQLite format 3\x00" + b"\x00" * 4000,
    "fake.shp": b"\x00\x00\x27\x0a" + b"\xff" * 200,
    "picture.png": b"\x89PNG\r\n\x1a\n" + b"\x00" * 100,
    "script.html": b"<html><script>alert(1)</script></html>",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_words(client: TestClient, home: Path, name: str) -> None:
    made = upload(client, (name, BAD[name]))
    assert made.status_code < 500, made.text
    if made.status_code != 201:
        shape(made, made.status_code)
        return
    found = settled(client, made.json()["id"])
    assert found["state"] in ("refused", "ready")
    if found["state"] == "refused":
        assert found["problem"]["detail_zh"] and found["problem"]["detail_en"]
        assert found["problem"]["remedy_zh"] and found["problem"]["code"] != "failed"
    whole = json.dumps(found, ensure_ascii=False)
    assert str(home) not in whole and "/tmp/" not in whole and "Traceback" not in whole


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.csv", "passwd.csv"),
        ("C:\\data\\井.CSV", "井.csv"),
        ("a\u202evsc.csv", "a_vsc.csv"),
        (".htaccess.csv", "htaccess.csv"),
        ("x" * 300 + ".csv", "x" * 76 + ".csv"),
        ("<img src=x>.csv", "_img src_x_.csv"),
    ],
)
def test_names_are_made_fit(client: TestClient, home: Path, given: str, kept: str) -> None:
    made = upload(client, (given, b"code,lon,lat\nA,120,28.9\n"))
    assert made.status_code == 201, made.text
    assert made.json()["files"][0]["name"] == kept
    assert (home / "uploads" / made.json()["id"] / "files" / kept).is_file()
    settled(client, made.json()["id"])


def test_too_much_is_refused_before_it_is_read(shared_map: SmallMap, home: Path) -> None:
    client = client_of(shared_map.app(home=home, import_file_mb=1))
    shape(upload(client, ("big.csv", b"x" * (2**20 + 1))), 413)

    def pieces() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\n'
        for _ in range(40):
            yield b"x" * 2**16

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    shape(client.post("/imports", content=pieces(), headers=headers), 413)
    assert list((home / "uploads").glob("*")) == []  # nor need there be a folder
    shape(client.post("/imports", content=b"code\n1\n", headers={"Content-Type": "text/csv"}), 415)
    shape(client.post("/imports", content=b"nonsense", headers=headers), 400)
    shape(client.post("/imports", files={"files": ("a", b"")}, headers={"Content-Encoding": "gzip"}), 415)
    assert client.get("/imports").json() == {"allowed": True, "max_bytes": 2**20}


def test_only_whoever_sits_at_the_machine_may_import(shared_map: SmallMap, home: Path) -> None:
    hosts = ("map.example",)
    outside = TestClient(
        shared_map.app(home=home, hosts=hosts), base_url="http://map.example", raise_server_exceptions=False
    )
    assert outside.get("/imports").json()["allowed"] is False
    told = upload(outside, ("a.csv", b"code\n1\n"))
    shape(told, 403)
    assert "ONEMAP_ALLOW_IMPORTS" in told.json()["remedy"]
    shape(outside.get(f"/imports/{'A' * 22}"), 403)
    shape(outside.delete(f"/imports/{'A' * 22}"), 403)
    inside = client_of(shared_map.app(home=home))
    for header in ("X-Forwarded-For", "Forwarded", "Via"):
        shape(upload(inside, ("a.csv", b"code\n1\n"), **{header: "10.0.0.1"}), 403)
    shape(upload(client_of(shared_map.app(home=home, allow_imports=False)), ("a.csv", b"code\n1\n")), 403)
    app = shared_map.app(home=home, hosts=hosts, allow_imports=True)
    assert upload(TestClient(app, base_url="http://map.example"), ("a.csv", b"code\n1\n")).status_code == 201
    app.state.workshop.close()


def test_another_sites_page_cannot_import(client: TestClient) -> None:
    file = ("wells.csv", b"code,lon,lat\nA,120,28.9\n")
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        shape(upload(client, file, **headers), 403)
    own = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}
    made = upload(client, file, **own)
    assert made.status_code == 201
    name = made.json()["id"]
    settled(client, name)
    body = json.dumps(PLAN)
    shape(client.post(f"/imports/{name}/plan", content=body, headers={"Content-Type": "text/plain"}), 415)
    shape(client.post(f"/imports/{name}/plan", json=PLAN, headers={"Origin": "https://evil.example"}), 403)
    shape(client.delete(f"/imports/{name}", headers={"Sec-Fetch-Site": "cross-site"}), 403)
    assert client.get(f"/imports/{name}").json()["state"] == "ready"


def test_a_new_server_finds_the_imports_again(own_map: SmallMap, home: Path) -> None:
    first = client_of(own_map.app(home=home))
    file = ("wells.csv", b"code,lon,lat\nA,120.004,28.904\n")
    names = [read(first, file)["id"] for _ in range(3)]
    planned(first, names[0], crs="EPSG:4490")
    uploads = Uploads(home / "uploads")
    # As a process leaves them that was killed at work: the states stand, nobody holds the locks.
    uploads.find(names[1]).move("reading")
    uploads.find(names[0]).move("committing")
    again = client_of(own_map.app(home=home))
    assert settled(again, names[2])["state"] == "ready"
    assert settled(again, names[1])["state"] == "ready"
    found = settled(again, names[0])
    assert found["state"] == "planned" and found["problem"]["detail_zh"]
    assert committed(again, names[0])["result"]["added"] == 1


def test_a_worker_of_the_queue_takes_the_commit(own_map: SmallMap, home: Path) -> None:
    url = own_map.engine.url.render_as_string(hide_password=False)
    settings = own_map.settings.model_copy(update={"home": home, "database_url": url})
    definition = replace(own_map.definition)
    worker = Worker(settings, definition, own_map.engine, {"import.commit": TASKS["import.commit"]})
    client = client_of(own_map.app(home=home))
    name = read(client, ("wells.csv", b"code,lon,lat\nQ,120.004,28.904\n"))["id"]
    assert planned(client, name, crs="EPSG:4490")["state"] == "planned"
    worker.start()
    try:
        wait_for(lambda: has_worker(own_map), what="the worker lives")
        found = committed(client, name)
    finally:
        worker.stop()
    assert found["state"] == "done" and found["job"] and found["result"]["added"] == 1


def has_worker(small: SmallMap) -> bool:
    from gis.jobs import has_worker

    return has_worker(small.engine)


def test_old_uploads_go_and_open_ones_are_bounded(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads", keep_h=1.0, most=2)
    old, young = uploads.create(), uploads.create()
    with pytest.raises(Exception, match="open already"):
        uploads.create()
    import os

    os.utime(old.folder, (time.time() - 4000, time.time() - 4000))
    with old.working():
        uploads.sweep()
        assert old.folder.exists()
    os.utime(old.folder, (time.time() - 4000, time.time() - 4000))
    fresh = uploads.create()
    assert not old.folder.exists() and young.folder.exists() and fresh.folder.exists()
    assert fresh.folder.stat().st_mode & 0o777 == 0o700
