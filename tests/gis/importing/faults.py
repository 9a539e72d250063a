"""The project's own bad files, in the form of the corpus: one small file a class of fault."""

from __future__ import annotations

import csv
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Point = tuple[float, float]
PLACES: list[Point] = [(120.05 + 0.03 * i, 30.10 + 0.02 * ((i * 7) % 11)) for i in range(6)]
NAMES = [
    f"{base}{i}" for i, base in enumerate(["钱塘江断面", "西湖监测站", "园区排口", "水源地", "泵站", "湿地"])
]
CODES = [f"OM{i:05d}" for i in range(6)]
ALL, NONE = {"rows_total": 6, "rows_good": 6}, {"rows_total": 6, "rows_bad": 6}
ROWS, FILE, REPAIR = "reject-row-with-reason", "reject-file-with-reason", "accept-with-repair"

_MAKERS: dict[str, tuple[str, Callable[[], bytes]]] = {}
MANIFEST: list[dict[str, Any]] = []


def make(case: str, folder: Path) -> Path:
    """Write the file of ``case`` into ``folder``."""
    name, content = _MAKERS[case]
    path = folder / name
    path.write_bytes(content())
    return path


def fault(
    case: str, name: str, outcome: str, *, kind: str = "stations", **expected: Any
) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    """Enter the function's bytes as the file ``name`` of the case ``case``."""

    def enter(content: Callable[[], bytes]) -> Callable[[], bytes]:
        _MAKERS[case] = (name, content)
        MANIFEST.append({"id": case, "kind": kind, "outcome": outcome, **expected})
        return content

    return enter


def _features(geometries: list[Any], codes: list[Any] | None = None) -> bytes:
    features = [
        {"type": "Feature", "properties": {"code": code, "name": name}, "geometry": geometry}
        for code, name, geometry in zip(codes or CODES, NAMES, geometries, strict=True)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False).encode()


def _points(places: list[Point]) -> list[Any]:
    return [{"type": "Point", "coordinates": list(place)} for place in places]


def _square(place: Point, side: float = 0.01) -> list[list[float]]:
    x, y = place
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]


def _polygons(rings: list[Any]) -> list[Any]:
    return [{"type": "Polygon", "coordinates": [ring]} for ring in rings]


def _csv(rows: list[list[str]], header: str = "编码,名称,经度,纬度", encoding: str = "utf-8-sig") -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return (header + "\n" + out.getvalue()).encode(encoding)


def _table(places: list[Point] = PLACES) -> list[list[str]]:
    return [[c, n, f"{x:.6f}", f"{y:.6f}"] for c, n, (x, y) in zip(CODES, NAMES, places, strict=True)]


