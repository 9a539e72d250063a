"""The classes ``html`` of the standards: each resource has a page that holds what the resource says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from lxml import html

RESOURCES = (
    "/", "/conformance", "/api", "/collections", "/collections/wells", "/collections/plan_structure",
    "/collections/wells/items", "/collections/wells/items/IN", "/collections/conflicts/items",
    "/collections/catalogue", "/collections/catalogue/items", "/collections/catalogue/items/wells",
    "/processes", "/processes/screen", "/processes/buffer", "/jobs",
)  # fmt: skip
BROWSER = {"Accept": "text/html", "Accept-Language": "en"}


def with_form(path: str, form: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}f={form}"


def leaves(node: Any) -> Iterator[Any]:
    """The values in a document; links have a test of their own."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name != "links":
                yield from leaves(value)
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value)
    else:
        yield node


def links(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "href" in node and "rel" in node:
            yield node["href"]
        for value in node.values():
            yield from links(value)
    elif isinstance(node, list):
        for value in node:
            yield from links(value)


def without_form(address: str) -> str:
    """An address without ``f``: the document links to itself as it was asked for."""
    return str(httpx.URL(address).copy_remove_param("f"))


def page_of(service: TestClient, path: str) -> html.HtmlElement:
    answer = service.get(path, headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.lstrip().lower().startswith("<!doctype html>")
    return html.fromstring(answer.text)


@pytest.mark.parametrize("path", RESOURCES)
def test_each_resource_has_a_page(service: TestClient, path: str) -> None:
    by_name = service.get(with_form(path, "html"), headers={"Accept": "*/*"})
    assert (by_name.status_code, by_name.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page_of(service, path).find("body") is not None


@pytest.mark.parametrize("path", RESOURCES)
def test_a_page_has_all_links_of_its_resource(service: TestClient, path: str) -> None:
    document = service.get(with_form(path, "json"), headers={"Accept-Language": "en"}).json()
    for address in (path, with_form(path, "html")):
        held = {without_form(link) for link in page_of(service, address).xpath("//body//a/@href")}
        assert {without_form(link) for link in links(document)} <= held, address


@pytest.mark.parametrize(
    "path", ["/", "/conformance", "/collections", "/processes", "/collections/catalogue/items"]
)
def test_a_page_says_what_its_resource_says(service: TestClient, path: str) -> None:
    """Titles, descriptions and identifiers; numbers and times are written for people."""
    document = service.get(with_form(path, "json"), headers={"Accept-Language": "en"}).json()
    for address in (path, with_form(path, "html")):
        shown = " ".join(page_of(service, address).xpath("//body")[0].text_content().split())
        for name in ("title", "description", "id", *["conformsTo"][: path == "/conformance"]):
            for value in named(document, name):
                assert " ".join(str(value).split()) in shown, (address, name)


def named(node: Any, name: str) -> Iterator[Any]:
    """The plain values of all members called ``name``, those of the first hundred members of a list."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == name:
                yield from (each for each in leaves(value) if isinstance(each, str))
            elif key not in ("links", "themes", "contacts", "extent", "sources", "formats"):
                yield from named(value, name)
    elif isinstance(node, list):
        for value in node[:100]:
            yield from named(value, name)


def test_a_page_of_an_item_says_each_of_its_values(service: TestClient) -> None:
    item = service.get("/collections/wells/items/IN").json()
    shown = page_of(service, "/collections/wells/items/IN").xpath("//body")[0].text_content()
    values = {name: value for name, value in item["properties"].items() if name not in ("kind", "uid")}
    for name, value in values.items():
        if isinstance(value, str) and "T" not in value:
            assert value in shown, name
    assert "Dug well" in shown and "IN" in shown and item["properties"]["kind"] == "dug"
