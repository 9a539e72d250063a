"""The screening of a site over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from gis.screening.snapshot import standing
from tests.api.conftest import SmallMap, client_of
from tests.api.test_errors import SCREEN, shape

RING = [[120.002, 28.902], [120.004, 28.902], [120.004, 28.904], [120.002, 28.904], [120.002, 28.902]]
SQUARE = {"type": "Polygon", "coordinates": [RING]}


def ask(client: TestClient, site: Any, **inputs: Any) -> Any:
    return client.post(SCREEN, json={"inputs": {"site": site, **inputs}})


def test_a_site_inside_a_pad_is_in_conflict(service: TestClient) -> None:
    answer = ask(service, SQUARE, attributes={"kind": "dug"}, accuracy_m=1).json()
    assert (answer["verdict"], answer["severity"]) == ("conflict", "prohibited")
    assert answer["parts"]["conflict"]["share"] == pytest.approx(1.0)
    (theme,) = answer["themes"]
    (finding,) = theme["findings"]
    assert finding["rule"] == "WL-01" and finding["zones"][0]["uid"] == "A" and finding["legal"]


@pytest.mark.parametrize(
    "site",
    [
        {"type": "Feature", "properties": {}, "geometry": SQUARE},
        {
            "type": "FeatureCollection",
            "features": [{"type": "Feature", "properties": {}, "geometry": SQUARE}],
        },
        {"wkt": "POLYGON((120.002 28.902,120.004 28.902,120.004 28.904,120.002 28.904,120.002 28.902))"},
        {"wkt": "SRID=4326;POLYGON Z((120.002 28.902 5,120.004 28.902 5,120.004 28.904 5,120.002 28.902 5))"},
        {"wkt": "POINT(500195.1 3198400.0)", "crs": "EPSG:4549"},
    ],
)
def test_a_site_may_be_written_in_several_ways(service: TestClient, site: dict[str, Any]) -> None:
    assert ask(service, site).json()["verdict"] == "conflict"


@pytest.mark.parametrize(
    ("inputs", "status"),
    [
        ({"site": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}}, 422),
        ({"site": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]}}, 422),
        ({"site": {"type": "Point", "coordinates": []}}, 422),
        ({"site": {"type": "Star", "coordinates": [1, 2]}}, 422),
        ({"site": {"type": "FeatureCollection", "features": []}}, 422),
        ({"site": {"wkt": "POLYGON((0 0"}}, 422),
        ({"site": {"wkt": "POINT(1 2)", "crs": "EPSG:999999"}}, 400),
        ({"site": SQUARE, "kind": "castle"}, 422),
        ({"site": SQUARE, "attributes": {"colour": "red"}}, 422),
        ({"site": SQUARE, "attributes": {"depth": "deep"}}, 422),
        ({"site": SQUARE, "accuracy_m": -1}, 400),
        ({"site": SQUARE, "law_date": "2026-02-30"}, 400),
        ({"site": SQUARE, "as_of": 999999}, 400),
        ({"site": SQUARE, "buffer_m": 5}, 400),
        ({}, 400),
        ({"site": "POINT(1 2)"}, 400),
    ],
)
def test_a_site_that_cannot_be_screened_is_refused(
    service: TestClient, inputs: dict[str, Any], status: int
) -> None:
    shape(service.post(SCREEN, json={"inputs": inputs}), status)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"null", b'{"inputs": []}', b"\xff\xfe"])
def test_a_body_that_is_no_request_is_refused(service: TestClient, body: bytes) -> None:
    shape(service.post(SCREEN, content=body, headers={"Content-Type": "application/json"}), 400)


def test_a_site_with_too_many_vertices_is_refused(shared_map: SmallMap) -> None:
    client = client_of(shared_map.app(max_vertices=4))
    assert "5" in shape(ask(client, SQUARE), 422)["detail_en"]


def test_the_process_describes_its_inputs(service: TestClient) -> None:
    listed = service.get("/processes").json()["processes"]
    described = service.get("/processes/screen", headers={"Accept-Language": "en"}).json()
    assert [process["id"] for process in listed][:3] == ["screen", "screen-batch", "upstream"]
    assert described["id"] == "screen"
    names = {"site", "kind", "attributes", "accuracy_m", "law_date", "as_of", "report", "detail"}
    assert set(described["inputs"]) == names
    assert described["inputs"]["kind"]["schema"]["oneOf"] == [{"const": "new", "title": "New"}]
    assert [name for name, i in described["inputs"].items() if i["minOccurs"]] == ["site"]


def test_the_live_answer_has_the_verdicts_of_the_full_one(service: TestClient) -> None:
    for site in (SQUARE, {"type": "Point", "coordinates": [120.01, 28.905]}):
        full, live = (ask(service, site, accuracy_m=1, detail=detail).json() for detail in ("full", "live"))
        assert live["detail"] == "live" and "parts" not in live
        assert (live["verdict"], live["severity"]) == (full["verdict"], full["severity"])
        themes = [
            [(t["id"], t["verdict"], t["severity"], [f["rule"] for f in t[rules]]) for t in answer["themes"]]
            for answer, rules in ((full, "findings"), (live, "rules"))
        ]
        assert themes[0] == themes[1]


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ("title_zh = '普查'", {"title": {"zh": "普查", "en": "survey"}}),
        ("title_en = 'Census'", {"title": {"zh": "survey", "en": "Census"}}),
        ("bureau = 'Water'", {"bureau": "Water"}),
        ("is_demonstration = true", {"is_demonstration": True}),
    ],
)
def test_what_is_edited_of_a_source_shows_at_once(
    service: TestClient, shared_map: SmallMap, change: str, shown: dict[str, Any]
) -> None:
    def told() -> tuple[Any, Any]:
        answer = ask(service, SQUARE).json()
        ((source,),) = [layer["sources"] for layer in answer["layers"] if layer["sources"]]
        return answer["as_of"], source

    as_of, before = told()
    assert standing(shared_map.engine, ["pads"]) is standing(shared_map.engine, ["pads"])
    with shared_map.engine.begin() as conn:
        held = conn.execute(text("SELECT * FROM core.sources WHERE name = 'survey'")).mappings().one()
        conn.execute(text("UPDATE core.sources SET notes = 'no matter'"))
        conn.execute(text(f"UPDATE core.sources SET {change} WHERE name = 'survey'"))
    try:
        assert told() == (as_of, before | shown)
    finally:
        with shared_map.engine.begin() as conn:
            names = ("title_zh", "title_en", "bureau", "is_demonstration", "notes")
            listed = ", ".join(f"{name} = :{name}" for name in names)
            conn.execute(text(f"UPDATE core.sources SET {listed} WHERE name = 'survey'"), dict(held))
    assert told() == (as_of, before)
