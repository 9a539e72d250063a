"""What an archive holds, checked before and while anything is unpacked.

Only the members that are read come out, under names of ours. What the archive says of itself is believed when
it speaks against it (declared size, ratio, number of entries) and never when it speaks for it: the bytes
are counted as they come.
"""

from __future__ import annotations

import lzma
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gis.importing.issues import refused
from gis.importing.reading.fullnames import NAMES_ENDING
from gis.importing.reading.limits import limits, out_of_space
from gis.importing.reading.sniff import HEAD_BYTES, Sniffed, sniff_head

__all__ = ["Entry", "Found", "check_archive", "find_in_archive"]

_JUNK = re.compile(r"(^|/)(__MACOSX(/|$)|\._|\.DS_Store$|Thumbs\.db$|desktop\.ini$|~\$)", re.IGNORECASE)
_DRIVE = re.compile(r"^[A-Za-z]:")
_RATIO_FROM = 1_000_000  # small files may well be packed a thousandfold
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    ValueError,
    LookupError,
)
_SIDECARS = {".dbf", ".shx", ".prj", ".cpg", ".sbn", ".sbx", ".qix", ".qpj", ".fix", ".cst", ".idm", ".ind"}
_FIRST_TABLE = "a00000001.gdbtable"
_SHAPE_PARTS = (".dbf", ".shx", ".prj", ".cpg")
_MAPS = {"shapefile", "gpkg", "flatgeobuf", "geoparquet", "filegdb", "kml", "dxf", "geojson", "geojsonseq",
         "boundary-points"}  # fmt: skip
_TABLES = {"csv", "xlsx", "wkt", "wkb"}


@dataclass(frozen=True)
class Entry:
    """A file inside: its name as people see it, and how zipfile knows it."""

    name: str
    info: zipfile.ZipInfo


@dataclass(frozen=True)
class Found:
    """What is to be read: its format, where it lies, and which of the archive's ``members`` it is."""

    format: str
    path: Path
    member: str | None = None
    members: tuple[str, ...] = ()


def check_archive(path: Path) -> list[Entry]:
    """The files in a ZIP archive that keeps within the limits, without the junk that systems add.

    Raises
    ------
    ImportRefused
        zip_unreadable, zip_encrypted, too_many_entries, unsafe_path, decompression_bomb.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except _BROKEN as error:
        raise refused("zip_unreadable", value=str(error)) from error
    bound = limits()
    if len(infos) > bound.zip_entries:
        raise refused("too_many_entries", value=str(len(infos)), expected=str(bound.zip_entries))
    entries = [Entry(_name(info), info) for info in infos]
    for entry in entries:
        _check_path(entry)
    for entry in entries:
        _check_size(entry)
    total = sum(info.file_size for info in infos)
    if total > bound.unzipped_mb * 1_000_000:
        raise refused("decompression_bomb", value=f"{total // 1_000_000} MB",
                      expected=f"{bound.unzipped_mb} MB")  # fmt: skip
    if any(info.flag_bits & 0x1 for info in infos):
        raise refused("zip_encrypted")
    return [
        e for e in entries if not e.info.is_dir() and not e.name.endswith("/") and not _JUNK.search(e.name)
    ]


def _name(info: zipfile.ZipInfo) -> str:
    """The entry's name; without the UTF-8 flag, Windows in China writes GBK."""
    name = info.filename
    if not info.flag_bits & 0x800:
        raw = name.encode("cp437", errors="replace")
        for encoding in ("utf-8", "gb18030"):
            try:
                name = raw.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    return name.replace("\\", "/")


def _check_path(entry: Entry) -> None:
    parts = entry.name.split("/")
    kind = stat.S_IFMT(entry.info.external_attr >> 16)
    plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
    original = getattr(entry.info, "orig_filename", entry.info.filename)
    if not plain or ".." in parts or parts[0] == "" or _DRIVE.match(entry.name) or "\x00" in original:
        raise refused("unsafe_path", value=entry.name[:200])


