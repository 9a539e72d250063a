"""Demonstration zones: what no open data exist for, drawn from real rivers, seats and counties.

Every row is indicative, belongs to a source marked as demonstration, is called 演示 (demo) and names no
approval. The shapes follow the manner of the real ones (a river reach with its banks, a reservoir with its
catchment, hill ranges with villages left out) so that the map and the rules can be tried; they say nothing
about real places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from .frame import Base, Row, degrees, metre_point, polygons, rng, settled, write_geojson
from .shapes import blob, gathered, inside, partition, reach, wander

NOTE = "演示数据，非真实区划 | Demonstration data, not a real zone"
YONGKANG, JINDONG, WUYI = "永康市", "金东区", "武义县"
# Counties for which the demonstration states water, red lines and reserves; elsewhere nothing is known.
WIDE = (YONGKANG, JINDONG, WUYI, "婺城区", "义乌市", "东阳市", "兰溪市")

Zones = Mapping[str, list[Row]]


def make_zones(base: Base) -> Zones:
    """The rows of each demonstration zone layer by layer id, geometry in metres under "geom"."""
    zones: dict[str, list[Row]] = {}
    zones["lakes"], water, intakes = _water(base)
    zones["water_source_zones"], zones["water_intakes"] = water, intakes
    zones["rivers"] = _rivers(base)
    zones["nature_reserves"] = _nature_reserves(base)
    zones["urban_boundary"] = _urban_boundary(base)
    zones["eco_redlines"] = _eco_redlines(base, zones)
    zones["fuel_ban_zones"] = _fuel_ban_zones(base)
    zones["heat_grid_areas"] = _heat_grid_areas(base)
    zones["river_scope"] = _river_scope(base)
    zones["basic_farmland"] = _basic_farmland(base, zones)
    zones["control_units"] = _control_units(base)
    zones["env_function_zones"] = _env_function_zones(base)
    zones["zero_discharge_areas"] = _zero_discharge_areas(base)
    zones["noise_zones"] = _noise_zones(base)
    zones["sensitive_receptors"] = _sensitive_receptors(base)
    zones["grids"] = _grids(base)
    return zones


def write_zones(base: Base, zones: Zones, out: Path) -> None:
    """A file for each zone layer, and the coverage polygons that the loads name."""
    for layer, rows in zones.items():
        write_geojson(out / f"demo_{layer}.geojson", [{**row, "geom": degrees(row["geom"])} for row in rows])
    for name, counties in (("wide", WIDE), ("two_counties", (YONGKANG, JINDONG)), ("yongkang", (YONGKANG,))):
        covered = {
            "id": f"coverage-{name}",
            "name": "、".join(counties),
            "geom": degrees(base.union(*counties)),
        }
        write_geojson(out / f"coverage_{name}.geojson", [covered])


def rows_of(
    base: Base, layer: str, shapes: Sequence[tuple[str, BaseGeometry, Mapping[str, Any]]], accuracy: float
) -> list[Row]:
    """Finished rows of (name, geometry, attributes); polygons become multi-polygons."""
    rows: list[Row] = []
    for name, geometry, attributes in shapes:
        areal = geometry.area > 0
        rows.append(
            {
                "id": f"demo-{layer}-{len(rows) + 1:02d}",
                "name": f"演示{name} (demo)",
                **attributes,
                "county": base.county_of(geometry.point_on_surface()),
                "note": NOTE,
                "accuracy_m": accuracy,
                "is_indicative": True,
                "geom": settled(polygons(geometry)) if areal else geometry,
            }
        )
    return rows


def clip(geometry: BaseGeometry, area: BaseGeometry) -> BaseGeometry:
    """The part inside ``area``, without the crumbs a border leaves."""
    kept = [p for p in shapely.get_parts(polygons(geometry.intersection(area))) if p.area > 2_000]
    return shapely.MultiPolygon(kept)


def yongkang_river(base: Base) -> BaseGeometry:
    """The course through Yongkang and Wuyi, from its upper end down (lines of the source that follow on)."""
    return shapely.line_merge(
        shapely.union_all([base.rivers[i] for i in ("19188", "19191", "19189")]), directed=True
    )


def _rivers(base: Base) -> list[Row]:
    """The two courses that the intakes and outfalls lie on, as if they had been surveyed."""
    courses = (("河段A", ("19188", "19191", "19189", "19113")), ("河段C", ("19114", "19112")))
    shapes = [
        (name, shapely.line_merge(shapely.union_all([base.rivers[i] for i in ids]), directed=True), {})
        for name, ids in courses
    ]
    rows = rows_of(base, "rivers", shapes, 10.0)
    return [
        {k: v for k, v in row.items() if k != "county"} | {"geom": shapely.multilinestrings([row["geom"]])}
        for row in rows
    ]


def along(line: BaseGeometry, lon: float, lat: float) -> float:
    """The distance along ``line`` of its nearest point to a place in degrees."""
    return float(line.project(metre_point(lon, lat)))


def _water(base: Base) -> tuple[list[Row], list[Row], list[Row]]:
    """Reservoir, protection zones and intakes: two river reaches, one reservoir, three rural sources."""
    topic = rng("water")
    lake, lake_zones, lake_intake = _reservoir(base, topic)
    south = yongkang_river(base)
    north = base.rivers["19112"]
    at_south, at_north = along(south, 120.051, 28.832), along(north, 119.862, 29.172)
    shapes = [
        *_river_source("A", south, at_south, base.counties[YONGKANG], topic),
        *lake_zones,
        *_river_source("C", north, at_north, base.counties[JINDONG], topic),
        *_rural_sources(base, topic),
    ]
    intakes = [
        ("水源地A取水口", south.interpolate(at_south), {"water_body": "演示河段A", "capacity_m3_d": 60000.0}),
        ("水源地B取水口", lake_intake, {"water_body": "演示水库B", "capacity_m3_d": 90000.0}),
        ("水源地C取水口", north.interpolate(at_north), {"water_body": "演示河段C", "capacity_m3_d": 45000.0}),
    ]
    in_use = [(name, point, {**given, "in_use": True}) for name, point, given in intakes]
    lakes = [("水库B", lake, {"area_km2": round(lake.area / 1e6, 2)})]
    named = [{k: v for k, v in row.items() if k != "county"} for row in rows_of(base, "lakes", lakes, 30.0)]
    return (
        named,
        rows_of(base, "water_source_zones", shapes, 30.0),
        rows_of(base, "water_intakes", in_use, 20.0),
    )


def _river_source(
    name: str, line: BaseGeometry, intake: float, area: BaseGeometry, topic: Random
) -> list[tuple[str, BaseGeometry, Mapping[str, Any]]]:
    """Grades 1, 2 and quasi around an intake, lengths and depths in the manner of HJ 338-2018."""
    first = reach(line, intake - 1200, intake + 150, 110, topic)
    second = reach(line, intake - 3600, intake + 450, 560, topic).difference(first)
    outer = reach(line, intake - 7200, intake + 450, 950, topic).difference(first.union(second))
    given = {"water_body": f"演示河段{name}", "source_kind": "river"}
    return [
        (f"水源地{name}一级保护区", clip(first, area), {"grade": "1", **given}),
        (f"水源地{name}二级保护区", clip(second, area), {"grade": "2", **given}),
        (f"水源地{name}准保护区", clip(outer, area), {"grade": "quasi", **given}),
    ]


def _reservoir(
    base: Base, topic: Random
) -> tuple[BaseGeometry, list[tuple[str, BaseGeometry, Mapping[str, Any]]], BaseGeometry]:
    """A reservoir with arms in the northern hills of Yongkang, its zones, and the intake near its dam."""
    dam = metre_point(120.118, 29.022)
    area = base.counties[YONGKANG]
    arms = [wander(dam, heading, length, topic) for heading, length in ((80, 2900), (125, 2100), (38, 1800))]
    water = shapely.union_all([reach(arm, 0, arm.length, 150 + 40 * i, topic) for i, arm in enumerate(arms)])
    lake = clip(water.union(blob(dam, 420, topic, stretch=1.6)).simplify(8), area)
    first = lake.buffer(200, quad_segs=6).simplify(6)
    second = gathered(lake.centroid, 2300, topic, lobes=6, holes=0).union(first.buffer(150))
    given = {"water_body": "演示水库B", "source_kind": "lake"}
    zones: list[tuple[str, BaseGeometry, Mapping[str, Any]]] = [
        ("水源地B一级保护区", clip(first, area), {"grade": "1", **given}),
        ("水源地B二级保护区", clip(second.difference(first), area), {"grade": "2", **given}),
        ("水源地B准保护区", clip(second.buffer(900).difference(second), area), {"grade": "quasi", **given}),
    ]
    return lake, zones, dam


def _rural_sources(base: Base, topic: Random) -> list[tuple[str, BaseGeometry, Mapping[str, Any]]]:
    places = ((YONGKANG, 119.962, 28.955), (YONGKANG, 120.148, 28.882), (JINDONG, 119.772, 29.232))
    return [
        (
            f"农村水源{i}保护范围",
            clip(blob(metre_point(lon, lat), 520, topic, stretch=1.5, turn=40 * i), base.counties[county]),
            {"grade": "rural", "water_body": f"演示山塘{i}", "source_kind": "ground"},
        )
        for i, (county, lon, lat) in enumerate(places, start=1)
    ]


def _nature_reserves(base: Base) -> list[Row]:
    topic = rng("nature_reserves")
    shapes: list[tuple[str, BaseGeometry, Mapping[str, Any]]] = []
    for name, county, lon, lat, radius in (
        ("自然保护区甲", YONGKANG, 120.226, 28.918, 2600),
        ("自然保护区乙", WUYI, 119.62, 28.62, 6200),
    ):
        area = base.counties[county]
        whole = clip(gathered(metre_point(lon, lat), radius, topic, lobes=5, holes=1), area)
        core = clip(gathered(metre_point(lon, lat), radius * 0.45, topic, lobes=3, holes=0), whole)
        shapes.append((f"{name}核心保护区", core, {"control": "core", "type": "nature_reserve"}))
        shapes.append(
            (f"{name}一般控制区", whole.difference(core), {"control": "general", "type": "nature_reserve"})
        )
    park = clip(gathered(metre_point(119.80, 29.262), 2400, topic, lobes=6, holes=2), base.counties[JINDONG])
    shapes.append(("山地自然公园", park, {"control": "general", "type": "nature_park"}))
    line = base.rivers["19112"]
    at = along(line, 119.79, 29.115)
    wet = clip(reach(line, at - 1900, at + 1900, 260, topic), base.counties[JINDONG])
    shapes.append(("沿江湿地公园", wet, {"control": "general", "type": "wetland_park"}))
    return rows_of(base, "nature_reserves", shapes, 30.0)


def _eco_redlines(base: Base, zones: Zones) -> list[Row]:
    """Core reserves as core rows; the reservoir's banks and hill ranges as the rest.

    Red lines, urban boundary and basic farmland do not overlap, as the rules for the three lines want it.
    """
    topic = rng("eco_redlines")
    shapes: list[tuple[str, BaseGeometry, Mapping[str, Any]]] = []
    cores = [row["geom"] for row in zones["nature_reserves"] if row["control"] == "core"]
    for i, core in enumerate(cores, start=1):
        shapes.append((f"红线 核心保护区{i}", core, {"is_core_reserve": True, "kind": "biodiversity"}))
    banks = next(
        r["geom"] for r in zones["water_source_zones"] if r["grade"] == "1" and r["source_kind"] == "lake"
    )
    shapes.append(("红线 水库水源涵养区", banks, {"is_core_reserve": False, "kind": "water_conservation"}))
    ranges = (
        (YONGKANG, 120.222, 28.915, 3000, "biodiversity", False),
        (YONGKANG, 120.165, 28.797, 2300, "soil_conservation", False),
        (YONGKANG, 119.945, 28.985, 2100, "erosion", False),
        (JINDONG, 119.81, 29.272, 3200, "water_conservation", False),
        (JINDONG, 119.86, 29.075, 1500, "soil_conservation", False),
        (WUYI, 119.62, 28.63, 7200, "biodiversity", False),
        (WUYI, 119.86, 28.80, 2600, "soil_conservation", None),
        ("婺城区", 119.45, 28.87, 6400, "water_conservation", False),
        ("兰溪市", 119.66, 29.40, 3600, "water_conservation", False),
        ("义乌市", 120.12, 29.40, 3300, "soil_conservation", False),
        ("东阳市", 120.52, 29.38, 4600, "biodiversity", False),
    )
    taken = shapely.union_all([*cores, banks, *(row["geom"] for row in zones["urban_boundary"])])
    for i, (county, lon, lat, radius, kind, core_flag) in enumerate(ranges, start=1):
        drawn = gathered(metre_point(lon, lat), radius, topic, lobes=6, holes=2)
        shape = clip(drawn.difference(taken), base.counties[county])
        taken = taken.union(shape)
        shapes.append((f"红线 山地{i}", shape, {"is_core_reserve": core_flag, "kind": kind}))
    return rows_of(base, "eco_redlines", shapes, 30.0)


def _fuel_ban_zones(base: Base) -> list[Row]:
    """Category III in the middle of a town, II around it, I in further towns."""
    topic = rng("fuel_ban_zones")
    shapes: list[tuple[str, BaseGeometry, Mapping[str, Any]]] = []
    for county, town, inner, outer in ((YONGKANG, "江南街道", 2300, 4300), (JINDONG, "多湖街道", 1900, 3600)):
        seat, area = base.seats[town].point, base.counties[county]
        strict = clip(blob(seat, inner, topic, stretch=1.3, turn=25), area)
        wide = clip(blob(seat, outer, topic, stretch=1.25, turn=30), area).difference(strict)
        shapes.append((f"{county}禁燃区Ⅲ类区", strict, {"fuel_category": "III"}))
        shapes.append((f"{county}禁燃区Ⅱ类区", wide, {"fuel_category": "II"}))
    for county, town in ((YONGKANG, "古山镇"), (YONGKANG, "芝英镇"), (JINDONG, "孝顺镇")):
        shape = clip(blob(base.seats[town].point, 1500, topic, stretch=1.4, turn=70), base.counties[county])
        shapes.append((f"{town}禁燃区Ⅰ类区", shape, {"fuel_category": "I"}))
    return rows_of(base, "fuel_ban_zones", shapes, 50.0)


def _heat_grid_areas(base: Base) -> list[Row]:
    topic = rng("heat_grid_areas")
    shapes = []
    for county, lon, lat, radius in ((YONGKANG, 120.058, 28.912, 1900), (JINDONG, 119.882, 29.192, 1700)):
        shape = gathered(metre_point(lon, lat), radius, topic, lobes=3, holes=1)
        shapes.append(
            (f"{county}集中供热区", clip(shape, base.counties[county]), {"served_since": "2021-10-01"})
        )
    return rows_of(base, "heat_grid_areas", shapes, 40.0)


def _urban_boundary(base: Base) -> list[Row]:
    topic = rng("urban_boundary")
    shapes = []
    for seat in base.seats.values():
        if seat.county not in (YONGKANG, JINDONG):
            continue
        big = seat.town in ("江南街道", "多湖街道", "孝顺镇")
        drawn = gathered(seat.point, 3000 if big else 1100, topic, lobes=4, holes=1 if big else 0)
        shapes.append((seat.county, clip(drawn, base.counties[seat.county])))
    return rows_of(
        base,
        "urban_boundary",
        [
            (
                f"{county}城镇开发边界",
                shapely.union_all([shape for name, shape in shapes if name == county]),
                {"kind": "concentrated"},
            )
            for county in (YONGKANG, JINDONG)
        ],
        30.0,
    )


def _river_scope(base: Base) -> list[Row]:
    topic = rng("river_scope")
    lines = ((YONGKANG, yongkang_river(base), 75), (JINDONG, base.rivers["19112"], 110))
    return rows_of(
        base,
        "river_scope",
        [
            (
                f"{county}河道管理范围",
                clip(reach(line, 0, line.length, width, topic), base.counties[county]),
                {"river_class": "county"},
            )
            for county, line, width in lines
        ],
        50.0,
    )


def _basic_farmland(base: Base, zones: Zones) -> list[Row]:
    """Patches in the low land, kept off towns, rivers and red lines; a row holds the patches of a seat."""
    topic = rng("basic_farmland")
    barred = shapely.union_all(
        [r["geom"] for layer in ("urban_boundary", "river_scope", "eco_redlines") for r in zones[layer]]
    )
    shapes = []
    for seat in base.seats.values():
        if seat.county not in (YONGKANG, JINDONG) or seat.town in ("东城街道", "西城街道"):
            continue
        patches = []
        for _ in range(7):
            at = inside(seat.point.buffer(4200).difference(seat.point.buffer(900)), topic)
            patches.append(
                blob(
                    at,
                    topic.uniform(220, 620),
                    topic,
                    stretch=topic.uniform(1, 2),
                    turn=topic.uniform(0, 180),
                )
            )
        field = shapely.union_all(patches).simplify(8).difference(barred)
        shapes.append((seat.town, clip(field, base.counties[seat.county])))
    taken: BaseGeometry = shapely.MultiPolygon()
    rows = []
    for town, shape in shapes:
        rest = polygons(shape.difference(taken))
        taken = taken.union(rest)
        rows.append(
            (f"{town}永久基本农田", rest, {"plot_code": None, "area_mu": round(rest.area * 3 / 2000, 1)})
        )
    return rows_of(base, "basic_farmland", rows, 30.0)


_UNITS = {
    # seat of the cell: (class, subclass); a cell of hills has no seat and is priority
    "江南街道": ("key", "urban"), "东城街道": ("key", "urban"), "西城街道": ("key", "industry"),
    "芝英镇": ("key", "industry"), "古山镇": ("key", "industry"), "花街镇": ("key", "industry"),
    "多湖街道": ("key", "urban"), "孝顺镇": ("key", "industry"), "江东镇": ("key", "industry"),
    "傅村镇": ("key", "industry"),
}  # fmt: skip
_HILLS = {
    YONGKANG: ((120.225, 28.915), (120.13, 29.04), (120.17, 28.785), (119.945, 28.985), (119.99, 28.80)),
    JINDONG: ((119.80, 29.29), (119.87, 29.075), (119.855, 29.285)),
}


def _control_units(base: Base) -> list[Row]:
    """Each place of two counties in one unit, but for a gap left on purpose: a rule looks for such gaps."""
    topic = rng("control_units")
    rows: list[Row] = []
    for county in (YONGKANG, JINDONG):
        seats = [seat for seat in base.seats.values() if seat.county == county]
        kinds = [_UNITS.get(seat.town, ("general", None)) for seat in seats]
        hills = [metre_point(lon, lat) for lon, lat in _HILLS[county]]
        kinds += [("priority", None)] * len(hills)
        seeds = [seat.point for seat in seats] + hills
        cells = partition(base.counties[county], seeds, topic)
        shapes = [
            (f"{county}管控单元{i:02d}", cell, {"unit_class": kind, "subclass": sub})
            for i, (cell, (kind, sub)) in enumerate(zip(cells, kinds, strict=True), start=1)
        ]
        made = rows_of(base, f"control_units-{base.codes[county]}", shapes, 40.0)
        rows += [{**row, "unit_code": row["id"].removeprefix("demo-control_units-")} for row in made]
    gap = blob(metre_point(*GAP), 650, topic, stretch=1.5)
    return [
        {**row, "id": f"demo-unit-{row['unit_code']}", "unit_code": f"DEMO{row['unit_code']}",
         "geom": polygons(row["geom"].difference(gap))}
        for row in rows
    ]  # fmt: skip


# Where the control units leave a gap, lon and lat.
GAP = (120.137, 28.862)


def _env_function_zones(base: Base) -> list[Row]:
    topic = rng("env_function_zones")
    area = base.counties[YONGKANG]
    kinds = {
        "natural_redline": ("自然生态红线区", [(120.225, 28.915), (120.16, 28.795)]),
        "eco_function": ("生态功能保障区", [(120.12, 29.035), (119.95, 28.985), (120.0, 28.80)]),
        "farm_safety": ("农产品安全保障区", [(120.09, 28.975), (120.12, 28.84), (119.96, 28.90)]),
        "living": ("人居环境保障区", [(120.03, 28.892)]),
        "optimised": ("环境优化准入区", [(120.15, 28.965), (120.125, 28.915)]),
        "key_access": ("环境重点准入区", [(120.06, 28.935)]),
    }
    seeds = [metre_point(*at) for _, places in kinds.values() for at in places]
    cells = iter(partition(area, seeds, topic))
    shapes = [
        (f"环境功能区 {title}", shapely.coverage_union_all([next(cells) for _ in places]), {"kind": kind})
        for kind, (title, places) in kinds.items()
    ]
    return [{**row, "valid_to": "2020-05-31"} for row in rows_of(base, "env_function_zones", shapes, 100.0)]


def _zero_discharge_areas(base: Base) -> list[Row]:
    topic = rng("zero_discharge_areas")
    places = ((YONGKANG, 120.063, 28.925, 1100, "park"), (YONGKANG, 120.128, 28.955, 800, "town"),
              (JINDONG, 119.885, 29.187, 1200, "park"))  # fmt: skip
    shapes = [
        (
            f"零直排区{i}",
            clip(gathered(metre_point(lon, lat), r, topic, lobes=3, holes=0), base.counties[c]),
            {"kind": k},
        )
        for i, (c, lon, lat, r, k) in enumerate(places, start=1)
    ]
    return rows_of(base, "zero_discharge_areas", shapes, 30.0)


def _noise_zones(base: Base) -> list[Row]:
    """Classes 0 to 3 as a partition of built-up Yongkang, with a road's strip of class 4a cut out."""
    topic = rng("noise_zones")
    centre = base.seats["江南街道"].point
    town = clip(gathered(centre, 2600, topic, lobes=5, holes=0), base.counties[YONGKANG])
    road = reach(wander(shapely.Point(centre.x - 4200, centre.y - 500), 12, 8600, topic), 0, 9000, 45, topic)
    classes = ("2", "1", "3", "2", "1", "0", "3")
    seeds = [centre] + [inside(town, topic, margin=500) for _ in classes[1:]]
    cells = [
        (f"声环境{c}类区{i}", polygons(cell.difference(road)), {"noise_class": c})
        for i, (cell, c) in enumerate(
            zip(partition(polygons(town), seeds, topic), classes, strict=True), start=1
        )
    ]
    cells.append(("声环境4a类区", clip(road, town), {"noise_class": "4a"}))
    return rows_of(base, "noise_zones", cells, 30.0)


