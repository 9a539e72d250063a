"""How a data folder and the database in it come to be: whole, or not at all.

Both are made under another name and renamed at the end, so a starter that is killed half-way leaves
nothing that could be taken for the real one.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql

from gis.cluster.account import Account
from gis.cluster.binaries import Binaries
from gis.cluster.layout import Layout
from gis.cluster.tuning import SUPERUSER
from gis.errors import ClusterError

__all__ = ["DATABASE", "make_data", "make_database"]

DATABASE = "onemap"

Connect = Callable[[str], AbstractContextManager[psycopg.Connection[Any]]]


def make_data(layout: Layout, account: Account, binaries: Binaries, lock: int, *, durable: bool) -> None:
    """Make the data folder of ``layout``.

    ``lock`` is the starter's lock: ``initdb`` inherits it, so if this process is killed, the next
    starter waits until the orphaned ``initdb`` has ended, and then clears what it left.

    Raises
    ------
    ClusterError
        With the last words of ``initdb``.
    """
    for half_made in layout.server.glob("making-*"):
        shutil.rmtree(half_made)
    making = layout.server / f"making-{uuid4().hex[:8]}"
    command = [binaries.path("initdb"), "-D", str(making), "-U", SUPERUSER, "--encoding=UTF8"]
    # Only Linux is sure to have C.UTF-8, where letters beyond ASCII are known as letters. Both go by bytes,
    # but with C the server does so by itself; else it asks the system's library about each two names.
    command += ["--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C", "--lc-collate=C"]
    command += ["--auth=peer", "--data-checksums", "--no-instructions"]
    done = account.run(
        command if durable else [*command, "--no-sync"], folder=layout.server, keep_open=(lock,)
    )
    if done.returncode != 0:
        shutil.rmtree(making, ignore_errors=True)
        reason = (done.stderr.strip().splitlines() or ["initdb gave no reason"])[-1]
        raise ClusterError(
            f"No database could be made in {layout.home}: {reason}",
            f"无法在 {layout.home} 创建数据库：{reason}",
            remedy_en="Check the free space and the folder's rights, or set ONEMAP_HOME.",
            remedy_zh="请检查磁盘空间和目录权限，或设置 ONEMAP_HOME。",
        )
    making.rename(layout.data)
    _sync_folder(layout.server)


def _sync_folder(folder: Path) -> None:
    """Make the new names in ``folder`` survive a power cut, before rows are stored under them."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_database(connect: Connect) -> None:
    """Make the database ``onemap`` with PostGIS unless it is there; ``connect`` opens one by name."""
    making = f"{DATABASE}_making"
    exists = sql.SQL("SELECT 1 FROM pg_database WHERE datname = {}").format(DATABASE)
    with connect("postgres") as server:
        if server.execute(exists).fetchone():
            return
        # The session of a killed starter ends its statement before it notices; until then it has this lock.
        server.execute("SELECT pg_advisory_lock(hashtext(%s))", [making])
        names = {"making": sql.Identifier(making), "made": sql.Identifier(DATABASE)}
        # By force: another session of a killed starter may still be at work in it.
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {making} WITH (FORCE)").format(**names))
        server.execute(sql.SQL("CREATE DATABASE {making} TEMPLATE template0").format(**names))
        with connect(making) as fresh:
            fresh.execute("CREATE EXTENSION postgis")
        server.execute(sql.SQL("ALTER DATABASE {making} RENAME TO {made}").format(**names))
