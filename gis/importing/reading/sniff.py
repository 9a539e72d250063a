"""What kind of file is this? Told by its content; the name only breaks a tie and chooses the words.

GDAL picks its driver by content too and would open a VRT, which points at other files, under any name. So
the content is known here before any parser sees it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import orjson

from gis.errors import ImportRefused
from gis.importing.issues import refused

__all__ = ["HEAD_BYTES", "SHP_MAGIC", "Sniffed", "refused_kind", "sniff", "sniff_head"]

HEAD_BYTES = 65_536
SHP_MAGIC = b"\x00\x00\x27\x0a"
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


@dataclass(frozen=True)
class Sniffed:
    """``kind`` is a format of `formats.FORMATS`, or "zip", or begins with "?" for what nobody here reads.

    ``sure`` is False for a table, which any text may be.
    """

    kind: str
    sure: bool = True


# How a file of each kind begins: offset, bytes, kind. "?" kinds are known by name, so that we can say it.
_MAGIC = (
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"SQLite format 3\x00", "gpkg"),
    (0, b"fgb\x03fgb", "flatgeobuf"),
    (0, b"PAR1", "geoparquet"),
    (0, b"AutoCAD Binary DXF\r\n\x1a\x00", "dxf"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "?OLE"),
    (0, b"\x09\x08\x10\x00\x00\x06\x05\x00", "?OLE"),
    (0, b"Rar!\x1a\x07", "?RAR"),
    (0, b"7z\xbc\xaf\x27\x1c", "?7z"),
    (0, b"\x1f\x8b\x08", "?gzip"),
    (0, b"BZh", "?bzip2"),
    (0, b"\xfd7zXZ\x00", "?xz"),
    (0, b"\x28\xb5\x2f\xfd", "?zstd"),
    (257, b"ustar", "?tar"),
    (0, b"PK\x07\x08", "?ZIP"),
    (0, b"\x89PNG\r\n\x1a\n", "?PNG"),
    (0, b"\xff\xd8\xff", "?JPEG"),
    (0, b"GIF8", "?GIF"),
    (0, b"II*\x00", "?TIFF"),
    (0, b"MM\x00*", "?TIFF"),
    (0, b"II+\x00", "?TIFF"),
    (0, b"%PDF-", "?PDF"),
    (0, b"AC10", "?DWG"),
    (0, b"\x7fELF", "?ELF"),
    (0, b"MZ", "?EXE"),
    (0, b"\x89HDF\r\n\x1a\n", "?HDF5"),
    (0, b"CDF\x01", "?NetCDF"),
    (0, b"ARROW1\x00\x00", "?Arrow"),
    (0, b"{\\rtf", "?RTF"),
)

_WKT = re.compile(
    r"\s*(SRID\s*=\s*\d+\s*;\s*)?"
    r"(MULTI(POINT|LINESTRING|POLYGON|CURVE|SURFACE)|POINT|LINESTRING|POLYGON|GEOMETRYCOLLECTION"
    r"|CIRCULARSTRING|COMPOUNDCURVE|CURVEPOLYGON|POLYHEDRALSURFACE|TIN|TRIANGLE)"
    r"\s*(ZM|Z|M)?\s*(\(|EMPTY\b)",
    re.IGNORECASE,
)
_WKB_HEX = re.compile(r"\s*0[01][0-9A-Fa-f]{16,}\s*($|[\r\n])")
_DXF = re.compile(r"\s*(999\r?\n[^\n]*\n\s*)*0\s*\r?\n\s*(SECTION|EOF)\b")
# A line such as [地块坐标] or [属性描述], as the Ministry's boundary-point exchange text has it.
_BOUNDARY = re.compile(r"^[ \t\ufeff]*[\[【［]\s*(地块坐标|属性描述)\s*[\]】］]", re.MULTILINE)
_KML = re.compile(r"<(?:[\w.-]+:)?kml[\s>/]", re.IGNORECASE)

# What a name promises, and the code that says that the content is something else.
_WORDS = {
    ".gpkg": "not_a_gpkg",
    ".shp": "not_a_shapefile",
    ".dbf": "not_a_shapefile",
    ".zip": "zip_unreadable",
    ".kmz": "zip_unreadable",
    ".xlsx": "not_xlsx",
    ".xlsm": "not_xlsx",
    ".xls": "not_xlsx",
    ".fgb": "not_a_flatgeobuf",
    ".parquet": "not_a_geoparquet",
    ".geoparquet": "not_a_geoparquet",
    ".dxf": "not_a_dxf",
    ".kml": "not_kml",
    ".geojson": "not_geojson",
    ".json": "not_geojson",
    ".csv": "not_text",
    ".tsv": "not_text",
    ".txt": "not_text",
}
# A text under these names is taken as a table only when it is one for sure, which text never is.
_BINARY = {".gpkg", ".shp", ".dbf", ".zip", ".kmz", ".fgb", ".parquet", ".geoparquet", ".dxf"}
_TEXT = {".geojson", ".json", ".kml"}


def sniff(path: Path, name: str) -> str:
    """The format of the file, "zip" included. Raises ImportRefused for what cannot be read at all."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    found = sniff_head(head, name)
    if found.kind.startswith("?"):
        raise refused_kind(found.kind[1:], head, name)
    if not found.sure and PurePosixPath(name).suffix.lower() in _BINARY:
        raise refused_kind("text", head, name)
    return found.kind


