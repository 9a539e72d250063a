"""Which PostgreSQL server with PostGIS is installed on this machine?"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gis.errors import ClusterError

__all__ = ["MINIMUM_MAJOR", "Binaries", "find_binaries", "install_remedy"]

MINIMUM_MAJOR = 15

_NEEDED = ("initdb", "pg_ctl", "postgres")
# Where packages put servers that are not on PATH: Debian and Ubuntu, the RPMs of the PostgreSQL group,
# Homebrew on both processor kinds, Postgres.app.
_PATTERNS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)


@dataclass(frozen=True)
class Binaries:
    """One installed PostgreSQL server that has PostGIS.

    Attributes
    ----------
    folder : Path
        Holds ``initdb``, ``pg_ctl`` and ``postgres``.
    major : int
        The major version, such as 15.
    """

    folder: Path
    major: int

    def path(self, name: str) -> str:
        """The full path of one program."""
        return str(self.folder / name)


def find_binaries(*, major: int | None = None, folders: Sequence[Path] | None = None) -> Binaries:
    """The newest PostgreSQL server with PostGIS, or the one of version ``major``.

    Parameters
    ----------
    major : int, optional
        Accept only this major version: a data folder belongs to the version that made it.
    folders : sequence of Path, optional
        Look here only, instead of at pg_config, PATH and the places packages use.

    Raises
    ------
    ClusterError
        When none is there; the remedy says in one line what to install.
    """
    found = _servers(_known_folders() if folders is None else folders)
    fitting = [b for b in found if (b.major == major if major else b.major >= MINIMUM_MAJOR)]
    complete = [b for b in fitting if _has_postgis(b)]
    if complete:
        return max(complete, key=lambda b: b.major)
    raise _missing(major, fitting, found)


def _known_folders() -> Iterator[Path]:
    pg_config = shutil.which("pg_config")
    if pg_config:
        yield Path(_output(pg_config, "--bindir"))
    yield from (Path(p) for p in os.environ.get("PATH", "").split(os.pathsep) if p)
    for pattern in _PATTERNS:
        yield from Path("/").glob(pattern.lstrip("/"))


def _servers(folders: Iterable[Path]) -> list[Binaries]:
    unique = {folder.resolve(): None for folder in folders}
    return [
        Binaries(folder, version)
        for folder in unique
        if all(os.access(folder / name, os.X_OK) for name in _NEEDED) and (version := _major(folder))
    ]


def _major(folder: Path) -> int:
    match = re.search(r"\(PostgreSQL\) (\d+)", _output(str(folder / "postgres"), "--version"))
    return int(match[1]) if match else 0


def _has_postgis(binaries: Binaries) -> bool:
    return any((share / "extension" / "postgis.control").is_file() for share in _share_folders(binaries))


def _share_folders(binaries: Binaries) -> Iterator[Path]:
    own_config = binaries.folder / "pg_config"
    if os.access(own_config, os.X_OK):
        yield Path(_output(str(own_config), "--sharedir"))
    # Some packages leave pg_config to their development part.
    root = binaries.folder.parent
    yield from (root / "share", root / "share" / "postgresql", root / "share" / "pgsql")


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _missing(major: int | None, fitting: list[Binaries], found: list[Binaries]) -> ClusterError:
    if fitting:
        version = max(b.major for b in fitting)
        en, zh = f"PostgreSQL {version} has no PostGIS.", f"PostgreSQL {version} 没有安装 PostGIS。"
    elif major:
        version = major
        en = f"The data was made by PostgreSQL {major}, which is not installed with PostGIS."
        zh = f"数据由 PostgreSQL {major} 创建，但本机没有带 PostGIS 的该版本。"
    else:
        version = MINIMUM_MAJOR
        older = f" (only version {max(b.major for b in found)})" if found else ""
        en = f"PostgreSQL {MINIMUM_MAJOR} or newer with PostGIS was not found{older}."
        zh = f"没有找到带 PostGIS 的 PostgreSQL {MINIMUM_MAJOR} 或更新版本。"
    remedy_en, remedy_zh = install_remedy(version)
    return ClusterError(en, zh, remedy_en=remedy_en, remedy_zh=remedy_zh)


def install_remedy(version: int = MINIMUM_MAJOR, platform: str = sys.platform) -> tuple[str, str]:
    """What to install for PostgreSQL ``version`` on ``platform``: one English and one Chinese sentence."""
    if platform == "win32":
        return (
            "On Windows run onemap in its container, or set ONEMAP_DATABASE_URL.",
            "在 Windows 上请使用容器运行，或设置 ONEMAP_DATABASE_URL。",
        )
    if platform == "darwin":
        command = "brew install postgis"
    elif shutil.which("apt-get"):
        command = f"apt-get install postgresql-{version}-postgis-3"
    else:
        return (
            f"Install PostgreSQL {version} with PostGIS 3 (Debian/Ubuntu: apt-get install "
            f"postgresql-{version}-postgis-3), or set ONEMAP_DATABASE_URL.",
            f"请安装 PostgreSQL {version} 与 PostGIS 3（Debian/Ubuntu：apt-get install "
            f"postgresql-{version}-postgis-3），或设置 ONEMAP_DATABASE_URL。",
        )
    return f"Install it: {command}", f"请安装：{command}"
