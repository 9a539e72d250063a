"""Candidate sources upstream of a point: the process and the command on a small river."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.cli import console, main
from tests.api.conftest import OUTSIDE, SmallMap, client_of
from tests.api.test_errors import shape

UPSTREAM = "/processes/upstream/execution"
# Flows east, with a tributary from the north at 120.02; 0.01 degrees of longitude are some 975 m here.
RIVERS = """name,wkt
大溪,"MULTILINESTRING((120.00 28.90,120.02 28.90,120.10 28.90))"
小溪,"MULTILINESTRING((120.02 28.93,120.02 28.90))"
"""
OUTFALLS = """outfall_id,name,outfall_class,discharges_pollutants,pollutants,lon,lat
MAIN,上游口,industrial,true,化学需氧量、氨氮,120.01,28.9001
SIDE,支流口,town_plant,true,总磷,120.0201,28.91
BELOW,下游口,industrial,true,化学需氧量,120.06,28.9001
RAIN,雨水口,rain,false,,120.025,28.8999
FAR,远口,industrial,true,,120.01,28.95
"""


@pytest.fixture
def river_map(own_map: SmallMap) -> SmallMap:
    """The small map with a river, its tributary, and outfalls along them."""
    river_map = replace(own_map, definition=own_map.settings.load_map())
    river_map.load("rivers", RIVERS)
    river_map.load("outfalls", OUTFALLS)
    return river_map


def ask(client: TestClient, lon: float = 120.05, lat: float = 28.9, **inputs: Any) -> Any:
    point = {"type": "Point", "coordinates": [lon, lat]}
    return client.post(UPSTREAM, json={"inputs": {"point": point, **inputs}})


def test_candidates_come_from_above_and_are_ranked_with_reasons(river_map: SmallMap) -> None:
    client = client_of(river_map.app())
    answer = ask(client, pollutant="氨氮").json()
    assert [entry["uid"] for entry in answer["candidates"]] == ["MAIN", "SIDE", "RAIN"]
    first, second, third = answer["candidates"]
    assert first["along_m"] == pytest.approx(3900, rel=0.01)
    # 0.01 degrees of latitude, then 0.03 of longitude.
    assert second["along_m"] == pytest.approx(1108 + 2925, rel=0.01)
    assert (first["river"], second["river"], answer["point"]["river"]) == ("大溪", "小溪", "大溪")
    assert first["certain"] and first["rank"] == 1
    for entry in answer["candidates"]:
        product = 1.0
        for factor in entry["factors"]:
            product *= factor["value"]
            assert factor["why"]["zh"] and factor["why"]["en"]
        assert entry["score"] == pytest.approx(product, rel=1e-4)
    values = {factor["name"]: factor["value"] for factor in third["factors"]}
    assert (values["discharge"], values["pollutant"], values["kind"]) == (0.1, 0.5, 0.4)
    assert second["way"]["coordinates"][0] == pytest.approx([120.02, 28.91], abs=1e-6)
    assert second["way"]["coordinates"][-1] == pytest.approx([120.05, 28.9], abs=1e-5)
    near = ask(client, within_m=3000).json()
    assert [entry["uid"] for entry in near["candidates"]] == ["RAIN"]
    assert ask(client, limit=1).json()["matched"] == 3
    assert ask(client, lon=120.0001).json()["candidates"] == []


def test_what_cannot_be_answered_is_refused(river_map: SmallMap, service: TestClient) -> None:
    client = client_of(river_map.app())
    assert "the nearest is" in shape(ask(client, lat=28.8), 422)["detail_en"]
    assert "network" in shape(ask(service), 422)["detail_en"]
    shape(ask(client, lon=200), 422)
    shape(ask(client, within_m=-1), 400)
    shape(
        client.post(UPSTREAM, json={"inputs": {"point": {"type": "LineString", "coordinates": [1, 2]}}}), 400
    )


def test_the_process_is_described(service: TestClient) -> None:
    described = service.get("/processes/upstream", headers={"Accept-Language": "zh"}).json()
    assert described["title"] == "上游溯源"
    assert [name for name, i in described["inputs"].items() if i["minOccurs"]] == ["point"]


def test_the_command_lists_the_same(
    river_map: SmallMap, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = river_map.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("ONEMAP_DATABASE_URL", url)
    monkeypatch.setenv("ONEMAP_DISTRICT", str(river_map.settings.district))
    monkeypatch.setenv("ONEMAP_LAYERS", str(OUTSIDE))
    monkeypatch.setattr(console, "LANGUAGE", "en")

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["onemap", "upstream", *arguments])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        return status, capsys.readouterr().out

    status, out = run("120.05,28.9", "--within", "3.95km", "--json")
    assert status == 0
    assert [entry["uid"] for entry in json.loads(out)["candidates"]] == ["MAIN", "RAIN"]
    status, out = run("120.05,28.9")
    assert status == 0 and "3 candidates within 10 km upstream along 大溪" in out and "支流口" in out
    assert run("120.05,28.9", "--within", "far")[0] == 2
    assert run("here")[0] == 2
    assert run("120.05,28.8")[0] == 1
