"""Each parameter of a request, read once and under one name."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

import orjson
from fastapi import Depends, Query, Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query as QueryParameter
from sqlalchemy import Connection, Engine

from api.languages import language_of
from gis.access import PUBLIC, Scope
from gis.awaited import Line
from gis.axes import CRS84, NamedCrs, named
from gis.db import connect, scope_of, scoped
from gis.errors import QueryError
from gis.features import Texts, find_layer, form_seen
from gis.filters import BBox, Interval, parse_bbox, parse_interval
from gis.revisions import resolve_as_of
from gis.settings import MapDefinition, Settings
from layers.model import Layer

__all__ = [
    "AsOf",
    "BBoxDep",
    "ConnDep",
    "CrsDep",
    "IntervalDep",
    "LanguageDep",
    "LayerDep",
    "MapState",
    "RevDep",
    "ScopeDep",
    "StateDep",
    "StoreDep",
    "as_json",
    "conditional",
    "joined_json",
    "links_base",
    "property_filters",
    "scope_of_request",
    "self_links",
    "strict_parameters",
    "wants",
]

JSON = "application/json"
GEOJSON = "application/geo+json"
_SCOPES_HELD = 256


@dataclass(frozen=True)
class MapState:
    """What all requests share; ``web`` is the folder of the front end.

    ``reader`` has connections for what requests read, with little patience; ``exporter`` some with more, for
    whole layers as files; ``pulse`` a few for the question whether the service is well. On ``line`` the event
    loop itself asks, for whoever it says.

    A request works on what its ``scope`` sees: `seen_by` has the definition without the rest, and an engine
    on which the database shows no more.
    """

    settings: Settings
    definition: MapDefinition
    engine: Engine
    version: str
    web: Path
    reader: Engine
    exporter: Engine
    pulse: Engine
    line: Line
    scope: Scope = PUBLIC

    def seen_by(self, scope: Scope) -> MapState:
        """The same for ``scope``, made once while it is in use."""
        with self._lock:
            held = self._seen.get(scope)
            if held is None:
                seen = self.definition.seen_by(scope.role)
                held = replace(
                    self,
                    definition=seen,
                    engine=scoped(self.engine, scope),
                    reader=scoped(self.reader, scope),
                    exporter=scoped(self.exporter, scope),
                    scope=scope,
                )
                self._seen[scope] = held
                while len(self._seen) > _SCOPES_HELD:
                    self._seen.popitem(last=False)
            self._seen.move_to_end(scope)
            return held

    @cached_property
    def _lock(self) -> Lock:
        return Lock()

    @cached_property
    def _seen(self) -> OrderedDict[Scope, MapState]:
        return OrderedDict()

    @cached_property
    def forms(self) -> Mapping[str, str | None]:
        """By layer the form of what is kept ready that this scope may have; None: there is none."""
        who = scope_of(self.reader)
        return {name: form_seen(who, layer) for name, layer in self.definition.layers.items()}

    @cached_property
    def digest(self) -> str:
        """A hash of the version and of everything the definition files say."""
        d = self.definition
        parts = [
            self.version,
            d.district.model_dump_json(),
            *(x.model_dump_json() for x in d.layers.values()),
        ]
        parts += [pack.hash for pack in d.packs.values()]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def scope_of_request(request: Request) -> Scope:
    """Whom ``request`` comes from, as a middleware has found out; the public without one."""
    found: Scope | None = getattr(request.state, "scope", None)
    return found or PUBLIC


# What only looks at the request runs on the event loop: a thread for each would cost more than all of them.


async def _scope(request: Request) -> Scope:
    return scope_of_request(request)


ScopeDep = Annotated[Scope, Depends(_scope)]


async def _state(request: Request, scope: ScopeDep) -> MapState:
    shared: MapState = request.app.state.onemap
    return shared.seen_by(scope)


StateDep = Annotated[MapState, Depends(_state)]


async def _store(request: Request) -> MapState:
    found: MapState = request.app.state.onemap
    return found


StoreDep = Annotated[MapState, Depends(_store)]
"""The map as the store itself sees it: only behind a rule that lets in those who write."""


def _connection(state: StateDep) -> Iterator[Connection]:
    with connect(state.reader) as connection:
        yield connection


ConnDep = Annotated[Connection, Depends(_connection)]


async def _language(request: Request) -> str:
    return language_of(request)


LanguageDep = Annotated[str, Depends(_language)]


async def _layer(layer: str, state: StateDep) -> Layer:
    return find_layer(state.definition, layer)


LayerDep = Annotated[Layer, Depends(_layer)]


AsOf = Annotated[
    str | None, Query(alias="as-of", description="Revision number, or a time: the state of knowledge then")
]


def _rev(conn: ConnDep, as_of: AsOf = None) -> int:
    return resolve_as_of(conn, as_of)


RevDep = Annotated[int, Depends(_rev)]


async def _bbox(
    state: StateDep,
    bbox: Annotated[
        str | None,
        Query(description="west,south,east,north; longitude and latitude unless bbox-crs says otherwise"),
    ] = None,
    bbox_crs: Annotated[
        str | None,
        Query(
            alias="bbox-crs",
            description="CRS of bbox, one of the collection's",
            json_schema_extra={"format": "uri"},
        ),
    ] = None,
) -> BBox | None:
    crs = CRS84 if bbox_crs is None else named(bbox_crs, state.definition.district)
    return None if bbox is None else parse_bbox(bbox, crs)


BBoxDep = Annotated[BBox | None, Depends(_bbox)]


async def _crs(
    state: StateDep,
    crs: Annotated[
        str | None,
        Query(description="CRS of the answer, one of the collection's", json_schema_extra={"format": "uri"}),
    ] = None,
) -> NamedCrs:
    return CRS84 if crs is None else named(crs, state.definition.district)


CrsDep = Annotated[NamedCrs, Depends(_crs)]


async def _interval(
    datetime: Annotated[
        str | None, Query(description="Day or interval in which the items hold in law, such as 2026-01-01/..")
    ] = None,
) -> Interval | None:
    return None if datetime is None else parse_interval(datetime)


IntervalDep = Annotated[Interval | None, Depends(_interval)]


def declared_parameters(request: Request) -> frozenset[str]:
    """Names of the query parameters that the route of ``request`` declares; found once and kept with it."""
    route = request.scope["route"]
    found: frozenset[str] | None = getattr(route, "declared_parameters", None)
    if found is None:
        entries = get_flat_params(route.dependant)
        found = frozenset(entry.alias for entry in entries if isinstance(entry.field_info, QueryParameter))
        route.declared_parameters = found
    return found


def property_filters(request: Request) -> dict[str, list[str]]:
    """The query parameters that the route of ``request`` does not declare: properties and their values."""
    declared = declared_parameters(request)
    return {name: request.query_params.getlist(name) for name in request.query_params if name not in declared}


async def strict_parameters(request: Request) -> None:
    """Refuse a parameter that the route does not know (OGC API Features, /req/core/query-param-unknown)."""
    known = declared_parameters(request)
    for name, value in request.query_params.items():
        # JSON is what every route answers in, said or not.
        if name not in known and (name, value) != ("f", "json"):
            raise QueryError(
                f"There is no parameter {name[:80]!r} here.",
                f"此处没有参数“{name[:80]}”。",
                remedy_en=f"Parameters: {', '.join(sorted(known)) or 'none'}.",
                remedy_zh=f"可用参数：{'、'.join(sorted(known)) or '无'}。",
            )


def wants(f: str | None, *offered: str) -> None:
    """Check the parameter ``f`` against the formats that a route offers."""
    if f is not None and f not in offered:
        raise QueryError(
            f"There is no format {f[:40]!r} here.",
            f"此处没有格式“{f[:40]}”。",
            remedy_en=f"Formats: {', '.join(offered)}.",
            remedy_zh=f"可用格式：{'、'.join(offered)}。",
        )


def links_base(request: Request) -> str:
    """The address of the service as the client wrote it, without a slash at the end."""
    return str(request.base_url).rstrip("/")


def self_links(request: Request) -> list[dict[str, str]]:
    """Links to the answer itself and to its page."""
    here = request.url.remove_query_params("f")
    return [
        {"rel": "self", "type": JSON, "href": str(here)},
        {"rel": "alternate", "type": "text/html", "href": str(here.include_query_params(f="html"))},
    ]


def as_json(content: Any, media_type: str = JSON, headers: dict[str, str] | None = None) -> Response:
    """``content`` as a JSON answer."""
    return Response(orjson.dumps(content), headers=headers, media_type=media_type)


def joined_json(
    request: Request,
    content: dict[str, Any],
    name: str,
    texts: Texts,
    media_type: str,
    headers: dict[str, str],
) -> Response:
    """``content`` and last the list ``name`` of ready JSON ``texts``, which are copied once and not read.

    Compressed for whoever takes that, since they are kept compressed.
    """
    head = orjson.dumps(content)[:-1] + b',"' + name.encode() + b'":['
    if "gzip" not in request.headers.get("accept-encoding", ""):  # as the middleware reads it
        return Response(texts.within(head, b"]}"), headers=headers, media_type=media_type)
    coded = headers | {"Content-Encoding": "gzip"}
    return Response(texts.gzipped(head, b"]}"), headers=coded, media_type=media_type)


# A name in the address changes with the content, so whoever has the answer need never ask again.
_FOR_EVER = "public, max-age=31536000, immutable"


def _kept_by(scope: Scope, *, lasting: bool) -> str:
    """Who may keep an answer, and whether it is asked for anew each time: always, but for the public's."""
    if scope != PUBLIC:
        return "private, no-cache"
    return _FOR_EVER if lasting else "no-cache"


