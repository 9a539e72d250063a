"""What is exported and imported again is what it was."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import shapely
from hypothesis import HealthCheck, Phase, assume, given, settings
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


def _pairs(layers: Sequence[str], endings: Sequence[str]) -> list[Any]:
    """All pairs; one of three in the short run, so that each layer and each ending has its turn."""
    return [
        pytest.param(layer, ending, marks=() if (i + j) % 3 == 0 else pytest.mark.long)
        for i, layer in enumerate(layers)
        for j, ending in enumerate(endings)
    ]


@pytest.mark.parametrize(("layer", "ending"), _pairs(list(LAYERS), EXACT))
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


@pytest.mark.parametrize(("layer", "ending"), _pairs(["spots", "sites", "ways", "nameless"], LOSSY))
def test_what_fits_comes_back_from_formats_with_losses(
    again: Again, kit: Engine, layer: str, ending: str
) -> None:
    put(kit, layer, fitting(layer))
    before = held(kit, layer)
    result = again(layer, ending)
    assert (result.good, result.bad) == (3, 0), result.issues
    assert held(kit, layer) == before


@pytest.mark.parametrize("ending", [".geojson", ".zip", pytest.param(".fgb", marks=pytest.mark.long)])
def test_an_import_of_an_export_is_no_change(
    kit: Engine, kit_map: MapDefinition, tmp_path: Path, ending: str
) -> None:
    put(kit, "sites", fitting("sites"))
    file = tmp_path / f"a{ending}"
    export_layer(kit, kit_map, LAYERS["sites"], file, options=EVERY_BIT)
    change = import_file(
        kit, kit_map, "sites", file, ImportOptions(SourceInfo(SOURCE), outside="keep")
    ).change
    assert (change.rev, change.unchanged) == (None, 3)


# --- Any rows ---------------------------------------------------------------------------------------------

_INNER = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_OUTER = st.characters(categories=["L", "N", "P", "S"])
TEXTS = st.builds(lambda a, b, c: a + b + c, _OUTER, st.text(_INNER, max_size=20), _OUTER)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
DAYS = st.dates()
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))


@st.composite
def _places(draw: st.DrawFn, kind: str) -> Any:
    """A shape of this kind anywhere on the globe, with coordinates of any digits."""
    x, y = draw(st.floats(-170, 170)), draw(st.floats(-80, 80))
    if kind in ("Point", "none"):
        return shapely.Point(x, y) if kind == "Point" else None
    turns = draw(st.lists(st.floats(0, 6.28), min_size=3, max_size=9, unique=True))
    radius = draw(st.floats(1e-6, 5))
    ring = [(x + radius * math.cos(t), y + radius * math.sin(t)) for t in sorted(turns)]
    if kind == "LineString":
        return shapely.LineString(ring)
    shape = shapely.orient_polygons(shapely.Polygon(ring))
    # An area of almost nothing is another fault, which the import names.
    assume(shape.is_valid and shape.area > 1e-3 * radius**2)
    return shapely.MultiPolygon([shape]) if kind == "MultiPolygon" else shape


@st.composite
def _rows(draw: st.DrawFn, layer: str) -> list[dict[str, Any]]:
    maybe = {
        "name": TEXTS, "kind": st.sampled_from(["a", "1"]), "ratio": NUMBERS, "is_on": st.booleans(),
        "whole_number": st.integers(-(2**63), 2**63 - 1), "whole_numbers": st.integers(-99, 99), "day": DAYS,
        "moment": MOMENTS, "accuracy_m": st.floats(0, 1e6), "valid_from": DAYS, "valid_to": DAYS,
    }  # fmt: skip
    rows = draw(
        st.lists(
            st.fixed_dictionaries({"geom": _places(LAYERS[layer].geometry)}, optional=maybe),
            min_size=1,
            max_size=8,
        )
    )
    rows = [{**row, "code": f"K{n}", "is_indicative": n % 2 == 0} for n, row in enumerate(rows)]
    return [{k: v for k, v in row.items() if v is not None} for row in rows]


def _any_rows(kit: Engine, kit_map: MapDefinition, folder: Path, data: st.DataObject) -> None:
    layer = data.draw(st.sampled_from(["spots", "sites", "ways", "shapes", "papers"]))
    ending = data.draw(st.sampled_from(EXACT))
    rows = data.draw(_rows(layer))
    if ending == ".gpkg":
        rows = [{k: v + 0.0 if k == "ratio" else v for k, v in row.items()} for row in rows]
    put(kit, layer, rows)
    before = held(kit, layer)
    result = _again(kit, kit_map, folder, layer, ending)
    assert result.bad == 0, result.issues
    assert held(kit, layer) == before


@settings(max_examples=8, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(data=st.data())
def test_any_rows_come_back(
    kit: Engine, kit_map: MapDefinition, tmp_path_factory: Any, data: st.DataObject
) -> None:
    _any_rows(kit, kit_map, tmp_path_factory.mktemp("any"), data)


@pytest.mark.long
@settings(max_examples=500, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(data=st.data())
def test_many_rows_come_back(
    kit: Engine, kit_map: MapDefinition, tmp_path_factory: Any, data: st.DataObject
) -> None:
    _any_rows(kit, kit_map, tmp_path_factory.mktemp("any"), data)
