"""A route by a plan answers as FastAPI's own, and calls what it depends on as often and in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

from api.plans import KnownPaths, PlannedRoute

CALLED: list[str] = []


async def _shared(request: Request) -> str:
    CALLED.append("shared")
    return request.headers["host"]


async def _first(shared: Annotated[str, Depends(_shared)], size: Annotated[int, Query(ge=1)] = 3) -> str:
    CALLED.append("first")
    if size == 13:
        raise HTTPException(418)
    return f"{shared}-{size}"


async def _second(
    shared: Annotated[str, Depends(_shared)], must: str, on: Annotated[bool, Query(alias="is-on")] = True
) -> str:
    CALLED.append("second")
    return f"{shared}-{must}-{on}"


async def _guard(request: Request) -> None:
    CALLED.append(f"guard {request.url.path[:1]}")


def _held() -> Iterator[str]:
    CALLED.append("taken")
    yield "held"
    CALLED.append("given back")


def _told(
    name: str,
    first: Annotated[str, Depends(_first)],
    second: Annotated[str, Depends(_second)],
    x: float = 0.5,
) -> Response:
    return Response(f"{name} {first} {second} {x}", headers={"x-own": "1"})


async def _on_the_loop(name: str, first: Annotated[str, Depends(_first)]) -> Response:
    return Response(f"{name} {first}")


class _Body(BaseModel):
    size: Annotated[int, Field(ge=1)]
    words: dict[str, Any] = {}


def _given(name: str, first: Annotated[str, Depends(_first)], body: _Body) -> Response:
    return Response(f"{name} {first} {body!r}")


def _needing(name: str, held: Annotated[str, Depends(_held)]) -> Response:
    return Response(f"{name} {held}")


@pytest.fixture(scope="module")
def clients() -> list[TestClient]:
    """The same routes planned and usual."""
    made = []
    for kind in (PlannedRoute, APIRoute):
        router = APIRouter(route_class=kind, dependencies=[Depends(_guard)])
        router.get("/told/{name}")(_told)
        router.get("/on-the-loop/{name}")(_on_the_loop)
        router.get("/needing/{name}")(_needing)
        router.post("/given/{name}", status_code=201)(_given)
        app = FastAPI()
        if kind is PlannedRoute:
            app.state.known_paths = KnownPaths()
            app.router.routes.append(app.state.known_paths)
        app.include_router(router)
        app.get("/told/{name}/twice")(_needing)
        made.append(TestClient(app))
    return made


@pytest.mark.parametrize(
    "path",
    [
        "/told/a?must=1", "/told/a?must=1&size=7&is-on=no&x=2", "/told/%E4%B8%80?must=&other=1", "/told/a",
        "/told/a?must=1&size=0", "/told/a?must=1&size=many&x=y", "/told/a?must=1&size=13", "/told/a?size=13",
        "/told/a?must=1&must=2&size=1&size=2", "/told/a?must=1&size=", "/needing/a", "/on-the-loop/b",
        "/on-the-loop/b?size=4", "/on-the-loop/b?size=0", "/told/a/twice", "/told/nowhere/b", "/needing/a/",
    ],
)  # fmt: skip
def test_a_planned_route_answers_as_the_usual_one(clients: list[TestClient], path: str) -> None:
    answers, calls = [], []
    for client in [*clients, clients[0]]:  # the planned one once more, when the path may be known
        CALLED.clear()
        answer = client.get(path)
        answers.append((answer.status_code, answer.content, answer.headers.get("x-own")))
        calls.append(list(CALLED))
    assert answers[0] == answers[1] == answers[2]
    if answers[0][0] == 200:
        assert calls[0] == calls[1] == calls[2]


@pytest.mark.parametrize("query", ["", "?size=13", "?size=0"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"size": 3, "words": {"a": [1.5, null]}}', "application/json"),
        (b'{"size": 4}', "application/JSON; charset=utf-8"), (b'{"size": 5}', "application/geo+json"),
        (b'{"size": 5}', "text/plain"), (b'{"size": 5}', None), (b'{"size": 0}', "application/json"),
        (b'{"size": ', "application/json"), (b"null", "application/json"), (b"", "application/json"),
        (b"[3]", "application/json"), (b'"\xff"', "application/json"),
    ],
)  # fmt: skip
def test_a_planned_route_takes_a_body_as_the_usual_one(
    clients: list[TestClient], query: str, body: bytes, kind: str | None
) -> None:
    for ready in (clients[0], clients[1]):
        ready.post("/given/a", json={"size": 1})  # the path is known
    headers = {} if kind is None else {"content-type": kind}
    answers, calls = [], []
    for client in clients:
        CALLED.clear()
        answer = client.post(f"/given/a{query}", content=body, headers=headers)
        answers.append((answer.status_code, answer.content))
        calls.append(list(CALLED))
    assert answers[0] == answers[1]
    if answers[0][0] == 200:
        assert calls[0] == calls[1]


def test_a_known_path_is_answered_by_its_route_and_no_more_are_kept_than_some(
    clients: list[TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.plans._MOST_PATHS", 3)
    app: Any = clients[0].app
    known: KnownPaths = app.state.known_paths
    for number in range(5):
        assert clients[0].get(f"/on-the-loop/{number}").text == f"{number} testserver-3"
    assert ("GET", "/on-the-loop/4") in known._found and len(known._found) <= 3
    assert clients[0].post("/on-the-loop/4").status_code == 405
    assert clients[0].get("/on-the-loop/" + "x" * 300).status_code == 200
    assert not any("xxx" in path for _, path in known._found)


def test_what_is_described_is_the_same(clients: list[TestClient]) -> None:
    planned, usual = (client.get("/openapi.json").json() for client in clients)
    assert planned == usual and planned["paths"]["/told/{name}"]["get"]["parameters"]
