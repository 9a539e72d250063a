"""A report on one parcel of the demonstration: its making, and the first rendering of each face.

The parcel lies in a drinking-water zone, a red line and a control unit, so that most themes have findings.
The row "onemap" is the PDF; the first print of a process, which loads the printer too, is told apart.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import shapely
from sqlalchemy import create_engine

from bench.ending import own_folder
from bench.report import Row
from gis.cluster import Cluster
from gis.instep import bring_in_step
from gis.manifest import load, read_manifest
from gis.reports.content import Beside
from gis.reports.faces import FACES, rendered
from gis.reports.record import make_record, report_id
from gis.screening.answer import Record
from gis.screening.request import ScreenRequest
from gis.settings import load_settings

__all__ = ["report_faces"]

RUNS = 7
PARCEL = "POLYGON((120.134 29.03,120.1385 29.03,120.1385 29.033,120.134 29.033,120.134 29.03))"


def report_faces() -> list[Row]:
    """The record, then each face in Chinese, `RUNS` times."""
    with own_folder() as folder:
        record, made_s = _record(folder / "home")
    now = datetime.now(UTC)
    beside = Beside(report_id(record), now, now + timedelta(days=180), "https://map.example/reports/1")
    rows = [_row("making", made_s)]
    first = _timed(lambda: rendered(record, beside, "pdf", "zh"))
    rows.append(_row("pdf, the first of a process", [first]))
    for face in FACES:
        work = partial(rendered, record, beside, face, "zh")
        rows.append(_row(face, [_timed(work) for _ in range(RUNS)]))
    return rows


def _record(home: Path) -> tuple[Record, list[float]]:
    """The record on the demonstration data, and how long each making of it took."""
    settings = load_settings(home=home)
    definition = settings.load_map()
    engine = create_engine(Cluster(home).ensure_running())
    bring_in_step(engine, definition)
    assert definition.district.demo is not None
    for entry in read_manifest(definition.district.demo, definition):
        load(engine, definition, entry)
    asked = ScreenRequest(shapely.from_wkt(PARCEL))
    record = make_record(engine, definition, asked)
    taken = [_timed(lambda: make_record(engine, definition, asked)) for _ in range(RUNS)]
    engine.dispose()
    return record, taken


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _row(what: str, taken: list[float]) -> Row:
    params = {"min": round(min(taken), 3), "max": round(max(taken), 3), "pairs": 0}
    system = "onemap" if what == "pdf" else f"onemap, {what}"
    return Row("report-faces", system, round(statistics.median(taken), 3), "s", len(taken), params)
