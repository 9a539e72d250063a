"""One starter at a time; who still uses the server?

Both questions are answered by kernel locks on files (flock). The kernel drops them with the process that
holds them, however it ended; so there is no stale lock to clear.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gis.errors import ClusterError

__all__ = ["exclusive", "is_unused", "release_use", "take_use"]

# Uses of this process, by file: one for each home, held until the process ends.
_uses: dict[Path, int] = {}


@contextmanager
def exclusive(path: Path, wait_s: float) -> Iterator[int]:
    """Hold the lock file ``path`` alone; yields its descriptor.

    A child that inherits the descriptor keeps the lock until it ends as well.

    Raises
    ------
    ClusterError
        When another process holds it for longer than ``wait_s`` seconds.
    """
    descriptor = _open(path)
    try:
        deadline = time.monotonic() + wait_s
        while not _try_lock(descriptor, shared=False):
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"Another onemap has been starting or stopping the database for {wait_s:.0f} s ({path}).",
                    f"另一个 onemap 启动或停止数据库已超过 {wait_s:.0f} 秒（{path}）。",
                    remedy_en="Wait for it or end it, then try again.",
                    remedy_zh="请等待其完成或将其结束，然后重试。",
                )
            time.sleep(0.05)
        yield descriptor
    finally:
        os.close(descriptor)


def take_use(path: Path) -> None:
    """Mark the server as used by this process, until ``release_use`` or the end of the process."""
    if path in _uses:
        return
    descriptor = _open(path)
    if not _try_lock(descriptor, shared=True):  # only ever held alone under the starter's lock
        os.close(descriptor)
        raise ClusterError(f"{path} is locked by a foreign program.", f"{path} 被其他程序锁定。")
    _uses[path] = descriptor


def release_use(path: Path) -> None:
    """End this process's use of the server, if there is one."""
    descriptor = _uses.pop(path, None)
    if descriptor is not None:
        os.close(descriptor)


def is_unused(path: Path) -> bool:
    """Whether no process, this one included, marks the server as used. Call it under the starter's lock."""
    descriptor = _open(path)
    try:
        return _try_lock(descriptor, shared=False)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ClusterError(
            f"The lock {path} cannot be opened: {error.strerror}.",
            f"无法打开锁文件 {path}：{error.strerror}。",
            remedy_en="Run onemap as the owner of the folder, or set ONEMAP_HOME to one of your own.",
            remedy_zh="请以该目录的所有者运行 onemap，或把 ONEMAP_HOME 设为您自己的目录。",
        ) from None
    made = os.fstat(descriptor)
    if made.st_uid == os.geteuid() == 0 and made.st_nlink == 1:
        # root may work in a user's home; the user must be able to lock there too
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def _try_lock(descriptor: int, *, shared: bool) -> bool:
    import fcntl  # not on Windows, where only ONEMAP_DATABASE_URL works

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
