"""The service as an ASGI application."""

from __future__ import annotations

import base64
import gc
import hashlib
import importlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from anyio import to_thread
from fastapi import Depends, FastAPI, Response
from fastapi.middleware.cors import CORSMiddleware
from sqlalchemy import Engine
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp

from api import errors
from api.access import require_rules
from api.admission import Admission, Disconnects
from api.auditing import Watch
from api.basemaps import basemap_hosts
from api.codings import Codings
from api.deps import MapState
from api.guards import BodyGuard, HostGuard, SecurityHeaders, TextGuard
from api.idempotency import Idempotency
from api.identity import Action, Credentials, Identity, cookie_name, needs
from api.methods import PlainMethods
from api.metrics import Measured, count_connection
from api.openapi import describe
from api.pages import Pages
from api.plans import KnownPaths
from api.rates import RateLimit, Rates, parse_rate
from api.routes import (
    application,
    catalogue,
    changes,
    claims,
    collections,
    editing,
    health,
    imports,
    items,
    jobs,
    landing,
    marks,
    processes,
    rasters,
    reports,
    session,
    styles,
    tiles,
    webhooks,
    wellbeing,
)
from api.tags import TagPerCoding
from api.tilecache import TileCache
from api.web import WebFiles
from gis.accounts.passwords import passwords_of
from gis.accounts.sessions import Lifetime
from gis.accounts.sightings import Sightings
from gis.accounts.tokens import Tokens
from gis.awaited import line_to
from gis.bounds import EXPORTS, PULSE, READS, Bounds, companion, watch
from gis.db import make_engine
from gis.importing.reading import limits_of
from gis.settings import MapDefinition, Settings, load_settings
from gis.tiles import Newest
from gis.uploads import Uploads, Workshop

__all__ = ["create_app", "from_environment", "warm_up"]

WEB = Path(__file__).parents[1] / "web"
MAX_BODY_BYTES = 16 * 2**20
_GZIP_FROM_BYTES = 1024
_GZIP_LEVEL = 5
# When rubbish in circles is looked for: an answer makes some thousand objects, hardly any of them in circles.
_RUBBISH = (20_000, 20, 20)
_EXPOSED = [
    "ETag",
    "Content-Crs",
    "Link",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
]


