"""The annexes of the Jindong industrial plan 2021-2025: companies, parks, projects, platforms, structure.

The plan names a township for a company or a park and nothing more, so each stands at the seat of that
township with a bound of 12 km; nothing is moved aside to look like a site. Where no seat is open, or no
township is named, it stands at the centre of the smallest circle that covers the county, with that circle's
radius as the bound.
"""

from __future__ import annotations

import math
from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry

from .frame import Base, Row, degrees, read_csv, write_csv, write_geojson

COUNTY = "金东区"
# No township polygon is open. The real ones reach 6 to 12 km from their seat.
TOWNSHIP_BOUND_M = 12_000.0
# What the simplified county boundary may be off by, added before rounding up.
_BOUNDARY_M = 500.0
# An office without a code and without a polygon; its area was split off the town it is placed at.
_ALIAS = {"鞋塘办事处": "孝顺镇"}
_FULL_NAME = {
    "傅村": "傅村镇",
    "孝顺": "孝顺镇",
    "鞋塘": "鞋塘办事处",
    "曹宅": "曹宅镇",
    "东孝": "东孝街道",
    "赤松": "赤松镇",
    "岭下": "岭下镇",
}
_DOUBLES = {30: 32, 32: 30, 34: 35, 35: 34, 52: 53, 53: 52}

_STRUCTURE = (
    ("corridor", "浙中科创走廊", "一廊",
     "以该走廊为轴线，衔接金东区东城、西城，贯穿浙江自由贸易试验区金义片区，重点打造金华科技城、金华中央商务区等高能级科创平台",
     "附件5作“一轴”"),
    ("belt", "东城产业带", "两带",
     "以金义新区信息技术应用创新产业平台，及孝顺、傅村、曹宅、鞋塘等乡镇工业功能区等产业为发展带", None),
    ("belt", "西城产业带", "两带",
     "以金华中央商务区、金华中央贸创区、江岭高新智造区，及赤松工业功能区等产业为发展带", None),
    ("core", "金义新区信息技术应用创新产业平台（含金华科技城）", "双核",
     "东城的核；重点打造“万亩千亿”新产业平台", None),
    ("core", "江岭高新智造区", "双核", "西城的核；重点打造“万亩千亿”新产业平台", None),
    ("parks", "小微企业园集群", "多园",
     "金东全区区域内的小微企业园，承担两大“万亩千亿”新产业平台的配套服务功能", None),
)  # fmt: skip


def write_plan(base: Base, out: Path) -> None:
    """All files of the plan."""
    companies = _companies(base)
    write_geojson(out / "plan_companies.geojson", companies)
    write_geojson(out / "plan_parks.geojson", _parks(base))
    write_geojson(out / "plan_projects.geojson", _projects(base, companies))
    write_csv(out / "plan_platforms.csv", _platforms(base))
    write_csv(out / "plan_structure.csv", _structure())


def covering_circle(county: BaseGeometry) -> tuple[BaseGeometry, float]:
    """Centre and bound of a place known by county only: the smallest circle around it, up to 500 m more."""
    circle = shapely.minimum_bounding_circle(county)
    radius = shapely.minimum_bounding_radius(county) + _BOUNDARY_M
    return circle.centroid, math.ceil(radius / 500) * 500.0


def _place(base: Base, township: str | None, wording: str | None) -> Row:
    """Where a thing of ``township`` (None: not named) is put, with its bound and a note that says so."""
    seat = base.seats.get(_ALIAS.get(township or "", township or ""))
    if seat is None:
        point, bound = covering_circle(base.counties[COUNTY])
        why = f"规划所列“{wording}”没有开放的驻地坐标" if township else "规划未列乡镇"
        how = f"县级定位，仅示意：{why}，置于覆盖全区的最小圆圆心，误差上限 {bound:g} m"
        english = f"placed at the centre of the smallest circle covering the county; bound {bound:g} m"
    else:
        point, bound = seat.point, TOWNSHIP_BOUND_M
        how = f"乡镇级定位，仅示意：置于{seat.town}驻地，误差上限 {bound:g} m"
        if township in _ALIAS:
            how += f"；“{wording}”不是法定乡级区划，无代码、无界线，借{seat.town}驻地"
        english = f"placed at a township seat; bound {bound:g} m"
    return {
        "township": township,
        "county": COUNTY,
        "position_note": f"{how} | {english}",
        "accuracy_m": bound,
        "geom": degrees(point),
    }