def _zip(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _shapefile(places: list[Point], encoding: str, deleted: tuple[int, ...] = ()) -> dict[str, bytes]:
    """The parts of a point shapefile as the ESRI white paper of 1998 lays them out."""
    xs, ys = [p[0] for p in places], [p[1] for p in places]

    def head(words: int) -> bytes:
        box = struct.pack("<8d", min(xs), min(ys), max(xs), max(ys), 0, 0, 0, 0)
        return struct.pack(">7i", 9994, 0, 0, 0, 0, 0, words) + struct.pack("<2i", 1000, 1) + box

    shp, shx = b"", b""
    for i, (x, y) in enumerate(places):
        shx += struct.pack(">2i", (100 + len(shp)) // 2, 10)
        shp += struct.pack(">2i", i + 1, 10) + struct.pack("<i2d", 1, x, y)
    fields = [(b"code", 20), (b"name", 60)]
    size = 1 + sum(width for _, width in fields)
    dbf = struct.pack("<4BIHH20x", 3, 124, 1, 1, len(places), 33 + 32 * len(fields), size)
    for name, width in fields:
        dbf += struct.pack("<11sc4xB15x", name, b"C", width)
    dbf += b"\r"
    for i, (code, name_) in enumerate(zip(CODES, NAMES, strict=True)):
        dbf += b"*" if i in deleted else b" "
        dbf += code.encode().ljust(20) + name_.encode(encoding).ljust(60)
    return {
        "点.shp": head(50 + len(shp) // 2) + shp,
        "点.shx": head(50 + len(shx) // 2) + shx,
        "点.dbf": dbf + b"\x1a",
    }


PRJ = b'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]'  # noqa: E501


@fault("own-geojson-good", "good.geojson", "accept", **ALL, checks=[{"check": "name_roundtrip"}])
def _good() -> bytes:
    return _features(_points(PLACES))


@fault("own-geojson-nan", "nan.geojson", FILE, also_ok=[ROWS], **NONE, reasons=["not_json"])
def _nan() -> bytes:
    return _good().replace(b"120.05", b"NaN", 1)


@fault("own-geojson-cut", "cut.geojson", FILE, **NONE, reasons=["not_json"])
def _cut() -> bytes:
    return _good()[:-40]


@fault("own-geojson-deep", "deep.geojson", FILE, **NONE, reasons=["too_deep"])
def _deep() -> bytes:
    return _good().replace(b'"OM00000"', b"[" * 5000 + b"]" * 5000, 1)


@fault(
    "own-geojson-swapped-row", "swapped.geojson", ROWS, rows_total=6, rows_good=5, rows_bad=1,
    reasons=["axes_swapped", "coordinate_out_of_range"],
)  # fmt: skip
def _swapped() -> bytes:
    return _features(_points([*PLACES[:5], PLACES[5][::-1]]))


@fault(
    "own-geojson-codes", "codes.geojson", ROWS, rows_total=6, rows_good=4, rows_bad=2,
    reasons=["duplicate_code"],
)  # fmt: skip
def _codes() -> bytes:
    return _features(_points(PLACES), [CODES[0], CODES[0], None, *CODES[3:]])


@fault(
    "own-geojson-bowtie", "bowtie.geojson", REPAIR, kind="parcels", **ALL, rows_repaired=1,
    reasons=["geometry_repaired"], checks=[{"check": "all_valid"}, {"check": "original_kept"}],
)  # fmt: skip
def _bowtie() -> bytes:
    rings = [_square(place) for place in PLACES]
    rings[2][1], rings[2][2] = rings[2][2], rings[2][1]
    return _features(_polygons(rings))


@fault(
    "own-geojson-degenerate", "line.geojson", ROWS, kind="parcels", rows_total=6, rows_good=5, rows_bad=1,
    reasons=["zero_area", "bad_position"],
)  # fmt: skip
def _degenerate() -> bytes:
    rings = [_square(place) for place in PLACES]
    rings[4] = rings[4][:2] + rings[4][:1]
    return _features(_polygons(rings))


@fault(
    "own-csv-bad-rows", "bad.csv", ROWS, rows_total=6, rows_good=4, rows_bad=2,
    reasons=["coordinate_not_number"],
)  # fmt: skip
def _bad_rows() -> bytes:
    rows = _table()
    rows[1][2], rows[3][3] = "东经", "—"
    return _csv(rows)


@fault(
    "own-csv-dms", "dms.csv", REPAIR, also_ok=[ROWS], **ALL, rows_repaired=6, reasons=["coordinate_parsed"],
    checks=[{"check": "coords", "code": CODES[0], "lon": 120.05, "lat": 30.10, "tol_m": 1.0}],
)  # fmt: skip
def _dms() -> bytes:
    def said(value: float) -> str:
        seconds = round(value * 3600)
        return f"{seconds // 3600}°{seconds // 60 % 60:02d}′{seconds % 60:02d}″"

    return _csv([[c, n, said(float(x)), said(float(y))] for c, n, x, y in _table()])


@fault(
    "own-csv-ragged", "ragged.csv", ROWS, rows_total=6, rows_good=5, rows_bad=1, reasons=["wrong_field_count"]
)
def _ragged() -> bytes:
    rows = _table()
    rows[5] = rows[5][:2]
    return _csv(rows)


@fault("own-csv-header-only", "empty.csv", FILE, reasons=["empty_file"])
def _header_only() -> bytes:
    return _csv([])


@fault("own-csv-gbk", "gbk.csv", REPAIR, also_ok=["accept"], **ALL, checks=[{"check": "name_roundtrip"}])
def _gbk() -> bytes:
    return _csv(_table(), encoding="gb18030")


@fault("own-csv-picture", "picture.csv", FILE, reasons=["not_text", "column_missing"])
def _picture() -> bytes:
    return b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4


@fault(
    "own-shp-gbk", "gbk.zip", REPAIR, also_ok=["accept"], **ALL, rows_repaired=6,
    reasons=["encoding_detected"], checks=[{"check": "name_roundtrip"}],
)  # fmt: skip
def _shp_gbk() -> bytes:
    return _zip({**_shapefile(PLACES, "gb18030"), "点.prj": PRJ})


@fault("own-shp-no-prj", "noprj.zip", FILE, **NONE, reasons=["crs_missing"])
def _shp_no_prj() -> bytes:
    return _zip({**_shapefile(PLACES, "utf-8"), "点.cpg": b"UTF-8"})


@fault("own-shp-no-dbf", "nodbf.zip", FILE, **NONE, reasons=["dbf_missing"])
def _shp_no_dbf() -> bytes:
    parts = _shapefile(PLACES, "utf-8")
    del parts["点.dbf"]
    return _zip({**parts, "点.prj": PRJ})


@fault("own-shp-cut", "cut.zip", FILE, also_ok=[ROWS], **NONE, reasons=["shp_truncated"])
def _shp_cut() -> bytes:
    parts = _shapefile(PLACES, "utf-8")
    return _zip({**parts, "点.shp": parts["点.shp"][:-40], "点.prj": PRJ, "点.cpg": b"UTF-8"})


@fault(
    "own-shp-deleted", "deleted.zip", REPAIR, also_ok=[ROWS], rows_total=6, rows_good=5, rows_bad=1,
    reasons=["deleted_rows_skipped"], checks=[{"check": "count_is", "n": 5}],
)  # fmt: skip
def _shp_deleted() -> bytes:
    return _zip({**_shapefile(PLACES, "utf-8", deleted=(2,)), "点.prj": PRJ, "点.cpg": b"UTF-8"})


@fault(
    "own-zip-slip", "slip.zip", FILE, **NONE, reasons=["unsafe_path"], checks=[{"check": "no_file_outside"}]
)
def _slip() -> bytes:
    parts = _shapefile(PLACES, "utf-8")
    return _zip({f"../../onemap-slip-{name}": content for name, content in parts.items()})


@fault(
    "own-zip-bomb",
    "bomb.zip",
    FILE,
    **NONE,
    reasons=["decompression_bomb"],
    checks=[{"check": "rss_below_mb", "mb": 900}],
)
def _bomb() -> bytes:
    return _zip({**_shapefile(PLACES, "utf-8"), "点.prj": PRJ, "白.dbf": bytes(120_000_000)})


@fault("own-gpkg-vrt", "points.gpkg", FILE, reasons=["not_a_gpkg"], checks=[{"check": "no_outbound"}])
def _vrt() -> bytes:
    layer = b'<OGRVRTLayer name="x"><SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer>'
    return b"<OGRVRTDataSource>" + layer + b"</OGRVRTDataSource>"


@fault(
    "own-kml-entity", "entity.kml", FILE, reasons=["xml_entity"], checks=[{"check": "no_file_content_leak"}]
)
def _entity() -> bytes:
    return (
        b'<?xml version="1.0"?><!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        b'<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><name>&x;</name><Point>'
        b"<coordinates>120.1,30.1</coordinates></Point></Placemark></Document></kml>"
    )
