"""Layers as files, and read back as what they were."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from playwright.sync_api import Page
from pyproj import Transformer
from sqlalchemy import Engine

from gis.errors import ExportRefused
from gis.export import export_layer, safe_cell
from gis.importing import ImportOptions, ImportResult, SourceInfo, import_file
from gis.settings import MapDefinition
from tests.gis.conftest import content

Load = Callable[..., ImportResult]

WELLS = """code,name,kind,depth,lon,lat,valid_from,is_indicative
W1,东井,dug,4.5,120.05,29.05,2020-01-01,true
W2,"=cmd|' /C calc'!A0",bored,80,119.55,29.05,,
W3,"a, ""b"" c",dug,,120.05,29.05,,
"""
PAD = 'code,strict,wkt\nP,true,"MULTIPOLYGON(((119.8 29,120 29,120 29.2,119.8 29.2,119.8 29)))"\n'


@pytest.fixture
def export(store: Engine, small_map: MapDefinition, tmp_path: Path) -> Callable[..., Path]:
    """Writes a layer to a file of this name: export("wells", "w.csv", as_of="1")."""

    def run(layer: str, name: str, **options: Any) -> Path:
        return export_layer(store, small_map, small_map.layers[layer], tmp_path / name, **options).path

    return run


@pytest.mark.parametrize("name", ["w.geojson", "w.gpkg", "w.fgb"])
def test_a_file_holds_every_row_with_its_types(load: Load, export: Callable[..., Path], name: str) -> None:
    load("wells", WELLS)
    frame = gpd.read_file(export("wells", name)).sort_values("code")
    assert frame["name"].tolist()[0] == "东井"
    assert frame["depth"].tolist()[:2] == [4.5, 80.0]
    assert frame["is_indicative"].tolist() == [True, False, False]
    assert str(frame["valid_from"].iloc[0])[:10] == "2020-01-01"
    assert [(p.x, p.y) for p in frame.geometry] == [(120.05, 29.05), (119.55, 29.05), (120.05, 29.05)]
    assert frame.crs.to_epsg() == (4326 if name.endswith("geojson") else 4490)


@pytest.mark.parametrize("name", ["w.gpkg", "w.csv"])
def test_what_was_exported_can_be_imported_unchanged(
    load: Load, export: Callable[..., Path], store: Engine, small_map: MapDefinition, name: str
) -> None:
    load("wells", WELLS.replace("=cmd|' /C calc'!A0", "plain"))
    file = export("wells", name)
    before = content(store, "wells")
    options = ImportOptions(SourceInfo("survey"), crs="EPSG:4490")
    result = import_file(store, small_map, "wells", file, options)
    assert (result.bad, result.change.rev) == (0, None)
    assert content(store, "wells") == before


def test_a_csv_opens_in_a_spreadsheet_and_runs_nothing(load: Load, export: Callable[..., Path]) -> None:
    load("wells", WELLS)
    raw = export("wells", "w.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf") and raw.count(b"\r\n") == 4
    rows = list(csv.DictReader(raw.decode("utf-8-sig").splitlines()))
    assert [row["name"] for row in rows] == ["东井", "'=cmd|' /C calc'!A0", 'a, "b" c']
    assert [row["depth"] for row in rows] == ["4.5", "80.0", ""]
    assert (rows[0]["lon"], rows[0]["lat"], rows[0]["is_indicative"]) == ("120.05", "29.05", "true")


@pytest.mark.parametrize(
    ("text", "safe"),
    [("=1", "'=1"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("\tx", "'\tx"), ("a=1", "a=1"), ("", "")],
)
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(text: str, safe: str) -> None:
    assert safe_cell(text) == safe


def test_as_of_and_crs_choose_what_is_written(load: Load, export: Callable[..., Path]) -> None:
    load("wells", WELLS)
    load("wells", "code,name,lon,lat\nW1,later,120.06,29.05\n")
    then = json.loads(export("wells", "then.geojson", as_of="1").read_text(encoding="utf-8"))
    assert then["features"][0]["properties"]["name"] == "东井"
    frame = gpd.read_file(export("wells", "plane.gpkg", crs="EPSG:4549")).set_index("code")
    easting, northing = Transformer.from_crs(4490, 4549, always_xy=True).transform(119.55, 29.05)
    assert frame.crs.to_epsg() == 4549
    assert (frame.geometry["W2"].x, frame.geometry["W2"].y) == pytest.approx((easting, northing), abs=0.001)


def test_areas_are_written_as_wkt_in_a_csv(load: Load, export: Callable[..., Path]) -> None:
    load("pads", PAD)
    (row,) = csv.DictReader(export("pads", "p.csv").read_text("utf-8-sig").splitlines())
    assert row["wkt"].startswith("MULTIPOLYGON (((119.8 29")


def test_an_empty_layer_is_an_empty_file(export: Callable[..., Path]) -> None:
    assert len(gpd.read_file(export("wells", "w.gpkg"))) == 0
    assert len(export("wells", "w.csv").read_text("utf-8-sig").splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("w.xyz", {}),
        ("w", {}),
        ("w.geojson", {"crs": "EPSG:4549"}),
        ("missing/w.csv", {}),
        ("missing/w.gpkg", {}),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(
    export: Callable[..., Path], tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    before = list(tmp_path.iterdir())
    with pytest.raises(ExportRefused):
        export("wells", name, **options)
    assert list(tmp_path.iterdir()) == before


EVIL = "<img src=x onerror=alert(1)></script><script>document.title='owned'</script>"


def test_a_map_file_opens_without_a_network_and_shows_its_rows(
    load: Load, export: Callable[..., Path], new_page: Callable[..., Page]
) -> None:
    rows = [f"W1,{EVIL},dug,120.05,29.05", "W2,西井,bored,119.55,29.05", "W3,同处,bored,119.55,29.05"]
    load("wells", "\n".join(["code,name,kind,lon,lat", *rows, ""]))
    page = new_page(locale="zh-CN", offline=True)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    file = export("wells", "map.html")
    page.goto(file.as_uri())
    marks = page.locator("path.leaflet-interactive")
    assert marks.count() == 2
    assert [mark.get_attribute("fill") for mark in marks.all()] == ["#aa6622", "#2266aa"]
    assert page.locator(".om-count").inner_text() == "2"
    assert page.locator(".om-legend li").all_inner_texts() == ["大口井\n1", "管井\n2", "未注明\n0"]
    marks.last.click(force=True)
    assert EVIL in page.locator(".leaflet-popup summary").inner_text()
    assert "大口井" in page.locator(".leaflet-popup td").all_inner_texts()
    assert page.title() != "owned" and page.locator(".leaflet-popup img").count() == 0
    page.get_by_role("button", name="English").click()
    assert page.locator(".om-legend li").first.inner_text() == "Dug well\n1"
    assert "revision 1" in page.locator(".om-note").inner_text()
    assert requests == [file.as_uri()]


def test_a_map_file_says_when_it_holds_demonstration_data(
    export: Callable[..., Path],
    new_page: Callable[..., Page],
    store: Engine,
    small_map: MapDefinition,
    tmp_path: Path,
) -> None:
    file = tmp_path / "demo.csv"
    file.write_text("code,name,lon,lat\nD1,演示,120.1,29\n", encoding="utf-8")
    options = ImportOptions(SourceInfo("demo", accuracy_m=1, is_demonstration=True), crs="EPSG:4490")
    import_file(store, small_map, "wells", file, options)
    page = new_page(locale="en-GB", viewport={"width": 390, "height": 800})
    page.goto(export("wells", "map.html").as_uri())
    assert "demonstration data" in page.locator(".om-mark").inner_text()
    page.locator("path.leaflet-interactive").click(force=True)
    assert page.locator(".leaflet-popup .om-mark").inner_text() == "Demonstration"
