"""Demonstration zones of the smaller themes: banks and shores, water and air, places to keep quiet, parks.

As honest as `zones`: every row is indicative, called 演示 (demo), and says nothing about a real place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from .frame import Base, Row, metre_point, rng
from .shapes import blob, inside, reach
from .zones import JINDONG, NOTE, YONGKANG, Zones, along, clip, rows_of, yongkang_river

Shapes = list[tuple[str, BaseGeometry, Mapping[str, Any]]]


def further_zones(base: Base, zones: Zones) -> Zones:
    """The rows of further layers by layer id, geometry in metres under "geom"."""
    return {
        "river_lines": _river_lines(base),
        "shoreline_zones": _shoreline_zones(base),
        "water_function_zones": _water_function_zones(base),
        "air_function_zones": _air_function_zones(base, zones),
        "noise_sensitive_areas": _noise_sensitive_areas(base),
        "built_up_areas": _built_up_areas(base),
        "residential_buildings": _residential_buildings(base),
        "enterprise_protection_areas": _enterprise_protection_areas(base),
        "parks": _parks(base, zones),
    }


def _river_lines(base: Base) -> list[Row]:
    """One line a river: of Yongkang's without levees, of Jindong's with them."""
    lines = (
        (YONGKANG, yongkang_river(base), {"river_level": "county_up", "plain": True, "levee": False}),
        (JINDONG, base.rivers["19112"], {"river_level": "flood", "plain": True, "levee": True}),
    )
    shapes: Shapes = []
    for county, line, given in lines:
        kept = shapely.get_parts(line.simplify(5).intersection(base.counties[county]))
        shapes.append((f"{county}河道岸线", shapely.MultiLineString(list(kept)), given))
    return rows_of(base, "river_lines", shapes, 20.0)


def _shoreline_zones(base: Base) -> list[Row]:
    topic, line = rng("shoreline_zones"), yongkang_river(base)
    at = along(line, 120.051, 28.832)
    parts = (
        ("protection", "保护区", -1500, 600),
        ("reserve", "保留区", 1200, 2600),
        ("use", "开发利用区", 3200, 5000),
    )
    shapes = [
        (
            f"岸线{title}",
            clip(reach(line, at + a, at + b, 120, topic), base.counties[YONGKANG]),
            {"shore_class": kind},
        )
        for kind, title, a, b in parts
    ]
    return rows_of(base, "shoreline_zones", shapes, 30.0)


def _water_function_zones(base: Base) -> list[Row]:
    """Reaches that miss their target, that keep it, and one of which nobody says."""
    topic = rng("water_function_zones")
    shapes: Shapes = []
    for county, line, lon, lat, attains in (
        (YONGKANG, yongkang_river(base), 120.07, 28.86, False),
        (YONGKANG, yongkang_river(base), 120.02, 28.90, True),
        (JINDONG, base.rivers["19112"], 119.90, 29.17, None),
    ):
        at = along(line, lon, lat)
        shape = clip(reach(line, at - 1500, at + 1500, 130, topic), base.counties[county])
        shapes.append((f"水功能区{len(shapes) + 1}", shape, {"target_class": "3", "attains": attains}))
    return rows_of(base, "water_function_zones", shapes, 30.0)


def _air_function_zones(base: Base, zones: Zones) -> list[Row]:
    """Class 1 where the demonstration has reserves; the rest of the coverage is class 2 without a row."""
    shapes: Shapes = []
    for county in (YONGKANG, JINDONG):
        inside_ = [r["geom"] for r in zones["nature_reserves"] if r["county"] == county]
        shape = shapely.union_all(inside_).simplify(40)
        shapes.append((f"{county}环境空气一类区", clip(shape, base.counties[county]), {"air_class": "1"}))
    return rows_of(base, "air_function_zones", shapes, 100.0)


def _blobs(base: Base, topic: str, title: str, towns: Mapping[str, Row], radius: float, off: float) -> Shapes:
    """A blob near the seat of each town, with its attributes."""
    random = rng(topic)
    shapes: Shapes = []
    for town, given in towns.items():
        seat = base.seats[town]
        at = inside(seat.point.buffer(off), random)
        shape = blob(at, radius, random, stretch=1.4, turn=random.uniform(0, 180))
        shapes.append((f"{town}{title}", clip(shape, base.counties[seat.county]), given))
    return shapes


def _noise_sensitive_areas(base: Base) -> list[Row]:
    towns: Mapping[str, Row] = {town: {} for town in ("江南街道", "古山镇", "多湖街道")}
    shapes = _blobs(base, "noise_sensitive_areas", "噪声敏感建筑物集中区", towns, 420, 1200)
    return rows_of(base, "noise_sensitive_areas", shapes, 20.0)


def _built_up_areas(base: Base) -> list[Row]:
    towns: Mapping[str, Row] = {
        "江南街道": {"kind": "town"}, "芝英镇": {"kind": "town"}, "象珠镇": {"kind": "village"},
        "孝顺镇": {"kind": "town"}, "曹宅镇": {"kind": "village"},
    }  # fmt: skip
    return rows_of(
        base, "built_up_areas", _blobs(base, "built_up_areas", "人口集中区", towns, 700, 300), 30.0
    )


def _residential_buildings(base: Base) -> list[Row]:
    """Blocks large enough that a point can lie inside by more than the errors."""
    topic = rng("residential_buildings")
    shapes: Shapes = []
    for town, kind in (("江南街道", "residential"), ("东城街道", "mixed_no_flue"), ("多湖街道", "adjacent")):
        at = inside(base.seats[town].point.buffer(700), topic)
        block = shapely.affinity.rotate(
            shapely.box(at.x - 60, at.y - 45, at.x + 60, at.y + 45), topic.uniform(0, 90)
        )
        shapes.append((f"{town}住宅楼", block, {"kind": kind}))
    return rows_of(base, "residential_buildings", shapes, 10.0)


def _enterprise_protection_areas(base: Base) -> list[Row]:
    topic = rng("enterprise_protection_areas")
    places = ((YONGKANG, 120.062, 28.918, 400.0), (JINDONG, 119.89, 29.18, 300.0))
    shapes: Shapes = [
        (f"企业防护区{i}", clip(blob(metre_point(lon, lat), metres, topic), base.counties[county]),
         {"basis": "atmospheric", "distance_m": metres})
        for i, (county, lon, lat, metres) in enumerate(places, start=1)
    ]  # fmt: skip
    return rows_of(base, "enterprise_protection_areas", shapes, 20.0)


def _parks(base: Base, zones: Zones) -> list[Row]:
    """Two parks within zero-direct-discharge areas and one outside them."""
    topic = rng("parks")
    served = [row["geom"] for row in zones["zero_discharge_areas"] if row["kind"] == "park"]
    shapes: Shapes = [
        (f"工业园区{i}", area.buffer(-40).simplify(10), {}) for i, area in enumerate(served, start=1)
    ]
    apart = blob(base.seats["古山镇"].point, 800, topic, stretch=1.3)
    shapes.append((f"工业园区{len(shapes) + 1}", clip(apart, base.counties[YONGKANG]), {}))
    rows = rows_of(base, "parks", shapes, 30.0)
    return [{**row, "park_id": row["id"].upper(), "note": NOTE} for row in rows]
