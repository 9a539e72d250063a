"""What the service counts of itself, for Prometheus; `onemap serve` has its workers count together."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import cache

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CACHE", "CONNECTIONS", "IN_FLIGHT", "REFUSED", "SHARED", "Measured", "count_connection", "told"]

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Where the counts of several processes come together; to be set before this module is imported."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
REQUESTS = Histogram(
    "onemap_request_seconds", "Time of requests", ["method", "route", "status"], buckets=_SECONDS
)
IN_FLIGHT = Gauge("onemap_requests_in_flight", "Requests being worked on", multiprocess_mode="livesum")
REFUSED = Counter("onemap_refused", "Requests refused unread, by reason", ["reason"])
CONNECTIONS = Gauge(
    "onemap_database_connections", "Connections in use, by pool", ["pool"], multiprocess_mode="livesum"
)
CACHE = Counter("onemap_tile_cache", "Tiles asked of the cache", ["result"])


class Measured:
    """Takes the time of each request under the route that answered it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and take its time."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, status = time.perf_counter(), "none"

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self.app(scope, receive, note)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            _times_of(method, route, status).observe(time.perf_counter() - begun)


@cache
def _times_of(method: str, route: str, status: str) -> Histogram:
    """Where such requests are counted: the library takes longer to find it than to count."""
    return REQUESTS.labels(method, route, status)


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def count_connection(pool: str, change: int) -> None:
    """A connection of ``pool`` was taken (1) or given back (-1)."""
    _uses_of(pool).inc(change)


@cache
def _uses_of(pool: str) -> Gauge:
    return CONNECTIONS.labels(pool)


class _Jobs(Collector):
    def __init__(self, states: dict[str, int]) -> None:
        self._states = states

    def collect(self) -> Iterator[Metric]:
        """Jobs in each state."""
        family = GaugeMetricFamily("onemap_jobs", "Background jobs, by state", labels=["state"])
        for state, count in self._states.items():
            family.add_metric([state], count)
        yield family


def told(jobs: dict[str, int]) -> bytes:
    """All counts in the text format; of all workers where they count together."""
    beside = CollectorRegistry()
    beside.register(_Jobs(jobs))
    counted = REGISTRY
    if SHARED in os.environ:
        counted = CollectorRegistry()
        multiprocess.MultiProcessCollector(counted)  # type: ignore[no-untyped-call]  # the library has no types there
    return generate_latest(counted) + generate_latest(beside)
