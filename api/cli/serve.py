"""``onemap serve``: the service for many users."""

from __future__ import annotations

import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.console import say, tell
from gis.errors import SettingsError

if TYPE_CHECKING:
    from fastapi import FastAPI

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
_FACTORY = "api.app:from_environment"


def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(min=1, help=say("Number of processes.", "进程数。"))] = 1,
    worker: WithWorker = True,
) -> None:
    """Serve the map and its interfaces; other hosts' names go into ONEMAP_HOSTS."""
    import uvicorn

    from api.app import create_app, warm_up
    from api.cli.opening import opened
    from api.cli.worker import working

    with opened(while_needed=True) as onemap, working(onemap, wanted=worker):
        listening = listen(host, port)
        tell(address(listening))
        if workers == 1:
            warm_up()
            run(create_app(onemap.settings, onemap.definition, onemap.engine), listening)
            return
        # A process that cuts large zones for its first answer is busy, not dead.
        config = uvicorn.Config(
            _FACTORY, factory=True, workers=workers, log_level="warning",
            timeout_worker_healthcheck=_PATIENCE_S,
        )  # fmt: skip
        from uvicorn.supervisors import Multiprocess

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


def run(app: FastAPI, listening: socket.socket) -> None:
    """Serve ``app`` in this process until it is interrupted or told to end; then return."""
    import uvicorn

    # uvicorn raises the signal again when it is done; without this, SIGTERM would end the process on the spot
    # and leave the private database running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):  # the way a user ends it
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])