def create_app(settings: Settings, definition: MapDefinition, engine: Engine, *, web: Path = WEB) -> FastAPI:
    """The service for one map on one database; ``web`` is the folder of the front end.

    The database is in step with ``definition`` already (`gis.sync.sync`).
    """
    app = FastAPI(
        title="onemap",
        version=version("onemap"),
        summary=f"{definition.district.name.zh} / {definition.district.name.en}",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.known_paths = KnownPaths()
    app.router.routes.append(app.state.known_paths)  # before all others
    app.state.onemap = MapState(
        settings, definition, engine, version("onemap"), web, reader=_beside(engine, READS, "reads"),
        exporter=_beside(engine, EXPORTS, "exports"), pulse=_beside(engine, PULSE, "pulse"),
        line=line_to(engine, count_connection),
    )  # fmt: skip
    watch(engine, "work", count_connection)
    app.state.default_language = definition.district.languages[0]
    app.state.workshop = _workshop(settings, definition, engine)
    app.state.sightings = Sightings(engine)
    app.state.lifetime = Lifetime(
        timedelta(hours=settings.session_hours), timedelta(minutes=settings.session_idle_minutes)
    )
    app.state.passwords = passwords_of(settings)
    app.state.cookie = cookie_name(settings, engine)
    for module in (
        landing,
        catalogue,  # before the collections: its name is no layer's
        collections,
        items,
        editing,
        claims,
        tiles,
        styles,
        rasters,
        processes,
        reports,
        session,
        application,
        imports,
        health,
        jobs,
        changes,
        marks,
        webhooks,
        wellbeing,
    ):
        app.include_router(module.router)
    app.add_api_route(
        "/api",
        _described(app, definition, settings.max_features),
        include_in_schema=False,
        methods=["GET"],
        dependencies=[Depends(needs(Action.READ))],
    )
    require_rules(app)
    app.mount("/web", WebFiles(directory=web), name="web")
    errors.install(app)
    tokens = Tokens(settings) if settings.oidc_issuer else None
    credentials = Credentials(engine, app.state.lifetime, app.state.cookie, tokens)
    _guard(app, settings, web, credentials, definition.district.languages)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """At the end, what is still to be told to the audit log is told."""
    yield
    await to_thread.run_sync(app.state.sightings.close)


def _beside(engine: Engine, bounds: Bounds, name: str) -> Engine:
    made = companion(engine, bounds, name)
    watch(made, name, count_connection)
    return made


def from_environment() -> FastAPI:
    """The service as ``ONEMAP_*`` configures it; for servers that start workers of their own."""
    settings = load_settings()
    warm_up()
    app = create_app(settings, settings.load_map(), make_engine(settings))
    gc.freeze()  # what is there now stays, and need not be looked at each time rubbish is collected
    gc.set_threshold(*_RUBBISH)
    return app


def warm_up() -> None:
    """Import what only some answers need and what takes seconds, so that no user waits for it."""
    for name in (
        "gis.screening.answer",
        "gis.screening.conflicts",
        "gis.siteinput",
        "gis.processing",
        "rio_tiler.io",
    ):
        importlib.import_module(name)


def _workshop(settings: Settings, definition: MapDefinition, engine: Engine) -> Workshop:
    uploads = Uploads(settings.home / "uploads", settings.keep_uploads_h)
    return Workshop(
        uploads, engine, definition, keep_originals=settings.keep_originals, limits=limits_of(settings)
    )


def _described(app: FastAPI, definition: MapDefinition, max_features: int) -> Callable[[], Response]:
    @cache
    def body() -> bytes:
        return orjson.dumps(describe(app, definition.layers, max_features))

    def get_description() -> Response:
        return Response(body(), media_type=landing.OPENAPI)

    return get_description


def _guard(
    app: FastAPI, settings: Settings, web: Path, credentials: Credentials, languages: tuple[str, ...]
) -> None:
    """Middleware from the inside out: what is added last sees a request first."""
    streams = {"/imports": settings.import_file_mb * 2**20}
    app.add_middleware(Disconnects)
    app.add_middleware(Idempotency, engine=credentials.engine, streams=streams)
    app.add_middleware(Admission, most=settings.max_requests)
    app.add_middleware(BodyGuard, limit_bytes=MAX_BODY_BYTES, streams=streams)
    counted = _counted(settings)
    app.add_middleware(counted)
    told = Watch(app.state.sightings, credentials.engine)
    app.add_middleware(Identity, credentials=credentials, watch=told, counted=counted)
    app.add_middleware(Pages, languages=languages)
    if settings.cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors),
            allow_methods=["GET", "HEAD", "OPTIONS", "POST"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Prefer"],
            expose_headers=_EXPOSED,
        )
    app.add_middleware(GZipMiddleware, minimum_size=_GZIP_FROM_BYTES, compresslevel=_GZIP_LEVEL)
    app.add_middleware(TagPerCoding)
    app.add_middleware(PlainMethods)
    app.add_middleware(
        TileCache,
        ask=Newest(credentials.engine).now,
        given=told.seen_from_memory,
        limit_bytes=settings.tile_cache_mb * 2**20,
    )
    app.add_middleware(Codings)
    app.add_middleware(TextGuard)
    app.add_middleware(HostGuard, hosts=(*settings.hosts, *_public_host(settings)))
    app.add_middleware(SecurityHeaders, headers=security_headers(settings, web))
    app.add_middleware(Measured)


def _counted(settings: Settings) -> Callable[[ASGIApp], ASGIApp]:
    """What counts the requests that reach an app, if they are to be counted."""
    if settings.rate_limit in (None, "off"):
        return lambda app: app
    quota, window_s = parse_rate(settings.rate_limit)
    return partial(RateLimit, rates=Rates(settings.home / "rates", quota, window_s))


def _public_host(settings: Settings) -> tuple[str, ...]:
    """The name under which the public asks for the map, which is ours then."""
    host = urlsplit(settings.public_url or "").hostname
    return () if host is None else (host,)


def security_headers(settings: Settings, web: Path) -> dict[str, str]:
    """Headers of every answer; scripts come from here only, and of inline ones only the page's import map."""
    hosts = " ".join(basemap_hosts(settings))
    policy = {
        "default-src": "'none'",
        "script-src": f"'self' {_import_map_hashes(web / 'index.html')}",
        "style-src": "'self'",
        "img-src": f"'self' data: blob: {hosts}",
        "connect-src": "'self'",
        "worker-src": "'self' blob:",
        "font-src": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value.strip()}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }


def _import_map_hashes(page: Path) -> str:
    """CSP sources for the inline import maps of ``page``; the hash is over the bytes between the tags."""
    maps = re.findall(rb'<script type="importmap">(.*?)</script>', page.read_bytes(), re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(content).digest()).decode() for content in maps)
    return " ".join(f"'sha256-{digest}'" for digest in digests)
