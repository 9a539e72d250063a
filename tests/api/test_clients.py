"""Programs of others read the service: GDAL as Debian ships it, GDAL as pyogrio brings it, OWSLib."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import owslib.ogcapi
import pytest
from owslib.ogcapi.features import Features
from sqlalchemy import text

from gis.access import Role
from gis.accounts import register
from gis.accounts.passwords import Passwords
from gis.db import connect
from tests.api.conftest import SmallMap
from tests.api.test_bounds import serving
from tests.api.test_session import WORD, key_of


def ogrinfo(*arguments: str) -> str:
    done = subprocess.run(["ogrinfo", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def stored(small: SmallMap) -> dict[str, int]:
    """How many current rows the store has in each layer."""
    with connect(small.engine) as conn:
        return {
            name: conn.scalar(text(f'SELECT count(*) FROM now."{name}"')) or 0
            for name in small.definition.layers
        }


def test_ogrinfo_lists_the_layers_and_counts_what_the_store_holds(live: str, shared_map: SmallMap) -> None:
    listed = ogrinfo(f"OAPIF:{live}")
    for name, count in stored(shared_map).items():
        assert re.search(rf"^\d+: {name} \(title: ", listed, re.MULTILINE)
        told = ogrinfo("-so", f"OAPIF:{live}", name)
        assert f"Feature Count: {count}\n" in told


@pytest.mark.parametrize("page_size", [1, 3, 100])
def test_ogrinfo_reads_every_feature_over_the_pages(live: str, page_size: int) -> None:
    told = ogrinfo("-ro", "-al", "-oo", f"PAGE_SIZE={page_size}", f"OAPIF:{live}", "wells")
    assert re.findall(r"  uid \(String\) = (\w+)", told) == ["IN", "OUT", "RIM", "ALSO"]
    assert "POINT (120.005 28.905)" in told
    assert re.search(r"depth \(Real\) = 33.5", told) and "里井" in told


def test_ogrinfo_filters_on_the_server(live: str) -> None:
    told = ogrinfo("-al", "-where", "kind = 'dug'", "-spat", "120.008", "28.9", "120.2", "28.91",
                   f"OAPIF:{live}", "wells")  # fmt: skip
    assert re.findall(r"  uid \(String\) = (\w+)", told) == ["RIM"]


READ = """
import pyogrio, sys
for layer in ("wells", "pads"):
    frame = pyogrio.read_dataframe("OAPIF:" + sys.argv[1], layer=layer)
    print(layer, frame.crs.to_epsg(), frame.geometry.iloc[0].bounds)
"""


def test_a_newer_gdal_reads_the_storage_crs_with_its_axes_right(live: str) -> None:
    # In a process of its own: it holds the interpreter while it waits for the server, which is in this one.
    done = subprocess.run([sys.executable, "-c", READ, live], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [
        "wells 4490 (120.005, 28.905, 120.005, 28.905)",
        "pads 4490 (120.0, 28.9, 120.01, 28.91)",
    ], done.stderr


FG = """
import pyogrio, sys, urllib.request
for query in sys.argv[2:]:
    told = urllib.request.urlopen(sys.argv[1] + "collections/wells/items?" + query).read()
    frame = pyogrio.read_dataframe(told)
    driver, place = pyogrio.read_info(told)["driver"], frame.geometry.iloc[0]
    print(driver, frame.crs.to_epsg(), len(frame), round(place.x, 3), round(place.y, 3))
