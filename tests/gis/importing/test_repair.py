"""What is invalid is repaired where it is clear what was drawn, behind limits, and the original is kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely
from sqlalchemy import Engine, text

from gis import tables
from gis.db import connect
from gis.importing import ImportOptions, ImportResult, SourceInfo, import_file
from gis.importing.repair import Limits, Mender
from gis.revisions import revert
from gis.settings import MapDefinition
from tests.gis.conftest import content

Import = Callable[[dict[str, str]], ImportResult]

SQUARE = "POLYGON((120 29, 120.01 29, 120.01 29.01, 120 29.01, 120 29))"
BOWTIE = "POLYGON((120 29, 120.01 29.01, 120.01 29, 120 29.01, 120 29))"
HOLE_OUTSIDE = (
    "POLYGON((120 29, 120.01 29, 120.01 29.01, 120 29.01, 120 29),"
    "(120.02 29, 120.03 29, 120.03 29.01, 120.02 29.01, 120.02 29))"
)
OVERLAP = (
    "MULTIPOLYGON(((120 29, 120.02 29, 120.02 29.01, 120 29.01, 120 29)),"
    "((120.01 29, 120.03 29, 120.03 29.01, 120.01 29.01, 120.01 29)))"
)
SPIKE = "POLYGON((120 29, 120.01 29, 120.01 29.01, 120.01 29.05, 120.01 29.01, 120 29.01, 120 29))"
# A five-pointed star drawn in one go: is its middle inside? The two readings differ by a third of the area.
ANGLES = np.pi / 2 + np.arange(6) * 4 * np.pi / 5
PENTAGRAM = shapely.Polygon(np.column_stack([120 + np.cos(ANGLES) / 100, 29 + np.sin(ANGLES) / 100])).wkt


def star(points: int) -> str:
    """A star of ``points`` corners, each side crossing nearly all others."""
    turn = np.pi * (1 - 1 / points)
    angles = np.arange(points + 1) * turn
    return shapely.Polygon(np.column_stack([120 + np.cos(angles) / 20, 29 + np.sin(angles) / 20])).wkt


@pytest.fixture
def take(store: Engine, small_map: MapDefinition, tmp_path: Path) -> Import:
    """Imports polygons by code and WKT into the pads."""

    def run(shapes: dict[str, str]) -> ImportResult:
        path = tmp_path / "pads.csv"
        path.write_text("code,wkt\n" + "".join(f'{code},"{wkt}"\n' for code, wkt in shapes.items()))
        return import_file(store, small_map, "pads", path, ImportOptions(SourceInfo("s"), crs="EPSG:4490"))

    return run


def test_what_is_clear_is_repaired_and_listed_with_the_original(take: Import, store: Engine) -> None:
    drawn = {"bow": BOWTIE, "hole": HOLE_OUTSIDE, "overlap": OVERLAP, "spike": SPIKE, "square": SQUARE}
    result = take(drawn)
    assert (result.total, result.good, result.bad, result.repaired) == (5, 5, 0, 4)
    assert {i.code for i in result.issues if i.severity != "warning"} == {"geometry_repaired"}
    shapes = {str(row[0]["code"]): shapely.from_wkt(str(row[1])) for row in content(store, "pads")}  # type: ignore[index]
    assert all(shape.is_valid for shape in shapes.values())
    square = shapely.from_wkt(SQUARE)
    assert shapes["bow"].area == pytest.approx(square.area / 2)
    assert shapes["overlap"].area == pytest.approx(square.area * 3)
    for code in ("hole", "spike"):
        assert shapely.equals(shapes[code], square)
    with connect(store) as conn:
        kept = conn.execute(
            text(
                "SELECT row_no, original, severity, owner FROM core.rejects "
                "WHERE code = 'geometry_repaired' ORDER BY 1"
            )
        ).all()
        run = conn.execute(text("SELECT total, good, bad, repaired FROM core.import_runs")).one()
    assert [row.row_no for row in kept] == [1, 2, 3, 4]
    for row, wkt in zip(kept, drawn.values(), strict=False):
        before = shapely.from_wkb(row.original)
        assert (
            shapely.get_coordinates(before).tolist()
            == shapely.get_coordinates(shapely.from_wkt(wkt)).tolist()
        )
        assert (row.severity, row.owner) == ("repair", "supplier")
    assert tuple(run) == (5, 5, 0, 4)


def test_what_could_be_read_in_two_ways_is_refused(take: Import) -> None:
    result = take({"star": PENTAGRAM, "flat": "POLYGON((120 29, 120.01 29.01, 120.02 29.02, 120 29))"})
    assert (result.good, result.bad) == (0, 2)
    assert sorted(i.code for i in result.issues) == ["geometry_invalid", "zero_area"]


def test_a_sliver_below_the_tolerance_is_repaired(take: Import) -> None:
    # The ring crosses itself at one corner; the two readings differ by less than a square metre.
    wkt = (
        "POLYGON((120 29, 120.01 29, 120.01 29.01, 120.000002 29.000002, 120.000002 28.999998, "
        "119.999998 28.999998, 120 29))"
    )
    assert not shapely.from_wkt(wkt).is_valid
    assert take({"a": wkt}).repaired == 1


def test_a_shape_of_millions_of_crossings_harms_no_other_row(take: Import) -> None:
    start = time.monotonic()
    result = take({"a": SQUARE, "star": star(1999), "b": BOWTIE})
    assert time.monotonic() - start < 60
    assert (result.good, result.bad, result.repaired) == (2, 1, 1)
    assert {(i.row, i.code) for i in result.issues} == {(1, "geometry_too_complex"), (2, "geometry_repaired")}


@pytest.mark.parametrize(
    ("limits", "shape", "code"),
    [
        (Limits(vertices=3), BOWTIE, "geometry_too_complex"),
        (Limits(total_seconds=0), BOWTIE, "repair_timeout"),
        (Limits(seconds=0.05, total_seconds=20), None, "repair_timeout"),
        (Limits(memory_mb=0, seconds=60, total_seconds=60), None, "geometry_too_complex"),
        (Limits(memory_mb=1, seconds=60, total_seconds=60), None, "geometry_too_complex"),
    ],
)
def test_the_limits_hold(small_map: MapDefinition, limits: Limits, shape: str | None, code: str) -> None:
    given = shapely.from_wkt(shape or star(801))
    shapes = np.array([given, shapely.from_wkt(BOWTIE)], dtype=object)
    rows = np.array([7, 8])
    with Mender.of(small_map, limits) as mender:
        issues = mender.mend(small_map.layers["pads"], rows, shapes, np.array([True, False]))
        assert [(i.row, i.code, i.severity) for i in issues] == [(7, code, "error")]
        assert shapes[0] is None


def test_after_a_killed_child_the_next_shape_is_repaired(small_map: MapDefinition) -> None:
    shapes = np.array([shapely.from_wkt(star(801)), shapely.from_wkt(BOWTIE)], dtype=object)
    with Mender.of(small_map, Limits(seconds=0.3)) as mender:
        issues = mender.mend(small_map.layers["pads"], np.array([0, 1]), shapes, np.array([True, True]))
    # Where the machine stands still meanwhile, the child may reach the end of its memory first.
    assert issues[0].code in ("repair_timeout", "geometry_too_complex")
    assert issues[1].code == "geometry_repaired"


def test_an_import_with_repairs_is_undone_in_one_step(
    take: Import, store: Engine, small_map: MapDefinition
) -> None:
    before = content(store, "pads")
    result = take({"bow": BOWTIE, "square": SQUARE})
    all_tables = [tables.table_for(layer, 4490) for layer in small_map.layers.values()]
    with connect(store, write=True) as conn:
        assert result.change.rev is not None
        revert(conn, result.change.rev, all_tables, who="test")
    assert content(store, "pads") == before == []


def test_a_geojson_bowtie_is_repaired_in_degrees_of_the_store(
    store: Engine, small_map: MapDefinition, tmp_path: Path
) -> None:
    ring = [[120, 29], [120.01, 29.01], [120.01, 29], [120, 29.01], [120, 29]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {"code": "A"}, "geometry": geometry}
    path = tmp_path / "pads.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    result = import_file(store, small_map, "pads", path, ImportOptions(SourceInfo("s")))
    assert (result.good, result.repaired) == (1, 1)
