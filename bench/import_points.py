"""1,000,000 points of a GeoPackage into a layer, with all checks and one revision, against plain loading.

onemap            into an empty layer, as a new revision
onemap, again     the same file: known by its hash
onemap, diff      a rewritten file of the same content: read, checked and compared row by row, no revision
geopandas         read_file and to_postgis of the same file into a table of the same server
ogr2ogr           the same with GDAL's own loader, where it is installed; for information

Each run is a process of its own; its memory is that of the process and its largest child together.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from bench.ending import own_folder
from bench.report import Row
from bench.workload import SEED, _towns
from gis.cluster import Cluster
from gis.settings import load_settings
from gis.sync import sync

__all__ = ["import_points"]

POINTS, RUNS = 1_000_000, 3
ROOT = Path(__file__).parents[1]
DATA = ROOT / "build" / "bench-data"

LAYER = """
title = {zh = "测试企业", en = "Bench enterprises"}
abstract = {zh = "导入测试。", en = "For the import bench."}
theme = "subjects"
role = "subject"
geometry = "Point"
key = ["code"]
accuracy_m = 10.0
names = {label = "name"}
style = {colour = "#336699"}
fields = [
    {name = "code", title = {zh = "码", en = "Code"}, type = "text", required = true, pattern = "P[0-9]{8}"},
    {name = "name", title = {zh = "名称", en = "Name"}, type = "text", required = true},
    {name = "kind", title = {zh = "类别", en = "Kind"}, type = "enum", values = [
        {code = "large", zh = "大型", en = "large"}, {code = "small", zh = "小型", en = "small"}]},
    {name = "depth", title = {zh = "深度", en = "Depth"}, type = "number", unit = "m", min = 0, max = 600},
    {name = "staff", title = {zh = "人数", en = "Staff"}, type = "integer", min = 0},
    {name = "flow", title = {zh = "流量", en = "Flow"}, type = "number", min = 0},
    {name = "checked", title = {zh = "检查日期", en = "Checked"}, type = "date"},
    {name = "active", title = {zh = "在产", en = "Active"}, type = "boolean"},
]
[[examples]]
note = "one"
given = {code = "P00000001", name = "甲", geom = "POINT (120 29)"}
outcome = "accepted"
"""

# What a process does, by the name of the system; argv: what, url, folder of layers, file.
_PROCESS = """
import json, resource, sys, time, warnings
what, url, layers, file = sys.argv[1:5]
warnings.simplefilter("ignore")
if what == "geopandas":
    import geopandas as gpd
    from sqlalchemy import create_engine
    engine = create_engine(url)
    start = time.perf_counter()
    gpd.read_file(file).to_postgis("bench_points", engine, if_exists="replace")
    told = {}
else:
    from pathlib import Path
    from sqlalchemy import create_engine
    from gis.importing.load import ImportOptions, SourceInfo, import_file
    from gis.settings import load_settings
    definition = load_settings(layers=layers).load_map()
    engine = create_engine(url)
    start = time.perf_counter()
    result = import_file(engine, definition, "bench_points", Path(file), ImportOptions(SourceInfo("bench")))
    told = {"total": result.total, "good": result.good, "rev": result.change.rev, "repeated": result.repeated,
            "added": result.change.added, "unchanged": result.change.unchanged, "issues": len(result.issues)}
