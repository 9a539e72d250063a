"""What the other parts stand on: planes, rounding, the shared base data, and files of steady bytes.

Shapes are made in metres (EPSG:4549, x = easting, y = northing) and written in degrees (EPSG:4490, lon,lat),
rounded to six decimals, about a tenth of a metre.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely import Point
from shapely.geometry.base import BaseGeometry

SEED = 20261121
Row = dict[str, Any]

_TO_METRES = Transformer.from_crs(4490, 4549, always_xy=True)
_DECIMALS = 6


def rng(topic: str) -> Random:
    """The random numbers of one topic; another topic's use of its own changes none of them."""
    return Random(f"{SEED}/{topic}")


def _warp(transform: Callable[..., Any]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda xy: np.column_stack(transform(xy[:, 0], xy[:, 1]))


def metres(geometry: BaseGeometry) -> BaseGeometry:
    """Degrees (EPSG:4490) to metres (EPSG:4549), vertex by vertex."""
    return shapely.transform(geometry, _warp(_TO_METRES.transform))


def degrees(geometry: BaseGeometry) -> BaseGeometry:
    """Metres to rounded degrees. Vertex by vertex, so that neighbours which share an edge still do."""

    def back(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        lonlat = np.column_stack(_TO_METRES.transform(xy[:, 0], xy[:, 1], direction="INVERSE"))
        return np.round(lonlat, _DECIMALS)

    return shapely.transform(geometry, back)


def metre_point(lon: float, lat: float) -> Point:
    """A point given in degrees, in metres."""
    return Point(*_TO_METRES.transform(lon, lat))


def polygons(geometry: BaseGeometry) -> BaseGeometry:
    """The polygons of a geometry as one MultiPolygon; points and lines that an overlay left are dropped."""
    parts = [p for p in shapely.get_parts(geometry) if p.geom_type == "Polygon" and p.area > 0]
    return shapely.MultiPolygon(parts)


def settled(geometry: BaseGeometry) -> BaseGeometry:
    """The geometry (metres) as it is if it stays valid once rounded; else without necks under 2 m."""
    if degrees(geometry).is_valid:
        return geometry
    return polygons(geometry.buffer(-1, join_style="mitre").buffer(1, join_style="mitre"))


@dataclass(frozen=True)
class Seat:
    """A township seat in metres."""

    code: str
    town: str
    county: str
    point: Point


@dataclass(frozen=True)
class Base:
    """The real geography that all else is placed by, in metres: counties by name, seats, river courses."""

    folder: Path
    counties: Mapping[str, BaseGeometry]
    codes: Mapping[str, str]
    seats: Mapping[str, Seat]
    rivers: Mapping[str, BaseGeometry]

    def union(self, *names: str) -> BaseGeometry:
        """The counties called ``names`` as one geometry."""
        return shapely.union_all([self.counties[name] for name in names])

    def county_of(self, point: BaseGeometry) -> str:
        """The county a point lies in; the nearest one for a point outside all of them."""
        return min(self.counties, key=lambda name: (self.counties[name].distance(point), name))

    def seat_near(self, point: BaseGeometry) -> Seat | None:
        """The nearest seat in the county a point lies in; None where no seat of that county is open."""
        county = self.county_of(point)
        inside = [seat for seat in self.seats.values() if seat.county == county]
        return min(inside, key=lambda seat: (seat.point.distance(point), seat.code), default=None)


def read_geojson(path: Path) -> list[tuple[Row, BaseGeometry]]:
    """Properties and geometry of each feature, coordinates as in the file."""
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    return [(f["properties"], shapely.from_geojson(json.dumps(f["geometry"]))) for f in features]


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a header."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def read_base(folder: Path) -> Base:
    """Counties, township seats and river courses of the open data in ``folder``."""
    counties = read_geojson(folder / "jinhua_county_tianditu_cgcs2000.geojson")
    seats = [
        Seat(row["code"], row["town"], row["county"], metre_point(float(row["lon"]), float(row["lat"])))
        for row in read_csv(folder / "jinhua_township_seats_geonames.csv")
    ]
    lines = read_geojson(folder / "zj_wdbii_rivers_full.geojson")
    return Base(
        folder,
        {row["name"]: metres(polygons(geometry)) for row, geometry in counties},
        {row["name"]: row["adcode"] for row, _ in counties},
        {seat.town: seat for seat in seats},
        {row["id"]: metres(geometry) for row, geometry in lines},
    )


def _checked(geometry: BaseGeometry, what: object) -> BaseGeometry:
    """The geometry with rings in the order of RFC 7946; a broken one stops the making."""
    reason = shapely.is_valid_reason(geometry)
    if reason != "Valid Geometry" or geometry.is_empty:
        raise ValueError(f"{what}: {reason if not geometry.is_empty else 'empty geometry'}")
    return shapely.orient_polygons(geometry, exterior_cw=False)


def write_geojson(path: Path, rows: Sequence[Row]) -> None:
    """Rows with their geometry (degrees) under "geom" and their identifier under "id", one feature a line."""
    lines = []
    for row in rows:
        properties = {k: v for k, v in row.items() if k not in ("id", "geom")}
        feature = {
            "type": "Feature",
            "id": row["id"],
            "properties": properties,
            "geometry": json.loads(shapely.to_geojson(_checked(row["geom"], row["id"]))),
        }
        lines.append(json.dumps(feature, ensure_ascii=False, separators=(",", ":")))
    body = ",\n".join(lines)
    path.write_text(
        f'{{"type":"FeatureCollection","features":[\n{body}\n]}}\n', encoding="utf-8", newline="\n"
    )


def write_csv(path: Path, rows: Iterable[Row]) -> None:
    """Rows of equal keys; None becomes an empty cell, true and false are written in small letters."""
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: str(v).lower() if isinstance(v, bool) else v for k, v in row.items()})
