"""Seeded worlds: zones, coverages and subjects, drawn near to where verdicts change.

Zones are those of the demonstration and others on top of them: with holes, in several parts, cut in two along
a line (a seam), thinner than an error, of other accuracy. Subjects are points, lines and polygons at, and an
error or the distance of a rule away from, boundaries of zones and coverages; some share an edge with a zone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import shapely
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry
from shapely.ops import split

from layers.model import Field, Layer

__all__ = ["DrawnLayer", "draw_subjects", "draw_zones"]

Rng = np.random.Generator
ERRORS = [0.0, 0.0, 2.0, 5.0, 20.0, 60.0]
DISTANCES = [0.0, 0.0, 0.0, 50.0, 100.0, 300.0, 500.0, 1000.0]
"""Metres: a subject lies so far from a boundary, more or less its error."""
ASKED: dict[str, list[Any]] = {
    "industry_code": ["0311", "A0322", "2614", "C2911", "6210", "H6220", "C2211", "3360", "1761"],
    "approval_no": ["none", "无", "浙环审〔2024〕1号"],
    "eia_protection_distance_m": [0.0, 50.0, 100.0, 100.0, 300.0],
    "capacity_t_h": [4.0, 20.0, 35.0],
    "sulphur_pct": [0.4, 0.5, 0.8],
    "ash_pct": [8.0, 10.0, 15.0],
    "fuel": ["coal", "coal_products", "biomass_pellet", "petcoke", "natural_gas"],
}
"""What is drawn of fields that are neither codes nor yes or no, or of which rules ask but some codes."""
DECIDED = {"fuel_banned_in_category", "heavy_water_pollution", "in_unit_negative_list"}
"""What a table decides where it is missing, so it often is."""
NUDGES = [0.0, 0.0, 0.1, -0.1, 3.0, -3.0, 40.0, -40.0]


@dataclass(frozen=True)
class DrawnLayer:
    """Zones or subjects; accuracy NaN is not known, an attribute None is missing. Metres of the plane."""

    places: Sequence[BaseGeometry]
    accuracy: Sequence[float]
    attributes: Mapping[str, Sequence[Any]]
    coverage: BaseGeometry | None = None

    def __len__(self) -> int:
        return len(self.places)


def blob(rng: Rng, middle: Any, radius: float) -> BaseGeometry:
    """A star-shaped polygon, now and then with a hole."""
    corners = int(rng.integers(4, 14))
    angle = (np.arange(corners) + rng.uniform(0, 0.8, corners)) * 2 * np.pi / corners
    around = np.stack([np.cos(angle), np.sin(angle)], axis=1) * rng.uniform(0.5, 1, (corners, 1))
    shape = shapely.Polygon(np.asarray(middle) + radius * around)
    return shape if rng.random() < 0.6 else shape.difference(shape.centroid.buffer(radius / 6))


def strip(rng: Rng, middle: Any, length: float) -> BaseGeometry:
    """A long polygon, thinner than many an error."""
    line = shapely.LineString([(-length / 2, 0), (0, length / 9), (length / 2, 0)])
    turned = shapely.affinity.rotate(line.buffer(rng.uniform(5, 60), cap_style="flat"), rng.uniform(0, 180))
    return translate(turned, *middle)


def draw_zones(rng: Rng, near: Sequence[BaseGeometry], count: int) -> list[BaseGeometry]:
    """Some ``count`` polygons near others."""
    found: list[BaseGeometry] = []
    while len(found) < count:
        middle = place_on(rng, near[int(rng.integers(len(near)))])[0] + rng.normal(0, 600, 2)
        radius = float(rng.uniform(80, 1200))
        match int(rng.integers(4)):
            case 0:
                found.append(blob(rng, middle, radius))
            case 1:
                found.append(strip(rng, middle, 3 * radius))
            case 2:
                found.append(
                    shapely.MultiPolygon(
                        [blob(rng, middle, radius), blob(rng, middle + np.array([3 * radius, 0]), radius)]
                    )
                )
            case _:  # neighbours with a seam between them
                far = 2 * radius * np.array([np.cos(radius), np.sin(radius)])
                cut = shapely.LineString([middle - far, middle + far])
                found.extend(shapely.get_parts(split(blob(rng, middle, radius), cut)))
    return [shapely.multipolygons([shape]) if shape.geom_type == "Polygon" else shape for shape in found]


def place_on(rng: Rng, zone: BaseGeometry) -> tuple[Any, Any]:
    """A place on the outline of a zone, half of the time a vertex, and the direction out of it or into it."""
    outline = zone.boundary if zone.geom_type.endswith("Polygon") else zone
    if outline.is_empty or outline.geom_type == "Point":
        angle = rng.uniform(0, 2 * np.pi)
        return np.array(zone.representative_point().coords[0]), np.array([np.cos(angle), np.sin(angle)])
    run = shapely.get_parts(outline)
    line = run[int(rng.choice(len(run), p=shapely.length(run) / shapely.length(run).sum()))]
    xy = shapely.get_coordinates(line)
    at = int(rng.integers(len(xy) - 1))
    along = xy[at + 1] - xy[at]
    normal = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-9)
    start = xy[at] if rng.random() < 0.3 else xy[at] + rng.random() * along
    return start, normal * rng.choice([-1, 1])


def draw_subjects(
    rng: Rng, count: int, zones: Sequence[BaseGeometry], rims: Sequence[BaseGeometry],
    layer: Layer, law_date: date,
) -> DrawnLayer:  # fmt: skip
    """Subjects near the boundaries of ``zones``, a few near ``rims``, with attributes of ``layer``."""
    places, accuracy = [], []
    for _ in range(count):
        zone = (
            zones[int(rng.integers(len(zones)))] if rng.random() < 0.9 else rims[int(rng.integers(len(rims)))]
        )
        error = float(rng.choice([*ERRORS, 15.0, 200.0]))
        places.append(_subject(rng, zone, error))
        accuracy.append(error if rng.random() > 0.04 else float("nan"))
    return DrawnLayer(places, accuracy, attributes(rng, layer, count, law_date))


def _subject(rng: Rng, zone: BaseGeometry, error: float) -> BaseGeometry:
    at, out = place_on(rng, zone)
    off = float(rng.choice(DISTANCES)) + rng.choice([0, 0, 1, -1]) * (error + rng.choice(ERRORS))
    at = at + out * (off + float(rng.choice(NUDGES)))
    kind = rng.random()
    if kind < 0.45:
        return shapely.Point(at)
    size = float(rng.choice([8.0, 40.0, 150.0, 500.0]))
    if kind < 0.65:
        return shapely.LineString(np.array([at, at + out * size, at + out * size + rng.normal(0, size, 2)]))
    if kind < 0.75 and zone.geom_type.endswith("Polygon"):
        return _neighbour(rng, zone, size)
    across = np.array([-out[1], out[0]])
    corners = [at - across * size / 2, at + across * size / 2, at + across * size / 2 + out * size]
    return shapely.Polygon([*corners, at - across * size / 3 + out * size * rng.uniform(0.5, 1.5)])


def _neighbour(rng: Rng, zone: BaseGeometry, size: float) -> BaseGeometry:
    """A triangle on an edge of the zone, on either side."""
    rings = shapely.get_rings(shapely.get_parts(zone))
    xy = shapely.get_coordinates(rings[int(rng.integers(len(rings)))])
    a, b = xy[(at := int(rng.integers(len(xy) - 1)))], xy[at + 1]
    along = b - a
    normal = np.array([along[1], -along[0]]) / max(float(np.hypot(*along)), 1e-9)
    triangle = shapely.Polygon([a, b, (a + b) / 2 + normal * size * rng.choice([-1, 1])])
    return triangle if triangle.is_valid and triangle.area > 1 else shapely.Point(a)


def attributes(rng: Rng, layer: Layer, count: int, law_date: date) -> dict[str, list[Any]]:
    """A value for each field of the layer that has codes, is yes or no, or that rules ask; some missing."""
    return {
        field.name: [
            None if rng.random() < (0.5 if field.name in DECIDED else 0.12) else draw(rng)
            for _ in range(count)
        ]
        for field in layer.fields
        if (draw := _values(field, law_date)) is not None
    }


def _values(field: Field, law_date: date) -> Callable[[Rng], Any] | None:
    days = [law_date + timedelta(days) for days in (-400, -1, 0, 1, 400)]
    choices: Sequence[Any]
    if field.name in ASKED:
        choices = ASKED[field.name]
    elif field.type == "enum":
        choices = [value.code for value in field.code_list]
    elif field.type == "boolean":
        choices = [True, True, False]
    elif field.type == "date":
        choices = days
    else:
        return None
    return lambda rng: choices[int(rng.integers(len(choices)))]