"""


def test_gdals_driver_for_jsonfg_reads_each_profile_with_its_axes_right(live: str) -> None:
    asked = [f"profile=jsonfg&crs=EPSG:{crs}" for crs in (4490, 4549)]
    asked += [
        "profile=jsonfg-plus&crs=EPSG:4549",
        "f=jsonfg&crs=EPSG:4549",
        "profile=jsonfg",
        "profile=rfc7946",
    ]
    done = subprocess.run(
        [sys.executable, "-c", FG, live, *asked], capture_output=True, text=True, timeout=60
    )
    plane = "JSONFG 4549 4 500487.639 3198740.011"
    assert done.stdout.splitlines() == [
        "JSONFG 4490 4 120.005 28.905", plane, plane, plane,
        "JSONFG 4326 4 120.005 28.905", "GeoJSON 4326 4 120.005 28.905",
    ], done.stderr  # fmt: skip


def test_owslib_finds_its_way(live: str, shared_map: SmallMap) -> None:
    service = Features(live)
    assert set(service.feature_collections()) == set(shared_map.definition.layers)
    assert service.api()["openapi"] == "3.0.3"
    assert any("ogcapi-features-1" in c for c in service.conformance()["conformsTo"])
    page = service.collection_items("wells", limit=2, bbox=[120.0, 28.9, 120.02, 28.92])
    assert (page["numberMatched"], page["numberReturned"]) == (3, 2)
    assert service.collection_item("wells", "OUT")["properties"]["name"] == "Out well"
    assert "kind" in service.collection_queryables("wells")["properties"]


def test_ogrinfo_filters_with_and_and_or(live: str) -> None:
    told = ogrinfo(
        "-al", "-where", "depth > 5 AND (kind = 'dug' OR kind = 'bored')", f"OAPIF:{live}", "wells"
    )
    assert re.findall(r"  uid \(String\) = (\w+)", told) == ["OUT", "ALSO"]


BOXED = """
import geopandas, pyogrio, sys
plane = pyogrio.read_dataframe("OAPIF:" + sys.argv[1], layer="wells", CRS="EPSG:4549")
print(plane.crs.to_epsg(), [round(n) for n in plane.geometry.iloc[0].coords[0]])
frame = geopandas.read_file("OAPIF:" + sys.argv[1], layer="wells", bbox=(120.0, 28.9, 120.009, 28.91))
print(sorted(frame["uid"]), frame.crs.to_epsg(), frame.geometry.iloc[0].wkt)
page = geopandas.read_file(sys.argv[1] + "collections/wells/items?filter=depth%20%3E%205&sortby=-depth")
print(list(page["code"]), page.crs.to_epsg())
"""


def test_gdal_reads_another_system_and_geopandas_a_box_and_a_filtered_page(live: str) -> None:
    done = subprocess.run([sys.executable, "-c", BOXED, live], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [
        "4549 [500488, 3198740]",
        "['ALSO', 'IN'] 4490 POINT (120.005 28.905)",
        "['OUT', 'ALSO'] 4326",
    ], done.stderr


def test_owslib_filters(live: str) -> None:
    service = Features(live)
    page = service.collection_items("wells", filter="CASEI(name) LIKE CASEI('%WELL')")
    assert [feature["id"] for feature in page["features"]] == ["OUT"]
    tree = {"op": "<", "args": [{"property": "depth"}, 13]}
    kept = service.collection_items("wells", filter=json.dumps(tree), **{"filter-lang": "cql2-json"})
    assert [feature["id"] for feature in kept["features"]] == ["IN", "ALSO"]
    assert "kind" in service.collection_schema("wells")["properties"]


def test_owslib_writes_items_with_a_key(own_map: SmallMap, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whatever one of its clients sends in a header, OWSLib sends for all.
    monkeypatch.setattr(owslib.ogcapi, "REQUEST_HEADERS", dict(owslib.ogcapi.REQUEST_HEADERS))
    with connect(own_map.engine, write=True) as conn:
        register.add(conn, "ed", WORD, Passwords(1, 8, 1), role=Role.EDITOR)
    key = key_of(own_map, account="ed")
    place = {"type": "Point", "coordinates": [120.2, 28.8]}
    well = {"type": "Feature", "geometry": place, "properties": {"code": "OWS", "kind": "dug", "depth": 5}}
    with serving(own_map) as base:
        service = Features(base, headers=key)
        assert service.collection_item_create("wells", well)
        assert service.response_headers["Location"] == f"{base}collections/wells/items/OWS"
        assert service.collection_item("wells", "OWS")["properties"]["depth"] == 5
        tag = service.response_headers["ETag"]
        well["properties"] = {"code": "OWS", "depth": 7}
        assert service.collection_item_update("wells", "OWS", well)
        assert service.collection_item("wells", "OWS")["properties"]["depth"] == 7
        service.headers["If-Match"] = tag
        with pytest.raises(RuntimeError, match="stale_item"):
            service.collection_item_update("wells", "OWS", well)
        with pytest.raises(RuntimeError, match="stale_item"):
            service.collection_item_delete("wells", "OWS")
        del service.headers["If-Match"]
        assert service.collection_item_delete("wells", "OWS")
        with pytest.raises(RuntimeError, match="not_found"):
            service.collection_item("wells", "OWS")
        del service.headers["Authorization"]
        with pytest.raises(RuntimeError, match="credential"):
            service.collection_item_create("wells", well)
