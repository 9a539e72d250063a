"""A rehearsal shows what would change, as numbers and on a map, and stores nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page
from sqlalchemy import Engine, text

from gis.db import connect
from gis.errors import ExportRefused
from gis.importing import ImportResult
from tests.gis.conftest import content

Load = Callable[..., ImportResult]
HEADER = "code,name,kind,depth,lon,lat\n"


@pytest.fixture
def rehearsed(load: Load, store: Engine, tmp_path: Path) -> Callable[[str], ImportResult]:
    """Three wells are there; the rehearsed file adds one, changes one, leaves one and lacks one."""
    load("wells", HEADER + "1,甲,dug,1,120,29\n2,乙,dug,2,120.1,29\n3,丙,dug,3,120.2,29\n")
    before = content(store, "wells")

    def run(name: str) -> ImportResult:
        rows = HEADER + "1,甲,dug,1,120,29\n2,乙,dug,2,120.11,29\n4,<b>丁</b>,dug,4,120.3,29.1\n"
        result = load("wells", rows, mode="replace", dry_run=True, map_file=tmp_path / name)
        assert content(store, "wells") == before
        with connect(store) as conn:
            assert conn.scalar(text("SELECT count(*) FROM core.import_runs")) == 1
        return result

    return run


def test_the_difference_is_told_and_drawn(rehearsed: Callable[[str], ImportResult], tmp_path: Path) -> None:
    result = rehearsed("diff.geojson")
    change = result.change
    assert (change.rev, change.added, change.changed, change.closed, change.unchanged) == (None, 1, 1, 1, 1)
    assert {i.code for i in result.issues} == {"position_moved"}
    drawn = json.loads((tmp_path / "diff.geojson").read_text())
    found = {(f["properties"]["change"], f["properties"]["uid"]): f for f in drawn["features"]}
    assert set(found) == {("added", "4"), ("changed", "2"), ("before", "2"), ("closed", "3")}
    assert found["added", "4"]["geometry"]["coordinates"] == [120.3, 29.1]
    assert found["changed", "2"]["geometry"]["coordinates"] == [120.11, 29]
    assert found["before", "2"]["geometry"]["coordinates"] == [120.1, 29]
    assert found["changed", "2"]["properties"]["row"] == 2


def test_the_page_opens_without_a_network(
    rehearsed: Callable[[str], ImportResult], tmp_path: Path, page: Page
) -> None:
    result = rehearsed("diff.html")
    assert result.map_file == str(tmp_path / "diff.html")
    page.goto((tmp_path / "diff.html").as_uri())
    assert {item.get_attribute("data-change") for item in page.locator(".om-legend li").all()} == {
        "added", "changed", "before", "closed",
    }  # fmt: skip
    assert page.locator("path.leaflet-interactive").count() == 4
    page.locator("path.leaflet-interactive[stroke='#1b7f3b']").click()
    assert "<b>丁</b>" in page.locator(".leaflet-popup-content").inner_text()


def test_a_map_of_another_kind_is_refused(rehearsed: Callable[[str], ImportResult]) -> None:
    with pytest.raises(ExportRefused, match=r"\.html or \.geojson"):
        rehearsed("diff.pdf")
