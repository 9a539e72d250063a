"""All that lies within a distance of a site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import shapely

from gis.errors import ScreeningError
from gis.processing.place import Place, site_in_plane, to_lonlat

__all__ = ["buffer"]

_QUARTER = 16  # segments of a quarter circle: the outline lies within 0.5 % of the distance


def buffer(place: Place, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """A GeoJSON feature in lon/lat: what lies within ``distance_m`` metres of ``site``, made in the plane.

    A negative distance shrinks a polygon. Raises what `site_in_plane` raises, and ScreeningError when
    nothing is left or the outline gets more vertices than a site may have.
    """
    site, distance = site_in_plane(place, inputs["site"]), float(inputs["distance_m"])
    grown = shapely.buffer(site, distance, quad_segs=_QUARTER)
    if shapely.is_empty(grown):
        raise ScreeningError(
            f"Nothing of the site is left {-distance:g} m inside its outline.",
            f"向内缩 {-distance:g} 米后地块已不存在。",
        )
    if shapely.get_num_coordinates(grown) > place.settings.max_vertices:
        raise ScreeningError(
            f"The outline has more than {place.settings.max_vertices} vertices.",
            f"结果顶点数超过 {place.settings.max_vertices}。",
            remedy_en="Simplify the site.",
            remedy_zh="请简化地块。",
        )
    return {
        "type": "Feature",
        "geometry": orjson.loads(shapely.to_geojson(to_lonlat(place, grown))),
        "properties": {
            "distance_m": distance,
            "area_m2": float(shapely.area(grown)),
            "measured_in": f"EPSG:{place.definition.district.measuring_crs}",
        },
    }
