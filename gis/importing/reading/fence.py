"""What a reading child may not do: open sockets, other files, other processes, or start programs.

Each fence is put up by the process on itself, through calls of the kernel, and cannot be taken down again.
Where the kernel lacks one, the others stand; `Fences` says which do.

Sources: Linux man-pages seccomp(2), landlock(7), prctl(2), setrlimit(2).
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import stat
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gis.importing.reading.limits import Limits

__all__ = [
    "Fences",
    "bound_resources",
    "keep_no_rights",
    "lock_calls",
    "lock_files",
    "may_search",
    "open_to_others",
    "shed_root",
]

LINUX = sys.platform == "linux"
NOBODY = 65534
_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 8, 38, 22
_DAC_READ_SEARCH = 1 << 2
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Fences:
    """Which fences stand around a reading child: True for each that holds.

    ``network`` is an own empty network, ``calls`` the filter that refuses sockets and new programs, ``files``
    the list of readable folders, ``account`` another account than root's.
    """

    network: bool
    calls: bool
    files: bool
    account: bool

    @property
    def offline(self) -> bool:
        """Is there no way out to the network?"""
        return self.network or self.calls


def bound_resources(limits: Limits) -> None:
    """Memory, processor time, size and number of files, no core dump."""
    memory = limits.memory_mb * 1_000_000
    # Private memory is what a parser can eat; address space also holds the libraries of the warm parent.
    _bound(resource.RLIMIT_DATA, memory)
    _bound(resource.RLIMIT_AS, 3 * memory + 3_000_000_000)
    _bound(resource.RLIMIT_CPU, limits.seconds + 1)
    _bound(resource.RLIMIT_FSIZE, limits.spool_mb * 1_000_000)
    _bound(resource.RLIMIT_NOFILE, 256)
    _bound(resource.RLIMIT_CORE, 0)


def _bound(which: int, value: int) -> None:
    _soft, hard = resource.getrlimit(which)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def shed_root() -> bool:
    """Become an account that owns nothing, when root; True when this process is not root afterwards.

    Where Python itself lies in a folder of root's, the right to look into closed folders is kept, and nothing
    else; `lock_files` then says which folders these are.
    """
    if os.geteuid() == 0:
        search = may_search()
        _LIBC.prctl(_PR_SET_KEEPCAPS, int(search), 0, 0, 0)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        _keep_rights(_DAC_READ_SEARCH if search else 0)
    if LINUX:  # a change of account clears this, so it comes after
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    return os.geteuid() != 0


@cache
def may_search() -> bool:
    """Must a child of root's be let into closed folders, to find the program, and can it be kept to those?"""
    program = (Path(os.__file__), Path(sys.prefix), Path(__file__))
    return os.geteuid() == 0 and _landlock_version() > 0 and not all(map(open_to_others, program))


def _keep_rights(rights: int) -> bool:
    if not LINUX:
        return False
    header = struct.pack("Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3
    held = struct.pack("IIIIII", rights, rights, 0, 0, 0, 0)
    return bool(_LIBC.capset(header, held) == 0)


def keep_no_rights() -> None:
    """Give up what `shed_root` may have kept."""
    if os.geteuid() != 0:
        _keep_rights(0)


def open_to_others(path: Path) -> bool:
    """May an account that owns nothing read ``path``?"""
    path = path.resolve()
    if not path.stat().st_mode & stat.S_IROTH:
        return False
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)


# --- System calls -----------------------------------------------------------------------------------------

# Numbers of the calls that are refused. kill is left out where it would only reach our own kind: Landlock
# scopes signals. A parser needs none of these.
_CALLS = {
    "x86_64": (0xC000003E, 56, (
        41, 42, 43, 49, 50, 53, 288,  # socket connect accept bind listen socketpair accept4
        57, 58, 59, 322,  # fork vfork execve execveat
        62, 101, 165, 166, 155, 161, 272, 308, 310, 311, 312,  # kill ptrace mount umount2 pivot_root ...
        246, 250, 298, 303, 304, 321, 323, 424, 425, 438, 440, 175, 313,  # kexec keyctl perf bpf io_uring ...
    )),
    "aarch64": (0xC00000B7, 220, (
        198, 203, 202, 200, 201, 199, 242,
        221, 281,
        129, 117, 40, 39, 41, 51, 97, 268, 270, 271, 272,
        104, 219, 241, 264, 265, 280, 282, 424, 425, 438, 440, 105, 273,
    )),
}  # fmt: skip
_CLONE3 = 435
_CLONE_THREAD = 0x0001_0000
_ALLOW, _EPERM, _ENOSYS, _KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06


def lock_calls() -> bool:
    """Refuse sockets, new programs and new processes from here on; False where the kernel cannot."""
    known = _CALLS.get(platform.machine())
    if not LINUX or known is None:
        return False
    program = _program(*known)
    code = ctypes.create_string_buffer(b"".join(program), 8 * len(program))
    filter_ = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    held = ctypes.create_string_buffer(filter_, len(filter_))
    if _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(_LIBC.prctl(_PR_SET_SECCOMP, 2, ctypes.byref(held), 0, 0) == 0)


def _program(architecture: int, clone: int, refused: Sequence[int]) -> list[bytes]:
    """The filter as BPF instructions: (code, jump if true, jump if false, value).

    Threads may be started (clone with CLONE_THREAD; clone3 is answered with ENOSYS, so that the C library
    falls back to clone, whose flags a filter can see), processes not.
    """
    rows = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, 0, 1, 0x4000_0000),  # the x32 numbers would go round the list
        (_RETURN, 0, 0, _KILL),
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _ENOSYS),
    ]
    for number in refused:
        rows += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _EPERM)]
    rows += [
        (_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, 16),
        (_ANY_BIT, 1, 0, _CLONE_THREAD),
        (_RETURN, 0, 0, _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return [struct.pack("HBBI", *row) for row in rows]


# --- Files ------------------------------------------------------------------------------------------------

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE, _READ, _READ_FOLDER, _TRUNCATE = 1, 2, 4, 8, 1 << 14
# How many kinds of file access each version of Landlock knows; from version 6 on it keeps signals and
# abstract sockets inside too.
_KINDS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}


def lock_files(readable: Sequence[Path], writable: Sequence[Path]) -> bool:
    """Close all files but those below ``readable`` and ``writable``; False where the kernel cannot."""
    version = _landlock_version()
    if version < 1:
        return False
    every = (1 << _KINDS.get(version, 16)) - 1
    asked = struct.pack("QQQ", every, 0, 3 if version >= 6 else 0)[: 24 if version >= 6 else 8]
    ruleset = _LIBC.syscall(_CREATE_RULESET, asked, ctypes.c_size_t(len(asked)), 0)
    if ruleset < 0:
        return False
    try:
        for path in readable:
            _allow(ruleset, path, _READ | _READ_FOLDER)
        for path in writable:
            _allow(ruleset, path, every & ~_EXECUTE)
        _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(_LIBC.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _landlock_version() -> int:
    return int(_LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)) if LINUX else 0


def _allow(ruleset: int, path: Path, access: int) -> None:
    try:
        at = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there, or not ours to see, needs no rule
    try:
        if not path.is_dir():
            access &= _READ | _WRITE | _TRUNCATE
        _LIBC.syscall(_ADD_RULE, ruleset, 1, struct.pack("=Qi", access, at), 0)
    finally:
        os.close(at)
