"""What a reading child can do that it should not, tried out: for `onemap doctor` and the tests."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["misbehave", "try_everything"]


def try_everything(target: str) -> dict[str, Any]:
    """Each attempt and what came of it: "done", or the name of the error.

    ``target`` is HOST:PORT, to be connected to.
    """
    came: dict[str, Any] = {"uid": os.geteuid(), "thread": _thread_runs()}
    host, _, port = target.rpartition(":")
    attempts: dict[str, Callable[[], object]] = {
        "tcp": lambda: socket.create_connection((host, int(port)), timeout=1).close(),
        "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
        "unix": lambda: socket.socket(socket.AF_UNIX).close(),
        "fork": os.fork,
        "exec": lambda: os.execv("/bin/true", ["true"]),
        "list_home": lambda: os.listdir("/root"),
        "read_accounts": lambda: Path("/etc/passwd").read_bytes(),
        "write_elsewhere": lambda: Path("/tmp/onemap-probe").write_bytes(b""),
        "signal_parent": lambda: os.kill(os.getppid(), 0),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
            came[name] = "done"
        except OSError as error:
            came[name] = type(error).__name__
    return came


def misbehave(how: str) -> None:
    """Do as a parser that a hostile file has got hold of: spin, sleep, eat (memory), fill (a disk), abort."""
    if how == "spin":
        while True:
            pass
    if how == "sleep":
        threading.Event().wait()
    if how == "eat":
        held = []
        while True:
            held.append(bytearray(16 << 20))
    if how == "fill":
        with open("filler", "wb") as file:
            while True:
                file.write(bytes(1 << 20))
    os.abort()


def _thread_runs() -> bool:
    ran: list[bool] = []
    thread = threading.Thread(target=lambda: ran.append(True))
    thread.start()
    thread.join()
    return bool(ran)
