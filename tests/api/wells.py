"""Wells to write, for the tests of editing."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
from fastapi.testclient import TestClient
from sqlalchemy import text

from gis.db import connect
from tests.api.conftest import SmallMap
from tests.api.test_errors import KEYS

WELLS = "/collections/wells/items"
PATCH = {"Content-Type": "application/merge-patch+json"}
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
SYSTEMS = [CRS84, *(f"{EPSG}{number}" for number in (4326, 3857, 4490, 4549))]


def well(code: str | None = None, lon: float = 120.3, lat: float = 28.7, **properties: Any) -> dict[str, Any]:
    """A well somewhere in the district, far from the others."""
    named = {"code": code or f"T{uuid4().hex[:12]}", **properties}
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat]}, "properties": named}


def made(client: TestClient, **properties: Any) -> tuple[str, httpx.Response]:
    """Address of a new well, and the answer of reading it."""
    answer = client.post(WELLS, json=well(**properties))
    assert answer.status_code == 201, answer.text
    path = httpx.URL(answer.headers["location"]).path
    read = client.get(path)
    assert read.status_code == 200 and read.headers["etag"] == answer.headers["etag"]
    return path, read


def head(small: SmallMap) -> int:
    with connect(small.engine) as conn:
        return int(conn.scalar(text("SELECT max(rev) FROM core.revisions")) or 0)


def codes_of(answer: httpx.Response) -> set[tuple[str, str | None]]:
    """What was found, by code and field; each with words in both languages."""
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {*KEYS, "findings"}
    found = answer.json()["findings"]
    for each in found:
        assert each["detail_zh"] and each["detail_en"] and each["remedy_zh"] and each["remedy_en"]
    return {(each["code"], each["field"]) for each in found}
