"""Processes on one socket share its connections evenly, and one that dies leaves nobody waiting."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pytest

from api.loops import SHARES, Shares, make_shares

SERVER = """
import os, socket, sys, uvicorn
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
        await send({"type": "http.response.body", "body": b"%8d" % os.getpid()})
class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print("serving", flush=True)
config = uvicorn.Config(
    app, loop="api.loops:SharingLoop", http="api.loops:SharedProtocol", lifespan="off", access_log=False
)
Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""
CLIENTS = 16
ROUNDS = 20


class Service:
    """Processes that serve one socket, and connections to it that are kept open."""

    def __init__(self, folder: Path) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.shares = folder / "shares"
        make_shares(self.shares, 2)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.held = ExitStack()

    def start(self) -> int:
        number = os.dup(self.listening.fileno())
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(number)],
            env=os.environ | {SHARES: str(self.shares)}, pass_fds=[number], stdout=subprocess.PIPE,
        )  # fmt: skip
        os.close(number)
        assert process.stdout is not None
        assert process.stdout.readline() == b"serving\n"
        self.processes.append(process)
        return process.pid

    def connect(self) -> int:
        """One connection more; which process has it."""
        return self.asked(self.opened())

    def opened(self) -> socket.socket:
        """One connection more, which a process will take."""
        return self.held.enter_context(socket.create_connection(self.listening.getsockname()))

    def counts(self) -> tuple[int, ...]:
        """How many connections each process says it has."""
        return struct.unpack("=iii", self.shares.read_bytes())[1:]

    def asked(self, sock: socket.socket) -> int:
        """Which process has a connection."""
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.partition(b"\r\n\r\n")[2]:
            came = sock.recv(1000)
            assert came
            answer += came
        return int(answer[-8:])

    def end(self) -> None:
        self.held.close()
        for process in self.processes:
            process.kill()
            process.communicate()
        self.listening.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    try:
        yield made
    finally:
        made.end()


def test_connections_are_shared_and_nobody_waits_for_the_dead(service: Service) -> None:
    one, two = service.start(), service.start()
    found = Counter(service.connect() for _ in range(CLIENTS))
    # Evenly; a process that the machine left waiting may have missed some.
    assert set(found) == {one, two} and min(found.values()) >= CLIENTS // 4
    os.kill(two, signal.SIGKILL)
    service.processes[1].wait()
    assert {service.connect() for _ in range(CLIENTS // 4)} == {one}
    three = service.start()  # it takes the place of the dead one, and what the other is ahead
    assert Counter(service.connect() for _ in range(CLIENTS))[three] >= CLIENTS // 4


def test_connections_that_replace_others_at_once_are_shared_too(service: Service) -> None:
    one, two = service.start(), service.start()
    even = 0
    for _ in range(ROUNDS):
        held = [service.opened() for _ in range(4)]
        even += Counter(map(service.asked, held)) == {one: 2, two: 2}
        # The second process learns of the end of its connections only when the first has taken a new one.
        os.kill(two, signal.SIGSTOP)
        os.kill(one, signal.SIGSTOP)
        for sock in held:
            sock.close()
        held = [service.opened() for _ in range(4)]
        before = service.counts()[0]
        os.kill(one, signal.SIGCONT)
        _until(lambda before=before: service.counts()[0] != before)
        os.kill(two, signal.SIGCONT)
        even += Counter(map(service.asked, held)) == {one: 2, two: 2}
        for sock in held:
            sock.close()
    # A process that the machine left waiting may miss some.
    assert even > 2 * ROUNDS * 3 // 4


def _until(true: Callable[[], bool]) -> None:
    ends = monotonic() + 10
    while not true():
        assert monotonic() < ends


def test_who_has_more_than_another_is_ahead(tmp_path: Path) -> None:
    path = tmp_path / "shares"
    make_shares(path, 3)
    shares = Shares(path)
    try:
        for own, others, ahead in (
            (0, (0, 0), False),
            (1, (0, 9), True),
            (2, (2, 3), False),
            (2, (2, 1), True),
        ):
            shares.hold(own)
            with path.open("r+b") as file:
                file.seek(8)
                file.write(struct.pack("=ii", *others))
            assert shares.is_ahead() is ahead, (own, others)
        assert not shares.took_last()
        shares.take()
        assert shares.took_last()
        with path.open("r+b") as file:
            file.write(struct.pack("=i", 8))  # the place of the second
        assert not shares.took_last()
    finally:
        shares.close()
