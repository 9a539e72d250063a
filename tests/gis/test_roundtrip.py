"""What is exported and imported again is what it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Engine

from gis.export import WriteOptions, export_layer
from gis.importing import ImportOptions, ImportResult, SourceInfo, import_file
from gis.settings import MapDefinition
from tests.gis.kit import LAYERS, SOURCE, empty, held, kit, kit_map, put, sample

__all__ = ["kit", "kit_map"]

EXACT = (".gpkg", ".parquet", ".fgb", ".geojson")
# Formats with losses (docs/formats.md); CSV and XLSX do not say their CRS, KML is WGS 84.
LOSSY = (".zip", ".csv", ".xlsx", ".kml")
CRS = {".csv": "EPSG:4490", ".xlsx": "EPSG:4490", ".kml": "EPSG:4490"}
EVERY_BIT = WriteOptions(decimals=17)

Again = Callable[..., ImportResult]


@pytest.fixture
def again(kit: Engine, kit_map: MapDefinition, tmp_path: Path) -> Again:
    """Exports a layer, empties it, and imports the file: again("spots", ".gpkg")."""
    return lambda layer, ending, options=EVERY_BIT: _again(kit, kit_map, tmp_path, layer, ending, options)


def _again(
    kit: Engine,
    kit_map: MapDefinition,
    folder: Path,
    layer: str,
    ending: str,
    options: WriteOptions = EVERY_BIT,
) -> ImportResult:
    file = folder / f"{layer}{ending}"
    export_layer(kit, kit_map, LAYERS[layer], file, options=options)
    empty(kit, layer)
    asked = ImportOptions(SourceInfo(SOURCE), crs=CRS.get(ending, "auto"), outside="keep")
    return import_file(kit, kit_map, layer, file, asked)


@pytest.mark.parametrize("ending", EXACT)
@pytest.mark.parametrize("layer", list(LAYERS))
def test_what_comes_back_is_what_went_out(again: Again, kit: Engine, layer: str, ending: str) -> None:
    put(kit, layer, sample(layer))
    before = held(kit, layer)
    result = again(layer, ending)
    assert (result.good, result.bad) == (3, 0), result.issues
    assert held(kit, layer) == before


def fitting(layer: str) -> list[dict[str, Any]]:
    """The sample with nothing in it that the loss table names."""
    rows = sample(layer)
    rows[0] |= {"whole_number": 10**17, "ratio": 0.25}
    rows[1] |= {"whole_number": -(10**16), "ratio": 123.456, "accuracy_m": 0.75, "day": date(1000, 1, 1)}
    return rows


@pytest.mark.parametrize("ending", LOSSY)
@pytest.mark.parametrize("layer", ["spots", "sites", "ways", "nameless"])
def test_what_fits_comes_back_from_formats_with_losses(
    again: Again, kit: Engine, layer: str, ending: str
) -> None:
    put(kit, layer, fitting(layer))
    before = held(kit, layer)
    result = again(layer, ending)
    assert (result.good, result.bad) == (3, 0), result.issues
    assert held(kit, layer) == before


def test_an_import_of_an_export_is_no_change(kit: Engine, kit_map: MapDefinition, tmp_path: Path) -> None:
    put(kit, "sites", sample("sites"))
    for ending in (*EXACT, ".zip"):
        file = tmp_path / f"a{ending}"
        export_layer(kit, kit_map, LAYERS["sites"], file, options=EVERY_BIT)
        options = ImportOptions(SourceInfo(SOURCE), outside="keep")
        change = import_file(kit, kit_map, "sites", file, options).change
        assert (change.rev, change.unchanged) == (None, 3) or ending == ".zip", ending
