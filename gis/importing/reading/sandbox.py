"""A killable child reads the file: this side hands it over, waits, and takes back only what holds.

The child is forked from a warm parent (`warm`), which each process of ours starts once, when it first reads
a file, and again if it dies. Whatever the child does, the caller gets a `Reading` or an ImportRefused.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gis.errors import ImportRefused, OneMapError
from gis.importing.issues import refused
from gis.importing.reading.child import CRASHED, FULL, MEMORY, REFUSED, Job
from gis.importing.reading.fence import NOBODY, Fences, may_search, open_to_others
from gis.importing.reading.limits import Limits
from gis.importing.reading.spool import ReadOptions

__all__ = ["fences", "probe", "read_in_child", "scratch_folder", "warm_parent"]

_LOG = logging.getLogger(__name__)
_PREFIX = "onemap-read-"
_KEPT = ("reading.json", "rows.arrow")
_ANSWER = struct.Struct("!iBI")
_START_S = 60.0
_PROBED = Limits(seconds=20)


@dataclass(frozen=True)
class _End:
    """How a child ended: its exit code (negative: the signal), killed for being late, most memory in kB."""

    code: int
    late: bool
    memory_kb: int


class _Warm:
    """The warm parent of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._owner = 0
        self.network = False

    def send(self, job: Job) -> socket.socket:
        """Have ``job`` started; the socket on which the end is told."""
        ours, theirs = socket.socketpair()
        with theirs:
            text = job.as_json()
            with self._lock:
                for last in (False, True):
                    control = self._running()
                    try:
                        socket.send_fds(control, [struct.pack("!I", len(text))], [theirs.fileno()])
                        control.sendall(text)
                        return ours
                    except OSError:
                        self._stop()
                        if last:
                            ours.close()
                            raise
        raise AssertionError("unreachable")

    def ensure(self) -> int:
        """Start it if it does not run; its process number."""
        with self._lock:
            self._running()
            assert self._process is not None
            return self._process.pid

    def stop(self) -> None:
        """End it; the next file starts it again."""
        with self._lock:
            self._stop()

    def _running(self) -> socket.socket:
        if self._owner != os.getpid():  # a fork of the process that started it: theirs, not ours
            if self._control is not None:
                self._control.close()
            self._control, self._process = None, None
        if self._process is not None and self._process.poll() is not None:
            self._stop()
        if self._control is None:
            self._start()
        assert self._control is not None
        return self._control

    def _start(self) -> None:
        _sweep()
        ours, theirs = socket.socketpair()
        ours.settimeout(_START_S)
        with theirs, tempfile.TemporaryFile() as said:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("offline.py")), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )
            theirs.close()
            try:
                ready = ours.recv(1)
            except TimeoutError:
                ready = b""
            if not ready:
                self._process.kill()
                self._process.wait()
                ours.close()
                said.seek(0)
                words = said.read().decode(errors="replace")[-2000:]
                raise OneMapError(
                    f"The reader of files does not start: {words}", f"文件读取进程无法启动：{words}"
                )
        ours.settimeout(None)
        self.network = ready == b"N"
        self._control, self._owner = ours, os.getpid()

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None and self._owner == os.getpid():
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._control, self._process = None, None


warm_parent = _Warm()
atexit.register(warm_parent.stop)


def _environment() -> dict[str, str]:
    """No settings and no credentials; what keeps libraries quiet, single-threaded and offline."""
    held = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "HOME": "/nonexistent",
        "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PROJ_NETWORK": "OFF",
        "CPL_DEBUG": "OFF",
        "GDAL_HTTP_MAX_RETRY": "0",
        "GDAL_HTTP_PROXY": "127.0.0.1:1",
        "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}",
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_PAM_ENABLED": "NO",
        "OGR_SQLITE_LOAD_EXTENSIONS": "",
        "GDAL_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "MALLOC_ARENA_MAX": "2",
    }
    return held


# --- The scratch folder -----------------------------------------------------------------------------------


def _scratch_base() -> Path:
    """A temporary folder that an account which owns nothing can pass through."""
    for folder in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):
        if folder.is_dir() and os.access(folder, os.W_OK) and (os.geteuid() != 0 or _passable(folder)):
            return folder
    return Path(tempfile.gettempdir())


