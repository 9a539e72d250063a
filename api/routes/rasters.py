"""Rasters: map tiles, and the value at a place."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.deps import StateDep, as_json, conditional, strict_parameters
from api.identity import Action, needs
from api.routes.tiles import require_quad
from gis.raster import RASTER_RENDERING, find_raster, raster_tile, value_at
from gis.tiles import tile_at

router = APIRouter(
    prefix="/rasters",
    tags=["Rasters"],
    dependencies=[Depends(needs(Action.READ)), Depends(strict_parameters)],
)


@router.get("/{raster}/tiles/{matrix_set}/{z}/{y}/{x}.png", summary="A map tile of a raster")
def get_raster_tile(
    request: Request, state: StateDep, raster: str, matrix_set: str, z: int, y: int, x: int
) -> Response:
    """Zoom, row and column. Outside the raster the status is 204."""
    require_quad(matrix_set)
    found, tile = find_raster(state.definition.district, raster), tile_at(z, y, x)

    def produce() -> Response:
        body = raster_tile(found, tile)
        return Response(body, 200 if body else 204, media_type="image/png" if body else None)

    changed = found.file.stat().st_mtime_ns
    return conditional(request, ("raster", RASTER_RENDERING, state.digest, changed), produce)


@router.get("/{raster}/value", summary="The value of a raster at a place")
def get_value(
    state: StateDep,
    raster: str,
    lon: Annotated[float, Query(description="Longitude in degrees")],
    lat: Annotated[float, Query(description="Latitude in degrees")],
) -> Response:
    """The value with its unit, and what it means where the raster has classes; null without data."""
    value = value_at(find_raster(state.definition.district, raster), lon, lat)
    label = value.label.model_dump() if value.label else None
    return as_json({"value": value.value, "unit": value.unit, "label": label})