def _check_size(entry: Entry) -> None:
    size, packed = entry.info.file_size, max(entry.info.compress_size, 1)
    if size > _RATIO_FROM and size > packed * limits().zip_ratio:
        raise refused("decompression_bomb", value=f"{entry.name[:100]} {size // packed}:1",
                      expected=f"{limits().zip_ratio}:1")  # fmt: skip


def find_in_archive(path: Path, name: str, member: str | None, scratch: Path) -> Found:
    """Check the archive, choose what to read and unpack it below ``scratch``.

    ``member`` names one of several; its stem or its last part will do. Without it there must be only one.

    Raises
    ------
    ImportRefused
        As `check_archive`; several_layers, member_missing, no_shapefile (nothing in it can be read),
        dbf_missing, not_a_shapefile.
    """
    entries = check_archive(path)
    names = {entry.name for entry in entries}
    if "[Content_Types].xml" in names:
        if not any(n.startswith("xl/") for n in names):
            raise refused("unknown_format", value=name, field="Office")
        _count(path, entries)
        return Found("xlsx", path)
    try:
        with zipfile.ZipFile(path) as archive:
            choices = _choices(archive, entries)
            chosen = _choose(choices, entries, member, name)
            return _unpack(archive, chosen, entries, scratch, tuple(c.title for c in choices))
    except _BROKEN as error:
        if out_of_space(error):
            raise
        raise refused("zip_unreadable", value=str(error)[:200]) from error


@dataclass(frozen=True)
class _Choice:
    title: str
    kind: str
    entry: Entry


def _choices(archive: zipfile.ZipFile, entries: list[Entry]) -> list[_Choice]:
    """What in the archive could be read: maps, else tables."""
    found: list[_Choice] = []
    bases = {PurePosixPath(e.name).parent: e for e in entries if e.name.endswith(_FIRST_TABLE)}
    found += [_Choice(folder.stem or "gdb", "filegdb", entry) for folder, entry in bases.items()]
    for entry in entries:
        at = PurePosixPath(entry.name)
        if at.parent in bases:
            continue
        if at.suffix.lower() == ".shp":
            found.append(_Choice(at.stem, "shapefile", entry))
        elif at.suffix.lower() not in _SIDECARS and not entry.name.lower().endswith(".shp.xml"):
            sniffed = _sniff_entry(archive, entry)
            if sniffed.kind in _MAPS | _TABLES | {"zip"}:
                found.append(_Choice(at.name, sniffed.kind, entry))
    maps = [choice for choice in found if choice.kind in _MAPS]
    kml = [c for c in maps if c.kind == "kml"]
    if len(maps) == len(kml) > 1:  # a KMZ may bring others beside its root, which its links name
        root = [c for c in kml if c.entry.name.lower() == "doc.kml"]
        maps = root or maps
    return maps or [_as_workbook(archive, choice) for choice in found if _is_table(choice)]


def _is_table(choice: _Choice) -> bool:
    suffix = PurePosixPath(choice.entry.name).suffix.lower()
    if choice.kind == "zip":
        return suffix == ".xlsx"
    return choice.kind != "csv" or suffix in (".csv", ".tsv", ".txt")


def _as_workbook(_archive: zipfile.ZipFile, choice: _Choice) -> _Choice:
    return _Choice(choice.title, "xlsx", choice.entry) if choice.kind == "zip" else choice


def _sniff_entry(archive: zipfile.ZipFile, entry: Entry) -> Sniffed:
    if entry.info.file_size == 0:
        return Sniffed("?empty")
    with archive.open(entry.info) as file:
        head = file.read(HEAD_BYTES)
    return sniff_head(head, entry.name) if head.strip() else Sniffed("?empty")


def _choose(choices: list[_Choice], entries: list[Entry], member: str | None, name: str) -> _Choice:
    if not choices:
        if any(PurePosixPath(e.name).suffix.lower() in (".dbf", ".shx") for e in entries):
            raise refused("shp_missing", value=name)
        raise refused("empty_file" if not entries else "no_shapefile", value=name)
    if member is not None:
        wanted = [c for c in choices if member in (c.title, c.entry.name, PurePosixPath(c.entry.name).name,
                                                   PurePosixPath(c.entry.name).stem)]  # fmt: skip
        if len(wanted) == 1:
            return wanted[0]
        if len(choices) > 1:
            raise refused("member_missing", value=member, expected="、".join(c.title for c in choices))
    if len(choices) > 1:
        raise refused("several_layers", value=str(len(choices)), expected="、".join(c.title for c in choices))
    return choices[0]


