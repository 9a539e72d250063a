"""The rules in SQL, written from their words in the catalogue of rules and from nothing else.

One row a rule: its number, whom it is about, the layer of its zones, which zones count, what the ground says
(``ground.sql``), which subjects, and whom an exception known to hold excuses. ``z`` is a zone, ``s`` a
subject. A filter over a missing value is NULL in SQL, and that is what "undecided" means: neither true nor
false.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

__all__ = ["RULES", "SUBJECTS", "TODAY", "ZONES", "Ask", "Ground"]


@dataclass(frozen=True)
class Ground:
    """What the ground says, as a call of a macro; ``reach`` is how near a zone has a say, in metres.

    ``seeks_absence``: lying in no zone is the conflict, so no zone stands behind it.
    """

    sql: str
    reach: str = "0"
    seeks_absence: bool = False


def within(metres: str) -> Ground:
    """Nearer than so many metres to a zone."""
    return Ground(f"oracle.near(:zones, s.place, error, {metres})", metres)


INSIDE = within("0")
OUTSIDE = Ground("oracle.absent(:zones, s.place, error, 0)", seeks_absence=True)
IN_SEVERAL = Ground("oracle.in_more_than(:zones, s.place, error, 1)")
MORE_THAN_1_M2 = Ground("oracle.share_inside(:zones, s.place, error, 0, 1)")
MORE_THAN_5_PERCENT_OUTSIDE = Ground("oracle.share_outside(:zones, s.place, error, 0.05)", seeks_absence=True)


@dataclass(frozen=True)
class Ask:
    """One rule."""

    rule: str
    subjects: str
    zones: str
    which: str
    ground: Ground
    whom: str = "TRUE"
    excused: str = "FALSE"


NEW_REBUILT_ENLARGED = "s.kind IN ('new', 'rebuild', 'expand')"
NEW_ENLARGED = "s.kind IN ('new', 'expand')"
WASTE_FACILITY = "s.source_type IN ('solid_facility', 'hazardous_facility', 'landfill')"
LIVESTOCK = "(s.industry_code LIKE 'A03%' OR s.industry_code LIKE '03%')"

WATER = "water_source_zones"
GRADE_1, GRADE_2, QUASI = "z.grade = '1'", "z.grade = '2'", "z.grade = 'quasi'"
PROTECTED = "z.grade IN ('1', '2')"

DW = (
    # Outfalls in a protection zone, which is grade I and II; the quasi-protection zone is none.
    Ask("DW-01", "outfalls", WATER, PROTECTED, INSIDE),
    Ask("DW-02", "outfalls", WATER, QUASI, INSIDE),
    # Projects and enterprises in grade I that have nothing to do with water supply.
    Ask(
        "DW-03", "projects", WATER, GRADE_1, INSIDE, f"{NEW_REBUILT_ENLARGED} AND NOT s.water_supply_related"
    ),
    Ask("DW-04", "enterprises", WATER, GRADE_1, INSIDE, "NOT s.water_supply_related"),
    # Grade II: those that discharge; those that do not are to be looked at.
    Ask("DW-05", "projects", WATER, GRADE_2, INSIDE, f"{NEW_REBUILT_ENLARGED} AND s.discharges_pollutants"),
    Ask("DW-06", "enterprises", WATER, GRADE_2, INSIDE, "s.discharges_pollutants"),
    Ask("DW-07", "projects enterprises", WATER, GRADE_2, INSIDE, "NOT s.discharges_pollutants"),
    # Quasi zone: heavy polluters newly built or enlarged; rebuilt with more discharge; existing ones.
    Ask("DW-08", "projects", WATER, QUASI, INSIDE, f"{NEW_ENLARGED} AND s.heavy_water_pollution"),
    Ask("DW-09", "projects", WATER, QUASI, INSIDE, "s.kind = 'rebuild' AND s.discharge_increase"),
    Ask("DW-10", "enterprises", WATER, QUASI, INSIDE, "s.discharges_pollutants"),
    Ask(
        "DW-11", "pollution_sources", WATER, PROTECTED, INSIDE,
        "s.source_type IN ('solid_storage', 'hazardous_storage', 'yard')",
    ),
    Ask(
        "DW-12", "enterprises pollution_sources", WATER, "z.grade = 'rural'", INSIDE,
        "s.source_type IN ('livestock', 'compost', 'toilet', 'solid_pile')",
    ),
    Ask("DW-13", "enterprises outfalls", WATER, PROTECTED, within("500"), "s.discharges_pollutants"),
    # Without a network of rivers the way upstream is a straight line.
    Ask("DW-14", "outfalls", "water_intakes", "TRUE", within("3000")),
    Ask("DW-15", "enterprises", WATER, "z.grade IN ('1', '2', 'quasi')", INSIDE, LIVESTOCK),
)  # fmt: skip

REDLINE = "eco_redlines"

RL = (
    Ask("RL-01", "projects enterprises", REDLINE, "z.is_core_reserve", INSIDE),
    # Outside the core: none of the ten limited activities, unless a national major project (that is RL-04).
    Ask(
        "RL-02", "projects", REDLINE, "NOT z.is_core_reserve", INSIDE, "s.redline_activity_class = 'none'",
        excused="s.national_major",
    ),
    Ask("RL-03", "projects", REDLINE, "NOT z.is_core_reserve", INSIDE, "s.redline_activity_class <> 'none'"),
    Ask("RL-04", "projects", REDLINE, "TRUE", INSIDE, "s.national_major"),
    Ask("RL-05", "enterprises", REDLINE, "NOT z.is_core_reserve", INSIDE),
    Ask("RL-06", "projects pollution_sources", REDLINE, "TRUE", INSIDE, WASTE_FACILITY),
    Ask("RL-07", "outfalls", REDLINE, "TRUE", INSIDE, "s.kind IN ('new', 'changed', 'enlarged')"),
    Ask("RL-08", "projects enterprises", REDLINE, "TRUE", within("100")),
)  # fmt: skip

RESERVE = "nature_reserves"

NR = (
    Ask("NR-01", "projects enterprises", RESERVE, "z.control = 'core'", INSIDE),
    Ask(
        "NR-02", "projects enterprises", RESERVE,
        "z.control = 'general' AND z.type IN ('national_park', 'nature_reserve')", INSIDE,
    ),
    Ask(
        "NR-03", "projects enterprises", RESERVE,
        "z.type IN ('nature_park', 'scenic', 'forest_park', 'wetland_park')", INSIDE,
    ),
    Ask("NR-04", "outfalls", RESERVE, "TRUE", INSIDE, "s.kind = 'new'"),
    Ask("NR-05", "outfalls", RESERVE, "TRUE", within("1000"), "s.kind = 'new'"),
)  # fmt: skip

FUEL = "fuel_ban_zones"

HF = (
    # Excused: power plants by the catalogue, and who may still convert to clean energy.
    Ask(
        "HF-01", "pollution_sources", FUEL, "z.fuel_category IN ('I', 'II', 'III')", INSIDE,
        "s.fuel_banned_in_category",
        excused="s.source_type = 'power_plant' OR s.conversion_deadline >= :law_date",
    ),
    Ask("HF-02", "projects", FUEL, "TRUE", INSIDE, f"{NEW_ENLARGED} AND s.fuel_banned_in_category"),
    Ask(
        "HF-03", "pollution_sources", FUEL, "TRUE", INSIDE,
        "s.fuel_banned_in_category AND s.conversion_deadline >= :law_date",
    ),
    Ask("HF-04", "enterprises", FUEL, "TRUE", INSIDE, "s.sells_fuel"),
    Ask(
        "HF-05", "pollution_sources", "heat_grid_areas", "TRUE", INSIDE,
        "s.fuel IN ('coal', 'coal_products') AND s.boiler",
    ),
    Ask(
        "HF-06", "pollution_sources", FUEL, "z.fuel_category = 'III'", INSIDE, "s.fuel = 'biomass_pellet'",
        excused="s.dedicated_boiler",
    ),
)  # fmt: skip

UNIT = "control_units"

ZC = (
    Ask("ZC-01", "projects enterprises", UNIT, "TRUE", INSIDE, "s.in_unit_negative_list"),
    Ask("ZC-02", "projects", UNIT, "z.unit_class = 'priority'", INSIDE, "s.industry_tier = 'tier3'"),
    Ask(
        "ZC-03", "projects", UNIT, "z.unit_class = 'priority'", INSIDE,
        "s.industry_tier = 'tier2' AND NOT s.inside_industrial_area",
    ),
    Ask(
        "ZC-04", "projects", UNIT, "z.unit_class = 'key' AND z.subclass = 'urban'", INSIDE,
        f"s.industry_tier = 'tier3' AND {NEW_ENLARGED}",
    ),
    Ask(
        "ZC-05", "projects", UNIT, "z.unit_class = 'key' AND z.subclass = 'industry'", INSIDE,
        "s.industry_tier = 'tier3'",
    ),
    Ask(
        "ZC-06", "projects", UNIT, "z.unit_class = 'general'", INSIDE,
        "s.industry_tier IN ('tier2', 'tier3') AND NOT s.inside_industrial_area AND s.kind = 'new'",
    ),
    Ask("ZC-07", "projects", UNIT, "TRUE", IN_SEVERAL),
    Ask("ZC-08", "projects enterprises", UNIT, "TRUE", OUTSIDE),
    Ask("ZC-09", "projects enterprises", "env_function_zones", "TRUE", INSIDE),
)  # fmt: skip

FARMLAND = "basic_farmland"

LS = (
    Ask("LS-01", "projects parcel", FARMLAND, "TRUE", MORE_THAN_1_M2),
    Ask("LS-02", "projects", FARMLAND, "TRUE", within("0"), "s.soil_polluting AND s.kind = 'new'"),
    Ask("LS-03", "enterprises", FARMLAND, "TRUE", INSIDE, "s.soil_polluting"),
    Ask("LS-04", "projects pollution_sources", FARMLAND, "TRUE", INSIDE, WASTE_FACILITY),
    Ask("LS-05", "projects parcel", "urban_boundary", "TRUE", MORE_THAN_5_PERCENT_OUTSIDE),
    Ask(
        "LS-06", "projects", "sensitive_receptors",
        "z.kind IN ('residential', 'school', 'hospital', 'sanatorium', 'nursing_home')", within("100"),
        "s.soil_polluting",
    ),
)  # fmt: skip

RULES = (*DW, *RL, *NR, *HF, *ZC, *LS)
ZONES = sorted({ask.zones for ask in RULES})
SUBJECTS = sorted({name for ask in RULES for name in ask.subjects.split() if name != "parcel"})
TODAY = date(2026, 9, 1)
"""The day whose law the comparisons apply, unless they say another."""
