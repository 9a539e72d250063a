"""Demonstration enterprises, projects, outfalls, pollution sources, stations and waste facilities.

None exists. Names start with 演示, credit codes lie in a range that is not given out (organisation part
99...), and the source is marked as demonstration. ``cases.toml`` says which stand where, so that every
screening group meets hits, clear cases, boundary cases and missing attributes; ordinary ones are spread
around the towns.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import shapely
from shapely import Point
from shapely.geometry.base import BaseGeometry

from .frame import Base, Row, degrees, metre_point, rng, write_geojson
from .shapes import between, inside
from .zones import GAP, JINDONG, YONGKANG, Zones

NOTE = "演示数据，非真实对象 | Demonstration data, no real object"
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ORDINARY = ("五金制品厂", "保温杯厂", "门业公司", "电动工具厂", "塑料制品厂", "食品厂", "纸箱厂", "仓储公司")
_TOWNS = (
    "江南街道", "东城街道", "古山镇", "芝英镇", "象珠镇", "花街镇", "石柱镇", "龙山镇", "前仓镇",
    "多湖街道", "孝顺镇", "傅村镇", "曹宅镇", "江东镇", "岭下镇", "澧浦镇", "赤松镇",
)  # fmt: skip
# The river lines of the source that follow on each other, downstream.
_COURSES = (("19188", "19191", "19189"), ("19112",))
_OFF_BOUNDARY_M = 70.0


def write_subjects(base: Base, zones: Zones, out: Path) -> None:
    """All files of demonstration subjects and facilities."""
    cases = tomllib.loads((Path(__file__).parent / "cases.toml").read_text(encoding="utf-8"))
    places = Places(base, zones)
    placed: Mapping[str, list[Row]] = cases["placed"]
    further: Mapping[str, list[Row]] = cases["further"]
    enterprises = _enterprises(places, placed["enterprises"], further["enterprises"], cases["trades"])
    outfalls = _outfalls(places, placed["outfalls"], further["outfalls"], enterprises)
    made = {
        "enterprises": enterprises,
        "projects": _projects(places, placed["projects"], further["projects"]),
        "outfalls": outfalls,
        "pollution_sources": _pollution_sources(
            places, placed["pollution_sources"], further["pollution_sources"]
        ),
        "monitoring_stations": _stations(places, outfalls),
        "waste_facilities": _waste_facilities(places),
    }
    for layer, rows in made.items():
        write_geojson(out / f"demo_{layer}.geojson", [{**row, "geom": degrees(row["geom"])} for row in rows])


def synthetic_uscc(adcode: str, number: int) -> str:
    """A credit code of the range 99... with the right check character (GB 32100-2015)."""
    body = f"91{adcode}99{number:07d}"
    total = sum(_ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(body))
    return body + _ALPHABET[(31 - total) % 31]


def _known(value: Any) -> Any:
    """TOML has no null: the word unknown stands for it."""
    return None if value == "unknown" else value


def _set(case: Row) -> Row:
    return {name: _known(value) for name, value in case.get("set", {}).items()}


class Places:
    """Where the subjects of the cases stand, in metres."""

    def __init__(self, base: Base, zones: Zones) -> None:
        self.base, self._zones = base, zones
        self._home = base.union(YONGKANG, JINDONG)

    def draw(self, case: Row, topic: Random) -> BaseGeometry:
        """A point for one case."""
        if case["at"] == "gap":
            return inside(metre_point(*GAP).buffer(250), topic)
        if case["at"] == "upstream":
            return self.upstream(case["intake"], case["metres"])
        area = self._area(case["layer"], case.get("where", {}))
        if case["at"] == "within":
            return inside(area, topic, margin=case.get("margin", _OFF_BOUNDARY_M))
        nearest, farthest = case["between"]
        return between(area, nearest, farthest, topic)

    def _area(self, layer: str, where: Row) -> BaseGeometry:
        """The zones with such attributes; of those in the two main counties, where there are any."""
        wanted = {name: _known(value) for name, value in where.items()}
        rows = [r for r in self._zones[layer] if all(r.get(k) == v for k, v in wanted.items())]
        area = shapely.union_all([row["geom"] for row in rows])
        at_home = area.intersection(self._home)
        return area if at_home.is_empty else at_home

    def town(self, name: str, topic: Random, radius: float = 1400.0) -> BaseGeometry:
        """A point around a township seat, inside its county."""
        seat = self.base.seats[name]
        return inside(
            seat.point.buffer(radius).intersection(self.base.counties[seat.county]), topic, margin=20
        )

    def upstream(self, intake: str, distance: float) -> BaseGeometry:
        """The point of the river ``distance`` metres above an intake (below it, when negative)."""
        at: Point = next(r["geom"] for r in self._zones["water_intakes"] if f"水源地{intake}" in r["name"])
        lines = [
            shapely.line_merge(shapely.union_all([self.base.rivers[i] for i in ids]), directed=True)
            for ids in _COURSES
        ]
        line = min(lines, key=lambda course: course.distance(at))
        return Point(line.interpolate(line.project(at) - distance))


def _row(base: Base, key: str, number: str, name: str, point: BaseGeometry, accuracy: float) -> Row:
    """What every demonstration subject carries; the township is that of the nearest seat."""
    seat = base.seat_near(point)
    return {
        "id": number,
        key: number,
        "name": f"演示{name}",
        "is_synthetic": True,
        "county": base.county_of(point),
        "township": seat.town if seat else None,
        "accuracy_m": accuracy,
        "note": NOTE,
        "geom": point,
    }


def _drawn(places: Places, cases: Sequence[Row], layer: str) -> list[tuple[BaseGeometry, Row]]:
    """Cases after the ordinary subjects, by random numbers of their own, so those stay where they are."""
    topic = rng(f"further {layer}")
    return [(places.draw(case, topic), case) for case in cases]


def _enterprises(
    places: Places, cases: Sequence[Row], further: Sequence[Row], trades: Mapping[str, Row]
) -> list[Row]:
    topic = rng("enterprises")
    points = [(places.draw(case, topic), case) for case in cases]
    points += [
        (places.town(town, topic), {"trade": _ORDINARY[i % len(_ORDINARY)]})
        for i, town in enumerate(_TOWNS * 3)
    ]
    points += _drawn(places, further, "enterprises")
    return [
        _enterprise(places.base, i, point, case, trades[case["trade"]], topic)
        for i, (point, case) in enumerate(points, start=1)
    ]


def _enterprise(base: Base, i: int, point: BaseGeometry, case: Row, trade: Row, topic: Random) -> Row:
    name = f"{case['trade']}{i:02d}"
    row = _row(base, "ent_id", f"DEMO-E{i:03d}", name, point, float(topic.choice((10, 15, 20))))
    # One in nine states no credit code: a real register has such rows too.
    uscc = None if i % 9 == 0 else synthetic_uscc(base.codes[row["county"]], i)
    suffix = "001Z" if trade["permit"] == "registration" else "001P"
    does = trade["does"]
    return {
        **row,
        "uscc": uscc,
        "industry_code": trade["code"],
        "industry_name": trade["industry"],
        "industry_tier": trade["tier"],
        "permit_class": trade["permit"],
        "permit_code": f"{uscc}{suffix}" if uscc else None,
        "address": f"{row['county']}{row['township'] or ''}演示路{topic.randrange(1, 400)}号",
        "in_operation": True,
        "built_on": f"{topic.randrange(1996, 2025)}-{topic.randrange(1, 13):02d}-01",
        "water_supply_related": case["trade"] == "自来水厂",
        "discharges_pollutants": "discharges" in does,
        "heavy_water_pollution": "heavy" in does,
        "soil_polluting": "soil" in does,
        "sells_fuel": False,
        "source_type": "other",
        "in_unit_negative_list": False,
        "two_high": False,
        "online_monitor": trade["permit"] == "key" and i % 4 != 0,
        "industrial_noise": "noise" in does,
        "emits_air": "air" in does,
        "kind": "none",
        "has_building": True,
        "oil_fume": False,
        "odour": False,
        "waste_incineration": False,
        "hazardous_waste_facility": False,
        "eia_protection_distance_m": 50.0 if "air" in does else 0.0,
        **_set(case),
    }


def _projects(places: Places, cases: Sequence[Row], further: Sequence[Row]) -> list[Row]:
    topic = rng("projects")
    points = [(places.draw(case, topic), case) for case in cases]
    usual = {"kind": "rebuild", "industry_tier": "tier1"}
    points += [
        (places.town(town, topic), {"title": f"{_ORDINARY[i % len(_ORDINARY)]}技改项目", "set": usual})
        for i, town in enumerate(_TOWNS)
    ]
    points += _drawn(places, further, "projects")
    return [_project(places.base, i, point, case, topic) for i, (point, case) in enumerate(points, start=1)]


def _project(base: Base, i: int, point: BaseGeometry, case: Row, topic: Random) -> Row:
    accuracy = float(topic.choice((10, 15, 20)))
    return {
        **_row(base, "project_id", f"DEMO-P{i:03d}", f"{case['title']}{i:02d}", point, accuracy),
        "company": f"演示建设单位{i:02d}",
        "kind": "new",
        "industry_tier": "tier2",
        "investment": round(topic.uniform(0.2, 6.0), 2),
        "completion_year": topic.randrange(2026, 2030),
        "water_supply_related": False,
        "discharges_pollutants": True,
        "heavy_water_pollution": False,
        "discharge_increase": False,
        "soil_polluting": False,
        "redline_activity_class": "none",
        "national_major": False,
        "source_type": "other",
        "fuel": "electricity",
        "fuel_banned_in_category": False,
        "inside_industrial_area": True,
        "in_unit_negative_list": False,
        "has_building": True,
        "river_works": False,
        "industrial_noise": False,
        "two_high": False,
        "waste_incineration": False,
        "hazardous_waste_facility": False,
        "eia_protection_distance_m": 0.0,
        **_set(case),
    }


def _outfalls(
    places: Places, cases: Sequence[Row], further: Sequence[Row], enterprises: Sequence[Row]
) -> list[Row]:
    topic = rng("outfalls")
    owners = [row for row in enterprises if row["permit_code"] and row["discharges_pollutants"]]
    rows = []
    points = ((places.draw(case, topic), case) for case in cases)
    for i, (point, case) in enumerate(chain(points, _drawn(places, further, "outfalls")), start=1):
        owner = owners[i % len(owners)]
        accuracy = float(topic.choice((10, 15)))
        rows.append(
            {
                **_row(places.base, "outfall_id", f"DEMO-O{i:02d}", f"排污口{i:02d}", point, accuracy),
                "permit_code": owner["permit_code"],
                "outfall_code": "DW001",
                "ent_id": owner["ent_id"],
                "kind": "existing",
                "outfall_class": "industrial",
                "discharges_pollutants": True,
                "discharge_to": "surface_water",
                "approval_no": f"演示准〔2023〕{i}号",
                "registered": True,
                "in_permit": True,
                "treated_centrally": False,
                "dry_weather_flow": False,
                "flow_m3_d": float(topic.randrange(20, 3000, 10)),
                **_set(case),
            }
        )
    return rows


def _pollution_sources(places: Places, cases: Sequence[Row], further: Sequence[Row]) -> list[Row]:
    topic = rng("pollution_sources")
    points = [(places.draw(case, topic), case) for case in cases]
    usual: Sequence[Row] = (
        {"title": "燃气锅炉", "set": {"source_type": "boiler", "fuel": "natural_gas", "boiler": True}},
        {"title": "固废仓库", "set": {"source_type": "solid_storage"}},
        {"title": "喷涂废气", "set": {"source_type": "exhaust"}},
    )
    points += [(places.town(town, topic), usual[i % 3]) for i, town in enumerate(_TOWNS)]
    points += _drawn(places, further, "pollution_sources")
    rows = []
    for i, (point, case) in enumerate(points, start=1):
        accuracy, name = float(topic.choice((10, 15))), f"{case['title']}{i:02d}"
        rows.append(
            {
                **_row(places.base, "source_code", f"DEMO-S{i:02d}", name, point, accuracy),
                "operator": f"演示运营单位{i:02d}",
                "source_type": "other",
                "fuel": "none",
                "fuel_banned_in_category": False,
                "boiler": False,
                "leq_exceeds_zone_limit": False,
                "status": "在用",
                **_set(case),
            }
        )
    return rows


def _stations(places: Places, outfalls: Sequence[Row]) -> list[Row]:
    """River sections, air and noise stations, and the effluent monitors of the first outfalls."""
    topic = rng("stations")
    sections = (("A", 3200), ("A", -5200), ("C", 1500), ("C", -9000))
    sites = [(places.upstream(*section), "surface_water", "河流断面") for section in sections]
    sites += [
        (places.town(t, topic, 700), "air", "空气站") for t in ("江南街道", "古山镇", "多湖街道", "孝顺镇")
    ]
    sites += [(places.town(t, topic, 900), "noise", "噪声点") for t in ("东城街道", "多湖街道")]
    rows = []
    for i, (point, kind, title) in enumerate(sites, start=1):
        row = _row(places.base, "station_id", f"DEMO-M{i:02d}", f"{title}{i:02d}", point, 10.0)
        rows.append({**row, "kind": kind, "online": True})
    for i, outfall in enumerate(outfalls[:6], start=len(rows) + 1):
        at, accuracy = outfall["geom"], outfall["accuracy_m"]
        row = _row(places.base, "station_id", f"DEMO-M{i:02d}", f"废水在线{i:02d}", at, accuracy)
        # A device number of the 24 characters of HJ 212-2017, and obviously none that a maker gave out.
        linked = {
            "outfall_id": outfall["outfall_id"],
            "ent_id": outfall["ent_id"],
            "device_mn": f"DE{i:022d}",
        }
        rows.append({**row, "kind": "wastewater", "online": i % 5 != 0, **linked})
    return rows


def _waste_facilities(places: Places) -> list[Row]:
    topic = rng("waste_facilities")
    kinds = (
        ("incineration", "焚烧厂", "前仓镇", 900.0),
        ("landfill", "填埋场", "花街镇", 300.0),
        ("transfer", "转运站", "江南街道", 400.0),
        ("recovery", "固废利用中心", "古山镇", 250.0),
        ("hazardous", "危废处置中心", "孝顺镇", 60.0),
        ("sludge", "污泥处置站", "澧浦镇", 120.0),
    )
    rows = []
    for i, (kind, title, town, capacity) in enumerate(kinds, start=1):
        point = places.town(town, topic, 2600)
        row = _row(places.base, "facility_id", f"DEMO-W{i:02d}", f"{title}{i:02d}", point, 15.0)
        rows.append({**row, "kind": kind, "capacity_t_d": capacity, "in_operation": True})
    return rows
