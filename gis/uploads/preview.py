"""Where the rows of an upload would lie, as GeoJSON small enough for a browser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from gis.importing.detective.frames import frame_of
from gis.importing.reading import GEOM, ROW, Reading
from gis.settings import MapDefinition

__all__ = ["MOST_FEATURES", "features", "preview"]

MOST_FEATURES = 2000
_MOST_VERTICES = 60_000
_FINENESS = 3000  # a simplified line may be off by this part of the whole picture
_DECIMALS = 6


def preview(
    definition: MapDefinition, reading: Reading, crs: str, rows: Sequence[int] | NDArray[np.int64] | None
) -> dict[str, Any]:
    """Rows as they lie when their coordinates are read as ``crs``: a FeatureCollection in lon/lat.

    Parameters
    ----------
    crs : str
        A name as `gis.importing.placing.decide` takes it; coordinates go in as the file has them. An old
        datum is shown by its nearest relative, some 100 m off.
    rows : sequence of int, optional
        Only these rows (0 is the first); all when left out. At most 2,000 are shown, evenly picked.

    Raises
    ------
    CrsError
        When ``crs`` is unknown.
    """
    frame = frame_of(crs)
    numbers, geometry = _sampled(reading, rows)
    extent = definition.bounds_lonlat
    moved = np.asarray(shapely.transform(geometry, lambda xy: frame.to_lonlat(xy, extent)), dtype=object)
    return features(moved, [{"row": int(number) + 1} for number in numbers])


def _sampled(
    reading: Reading, rows: Sequence[int] | NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """Row numbers and geometries of at most `MOST_FEATURES` rows that have one, evenly picked."""
    wanted = None if rows is None else np.asarray(rows, dtype=np.int64)
    total = reading.header.rows if wanted is None else len(wanted)
    step = max(1, -(-total // MOST_FEATURES))
    numbers: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    shapes: list[NDArray[np.object_]] = [np.empty(0, dtype=object)]
    picked = None if wanted is None else wanted[::step]
    for own, wkb in _columns(reading):
        chosen = own % step == 0 if picked is None else np.isin(own, picked)
        geometry = shapely.from_wkb(wkb[chosen], on_invalid="ignore")
        has = np.array([shape is not None for shape in geometry], dtype=bool)
        numbers.append(own[chosen][has])
        shapes.append(geometry[has])
    return np.concatenate(numbers), np.concatenate(shapes)


def _columns(reading: Reading) -> Iterator[tuple[NDArray[np.int64], NDArray[np.object_]]]:
    for batch in reading.batches():
        yield (
            batch.column(ROW).to_numpy(zero_copy_only=False),
            batch.column(GEOM).to_numpy(zero_copy_only=False),
        )


def features(geometry: NDArray[np.object_], properties: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Geometries in lon/lat as a FeatureCollection, simplified for showing; ``properties`` one a geometry.

    Missing, empty and non-finite ones are left out and counted in "left_out". When they still have more than
    60,000 vertices together, lines and areas are shown as a point inside each.
    """
    finite = np.isfinite(shapely.bounds(geometry)).all(axis=1)
    kept = np.flatnonzero(finite)
    shown = _light(geometry[kept])
    found = [
        {"type": "Feature", "geometry": orjson.loads(text), "properties": dict(properties[at])}
        for at, text in zip(kept.tolist(), shapely.to_geojson(shown).tolist(), strict=True)
    ]
    box = [round(v, _DECIMALS) for v in shapely.total_bounds(shown).tolist()] if found else None
    left_out = len(geometry) - len(found)
    return {"type": "FeatureCollection", "features": found, "bbox": box, "left_out": left_out}


def _light(geometry: NDArray[np.object_]) -> NDArray[np.object_]:
    """The geometries with no more vertices than a screen can show, rounded to some 10 cm."""
    if not len(geometry):
        return geometry
    west, south, east, north = shapely.total_bounds(geometry).tolist()
    tolerance = max(east - west, north - south) / _FINENESS
    simple = shapely.simplify(geometry, tolerance, preserve_topology=False)
    lost = shapely.is_empty(simple)
    simple[lost] = shapely.point_on_surface(geometry[lost])
    if int(shapely.get_num_coordinates(simple).sum()) > _MOST_VERTICES:
        simple = shapely.point_on_surface(simple)
    return np.asarray(shapely.transform(simple, lambda xy: np.round(xy, _DECIMALS)))
