"""What the map of a report shows, as shapes in the measuring plane that the record keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import shapely

from gis.reports.shift import Shift
from gis.screening.answer import Examined, Record
from gis.screening.findings import WORST_FIRST

__all__ = ["map_shapes", "plane_shape"]

# The window is this many times wider than what must be in it, and never smaller than this, metres.
_AROUND, _SMALLEST_M = 1.8, 300.0
# A zone is brought into the window where it is nearer than this, or than the site is wide; words tell more.
_NEAR_M = 400.0
_ASPECT = 1.6
# A zone is drawn as finely as a print shows: this part of the window's width.
_FINENESS = 1 / 3000
_MOST_ZONES = 40


def plane_shape(geometry: shapely.Geometry | None) -> Any:
    """GeoJSON in metres of the measuring plane, to the millimetre; None for nothing."""
    if geometry is None or shapely.is_empty(geometry):
        return None
    return orjson.loads(shapely.to_geojson(shapely.transform(geometry, lambda xy: np.round(xy, 3))))


def map_shapes(examined: Examined, shift: Shift | None) -> Record:
    """The site, its parts, the zones behind findings and where the site could go, within a window.

    Returns
    -------
    dict
        ``crs`` (EPSG of the measuring plane), ``window`` [west, south, east, north] in metres, and GeoJSON
        shapes in that plane: zones are clipped to the window and thinned for drawing.
    """
    site, judged = examined.site.plane, examined.judgement
    zones = _zones(examined)
    window = _window(site, [zone["witness"] for zone in zones], shift)
    parts = judged.parts(0)
    return {
        "crs": f"EPSG:{examined.definition.district.measuring_crs}",
        "window": window,
        "site": plane_shape(site),
        "parts": {name: None if parts is None else plane_shape(getattr(parts, name)) for name in WORST_FIRST},
        "zones": [
            {key: value for key, value in zone.items() if key not in ("geometry", "witness")}
            | {"geometry": drawn}
            for zone in zones
            if (drawn := _clipped(zone["geometry"], window)) is not None
        ],
        "links": [
            plane_shape(zone["witness"])
            for zone in zones
            if shapely.get_type_id(zone["witness"]) == 1 and zone["distance_m"] > 0
        ],
        "moved": None if shift is None else plane_shape(shift.geometry),
    }


def _zones(examined: Examined) -> list[Record]:
    """Each zone behind a finding once, with its worst verdict; the worst and largest first."""
    found: dict[tuple[str, str], Record] = {}
    for finding in examined.judgement.findings(0):
        for zone in finding.zones:
            key = zone.layer, zone.uid
            if key in found and _rank(found[key]["verdict"]) <= _rank(zone.verdict):
                continue
            rows = examined.snapshot.rows[zone.layer]
            style = rows.layer.style
            found[key] = {
                "layer": zone.layer,
                "title": rows.layer.title.model_dump(),
                "uid": zone.uid,
                "name": zone.name or zone.uid,
                "verdict": zone.verdict,
                "distance_m": zone.distance_m,
                "is_indicative": zone.is_indicative,
                "is_demonstration": bool(rows.is_demonstration[zone.row]),
                "colour": style.colour if style else "#49606e",
                "geometry": rows.geoms[zone.row],
                "witness": zone.witness,
            }
    ordered = sorted(found.values(), key=lambda z: (_rank(z["verdict"]), z["distance_m"], z["uid"]))
    return ordered[:_MOST_ZONES]


def _rank(verdict: str) -> int:
    return WORST_FIRST[verdict]


def _window(site: shapely.Geometry, witnesses: list[shapely.Geometry], shift: Shift | None) -> list[float]:
    """A window of the map's shape around the site and what is near it."""
    west, south, east, north = shapely.bounds(site)
    near = max(_NEAR_M, east - west, north - south)
    links = [witness for witness in witnesses if shapely.length(witness) <= near]
    west, south, east, north = shapely.total_bounds([site, *links, *([shift.geometry] if shift else [])])
    width = max(east - west, (north - south) * _ASPECT, _SMALLEST_M) * _AROUND
    x, y, height = (west + east) / 2, (south + north) / 2, width / _ASPECT
    return [round(float(v), 3) for v in (x - width / 2, y - height / 2, x + width / 2, y + height / 2)]


def _clipped(geometry: shapely.Geometry, window: list[float]) -> Any:
    """The part of a zone in the window, thinned; its outline beyond the window's rim is left out."""
    west, south, east, north = window
    width = east - west
    # Cut outside what is shown, so that the cut is no line on the map.
    roomy = shapely.clip_by_rect(geometry, west - width, south - width, east + width, north + width)
    thinned = shapely.simplify(roomy, width * _FINENESS)
    if shapely.is_empty(thinned) or not shapely.intersects(thinned, shapely.box(west, south, east, north)):
        return None
    return plane_shape(thinned)
