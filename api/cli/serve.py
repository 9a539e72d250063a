"""``onemap serve``: the service for many users."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.console import say, tell
from gis.errors import SettingsError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from gis.settings import Settings

__all__ = ["Host", "Port", "WithWorker", "address", "listen", "run", "serve"]

Host = Annotated[str, typer.Option(help=say("Address to listen on.", "监听地址。"))]
Port = Annotated[int, typer.Option(min=0, max=65535, help=say("Port to listen on.", "监听端口。"))]

WithWorker = Annotated[
    bool,
    typer.Option(
        "--worker/--no-worker",
        help=say(
            "Work on background jobs too; else run `onemap worker`.",
            "同时处理后台任务；否则请运行 `onemap worker`。",
        ),
    ),
]

_PATIENCE_S = 60
_RATE = "1200/60"  # of one address, where the service listens to more than its own machine
# What api.metrics.SHARED says; that module reads it when it is imported.
_COUNTS = "PROMETHEUS_MULTIPROC_DIR"
_FACTORY = "api.app:from_environment"
_LOOP, _HTTP = "api.loops:SharingLoop", "api.loops:SharedProtocol"


def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(min=1, help=say("Number of processes.", "进程数。"))] = 1,
    worker: WithWorker = True,
) -> None:
    """Serve the map and its interfaces; other hosts' names go into ONEMAP_HOSTS."""
    from api.cli.opening import opened
    from api.cli.worker import working

    # Told to end while it starts, it still stops the private database that it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), opened(while_needed=True) as onemap, working(onemap, wanted=worker):
        listening = listen(host, port)
        settings = _limited(onemap.settings, listening)
        tell(address(listening))
        if workers > 1:
            _run_many(settings, listening, workers)
            return
        from api.app import create_app, warm_up

        warm_up()
        run(create_app(settings, onemap.definition, onemap.engine), listening, settings.shutdown_s)


def _limited(settings: Settings, listening: socket.socket) -> Settings:
    """``settings`` with the limit of requests that fits who can ask, unless they name one."""
    own = ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_loopback
    limit = settings.rate_limit or ("off" if own else _RATE)
    return settings.model_copy(update={"rate_limit": limit})


def _run_many(settings: Settings, listening: socket.socket, workers: int) -> None:
    """Serve in several processes, which read the settings themselves, until interrupted or told to end."""
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    from api.loops import SHARES, make_shares

    # A process that cuts large zones for its first answer is busy, not dead.
    config = uvicorn.Config(
        _FACTORY, factory=True, workers=workers, loop=_LOOP, http=_HTTP, log_level="warning",
        access_log=False, timeout_worker_healthcheck=_PATIENCE_S,
        timeout_graceful_shutdown=settings.shutdown_s,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="onemap-counts-") as counts:
        shares = Path(counts, "shares")
        make_shares(shares, workers)
        os.environ |= {
            _COUNTS: counts, SHARES: str(shares), "ONEMAP_RATE_LIMIT": settings.rate_limit or "off"
        }  # fmt: skip
        Multiprocess(config, sockets=[listening]).run()


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to ``host`` and ``port`` (0: any free one).

    Raises
    ------
    SettingsError
        When the port is taken or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns off Nagle's algorithm, which costs 40 ms an answer.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise SettingsError(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            f"无法监听 {host}:{port}：{error.strerror}。",
            remedy_en="Choose another with --port.",
            remedy_zh="请用 --port 换一个端口。",
        ) from error
    return bound


def address(listening: socket.socket) -> str:
    """Where a browser finds what listens there."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def run(app: FastAPI, listening: socket.socket, shutdown_s: int = 30) -> None:
    """Serve ``app`` in this process until it is interrupted or told to end; then return.

    No new requests are taken then; those under way have ``shutdown_s`` seconds.
    """
    import uvicorn

    # uvicorn raises the signal again when it is done; without this, SIGTERM would end the process on the spot
    # and leave the private database running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):  # the way a user ends it
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=shutdown_s)
        uvicorn.Server(config).run(sockets=[listening])
