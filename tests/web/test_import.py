"""The import of files in Chromium: dropped, proposed, tried, imported, and the refused rows brought back."""

from __future__ import annotations

import base64
import csv
import json
import re
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import geopandas
import pyproj
import pytest
import shapely
from playwright.sync_api import Page, expect

from tests.conftest import Databases
from tests.web.conftest import build_demonstration, eventually, serving, settled
from tests.web.looking import panel

LAYER = "outfalls"
# Outfalls in Yongkang; the third has no name, the fifth is of no known class, the last is the first again.
IDS = ("W1", "W2", "W3", "W4", "W5", "W6", "W7", "W1")
PLACES = [(120.02 + 0.008 * i, 28.86 + 0.006 * (i % 3)) for i in range(len(IDS))]
REFUSED = (3, 5, 8)


@pytest.fixture(scope="module")
def import_server(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service of its own, which these tests may write to."""
    name = databases.create(databases.template("demonstration", build_demonstration))
    folder = tmp_path_factory.mktemp("importing")
    with serving(databases.url(name), folder) as address:
        yield address
    databases.drop(name)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A zipped shapefile in GBK without .prj and .cpg; its coordinates are those of EPSG:4549."""
    folder = tmp_path_factory.mktemp("outfalls")
    plane = pyproj.Transformer.from_crs(4490, 4549, always_xy=True)
    rows = [
        {
            "排污口编号": uid,
            "名称": None if number == 3 else f"华溪第{number}排口",
            "类别": "不知道" if number == 5 else "工矿企业",
            "县市区": "永康市",
            "geometry": shapely.Point(plane.transform(*place)),
        }
        for number, (uid, place) in enumerate(zip(IDS, PLACES, strict=True), start=1)
    ]
    with pytest.warns(UserWarning, match="crs"):
        geopandas.GeoDataFrame(rows).to_file(folder / "o.shp", encoding="GBK", engine="pyogrio")
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for ending in ("shp", "shx", "dbf"):
            packed.write(folder / f"o.{ending}", f"永康排污口.{ending}")
    return out.getvalue()


@pytest.fixture
def import_page(import_server: str, new_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens the map of the service that may be written to."""

    def open_map(link: str = "lang=zh&layers=", **options: Any) -> Page:
        page = new_page(**options)
        page.goto(f"{import_server}/#{link}")
        settled(page)
        return page

    return open_map


def drop(page: Page, *files: tuple[str, bytes]) -> None:
    """Let files fall onto the map."""
    data = page.evaluate_handle(
        """files => {
            const data = new DataTransfer();
            for (const [name, content] of files) {
                const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
                data.items.add(new File([bytes], name));
            }
            return data;
        }""",
        [[name, base64.b64encode(content).decode()] for name, content in files],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#map", event, {"dataTransfer": data})


def ask_now(server: str, path: str) -> dict[str, Any]:
    """The JSON that the service answers now; nothing here stands still."""
    with urllib.request.urlopen(f"{server}/{path}", timeout=30) as answer:
        return dict(json.load(answer))


def here(page: Page, step: str) -> None:
    """The step whose number is marked in the panel."""
    expect(panel(page).locator("[aria-current=step]")).to_contain_text(step, timeout=60_000)


def test_a_file_is_dropped_understood_and_imported(
    import_page: Callable[..., Page], import_server: str, archive: bytes, tmp_path: Path
) -> None:
    page = import_page()
    side = panel(page)
    drop(page, ("永康排污口.zip", archive))

    here(page, "文件与坐标")
    expect(side.locator(".import-facts summary")).to_contain_text("Shapefile · GB18030 · 8 行 · 点 8")
    first = side.locator(".import-candidate").first
    expect(first).to_contain_text("EPSG:4549")
    expect(first).to_contain_text("8 行落在其中")
    expect(first.get_by_role("radio")).to_be_checked()
    expect(side.locator(".import-shown")).to_have_count(2)  # the second guess stands beside it
    eventually(page, lambda: "import=" in page.url, "the link names the import")
    page.reload()
    settled(page)
    here(page, "文件与坐标")  # found again
    heading = side.locator(".import-heading")
    # Not to_be_focused: a window that stands behind others has no focus at all.
    eventually(page, lambda: bool(heading.evaluate("it => it === document.activeElement")), "focus")
    side.get_by_role("button", name="位置正确，下一步").click()

    here(page, "图层与字段")
    expect(side.get_by_label("导入到图层")).to_have_value(LAYER)
    columns = {"排污口编号 *": "排污口编号", "名称 *": "名称", "排污口类别": "类别"}
    for field, column in columns.items():
        expect(side.get_by_label(field, exact=True)).to_have_value(column)
    side.get_by_label("名称 *", exact=True).select_option("")
    expect(side.get_by_role("button", name="试算", exact=True)).to_be_disabled()
    side.get_by_label("名称 *", exact=True).select_option("名称")
    side.get_by_role("button", name="试算", exact=True).click()

    here(page, "试算检查")
    expect(side.locator(".import-balance")).to_contain_text("共 8 行：接受 5 行")
    expect(side.locator(".tile.row-added b")).to_have_text("5")
    reasons = side.locator(".severity-error .import-reason")
    for row in REFUSED:
        expect(reasons.filter(has_text=f"第 {row} 行")).to_have_count(1)
    expect(reasons.filter(has_text="必填字段“名称”为空")).to_have_count(1)
    before = ask_now(import_server, f"collections/{LAYER}/items?limit=1")["numberMatched"]
    side.get_by_role("button", name="导入其余 5 行").click()

    here(page, "写入")
    expect(side.get_by_text("已写入，修订")).to_be_visible(timeout=60_000)
    now = ask_now(import_server, f"collections/{LAYER}/items?limit=1000")
    assert now["numberMatched"] == before + 5
    placed = {row["id"]: row["geometry"]["coordinates"] for row in now["features"]}
    geod = pyproj.Geod(ellps="GRS80")
    for number, (uid, place) in enumerate(zip(IDS, PLACES, strict=True), start=1):
        if number not in REFUSED:
            assert geod.inv(*place, *placed[uid])[2] < 1, uid
    count = page.locator(f'[data-layer="{LAYER}"] .layer-count')
    expect(count).to_have_text(str(before + 5))

    with page.expect_download() as asked:
        side.get_by_role("link", name="CSV").click()
    asked.value.save_as(tmp_path / "rejects.csv")
    rows = list(csv.DictReader(StringIO((tmp_path / "rejects.csv").read_text(encoding="utf-8-sig"))))
    assert [row["名称"] for row in rows] == ["", "华溪第5排口", "华溪第8排口"]
    with page.expect_download() as asked:
        side.get_by_role("link", name="原格式").click()
    assert asked.value.suggested_filename.endswith("-rejects.zip")


def test_a_parcel_with_attributes_may_be_screened_or_imported(import_page: Callable[..., Page]) -> None:
    page = import_page("lang=en&layers=")
    ring = [[119.9, 29.0], [119.91, 29.0], [119.91, 29.01], [119.9, 29.0]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    parcel = {"type": "Feature", "properties": {"name": "P1"}, "geometry": geometry}
    drop(page, ("parcel.geojson", json.dumps(parcel).encode()))
    dialog = page.get_by_role("dialog", name="What is parcel.geojson for?")
    dialog.get_by_role("button", name="Screen this parcel").click()
    expect(panel(page).locator(".headline")).to_be_visible()
    drop(page, ("parcel.geojson", json.dumps(parcel).encode()))
    dialog.get_by_role("button", name="Import into a layer").click()
    here(page, "File and place")
    expect(panel(page).get_by_text("GeoJSON · ")).to_be_visible()
    words = panel(page).inner_text()
    assert not re.search(r"[一-鿿]", words), words


def test_a_phone_imports_from_a_sheet_and_is_told_of_a_refusal(
    import_page: Callable[..., Page], archive: bytes
) -> None:
    page = import_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.get_by_role("button", name="导入数据").tap()
    sheet = panel(page)
    drop(page, ("坏.zip", archive[:200]))
    expect(sheet.get_by_role("alert")).to_be_visible(timeout=60_000)
    expect(sheet.get_by_role("button", name="选择文件")).to_be_visible()
    drop(page, ("永康排污口.zip", archive))
    here(page, "文件与坐标")
    for press in ("位置正确，下一步", "试算"):
        narrow(page)
        sheet.get_by_role("button", name=press, exact=True).tap()
    here(page, "试算检查")
    expect(sheet.locator(".import-balance")).to_be_visible(timeout=60_000)
    narrow(page)


def narrow(page: Page) -> None:
    """Nothing reaches beyond the sides, and a finger meets every button."""
    page.wait_for_timeout(150)
    sheet = panel(page)
    box = sheet.bounding_box()
    assert box and box["x"] == 0 and box["width"] == 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert sheet.evaluate("sheet => sheet.scrollWidth <= sheet.clientWidth")
    small = sheet.locator("button:visible, select:visible, summary:visible, a.button:visible").evaluate_all(
        """all => all.map(each => [each.textContent || each.ariaLabel, each.getBoundingClientRect()])
        .filter(([, box]) => box.height < 39.5 || box.width < 39.5).map(([words]) => words)"""
    )
    assert small == []
