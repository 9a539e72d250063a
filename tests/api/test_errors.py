"""Every refusal has one shape, the right status, words in two languages, and nothing of the inside."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine

from api import errors
from gis import errors as engine_errors
from tests.api.conftest import SmallMap, client_of

KEYS = {
    "type", "title", "status", "detail", "code", "remedy",
    "detail_zh", "detail_en", "remedy_zh", "remedy_en", "instance",
}  # fmt: skip
SCREEN = "/processes/screen/execution"


def shape(answer: Any, status: int) -> dict[str, Any]:
    """The problem in an answer, after checking its shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) == KEYS
    assert body["status"] == status and body["detail"] and body["title"]
    assert not re.search(r"Traceback|SELECT|psycopg|site-packages", answer.text)
    return body


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/collections/users", 404),
        ("/collections/public.secrets/items", 404),
        ("/collections/wells/items/NO", 404),
        ("/collections/wells/items/1'%20OR%20'1'='1", 404),
        ("/collections/wells/items?nosuch=1", 400),
        ("/collections/wells/items?filter=nothing='x'", 400),
        ("/collections/wells/items?bbox=120,30,121", 400),
        ("/collections/wells/items?bbox=-1e308,-1e308,1e308,1e308", 400),
        ("/collections/wells/items?limit=0", 400),
        ("/collections/wells/items?limit=abc", 400),
        ("/collections/wells/items?offset=9223372036854775808", 400),
        ("/collections/wells/items?datetime=2026-02-30T00:00:00Z", 400),
        ("/collections/wells/items?crs=http://www.opengis.net/def/crs/EPSG/0/999999", 400),
        ("/collections/wells/items?sortby=name;DROP TABLE users", 400),
        ("/collections/wells/items?name=a%00b", 400),
        ("/jobs?processID=a%00b", 400),
        ("/collections?as-of=%C2%B9", 400),
        ("/collections/wells/items?kind=drilled", 400),
        ("/collections/wells/items?f=exe", 400),
        ("/collections/wells/items?as-of=999999", 400),
        ("/collections/wells/items?as-of=yesterday", 400),
        ("/collections?x=1", 400),
        ("/collections/wells/tiles/WebMercatorQuad/3/9/9", 404),
        ("/collections/wells/tiles/WebMercatorQuad/-1/0/0", 404),
        ("/collections/wells/tiles/Nope/0/0/0", 404),
        ("/collections/wells/tiles/WebMercatorQuad/a/0/0", 400),
        ("/collections/plan_structure/tiles/WebMercatorQuad/0/0/0", 404),
        ("/styles/nothing", 404),
        ("/styles/plan_structure", 404),
        ("/rasters/nothing/value?lon=120&lat=29", 404),
        ("/rasters/elevation/value?lon=999&lat=29", 400),
        ("/rasters/elevation/value?lon=120", 400),
        ("/app/search?q=", 400),
        ("/app/search", 400),
        ("/web/../api/app.py", 404),
        ("/web/%2e%2e/pyproject.toml", 404),
        ("/web/vendor.py", 404),
    ],
)
def test_a_wrong_request_is_refused_with_its_status(service: TestClient, path: str, status: int) -> None:
    shape(service.get(path), status)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/collections"),
        ("DELETE", "/collections/wells"),
        ("PATCH", "/collections/wells/schema"),
        ("POST", "/collections/conflicts/items"),
        ("GET", SCREEN),
    ],
)
def test_there_is_no_way_to_write(service: TestClient, method: str, path: str) -> None:
    answer = service.request(method, path)
    shape(answer, 405)
    assert answer.headers["allow"]


def test_words_come_in_the_language_that_is_asked_for(service: TestClient) -> None:
    english = shape(service.get("/collections/x", headers={"Accept-Language": "en-GB,zh;q=0.5"}), 404)
    chinese = shape(service.get("/collections/x", headers={"Accept-Language": "zh-CN"}), 404)
    assert english["detail"] == english["detail_en"] == chinese["detail_en"]
    assert chinese["detail"] == chinese["detail_zh"] == "没有图层“x”。"
    assert (english["title"], chinese["title"]) == ("Not Found", "未找到")
    assert english["remedy"] and chinese["remedy"] == english["remedy_zh"]


def test_a_database_that_is_away_gives_503_and_no_inside(shared_map: SmallMap) -> None:
    nowhere = create_engine("postgresql+psycopg://nobody:secret@127.0.0.1:1/none")
    away = SmallMap(shared_map.settings, shared_map.definition, nowhere, shared_map.folder)
    answer = client_of(away.app()).get("/collections/wells/items")
    shape(answer, 503)
    assert answer.headers["retry-after"] and "secret" not in answer.text
    assert client_of(away.app()).get("/healthz").status_code == 503


def test_a_bug_gives_500_with_a_number_and_no_trace(
    shared_map: SmallMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the inside of the house")

    monkeypatch.setattr("api.routes.items.items", broken)
    answer = client_of(shared_map.app()).get("/collections/wells/items")
    body = shape(answer, 500)
    assert "inside" not in answer.text
    assert re.fullmatch(r"urn:onemap:error:[0-9a-f]{12}", body["instance"])
    assert body["instance"].rpartition(":")[2] in body["detail_en"]


def test_every_error_of_the_engine_has_a_status() -> None:
    for name in engine_errors.__all__:
        kind = getattr(engine_errors, name)
        assert 400 <= errors.status_of(kind("x")) < 600
        assert kind in errors.STATUS, f"{name} is not in the table"
