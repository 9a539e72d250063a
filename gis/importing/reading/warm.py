"""The warm parent: has the parsers imported, and forks a child of itself for each file.

It is started with exec, so that nothing of the caller's threads, locks or connections is in it, holds one
socket to its caller, and ends when that closes. It has no threads that do anything, and no network
(`offline`).

The caller sends a job with the end of a socket; the answer on that socket says how the child ended.
When the caller closes its end, the child is killed.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import socket
import struct
import sys
import time
from dataclasses import dataclass

__all__ = ["ALLOWED_DRIVERS", "main"]

ALLOWED_DRIVERS = frozenset({"ESRI Shapefile", "GPKG", "FlatGeobuf", "OpenFileGDB", "DXF"})
_IMPORTS = (
    "csv",
    "defusedxml.ElementTree",
    "encodings.cp437",
    "encodings.gb18030",
    "encodings.utf_16_le",
    "numpy",
    "openpyxl",
    "orjson",
    "pyarrow.compute",
    "pyarrow.ipc",
    "pyarrow.parquet",
    "pyogrio.raw",
    "pyproj",
    "shapely",
    "sqlite3",
    "zipfile",
)
GRACE_S = 0.5  # on top of the job's seconds, so that the processor limit speaks first


def _skip_other_drivers() -> None:
    """Start this program again with GDAL told to leave out every driver that is not on the list.

    GDAL reads the setting once, when it is loaded; which drivers it has can be asked only afterwards.
    """
    import pyogrio

    if "GDAL_SKIP" not in os.environ:
        others = sorted(set(pyogrio.list_drivers()) - ALLOWED_DRIVERS)
        os.environ["GDAL_SKIP"] = ",".join([*others, "VRT"])
        os.execv(sys.executable, [sys.executable, "-P", "-m", "gis.importing.reading.warm", *sys.argv[1:]])
    left = set(pyogrio.list_drivers()) - ALLOWED_DRIVERS
    if left:
        raise RuntimeError(f"GDAL keeps the drivers {sorted(left)}")


def _warm_up() -> None:
    """Import what any file may need, and let it load its tables."""
    from importlib import import_module

    for name in _IMPORTS:
        import_module(name)
    from gis.importing.issues import issue_words
    from gis.importing.reading import child, formats

    issue_words()
    for module in sorted(set(formats.FORMATS.values())):
        try:
            import_module(f"gis.importing.reading.formats.{module}")
        except ModuleNotFoundError:  # comes with a later change
            continue
    child.parse  # noqa: B018


@dataclass
class _Running:
    child: int
    caller: socket.socket
    deadline: float
    scratch: str
    late: bool = False


class _Server:
    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.running: dict[int, _Running] = {}
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ)
        self.woken, waker = socket.socketpair()
        self.woken.setblocking(False)
        waker.setblocking(False)
        self.waker = waker
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(self.woken, selectors.EVENT_READ)

    def serve(self) -> None:
        while True:
            for key, _ in self.selector.select(self._patience()):
                if key.fileobj is self.control:
                    if not self._take():
                        return
                elif key.fileobj is self.woken:
                    self.woken.recv(4096)
                else:
                    self._kill(key.data)  # the caller gave up
                    self.selector.unregister(key.fileobj)
            self._reap()
            for running in self.running.values():
                if time.monotonic() > running.deadline and not running.late:
                    running.late = True
                    self._kill(running.child)

    def _patience(self) -> float | None:
        waits = [r.deadline - time.monotonic() for r in self.running.values() if not r.late]
        return max(0.0, min(waits)) if waits else None

    def _take(self) -> bool:
        """Start a child for the next job; False when the caller is gone."""
        start, fds, _, _ = socket.recv_fds(self.control, 4, 1)
        if len(start) < 4 or not fds:
            return False
        caller = socket.socket(fileno=fds[0])
        text = _receive(self.control, struct.unpack("!I", start)[0])
        if text is None:
            return False
        from gis.importing.reading.child import Job

        job = Job.from_json(text)
        child = os.fork()
        if child == 0:
            self._be_child(job, caller)
        self.running[child] = _Running(
            child, caller, time.monotonic() + job.limits.seconds + GRACE_S, job.scratch
        )
        self.selector.register(caller, selectors.EVENT_READ, child)
        return True

    def _be_child(self, job: object, caller: socket.socket) -> None:
        status = 1
        try:
            from gis.importing.reading import child

            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            for held in (
                self.control,
                caller,
                self.woken,
                self.waker,
                *(r.caller for r in self.running.values()),
            ):
                held.close()
            self.selector.close()
            assert isinstance(job, child.Job)
            status = child.run(job)
        finally:
            os._exit(status)

    def _kill(self, child: int) -> None:
        for kill in (os.killpg, os.kill):
            try:
                kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _reap(self) -> None:
        while self.running:
            try:
                child, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if child == 0:
                return
            running = self.running.pop(child)
            answer = struct.pack("!iBI", os.waitstatus_to_exitcode(status), running.late, usage.ru_maxrss)
            try:
                self.selector.unregister(running.caller)
                running.caller.sendall(answer)
            except (KeyError, OSError):
                shutil.rmtree(running.scratch, ignore_errors=True)  # the caller has gone and cannot tidy up
            running.caller.close()

    def close(self) -> None:
        """Kill what still runs and tidy up behind a caller that has died."""
        for running in self.running.values():
            self._kill(running.child)
            os.waitpid(running.child, 0)
            shutil.rmtree(running.scratch, ignore_errors=True)


def _receive(sock: socket.socket, length: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < length:
        block = sock.recv(length - len(parts))
        if not block:
            return None
        parts += block
    return bytes(parts)


def main() -> None:
    """Serve the caller at the other end of the socket whose number is the first argument.

    The second is "left" when the network has been left.
    """
    _skip_other_drivers()
    control = socket.socket(fileno=int(sys.argv[1]))
    _warm_up()
    control.sendall(b"N" if sys.argv[2] == "left" else b"n")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to handle
    server = _Server(control)
    try:
        server.serve()
    finally:
        server.close()


if __name__ == "__main__":
    main()
