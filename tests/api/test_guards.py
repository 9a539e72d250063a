"""Who may ask, under which name, how much, and what the answers forbid a browser."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import WEB
from api.guards import is_known_host
from tests.api.conftest import SmallMap, client_of
from tests.api.test_errors import SCREEN, shape


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost", True),
        ("LOCALHOST:8000", True),
        ("127.0.0.1:8000", True),
        ("127.8.9.1", True),
        ("[::1]:8000", True),
        ("map.example", True),
        ("map.example:443", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("192.168.1.4", False),
        ("map.example.evil", False),
        ("", False),
    ],
)
def test_only_loopback_and_configured_hosts_are_known(host: str, known: bool) -> None:
    assert is_known_host(host, frozenset({"map.example"})) is known


def test_a_foreign_host_is_misdirected(shared_map: SmallMap) -> None:
    client = client_of(shared_map.app(hosts=("Map.example",)))
    shape(client.get("/", headers={"Host": "evil.example"}), 421)
    shape(client.post(SCREEN, headers={"Host": "evil.example"}, json={}), 421)
    assert client.get("/healthz", headers={"Host": "map.example"}).status_code == 200


def test_other_origins_are_answered_only_when_listed(shared_map: SmallMap, service: TestClient) -> None:
    origin = {"Origin": "https://gis.example"}
    assert "access-control-allow-origin" not in service.get("/healthz", headers=origin).headers
    client = client_of(shared_map.app(cors=("https://gis.example",)))
    allowed = client.get("/healthz", headers=origin).headers["access-control-allow-origin"]
    assert allowed == "https://gis.example"
    foreign = client.get("/healthz", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in foreign.headers
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    assert client.options(SCREEN, headers=origin | asked).status_code == 200
    assert (
        client.options(SCREEN, headers=origin | asked | {"Origin": "https://evil.example"}).status_code == 400
    )


def test_a_body_beyond_the_limit_is_not_read(service: TestClient) -> None:
    shape(service.post(SCREEN, content=b"x" * (17 * 2**20)), 413)

    def endless() -> object:
        for _ in range(20):
            yield b"x" * 2**20

    shape(service.post(SCREEN, content=endless()), 413)  # type: ignore[arg-type]
    shape(service.post(SCREEN, content=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}), 415)


def test_a_page_runs_its_own_scripts_only(service: TestClient) -> None:
    answer = service.get("/", headers={"Accept": "text/html"})
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    (imports,) = re.findall(rb'<script type="importmap">(.*?)</script>', answer.content, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(imports).digest()).decode()
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"
    assert policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["img-src"] == "'self' data: blob:"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_configured_base_map_may_be_loaded(shared_map: SmallMap) -> None:
    client = client_of(shared_map.app(tianditu_key="k"))
    (host,) = {m["url"].split("/DataServer")[0] for m in client.get("/app/config").json()["basemaps"]}
    assert host in client.get("/").headers["content-security-policy"]


def test_the_files_of_the_page_have_their_types_and_only_those_are_served(service: TestClient) -> None:
    kinds = {
        ".js": "text/javascript",
        ".css": "text/css",
        ".svg": "image/svg+xml",
        ".json": "application/json",
    }
    served = [f for f in WEB.rglob("*") if f.suffix in kinds and "vendor" not in f.parts]
    assert {f.suffix for f in served} == set(kinds)
    for file in served:
        answer = service.get(f"/web/{file.relative_to(WEB).as_posix()}")
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(kinds[file.suffix])
        assert answer.headers["cache-control"] == "no-cache"
    vendored = next(WEB.glob("vendor/leaflet-1*/leaflet.css"))
    kept = service.get(f"/web/{vendored.relative_to(WEB).as_posix()}").headers["cache-control"]
    assert "immutable" in kept
    hidden = [Path("vendor.py"), Path("vendor.toml"), Path("js/types.d.ts")]
    assert [service.get(f"/web/{name}").status_code for name in hidden] == [404, 404, 404]
