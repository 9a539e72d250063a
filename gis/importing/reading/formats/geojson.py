"""GeoJSON (RFC 7946), with the older crs member, and sequences of it (RFC 8142, or one record a line).

A collection is read feature by feature, whatever its size. Conventions where the standard leaves a choice:
the member "id" of a feature becomes the column "id", unless a feature has a property of that name; objects
and lists in properties become JSON text; Z is dropped; without a crs the file is OGC:CRS84 by its standard.
A feature nested deeper than the limit is a refused row; beyond what a parser can bear, the file is refused.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import orjson

from gis.importing.issues import Issue, refused
from gis.importing.reading.formats import shapes
from gis.importing.reading.formats.characters import Coding, byte_chunks, coding_of, guess
from gis.importing.reading.formats.coordinates import shown
from gis.importing.reading.formats.drafts import Drafts
from gis.importing.reading.formats.features import MOST_BYTES, Splitter, depth_of
from gis.importing.reading.formats.shapes import Malformed, Shape
from gis.importing.reading.limits import limits
from gis.importing.reading.spool import Header, ReadOptions, Spool

__all__ = ["read"]

_SINGLE = {"Point", "LineString", "Polygon"}
_GEOMETRIES = _SINGLE | {"Multi" + name for name in _SINGLE} | {"GeometryCollection"}
_CRS84 = "OGC:CRS84"
_POINT = struct.Struct("<BIdd")
_BEYOND_64 = 1.8e19  # where orjson turns whole numbers into fractions


def read(path: Path, options: ReadOptions, spool: Spool) -> Header:
    """Read GeoJSON or a sequence of it.

    Returns the header with ``declared_crs`` as the file states it, else "OGC:CRS84". Raises
    refused("not_json" | "not_geojson" | "too_deep" | "crs_unknown" | "too_many_columns" | "empty_file" |
    "encoding_unknown").
    """
    coding = coding_of(path, options.encoding)
    rows = _Rows(spool, coding)
    if _is_sequence(path, coding):
        crs = _read_sequence(path, coding, rows)
    else:
        crs = _read_document(path, coding, rows)
    if rows.drafts.rows == 0:
        raise refused("empty_file", value=path.name)
    columns = rows.drafts.finish()
    name = "geojsonseq" if rows.sequence else "geojson"
    return Header(name, encoding=coding.name, declared_crs=crs, columns=columns)


def _is_sequence(path: Path, coding: Coding) -> bool:
    """Does the file begin with the separator of RFC 8142, or hold something after its first document?"""
    head = next(byte_chunks(path, coding), b"").lstrip()
    if head.startswith(b"\x1e"):
        return True
    if not head.startswith(b"{"):
        raise refused(
            "empty_file" if not head else "not_json", value=shown(guess_bytes(head[:40])) or path.name
        )
    splitter = Splitter()
    with closing(byte_chunks(path, coding)) as chunks:
        for _ in splitter.split(chunks):
            return False
    return splitter.done and splitter.after


def guess_bytes(raw: bytes) -> str:
    """Bytes for a message."""
    return guess(raw.decode("utf-8", "surrogateescape"))


# --- one document ---


def _read_document(path: Path, coding: Coding, rows: _Rows) -> str | None:
    splitter = Splitter()
    with closing(byte_chunks(path, coding)) as chunks:
        for text, size in splitter.split(chunks):
            rows.add_text(text, size)
    if splitter.after or not splitter.done:
        why = "extra content" if splitter.after else "unexpected end"
        raise refused("not_json", value=f"{why} ({path.name})")
    rest = _strict(bytes(splitter.rest))
    if not isinstance(rest, dict):
        raise refused("not_geojson", value=path.name)
    kind, crs = rest.get("type"), _frame(rest) or _crs(rest.get("crs"))
    if kind == "FeatureCollection":
        listed = rest.get("features")
        if not isinstance(listed, list) or any(each != {} for each in listed):
            raise refused("not_geojson", value=path.name)
        if len(listed) != rows.drafts.rows:
            raise refused("not_geojson", value=path.name)  # a second list "features"
        if rows.features == 0 and listed:
            raise refused("not_geojson", value=path.name)
    elif (kind == "Feature" or kind in _GEOMETRIES) and rows.drafts.rows == 0:
        rows.add_text(bytes(splitter.rest), len(splitter.rest))
    else:
        raise refused("not_geojson", value=path.name)
    return crs


def _strict(text: bytes) -> Any:
    """JSON as RFC 8259 has it. Raises refused("not_json")."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass  # orjson refuses some that is JSON: numbers beyond float64, half characters
    try:
        return json.loads(text, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise refused("not_json", value=f"{error.reason} ({shown(guess_bytes(text[:200]))})") from error
    except ValueError as error:
        raise refused("not_json", value=str(error)) from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _frame(rest: dict[str, Any]) -> str | None:
    """The frame that an export of onemap states: one that agrees with WGS 84, whose numbers these are."""
    facts = rest.get("onemap") if "crs" not in rest else None
    frame = facts.get("frame") if isinstance(facts, dict) else None
    return frame if isinstance(frame, str) and re.fullmatch(r"EPSG:\d{4,6}", frame) else None


def _crs(member: Any) -> str | None:
    """What the crs member of GeoJSON 2008 states; a link is never followed.

    The name is passed on; whether it is known is for the placing to say. Raises refused("crs_unknown").
    """
    if member is None:
        return _CRS84
    properties = member.get("properties") if isinstance(member, dict) else None
    properties = properties if isinstance(properties, dict) else {}
    if isinstance(member, dict) and str(member.get("type")).upper() == "EPSG":
        properties = {"name": f"EPSG:{properties.get('code')}"}
    name = properties.get("name")
    if not isinstance(name, str) or not name.strip() or len(name) > 5000:
        raise refused("crs_unknown", value=shown(json.dumps(member, ensure_ascii=False)) or "")
    parts = name.strip().split(":")
    if len(parts) >= 6 and [p.lower() for p in parts[:4]] == ["urn", "ogc", "def", "crs"]:
        return f"{parts[4]}:{parts[-1]}"
    return _CRS84 if name.strip().upper() == "CRS84" else name.strip()


# --- a sequence ---


def _read_sequence(path: Path, coding: Coding, rows: _Rows) -> str | None:
    """Each record is a row; one that is no JSON is a refused row (RFC 8142, 2.1: readers go on)."""
    rows.sequence = True
    with closing(byte_chunks(path, coding)) as chunks:
        for text, size in _records(chunks):
            if text is not None and (depth := depth_of(text)) > limits().json_depth:
                rows.refuse("too_deep", f"{depth} > {limits().json_depth}")
                continue
            rows.add_text(text, size)
    if rows.features == 0:
        raise refused("not_geojson", value=path.name)
    return _CRS84


def _records(chunks: Iterator[bytes]) -> Iterator[tuple[bytes | None, int]]:
    """The records between separators, blank ones left out; None for one beyond `MOST_BYTES`."""
    first = next(chunks, b"")
    mark = b"\x1e" if first.lstrip().startswith(b"\x1e") else b"\n"
    held, size = bytearray(), 0
    for chunk in chain([first], chunks, [mark]):
        *ended, last = chunk.split(mark)
        for part in ended:
            if size + len(part) > MOST_BYTES:
                yield None, size + len(part)
            elif record := (bytes(held) + part).strip():
                yield record, len(record)
            held.clear()
            size = 0
        size += len(last)
        if size <= MOST_BYTES:
            held += last
        else:
            held.clear()


# --- features ---


class _Rows:
    """Takes the text of one feature after another to the drafts."""

    def __init__(self, spool: Spool, coding: Coding) -> None:
        self.spool, self.drafts = spool, Drafts(spool)
        self.detected = coding.name if coding.codec != "utf-8" else None
        self.sequence = False
        self.features = 0  # records that were a Feature or a geometry
        self._depth, self._vertices = limits().json_depth, limits().vertices
        self._names: set[str] = set()  # names of properties that need no change

    def refuse(self, code: str, value: str | None, values: dict[str, Any] | None = None) -> None:
        """A row without geometry and an error."""
        row = self.drafts.add(None, values)
        self.spool.issues.append(Issue(row, None, shown(value), code))

    def add_text(self, text: bytes | None, size: int) -> None:
        """The row of one feature's text."""
        if text is None:
            self.features += 1
            return self.refuse("feature_too_large", f"{size >> 20} MB > {MOST_BYTES >> 20} MB")
        lists = text.count(b"[")
        if lists > 2 * self._vertices:
            # Before a parser makes lists of them: no geometry needs more brackets for its positions.
            self.features += 1
            return self.refuse("too_many_vertices", f"> {self._vertices}")
        try:
            feature = self._parse(text)
        except UnicodeDecodeError:
            self.features += 1
            return self.refuse("encoding", guess_bytes(text[:200]))
        if self.detected is not None and not text.isascii():
            row = self.drafts.rows
            self.spool.issues.append(Issue(row, None, self.detected, "encoding_detected", "repair"))
        if isinstance(feature, str):
            return self.refuse("feature_malformed", feature)
        return self._add(feature, text, lists)

    def _parse(self, text: bytes) -> Any:
        """The feature; in a sequence a text for what is no JSON. Raises refused("not_json") in a document."""
        try:
            feature = orjson.loads(text)
            if not _rounded(feature):
                return feature
        except orjson.JSONDecodeError:
            pass
        try:
            return json.loads(text.decode("utf-8"), parse_constant=_no_constant)
        except UnicodeDecodeError:
            raise
        except (ValueError, RecursionError) as error:
            if self.sequence:
                return str(error)
            raise refused("not_json", value=f"{error} ({shown(guess_bytes(text[:60]))})") from error

    def _add(self, feature: Any, text: bytes, lists: int) -> None:
        kind = feature.get("type") if isinstance(feature, dict) else None
        if kind in _GEOMETRIES:
            feature = {"type": "Feature", "properties": {}, "geometry": feature}
        elif kind != "Feature":
            return self.refuse("feature_malformed", guess_bytes(text[:60]))
        self.features += 1
        values = feature.get("properties")
        if values is None:
            values = {}
        elif type(values) is not dict:
            return self.refuse("feature_malformed", f"properties: {values!r}")
        if not values.keys() <= self._names:
            values = self._named(values)
        if "id" in feature and "id" not in values:
            values["id"] = feature["id"]
        if lists + text.count(b"{") > self._depth and (depth := depth_of(text)) > self._depth:
            return self.refuse("too_deep", f"{depth} > {self._depth}", values)
        geometry = feature.get("geometry")
        wkb = _plain_point(geometry)
        if wkb is not None:
            self.drafts.add(wkb, values)
            return None
        try:
            shape = _shape(geometry, exact=b"true" in text or b"false" in text)
        except Malformed as fault:
            return self.refuse(fault.code, fault.value, values)
        row = self.drafts.add(shape.wkb if shape else None, values)
        if shape:
            self.spool.issues.extend(shape.issues(row))
        return None

    def _named(self, values: dict[str, Any]) -> dict[str, Any]:
        """The properties under names that can be stored."""
        clean = {_clean(name): value for name, value in values.items()}
        self._names.update(name for name in values if name in clean)
        return clean


def _clean(name: str) -> str:
    return name.replace("\0", "").encode("utf-8", "replace").decode() or "column"


def _rounded(feature: Any) -> bool:
    """May a property be a whole number that lost digits?"""
    if type(feature) is not dict:
        return False
    properties = feature.get("properties")
    held = [*properties.values()] if type(properties) is dict else []
    held.append(feature.get("id"))
    for value in held:
        kind = type(value)
        if kind is float and not -_BEYOND_64 < value < _BEYOND_64:
            return True
        if (kind is dict or kind is list) and "e+" in repr(value):
            return True
    return False


# --- geometry ---


def _plain_point(geometry: Any) -> bytes | None:
    """WKB of the geometry object when it is a point of finite fractions, as most are; else None."""
    if type(geometry) is not dict or geometry.get("type") != "Point":
        return None
    raw = geometry.get("coordinates")
    if type(raw) is not list or len(raw) < 2 or type(raw[0]) is not float or type(raw[1]) is not float:
        return None
    x, y = raw[0], raw[1]
    return _POINT.pack(1, 1, x, y) if x - x == 0 and y - y == 0 else None


def _shape(geometry: Any, exact: bool) -> Shape | None:
    """The geometry object as a shape; None for null and for an empty point. Raises `Malformed`."""
    if geometry is None:
        return None
    if not isinstance(geometry, dict) or geometry.get("type") not in _GEOMETRIES:
        raise Malformed("feature_malformed", f"geometry: {str(geometry)[:60]}")
    shape = (
        _collection(geometry, exact) if geometry["type"] == "GeometryCollection" else _simple(geometry, exact)
    )
    return shapes.bounded(shape) if shape else None


def _collection(geometry: dict[str, Any], exact: bool) -> Shape | None:
    members = geometry.get("geometries")
    if not isinstance(members, list):
        raise Malformed("bad_position", "geometries")
    return shapes.collected([part for member in members if (part := _shape(member, exact)) is not None])


def _simple(geometry: dict[str, Any], exact: bool) -> Shape | None:
    kind, raw = geometry["type"], geometry.get("coordinates")
    family = kind.removeprefix("Multi")
    if not isinstance(raw, list):
        raise Malformed("bad_position", f"coordinates: {str(raw)[:60]}")
    if kind == family:
        return _part(family, raw, exact)
    if family == "Point":
        return shapes.multi("Point", [shapes.point(x, y) for x, y in shapes.positions(raw, exact).tolist()])
    parts = [_part(family, each, exact) for each in raw]
    return shapes.multi(family, [part for part in parts if part is not None])


def _part(family: str, raw: Any, exact: bool) -> Shape | None:
    if not isinstance(raw, list):
        raise Malformed("bad_position", str(raw)[:60])
    if family == "Point":
        if raw == []:
            return None
        if len(raw) < 2:
            raise Malformed("bad_position", str(raw)[:60])
        return shapes.point(raw[0], raw[1])
    if family == "LineString":
        return shapes.line(shapes.positions(raw, exact))
    return shapes.polygon([shapes.positions(ring, exact) for ring in raw])
