"""Conflicts and verdicts in Chromium, on the real service."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

from tests.conftest import PageLog
from tests.web.conftest import eventually, settled
from tests.web.looking import ask, layers, panel, rows

MapPage = Callable[..., Page]

VERDICTS = {"conflict": "冲突", "unknown": "未知", "edge": "临界", "clear": "无冲突"}


def box_around_a_zone(server: str) -> tuple[float, float, float, float]:
    """West, south, east and north of a site that reaches from a demonstration zone over its rim."""
    layer = next(each for each in layers(server, role="zone") if each["visible"])
    feature = rows(server, layer["id"])[0]
    flat = re.findall(r"\[(-?[\d.]+), (-?[\d.]+)\]", json.dumps(feature["geometry"]["coordinates"]))
    xs, ys = [float(x) for x, _y in flat], [float(y) for _x, y in flat]
    middle = (min(ys) + max(ys)) / 2
    return min(xs) - 0.004, middle - 0.004, min(xs) + 0.008, middle + 0.004


def polygon(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def drop(page: Page, name: str, content: str) -> None:
    """Let a file fall onto the map."""
    data = page.evaluate_handle(
        """([name, content]) => {
            const data = new DataTransfer();
            data.items.add(new File([content], name));
            return data;
        }""",
        [name, content],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#map", event, {"dataTransfer": data})


def test_the_conflict_panel_counts_filters_and_shows_the_witness(map_page: MapPage, demo_server: str) -> None:
    page = map_page("lang=zh&layers=")
    numbers = ask(demo_server, "app/conflicts")
    page.get_by_role("button", name=re.compile("^冲突")).last.click()
    side = panel(page)
    for verdict in ("conflict", "edge", "unknown"):
        segment = side.locator(f".segment.verdict-{verdict}")
        expect(segment).to_contain_text(f"{numbers['by_verdict'].get(verdict, 0):,}")
        assert (segment.get_attribute("aria-pressed") == "true") == (verdict == "conflict")
    expect(side.locator(".pager")).to_contain_text(f"{numbers['by_verdict']['conflict']:,}")
    severity, count = next(iter(numbers["by_severity"].items()))
    side.locator(f".tile.severity-{severity}").click()
    expect(side.locator(".pager")).to_contain_text(f"共 {count:,} 条")
    eventually(page, lambda: f"ledger=conflict/{severity}" in page.url, "the link keeps the filter")
    expect(side.locator(".rows .row")).to_have_count(min(20, count))

    before = page.url
    side.locator(".rows .row").first.click()
    expect(side.get_by_text("对象 ·")).to_be_visible()
    expect(page.locator(".mark-witness, .mark-selection").first).to_be_visible()
    expect(page.locator(".mark-zone")).to_have_count(1)
    eventually(page, lambda: page.url.split("&")[0] != before.split("&")[0], "the map moves to the conflict")
    witness = page.locator(".mark-witness").first.bounding_box()
    left, right = page.locator("#layers").bounding_box(), side.bounding_box()
    assert witness and left and right
    assert left["x"] + left["width"] < witness["x"] < right["x"]
    side.get_by_role("button", name="返回").click()
    expect(side.locator(".pager")).to_contain_text(f"共 {count:,} 条")
    expect(page.locator(".mark-witness")).to_have_count(0)


def test_the_list_turns_its_pages(map_page: MapPage) -> None:
    page = map_page("lang=en&layers=&panel=conflicts&ledger=unknown")
    side = panel(page)
    first = side.locator(".rows .row").first
    expect(side.locator(".pager")).to_contain_text("1–20 of")
    before = first.inner_text()
    side.get_by_role("button", name="Next").click()
    expect(side.locator(".pager")).to_contain_text("21–40 of")
    expect(first).not_to_have_text(before, use_inner_text=True)
    side.get_by_role("button", name="Previous").click()
    expect(side.locator(".pager")).to_contain_text("1–20 of")
    expect(first).to_have_text(before, use_inner_text=True)


def test_a_lagging_judgement_says_so(map_page: MapPage, demo_server: str) -> None:
    page = map_page("lang=en&layers=")
    numbers = ask(demo_server, "app/conflicts") | {"lagging": True, "judged_revision": 5, "head": 9}
    page.route("**/app/conflicts", lambda route: route.fulfill(json=numbers))
    page.get_by_role("button", name=re.compile("^Conflicts")).last.click()
    expect(panel(page)).to_contain_text("Judged up to revision 5 only; the data are at revision 9")


def is_exact(response: Response) -> bool:
    """Whether a response is the whole answer for a site, not the verdict while it is drawn."""
    return response.url.endswith("/processes/screen/execution") and "live" not in (
        response.request.post_data or ""
    )


def test_a_drawn_site_gets_its_verdict(map_page: MapPage, demo_server: str, tmp_path: Path) -> None:
    west, south, east, north = box_around_a_zone(demo_server)
    page = map_page(f"lang=zh&layers=&map=14/{(south + north) / 2}/{(west + east) / 2}")
    page.get_by_role("button", name="选址研判").click()
    page.get_by_role("button", name="多边形").click()
    expect(page.get_by_text("在图上点击绘制")).to_be_visible()
    frame = page.locator("#map").bounding_box()
    assert frame
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    corners = [(x - 120, y - 80), (x + 120, y - 80), (x + 120, y + 80), (x - 120, y + 80)]
    with page.expect_response(is_exact) as asked:
        for corner in [*corners, corners[0]]:
            page.mouse.move(*corner)
            page.mouse.click(*corner)
    sent = asked.value.request.post_data_json["inputs"]
    answer = asked.value.json()
    assert sent["accuracy_m"] == pytest.approx(2 * 156543.03 * 0.8757 / 2**14, rel=0.02)
    assert sent["site"]["type"] == "Polygon" and len(sent["site"]["coordinates"][0]) == 5

    side = panel(page)
    expect(side.locator(".headline")).to_contain_text(VERDICTS[answer["verdict"]])
    present = [verdict for verdict in VERDICTS if (answer["parts"][verdict] or {}).get("share")]
    expect(side.locator(".part-list .part")).to_have_count(len(present))
    for verdict in present:
        expect(page.locator(f".mark-{verdict}")).not_to_have_count(0)
    worst = next(theme for theme in answer["themes"] if theme["findings"])
    expect(side.locator(".theme-block").first).to_contain_text(worst["title"]["zh"])
    laws = {law["citation"]["zh"] for finding in worst["findings"] for law in finding["legal"]}
    assert set(side.locator(".theme-block").first.locator(".law summary").all_inner_texts()) == laws
    for theme in answer["themes"]:
        for finding in theme["findings"]:
            expect(
                side.locator(".finding .code", has_text=re.compile(f"^{finding['rule']}$"))
            ).not_to_have_count(0)
    expect(side.get_by_text(f"已核查且未触及（{len(answer['clear'])}）")).to_be_visible()

    with page.expect_download() as saved:
        side.get_by_role("button", name="下载结果").click()
    path = tmp_path / "answer.json"
    saved.value.save_as(path)
    assert json.loads(path.read_text("utf-8")) == answer

    side.get_by_role("button", name="生成报告").click()
    with page.expect_popup() as opened:
        side.get_by_role("link", name="网页").click()
    expect(opened.value.get_by_role("heading", name="空间准入审查报告")).to_be_visible()
    forms = [link.get_attribute("href") or "" for link in side.locator(".report a").all()]
    assert [form.partition("?")[2] for form in forms] == [
        f"f={form}&lang=zh" for form in ("html", "pdf", "docx", "xlsx", "gpkg")
    ]

    with page.expect_response("**/processes/screen/execution") as again:
        side.get_by_role("radio", name="既有").check()
    assert again.value.request.post_data_json["inputs"]["kind"] == "existing"
    side.get_by_role("button", name="清除").click()
    expect(side.locator(".headline")).to_have_count(0)
    expect(page.locator(".mark")).to_have_count(0)


def test_the_link_of_a_verdict_brings_it_back(map_page: MapPage, demo_server: str) -> None:
    page = map_page("lang=en&layers=")
    west, south, east, north = box_around_a_zone(demo_server)
    drop(page, "site.geojson", json.dumps(polygon(west, south, east, north)))
    headline = panel(page).locator(".headline")
    expect(headline).to_be_visible()
    words = headline.inner_text()
    eventually(
        page, lambda: "site=POLYGON" in page.url and "panel=site" in page.url, "the link carries the site"
    )
    page.reload()
    settled(page)
    expect(headline).to_have_text(words, use_inner_text=True)


def test_an_attribute_that_is_stated_is_sent(map_page: MapPage, demo_server: str) -> None:
    page = map_page("lang=en&layers=")
    drop(page, "site.geojson", json.dumps(polygon(*box_around_a_zone(demo_server))))
    side = panel(page)
    expect(side.locator(".headline")).to_be_visible()
    field = next(each for each in ask(demo_server, "app/config")["site_fields"] if each["type"] == "boolean")
    side.get_by_text("About the project").click()
    with page.expect_response("**/processes/screen/execution") as asked:
        side.get_by_label(field["title"]["en"], exact=True).select_option(label="no")
    assert asked.value.request.post_data_json["inputs"]["attributes"] == {field["name"]: False}
    assert asked.value.ok
    eventually(page, lambda: f"facts={field['name']}:false" in page.url, "the link carries the attribute")


def test_plane_coordinates_ask_for_their_system(map_page: MapPage, demo_server: str) -> None:
    page = map_page("lang=en&layers=")
    west, south, _east, _north = box_around_a_zone(demo_server)
    drop(page, "site.wkt", "POLYGON((504000 3200000,504400 3200000,504400 3200300,504000 3200000))")
    dialog = page.get_by_role("dialog", name="Coordinate system")
    expect(dialog.get_by_role("combobox")).to_have_value("EPSG:4549")
    with page.expect_response("**/processes/screen/execution") as asked:
        dialog.get_by_role("button", name="OK").click()
    site = asked.value.request.post_data_json["inputs"]["site"]
    assert site["crs"] == "EPSG:4549" and site["wkt"].startswith("POLYGON((504000 3200000")
    expect(page.locator(".mark-site")).not_to_have_count(0)

    drop(page, "swapped.wkt", f"POINT({south} {west})")
    page.get_by_role("dialog").get_by_role("button", name="OK").click()
    expect(panel(page).locator(".headline")).to_be_visible()
    eventually(page, lambda: "site=POINT" in page.url, "the exchanged site is in the link")
    assert f"site=POINT({round(west, 6)}" in page.url


def test_a_useless_file_is_refused_in_words(map_page: MapPage) -> None:
    page = map_page("lang=zh&layers=")
    drop(page, "letter.txt", "尊敬的领导")
    expect(page.locator(".notice.trouble")).to_contain_text("需要 GeoJSON、WKT 或 KML")


def test_a_refusal_of_the_service_is_told_with_its_remedy(map_page: MapPage, page_log: PageLog) -> None:
    page = map_page("lang=zh&layers=")
    bow_tie = {
        "type": "Polygon",
        "coordinates": [[[119.9, 29], [120, 29.1], [120, 29], [119.9, 29.1], [119.9, 29]]],
    }
    with page.expect_response("**/processes/screen/execution") as asked:
        drop(page, "bow-tie.geojson", json.dumps(bow_tie))
    problem = asked.value.json()
    assert asked.value.status >= 400
    told = panel(page).get_by_role("alert")
    expect(told).to_contain_text(problem["detail_zh"])
    expect(told).to_contain_text(problem["remedy_zh"])
    page.get_by_role("button", name="English").click()
    expect(told).to_contain_text(problem["detail_en"])
    page_log.errors.clear()


def test_a_verdict_follows_the_hand_while_a_site_is_drawn(map_page: MapPage, demo_server: str) -> None:
    west, south, east, north = box_around_a_zone(demo_server)
    page = map_page(f"lang=zh&layers=&map=14/{(south + north) / 2}/{(west + east) / 2}")
    page.get_by_role("button", name="选址研判").click()
    page.get_by_role("button", name="多边形").click()
    expect(page.get_by_text("在图上点击绘制")).to_be_visible()
    frame = page.locator("#map").bounding_box()
    assert frame
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    corners = [(x - 120, y - 80), (x + 120, y - 80), (x + 120, y + 80), (x - 120, y + 80)]
    said = page.locator(".live-verdict")
    for count, corner in enumerate(corners, start=1):
        page.mouse.move(*corner)
        if count == len(corners):
            with page.expect_response("**/processes/screen/execution") as asked:
                page.mouse.click(*corner)
            sent, live = asked.value.request.post_data_json["inputs"], asked.value.json()
            assert sent["detail"] == live["detail"] == "live"
            expect(said.locator(f".badge.verdict-{live['verdict']}")).to_be_visible()
            expect(said).to_contain_text(VERDICTS[live["verdict"]])
        else:
            page.mouse.click(*corner)
    # The exact answer is made to differ, so that the page has to say so.
    other = "clear" if live["verdict"] != "clear" else "edge"
    page.route(
        "**/processes/screen/execution",
        lambda route: route.fulfill(json=route.fetch().json() | {"verdict": other}),
    )
    page.mouse.move(*corners[0])
    page.mouse.click(*corners[0])
    expect(said).to_be_hidden()
    expect(panel(page).locator(".headline")).to_be_visible()
    expect(panel(page).locator(".live-differs")).to_contain_text(VERDICTS[live["verdict"]])
    page.unroute("**/processes/screen/execution")
