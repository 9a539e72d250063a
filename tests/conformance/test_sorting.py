"""Sorting, paging in that order, and the choice of properties (drafts of parts 6 and 8)."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import SmallMap, client_of, uids
from tests.api.test_items import follow

ITEMS = "/collections/wells/items"


def test_the_parameters_are_lists(parameters: dict[str, dict[str, Any]]) -> None:
    for name in ("sortby", "properties", "exclude-properties"):
        each = parameters[name]
        assert each["schema"]["type"] == "array" and each["schema"]["items"] == {"type": "string"}
        assert (each["style"], each["explode"], each["required"]) == ("form", False, False)


ORDERS = {
    "name": ["OUT", "ALSO", "RIM", "IN"],
    "-depth": ["RIM", "OUT", "ALSO", "IN"],
    "depth": ["IN", "ALSO", "OUT", "RIM"],
    "kind,-code": ["OUT", "ALSO", "RIM", "IN"],
    "+kind,+code": ["ALSO", "OUT", "IN", "RIM"],
    "-kind,depth": ["IN", "RIM", "ALSO", "OUT"],
    "valid_from,-is_indicative,-uid": ["RIM", "OUT", "IN", "ALSO"],
}


@pytest.mark.parametrize("sortby", ORDERS)
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_items_come_in_the_order_asked_for(service: TestClient, sortby: str, limit: int) -> None:
    pages = follow(service, f"{ITEMS}?limit={limit}&sortby={sortby}")
    assert list(itertools.chain(*pages)) == ORDERS[sortby]
    assert all(len(page) == limit for page in pages[:-1])
    last = service.get(ITEMS, params={"sortby": sortby, "offset": 3, "limit": limit})
    back = next(link["href"] for link in last.json()["links"] if link["rel"] == "prev")
    before = list(itertools.chain(*reversed(follow(service, back, "prev"))))
    assert before == ORDERS[sortby][:3]


def test_sorted_pages_neither_skip_nor_repeat_while_others_write(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    first = client.get(f"{ITEMS}?limit=1&sortby=-depth")
    rows = "OUT,x,dug,1,120.06,28.9\nNEW,x,dug,20,120.07,28.9\nALSO,x,dug,99,120.1,29\n"
    own_map.load("wells", f"code,name,kind,depth,lon,lat\n{rows}")
    following = next(link["href"] for link in first.json()["links"] if link["rel"] == "next")
    rest = itertools.chain(*follow(client, following))
    assert [*uids(first), *rest] == ["RIM", "OUT", "ALSO", "IN"]


def test_a_page_of_another_list_or_a_changed_one_is_refused(service: TestClient) -> None:
    body = service.get(f"{ITEMS}?limit=1&sortby=-depth&filter=true").json()
    following = next(link["href"] for link in body["links"] if link["rel"] == "next")
    assert service.get(following).status_code == 200
    _, _, page = following.partition("page=")
    raw = bytearray(base64.urlsafe_b64decode(page + "=" * (-len(page) % 4)))
    raw[-3] ^= 1
    changed = base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")
    for address in (
        following.replace(page, changed), following.replace(page, page[:-4]), following.replace(page, "AAAA"),
        following.replace("sortby=-depth", "sortby=depth"), following.replace("filter=true", "filter=false"),
        following.replace("/wells/", "/conflicts/"), following.replace("as-of=2", "as-of=1"),
        following + "&kind=dug",
    ):  # fmt: skip
        assert address != following and service.get(address).status_code == 400, address
    assert service.get(following.replace("limit=1", "limit=2")).status_code == 200


@pytest.mark.parametrize(
    "sortby", ["geometry", "nothing", "", "name,name", "-", "name;DROP TABLE x", "row_id"]
)
def test_only_sortables_are_sorted_by(service: TestClient, sortby: str) -> None:
    answer = service.get(ITEMS, params={"sortby": sortby})
    assert answer.status_code == 400 and answer.json()["detail_zh"]


def test_only_the_properties_asked_for_are_sent(service: TestClient) -> None:
    whole = service.get(f"{ITEMS}/IN").json()["properties"]
    for query, wanted in [
        ("properties=kind,code", ["code", "kind"]), ("properties=", []),
        ("exclude-properties=kind", [name for name in whole if name != "kind"]),
        ("properties=code,kind&exclude-properties=kind", ["code"]),
    ]:  # fmt: skip
        for form in ("geojson", "jsonfg"):
            page = service.get(f"{ITEMS}?{query}&f={form}&sortby=-depth").json()["features"]
            alone = service.get(f"{ITEMS}/IN?{query}&f={form}").json()
            for feature in (*page, alone):
                assert list(feature["properties"]) == wanted and feature["id"]
    assert uids(service.get(f"{ITEMS}?properties=kind&filter=depth>5")) == ["OUT", "ALSO"]
    assert service.get(f"{ITEMS}/IN?properties=nothing").status_code == 400


def test_geometry_is_left_away_when_it_is_not_wanted(service: TestClient) -> None:
    for path in (f"{ITEMS}?skipGeometry=true&bbox=120,28.9,120.009,28.91", f"{ITEMS}/IN?skipGeometry=true"):
        body = service.get(path).json()
        assert all(f["geometry"] is None for f in body.get("features", [body]))


def test_no_order_is_promised_where_none_is_asked_for(service: TestClient) -> None:
    for path in ("/collections/wells", "/collections/wells/sortables", f"{ITEMS}?limit=1"):
        assert "defaultSortOrder" not in service.get(path).json()
