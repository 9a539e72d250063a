"""The feed of changes: every row change once, in commit order, also while others write."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from gis.db import connect
from gis.revisions import revert
from gis.tables import table_for
from tests.api.conftest import SmallMap, client_of
from tests.api.test_errors import shape


def follow(client: TestClient, query: str, *, most: int = 1000) -> tuple[list[dict[str, Any]], str]:
    """All changes from ``query`` on, and the cursor at the end."""
    found: list[dict[str, Any]] = []
    target = f"/changes?{query}"
    for _ in range(most):
        body = client.get(target).json()
        found += body["changes"]
        following = [link["href"] for link in body["links"] if link["rel"] == "next"]
        if not following:
            return found, body["cursor"]
        parts = urlsplit(following[0])
        target = f"{parts.path}?{parts.query}"
    raise AssertionError("the feed does not end")


def told(changes: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(c["layer"], c["uid"], c["change"]) for c in changes]


def test_the_feed_tells_what_was_added_changed_and_closed(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    every, cursor = follow(client, "since=0")
    revs = [c["revision"] for c in every]
    assert revs == sorted(revs) and {c["change"] for c in every} == {"added"}
    assert {uid for layer, uid, _ in told(every) if layer == "wells"} == {"IN", "OUT", "RIM", "ALSO"}
    assert follow(client, f"cursor={cursor}") == ([], cursor)
    own_map.load("wells", "code,name,kind,depth,lon,lat\nIN,里井,dug,4,120.005,28.905\n"
                          "NEW,新井,dug,4,120.3,28.9\nOUT,Out well,bored,33.5,120.05,28.905\n",
                 mode="replace", allow_large_close=True)  # fmt: skip
    now, _ = follow(client, f"cursor={cursor}&layer=wells")
    assert told(now) == [
        ("wells", "ALSO", "closed"), ("wells", "IN", "changed"), ("wells", "NEW", "added"),
        ("wells", "RIM", "closed"),
    ]  # fmt: skip
    assert follow(client, f"since={revs[-1]}&layer=wells")[0] == now
    for change in now:
        parts = urlsplit(change["links"][0]["href"])
        assert client.get(f"{parts.path}?{parts.query}").json()["id"] == change["uid"]
    table = table_for(own_map.definition.layers["wells"], own_map.definition.district.storage_crs)
    with connect(own_map.engine, write=True) as conn:
        done = revert(conn, now[0]["revision"], [table], who="test")
    undone, _ = follow(client, f"since={done.rev - 1}")  # type: ignore[operator]
    assert [c for _, _, c in told(undone)] == ["added", "changed", "closed", "added"]


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_pages_of_any_size_hold_the_same(service: TestClient, limit: int) -> None:
    whole, _ = follow(service, "since=0&limit=10000")
    assert follow(service, f"since=0&limit={limit}")[0] == whole
    some, _ = follow(service, f"since=0&limit={limit}&layer=pads&layer=wells")
    assert some == [c for c in whole if c["layer"] in ("pads", "wells")]


def test_a_reader_misses_nothing_while_others_write(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    _, cursor = follow(client, "since=0")
    writers = [
        threading.Thread(target=_write, args=(own_map, layer, head, row, n))
        for n, (layer, head, row) in enumerate(
            [("wells", "code,name,kind,depth,lon,lat", "{0},井,dug,3,120.005,28.905"),
             ("plan_structure", "element_id,name,kind", "{0},带,belt")]
        )
    ]  # fmt: skip
    for writer in writers:
        writer.start()
    seen: list[dict[str, Any]] = []
    while any(writer.is_alive() for writer in writers):
        some, cursor = follow(client, f"cursor={cursor}&limit=2")
        seen += some
    some, cursor = follow(client, f"cursor={cursor}&limit=2")
    seen += some
    rows = [(c["layer"], c["uid"]) for c in seen if c["layer"] != "conflicts"]
    assert len(rows) == len(set(rows)) == 2 * 6 * 3
    assert [c["revision"] for c in seen] == sorted(c["revision"] for c in seen)


def _write(own_map: SmallMap, layer: str, head: str, row: str, number: int) -> None:
    for n in range(6):
        rows = "\n".join(row.format(f"X{number}-{n}-{i}") for i in range(3))
        own_map.load(layer, f"{head}\n{rows}\n", source=f"writer{number}",
                     **({"crs": "auto"} if layer == "plan_structure" else {}))  # fmt: skip


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("since=0&cursor=x", 400), ("since=-1", 400), ("since=99999", 400), ("since=x", 400),
        ("cursor=x", 400), ("cursor=%FF", 400), ("cursor=WzEsIlx1MDAwMCIsIiJd", 400), ("cursor=WzFd", 400),
        ("cursor=WzEsIlx1ZDgwMCIsIiJd", 400), ("since=0&limit=0", 400), ("since=0&limit=10001", 400),
        ("since=0&layer=none", 404), ("since=0&who=me", 400),
    ],
)  # fmt: skip
def test_what_is_no_place_in_the_feed_is_refused(service: TestClient, query: str, status: int) -> None:
    shape(service.get(f"/changes?{query}"), status)
