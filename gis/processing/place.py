"""Where a process runs, and the rows and sites that it measures, in the measuring plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from sqlalchemy import ColumnElement, Connection, Engine, Table, func, select

from gis import tables
from gis.crs import LONLAT, transformation
from gis.errors import QueryError
from gis.features import find_layer
from gis.kernel import ZoneSet
from gis.revisions import alive
from gis.screening.request import checked_geometry, moved
from gis.settings import MapDefinition, Settings
from gis.siteinput import site_from_json

__all__ = ["MOST_ROWS", "MOST_ROWS_AT_ONCE", "Place", "Rows", "read_rows", "site_in_plane"]

MOST_ROWS_AT_ONCE = 20_000
MOST_ROWS = 500_000

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Place:
    """``waited_for`` is whether somebody waits for the answer: then less may be asked at once."""

    engine: Engine
    definition: MapDefinition
    settings: Settings
    waited_for: bool = True
    progress: Progress = lambda _phase, _done, _total: None

    @property
    def most_rows(self) -> int:
        """The most rows that may be measured."""
        return MOST_ROWS_AT_ONCE if self.waited_for else MOST_ROWS


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a layer: names, geometries in the measuring plane, and what could not be measured."""

    layer: str
    uids: np.ndarray[Any, Any]
    geoms: np.ndarray[Any, Any]
    skipped: tuple[str, ...]

    def zones(self) -> ZoneSet:
        """The rows ready to be asked."""
        return ZoneSet.prepare(self.geoms, check=False)


def site_in_plane(place: Place, site: Mapping[str, Any]) -> shapely.Geometry:
    """A site as clients write it (GeoJSON in lon/lat, or wkt and crs) in the measuring plane.

    Raises ScreeningError for what is no site, is invalid or has too many vertices, CrsError for its CRS.
    """
    geometry, crs = site_from_json(site)
    whole = checked_geometry(shapely.force_2d(geometry), place.settings.max_vertices)
    return moved(whole, crs, place.definition.district.measuring_crs, place.definition)


def read_rows(
    conn: Connection,
    place: Place,
    layer_id: str,
    rev: int,
    *,
    near: shapely.Geometry | None = None,
    within_m: float = 0.0,
    nearest_to: shapely.Geometry | None = None,
    limit: int | None = None,
) -> Rows:
    """Rows of a layer at revision ``rev`` that have a geometry, in order of uid.

    Parameters
    ----------
    near : geometry, optional
        In the measuring plane: only rows whose boxes lie within ``within_m`` of its box.
    nearest_to : geometry, optional
        In the measuring plane: the ``limit`` rows about nearest to it.

    Raises
    ------
    NotFound, QueryError
        For a layer that is not there, has no geometry, or has more rows than `Place.most_rows`.
    """
    layer = find_layer(place.definition, layer_id)
    if not layer.has_geometry:
        raise QueryError(f"Layer {layer.id!r} has no geometry.", f"图层“{layer.id}”没有几何。")
    district = place.definition.district
    table = tables.table_for(layer, district.storage_crs)
    most = place.most_rows
    query = select(table.c.uid, func.ST_AsBinary(table.c.geom)).where(
        alive(table, rev), table.c.geom.is_not(None)
    )
    if near is not None:
        query = query.where(_box_meets(place, table, near, within_m))
    if nearest_to is not None:
        there = func.ST_GeomFromWKB(shapely.to_wkb(_stored(place, nearest_to)), district.storage_crs)
        query = query.order_by(table.c.geom.op("<->")(there)).limit(limit)
    else:
        query = query.order_by(table.c.uid.collate("C")).limit(most + 1)
    found = conn.execute(query).all()
    if len(found) > most:
        raise _too_many(layer.id, most, place.waited_for)
    uids = np.array([row[0] for row in found], dtype=object)
    geoms = shapely.from_wkb(np.array([bytes(row[1]) for row in found], dtype=object))
    to_plane = transformation(district.storage_crs, district.measuring_crs, district.extent)
    plane = to_plane.geometries(np.asarray(geoms, dtype=object).reshape(-1))
    good = shapely.is_valid(plane) & ~shapely.is_empty(plane)
    return Rows(layer.id, uids[good], plane[good], tuple(str(uid) for uid in uids[~good]))


def _too_many(layer: str, most: int, waited_for: bool) -> QueryError:
    en, zh = f"Layer {layer!r} has more than {most} rows there.", f"图层“{layer}”在该处超过 {most} 行。"
    if waited_for:
        job_en, job_zh = (
            ", or as a job (Prefer: respond-async)",
            "，或以任务方式执行（Prefer: respond-async）",
        )
    else:
        job_en = job_zh = ""
    return QueryError(
        en, zh, remedy_en=f"Ask for a smaller place{job_en}.", remedy_zh=f"请缩小范围{job_zh}。"
    )


def _box_meets(place: Place, table: Table, near: shapely.Geometry, within_m: float) -> ColumnElement[bool]:
    west, south, east, north = shapely.bounds(near)
    reach = max(within_m, 1.0)  # the box of a point must have sides
    grown = shapely.box(west - reach, south - reach, east + reach, north + reach)
    side = max(grown.bounds[2] - grown.bounds[0], grown.bounds[3] - grown.bounds[1], 1.0)
    stored = shapely.bounds(_stored(place, shapely.segmentize(grown, side / 16)))
    if not np.isfinite(stored).all():
        raise QueryError("The place reaches beyond the measuring CRS.", "范围超出量测坐标系。")
    slack = 1e-3 * np.array([stored[2] - stored[0], stored[3] - stored[1]]).max() + 1e-9
    box = func.ST_MakeEnvelope(
        float(stored[0] - slack), float(stored[1] - slack), float(stored[2] + slack),
        float(stored[3] + slack), place.definition.district.storage_crs,
    )  # fmt: skip
    meets: ColumnElement[bool] = table.c.geom.op("&&")(box)
    return meets


def _stored(place: Place, geometry: shapely.Geometry) -> shapely.Geometry:
    """A geometry of the measuring plane in the storage CRS."""
    district = place.definition.district
    used = transformation(district.measuring_crs, district.storage_crs, district.extent)
    stored: shapely.Geometry = used.geometries(np.array([geometry], dtype=object))[0]
    return stored


def to_lonlat(place: Place, geometry: shapely.Geometry) -> shapely.Geometry:
    """A geometry of the measuring plane in degrees, x,y order."""
    district = place.definition.district
    used = transformation(district.measuring_crs, LONLAT, district.extent)
    lonlat: shapely.Geometry = used.geometries(np.array([geometry], dtype=object))[0]
    return lonlat
