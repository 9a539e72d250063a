"""The store into one file and back, by PostgreSQL's own programs.

A backup holds the schemas that onemap owns: core, layer, general and now. The same or a newer PostgreSQL
reads it. Who may see what is in it as policies; grants come back when the store is next synchronised.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from sqlalchemy import create_engine, make_url

from gis.cluster import find_binaries
from gis.errors import DatabaseError
from gis.rights import make_roles

__all__ = ["backup", "restore"]

_SCHEMAS = ("core", "layer", "general", "now")


def backup(url: str, path: Path) -> int:
    """Write the store at ``url`` to ``path``, replacing it; the size in bytes.

    Raises DatabaseError when pg_dump fails. The file appears whole or not at all.
    """
    scratch = path.with_name(f".{path.name}.part")
    schemas = [f"--schema={name}" for name in _SCHEMAS]
    try:
        _run(
            "pg_dump",
            url,
            # The owner's policy shows every row; without the option pg_dump refuses to trust it.
            [
                "--format=custom",
                "--no-owner",
                "--no-privileges",
                "--enable-row-security",
                *schemas,
                f"--file={scratch}",
            ],
        )
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
    return path.stat().st_size


def restore(url: str, path: Path) -> None:
    """Replace the store at ``url`` by what ``path`` holds, in one transaction.

    Raises DatabaseError when the file is missing or no backup, or pg_restore fails; nothing has changed then.
    """
    if not path.is_file():
        raise DatabaseError(f"There is no file {path}.", f"文件 {path} 不存在。")
    _prepare_roles(url)
    options = ["--single-transaction", "--clean", "--if-exists", "--no-owner", "--no-privileges"]
    _run("pg_restore", url, [*options, str(path)])


def _prepare_roles(url: str) -> None:
    """Make the roles that policies in a backup name: they belong to the server, which may be another one."""
    engine = create_engine(url)
    try:
        make_roles(engine)
    finally:
        engine.dispose()


def _run(program: str, url: str, options: list[str]) -> None:
    address = make_url(url).set(drivername="postgresql")
    # The password goes by the environment: arguments can be read by every user of the machine.
    environment = os.environ | ({"PGPASSWORD": str(address.password)} if address.password else {})
    plain = address.set(password=None).render_as_string(hide_password=False)
    command = [find_binaries().path(program), f"--dbname={plain}", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise DatabaseError(f"{program} failed: {reason}", f"{program} 失败：{reason}")
