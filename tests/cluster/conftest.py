"""Homes of their own for the tests that stop and kill servers, and other users' processes."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gis.cluster import Cluster

_SCRIPT = """
import sys
from pathlib import Path
from gis.cluster import Cluster
home, after = Path(sys.argv[1]), sys.argv[2]
cluster = Cluster(home, durable=False, memory_mb=256)
cluster.ensure_running()
print(cluster.started, cluster.status().pid, flush=True)
if after == "stay":
    sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder that every account may enter."""
    path = Path(tempfile.mkdtemp(prefix="onemap-tests-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    for home in [lock.parent for lock in path.rglob("lock")]:
        Cluster(home).stop()
    shutil.rmtree(path)


@pytest.fixture
def home(folder: Path) -> Path:
    """A home that is not there yet."""
    return folder / "home"


@pytest.fixture(scope="session")
def made() -> Iterator[Path]:
    """A home whose server was made and stopped, to be copied."""
    with tempfile.TemporaryDirectory(prefix="onemap-tests-", dir="/tmp") as path:
        Path(path).chmod(0o755)
        cluster = small(Path(path) / "home")
        cluster.ensure_running()
        cluster.stop()
        yield cluster.layout.home


@pytest.fixture
def ready_home(made: Path, home: Path) -> Path:
    """A home of a server that is stopped; saves making one anew."""
    subprocess.run(["cp", "-Rp", str(made), str(home)], check=True)
    return home


def small(home: Path) -> Cluster:
    """A cluster with little memory that does not wait for the disk."""
    return Cluster(home, durable=False, memory_mb=256)


@pytest.fixture
def second_process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts another onemap process that brings the server up; it prints "started pid"."""
    started: list[subprocess.Popen[str]] = []

    def start(home: Path, after: str = "leave") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, str(home), after],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def normal_user() -> pwd.struct_passwd:
    """The account of a normal user: one's own, or for root one without rights."""
    return pwd.getpwuid(os.geteuid()) if os.geteuid() else pwd.getpwnam("nobody")


def call_as(user: pwd.struct_passwd, function: Callable[[], object]) -> str:
    """The text of what ``function`` returns or raises when a process of ``user`` calls it.

    A forked process, not a new interpreter: the user may not be able to read the one that runs the tests.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(user.pw_gid)
                os.setuid(user.pw_uid)
            answer = str(function())
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer
