"""Whatever is asked, at once or twice: the service says so, stays well, and ends what nobody waits for."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from anyio import to_thread
from fastapi import FastAPI
from sqlalchemy import text

from api import guards
from api.admission import Disconnects
from api.cli.serve import address, listen
from api.rates import Rates, parse_rate
from gis.accounts import register
from gis.accounts.passwords import Passwords
from gis.answers import claim, forget_answers, keep
from gis.bounds import Bounds
from gis.db import connect
from gis.errors import SettingsError
from tests.api.conftest import SmallMap, client_of
from tests.api.test_errors import SCREEN, shape
from tests.api.test_session import COSTS, WORD, key_of, sign_in
from tests.loops import on_a_loop
from tests.waiting import wait_for

WELLS = "/collections/wells/items"


def well(code: str) -> dict[str, Any]:
    place = {"type": "Point", "coordinates": [120.05, 28.9]}
    return {"type": "Feature", "geometry": place, "properties": {"code": code, "name": "井", "kind": "dug"}}


class Served(Protocol):
    """A map with a store."""

    def app(self, **settings: Any) -> FastAPI:
        """The service on it."""


@contextmanager
def serving(own_map: Served, **settings: Any) -> Iterator[str]:
    """The service as a server in a thread, with other settings; its address."""
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(own_map.app(**settings), log_level="critical"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield address(listening)
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def locked(own_map: SmallMap) -> Iterator[None]:
    """Nobody can read the wells."""
    with own_map.engine.connect() as conn, conn.begin():
        conn.execute(text("LOCK TABLE layer.wells IN ACCESS EXCLUSIVE MODE"))
        yield


def test_what_goes_on_behind_an_answer_is_not_ended_with_it(own_map: SmallMap) -> None:
    own_map.app()  # watches the engine
    done: list[int] = []

    def work() -> None:
        with own_map.engine.connect() as conn:
            done.append(conn.scalar(text("SELECT 1 FROM pg_sleep(0.4)")) or 0)

    async def answer_and_work(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        working = asyncio.create_task(to_thread.run_sync(work))
        await asyncio.sleep(0.2)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        await working

    async def ask() -> None:
        answered = asyncio.Event()
        coming = iter([{"type": "http.request", "body": b""}])

        async def receive() -> dict[str, Any]:
            message = next(coming, None)
            if message is None:
                await answered.wait()
                message = {"type": "http.disconnect"}
            return message

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.body":
                answered.set()  # from here on a server says that the sender has gone

        await Disconnects(answer_and_work)({"type": "http"}, receive, send)

    on_a_loop(ask())
    assert done == [1]


def test_more_than_can_be_done_is_told_to_come_again_and_the_service_stays_well(own_map: SmallMap) -> None:
    no_limit = httpx.Limits(max_connections=None)
    with (
        serving(own_map, max_requests=6) as base,
        httpx.Client(base_url=base, timeout=20, limits=no_limit) as client,
    ):
        items = "/collections/wells/items"
        with ThreadPoolExecutor(60) as pool, locked(own_map):
            asked = [pool.submit(client.get, items) for _ in range(60)]
            time.sleep(0.5)
            for _ in range(5):
                assert client.get("/healthz").status_code == client.get("/healthz/live").status_code == 200
            answers = [each.result() for each in asked]
        assert Counter(each.status_code for each in answers) == {503: 60}
        assert all(int(each.headers["Retry-After"]) >= 1 for each in answers)
        codes = Counter(each.json()["code"] for each in answers)
        assert codes["overloaded"] >= 40 and codes["database_busy"] >= 6
        assert client.get(items).status_code == 200
        told = client.get("/metrics").text
        assert 'onemap_refused_total{reason="busy"}' in told
        assert 'onemap_database_connections{pool="reads"}' in told and 'onemap_jobs{state="failed"}' in told
        assert 'route="/collections/{layer}/items",status="503"' in told


def test_a_statement_whose_asker_has_gone_is_ended(
    own_map: SmallMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.app.READS", Bounds(statement_s=300, lock_s=300, idle_s=300))
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with serving(own_map) as base, locked(own_map):
        parts = urlsplit(base)
        with socket.create_connection((parts.hostname, parts.port)) as asker:
            asker.sendall(b"GET /collections/wells/items HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            wait_for(lambda: counted(own_map, waiting) == 1)
        wait_for(lambda: counted(own_map, waiting) == 0, 60)


def counted(own_map: SmallMap, query: Any) -> int:
    with connect(own_map.engine) as conn:
        return int(conn.scalar(query) or 0)


def test_a_body_that_never_ends_is_not_waited_for(
    shared_map: SmallMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "PATIENCE_S", 0.3)
    lines = (f"POST {SCREEN} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json")
    head = "\r\n".join([*lines, "Content-Length: 99", "", ""])
    with serving(shared_map) as base:
        parts = urlsplit(base)
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as slow:
            slow.sendall(head.encode() + b"{")
            assert slow.recv(65_536).startswith(b"HTTP/1.1 408 ")


# --- twice ------------------------------------------------------------------------------------------------


def test_a_request_sent_twice_under_one_key_is_done_once(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    key = {"Idempotency-Key": "k1"}
    first, again = (client.post(WELLS, json=well("A"), headers=key) for _ in range(2))
    assert first.status_code == again.status_code == 201 and first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true" and again.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    other = shape(client.post(WELLS, json=well("B"), headers=key), 422)
    assert other["code"] == "idempotency_key_reused"
    refused = client.post(WELLS, json={"type": "Nothing"}, headers={"Idempotency-Key": '"k2"'})
    shape(refused, 400)
    again = client.post(WELLS, json={"type": "Nothing"}, headers={"Idempotency-Key": "k2"})
    assert again.text == refused.text and again.headers["Idempotency-Replayed"] == "true"
    assert [client.get(f"{WELLS}?code={code}").json()["numberMatched"] for code in "AB"] == [1, 0]
    shape(client.post(WELLS, json=well("B"), headers={"Idempotency-Key": "x" * 256}), 400)


def test_a_key_and_a_quota_are_the_accounts_own(own_map: SmallMap, tmp_path: Path) -> None:
    with connect(own_map.engine, write=True) as conn:
        for name in ("one", "two"):
            register.add(conn, name, WORD, Passwords(1, 8, 1), role="viewer")
    one, two, alike = (
        key_of(own_map, **who) for who in ({"account": "one"}, {"account": "two"}, {"role": "viewer"})
    )
    client = client_of(own_map.app(home=tmp_path, rate_limit="4/600"))
    body = {"inputs": {"site": {"type": "Point", "coordinates": [120.05, 28.9]}, "distance_m": 5}}

    def ask(key: dict[str, str]) -> httpx.Response:
        return client.post("/processes/buffer/execution", json=body, headers={"Idempotency-Key": "k", **key})

    seen = [ask(key) for key in (one, one, two, alike, key_of(own_map, role="viewer"))]
    assert [each.status_code for each in seen] == [200] * 5
    assert ["Idempotency-Replayed" in each.headers for each in seen] == [False, True, False, False, False]
    assert [each.headers["RateLimit"].split(";")[1] for each in seen[:4]] == ["r=3", "r=2", "r=3", "r=3"]


def test_a_session_is_nobodys_to_be_given_again(own_map: SmallMap) -> None:
    with connect(own_map.engine, write=True) as conn:
        register.add(conn, "one", WORD, Passwords(1, 8, 1), role="viewer")
    app = own_map.app(**COSTS)
    answers = [sign_in(client_of(app), "one", **{"Idempotency-Key": "s"}) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]
    assert len({each.headers["set-cookie"] for each in answers}) == 2


def test_many_at_once_under_one_key_are_done_once(own_map: SmallMap) -> None:
    app = own_map.app()
    with ThreadPoolExecutor(10) as pool:
        asked = [
            pool.submit(client_of(app).post, WELLS, json=well("A"), headers={"Idempotency-Key": "k"})
            for _ in range(10)
        ]
        answers = [each.result() for each in asked]
    assert {each.status_code for each in answers} <= {201, 409}
    assert len({each.text for each in answers if each.status_code == 201}) == 1
    assert all(each.headers["Retry-After"] for each in answers if each.status_code == 409)


def test_an_upload_sent_twice_is_one_upload(own_map: SmallMap, tmp_path: Path) -> None:
    app = own_map.app(home=tmp_path)
    client = client_of(app)
    key = {"Idempotency-Key": "up"}
    body = b"code,lon,lat\nA,120,28.9\n"
    first, again = (client.post("/imports", files={"file": ("a.csv", body)}, headers=key) for _ in range(2))
    assert first.status_code == again.status_code == 201 and first.json()["id"] == again.json()["id"]
    other = client.post("/imports", files={"file": ("a.csv", body + b"B,120,28.9\n")}, headers=key)
    shape(other, 422)
    app.state.workshop.close()


def test_a_key_is_free_again_after_a_day_and_after_a_death(own_map: SmallMap) -> None:
    engine = own_map.engine
    assert claim(engine, "me", "a", b"1") is None and claim(engine, "you", "a", b"1") is None
    held = claim(engine, "me", "a", b"1")
    assert held is not None and held.status is None
    aged = text("UPDATE core.kept_answers SET at = at - make_interval(mins => :m) WHERE who = 'me'")
    with connect(engine, write=True) as conn:
        conn.execute(aged, {"m": 11})
    assert claim(engine, "me", "a", b"2") is None  # whoever had it died
    keep(engine, "me", "a", type(held)(b"2", 201, [("a", "b")], b"done"))
    again = claim(engine, "me", "a", b"2")
    assert again is not None and (again.status, again.headers, again.body) == (201, [("a", "b")], b"done")
    with connect(engine, write=True) as conn:
        conn.execute(aged, {"m": 24 * 60 + 1})
        forget_answers(conn)
        assert conn.scalar(text("SELECT count(*) FROM core.kept_answers")) == 1
    assert claim(engine, "me", "a", b"3") is None


# --- too often --------------------------------------------------------------------------------------------


def test_what_the_headers_say_of_the_limit_is_so(shared_map: SmallMap, tmp_path: Path) -> None:
    client = client_of(shared_map.app(home=tmp_path, rate_limit="5/600"))
    answers = [client.get("/conformance") for _ in range(7)]
    assert [each.status_code for each in answers] == [200] * 5 + [429] * 2
    assert answers[0].headers["RateLimit-Policy"] == '"default";q=5;w=600'
    left = [each.headers["RateLimit"].split(";")[1] for each in answers]
    assert left == ["r=4", "r=3", "r=2", "r=1", "r=0", "r=0", "r=0"]
    assert 100 < int(answers[6].headers["Retry-After"]) <= 120
    shape(answers[6], 429)
    assert client.get("/healthz").status_code == 200
    beside = client_of(shared_map.app(home=tmp_path, rate_limit="5/600"))  # another worker, the same file
    assert beside.get("/conformance").status_code == 429


def test_wrong_credentials_are_counted_too(shared_map: SmallMap, tmp_path: Path) -> None:
    client = client_of(shared_map.app(home=tmp_path, rate_limit="2/600"))
    wrong = {"Authorization": f"Bearer onemap_{'a' * 8}_{'b' * 43}", "X-Forwarded-For": "1.1.1.1"}
    answers = [client.get("/conformance", headers=wrong) for _ in range(3)]
    assert [each.status_code for each in answers] == [401, 401, 429]
    assert int(answers[2].headers["Retry-After"]) > 200
    assert client.get("/conformance", headers={"X-Forwarded-For": "1.1.1.1"}).status_code == 429


def test_a_client_that_waits_as_told_is_let_in(tmp_path: Path) -> None:
    rates = Rates(tmp_path / "rates", 10, 60)
    now, allowed = 1_000_000.0, 0
    for _ in range(1000):
        standing = rates.take("one", now)
        allowed += standing.allowed
        now += 0.01 if standing.allowed else standing.retry_after_s
        if not standing.allowed:
            assert rates.take("one", now).allowed
    assert rates.take("other", now).remaining == 9
    full = rates.take("one", now + 60)
    assert (full.allowed, full.remaining) == (True, 9)
    many = [rates.take(f"client {n}", now).allowed for n in range(5000)]
    assert all(many)
    rates.close()
    for wrong in ("", "0/60", "60", "a/b", "1/0", "-1/5"):
        with pytest.raises(SettingsError):
            parse_rate(wrong)
