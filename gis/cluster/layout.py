"""Where do data, log and socket lie inside a home?

HOME/lock            held by whoever starts or stops the server
HOME/in-use          held, shared, by every process that uses the server
HOME/server/         belongs to the server's account, closed to others
    data/            the data folder of PostgreSQL
    making-*/        a data folder in the making; renamed to data/ when it is whole
    run/             the socket (elsewhere when the path would be too long, see ``Layout.socket``)
    server.log       the server's log; server.log.1 is the one before
    local.conf       optional: an operator's own server settings, which win
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from gis.cluster.account import Account
from gis.errors import ClusterError

__all__ = ["Layout", "require_private"]

# A socket's path ends at 107 bytes on Linux and 103 on macOS; 14 of them are "/.s.PGSQL.5432".
_LONGEST_FOLDER = 103 - 14
# libpq splits a host at commas and PostgreSQL its list of folders at commas and spaces.
_PLAIN = re.compile(r"[A-Za-z0-9_./+-]+")


@dataclass(frozen=True)
class Layout:
    """The paths of one home, which is absolute and free of symbolic links."""

    home: Path

    @property
    def server(self) -> Path:
        """The folder that belongs to the server's account."""
        return self.home / "server"

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder; exists only when it is whole."""
        return self.server / "data"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.server / "server.log"

    @property
    def lock(self) -> Path:
        """Locked by one starter or stopper at a time."""
        return self.home / "lock"

    @property
    def socket(self) -> Path:
        """The folder of the socket: inside the home, or a short one under /tmp when that is too long.

        It depends on the home alone, not on the environment, so that a shell, a service and a scheduled
        job with the same home meet at the same socket.
        """
        inside = self.server / "run"
        if len(os.fsencode(inside)) <= _LONGEST_FOLDER and _PLAIN.fullmatch(str(inside)):
            return inside
        return Path("/tmp") / f"onemap-{hashlib.sha256(os.fsencode(self.home)).hexdigest()[:20]}"

    @property
    def in_use(self) -> Path:
        """Locked, shared, by each process that uses the server."""
        return self.home / "in-use"

    @property
    def local_settings(self) -> Path:
        """An operator's own server settings."""
        return self.server / "local.conf"

    def data_major(self) -> int | None:
        """The PostgreSQL version that made the data; None when there are none."""
        try:
            return int((self.data / "PG_VERSION").read_text())
        except FileNotFoundError:
            return None


def require_private(folder: Path, account: Account) -> None:
    """Make ``folder`` if it is not there; return when it is ``account``'s own and closed to all others.

    Raises
    ------
    ClusterError
        When somebody else put something in its place (/tmp is open to all).
    """
    if not os.path.lexists(folder):
        account.make_folder(folder)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
        raise ClusterError(
            f"{folder} should be a folder of the user {account.name!r} alone, and is not.",
            f"{folder} 应为仅属用户“{account.name}”的目录，但实际不是。",
            remedy_en=f"Remove {folder}, or set ONEMAP_HOME to a shorter path.",
            remedy_zh=f"请删除 {folder}，或把 ONEMAP_HOME 设为更短的路径。",
        )
