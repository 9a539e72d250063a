"""Routes whose parameters and dependencies are looked up once, when the route is made, and found at once.

FastAPI walks the tree of a route's dependencies anew for every request, a shared one as often as it is named,
and its router tries one route after the other, twice: for a page of items that took longer than the page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies.models import Dependant
from fastapi.params import Body
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from api.guards import replayed

__all__ = ["KnownPaths", "PlannedRoute"]

_MOST_PATHS, _LONGEST_PATH = 1_000, 200
_REFUSED = "onemap.plan_refused"


@dataclass(frozen=True)
class _Parameter:
    """One value of the path or the query: under which name it is sent, and under which it is passed on."""

    name: str
    alias: str
    field: Any
    default: Any
    is_required: bool
    of_path: bool


@dataclass(frozen=True)
class _Step:
    """One call, and what it is given: ``results`` are names and the numbers of the steps before."""

    call: Callable[..., Awaitable[Any]]
    parameters: tuple[_Parameter, ...]
    results: tuple[tuple[str, int], ...]
    request_name: str | None


class PlannedRoute(APIRoute):
    """A route that answers as any other does, by a plan where all that it depends on allows one.

    That is: functions that run on the event loop and return, parameters of path and query with one value
    each, and at most one body, as JSON. Its function returns a Response. What the type of a parameter or of
    the body refuses is left to FastAPI, to be said in its words.
    """

    request_class: type[Request] = Request
    _steps: tuple[_Step, ...] = ()
    _body: Any = None
    _on_the_loop = False

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        usual = super().get_route_handler()
        (self._body,) = self.dependant.body_params if _takes_json(self) else (None,)
        self._steps, self._on_the_loop = _steps(self), iscoroutinefunction(self.endpoint)

        async def answer(given: Request) -> Response:
            request = self.request_class(given.scope, given.receive)
            if not self._steps:
                return await usual(request)
            planned = None if _REFUSED in request.scope else await self.by_plan(request)
            if planned is None:
                return await usual(request)
            known: KnownPaths | None = getattr(request.app.state, "known_paths", None)
            if known is not None:
                known.learn(request.scope, self)
            return planned

        return answer

    async def unread(self, request: Request) -> Receive:
        """What gives once more what `by_plan` has read of ``request``."""
        return request.receive if self._body is None else replayed(await request.body(), request.receive)

    async def by_plan(self, request: Request) -> Response | None:
        """The answer; None where a value is refused."""
        *before, last = self._steps
        body = None if self._body is None else await _json(request)
        if body is None and self._body is not None:
            return None
        path, query = request.path_params, request.query_params
        results: list[Any] = []
        for step in before:
            values = _values(step, request, path, query, results)
            if values is None:
                return None
            results.append(await step.call(**values))
        values = _values(last, request, path, query, results)
        if values is None:
            return None
        if self._body is not None:
            values[self._body.name], errors = self._body.validate(body, {}, loc=("body",))
            if errors:
                return None
        if self._on_the_loop:
            answered: Response = await self.endpoint(**values)
        else:
            answered = await run_in_threadpool(self.endpoint, **values)
        return answered


class KnownPaths(BaseRoute):
    """The first of an app's routes: it knows which planned routes have answered which paths.

    What the router finds for a path once it always finds: here the other routes need not be tried again.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[PlannedRoute, dict[str, Any]]] = {}

    def learn(self, scope: Scope, route: PlannedRoute) -> None:
        """``route`` was found for the path of ``scope``."""
        if len(scope["path"]) < _LONGEST_PATH:
            if len(self._found) >= _MOST_PATHS:
                self._found.clear()
            self._found[scope["method"], scope["path"]] = route, scope["path_params"]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The planned route, where the path is known."""
        if scope["type"] != "http" or _REFUSED in scope:
            return Match.NONE, {}
        found = self._found.get((scope["method"], scope["path"]))
        if found is None:
            return Match.NONE, {}
        route, path_params = found
        return Match.FULL, {"route": route, "endpoint": route.endpoint, "path_params": path_params.copy()}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the route answer by its plan, or where that is not possible the router begin anew without."""
        route: PlannedRoute = scope["route"]
        request = route.request_class(scope, receive)
        answer = await route.by_plan(request)
        if answer is None:
            scope[_REFUSED] = True
            await scope["router"](scope, await route.unread(request), send)
        else:
            await answer(scope, receive, send)


