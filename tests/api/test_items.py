"""Items over HTTP: pages, filters, revisions, coordinate systems, caching."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient
from pyproj import Transformer

from gis.features import prepare_items
from gis.screening.conflicts import refresh
from layers.model import Text
from tests.api.conftest import SmallMap, client_of, uids

ITEMS = "/collections/wells/items"


def follow(client: TestClient, path: str, rel: str = "next") -> list[list[str]]:
    """The identifiers of all pages from ``path`` on."""
    pages = []
    while path:
        answer = client.get(path)
        pages.append(uids(answer))
        path = next((link["href"] for link in answer.json()["links"] if link["rel"] == rel), "")
    return pages


def test_a_page_says_how_many_match_and_where_it_stands(service: TestClient) -> None:
    answer = service.get(f"{ITEMS}?limit=3")
    body = answer.json()
    assert answer.headers["content-type"] == "application/geo+json"
    assert answer.headers["content-crs"] == "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>"
    assert (body["type"], body["numberMatched"], body["numberReturned"]) == ("FeatureCollection", 4, 3)
    told = {link["rel"] for link in body["links"]}
    assert told == {"self", "alternate", "collection", "profile", "next"}


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 1_000_000_000])
def test_pages_hold_each_item_once(service: TestClient, limit: int) -> None:
    pages = follow(service, f"{ITEMS}?limit={limit}")
    assert [uid for page in pages for uid in page] == ["IN", "OUT", "RIM", "ALSO"]


def test_paging_neither_skips_nor_repeats_while_others_write(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    first = client.get(f"{ITEMS}?limit=2&kind=dug&kind=bored")
    own_map.load("wells", "code,kind,lon,lat\nOUT,dug,120.06,28.9\nNEW,dug,120.07,28.9\n")
    following = next(link["href"] for link in first.json()["links"] if link["rel"] == "next")
    assert uids(first) + [uid for page in follow(client, following) for uid in page] == [
        "IN", "OUT", "RIM", "ALSO",
    ]  # fmt: skip


def test_the_way_back_leads_over_the_same_pages(service: TestClient) -> None:
    last = service.get(f"{ITEMS}?limit=1&offset=3")
    back = next(link["href"] for link in last.json()["links"] if link["rel"] == "prev")
    assert uids(last) == ["ALSO"]
    assert follow(service, back, "prev") == [["RIM"], ["OUT"], ["IN"]]


def test_filters_and_bbox_work_together(service: TestClient) -> None:
    assert uids(service.get(f"{ITEMS}?kind=dug")) == ["IN", "RIM"]
    assert uids(service.get(f"{ITEMS}?bbox=120.005,28.905,120.005,28.905")) == ["IN", "ALSO"]
    assert uids(service.get(f"{ITEMS}?bbox=120,28.9,120.0099,28.91&kind=bored")) == ["ALSO"]
    assert uids(service.get(f"{ITEMS}?name=x' OR '1'='1")) == []


def test_one_item_is_found_by_its_address(service: TestClient) -> None:
    conflict = service.get("/collections/conflicts/items?limit=1").json()["features"][0]
    assert "/" in conflict["id"]
    address = service.get(f"/collections/conflicts/items/{conflict['id'].replace('/', '%2F')}")
    assert address.json()["properties"] == conflict["properties"]
    well = service.get(f"{ITEMS}/IN").json()
    assert well["geometry"] == {"type": "Point", "coordinates": [120.005, 28.905]}
    assert service.get(next(li["href"] for li in well["links"] if li["rel"] == "self")).status_code == 200


def test_a_register_has_items_without_geometry(service: TestClient) -> None:
    features = service.get("/collections/plan_structure/items").json()["features"]
    assert [f["geometry"] for f in features] == [None, None]


def test_as_of_shows_what_was_known_then(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    before = client.get("/healthz").json()["revision"]
    own_map.load("wells", "code,name,lon,lat\nIN,later,120.2,28.9\n")
    assert client.get(f"{ITEMS}/IN").json()["properties"]["name"] == "later"
    then = client.get(f"{ITEMS}/IN?as-of={before}").json()
    assert (then["properties"]["name"], then["geometry"]["coordinates"]) == ("里井", [120.005, 28.905])
    assert client.get(f"{ITEMS}?as-of=0").json()["numberMatched"] == 0
    counted = client.get("/collections/wells?as-of=1").json()
    assert (counted["itemCount"], counted["lastRevision"]) == (0, 0)


def test_conflicts_say_up_to_which_revision_they_were_judged(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    current = client.get("/collections/conflicts/items").json()
    own_map.load("wells", "code,name,lon,lat\nIN,later,120.2,28.9\n")
    lagging = client.get("/collections/conflicts/items").json()
    assert (current["lagging"], lagging["lagging"]) == (False, True)
    assert current["judgedRevision"] == lagging["judgedRevision"] == 3


def test_an_unchanged_answer_is_not_sent_again(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    tag = client.get(ITEMS).headers["etag"]
    again = client.get(ITEMS, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    own_map.load("pads", 'code,wkt\nB,"POLYGON((120.1 28.9,120.2 28.9,120.2 29,120.1 28.9))"\n')
    assert client.get(ITEMS, headers={"If-None-Match": tag}).status_code == 304
    own_map.load("wells", "code,lon,lat\nNEW,120.2,28.9\n")
    assert client.get(ITEMS, headers={"If-None-Match": tag}).status_code == 200


def test_a_long_answer_is_gzipped_for_whoever_takes_it(service: TestClient) -> None:
    with service.stream("GET", ITEMS, headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    plain = service.get(ITEMS, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert orjson.loads(gzip.decompress(raw)) | {"timeStamp": ""} == plain.json() | {"timeStamp": ""}


def test_the_crs_of_the_answer_has_the_axes_of_its_register(service: TestClient) -> None:
    degrees = service.get(f"{ITEMS}/IN?crs=http://www.opengis.net/def/crs/EPSG/0/4490")
    assert degrees.headers["content-crs"] == "<http://www.opengis.net/def/crs/EPSG/0/4490>"
    assert degrees.json()["geometry"]["coordinates"] == [28.905, 120.005]
    plane = service.get(f"{ITEMS}/IN?crs=EPSG:4549").json()["geometry"]["coordinates"]
    northing, easting = Transformer.from_crs(4490, 4549).transform(28.905, 120.005)
    assert plane == pytest.approx([northing, easting], abs=0.002)
    box = f"{northing - 1},{easting - 1},{northing + 1},{easting + 1}"
    assert uids(service.get(f"{ITEMS}?bbox={box}&bbox-crs=EPSG:4549")) == ["IN", "ALSO"]
    assert uids(service.get(f"{ITEMS}?bbox=28.9,120.0,28.91,120.0099&bbox-crs=EPSG:4490")) == ["IN", "ALSO"]


def test_datetime_is_the_time_in_law(own_map: SmallMap) -> None:
    own_map.load(
        "wells", "code,lon,lat,valid_from,valid_to\nOLD,120.3,28.9,2000-01-01,2009-12-31\n", source="o"
    )
    client = client_of(own_map.app())
    assert "OLD" in uids(client.get(f"{ITEMS}?datetime=2005-06-01"))
    assert "OLD" not in uids(client.get(f"{ITEMS}?datetime=2010-01-01/.."))


def test_schema_and_queryables_describe_what_items_hold(service: TestClient) -> None:
    schema: dict[str, Any] = service.get(
        "/collections/wells/schema", headers={"Accept-Language": "en"}
    ).json()
    assert schema["properties"]["depth"] == {
        "title": "Depth",
        "type": "number",
        "format": "double",
        "x-ogc-unit": "m",
        "x-ogc-propertySeq": 5,
        "minimum": 0.0,
    }
    assert schema["required"] == ["uid", "code"]
    queryables = service.get("/collections/wells/queryables").json()
    feature = service.get(f"{ITEMS}/IN").json()["properties"]
    for name in queryables["properties"]:
        if name != "geometry" and feature[name] is not None:
            value = str(feature[name]).lower() if isinstance(feature[name], bool) else feature[name]
            assert "IN" in uids(service.get(ITEMS, params={name: value})), name


CONFLICTS = "/collections/conflicts/items"
TITLE = "禁区内的水井 / Well on a pad"


def test_what_rules_tell_is_a_property_of_conflicts_as_any_other(service: TestClient) -> None:
    every = service.get(CONFLICTS).json()
    assert every["numberMatched"] == 3
    assert {item["properties"]["title"] for item in every["features"]} == {TITLE}
    names = sorted(item["properties"]["subject_uid"] for item in every["features"])
    cql2 = "title LIKE '%25Well%25' AND rule_hash IS NOT NULL AND next_date IS NULL"
    for kept in (f"title={TITLE}", f"filter={cql2}"):
        shown = f"{kept}&sortby=title,-subject_uid&properties=subject_uid&limit=1"
        pages = follow(service, f"{CONFLICTS}?{shown}")
        assert [uid.split("|")[0].split("/")[1] for page in pages for uid in page] == names[::-1]
    assert uids(service.get(f"{CONFLICTS}?filter=title = 'another'&bbox=120,28,121,29")) == []
    table = service.get(f"{CONFLICTS}?f=csv&filter=title = '{TITLE}'").content.decode("utf-8-sig")
    assert table.count("Well on a pad") == 3


def test_conflicts_tell_what_their_rules_said_then(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    first = client.get(CONFLICTS)
    pack = own_map.definition.packs["wells"]
    worded = {"title": Text(zh="改", en="Reworded"), "hash": "another"}
    rules = tuple(rule.model_copy(update=worded) for rule in pack.rules)
    changed = pack.model_copy(update={"rules": rules, "hash": "another"})
    done = refresh(own_map.engine, replace(own_map.definition, packs={"wells": changed}))
    assert (done.change.is_empty, done.retold) == (True, 1)
    now = client.get(CONFLICTS, headers={"If-None-Match": first.headers["etag"]})
    then = client.get(f"{CONFLICTS}?as-of={done.judged_rev}")
    for answer, title in ((now, "改 / Reworded"), (then, TITLE)):
        assert uids(answer) == uids(first)
        assert {item["properties"]["title"] for item in answer.json()["features"]} == {title}
    assert uids(client.get(f"{CONFLICTS}?filter=title = '{TITLE}'")) == []


def test_what_is_kept_ready_goes_out_plain_compressed_and_as_a_page(
    own_map: SmallMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{ITEMS}?bbox=-180,-90,180,90&limit=3"
    live = client_of(own_map.app()).get(path, headers={"Accept-Encoding": "identity"})
    monkeypatch.setattr("gis.features.preparing.READY_FROM_ROWS", 1)
    assert prepare_items(own_map.engine, own_map.definition).rows
    client = client_of(own_map.app())
    plain, packed = (
        client.get(path, headers={"Accept-Encoding": coding}) for coding in ("identity", "gzip, br")
    )
    page = client.get(f"{path}&f=html", headers={"Accept-Encoding": "gzip"})
    said = [answer.json() | {"timeStamp": ""} for answer in (live, plain, packed)]
    assert said[0] == said[1] == said[2]
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert packed.headers["vary"] == plain.headers["vary"] and "Accept-Encoding" in plain.headers["vary"]
    assert packed.headers["etag"] == plain.headers["etag"]
    assert page.headers["content-type"].startswith("text/html") and "IN" in page.text
