"""Rasters of a district: map tiles, legend, and the value at a place.

Files are opened as GeoTIFF only: GDAL would otherwise follow what a file says it is to other files and hosts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.warp import transform_bounds

from gis.crs import LONLAT, transformation
from gis.errors import NotFound, QueryError
from gis.tiles.matrix import Tile
from layers.district import District, Raster
from layers.model import Text

__all__ = [
    "RASTER_RENDERING",
    "RasterFacts",
    "RasterValue",
    "find_raster",
    "raster_facts",
    "raster_legend",
    "raster_tile",
    "value_at",
]

# Changes with every change of how tiles are drawn, so that no cache serves an old one.
RASTER_RENDERING = "1"
_TILE_PIXELS = 256


@dataclass(frozen=True)
class RasterFacts:
    """``bounds`` are west, south, east, north in degrees; minimum and maximum those of the colours."""

    bounds: tuple[float, float, float, float]
    minimum: float
    maximum: float


@dataclass(frozen=True)
class RasterValue:
    """What a raster says of a place; ``value`` None where it has no data."""

    value: float | None
    unit: str | None
    label: Text | None


def find_raster(district: District, raster_id: str) -> Raster:
    """The raster called ``raster_id``; NotFound when there is none."""
    for raster in district.rasters:
        if raster.id == raster_id:
            return raster
    raise NotFound(f"There is no raster {raster_id[:80]!r}.", f"没有栅格“{raster_id[:80]}”。")


def raster_legend(raster: Raster) -> list[dict[str, Any]]:
    """Rows of value, label (zh, en) and colour, by rising value or in the order of the classes."""
    if raster.kind == "classes":
        return [entry.model_dump(mode="json") for entry in raster.classes]
    rows = []
    for stop in raster.colours:
        words = f"{stop.value:g} {raster.unit or ''}".strip()
        rows.append({"value": stop.value, "label": {"zh": words, "en": words}, "colour": stop.colour})
    return rows


@contextmanager
def _opened(raster: Raster) -> Iterator[DatasetReader]:
    # Each use opens the file anew: a dataset must not be shared between threads.
    with rasterio.open(raster.file, driver="GTiff") as dataset:
        yield dataset


@lru_cache(maxsize=64)
def raster_facts(raster: Raster) -> RasterFacts:
    """Where ``raster`` lies and which values its colours span."""
    with _opened(raster) as dataset:
        west, south, east, north = transform_bounds(dataset.crs, f"EPSG:{LONLAT}", *dataset.bounds)
    values = [stop.value for stop in raster.colours] or [float(entry.value) for entry in raster.classes]
    return RasterFacts((west, south, east, north), min(values), max(values))


def raster_tile(raster: Raster, tile: Tile) -> bytes:
    """A PNG of 256 x 256 pixels in EPSG:3857; transparent where there are no data, empty bytes outside."""
    from rio_tiler.errors import TileOutsideBounds  # takes a second; not every start draws a raster
    from rio_tiler.io import Reader
    from rio_tiler.models import ImageData

    resampling = "nearest" if raster.kind == "classes" else "bilinear"
    with _opened(raster) as dataset, Reader(None, dataset=dataset) as reader:
        try:
            image = reader.tile(
                tile.x, tile.y, tile.z, tilesize=_TILE_PIXELS, indexes=1, resampling_method=resampling
            )
        except TileOutsideBounds:
            return b""
    values = image.array[0]
    colours = _coloured(raster, values.filled(0).astype(float), ~np.ma.getmaskarray(values))
    return bytes(ImageData(colours[:3], alpha_mask=colours[3]).render(img_format="PNG"))


def _coloured(raster: Raster, values: NDArray[np.float64], there: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Red, green, blue and opacity of each pixel; a class without a colour is transparent."""
    out = np.zeros((4, *values.shape), dtype=np.uint8)
    if raster.kind == "classes":
        for entry in raster.classes:
            mine = there & (values == entry.value)
            out[:3, mine] = np.array(_rgb(entry.colour))[:, None]
            out[3, mine] = 255
        return out
    stops = [stop.value for stop in raster.colours]
    channels = np.array([_rgb(stop.colour) for stop in raster.colours], dtype=float).T
    for band in range(3):
        out[band] = np.interp(values, stops, channels[band]).round()
    out[3, there] = 255
    return out


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def value_at(raster: Raster, lon: float, lat: float) -> RasterValue:
    """The value of the cell at a place in degrees.

    Raises
    ------
    QueryError
        When the place is no longitude and latitude.
    CrsError
        When no trustworthy transformation leads to the raster's CRS.
    """
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise QueryError("lon and lat are degrees.", "lon 与 lat 应为经纬度。")
    facts = raster_facts(raster)
    with _opened(raster) as dataset:
        used = transformation(LONLAT, dataset.crs.to_wkt(), facts.bounds)
        x, y = used.xy(np.array([[lon, lat]]))[0]
        cell = next(dataset.sample([(x, y)], indexes=1, masked=True))[0]
    if np.ma.is_masked(cell) or not np.isfinite(cell):
        return RasterValue(None, raster.unit, None)
    value = float(cell)
    label = next((entry.label for entry in raster.classes if entry.value == value), None)
    return RasterValue(value, raster.unit, label)
