"""Does the server of this data folder live?

PostgreSQL leaves ``postmaster.pid`` behind when it is killed, and takes any living process of the same
account with that number for a server. After a reboot, and in containers always, such numbers come again.
So the number is believed only when the process is a PostgreSQL server of this very folder.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["Postmaster", "clear_stale", "find_postmaster"]


@dataclass(frozen=True)
class Postmaster:
    """A living server process."""

    pid: int
    started_at: datetime | None
    socket: Path | None


def find_postmaster(data: Path) -> Postmaster | None:
    """The living server of the folder ``data``, or None; a left-over pid file counts as none."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    if not _serves(_command_line(pid), data):
        return None
    # Lines 3 and 5 of the file: start time (Unix seconds) and folder of the socket; written a little later.
    started_at = datetime.fromtimestamp(int(lines[2]), UTC) if len(lines) > 2 else None
    socket = Path(lines[4]) if len(lines) > 4 and lines[4] else None
    return Postmaster(pid, started_at, socket)


def _serves(command: list[str], data: Path) -> bool:
    if not command or Path(command[0]).name not in ("postgres", "postmaster"):
        return False
    if "-D" not in command[:-1]:
        return True
    folder = Path(command[command.index("-D") + 1])
    # A relative folder cannot be judged from here; then rather leave the server alone.
    return not folder.is_absolute() or folder.resolve() == data.resolve()


def _command_line(pid: int) -> list[str]:
    entry = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        try:
            return [os.fsdecode(word) for word in entry.read_bytes().split(b"\0") if word]
        except OSError:
            return []
    answer = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True)
    return answer.stdout.split()


def clear_stale(data: Path, socket: Path) -> None:
    """Remove the lock files of a server that is no more.

    PostgreSQL removes them itself only when no process has their number. Another program may have it by now,
    or the killed server itself, where nobody collects dead processes (the first process of a container).
    Should a server be on its way up all the same, its files name a PostgreSQL process and stay. A process of
    the old server that lives on is still found by PostgreSQL, through the shared memory it holds.
    """
    for lock_file in (data / "postmaster.pid", *socket.glob(".s.PGSQL.*.lock")):
        try:
            pid = int(lock_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            continue
        if not _serves(_command_line(pid), data):
            lock_file.unlink(missing_ok=True)
