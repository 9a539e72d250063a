"""Who gets gzip (RFC 9110, 12.5.3): whoever takes it, on every way that compresses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from api.codings import takes_gzip
from gis.features import prepare_items
from tests.api.conftest import SmallMap, client_of

TAKEN = {
    "gzip": True, "GZIP": True, "x-gzip": True, "gzip, br": True, "br;q=1.0, gzip;q=0.001": True, "*": True,
    "gzip;q=0.5, identity;q=0.9": True, "*;q=0, gzip": True, "deflate, *;q=0.1": True,
    "": False, "identity": False, "br": False, "gzip;q=0": False, "gzip;q=0.000": False, "gzip ; Q=0": False,
    "*, gzip;q=0": False, "*;q=0": False, "gzip;q=none": False, "identity;q=1, *;q=0": False,
}  # fmt: skip
WAYS = [  # middleware, pages kept ready in blocks, a tile out of memory, the page of an answer
    "/collections/wells/items?f=jsonfg", "/collections/wells/items?bbox=-180,-90,180,90&limit=3",
    "/collections/pads/tiles/WebMercatorQuad/12/1704/3413", "/collections/wells?f=html",
]  # fmt: skip


@pytest.mark.parametrize(("header", "taken"), TAKEN.items())
def test_gzip_is_taken_by_its_own_weight_or_by_that_of_all(header: str, taken: bool) -> None:
    assert takes_gzip(header) == taken


@pytest.fixture(scope="module")
def ready(make_map: Callable[[], SmallMap]) -> TestClient:
    """A map whose pages of wells are kept ready, and with pads enough for a large tile."""
    small = make_map()
    lines = (
        f'P{n},true,"POLYGON((120.0{n} 28.9,120.1{n} 28.9,120.0{n} 28.91,120.0{n} 28.9))"' for n in range(60)
    )
    small.load("pads", "\n".join(["code,strict,wkt", *lines]), source="many")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gis.features.preparing.READY_FROM_ROWS", 1)
        assert prepare_items(small.engine, small.definition).rows
    return client_of(small.app())


@pytest.mark.parametrize("path", WAYS)
def test_every_way_that_compresses_asks_that(ready: TestClient, path: str) -> None:
    for _ in range(2):  # the second time out of memory, where there is one
        for header, taken in TAKEN.items():
            answer = ready.get(path, headers={"Accept-Encoding": header})
            assert answer.status_code == 200
            assert ("content-encoding" in answer.headers) == taken, (path, header)
            assert "Accept-Encoding" in answer.headers["vary"], (path, header)
    twice = ready.get(path, headers=[("Accept-Encoding", "br"), ("Accept-Encoding", "gzip;q=0")])
    assert "content-encoding" not in twice.headers
