"""Files of sites: the verdicts of single answers, and the same result after a run was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import shapely

from gis.jobs.worker import Worker
from gis.screening.answer import screen
from gis.screening.batch import BatchOrder, screen_batch, write_as
from gis.screening.request import ScreenRequest
from gis.tasks import TASKS
from tests.api.conftest import SmallMap, client_of

CHUNK = 400
ROOT = Path(__file__).parents[2]
KINDS = ("dug", "bored", None, "castle")


def sites(count: int) -> list[tuple[str, Any]]:
    """Points and small parcels across the rim of the pad, and some that cannot be judged."""
    found: list[tuple[str, Any]] = []
    for i in range(count - 1):
        x, y = 119.995 + 0.02 * (i % 21) / 21, 28.895 + 0.02 * (i % 17) / 17
        shape = shapely.box(x, y, x + 0.001, y + 0.001) if i % 3 == 0 else shapely.Point(x, y)
        found.append((f"S{i}", shape))
    return [*found, ("rim", shapely.Point(120.01, 28.905))]


def write(path: Path, rows: list[tuple[str, Any]]) -> Path:
    features = [
        {
            "type": "Feature",
            "properties": {"name": name, "kind": KINDS[i % 4], "depth": i % 40},
            "geometry": json.loads(shapely.to_geojson(shape)),
        }
        for i, (name, shape) in enumerate(rows)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def test_each_site_gets_the_verdict_of_its_single_answer(shared_map: SmallMap, tmp_path: Path) -> None:
    rows = sites(60)
    order = BatchOrder(write(tmp_path / "sites.geojson", rows), label="name", accuracy_m=20.0)
    found = screen_batch(shared_map.engine, shared_map.definition, order, tmp_path / "run")
    table = pq.read_table(found.table).to_pylist()
    assert [each["site"] for each in table] == [name for name, _ in rows]
    seen = set()
    for i, ((_, shape), row) in enumerate(zip(rows, table, strict=True)):
        kind = KINDS[i % 4]
        stated = {"depth": i % 40} | ({"kind": kind} if kind in ("dug", "bored") else {})
        asked = ScreenRequest(shape, attributes=stated, accuracy_m=20.0)
        answer = screen(shared_map.engine, shared_map.definition, asked)
        assert (row["verdict"], row["severity"]) == (answer["verdict"], answer["severity"])
        findings = [finding for theme in answer["themes"] for finding in theme["findings"]]
        for verdict in ("conflict", "unknown", "edge"):
            wanted = {finding["rule"] for finding in findings if finding["verdict"] == verdict}
            assert set(row[f"rules_{verdict}"].split()) == wanted
        assert set(row["missing"].split()) == {m["name"] for f in findings for m in f["missing"]}
        assert ("kind" in row["problems"]) == (kind == "castle")
        seen.add(row["verdict"])
    assert seen >= {"conflict", "clear", "edge"}
    assert sum(found.summary["by_verdict"].values()) == len(rows)


def test_what_cannot_be_judged_is_told_and_nothing_else_is_lost(
    shared_map: SmallMap,
    tmp_path: Path,
) -> None:
    bow_tie = shapely.Polygon([(120, 28.9), (120.01, 28.91), (120.01, 28.9), (120, 28.91)])
    rows = [
        ("good", shapely.Point(120.005, 28.905)),
        ("bad", bow_tie),
        ("good too", shapely.Point(120.4, 28.9)),
    ]
    order = BatchOrder(write(tmp_path / "sites.geojson", rows), label="name")
    found = screen_batch(shared_map.engine, shared_map.definition, order, tmp_path / "run")
    good, bad, _ = pq.read_table(found.table).to_pylist()
    assert (good["verdict"], good["problems"]) == ("conflict", "")
    assert (bad["verdict"], bad["missing"], bad["problems"]) == ("unknown", "geometry", "geometry")
    for ending in ("csv", "gpkg", "parquet"):
        write_as(found.table, tmp_path / f"out.{ending}")
        assert (tmp_path / f"out.{ending}").stat().st_size


_PROCESS = """
import sys
from pathlib import Path
from sqlalchemy import create_engine
from gis.screening.batch import BatchOrder, screen_batch
from gis.settings import Settings
from tests.api.conftest import small_definition
url, district, layers, file, folder = sys.argv[1:]
definition = small_definition(Settings(district=Path(district), layers=(Path(layers),)))
screen_batch(create_engine(url), definition, BatchOrder(Path(file), label="name"), Path(folder), chunk=400)
"""


def test_a_killed_run_goes_on_to_the_same_result(
    shared_map: SmallMap,
    tmp_path: Path,
) -> None:
    order = BatchOrder(write(tmp_path / "sites.geojson", sites(3 * CHUNK + 10)), label="name")
    whole = screen_batch(shared_map.engine, shared_map.definition, order, tmp_path / "whole", chunk=CHUNK)
    folder, settings = tmp_path / "broken", shared_map.settings
    url = shared_map.engine.url.render_as_string(hide_password=False)
    command = [url, str(settings.district), str(settings.layers[0]), str(order.file), str(folder)]
    with subprocess.Popen([sys.executable, "-c", _PROCESS, *command], cwd=ROOT) as process:
        until = time.monotonic() + 120
        while not list(folder.glob("chunk-*.parquet")):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
    done = {part.name: part.stat().st_mtime_ns for part in folder.glob("chunk-*.parquet")}
    assert 0 < len(done) < 4
    resumed = screen_batch(
        shared_map.engine, shared_map.definition, order, folder
    )  # its chunks stay as large as they were
    assert resumed.summary == whole.summary
    assert pq.read_table(resumed.table).equals(pq.read_table(whole.table))
    assert all((folder / name).stat().st_mtime_ns == at for name, at in done.items())


def test_a_run_that_is_stopped_keeps_its_revision_and_date(
    shared_map: SmallMap,
    tmp_path: Path,
) -> None:
    class Stop(Exception):
        pass

    def stop(phase: str, done: int, total: int | None) -> None:
        if phase == "judging" and done:
            raise Stop

    order = BatchOrder(write(tmp_path / "sites.geojson", sites(CHUNK + 5)))
    with pytest.raises(Stop):
        screen_batch(
            shared_map.engine, shared_map.definition, order, tmp_path / "run", progress=stop, chunk=CHUNK
        )
    basis = json.loads((tmp_path / "run" / "basis.json").read_bytes())
    found = screen_batch(shared_map.engine, shared_map.definition, order, tmp_path / "run")
    assert (found.summary["revision"], found.summary["law_date"]) == (basis["revision"], basis["law_date"])
    assert found.summary["sites"] == CHUNK + 5


def test_sites_sent_over_http_are_judged_as_a_job(own_map: SmallMap, tmp_path: Path) -> None:
    settings = own_map.settings.model_copy(update={"home": tmp_path / "home"})
    client = client_of(own_map.app(home=settings.home))
    collection = json.loads(write(own_map.folder / "sites.geojson", sites(12)).read_text("utf-8"))
    asked = {"inputs": {"sites": collection, "label": "name", "accuracy_m": 20}}
    accepted = client.post("/processes/screen-batch/execution", json=asked)
    assert accepted.status_code == 201, accepted.text
    job = accepted.json()["jobID"]
    assert client.get(f"/jobs/{job}").json()["status"] == "accepted"
    worker = Worker(settings, own_map.definition, own_map.engine, TASKS)
    worker.start()
    try:
        until = time.monotonic() + 60
        while (status := client.get(f"/jobs/{job}").json())["status"] not in ("successful", "failed"):
            assert time.monotonic() < until, status
            time.sleep(0.05)
    finally:
        worker.stop()
    assert status["status"] == "successful", status
    result = client.get(f"/jobs/{job}/results").json()
    assert result["sites"] == 12 and sum(result["by_verdict"].values()) == 12
    told = client.get(f"/jobs/{job}/sites?f=csv").content.decode("utf-8-sig").splitlines()
    assert len(told) == 13 and told[0].startswith("row,site,verdict,severity")
    assert client.get(f"/jobs/{job}/sites?f=gpkg").content[:15] == b"SQLite format 3"
    assert client.get(f"/jobs/{job}/sites?f=pdf").status_code == 400
