"""Servers that are measured side by side: onemap, and its peers as their documentation runs them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import make_url

from bench.ending import taken_down
from bench.wire import ask_all
from bench.workload import ROOT

__all__ = ["CONNECTIONS", "WORKERS", "onemap_served", "peer_url", "tipg_served", "uvicorn_served"]

CONNECTIONS, WORKERS = 16, 2


@contextmanager
def onemap_served(home: Path, *, workers: int = WORKERS, **settings: str) -> Iterator[str]:
    """The address of onemap on the store at ``home``; ``settings`` are further ONEMAP_... variables."""
    command = [
        str(Path(sys.executable).with_name("onemap")), "serve", "--port", "0", "--no-worker",
        "--workers", str(workers),
    ]  # fmt: skip
    environment = {"ONEMAP_HOME": str(home), "PYTHONPATH": str(ROOT), **settings}
    with _served(command, environment, "/healthz", home.parent / "onemap.log") as address:
        yield address


@contextmanager
def tipg_served(url: str, schema: str) -> Iterator[str]:
    """The address of tipg on the tables of ``schema``."""
    environment = {"DATABASE_URL": peer_url(url), "TIPG_DB_SCHEMAS": f'["{schema}"]'}
    with uvicorn_served("tipg.main:app", environment, "/collections?limit=1") as address:
        yield address


def peer_url(url: str) -> str:
    """The database in the form that peers take."""
    at = make_url(url)
    return f"postgresql://{at.username}@{quote(str(at.query['host']), safe='')}:5432/{at.database}"


@contextmanager
def uvicorn_served(app: str, environment: dict[str, str], ready: str) -> Iterator[str]:
    """The address of the ASGI ``app`` with as many workers as onemap has."""
    folder = Path(tempfile.mkdtemp(prefix="onemap-bench-"))
    command = [
        sys.executable, "-m", "uvicorn", app, "--port", str(_free_port()), "--workers", str(WORKERS),
        "--no-access-log",
    ]  # fmt: skip
    with taken_down(lambda: shutil.rmtree(folder)):
        with _served(command, environment, ready, folder / "log") as address:
            yield address


@contextmanager
def _served(command: list[str], environment: dict[str, str], ready: str, log: Path) -> Iterator[str]:
    """A server that says in ``log`` where it listens; ended at the end."""
    with (
        log.open("w") as output,
        subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environment, stdout=output, stderr=output
        ) as served,
        taken_down(lambda: served.send_signal(signal.SIGTERM)),
    ):
        yield _address(served, log, ready)


def _address(served: subprocess.Popen[bytes], log: Path, ready: str) -> str:
    for _ in range(900):
        told = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if told:
            try:
                ask_all(told[0], [ready], 1)
                return told[0]
            except OSError:
                pass
        assert served.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
