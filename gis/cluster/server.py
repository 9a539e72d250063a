"""Cluster: start, stop and describe the private server of one home."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL

from gis.cluster import locks, tuning
from gis.cluster.account import Account, require_reachable, server_account
from gis.cluster.binaries import Binaries, find_binaries, install_remedy
from gis.cluster.layout import Layout, require_private
from gis.cluster.making import DATABASE, make_data, make_database
from gis.cluster.postmaster import clear_stale, find_postmaster
from gis.errors import ClusterError

__all__ = ["Cluster", "Status"]

_LOCK_WAIT_S = 120.0
_START_WAIT_S = 300.0  # replaying the log of a killed server may take minutes on a slow disk
_REFUSAL_WAIT_S = 5.0
_LOG_BYTES = 10_000_000
# What a server says while it is on its way up or down.
_PASSING = ("starting up", "recovery", "shutting down", "not yet accepting")
# What it says while a process of its killed forerunner has not noticed yet; that takes moments.
_STILL_LEAVING = ("pre-existing shared memory block", "lock file")
_LEAVING_WAIT_S = 30.0
# pg_ctl hands its paths to a shell, between double quotes.
_UNSAFE = re.compile(r"[\"$`\\\x00-\x1f]")


@dataclass(frozen=True)
class Status:
    """What a home's server is doing.

    All from ``pid`` on is None when it does not run. ``version`` is such as "15.18"; ``connections`` counts
    the clients of all databases without this call's own.
    """

    running: bool
    data: Path
    url: str
    pid: int | None = None
    version: str | None = None
    started_at: datetime | None = None
    connections: int | None = None
    size_bytes: int | None = None


class Cluster:
    """The private PostgreSQL server with PostGIS of one home folder.

    The server stays up when the process that started it ends, until ``stop``; a second process with the
    same home uses the running one.

    Parameters
    ----------
    home : Path
        Made when it is not there.
    durable : bool
        False gives up crash safety for speed; for tests only.
    memory_mb : int, optional
        Memory the server's settings are made for, MiB; the machine's by default.

    Attributes
    ----------
    started : bool
        Whether ``ensure_running`` of this object started the server, rather than found it running.
    """

    def __init__(self, home: Path, *, durable: bool = True, memory_mb: int | None = None) -> None:
        self.layout = Layout(home.expanduser().resolve())
        self._durable = durable
        self._memory_mb = memory_mb
        self.started = False

    def url(self, database: str = DATABASE) -> str:
        """The SQLAlchemy URL of ``database`` on this server, whether it runs or not."""
        # The port is named because libpq would else take it from the caller's PGPORT.
        where = {"host": str(self.layout.socket), "port": "5432"}
        url = URL.create("postgresql+psycopg", tuning.SUPERUSER, database=database, query=where)
        return url.render_as_string(hide_password=False)

    def ensure_running(self) -> str:
        """Start the server unless it runs, and return the URL of the database ``onemap`` with PostGIS.

        Waits for another process that is starting it. Recovers from a killed server, a killed starter
        and whatever they left behind.

        Raises
        ------
        ClusterError
            When PostGIS is not installed, the home cannot be used, or the server does not start.
        """
        _require_unix()
        _make_home(self.layout.home)
        with locks.exclusive(self.layout.lock, _LOCK_WAIT_S) as lock:
            account = server_account(self.layout.home, self.layout.server)
            if not self._is_ready():
                self._start(account, lock)
                self.started = True
            self._make_database()
            locks.take_use(self.layout.in_use)
        return self.url()

    def stop(self) -> bool:
        """Stop the server, ending its connections; False when it did not run."""
        if not self.layout.server.is_dir():
            return False
        with locks.exclusive(self.layout.lock, _LOCK_WAIT_S):
            return self._stop()

    def stop_if_unused(self) -> bool:
        """Stop the server unless another process uses it or a client is connected; True when stopped.

        Ends this process's own use; its engines are to be disposed before.
        """
        if not self.layout.server.is_dir():
            return False
        with locks.exclusive(self.layout.lock, _LOCK_WAIT_S):
            locks.release_use(self.layout.in_use)
            idle = locks.is_unused(self.layout.in_use) and not self.status().connections
            return idle and self._stop()

    @contextmanager
    def while_needed(self) -> Iterator[str]:
        """Have the server run for the length of a ``with`` block; yields the URL of ``ensure_running``.

        At the end the server stops if this block started it and nobody else uses it, so that trying onemap
        out leaves nothing behind in the machine's memory. Engines are to be disposed inside the block.
        """
        url = self.ensure_running()
        try:
            yield url
        finally:
            if self.started:
                self.stop_if_unused()

    def status(self) -> Status:
        """What the server is doing; starts nothing.

        Raises
        ------
        ClusterError
            When it belongs to another user, or runs and does not answer.
        """
        server_account(self.layout.home, self.layout.server)
        running = find_postmaster(self.layout.data)
        if running is None or not self._is_ready():
            return Status(False, self.layout.data, self.url())
        with self._connect("postgres") as connection:
            row = connection.execute(
                "SELECT split_part(current_setting('server_version'), ' ', 1),"
                " (SELECT count(*) FROM pg_stat_activity"
                "   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()),"
                " (SELECT sum(pg_database_size(oid))::bigint FROM pg_database)"
            ).fetchone()
        version, connections, size = row or (None, None, None)
        started = running.started_at
        return Status(True, self.layout.data, self.url(), running.pid, version, started, connections, size)

    def _connect(self, database: str) -> psycopg.Connection[Any]:
        host = str(self.layout.socket)
        return psycopg.connect(
            host=host, port=5432, user=tuning.SUPERUSER, dbname=database, connect_timeout=10, autocommit=True
        )

    def _is_ready(self) -> bool:
        """Whether the server takes connections; waits for one on its way up; False when none lives."""
        begin = time.monotonic()
        while find_postmaster(self.layout.data) is not None:
            try:
                self._connect("postgres").close()
                return True
            except psycopg.OperationalError as error:
                passing = any(word in str(error) for word in _PASSING)
                if time.monotonic() - begin > (_START_WAIT_S if passing else _REFUSAL_WAIT_S):
                    raise self._unanswered(error) from None
            time.sleep(0.05)
        return False

    def _unanswered(self, error: psycopg.Error) -> ClusterError:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        return ClusterError(
            f"The database server of {self.layout.home} runs but does not answer: {reason}",
            f"{self.layout.home} 的数据库服务在运行，但没有应答：{reason}",
            remedy_en=f"See {self.layout.log}; 'onemap db stop' ends it.",
            remedy_zh=f"请查看 {self.layout.log}；可用 onemap db stop 将其停止。",
        )

    def _start(self, account: Account, lock: int) -> None:
        try:
            self.layout.server.mkdir(mode=0o700, exist_ok=True)
            account.adopt(self.layout.server)
        except OSError as error:
            raise _unusable(self.layout.home, error) from None
        require_reachable(account, self.layout.server)
        require_private(self.layout.server, account)
        binaries = find_binaries(major=self.layout.data_major())
        if not self.layout.data.exists():
            make_data(self.layout, account, binaries, lock, durable=self._durable)
        require_private(self.layout.socket, account)
        clear_stale(self.layout.data, self.layout.socket)
        self._write_settings(account, binaries)
        self._launch(account, binaries)

    def _make_database(self) -> None:
        try:
            make_database(self._connect)
        except psycopg.Error as error:
            raise self._unanswered(error) from None

    def _write_settings(self, account: Account, binaries: Binaries) -> None:
        """Made anew at every start: memory and accounts may have changed since the last one."""
        memory_mb = self._memory_mb or tuning.machine_memory_mb()
        settings = tuning.server_settings(
            memory_mb, os.cpu_count() or 1, self.layout.socket, durable=self._durable,
            lz4=self._knows_lz4(account, binaries),
        )  # fmt: skip
        data = self.layout.data
        account.write(data / "postgresql.conf", tuning.render(settings, self.layout.local_settings))
        account.write(data / "pg_hba.conf", tuning.access_rules())
        account.write(data / "pg_ident.conf", tuning.account_map({"root", account.name}))
        if self.layout.log.exists() and self.layout.log.stat().st_size > _LOG_BYTES:
            self.layout.log.replace(self.layout.log.with_suffix(".log.1"))

    def _knows_lz4(self, account: Account, binaries: Binaries) -> bool:
        """Whether the server was built with LZ4: one that was not would not start with it."""
        asked = ["-C", "wal_compression", "-c", "wal_compression=lz4"]
        done = account.run(
            [binaries.path("postgres"), "-D", str(self.layout.data), *asked], folder=self.layout.server
        )
        return done.returncode == 0

    def _launch(self, account: Account, binaries: Binaries) -> None:
        command = [binaries.path("pg_ctl"), "start", "-D", str(self.layout.data), "-l", str(self.layout.log)]
        begin = time.monotonic()
        while True:
            seen = self.layout.log.stat().st_size if self.layout.log.exists() else 0
            done = account.run(
                [*command, "-w", "-s", "-t", f"{_START_WAIT_S:.0f}"], folder=self.layout.server
            )
            # A starter that was killed may have left a pg_ctl that was quicker than this one.
            if done.returncode == 0 or self._is_ready():
                return
            said = self._log_since(seen)
            leaving = any(word in said for word in _STILL_LEAVING)
            if not leaving or time.monotonic() - begin > _LEAVING_WAIT_S:
                raise self._not_started(said or done.stderr)
            time.sleep(0.2)

    def _log_since(self, position: int) -> str:
        with self.layout.log.open(errors="replace") as log:
            log.seek(position)
            return log.read()

    def _not_started(self, said: str) -> ClusterError:
        fatal = [line for line in said.splitlines() if "FATAL" in line or "PANIC" in line]
        reason = (fatal or said.strip().splitlines() or ["no reason given"])[-1]
        return ClusterError(
            f"The database server of {self.layout.home} does not start: {reason}",
            f"{self.layout.home} 的数据库服务无法启动：{reason}",
            remedy_en=f"See {self.layout.log}.",
            remedy_zh=f"请查看 {self.layout.log}。",
        )

    def _stop(self) -> bool:
        account = server_account(self.layout.home, self.layout.server)
        locks.release_use(self.layout.in_use)
        # pg_ctl signals whatever process has the number in the pid file; so look first whose it is.
        if find_postmaster(self.layout.data) is None:
            return False
        pg_ctl = find_binaries(major=self.layout.data_major()).path("pg_ctl")
        command = [pg_ctl, "stop", "-D", str(self.layout.data), "-m", "fast", "-w", "-s", "-t", "120"]
        done = account.run(command, folder=self.layout.server)
        if done.returncode != 0 and find_postmaster(self.layout.data) is not None:
            raise ClusterError(
                f"The database server of {self.layout.home} does not stop: {done.stderr.strip()}",
                f"{self.layout.home} 的数据库服务无法停止：{done.stderr.strip()}",
                remedy_en=f"See {self.layout.log}.",
                remedy_zh=f"请查看 {self.layout.log}。",
            )
        return True


def _require_unix() -> None:
    if sys.platform == "win32":
        en, zh = install_remedy()
        raise ClusterError(
            "The private database does not run on Windows.",
            "内置数据库不能在 Windows 上运行。",
            remedy_en=en,
            remedy_zh=zh,
        )


def _make_home(home: Path) -> None:
    """Make ``home``; root's must be open for the server's account to pass, whatever root's umask says."""
    if _UNSAFE.search(str(home)):
        raise ClusterError(
            f"The folder {str(home)!r} cannot be used for the database: its name has a quote, $ or the like.",
            f"目录 {str(home)!r} 不能用于存放数据库：名称中含有引号、$ 等符号。",
            remedy_en="Set ONEMAP_HOME to a folder without them.",
            remedy_zh="请把 ONEMAP_HOME 设为不含这些符号的目录。",
        )
    missing = [folder for folder in (home, *home.parents) if not folder.exists()]
    try:
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
            if os.geteuid() == 0:
                folder.chmod(0o755)
        if not os.access(home, os.W_OK | os.X_OK):
            raise PermissionError
    except OSError as error:
        raise _unusable(home, error) from None


def _unusable(home: Path, error: OSError) -> ClusterError:
    return ClusterError(
        f"The folder {home} cannot be used for the database ({error.strerror or 'no right to write'}).",
        f"目录 {home} 不能用于存放数据库（{error.strerror or '没有写权限'}）。",
        remedy_en="Set ONEMAP_HOME to a folder you may write to.",
        remedy_zh="请把 ONEMAP_HOME 设为可写的目录。",
    )
