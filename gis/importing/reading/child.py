"""One file, read: what runs within the killable child, between its fences.

The answer goes into the scratch folder: the spool, or refused.json, or crashed.txt.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from gis.errors import ImportRefused
from gis.importing.issues import refused
from gis.importing.reading import fence
from gis.importing.reading.archive import Found, find_in_archive
from gis.importing.reading.formats import reader
from gis.importing.reading.limits import Limits, limits_set, out_of_space
from gis.importing.reading.probing import misbehave, try_everything
from gis.importing.reading.sniff import sniff
from gis.importing.reading.spool import ReadOptions, Spool

__all__ = ["CRASHED", "FULL", "MEMORY", "REFUSED", "Job", "parse", "run"]

REFUSED, MEMORY, CRASHED, FULL = 3, 4, 5, 6  # how the child ends, when not well


@dataclass(frozen=True)
class Job:
    """What a child is to read: ``path`` as the child sees it, ``name`` as the uploader called it.

    With a ``probe`` it reads nothing, but tries out what it could do.
    """

    path: str
    name: str
    scratch: str
    options: ReadOptions
    limits: Limits
    probe: str | None = None

    def as_json(self) -> bytes:
        """The job as it travels to the warm parent."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: bytes) -> Job:
        """The job that `as_json` wrote."""
        held = orjson.loads(text)
        return cls(**{**held, "options": ReadOptions(**held["options"]), "limits": Limits(**held["limits"])})


def run(job: Job) -> int:
    """Put the fences up, read, and say how it ended; never raises."""
    scratch = Path(job.scratch)
    try:
        put_up_fences(job)
        if job.probe is not None:
            _try_out(job.probe, scratch)
            return 0
        with limits_set(job.limits):
            parse(Path(job.path), job.name, job.options, scratch)
        return 0
    except ImportRefused as error:
        held = {"en": error.en, "zh": error.zh, "remedy_en": error.remedy_en, "remedy_zh": error.remedy_zh,
                "reason": error.reason}  # fmt: skip
        (scratch / "refused.json").write_bytes(orjson.dumps(held))
        return REFUSED
    except MemoryError:
        return MEMORY
    except OSError as error:
        if error.errno == errno.EFBIG:
            return MEMORY
        if out_of_space(error):
            return FULL
        return _crashed(scratch)
    except BaseException:
        return _crashed(scratch)


def _crashed(scratch: Path) -> int:
    (scratch / "crashed.txt").write_text(traceback.format_exc()[-20_000:], encoding="utf-8")
    return CRASHED


def put_up_fences(job: Job) -> fence.Fences:
    """All fences but the network's, which the warm parent has left already."""
    os.umask(0o077)
    os.chdir(job.scratch)
    fence.bound_resources(job.limits)
    account = fence.shed_root()
    files = fence.lock_files(_readable(job), [Path(job.scratch), Path("/dev/null")])
    if not files:
        fence.keep_no_rights()
    return fence.Fences(True, fence.lock_calls(), files, account)


def _readable(job: Job) -> list[Path]:
    """The input, and the folders of this program: Python, its packages, system libraries, time zones."""
    here = Path(__file__).resolve().parents[3]
    program = {sys.prefix, sys.base_prefix, sys.exec_prefix, str(here)} | {p for p in sys.path if p}
    system = ["/usr", "/lib", "/lib64", "/etc/localtime", "/etc/ld.so.cache", "/dev/urandom", "/proc/self"]
    system += ["/proc/meminfo", "/proc/cpuinfo", "/sys/devices/system/cpu"]
    return [Path(job.path), *map(Path, sorted(program)), *map(Path, system)]


def parse(path: Path, name: str, options: ReadOptions, scratch: Path) -> None:
    """Sniff, unpack if need be, read with the format's module, and leave the spool in ``scratch``.

    Raises
    ------
    ImportRefused
        For a file that cannot be taken as a whole; empty_file when it has no row.
    """
    found = _find(path, name, options, scratch)
    if found.member is not None and found.format in ("shapefile", "filegdb", "csv"):
        options = replace(options, member=None)
    spool = Spool(scratch)
    header = reader(found.format)(found.path, options, spool)
    if found.member is not None and (header.member is None or len(found.members) > 1):
        header = replace(header, member=found.member, members=found.members)
    if spool.rows == 0:
        raise refused("empty_file", value=name)
    spool.finish(header)


def _find(path: Path, name: str, options: ReadOptions, scratch: Path) -> Found:
    if path.is_dir():
        return Found("filegdb" if path.suffix == ".gdb" else "shapefile", _in_folder(path))
    kind = sniff(path, name)
    if kind != "zip":
        return Found(kind, path)
    try:
        return find_in_archive(path, name, options.member, scratch)
    except ImportRefused as error:
        if error.reason == "zip_unreadable" and Path(name).suffix.lower() in (".xlsx", ".xlsm"):
            raise refused("not_xlsx", value=name) from error
        raise


def _in_folder(path: Path) -> Path:
    """The .shp of a folder that the caller has laid out, or the geodatabase that it is."""
    return path if path.suffix == ".gdb" else path / "a.shp"


def _try_out(probe: str, scratch: Path) -> None:
    """Try out what ``probe`` names: HOST:PORT for everything that should fail, else one way to go wrong."""
    if ":" not in probe:
        misbehave(probe)
    (scratch / "probe.json").write_bytes(orjson.dumps(try_everything(probe)))