def _unpack(
    archive: zipfile.ZipFile, chosen: _Choice, entries: list[Entry], scratch: Path, members: tuple[str, ...]
) -> Found:
    target = scratch / "unpacked"
    target.mkdir()
    at = PurePosixPath(chosen.entry.name)
    wanted: Iterator[tuple[Entry, str]]
    if chosen.kind == "shapefile":
        result, wanted = "a.shp", _shape_parts(at, entries)
    elif chosen.kind == "filegdb":
        result, wanted = "a.gdb", _tables(at.parent, entries)
        (target / result).mkdir()
    else:
        result = "a" + (at.suffix.lower() if re.fullmatch(r"\.[a-z]{1,10}", at.suffix.lower()) else "")
        wanted = iter([(chosen.entry, result)])
    left = limits().unzipped_mb * 1_000_000
    for entry, file in wanted:
        left -= _extract(archive, entry, target / file, left)
    return Found(chosen.kind, target / result, chosen.title, members)


def _shape_parts(shp: PurePosixPath, entries: Iterable[Entry]) -> Iterator[tuple[Entry, str]]:
    """The parts that belong to one .shp, case aside, under the names a.shp, a.dbf ..."""
    stem = str(shp.with_suffix("")).lower()
    taken: set[str] = set()
    for entry in entries:
        at = PurePosixPath(entry.name)
        suffix = at.suffix.lower()
        if (
            suffix in (".shp", *_SHAPE_PARTS)
            and suffix not in taken
            and str(at.with_suffix("")).lower() == stem
        ):
            taken.add(suffix)
            yield entry, f"a{suffix}"
        elif suffix == ".cpg" and entry.name.lower() == f"{stem}.dbf.cpg" and ".cpg" not in taken:
            taken.add(".cpg")
            yield entry, "a.cpg"
        elif entry.name.lower() == f"{stem}{NAMES_ENDING}" and NAMES_ENDING not in taken:
            taken.add(NAMES_ENDING)
            yield entry, "a.csv"


def _tables(folder: PurePosixPath, entries: Iterable[Entry]) -> Iterator[tuple[Entry, str]]:
    """The files of a file geodatabase; their names are fixed by the format, so only those come out."""
    for entry in entries:
        at = PurePosixPath(entry.name)
        if at.parent == folder and re.fullmatch(
            r"(a[0-9a-f]{8}\.[A-Za-z0-9_.]{1,60}|gdb|timestamps)", at.name
        ):
            yield entry, f"a.gdb/{at.name}"


def _extract(archive: zipfile.ZipFile, entry: Entry, target: Path, left: int) -> int:
    with target.open("xb") as file:
        return _pump(archive, entry, left, file.write)


def _count(path: Path, entries: list[Entry]) -> None:
    """Unpack everything to nowhere, to know its true size before another library does so."""
    left = limits().unzipped_mb * 1_000_000
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in entries:
                left -= _pump(archive, entry, left, lambda _block: None)
    except _BROKEN as error:
        raise refused("not_xlsx", value=str(error)[:200]) from error


def _pump(archive: zipfile.ZipFile, entry: Entry, left: int, write: Callable[[bytes], object]) -> int:
    """Unpacked bytes of ``entry``; raises refused("decompression_bomb") past ``left`` or the ratio."""
    done = 0
    bound = max(entry.info.compress_size * limits().zip_ratio, _RATIO_FROM)
    with archive.open(entry.info) as file:
        while block := file.read(1 << 20):
            done += len(block)
            if done > left or done > bound:
                raise refused("decompression_bomb", value=entry.name[:100],
                              expected=f"{limits().unzipped_mb} MB")  # fmt: skip
            write(block)
    return done
