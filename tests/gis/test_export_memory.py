"""A layer of any size leaves in the same memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from gis.db import connect
from tests.gis.kit import kit, kit_map

__all__ = ["kit", "kit_map"]

# Exports the layer "spots" in a process of its own, which tells its rows and its highest memory in KiB.
_EXPORT = """
import resource, sys
from pathlib import Path
from sqlalchemy import create_engine
from gis.export import export_layer
from gis.settings import MapDefinition
from layers.district import load_district
from tests.gis.kit import LAYERS
definition = MapDefinition(load_district(), LAYERS, {})
result = export_layer(create_engine(sys.argv[1]), definition, LAYERS["spots"], Path(sys.argv[2]))
print(result.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
_FILL = """
INSERT INTO layer.spots (uid, code, name, kind, whole_number, ratio, is_on, day, geom, source_id, rev_from)
SELECT n::text, n::text, '东阳市第' || n || '号取水井', 'a', n, n / 7.0, true, '2020-01-01',
       ST_SetSRID(ST_MakePoint(119 + n / 1e6, 29), 4490), 1, 1
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
"""


def _peak_mb(kit: Engine, path: Path) -> tuple[int, float]:
    url = kit.url.render_as_string(hide_password=False)
    done = subprocess.run(
        [sys.executable, "-c", _EXPORT, url, str(path)], capture_output=True, text=True, check=True
    )
    rows, peak = done.stdout.split()
    return int(rows), int(peak) / 1024


def _fill(kit: Engine, first: int, last: int) -> None:
    with connect(kit, write=True) as conn:
        conn.execute(text(_FILL), {"first": first, "last": last})


@pytest.mark.long
def test_ten_times_the_rows_take_no_more_memory(kit: Engine, tmp_path: Path) -> None:
    """300,000 rows against 30,000. FlatGeobuf keeps a box a row for its index, GDAL pages of the file."""
    endings = ("csv", "geojson", "parquet", "gpkg", "fgb", "zip", "kml", "xlsx")
    _fill(kit, 1, 30_000)
    few = {ending: _peak_mb(kit, tmp_path / f"a.{ending}") for ending in endings}
    _fill(kit, 30_001, 300_000)
    many = {ending: _peak_mb(kit, tmp_path / f"b.{ending}") for ending in endings}
    assert {rows for rows, _ in few.values()} == {30_000} and {rows for rows, _ in many.values()} == {300_000}
    grown = {ending: round(many[ending][1] - few[ending][1]) for ending in endings}
    print(grown, {ending: round(peak) for ending, (_, peak) in many.items()})  # noqa: T201
    assert all(mb < 100 for mb in grown.values()), grown