def sniff_head(head: bytes, name: str) -> Sniffed:
    """What a file that begins with ``head`` (up to `HEAD_BYTES`) is; raises refused("empty_file")."""
    if not head:
        raise refused("empty_file", value=name)
    for offset, magic, kind in _MAGIC:
        if head.startswith(magic, offset):
            return Sniffed(kind)
    if head.startswith(SHP_MAGIC) and len(head) >= 32 and head[28:32] == b"\xe8\x03\x00\x00":
        return Sniffed("shapefile")
    text = _as_text(head)
    if text is None:
        return Sniffed("?" + ("XLSB" if name.lower().endswith(".xlsb") else "binary"))
    return _sniff_text(text, name)


def _sniff_text(text: str, name: str) -> Sniffed:
    body = text.lstrip("\ufeff \t\r\n")
    if not body.strip("\x00 \t\r\n"):
        raise refused("empty_file", value=name)
    if _BOUNDARY.search(text):
        return Sniffed("boundary-points")
    if body[0] == "\x1e":
        return Sniffed("geojsonseq")
    if body[0] == "{":
        return Sniffed("geojsonseq" if _many_documents(body) else "geojson")
    if body[0] == "[":
        return Sniffed("?JSON") if re.match(r"\[\s*([\[{\"\d\]-]|true|false|null)", body) else _table()
    if body[0] == "<":
        return Sniffed("kml" if _KML.search(body) else "?XML")
    if _WKT.match(body):
        return Sniffed("wkt")
    if _WKB_HEX.match(body):
        return Sniffed("wkb")
    if _DXF.match(body):
        return Sniffed("dxf")
    return _table()


def _table() -> Sniffed:
    return Sniffed("csv", sure=False)


def _many_documents(body: str) -> bool:
    """Does each line hold a document of its own?"""
    first, _, rest = body.partition("\n")
    if not rest.lstrip().startswith("{"):
        return False
    try:
        return isinstance(orjson.loads(first), dict)
    except orjson.JSONDecodeError:
        return False


def _as_text(head: bytes) -> str | None:
    """``head`` as text, damaged characters and all; None when it is no text."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return head[len(bom) :].decode(encoding, errors="replace")
    control = sum(byte < 32 and byte not in b"\t\n\r\f\x1a\x1e" for byte in head)
    if control * 50 > len(head):
        return None
    for encoding in ("utf-8", "gb18030"):
        text = head.decode(encoding, errors="replace")
        if text.count("\ufffd") * 20 <= len(text):  # a character cut at the end, a damaged one here and there
            return text
    # Rows from several hands: some lines in one encoding, some in the other.
    lines = head.split(b"\n")
    strange = sum(not (_fits(line, "utf-8") or _fits(line, "gb18030")) for line in lines)
    return head.decode("utf-8", errors="replace") if strange * 2 < len(lines) else None


def _fits(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def refused_kind(kind: str, head: bytes, name: str) -> ImportRefused:
    """The refusal of a file whose content is ``kind``, in the words that fit what its name promises."""
    suffix = PurePosixPath(name).suffix.lower()
    if kind == "OLE":
        # Excel keeps a workbook with a password in the same container as its old files.
        if "EncryptedPackage".encode("utf-16-le") in head:
            return refused("file_encrypted", value=name)
        return refused("old_xls" if suffix in (".xls", ".xlsx", ".xlsm", ".et") else "unknown_format",
                       value=name, field="OLE")  # fmt: skip
    if kind == "JSON":
        return refused("not_geojson", value=name)
    if kind in ("XML", "text") or suffix not in _TEXT:
        code = _WORDS.get(suffix, "unknown_format")
        if kind == "XML" and code == "not_text":
            code = "unknown_format"
        return refused(code, value=name, field=kind)
    return refused("not_text", value=name, field=kind)
