"""The pages of the API: each JSON answer for people, and never anything else than that."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import SmallMap, client_of

BROWSER = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en",
}
PAGES = [
    "/api",
    "/conformance",
    "/collections",
    "/collections/wells",
    "/collections/plan_structure",
    "/collections/wells/items",
    "/collections/wells/items/IN",
    "/collections/conflicts/items",
    "/collections/wells/queryables",
    "/collections/wells/schema",
    "/collections/wells/tiles",
    "/collections/wells/tiles/WebMercatorQuad",
    "/styles",
    "/styles/wells",
    "/styles/wells/metadata",
    "/tiles",
    "/tiles/WebMercatorQuad",
    "/processes",
    "/processes/screen",
    *(f"/processes/{name}" for name in ("screen-batch", "upstream", "overlay", "buffer", "nearest")),
    "/jobs",
    "/changes?since=0&limit=5",
    "/collections/catalogue",
    "/collections/catalogue/items",
    "/collections/catalogue/items/wells",
    "/webhooks",
    "/tileMatrixSets",
    "/tileMatrixSets/WebMercatorQuad",
    "/health/layers",
]


class Outline(HTMLParser):
    """The tags, addresses and text of a page; raises where tags do not close as they opened."""

    VOID = frozenset({"meta", "link", "img", "input", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.words = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "a":
            self.links.append(dict(attrs).get("href") or "")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_has_a_page_whose_links_lead_somewhere(service: TestClient, path: str) -> None:
    answer = service.get(path, headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-language"] == "en" and "Accept" in answer.headers["vary"]
    page = Outline(answer.text)
    assert page.tags.count("h1") == 1 and page.tags.count("main") == 1
    own = {link.removeprefix(str(service.base_url)) for link in page.links}
    # An address that is only for POST is told too.
    inside = {
        link for link in own if link.startswith("/") and "{" not in link and not link.endswith("/execution")
    }
    assert {"/", "/collections", "/processes", "/api"} <= inside
    for link in sorted(inside)[:12]:
        assert service.get(link, headers=BROWSER).status_code == 200, link


def test_pages_lead_to_other_notations_and_to_the_project_for_qgis(service: TestClient) -> None:
    style, api = (Outline(service.get(path, headers=BROWSER).text) for path in ("/styles/wells", "/api"))
    kinds = {f: service.get(link).headers["content-type"] for link in style.links for f in _named_form(link)}
    assert {f: kind.partition(";")[0] for f, kind in kinds.items() if f != "json"} == {
        "sld": "application/vnd.ogc.sld+xml",
        "sld10": "application/vnd.ogc.sld+xml",
        "qml": "application/x-qgis-layer-settings",
    }
    (project,) = {link for link in api.links if link.endswith("/qgis")}
    assert service.get(project, headers=BROWSER).headers["content-type"] == "application/x-qgis-project"


def _named_form(link: str) -> list[str]:
    return re.findall(r"/styles/wells\?f=(\w+)$", link)


def test_programs_get_json_and_f_decides(service: TestClient) -> None:
    for accept in ("*/*", "application/json", "application/geo+json, application/json;q=0.9"):
        assert "json" in service.get("/collections", headers={"Accept": accept}).headers["content-type"]
    assert "html" in service.get("/collections?f=html", headers={"Accept": "*/*"}).headers["content-type"]
    assert "json" in service.get("/collections?f=json", headers=BROWSER).headers["content-type"]
    tile = service.get("/collections/wells/tiles/WebMercatorQuad/12/1704/3413", headers=BROWSER)
    assert tile.headers["content-type"] == "application/vnd.mapbox-vector-tile"


def test_a_page_says_what_the_json_says(service: TestClient) -> None:
    items = service.get("/collections/wells/items").json()
    page = Outline(service.get("/collections/wells/items", headers=BROWSER).text)
    assert f"{items['numberMatched']} items" in page.words
    for feature in items["features"]:
        assert feature["id"] in page.words and (feature["properties"]["name"] or "") in page.words
    assert "Bored" in page.words and "bored" not in page.words


def test_the_page_of_changes_leads_to_each_item(service: TestClient) -> None:
    told = service.get("/changes?since=0&limit=5").json()["changes"]
    page = Outline(service.get("/changes?since=0&limit=5", headers=BROWSER).text)
    assert {change["links"][0]["href"] for change in told} <= set(page.links)
    assert all(change["uid"] in page.words and "added" in page.words for change in told)


@pytest.mark.parametrize("process", ["screen", "overlay", "buffer", "nearest"])
def test_the_example_of_a_process_runs_as_it_stands(service: TestClient, process: str) -> None:
    page = Outline(service.get(f"/processes/{process}", headers=BROWSER).text)
    body = re.search(r"-d '(.+)'", page.words)
    assert body
    answer = service.post(f"/processes/{process}/execution", json=json.loads(body[1]))
    assert answer.status_code == 200, answer.text


def test_the_language_of_a_page_can_be_chosen(service: TestClient) -> None:
    chinese = service.get("/collections/wells?lang=zh", headers=BROWSER)
    assert chinese.headers["content-language"] == "zh-CN" and "标识" in chinese.text
    other = re.search(r'class="language" href="([^"]+)"', chinese.text)
    assert other and "Identifier" in service.get(other[1].replace("&amp;", "&"), headers=BROWSER).text
    # No parameter of the routes themselves, so a program that writes it is told.
    assert service.get("/collections/wells?lang=zh").status_code == 400


def test_a_page_is_named_by_its_content_apart_from_the_json(service: TestClient) -> None:
    page, json = (
        service.get("/collections/wells", headers={"Accept": kind}) for kind in ("text/html", "*/*")
    )
    tag = page.headers["etag"]
    assert tag != json.headers["etag"]
    again = service.get("/collections/wells", headers={"Accept": "text/html", "If-None-Match": tag})
    assert (again.status_code, again.headers["etag"], again.content) == (304, tag, b"")
    crossed = {"Accept": "text/html", "If-None-Match": json.headers["etag"]}
    assert service.get("/collections/wells", headers=crossed).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"), [("/collections/none", 404), ("/collections?x=1", 400), ("/nothing", 404)]
)
def test_a_refusal_is_a_page_with_its_status(service: TestClient, path: str, status: int) -> None:
    answer = service.get(path, headers=BROWSER)
    assert answer.status_code == status
    page = Outline(answer.text)
    assert str(status) in page.words
    assert service.get(path, headers={"Accept-Language": "en"}).json()["detail"] in page.words


def test_text_stays_text(own_map: SmallMap) -> None:
    evil = "<script>alert(1)</script>\"'&\u202e<b>"
    rows = io.StringIO()
    csv.writer(rows).writerows([("code", "name", "lon", "lat"), ('"<i>X', evil, 120.02, 28.905)])
    own_map.load("wells", rows.getvalue())
    client = client_of(own_map.app())
    asked = "/collections/wells/items?name=x%22%3E%3Cscript%3E"
    for path in ("/collections/wells/items", asked, "/collections/wells/items/%22%3Ci%3EX"):
        answer = client.get(path, headers=BROWSER)
        assert "<script>alert" not in answer.text and "\u202e" not in answer.text
        assert {"i", "b"}.isdisjoint(Outline(answer.text).tags)
    shown = Outline(client.get("/collections/wells/items", headers=BROWSER).text).words
    assert "<script>alert(1)</script>" in shown and '"<i>X' in shown
