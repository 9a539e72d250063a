"""Which server settings fit this machine?"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["access_rules", "account_map", "machine_memory_mb", "render", "server_settings"]

SUPERUSER = "onemap"

# A container's limit is what counts, not the machine's memory (version 2 and version 1 of control groups).
_LIMIT_FILES = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_SHARED_MEMORY = Path("/dev/shm")


def machine_memory_mb() -> int:
    """Memory this process may count on, in MiB: the machine's, or its container's limit when lower."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _LIMIT_FILES:
        try:
            limits.append(int(file.read_text()))
        except (OSError, ValueError):  # absent, or "max"
            continue
    return min(limits) >> 20


def server_settings(
    memory_mb: int, cpus: int, socket: Path, *, durable: bool, lz4: bool = False
) -> dict[str, str | int]:
    """The server's settings by name.

    The machine is shared with the onemap processes, which hold zones in memory themselves; so the server
    takes a sixth for its buffers, and a query's sort a hundredth.

    Parameters
    ----------
    memory_mb : int
        Memory at hand, MiB.
    cpus : int
        Processor cores at hand.
    socket : Path
        Folder of the unix socket.
    durable : bool
        False gives up crash safety for speed; for tests only.
    lz4 : bool
        The server can compress by LZ4.
    """
    settings: dict[str, str | int] = {
        "cluster_name": "onemap",
        "listen_addresses": "",
        "port": 5432,
        "unix_socket_directories": str(socket),
        "unix_socket_permissions": "0700",
        "max_connections": 300,  # a serving process may hold 44: each class of work has a pool of its own
        "shared_buffers": _mb(memory_mb // 6, 32, 4096),
        "effective_cache_size": _mb(memory_mb // 2, 64, 65536),
        "work_mem": _mb(memory_mb // 96, 4, 256),
        "maintenance_work_mem": _mb(memory_mb // 24, 32, 1024),
        "max_parallel_workers": cpus,
        "max_parallel_workers_per_gather": max(cpus // 2, 1),
        "max_locks_per_transaction": 256,  # one transaction may touch every layer with all its indexes
        "jit": "off",  # compiling costs more than these short spatial queries take
        "random_page_cost": "1.1",
        "wal_level": "minimal",  # no replica follows a private server; a bulk load into a new table skips WAL
        "max_wal_senders": 0,
        # Of each page that changes first after a checkpoint the whole goes into the log: by the server's own
        # compression that costs more than the change.
        "wal_compression": "lz4" if lz4 else "on",
        "min_wal_size": "128MB",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "log_checkpoints": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "datestyle": "iso, ymd",
        "lc_messages": "C",
        "default_text_search_config": "pg_catalog.simple",
    }
    if sys.platform == "linux":
        settings["effective_io_concurrency"] = 200
        settings["dynamic_shared_memory_type"] = _dynamic_memory_kind()
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    return settings


def _mb(value: int, low: int, high: int) -> str:
    return f"{min(max(value, low), high)}MB"


def _dynamic_memory_kind() -> str:
    # Containers often have 64 MB of /dev/shm, on which parallel queries fail; files always work.
    try:
        found = os.statvfs(_SHARED_MEMORY)
    except OSError:
        return "mmap"
    return "posix" if found.f_frsize * found.f_blocks >= 512 << 20 else "mmap"


def render(settings: Mapping[str, str | int], local: Path) -> str:
    """The text of ``postgresql.conf``; settings in the file ``local``, if there, come last and win."""
    lines = [f"{name} = {_quoted(str(value))}" for name, value in settings.items()]
    head = "# Written by onemap at every start; put your own settings into the file named at the end."
    return "\n".join([head, *lines, f"include_if_exists = {_quoted(str(local))}", ""])


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def access_rules() -> str:
    """The text of ``pg_hba.conf``: the kernel says who is at the other end of the socket."""
    return "local all all peer map=onemap\n"


def account_map(accounts: set[str]) -> str:
    """The text of ``pg_ident.conf``: these operating system accounts are the server's superuser."""
    return "".join(f'onemap "{account}" {SUPERUSER}\n' for account in sorted(accounts))
