"""Geometry as text, pasted or in a column: WKT, EWKT, WKB and EWKB in hexadecimal, pairs of coordinates.

Pasted text is one geometry a line; a WKT may go over several lines. Lines that begin with # are remarks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from gis.importing.issues import Issue, refused
from gis.importing.reading.formats.characters import coding_of, guess, is_foreign, text_lines
from gis.importing.reading.formats.coordinates import parse_pairs, point_wkb, shown
from gis.importing.reading.limits import limits
from gis.importing.reading.spool import Header, ReadOptions, Spool

__all__ = ["GeometryTexts", "parse_geometries", "read"]

_SRID = re.compile(r"\s*SRID\s*=\s*(\d{1,6})\s*;\s*", re.IGNORECASE)
_WORD = re.compile(r"\s*[A-Z]{3,20}\s*(Z|M|ZM)?\s*(\(|EMPTY)", re.IGNORECASE)
_HEX = re.compile(r"(\\x)?([0-9A-Fa-f]{2}){5,}")
_RING = re.compile(r"\(([^()]+)\)")
_TOO_DEEP = 64
_BATCH = 4096


@dataclass
class GeometryTexts:
    """What texts of geometry gave.

    ``wkb`` has ISO WKB or None for each text (blank, an empty point, or refused). ``faults`` maps a place to
    code and value; ``repairs`` lists place, code, value and original. ``srids`` are those that texts state.
    """

    wkb: list[bytes | None]
    faults: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    repairs: list[tuple[int, str, str | None, str]] = field(default_factory=list)
    srids: set[int] = field(default_factory=set)

    def issues(self, name: str | None, first: int) -> list[Issue]:
        """The findings as issues of the column ``name``, whose first text is that of row ``first``."""
        faults = [Issue(first + at, name, value, code) for at, (code, value) in self.faults.items()]
        return faults + [
            Issue(first + at, name, value, code, "repair", original)
            for at, code, value, original in self.repairs
        ]

    def crs(self) -> str | None:
        """The one CRS that the texts state, as authority code; None for none or several."""
        named = self.srids - {0}
        return f"EPSG:{named.pop()}" if len(named) == 1 else None


def parse_geometries(texts: Sequence[str | None]) -> GeometryTexts:
    """Geometry of each text, in x,y as it stands.

    Z and M are dropped, unclosed rings closed, collections of one family made one multiple geometry.

    Faults: wkt_unreadable, zero_area, too_deep, too_many_vertices, coordinate_not_finite,
    coordinate_wrong_axis.
    """
    found = GeometryTexts([None] * len(texts))
    pairs: list[int] = []
    shapes: dict[int, Any] = {}
    for at, text in enumerate(texts):
        if text is None or not text.strip():
            continue
        srid = _SRID.match(text)
        if srid:
            found.srids.add(int(srid[1]))
        body = (text[srid.end() :] if srid else text).strip()
        hexadecimal = _HEX.fullmatch(body) is not None
        if not hexadecimal and not _WORD.match(body):
            pairs.append(at)
            continue
        if fault := _too_much(body, hexadecimal):
            found.faults[at] = fault
            continue
        shape = _from_hex(body, found) if hexadecimal else _from_words(body, at, found)
        if shape is None:
            found.faults[at] = ("wkt_unreadable", shown(text))
        else:
            shapes[at] = shape
    _take_pairs(texts, pairs, found)
    with np.errstate(all="ignore"):
        _take_shapes(shapes, found)
    return found


def _too_much(body: str, hexadecimal: bool) -> tuple[str, str] | None:
    """What a parser written in C should not be given."""
    most = limits().vertices
    if hexadecimal:
        nested = max(body.count(code) for code in ("0107000000", "0000000007", "01EF030000", "01ef030000"))
        count = len(body) // 32
    else:
        nested, depth = 0, 0
        for bracket in re.findall(r"[()]", body):
            depth += 1 if bracket == "(" else -1
            nested = max(nested, depth)
        count = body.count(",") + 1
    if nested > _TOO_DEEP:
        return "too_deep", f"{nested} > {_TOO_DEEP}"
    return ("too_many_vertices", f"{count} > {most}") if count > 2 * most else None


def _from_hex(body: str, found: GeometryTexts) -> Any:
    shape = shapely.from_wkb(body.removeprefix("\\x"), on_invalid="ignore")
    if shape is not None and shapely.get_srid(shape):
        found.srids.add(int(shapely.get_srid(shape)))
    return shape


def _from_words(body: str, at: int, found: GeometryTexts) -> Any:
    shape = _from_wkt(body)
    if shape is not None or not re.search("POLYGON", body, re.IGNORECASE):
        return shape
    shape = _from_wkt(_RING.sub(_closed, body))
    if shape is not None:
        found.repairs.append((at, "ring_closed", None, body))
    return shape


def _from_wkt(body: str) -> Any:
    with np.errstate(all="ignore"):  # a number beyond float64 is told later, as infinite
        return shapely.from_wkt(body, on_invalid="ignore")


def _closed(ring: re.Match[str]) -> str:
    """The text of a ring with its first position at the end, if it is not there."""
    positions = [" ".join(p.split()) for p in ring[1].split(",")]
    if len(positions) < 3 or positions[0] == positions[-1]:
        return ring[0]
    return "(" + ",".join([*positions, positions[0]]) + ")"


def _take_pairs(texts: Sequence[str | None], places: Sequence[int], found: GeometryTexts) -> None:
    if not places:
        return
    x, y = parse_pairs(pa.array([texts[at] for at in places], pa.string()), y_first=False)
    for at, wkb in zip(places, point_wkb(x.values, y.values).to_pylist(), strict=True):
        found.wkb[at] = wkb
    for place, code in x.refused.items():
        text = texts[places[place]]
        code = "wkt_unreadable" if code == "coordinate_not_number" else code
        found.faults[places[place]] = (code, shown(text))
    for place, original in x.parsed.items():
        value = f"{x.values[place]!r},{y.values[place]!r}"
        found.repairs.append((places[place], "coordinate_parsed", value, original))


def _take_shapes(shapes: dict[int, Any], found: GeometryTexts) -> None:
    for at, shape in shapes.items():
        coordinates = shapely.get_coordinates(shape)
        if shapely.get_type_id(shape) > 7:
            found.faults[at] = ("wkt_unreadable", shape.geom_type)
        elif not np.isfinite(coordinates).all():
            found.faults[at] = (
                "coordinate_not_finite",
                shown(str(coordinates[~np.isfinite(coordinates)][0])),
            )
        elif "Polygon" in shape.geom_type and len(coordinates) and shapely.convex_hull(shape).area == 0:
            found.faults[at] = ("zero_area", str(len(np.unique(coordinates, axis=0))))
        elif len(coordinates) > limits().vertices:
            found.faults[at] = ("too_many_vertices", f"{len(coordinates)} > {limits().vertices}")
        elif not (shape.geom_type == "Point" and shape.is_empty):
            flat = shapely.force_2d(_flattened(shape, at, found))
            found.wkb[at] = shapely.to_wkb(flat, byte_order=1, flavor="iso", include_srid=False)


def _flattened(shape: Any, at: int, found: GeometryTexts) -> Any:
    """A collection of one family as one multiple geometry; any other geometry as it is."""
    if shape.geom_type != "GeometryCollection":
        return shape
    singles = [shape]
    while any(hasattr(s, "geoms") for s in singles):
        singles = [part for s in singles for part in (s.geoms if hasattr(s, "geoms") else (s,))]
    families = {single.geom_type for single in singles}
    if len(families) != 1:
        return shape
    family = families.pop()
    make: dict[str, Any] = {
        "Point": shapely.multipoints,
        "LineString": shapely.multilinestrings,
        "Polygon": shapely.multipolygons,
    }
    if family not in make:
        return shape
    found.repairs.append((at, "collection_flattened", "Multi" + family, shapely.to_wkb(shape, hex=True)))
    return make[family](singles)


def read(path: Path, options: ReadOptions, spool: Spool) -> Header:
    """Read pasted geometry; one column, "text", with the line itself when it is short.

    ``declared_crs`` is what SRID= says, when all that say one say the same. Raises refused("empty_file").
    """
    coding = coding_of(path, options.encoding)
    srids: set[int] = set()
    hexadecimal = None
    with closing(text_lines(path, coding)) as lines:
        for texts in _batches(_statements(lines)):
            foreign = {at: text for at, text in enumerate(texts) if is_foreign(text)}
            found = parse_geometries([None if at in foreign else text for at, text in enumerate(texts)])
            found.faults.update({at: ("encoding", shown(guess(text))) for at, text in foreign.items()})
            if hexadecimal is None:
                hexadecimal = _HEX.fullmatch(texts[0].strip()) is not None
            spool.issues.extend(found.issues(None, spool.rows))
            srids |= found.srids
            spool.add(pa.array(found.wkb, pa.binary()), [], [])
    if spool.rows == 0:
        raise refused("empty_file", value=path.name)
    crs = GeometryTexts([], srids=srids).crs()
    return Header("wkb" if hexadecimal else "wkt", encoding=coding.name, declared_crs=crs)


def _statements(lines: Iterator[str]) -> Iterator[str]:
    """Lines joined until their brackets close; without blank lines and remarks, and a ; at the end."""
    held: list[str] = []
    depth = 0
    for line in lines:
        line = line.strip().lstrip("\ufeff")
        if not held and (not line or line.startswith("#")):
            continue
        if held and _WORD.match(line) and depth > 0 and not held[-1].endswith((",", "(")):
            # A geometry begins within another: the one before is not complete.
            yield " ".join(held)
            held, depth = [], 0
        held.append(line)
        depth += line.count("(") - line.count(")")
        if depth <= 0:
            yield " ".join(held).rstrip("; \t")
            held, depth = [], 0
    if held:
        yield " ".join(held)


def _batches(texts: Iterator[str]) -> Iterator[list[str]]:
    held: list[str] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if len(held) >= _BATCH or size > 32 << 20:
            yield held
            held, size = [], 0
    if held:
        yield held