def _values(
    step: _Step, request: Request, path: Mapping[str, Any], query: Mapping[str, str], results: list[Any]
) -> dict[str, Any] | None:
    """What ``step`` is called with; None when a parameter is missing or refused."""
    values = {name: results[number] for name, number in step.results}
    for parameter in step.parameters:
        sent = (path if parameter.of_path else query).get(parameter.alias)
        if sent is not None:
            values[parameter.name], errors = parameter.field.validate(sent)
            if errors:
                return None
        elif parameter.is_required:
            return None
        else:
            values[parameter.name] = parameter.default
    if step.request_name is not None:
        values[step.request_name] = request
    return values


def _takes_json(route: PlannedRoute) -> bool:
    """Whether a route is given one body, which is JSON and all that is sent."""
    fields = route.dependant.body_params
    return len(fields) == 1 and type(fields[0].field_info) is Body and not route._embed_body_fields


async def _json(request: Request) -> Any:
    """The body; None for one that is no JSON, or not said to be."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return None
    try:
        return await request.json()
    except ValueError:
        return None


def _steps(planned: PlannedRoute) -> tuple[_Step, ...]:
    """The calls in the order in which FastAPI makes them, each once; none where one is of another kind."""
    route = planned.dependant
    steps: list[_Step] = []
    numbers: dict[Any, int] = {}

    def add(dependant: Dependant) -> int | None:
        results = []
        for below in dependant.dependencies:
            number = numbers.get(below.call) if below.use_cache else None
            if number is None:
                if not _runs_on_the_loop(below.call):
                    return None
                number = add(below)
            if number is None:
                return None
            numbers[below.call] = number
            if below.name is not None:
                results.append((below.name, number))
        parameters = _parameters(dependant, takes_json=dependant is route and planned._body is not None)
        if parameters is None or dependant.call is None:
            return None
        steps.append(_Step(dependant.call, parameters, tuple(results), dependant.request_param_name))
        return len(steps) - 1

    return () if add(route) is None else tuple(steps)


def _runs_on_the_loop(call: Any) -> bool:
    # Asked is what kind of function it is, not whether it is one.
    return iscoroutinefunction(call) or iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004


def _parameters(dependant: Dependant, *, takes_json: bool) -> tuple[_Parameter, ...] | None:
    """The parameters of path and query; None when there are others, or lists."""
    unknown = (
        dependant.header_params, dependant.cookie_params,
        () if takes_json else dependant.body_params,
        dependant.websocket_param_name, dependant.http_connection_param_name, dependant.response_param_name,
        dependant.background_tasks_param_name, dependant.security_scopes_param_name,
    )  # fmt: skip
    fields = [(field, True) for field in dependant.path_params]
    fields += [(field, False) for field in dependant.query_params]
    if any(unknown) or any(_holds_many(field.field_info.annotation) for field, _ in fields):
        return None
    return tuple(
        _Parameter(
            field.name, field.alias, field, field.get_default(), field.field_info.is_required(), of_path
        )
        for field, of_path in fields
    )


def _holds_many(annotation: Any) -> bool:
    """Whether a parameter is more than one plain value."""
    return not all(kind in (str, int, float, bool, type(None)) for kind in _kinds(annotation))


def _kinds(annotation: Any) -> tuple[Any, ...]:
    found: tuple[Any, ...] = getattr(annotation, "__args__", None) or (annotation,)
    return found