def _passable(folder: Path) -> bool:
    return all(p.stat().st_mode & stat.S_IXOTH for p in (folder.resolve(), *folder.resolve().parents))


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for one child, gone at the end whatever happened."""
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_scratch_base()))
    try:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    """Remove what processes that were killed have left: scratch folders and rows."""
    bases = {_scratch_base(), Path(tempfile.gettempdir())}
    for folder in (found for base in bases for found in base.glob("onemap-r*-*-*")):
        match = re.match(r"onemap-(?:read|rows)-(\d+)-", folder.name)
        if match is None or folder.is_symlink():
            continue
        try:
            os.kill(int(match[1]), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except PermissionError:
            continue


# --- Reading ----------------------------------------------------------------------------------------------


def read_in_child(path: Path, name: str, options: ReadOptions, limits: Limits, folder: Path) -> None:
    """Have ``path`` read; leave reading.json and rows.arrow in ``folder``, or raise.

    Raises
    ------
    ImportRefused
        What the format's reader says; reader_killed, reader_timeout or reader_memory when the child did not
        live to say anything; reader_failed for a file that broke its parser.
    """
    for last in (False, True):
        with scratch_folder() as scratch:
            job = Job(str(_input(path, scratch)), name, str(scratch), options, limits)
            end = _run(job)
            if end is None and not last:  # the warm parent was killed from outside; a new one may do better
                continue
            _judge(end, scratch, name, limits)
            for file in _KEPT:
                _take_back(scratch / file, folder / file)
            return


def _input(path: Path, scratch: Path) -> Path:
    """Where the child finds the file: itself, or a copy where the child's account may not read it."""
    path = path.resolve()
    if path.is_dir() or os.geteuid() != 0 or may_search() or open_to_others(path):
        return path
    copy = scratch / "input"
    shutil.copyfile(path, copy)
    os.chown(copy, NOBODY, NOBODY)
    return copy


def _run(job: Job) -> _End | None:
    """How the child ended; None when the warm parent is no longer there to tell."""
    with warm_parent.send(job) as told:
        told.settimeout(job.limits.seconds + 30)
        answer = b""
        try:
            while len(answer) < _ANSWER.size and (block := told.recv(_ANSWER.size - len(answer))):
                answer += block
        except (TimeoutError, ConnectionError):
            answer = b""
    if len(answer) < _ANSWER.size:
        return None
    code, late, memory_kb = _ANSWER.unpack(answer)
    return _End(code, bool(late), memory_kb)


def _judge(end: _End | None, scratch: Path, name: str, limits: Limits) -> None:
    """Raise what the end of the child means, unless it is well."""
    if end is None:
        raise refused("reader_killed", value=name)
    if end.code == 0:
        return
    if end.code == REFUSED:
        raise _refusal(scratch, name)
    if end.code == CRASHED:
        _LOG.warning("the reader of %s failed: %s", name, _text(scratch / "crashed.txt"))
        raise refused("reader_failed", value=name)
    if end.late or end.code == -signal.SIGXCPU:
        raise refused("reader_timeout", value=name, expected=f"{limits.seconds} s")
    # A library that cannot get memory ends the process its own way; its size tells.
    if end.code == MEMORY or end.memory_kb * 1024 > 0.7 * limits.memory_mb * 1_000_000:
        raise refused("reader_memory", value=name, expected=f"{limits.memory_mb} MB")
    if end.code == FULL:
        raise refused("disk_full")
    _LOG.warning("the reader of %s ended with %d", name, end.code)
    raise refused("reader_killed", value=name)


def _refusal(scratch: Path, name: str) -> ImportRefused:
    try:
        held = orjson.loads(_text(scratch / "refused.json"))
        words = {key: str(held[key]) for key in ("en", "zh", "remedy_en", "remedy_zh", "reason")}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return refused("reader_failed", value=name)
    return ImportRefused(words.pop("en"), words.pop("zh"), **words)


def _text(path: Path) -> str:
    """What the child wrote there; a link or anything that is no plain file is nothing."""
    try:
        with open(
            os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), encoding="utf-8", errors="replace"
        ) as f:
            return f.read(100_000) if stat.S_ISREG(os.fstat(f.fileno()).st_mode) else ""
    except OSError:
        return ""


def _take_back(made: Path, target: Path) -> None:
    found = made.lstat() if os.path.lexists(made) else None
    if found is None or not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise refused("reader_failed", value=made.name)
    shutil.move(made, target)
    if os.geteuid() == 0:
        os.chown(target, 0, 0)
    target.chmod(0o600)


# --- What holds -------------------------------------------------------------------------------------------


def probe(what: str = "127.0.0.1:1", limits: Limits = _PROBED) -> dict[str, Any]:
    """What a child can do that it should not: each attempt and what came of it ("done", or the error).

    ``what`` is HOST:PORT to be reached, or a way to go wrong as `probing.misbehave` lists them, which ends as
    a file does that makes its parser do so.

    Raises
    ------
    ImportRefused
        For a way to go wrong.
    """
    with scratch_folder() as scratch:
        job = Job(str(scratch), "probe", str(scratch), ReadOptions(), limits, probe=what)
        _judge(_run(job), scratch, "probe", limits)
        found: dict[str, Any] = orjson.loads(_text(scratch / "probe.json"))
        return found


def fences() -> Fences:
    """Which fences stand around a reading child on this machine, for `onemap doctor`."""
    found = probe()
    return Fences(
        network=warm_parent.network,
        calls=found["udp"] == "PermissionError",
        files=found["write_elsewhere"] == "PermissionError",
        account=found["uid"] != 0,
    )
