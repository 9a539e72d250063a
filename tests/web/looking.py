"""What the tests look at on the page, and what they ask the service for beside it."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from functools import cache
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page


@cache
def _answer(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return json.load(answer)


def ask(server: str, path: str, **query: object) -> dict[str, Any]:
    """The JSON that the service answers; asked once, since the data of the tests stand still."""
    return dict(_answer(f"{server}/{path}?{urlencode(query)}"))


def layers(server: str, **wanted: object) -> list[dict[str, Any]]:
    """The layers of the configuration that have these properties and rows."""
    told = ask(server, "app/config")["layers"]
    return [
        each for each in told if each["count"] and all(each[key] == value for key, value in wanted.items())
    ]


def rows(server: str, layer: str) -> list[dict[str, Any]]:
    """Features of a layer."""
    return list(ask(server, f"collections/{layer}/items", limit=1000)["features"])


def place(feature: dict[str, Any]) -> tuple[float, float]:
    """Longitude and latitude of a point feature."""
    lon, lat = feature["geometry"]["coordinates"]
    return lon, lat


def alone_and_together(server: str) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    """Of a subject layer of points: its id, a row that stands alone, and rows that share their place."""
    for layer in layers(server, role="subject", geometry="Point"):
        found = rows(server, layer["id"])
        counts = Counter(map(place, found))
        alone = [row for row in found if counts[place(row)] == 1]
        together = [row for row in found if counts[place(row)] > 3]
        if alone and together:
            return layer["id"], alone[0], [row for row in together if place(row) == place(together[0])]
    raise AssertionError("no layer has rows alone and together")


def panel(page: Page) -> Locator:
    """The panel at the side."""
    return page.locator("#panel")


def painted(page: Page) -> int:
    """How many pixels the vector tiles have painted."""
    return int(
        page.locator("canvas.leaflet-tile").evaluate_all(
            """tiles => tiles.filter(tile => tile.width && !tile.closest('.graticule')).map(tile => {
                const { data } = tile.getContext('2d').getImageData(0, 0, tile.width, tile.height);
                return data.filter((value, at) => at % 4 === 3 && value > 0).length;
            }).reduce((sum, count) => sum + count, 0)"""
        )
    )
