"""A receiver of webhooks: a real HTTP server on a loopback port that fails as receivers do."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """``answers`` are taken one by one: a status, with headers, or a word for a fault; 204 when used up."""

    answers: list[Any] = field(default_factory=list)
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.came]

    @property
    def told(self) -> list[tuple[int, str]]:
        """Revision and layer of each event that came."""
        return [(event["data"]["revision"], event["data"]["layer"]) for event in self.events]

    def wait(self, until: Callable[[], bool], seconds: float = 15.0) -> None:
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, self.told
            time.sleep(0.02)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver at ``url``."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.came.append(({k.lower(): v for k, v in self.headers.items()}, body))
            answer = receiver.answers.pop(0) if receiver.answers else 204
            if answer == "hangs":
                receiver.over.wait(30)
            elif answer == "drips":
                self._drip()
            elif answer == "dies":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
            elif answer == "floods":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"x" * 10_000_000)
            else:
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def _drip(self) -> None:
            while not receiver.over.wait(0.05):
                self.wfile.write(b"H")
                self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a sender that gives up is part of the play

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        try:
            yield receiver
        finally:
            receiver.over.set()
            server.shutdown()
            thread.join()