told["seconds"] = time.perf_counter() - start
peak = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
told["rss_mb"] = sum(peak) / 1024
print(json.dumps(told))
"""


def import_points() -> list[Row]:
    """Measure every system `RUNS` times, taking turns; the database is emptied between the turns."""
    first, rewritten = _files()
    times: dict[str, list[dict[str, Any]]] = {}
    with own_folder() as folder:
        layers = folder / "layers"
        (layers / "defs" / "bench_points").mkdir(parents=True)
        (layers / "defs" / "bench_points" / "layer.toml").write_text(LAYER, encoding="utf-8")
        cluster = Cluster(folder / "home")
        url = cluster.ensure_running()
        for turn in range(RUNS):
            _empty(url, layers)
            for name, what, file in (
                ("onemap", "onemap", first),
                ("onemap, again", "onemap", first),
                ("onemap, diff", "onemap", rewritten),
                ("geopandas.to_postgis", "geopandas", first),
                ("ogr2ogr", "ogr2ogr", first),
            ):
                told = _ogr2ogr(url, file) if what == "ogr2ogr" else _run(what, url, layers, file)
                if told is not None:
                    print(f"import-points {turn + 1}/{RUNS} {name}: {told}", flush=True)
                    times.setdefault(name, []).append(told)
    _check(times)
    return [_row(name, runs) for name, runs in times.items()]


def _row(name: str, runs: list[dict[str, Any]]) -> Row:
    seconds = [run["seconds"] for run in runs]
    params = {
        "points": POINTS,
        "pairs": POINTS,
        "min": min(seconds),
        "max": max(seconds),
        "rss_mb": max((run["rss_mb"] for run in runs), default=0),
    }
    return Row("import-points", name, statistics.median(seconds), "s", len(runs), params)


def _check(times: dict[str, list[dict[str, Any]]]) -> None:
    """Each import did what it says: all rows a new revision, then none."""
    for run in times["onemap"]:
        assert (run["good"], run["added"]) == (POINTS, POINTS), run
        assert run["rev"] == 1, run
    for name in ("onemap, again", "onemap, diff"):
        for run in times[name]:
            assert (run["good"], run["rev"]) == (POINTS, None), run
            assert run["repeated"] == (name == "onemap, again"), run


def _files() -> tuple[Path, Path]:
    """The points, and the same again in a file of other bytes."""
    first, rewritten = DATA / "import_points.gpkg", DATA / "import_points_again.gpkg"
    if not (first.exists() and rewritten.exists()):
        print("Making the points (once, a minute) ...", flush=True)
        DATA.mkdir(parents=True, exist_ok=True)
        frame = _points(POINTS)
        frame.to_file(first, layer="points")
        frame.to_file(rewritten, layer="rewritten")
    return first, rewritten


def _points(count: int) -> gpd.GeoDataFrame:
    rng = np.random.default_rng(SEED)
    numbers = rng.permutation(count)
    counties = np.array(["金华", "义乌", "永康", "东阳", "兰溪", "浦江", "武义", "磐安"])
    trades = np.array(["五金", "化工", "纺织", "电镀", "水泥", "食品"])
    kind = np.char.add(trades[rng.integers(0, 6, count)], np.char.mod("%07d有限公司", numbers))
    days = pd.to_datetime("2015-01-01") + pd.to_timedelta(rng.integers(0, 3650, count), "D")
    return gpd.GeoDataFrame(
        {
            "code": np.char.mod("P%08d", numbers),
            "name": np.char.add(counties[rng.integers(0, 8, count)], kind),
            "kind": np.array(["large", "small"])[rng.integers(0, 2, count)],
            "depth": np.round(rng.uniform(0, 500, count), 2),
            "staff": rng.integers(0, 100_000, count),
            "flow": np.round(rng.uniform(0, 50, count), 3),
            "checked": days.date,
            "active": rng.random(count) < 0.9,
        },
        geometry=shapely.points(_towns(rng, count)),
        crs=4490,
    )


def _empty(url: str, layers: Path) -> None:
    engine = create_engine(url)
    with engine.begin() as conn:
        conn.execute(text("DROP SCHEMA IF EXISTS core, layer, now, jobs CASCADE"))
        conn.execute(text("DROP TABLE IF EXISTS bench_points, bench_ogr"))
    sync(engine, load_settings(layers=str(layers)).load_map())
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("CHECKPOINT"))
    engine.dispose()


def _run(what: str, url: str, layers: Path, file: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", _PROCESS, what, url, str(layers), str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _ogr2ogr(url: str, file: Path) -> dict[str, Any] | None:
    program = shutil.which("ogr2ogr")
    if program is None:
        return None
    import time

    to = make_url(url)
    target = f"PG:dbname={to.database} user={to.username} host={to.query['host']} port={to.query['port']}"
    start = time.perf_counter()
    command = [program, "-f", "PostgreSQL", target, str(file), "-nln", "bench_ogr", "-overwrite"]
    done = subprocess.run(
        [*command, "--config", "PG_USE_COPY", "YES"],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    return {"seconds": time.perf_counter() - start, "rss_mb": 0}
