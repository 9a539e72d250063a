"""Rasters as map tiles and as values at places."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.errors import RasterioIOError
from rasterio.transform import from_origin

from gis.errors import NotFound, QueryError
from gis.raster import find_raster, raster_facts, raster_legend, raster_tile, value_at
from gis.tiles import tile_at
from layers.district import District, Raster, load_district

# rasterio multiplies transforms in the way that affine 3 gives up; a PNG has no place on earth.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]

WORDS = {"zh": "试验", "en": "Trial"}
# Zoom, row and column of the tile in the middle of the raster.
MIDDLE = (10, 425, 853)


def write(path: Path, values: Any, *, epsg: int = 4326, nodata: float | None = -1) -> None:
    """Cells of 0.1 degrees from 119.8 E 29.2 N on, or of 10 km in a plane."""
    cells = np.array(values, dtype="float32")
    place = (119.8, 29.2, 0.1, 0.1) if epsg == 4326 else (480_000, 3_230_000, 10_000, 10_000)
    with rasterio.open(
        path, "w", driver="GTiff", height=cells.shape[0], width=cells.shape[1], count=1, dtype="float32",
        crs=f"EPSG:{epsg}", transform=from_origin(*place), nodata=nodata,
    ) as file:  # fmt: skip
        file.write(cells, 1)


def raster(path: Path, **changes: Any) -> Raster:
    given = {
        "id": "trial", "file": path.name, "title": WORDS, "abstract": WORDS, "unit": "m",
        "kind": "continuous",
        "colours": [{"value": 0, "colour": "#000000"}, {"value": 100, "colour": "#ff0000"}],
        "attribution": WORDS, "licence": "CC0",
    }  # fmt: skip
    return Raster.model_validate({**given, **changes}, context={"folder": path.parent})


def pixels(png: bytes) -> np.ndarray[Any, Any]:
    with rasterio.open(io.BytesIO(png)) as file:
        return np.asarray(file.read())


def test_a_continuous_raster_is_coloured_between_its_stops(tmp_path: Path) -> None:
    write(tmp_path / "r.tif", [[50, 50], [50, 50]])
    image = pixels(raster_tile(raster(tmp_path / "r.tif"), tile_at(*MIDDLE)))
    assert image.shape == (4, 256, 256)
    inside = image[3] == 255
    assert inside.any()
    assert set(np.unique(image[0][inside])) <= {127, 128} and not image[1][inside].any()


def test_cells_without_data_are_transparent(tmp_path: Path) -> None:
    write(tmp_path / "r.tif", [[-1, -1], [-1, -1]])
    image = pixels(raster_tile(raster(tmp_path / "r.tif"), tile_at(*MIDDLE)))
    assert not image[3].any()


def test_classes_have_their_own_colours_and_unknown_ones_none(tmp_path: Path) -> None:
    write(tmp_path / "r.tif", [[1, 2], [3, 1]])
    classes = [{"value": 1, "label": {"zh": "水", "en": "Water"}, "colour": "#0000ff"},
               {"value": 2, "label": {"zh": "林", "en": "Wood"}, "colour": "#00ff00"}]  # fmt: skip
    trial = raster(tmp_path / "r.tif", kind="classes", colours=[], classes=classes, unit=None)
    image = pixels(raster_tile(trial, tile_at(8, 106, 213)))
    seen = {tuple(int(v) for v in p) for p in image.reshape(4, -1).T}
    assert seen == {(0, 0, 255, 255), (0, 255, 0, 255), (0, 0, 0, 0)}
    assert value_at(trial, 119.85, 29.15).label == classes_label(trial, 1)
    assert value_at(trial, 119.85, 29.05).label is None
    assert [row["value"] for row in raster_legend(trial)] == [1, 2]


def classes_label(trial: Raster, value: int) -> Any:
    return next(entry.label for entry in trial.classes if entry.value == value)


def test_the_value_at_a_place_is_that_of_its_cell(tmp_path: Path) -> None:
    write(tmp_path / "r.tif", [[10, 20], [30, -1]])
    trial = raster(tmp_path / "r.tif")
    values = [value_at(trial, lon, lat).value for lon, lat in
              [(119.85, 29.15), (119.95, 29.15), (119.85, 29.05), (119.95, 29.05), (100, 10)]]  # fmt: skip
    assert values == [10, 20, 30, None, None]
    with pytest.raises(QueryError):
        value_at(trial, 29.15, 119.85)


def test_a_raster_in_a_plane_is_read_at_the_right_place(tmp_path: Path) -> None:
    write(tmp_path / "r.tif", [[10, 20], [30, 40]], epsg=4549)
    trial = raster(tmp_path / "r.tif")
    # EPSG:4549 has its meridian at 120 E, easting 500 km: the second column starts 10 km west of it.
    assert value_at(trial, 119.95, 29.15).value == 20
    west, south, east, north = raster_facts(trial).bounds
    assert west == pytest.approx(119.794, abs=0.002) and east == pytest.approx(120, abs=0.002)
    assert south < 29.1 < north


def test_only_a_geotiff_is_opened(tmp_path: Path) -> None:
    vrt = tmp_path / "r.tif"
    vrt.write_text(
        '<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    )
    with pytest.raises(RasterioIOError):
        raster_facts(raster(vrt))


def test_outside_the_raster_there_is_no_tile_and_unknown_ones_are_not_found(tmp_path: Path) -> None:
    write(tmp_path / "r.tif", [[1]])
    assert raster_tile(raster(tmp_path / "r.tif"), tile_at(10, 0, 0)) == b""
    with pytest.raises(NotFound):
        find_raster(load_district(), "nothing")


def test_the_rasters_of_the_shipped_district_can_be_read() -> None:
    district: District = load_district()
    for trial in district.rasters:
        west, south, east, north = raster_facts(trial).bounds
        lon, lat = district.view.center
        assert west < lon < east and south < lat < north
        assert value_at(trial, lon, lat).value is not None
