"""How a data folder and the database in it come to be: whole, or not at all.

Both are made under another name and renamed at the end, so a starter that is killed half-way leaves
nothing that could be taken for the real one.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
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

type_connect = Callable[[str], AbstractContextManager[psycopg.Connection[Any]]]


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
    # Only Linux is sure to have C.UTF-8: bytewise order, but letters beyond ASCII known as letters.
    command += ["--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C"]
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


def make_database(connect: type_connect) -> None:
    """Make the database ``onemap`` with PostGIS unless it is there; ``connect`` opens one by name."""
    making = f"{DATABASE}_making"
    with connect("postgres") as server:
        if server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            return
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(making)))
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(making)))
        with connect(making) as fresh:
            fresh.execute("CREATE EXTENSION postgis")
        server.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(making), sql.Identifier(DATABASE))
        )