def _companies(base: Base) -> list[Row]:
    rows = []
    for row in read_csv(base.folder / "plan_companies.csv"):
        number = f"JDP-E{int(row['seq']):03d}"
        rows.append(
            {
                "id": number,
                "ent_id": number,
                "name": row["company_name"],
                "is_synthetic": False,
                "plan_seq": int(row["seq"]),
                "plan_tier": row["target_tier"],
                "plan_target": float(row["target_output_min_yi_yuan"]),
                **_place(base, row["township"], row["township"]),
            }
        )
    return rows


def _parks(base: Base) -> list[Row]:
    rows = []
    for row in read_csv(base.folder / "plan_parks.csv"):
        number = f"JDP-K{int(row['seq']):02d}"
        rows.append(
            {
                "id": number,
                "park_id": number,
                "name": row["park_name"],
                "leading_industry": row["leading_industry"],
                "area_mu": float(row["area_mu"]),
                "area_stated_m2": float(row["area_m2"]),
                "recognition": row["recognition_level"],
                "plan_seq": int(row["seq"]),
                "note": f"规划原文乡镇：{row['township']}",
                **_place(base, _FULL_NAME[row["township"]], row["township"]),
            }
        )
    return rows


def _same_brackets(name: str) -> str:
    return name.replace("（", "(").replace("）", ")")


def _projects(base: Base, companies: list[Row]) -> list[Row]:
    numbers = {_same_brackets(row["name"]): row["ent_id"] for row in companies}
    rows = []
    for row in read_csv(base.folder / "plan_projects.csv"):
        seq, sub = int(row["seq"]), int(row["sub_seq"])
        township = row["township_from_annex4"] or None
        double = _DOUBLES.get(seq)
        number = f"JDP-P{seq:02d}-{sub}"
        rows.append(
            {
                "id": number,
                "project_id": number,
                "name": row["project_name"],
                "is_synthetic": False,
                "ent_id": numbers.get(_same_brackets(row["company_name"])) if township else None,
                "company": row["company_name"],
                "investment": float(row["total_investment_yi_yuan"]),
                "completion": row["expected_completion"],
                "completion_year": int(row["expected_completion_year"]),
                "technical_retrofit": True if row["is_technical_retrofit"] == "Y" else None,
                "plan_seq": seq,
                "plan_sub_seq": sub,
                "note": f"与第 {double} 项近似，可能重复计列；按规划原文保留" if double else None,
                **_place(base, township, township),
            }
        )
    return rows


def _platforms(base: Base) -> list[Row]:
    return [
        {
            "platform_id": f"JDP-F{row['seq']}",
            "name": row["platform_name"],
            "spatial_position": row["spatial_position"],
            "goal": row["goal_2025"],
            "goal_output": row["goal_2025_output_yi_yuan"],
            "vision": row["vision"],
            "backbone": row["backbone_enterprises"],
            "industries": row["key_sub_industries"],
            "plan_seq": row["seq"],
        }
        for row in read_csv(base.folder / "plan_platforms.csv")
    ]


def _structure() -> list[Row]:
    return [
        {
            "element_id": f"JDP-S{i}",
            "name": name,
            "kind": kind,
            "plan_text": wording,
            "plan_section": f"（四）优化产业空间布局，表5-1（{section}）",
            "note": note,
        }
        for i, (kind, name, section, wording, note) in enumerate(_STRUCTURE, start=1)
    ]
