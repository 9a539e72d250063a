"""The map in Chromium: layers, cards, search, links, languages, errors; on the real service."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.conftest import PageLog
from tests.web.conftest import eventually, settled
from tests.web.looking import alone_and_together, ask, layers, painted, panel, place

MapPage = Callable[..., Page]


def at(feature: tuple[float, float], zoom: int = 15) -> str:
    """The part of a link that centres the map."""
    lon, lat = feature
    return f"map={zoom}/{lat}/{lon}"


def click_centre(page: Page) -> None:
    box = page.locator("#map").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_the_map_opens_with_every_layer_by_theme(map_page: MapPage, demo_server: str) -> None:
    page = map_page()
    told = ask(demo_server, "app/config")
    expect(page).to_have_title(re.compile(told["district"]["name"]["zh"]))
    for theme in told["themes"]:
        name = re.compile(f"^{re.escape(theme['title']['zh'])}")
        expect(page.get_by_role("button", name=name, expanded=True)).to_be_attached()
    drawn = [layer for layer in told["layers"] if layer["geometry"] != "none"]
    boxes = page.locator(".layer-row input[type=checkbox]")
    expect(boxes).to_have_count(len(drawn))
    assert page.locator(".layer-row input:checked").count() == sum(layer["visible"] for layer in drawn)
    eventually(page, lambda: painted(page) > 10_000, "something is drawn")
    expect(page.locator(".demo-note")).to_contain_text("演示")


def test_a_layer_goes_and_comes_back_and_the_link_follows(map_page: MapPage, demo_server: str) -> None:
    page = map_page("lang=en&layers=")
    assert painted(page) == 0
    expect(page.locator(".demo-note")).to_be_hidden()
    layer = next(
        each
        for each in layers(demo_server, role="context")
        if each["visible"] and "Polygon" in each["geometry"]
    )
    box = page.locator(f'[data-layer="{layer["id"]}"]').get_by_role("checkbox")
    box.check()
    eventually(page, lambda: painted(page) > 1000, "the layer is drawn")
    eventually(page, lambda: f"layers={layer['id']}&" in page.url, "the link names the layer")
    box.uncheck()
    eventually(page, lambda: painted(page) == 0, "the layer is gone")


def test_a_layer_shows_its_legend_and_fades(map_page: MapPage, demo_server: str) -> None:
    page = map_page("lang=en")
    layer = next(
        each for each in layers(demo_server, role="zone") if each["visible"] and len(each["legend"]) > 1
    )
    row = page.locator(f'[data-layer="{layer["id"]}"]')
    row.get_by_role("button", name=re.compile("Legend")).click()
    expect(row.locator(".legend li")).to_have_text([each["label"]["en"] for each in layer["legend"]])
    row.get_by_role("slider", name="Opacity").fill("40")
    eventually(page, lambda: f"opacity={layer['id']}:0.4" in page.url, "the link keeps the opacity")
    assert layer["is_demonstration"]
    expect(row.get_by_text("demo", exact=True)).to_be_visible()


def test_search_opens_a_card_with_all_fields_in_words(map_page: MapPage, demo_server: str) -> None:
    page = map_page("lang=zh&layers=")
    layer_id, row, _together = alone_and_together(demo_server)
    (layer,) = layers(demo_server, id=layer_id)
    name = row["properties"][layer["names"]["label"]]
    page.get_by_role("combobox", name="搜索地图").fill(name)
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    card = panel(page)
    expect(card.get_by_role("heading", name=name)).to_be_visible()
    for field in layer["fields"]:
        value = row["properties"][field["name"]]
        if value is None:
            continue
        words = {code["code"]: code["zh"] for code in field["codes"] or []}
        told = words.get(value, {True: "是", False: "否"}.get(value) if isinstance(value, bool) else None)
        term = card.locator("dt", has_text=re.compile(f"^{re.escape(field['title']['zh'])}$"))
        expect(term).to_have_count(1)
        if told:
            expect(term.locator("xpath=following-sibling::dd[1]")).to_have_text(told)
    expect(card.get_by_text("来源与精度")).to_be_visible()
    expect(card.get_by_text(row["properties"]["uid"], exact=True).last).to_be_visible()
    expect(page.locator(".mark-selection")).to_have_count(1)
    expect(page.locator(f'[data-layer="{layer_id}"]').get_by_role("checkbox")).to_be_checked()


def test_a_click_opens_what_stands_there(map_page: MapPage, demo_server: str) -> None:
    layer_id, row, _together = alone_and_together(demo_server)
    page = map_page(f"lang=zh&layers={layer_id}&{at(place(row))}")
    eventually(page, lambda: painted(page) > 20, "the feature is drawn")
    click_centre(page)
    expect(panel(page).get_by_text(row["properties"]["uid"], exact=True).last).to_be_visible()
    eventually(page, lambda: f"sel={layer_id}/" in page.url, "the link names the selection")
    page.keyboard.press("Escape")
    expect(panel(page)).to_be_hidden()
    page.locator("#map").focus()
    page.keyboard.press("Enter")
    expect(panel(page)).to_be_visible()


def test_what_shares_one_place_is_listed_to_choose_from(map_page: MapPage, demo_server: str) -> None:
    layer_id, _alone, together = alone_and_together(demo_server)
    page = map_page(f"lang=en&layers={layer_id}&{at(place(together[0]), 18)}")
    eventually(page, lambda: painted(page) > 20, "the cluster is drawn")
    click_centre(page)
    members = panel(page).locator(".rows .row")
    expect(members).to_have_count(len(together))
    members.first.click()
    expect(panel(page).get_by_role("heading", level=4, name="Source and accuracy")).to_be_visible()
    panel(page).get_by_role("button", name="Back").click()
    expect(members).to_have_count(len(together))


def test_a_register_opens_as_a_table(map_page: MapPage, demo_server: str) -> None:
    page = map_page("lang=en&layers=")
    layer = next(each for each in layers(demo_server, geometry="none") if each["role"] == "register")
    page.locator(f'[data-layer="{layer["id"]}"]').get_by_role(
        "button", name=layer["title"]["en"]
    ).first.click()
    expect(panel(page).locator("tbody tr")).to_have_count(min(50, layer["count"]))
    panel(page).locator("tbody button").first.click()
    expect(panel(page).get_by_role("heading", level=4, name="Source and accuracy")).to_be_visible()


def test_the_language_changes_without_a_reload(map_page: MapPage) -> None:
    page = map_page("layers=&lang=zh")
    page.evaluate("window.sameDocument = true")
    page.get_by_role("button", name="选址研判").click()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("button", name="Screen a site")).to_be_visible()
    expect(panel(page).get_by_role("heading", name="Screen a site")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    for text in (
        panel(page).inner_text(),
        page.locator("#layers").inner_text(),
        page.locator("#nav").inner_text(),
    ):
        assert not re.search(r"[一-鿿]", text), text
    assert "lang=en" in page.url
    assert page.evaluate("window.sameDocument") is True


def test_the_language_of_the_browser_is_the_first_choice(map_page: MapPage) -> None:
    page = map_page("layers=", locale="en-GB")
    expect(page.get_by_role("button", name="Screen a site")).to_be_visible()
    chinese = map_page("layers=", locale="zh-CN")
    expect(chinese.get_by_role("button", name="选址研判")).to_be_visible()


def test_a_raster_has_a_legend_and_tells_its_value_on_a_click(map_page: MapPage, demo_server: str) -> None:
    page = map_page("lang=en&layers=")
    (raster,) = ask(demo_server, "app/config")["rasters"]
    page.get_by_role("checkbox", name=raster["title"]["en"]).check()
    expect(page.locator(".legend.ramp li")).to_have_count(len(raster["legend"]))
    expect(page.locator("img.raster-tile, .raster-tile img").first).to_be_visible()
    click_centre(page)
    expect(page.locator(".notice")).to_have_text(
        re.compile(rf"{re.escape(raster['title']['en'])}: [\d,.]+ {raster['unit']}")
    )


def test_what_the_service_says_is_never_markup(map_page: MapPage, demo_server: str) -> None:
    page = map_page("lang=en&layers=")
    (layer, *_rest) = layers(demo_server, role="subject")
    hit = {"layer": layer["id"], "uid": "x", "label": "<img src=x onerror=alert(1)>", "point": None}
    page.route("**/app/search*", lambda route: route.fulfill(json=[hit]))
    page.get_by_role("combobox").fill("anything")
    expect(page.get_by_role("option")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator(".hits img").count() == 0


def test_a_service_that_is_away_is_told_and_asked_again(map_page: MapPage, page_log: PageLog) -> None:
    page = map_page("lang=zh&layers=")

    def away(route: Route) -> None:
        route.abort("connectionrefused")

    page.route("**/app/config", away)
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("连接不上服务")
    page.unroute("**/app/config", away)
    page.get_by_role("button", name="重试").click()
    settled(page)
    expect(page.get_by_role("button", name="选址研判")).to_be_visible()
    page_log.errors.clear()


def test_a_phone_shows_sheets_and_never_scrolls_sideways(map_page: MapPage) -> None:
    page = map_page("lang=zh", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    expect(page.locator("#layers")).to_be_hidden()
    for name in ("图层", "冲突", "选址研判"):
        page.get_by_role("button", name=re.compile(f"^{name}")).last.tap()
        sheet = page.locator(".sheet:visible")
        expect(sheet).to_have_count(1)
        page.wait_for_timeout(300)
        box = sheet.bounding_box()
        assert box and box["x"] == 0 and box["width"] == 390 and box["y"] > 300
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert sheet.evaluate("sheet => sheet.scrollWidth <= sheet.clientWidth")
        small = page.locator("button:visible, select:visible, summary:visible").evaluate_all(
            """all => all.map(each => [each.textContent || each.ariaLabel, each.getBoundingClientRect()])
            .filter(([, box]) => box.height < 39.5 || box.width < 39.5).map(([words]) => words)"""
        )
        assert small == []


def test_a_request_to_another_host_would_be_noticed(page: Page, page_log: PageLog) -> None:
    address = "http://elsewhere.example/x.png"
    page.goto(f"data:text/html,<img src='{address}'>")
    eventually(page, lambda: bool(page_log.errors), "the name leads nowhere")
    assert page_log.foreign == [address]
    page_log.foreign.clear()
    page_log.errors.clear()