def _sensitive_receptors(base: Base) -> list[Row]:
    """Homes as areas; schools, hospitals and nursing homes as points, near the seats of two counties."""
    topic = rng("sensitive_receptors")
    titles = {"school": "学校", "hospital": "医院", "nursing_home": "养老院", "sanatorium": "疗养院"}
    shapes: list[tuple[str, BaseGeometry, Mapping[str, Any]]] = []
    for seat in base.seats.values():
        if seat.county not in (YONGKANG, JINDONG):
            continue
        homes = blob(inside(seat.point.buffer(900), topic), topic.uniform(120, 260), topic, stretch=1.4)
        shapes.append(
            (f"{seat.town}居住区", homes, {"kind": "residential", "people": topic.randrange(800, 6000)})
        )
        kind = topic.choice(("school", "school", "hospital", "nursing_home", "sanatorium"))
        at = inside(seat.point.buffer(1500), topic)
        shapes.append((f"{seat.town}{titles[kind]}", at, {"kind": kind, "people": topic.randrange(60, 1800)}))
    return rows_of(base, "sensitive_receptors", shapes, 20.0)


def _grids(base: Base) -> list[Row]:
    seats = [seat for seat in base.seats.values() if seat.county == YONGKANG]
    cells = partition(base.counties[YONGKANG], [seat.point for seat in seats], rng("grids"))
    shapes = [
        (f"网格 {seat.town}一带", cell, {"grid_code": f"DEMO-G-{seat.code}", "level": "township"})
        for seat, cell in zip(seats, cells, strict=True)
    ]
    return rows_of(base, "grids", shapes, 100.0)
