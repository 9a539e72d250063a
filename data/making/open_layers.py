"""Open data as it is: counties, seats, codes, rivers, lakes, power plants.

Only columns are renamed and far features left out; no coordinate is moved.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from .frame import Base, Row, polygons, read_csv, read_geojson, write_csv, write_geojson

# Rivers and lakes this far around the city are kept, in degrees.
NEIGHBOURHOOD = shapely.box(118.5, 28.0, 121.5, 30.2)

# The database's words for a fuel. It counts plants that burn waste under landfill gas; their technology or
# their name tells them apart.
_FUEL = {
    "Coal": "coal",
    "Hydro": "hydro",
    "Wind": "wind",
    "Natural Gas": "natural_gas",
    "Nuclear": "nuclear",
    "Landfill gas": "landfill_gas",
}
# Fuels that no catalogue of high-pollution fuels lists, in any category.
_NEVER_BANNED = frozenset({"hydro", "wind", "natural_gas", "nuclear", "waste", "landfill_gas"})
_NO_BOILER = frozenset({"hydro", "wind", "landfill_gas"})
_INCINERATION = ("combustion", "incineration")


def write_open_layers(base: Base, out: Path) -> None:
    """All files of real open geography and facilities."""
    write_geojson(out / "counties.geojson", _counties(base))
    write_csv(out / "townships.csv", _townships(base))
    write_csv(out / "admin_codes.csv", _admin_codes(base))
    write_geojson(out / "rivers_wdbii.geojson", _wdbii(base))
    write_geojson(out / "rivers_natural_earth.geojson", _natural_earth_rivers(base))
    write_geojson(out / "lakes_gshhg.geojson", _lakes(base))
    write_geojson(out / "power_plants.geojson", _power_plants(base))
    shutil.copyfile(base.folder / "china_dem_0p2deg.tif", out / "china_dem_0p2deg.tif")


def _rounded(geometry: BaseGeometry) -> BaseGeometry:
    return shapely.transform(geometry, lambda xy: np.round(xy, 6))


def _counties(base: Base) -> list[Row]:
    rows = read_geojson(base.folder / "jinhua_county_tianditu_cgcs2000.geojson")
    return [
        {
            "id": row["adcode"],
            "adcode": row["adcode"],
            "name": row["name"],
            "gb": row["gb"],
            "geom": polygons(g),
        }
        for row, g in rows
    ]


def _townships(base: Base) -> list[Row]:
    return [
        {
            "adcode": row["code"],
            "name": row["town"],
            "county": row["county"],
            "geonameid": row["geonameid"],
            "lon": row["lon"],
            "lat": row["lat"],
        }
        for row in read_csv(base.folder / "jinhua_township_seats_geonames.csv")
    ]


def _admin_codes(base: Base) -> list[Row]:
    source = read_csv(base.folder / "jinhua_admin_l4_codes.csv")
    levels = {"1": "city", "2": "county", "3": "township"}
    names = {row["id"]: row["ext_name"] for row in source}
    rows = []
    for row in source:
        level = levels[row["deep"]]
        rows.append(
            {
                "adcode": row["id"].ljust(6, "0"),
                "name": row["ext_name"],
                "level": level,
                "parent": row["pid"].ljust(6, "0"),
                "county": names[row["pid"]]
                if level == "township"
                else row["ext_name"]
                if level == "county"
                else None,
                "pinyin": row["pinyin"],
            }
        )
    return rows


def _wdbii(base: Base) -> list[Row]:
    return [
        {"id": f"wdbii-{row['id']}", "source_ref": row["id"], "geom": line}
        for row, line in _nearby_lines(base.folder / "zj_wdbii_rivers_full.geojson")
    ]


def _natural_earth_rivers(base: Base) -> list[Row]:
    return [
        {
            "id": f"ne-{row['rivernum']}-{i}",
            "name": row["name"],
            "source_ref": str(row["rivernum"]),
            "rank": int(row["scalerank"]),
            "geom": line,
        }
        for i, (row, line) in enumerate(
            _nearby_lines(base.folder / "zj_ne_10m_rivers_lake_centerlines.geojson"), start=1
        )
    ]


def _nearby_lines(path: Path) -> list[tuple[Row, BaseGeometry]]:
    """Each line of a file with its part in the neighbourhood, where it has any."""
    cut = [(row, _lines(shapely.intersection(g, NEIGHBOURHOOD))) for row, g in read_geojson(path)]
    return [(row, line) for row, line in cut if not line.is_empty]


def _lines(geometry: BaseGeometry) -> BaseGeometry:
    parts = [p for p in shapely.get_parts(geometry) if p.geom_type == "LineString" and not p.is_empty]
    return _rounded(shapely.MultiLineString(parts))


def _lakes(base: Base) -> list[Row]:
    rows = read_geojson(base.folder / "gshhg_lakes_eastchina.geojson")
    # Level 2 of GSHHG are lakes, level 3 islands in lakes.
    islands = shapely.union_all([g for row, g in rows if int(row["level"]) == 3])
    return [
        {
            "id": f"gshhg-{row['gshhg_id']}",
            "source_ref": row["gshhg_id"],
            "area_km2": round(float(row["area_km2"]), 2),
            "geom": polygons(_rounded(g.difference(islands))),
        }
        for row, g in rows
        if int(row["level"]) == 2 and g.intersects(NEIGHBOURHOOD)
    ]


def _power_plants(base: Base) -> list[Row]:
    return [_plant(row, g) for row, g in read_geojson(base.folder / "zj_power_plants_wri.geojson")]


def _plant(row: Row, point: BaseGeometry) -> Row:
    fuel = _FUEL[row["Fuel"]]
    words = f"{row['Name']} {row['Generator Technology']}".lower()
    burns_waste = fuel == "landfill_gas" and any(word in words for word in _INCINERATION)
    fuel = "waste" if burns_waste else fuel
    year = str(row["Commissioning Date"] or "")[:4]
    code = f"WRI-{row['Power Plant ID']}"
    return {
        "id": code,
        "source_code": code,
        "name": row["Name"],
        "is_synthetic": False,
        "operator": row["Owner"],
        "source_type": "waste_to_energy" if burns_waste else "power_plant",
        "fuel": fuel,
        "fuel_banned_in_category": False if fuel in _NEVER_BANNED else None,
        "boiler": False if fuel in _NO_BOILER else None,
        "capacity_mw": row["Capacity (MW)"],
        "commissioned_on": int(year) if year.isdigit() else None,
        "status": row["Operational Status"],
        "county": row["name"],
        "position_note": f"坐标据数据库原样；{row['Geolocation Source'] or '定位来源未注明'}",
        "note": _mismatch(row),
        "geom": _rounded(point),
    }


def _mismatch(row: Row) -> str | None:
    """Where the name says another place than the coordinates: kept as it is, and said."""
    if row["Name"].startswith("Yongkang") and row["name"] != "永康市":
        return f"名称指永康，坐标落在{row['name']}；按来源保留，未改动"
    return None
