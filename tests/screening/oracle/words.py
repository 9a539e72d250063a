"""The rules in SQL, written from their words in the catalogue of rules and from nothing else.

One row a rule: its number, whom it is about, the layer of its zones, which zones count, what the ground says
(``ground.sql``), which subjects, and whom an exception known to hold excuses. ``z`` is a zone, ``s`` a
subject. A filter over a missing value is NULL in SQL, and that is what "undecided" means: neither true nor
false.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby

__all__ = ["BY_RULE", "NOWHERE", "SUBJECTS", "TODAY", "ZONES", "Ask", "Ground"]


@dataclass(frozen=True)
class Ground:
    """What the ground says, as a call of a macro; ``reach`` is how near a zone has a say, in metres.

    ``is_met``: the zones within reach stand behind it. Not so where lying in none is the conflict, where the
    way along a river counts, or where the ground has no say.
    """

    sql: str
    reach: str = "0"
    is_met: bool = True


def within(metres: str) -> Ground:
    """Nearer than so many metres to a zone."""
    return Ground(f"oracle.near(:zones, s.place, error, {metres})", metres)


INSIDE = within("0")
AS_FAR_AS_MAY_BE = replace(within("5000"), is_met=False)
OUTSIDE = Ground("oracle.absent(:zones, s.place, error, 0)", is_met=False)
UPSTREAM = Ground("oracle.upstream(:zones, s.place, error, 3000)", is_met=False)
IN_SEVERAL = Ground("oracle.in_more_than(:zones, s.place, error, 1)")
MORE_THAN_1_M2 = Ground("oracle.share_inside(:zones, s.place, error, 0, 1)")
FAR_FROM_ALL = Ground("oracle.absent(:zones, s.place, error, 200)", "200", is_met=False)
ANYWHERE = Ground("'conflict'", is_met=False)


def outside_by(share: float) -> Ground:
    """More than that share of the area outside all zones."""
    return Ground(f"oracle.share_outside(:zones, s.place, error, {share})", is_met=False)


@dataclass(frozen=True)
class Ask:
    """One rule, or a part of one: parts differ in zones, distance or subjects, and the worst counts."""

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
BOTH = "projects enterprises"
STORES_WASTE = "s.source_type IN ('solid_storage', 'hazardous_storage', 'yard')"
LIVESTOCK = "(s.industry_code LIKE 'A03%' OR s.industry_code LIKE '03%')"

NOWHERE = ""
"""The layer of a rule that attributes alone decide."""

WATER = "water_source_zones"
GRADE_1, GRADE_2, QUASI = "z.grade = '1'", "z.grade = '2'", "z.grade = 'quasi'"
PROTECTED = "z.grade IN ('1', '2')"

# Who pollutes water heavily, where nobody said so: an open list of industries; what is not in it stays open.
HEAVY_POLLUTER = """coalesce(s.heavy_water_pollution, CASE
    WHEN s.industry_code ~ '^C?(221|222)'  -- pulp and paper
      OR s.industry_code ~ '^C?(1713|1723|1733|1743|1752|1762)'  -- dyeing and finishing
      OR s.industry_code ~ '^C?(191|193)'  -- tanning
      OR s.industry_code ~ '^C?(251|252|261|263|2645|271)'  -- refining, coking, chemicals, pesticides, drugs
      OR s.industry_code ~ '^C?(3211|3212|336)'  -- smelting, electroplating
    THEN TRUE
END)"""

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
    Ask("DW-07", BOTH, WATER, GRADE_2, INSIDE, "NOT s.discharges_pollutants"),
    # Quasi zone: heavy polluters newly built or enlarged; rebuilt with more discharge; existing ones.
    Ask("DW-08", "projects", WATER, QUASI, INSIDE, f"{NEW_ENLARGED} AND {HEAVY_POLLUTER}"),
    Ask("DW-09", "projects", WATER, QUASI, INSIDE, "s.kind = 'rebuild' AND s.discharge_increase"),
    Ask("DW-10", "enterprises", WATER, QUASI, INSIDE, "s.discharges_pollutants"),
    Ask(
        "DW-11", "pollution_sources", WATER, PROTECTED, INSIDE,
        STORES_WASTE,
    ),
    Ask(
        "DW-12", "enterprises pollution_sources", WATER, "z.grade = 'rural'", INSIDE,
        "s.source_type IN ('livestock', 'compost', 'toilet', 'solid_pile')",
    ),
    Ask("DW-13", "enterprises outfalls", WATER, PROTECTED, within("500"), "s.discharges_pollutants"),
    Ask("DW-14", "outfalls", "water_intakes", "TRUE", UPSTREAM),
    Ask("DW-15", "enterprises", WATER, "z.grade IN ('1', '2', 'quasi')", INSIDE, LIVESTOCK),
)  # fmt: skip

REDLINE = "eco_redlines"

RL = (
    Ask("RL-01", BOTH, REDLINE, "z.is_core_reserve", INSIDE),
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
    Ask("RL-08", BOTH, REDLINE, "TRUE", within("100")),
)  # fmt: skip

RESERVE = "nature_reserves"

NR = (
    Ask("NR-01", BOTH, RESERVE, "z.control = 'core'", INSIDE),
    Ask(
        "NR-02", BOTH, RESERVE,
        "z.control = 'general' AND z.type IN ('national_park', 'nature_reserve')", INSIDE,
    ),
    Ask(
        "NR-03", BOTH, RESERVE,
        "z.type IN ('nature_park', 'scenic', 'forest_park', 'wetland_park')", INSIDE,
    ),
    Ask("NR-04", "outfalls", RESERVE, "TRUE", INSIDE, "s.kind = 'new'"),
    Ask("NR-05", "outfalls", RESERVE, "TRUE", within("1000"), "s.kind = 'new'"),
)  # fmt: skip

FUEL = "fuel_ban_zones"
COAL = "s.fuel IN ('coal', 'coal_products')"
# Which fuel each category bans: 4.2 of the catalogue of rules. "Dedicated" implies dust removal.
BANNED = {
    "TRUE": "s.fuel IN ('petcoke', 'oil_shale', 'crude_oil', 'heavy_oil', 'coal_tar')",
    "z.fuel_category = 'I'": f"{COAL} AND (s.boiler AND s.capacity_t_h < 20 OR NOT s.boiler AND "
    "s.household_stove) AND (s.sulphur_pct > 0.5 OR s.ash_pct > 10)",
    "z.fuel_category = 'II'": f"{COAL} AND NOT (s.boiler AND s.capacity_t_h >= 20)",
    "z.fuel_category = 'III'": f"({COAL} OR s.fuel = 'biomass_pellet' AND NOT s.dedicated_boiler)",
}


def banned(rule: str, subjects: str, which: str, whom: str, excused: str = "FALSE") -> tuple[Ask, ...]:
    """Fuel that is banned in the zone: as stated, else by its category."""
    stated = Ask(
        rule, subjects, FUEL, which, INSIDE, f"{whom} AND s.fuel_banned_in_category IS TRUE", excused
    )
    silent = f"{whom} AND s.fuel_banned_in_category IS NULL"
    by_category = (
        Ask(rule, subjects, FUEL, f"{which} AND {category}", INSIDE, f"{silent} AND {fuel}", excused)
        for category, fuel in BANNED.items()
    )
    return stated, *by_category


CATEGORY = "z.fuel_category IN ('I', 'II', 'III')"
MAY_STILL_CONVERT = "s.conversion_deadline >= :law_date"

HF = (
    # Excused: power plants by the catalogue, and who may still convert to clean energy.
    *banned(
        "HF-01", "pollution_sources", CATEGORY, "TRUE",
        f"s.source_type = 'power_plant' OR {MAY_STILL_CONVERT}",
    ),
    *banned("HF-02", "projects", "TRUE", NEW_ENLARGED),
    *banned("HF-03", "pollution_sources", "TRUE", MAY_STILL_CONVERT),
    Ask("HF-04", "enterprises", FUEL, "TRUE", INSIDE, "s.sells_fuel"),
    Ask("HF-05", "pollution_sources", "heat_grid_areas", "TRUE", INSIDE, f"{COAL} AND s.boiler"),
    Ask(
        "HF-06", "pollution_sources", FUEL, "z.fuel_category = 'III'", INSIDE, "s.fuel = 'biomass_pellet'",
        excused="s.dedicated_boiler",
    ),
)  # fmt: skip

UNIT = "control_units"
PRIORITY, URBAN = "z.unit_class = 'priority'", "z.unit_class = 'key' AND z.subclass = 'urban'"
NEW_TIER_3 = f"s.industry_tier = 'tier3' AND {NEW_ENLARGED}"

ZC = (
    # Against the unit's list: as stated, else the template of the province, which is not complete.
    Ask("ZC-01", BOTH, UNIT, "TRUE", INSIDE, "s.in_unit_negative_list"),
    Ask("ZC-01", BOTH, UNIT, PRIORITY, INSIDE, f"s.in_unit_negative_list IS NULL AND {NEW_TIER_3}"),
    Ask("ZC-01", BOTH, UNIT, URBAN, INSIDE, f"s.in_unit_negative_list IS NULL AND {NEW_TIER_3}"),
    Ask("ZC-02", "projects", UNIT, PRIORITY, INSIDE, "s.industry_tier = 'tier3'"),
    Ask(
        "ZC-03", "projects", UNIT, PRIORITY, INSIDE,
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
    Ask("ZC-08", BOTH, UNIT, "TRUE", OUTSIDE),
    Ask("ZC-09", BOTH, "env_function_zones", "TRUE", INSIDE),
)  # fmt: skip

FARMLAND = "basic_farmland"

LS = (
    Ask("LS-01", "projects parcel", FARMLAND, "TRUE", MORE_THAN_1_M2),
    Ask("LS-02", "projects", FARMLAND, "TRUE", within("0"), "s.soil_polluting AND s.kind = 'new'"),
    Ask("LS-03", "enterprises", FARMLAND, "TRUE", INSIDE, "s.soil_polluting"),
    Ask("LS-04", "projects pollution_sources", FARMLAND, "TRUE", INSIDE, WASTE_FACILITY),
    Ask("LS-05", "projects parcel", "urban_boundary", "TRUE", outside_by(0.05)),
    Ask(
        "LS-06", "projects", "sensitive_receptors",
        "z.kind IN ('residential', 'school', 'hospital', 'sanatorium', 'nursing_home')", within("100"),
        "s.soil_polluting",
    ),
)  # fmt: skip

RIVER, SCOPE, SHORE = "river_lines", "river_scope", "yangtze_shores"
PLAIN = "z.plain AND NOT z.levee"

RV = (
    Ask("RV-01", "projects enterprises parcel", SCOPE, "TRUE", INSIDE, "s.has_building"),
    Ask(
        "RV-02", "pollution_sources", SCOPE, "TRUE", INSIDE,
        "s.source_type IN ('solid_storage', 'yard', 'spoil')",
    ),
    Ask("RV-03", "projects", SCOPE, "TRUE", INSIDE, "s.river_works"),
    # Rivers of the plain without a levee: 5 m from county level up, 7 m for floods, 2 m at township level.
    Ask("RV-04", BOTH, RIVER, f"{PLAIN} AND z.river_level = 'county_up'", within("5")),
    Ask("RV-04", BOTH, RIVER, f"{PLAIN} AND z.river_level = 'flood'", within("7")),
    Ask("RV-04", BOTH, RIVER, f"{PLAIN} AND z.river_level = 'township'", within("2")),
    # Off in this district: the basin of the Yangtze.
    Ask(
        "RV-05", "projects", SHORE, "z.shore_class IN ('main', 'major_tributary', 'tributary')",
        within("1000"), f"s.chemical AND {NEW_ENLARGED}",
    ),
    Ask("RV-06", "projects", SHORE, "z.shore_class = 'main'", within("3000"), "s.tailings"),
    Ask("RV-06", "projects", SHORE, "z.shore_class = 'major_tributary'", within("1000"), "s.tailings"),
    Ask("RV-07", "projects", "key_shores", "TRUE", within("1000"), "s.chemical"),
    Ask("RV-08", "projects", "shoreline_zones", "z.shore_class IN ('protection', 'reserve')", INSIDE),
)  # fmt: skip

QUIET = "noise_sensitive_areas"

NS = (
    Ask("NS-01", "projects", QUIET, "TRUE", INSIDE, "s.kind = 'new' AND s.industrial_noise"),
    Ask("NS-02", BOTH, QUIET, "TRUE", INSIDE, "s.kind IN ('rebuild', 'expand') AND s.industrial_noise"),
    Ask("NS-03", "enterprises", "noise_zones", "z.noise_class IN ('0', '1')", INSIDE, "s.industrial_noise"),
    Ask("NS-04", "pollution_sources", "noise_zones", "TRUE", INSIDE, "s.leq_exceeds_zone_limit"),
)  # fmt: skip

RECEPTOR = "sensitive_receptors"
DISTANCE = "s.eia_protection_distance_m"

SR = (
    # The distance that the impact assessment states (0: none); where missing, all within 5 km may matter.
    Ask("SR-01", BOTH, RECEPTOR, "TRUE", within(DISTANCE), f"{DISTANCE} IS NOT NULL AND {DISTANCE} > 0"),
    Ask("SR-01", BOTH, RECEPTOR, "TRUE", AS_FAR_AS_MAY_BE, f"nullif({DISTANCE} IS NULL, TRUE)"),
    Ask("SR-02", "enterprises", RECEPTOR, "TRUE", within("300"), f"s.odour AND {DISTANCE} = 0"),
    Ask("SR-03", BOTH, RECEPTOR, "TRUE", within("300"), "s.waste_incineration"),
    Ask("SR-04", BOTH, RECEPTOR, "TRUE", within("500"), "s.hazardous_waste_facility"),
    Ask(
        "SR-05", "enterprises", "residential_buildings", "TRUE", INSIDE,
        "(s.industry_code LIKE 'H62%' OR s.industry_code LIKE '62%') AND s.oil_fume",
    ),
    Ask("SR-06", "enterprises", "built_up_areas", "TRUE", INSIDE, LIVESTOCK),
    Ask(
        "SR-07", "parcel", "enterprise_protection_areas", "TRUE", INSIDE,
        "s.planned_use IN ('residential', 'education', 'medical')",
    ),
)  # fmt: skip

WITHOUT_CONSENT = "lower(trim(s.approval_no)) IN ('none', '无', '没有', 'nil', 'n/a')"

OF = (
    # That there is no consent has to be stated.
    Ask(
        "OF-01", "outfalls", RIVER, "TRUE", within("50"),
        f"s.outfall_class IN ('industrial', 'park_plant', 'town_plant') AND {WITHOUT_CONSENT}",
    ),
    Ask("OF-02", "outfalls", RIVER, "TRUE", within("50"), f"{WITHOUT_CONSENT} AND NOT s.registered"),
    Ask(
        "OF-03", "outfalls", "water_function_zones", "NOT z.attains", INSIDE,
        "s.kind IN ('new', 'changed', 'enlarged')", excused="s.outfall_class = 'town_plant'",
    ),
    Ask("OF-04", "outfalls", RIVER, "TRUE", FAR_FROM_ALL),
    Ask("OF-05", "outfalls", NOWHERE, "FALSE", ANYWHERE, "NOT s.in_permit"),
    Ask(
        "OF-06", "enterprises", NOWHERE, "FALSE", ANYWHERE,
        "s.permit_class = 'key' AND NOT s.online_monitor",
    ),
)  # fmt: skip

SEWERED = "zero_discharge_areas"

ZD = (
    Ask(
        "ZD-01", "outfalls", SEWERED, "TRUE", INSIDE,
        "s.discharge_to IN ('surface_water', 'rain_sewer') AND NOT s.treated_centrally",
    ),
    Ask("ZD-02", "outfalls", SEWERED, "TRUE", INSIDE, "s.outfall_class = 'rain' AND s.dry_weather_flow"),
    # Less than 90 % of the park inside.
    Ask("ZD-03", "parks", SEWERED, "TRUE", outside_by(0.1)),
)  # fmt: skip

PK = (
    Ask("PK-01", "projects", "parks", "TRUE", OUTSIDE, "s.industry_tier IN ('tier2', 'tier3')"),
    Ask("PK-02", "projects", NOWHERE, "FALSE", ANYWHERE, "s.two_high"),
)  # fmt: skip

AQ = (Ask("AQ-01", "enterprises", "air_function_zones", "z.air_class = '1'", INSIDE, "s.emits_air"),)

RULES = (*DW, *RL, *NR, *HF, *ZC, *LS, *RV, *NS, *SR, *OF, *ZD, *PK, *AQ)
ZONES = sorted({ask.zones for ask in RULES if ask.zones != NOWHERE})
BY_RULE = {rule: tuple(asks) for rule, asks in groupby(RULES, key=lambda ask: ask.rule)}
SUBJECTS = sorted({name for ask in RULES for name in ask.subjects.split() if name != "parcel"})
TODAY = date(2026, 9, 1)
"""The day whose law the comparisons apply, unless they say another."""
