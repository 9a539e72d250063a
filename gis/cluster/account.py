"""Who runs the server, and can that account reach its folder?

PostgreSQL refuses to run as root. So root hands the server to the owner of the home, or, when root owns the
home, to the account ``postgres`` that PostgreSQL packages create. Everyone else runs it as themselves.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gis.errors import ClusterError

__all__ = ["Account", "require_reachable", "server_account"]

_SERVICE_ACCOUNT = "postgres"


@dataclass(frozen=True)
class Account:
    """An operating system account that a server runs as."""

    name: str
    uid: int
    gid: int

    @property
    def is_self(self) -> bool:
        """Whether this process already runs as the account."""
        return self.uid == os.geteuid()

    def run(
        self, command: list[str], *, folder: Path, keep_open: tuple[int, ...] = (), text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """The finished ``command``, run as this account inside ``folder``, with ``text`` to read.

        The environment is bare: no PG* variable of the caller may redirect the server's programs,
        and messages come in English so that they can be told apart. ``keep_open`` are descriptors
        the command inherits.
        """
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": str(folder)}
        try:
            return subprocess.run(
                command,
                cwd=folder,
                env=environment,
                input=text,
                capture_output=True,
                text=True,
                errors="replace",
                pass_fds=keep_open,
                user=None if self.is_self else self.uid,
                group=None if self.is_self else self.gid,
                extra_groups=None if self.is_self else os.getgrouplist(self.name, self.gid),
            )
        except OSError as error:
            raise ClusterError(
                f"{command[0]} cannot be run as the user {self.name!r}: {error.strerror}",
                f"无法以用户“{self.name}”运行 {command[0]}：{error.strerror}",
                remedy_en="Run onemap as a normal user, or set ONEMAP_DATABASE_URL.",
                remedy_zh="请以普通用户运行 onemap，或设置 ONEMAP_DATABASE_URL。",
            ) from None

    def make_folder(self, path: Path) -> None:
        """Make the folder ``path``, closed to all other accounts; its parent must be open to this one."""
        self._require(self.run(["mkdir", "-m", "700", str(path)], folder=Path("/")), path)

    def write(self, path: Path, text: str) -> None:
        """Write the file ``path`` with the rights of this account.

        Root must not write into a folder of another account itself: a link put there by that account
        would turn the write against any file of the machine.
        """
        command = ["/bin/sh", "-c", 'umask 077 && cat > "$1" && sync "$1"', "sh", str(path)]
        self._require(self.run(command, folder=Path("/"), text=text), path)

    def _require(self, done: subprocess.CompletedProcess[str], path: Path) -> None:
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise ClusterError(
                f"The user {self.name!r} cannot write {path}: {reason}",
                f"用户“{self.name}”无法写入 {path}：{reason}",
                remedy_en="Check the folder's rights and the free space, or set ONEMAP_HOME.",
                remedy_zh="请检查目录权限和剩余空间，或设置 ONEMAP_HOME。",
            )

    def adopt(self, folder: Path) -> None:
        """Hand a ``folder`` of this process over to the account; others' folders are left alone."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(descriptor).st_uid == os.geteuid() and not self.is_self:
                os.fchown(descriptor, self.uid, self.gid)
        finally:
            os.close(descriptor)


def server_account(home: Path, server: Path) -> Account:
    """The account that runs the server of ``home``; it owns the folder ``server``, which may not exist yet.

    Raises
    ------
    ClusterError
        When the folder belongs to another user, when root finds no account to hand the server to,
        or when the account has no name (PostgreSQL needs one).
    """
    owner = _owner(server)
    if os.geteuid() == 0:
        owner = owner or _owner(home)
        return _by_uid(owner) if owner else _service_account()
    if owner is not None and owner != os.geteuid():
        raise ClusterError(
            f"The database in {server} belongs to the user {_name_of(owner)}.",
            f"数据库目录 {server} 属于用户 {_name_of(owner)}。",
            remedy_en="Run onemap as that user, or set ONEMAP_HOME to a folder of your own.",
            remedy_zh="请以该用户运行 onemap，或把 ONEMAP_HOME 设为您自己的目录。",
        )
    return _by_uid(os.geteuid())


def _owner(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except FileNotFoundError:
        return None


def _service_account() -> Account:
    import pwd

    try:
        entry = pwd.getpwnam(_SERVICE_ACCOUNT)
    except KeyError:
        raise ClusterError(
            f"PostgreSQL does not run as root, and there is no user {_SERVICE_ACCOUNT!r} to run it.",
            f"PostgreSQL 不能以 root 运行，而系统中没有用户“{_SERVICE_ACCOUNT}”。",
            remedy_en=f"Create it (useradd --system {_SERVICE_ACCOUNT}), or run onemap as a normal user.",
            remedy_zh=f"请创建该用户（useradd --system {_SERVICE_ACCOUNT}），或以普通用户运行 onemap。",
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _by_uid(uid: int) -> Account:
    import pwd

    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise ClusterError(
            f"The user number {uid} has no name on this machine, and PostgreSQL needs one.",
            f"本机没有编号为 {uid} 的用户名，而 PostgreSQL 需要用户名。",
            remedy_en="Add the user to /etc/passwd, or set ONEMAP_DATABASE_URL.",
            remedy_zh="请在 /etc/passwd 中加入该用户，或设置 ONEMAP_DATABASE_URL。",
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _name_of(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def require_reachable(account: Account, home: Path) -> None:
    """Return when ``account`` may enter ``home`` and every folder above it.

    Asked by trying as that account, so that access lists and group rights count as the kernel counts them.

    Raises
    ------
    ClusterError
        Names the first closed folder and what to do.
    """
    chain = [str(folder) for folder in (*reversed(home.parents), home)]
    script = 'for folder do [ -x "$folder" ] || { printf %s "$folder"; exit 1; }; done'
    answer = account.run(["/bin/sh", "-c", script, "sh", *chain], folder=Path("/"))
    if answer.returncode != 0:
        closed = answer.stdout or str(home)
        raise ClusterError(
            f"The server's user {account.name!r} cannot enter {closed}, so it cannot keep data in {home}.",
            f"数据库服务用户“{account.name}”无法进入 {closed}，不能在 {home} 存放数据。",
            remedy_en=f"Set ONEMAP_HOME to a folder elsewhere, or open it: chmod o+x {closed}",
            remedy_zh=f"请把 ONEMAP_HOME 设为其他目录，或放开权限：chmod o+x {closed}",
        )