def conditional(
    request: Request,
    parts: tuple[object, ...],
    produce: Callable[[], Response],
    *,
    lasting: bool = False,
    tag: str | None = None,
) -> Response:
    """304 when the client holds the answer named by ``parts`` already, else what ``produce`` makes.

    The tag is weak, since one content goes out plain and gzipped. ``parts`` names everything that the answer
    depends on: revision, definitions, rendering, representation. The scope of the request is added.
    ``lasting``: the address names the content too, so the public may use the answer without asking again.
    ``tag`` is taken in place of one made from the parts.
    """
    scope = scope_of_request(request)
    if tag is None:
        parts = parts if scope == PUBLIC else (*parts, scope.digest)
        digest = hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()[:32]
        tag = f'W/"{digest}"'
    asked = request.headers.get("if-none-match", "").split(",")
    held = {entry.strip().removeprefix("W/") for entry in asked}
    headers = {
        "ETag": tag,
        "Cache-Control": _kept_by(scope, lasting=lasting),
        "Vary": "Accept, Accept-Language",
    }
    if tag.removeprefix("W/") in held:
        return Response(status_code=304, headers=headers)
    answer = produce()
    answer.headers.update(headers)
    if "content-encoding" in answer.headers:
        answer.headers.add_vary_header("Accept-Encoding")
    return answer
