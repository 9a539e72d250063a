"""Routes whose parameters and dependencies are looked up once, when the route is made.

FastAPI walks the tree of a route's dependencies anew for every request, a shared one as often as it is named:
for a page of items that took longer than the page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

__all__ = ["PlannedRoute"]


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

    That is: functions that run on the event loop and return, and parameters of path and query with one value
    each. Its function returns a Response. What a parameter's type refuses is left to FastAPI, to be said in
    its words.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        usual = super().get_route_handler()
        steps = _steps(self.dependant)
        if steps is None or iscoroutinefunction(self.endpoint):
            return usual
        *before, last = steps

        async def answer(request: Request) -> Response:
            results: list[Any] = []
            for step in before:
                values = _values(step, request, results)
                if values is None:
                    return await usual(request)
                results.append(await step.call(**values))
            values = _values(last, request, results)
            if values is None:
                return await usual(request)
            answered: Response = await run_in_threadpool(self.endpoint, **values)
            return answered

        return answer


def _values(step: _Step, request: Request, results: list[Any]) -> dict[str, Any] | None:
    """What ``step`` is called with; None when a parameter is missing or refused."""
    values = {name: results[number] for name, number in step.results}
    of_path, of_query = request.path_params, request.query_params
    for parameter in step.parameters:
        among = of_path if parameter.of_path else of_query
        if parameter.alias not in among:
            if parameter.is_required:
                return None
            values[parameter.name] = parameter.default
            continue
        sent = among[parameter.alias]
        values[parameter.name], errors = parameter.field.validate(sent)
        if errors:
            return None
    if step.request_name is not None:
        values[step.request_name] = request
    return values


def _steps(route: Dependant) -> list[_Step] | None:
    """The calls in the order in which FastAPI makes them, each once; None where one is of another kind."""
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
        parameters = _parameters(dependant)
        if parameters is None or dependant.call is None:
            return None
        steps.append(_Step(dependant.call, parameters, tuple(results), dependant.request_param_name))
        return len(steps) - 1

    return None if add(route) is None else steps


def _runs_on_the_loop(call: Any) -> bool:
    # Asked is what kind of function it is, not whether it is one.
    return iscoroutinefunction(call) or iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004


def _parameters(dependant: Dependant) -> tuple[_Parameter, ...] | None:
    """The parameters of path and query; None when there are others, or lists."""
    unknown = (
        dependant.header_params, dependant.cookie_params, dependant.body_params,
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
