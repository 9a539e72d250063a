"""The health of layers on the map: marks in the tree, cards with reasons, in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.web.looking import ask, layers, panel

MapPage = Callable[..., Page]
STATES = {"green": "正常", "amber": "注意", "red": "告警", "grey": "未知"}


def test_every_layer_is_marked_with_its_state_in_words(map_page: MapPage, demo_server: str) -> None:
    page = map_page()
    cards = ask(demo_server, "health/layers")["layers"]
    expect(page.locator(".health-mark:not([hidden])")).to_have_count(len(cards))
    for card in cards:
        words = f"{card['title']['zh']}：{STATES[card['state']]}"
        mark = page.locator(f'[data-layer="{card["layer"]}"] .health-mark')
        expect(mark).to_have_attribute("aria-label", words)
        assert card["reasons"][0]["zh"] in (mark.get_attribute("title") or "")


def test_a_mark_opens_the_card_with_its_reasons(map_page: MapPage, demo_server: str) -> None:
    page = map_page("lang=en")
    layer = layers(demo_server, role="subject")[0]
    card = ask(demo_server, f"health/layers/{layer['id']}")
    page.locator(f'[data-layer="{layer["id"]}"] .health-mark').click()
    heading = panel(page).get_by_role("heading", name=re.compile("^Health"))
    expect(heading).to_contain_text(card["title"]["en"])
    expect(panel(page).locator(".health-headline")).to_have_class(re.compile(f"health-{card['state']}"))
    for reason in card["reasons"]:
        expect(panel(page).locator(".health-reasons")).to_contain_text(reason["en"])
    for source in card["sources"]:
        expect(panel(page)).to_contain_text(source["title"]["en"])
    expect(panel(page)).to_contain_text("Last confirmed")
    page.locator("button.lang").click()
    expect(panel(page).locator(".health-reasons")).to_contain_text(card["reasons"][0]["zh"])


def test_a_card_tells_the_source_by_its_title_and_the_day(map_page: MapPage, demo_server: str) -> None:
    layer = layers(demo_server, role="subject")[0]
    uid = ask(demo_server, f"collections/{layer['id']}/items", limit=1)["features"][0]["id"]
    told = ask(demo_server, f"collections/{layer['id']}/items/{uid}")["provenance"]
    page = map_page(f"lang=zh&sel={layer['id']}/{uid}")
    expect(panel(page)).to_contain_text(told["title_zh"])
