"""KML (OGC 12-007r2), Placemark by Placemark; the document of a KMZ comes unpacked.

The parser is expat itself with the checks of defusedxml: a DOCTYPE ends the reading before any entity is
declared, and depth is counted before anything is built. Links (NetworkLink, icons) are never followed.
Columns: name, description, address, phoneNumber, when, begin, end and folder as they occur, then the data of
ExtendedData under its own names; all of it is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from gis.importing.issues import Issue, refused
from gis.importing.reading.formats import shapes
from gis.importing.reading.formats.characters import byte_chunks, coding_of
from gis.importing.reading.formats.coordinates import shown
from gis.importing.reading.formats.drafts import Drafts
from gis.importing.reading.formats.features import MOST_BYTES
from gis.importing.reading.formats.shapes import Malformed, Shape
from gis.importing.reading.limits import limits
from gis.importing.reading.spool import Header, ReadOptions, Spool

__all__ = ["read"]

_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([^\"']{1,40})[\"']")
_GEOMETRIES = {"Point", "LineString", "LinearRing", "Polygon", "MultiGeometry"}
_TEXTS = {"name", "description", "address", "phoneNumber", "Snippet"}
_CONTAINERS = {"Document", "Folder"}
_NUMBERS = re.compile(r"[0-9eE+\-.,\s]*")
_PLAIN = re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?),([+-]?[0-9]+(?:\.[0-9]*)?)(?:,[+-]?[0-9]+(?:\.[0-9]*)?)?")
_COMMA = re.compile(r"\s*,\s*")


def read(path: Path, options: ReadOptions, spool: Spool) -> Header:
    """Read the Placemarks of a KML document; its CRS is OGC:CRS84 by the standard, heights are dropped.

    Raises
    ------
    ImportRefused
        xml_entity, not_xml, not_kml, too_deep, encoding_unknown, too_many_columns, empty_file.
    """
    with path.open("rb") as file:
        head = file.read(1024).replace(b"\0", b"")
    match = _DECLARED.search(head)
    declared = match[1].decode("ascii", "replace").lower() if match else "utf-8"
    unicode = declared.replace("_", "-") in ("utf-8", "utf8", "utf-16", "utf16", "us-ascii", "ascii")
    said = options.encoding or (None if unicode else declared)
    coding = coding_of(path, said)
    detected = coding.name if said is None and coding.codec == "gb18030" else None
    document = _Document(spool, Drafts(spool), detected)
    with closing(byte_chunks(path, coding)) as chunks:
        _parse(chunks, document, path.name)
    if document.drafts.rows == 0:
        raise refused("empty_file", value=path.name)
    columns = document.drafts.finish()
    return Header("kml", encoding=coding.name, declared_crs="OGC:CRS84", columns=columns)


def _parse(chunks: Iterator[bytes], document: _Document, name: str) -> None:
    # The bytes come as UTF-8 whatever the declaration says.
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = document.start
    parser.EndElementHandler = document.end
    parser.CharacterDataHandler = document.text
    parser.StartDoctypeDeclHandler = _no_entities
    parser.EntityDeclHandler = _no_entities
    parser.UnparsedEntityDeclHandler = _no_entities
    parser.ExternalEntityRefHandler = _no_entities
    try:
        for chunk in chunks:
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        told = f"{expat.ErrorString(error.code)} ({error.lineno}:{error.offset})"
        raise refused("not_xml", value=told) from error


def _no_entities(*_: Any) -> NoReturn:
    raise refused("xml_entity")


@dataclass
class _Node:
    """An element within a Placemark."""

    tag: str
    attributes: dict[str, str]
    texts: list[str] = field(default_factory=list)
    children: list[_Node] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.texts).strip()

    def first(self, tag: str) -> _Node | None:
        return next((child for child in self.children if child.tag == tag), None)


@dataclass
class _Document:
    """Follows the elements of the document and makes a row of each Placemark."""

    spool: Spool
    drafts: Drafts
    detected: str | None
    _open: list[str] = field(default_factory=list)
    _folders: list[str] = field(default_factory=list)
    _nodes: list[_Node] = field(default_factory=list)  # from the Placemark down to where we are
    _name: list[str] | None = None  # the name of a folder, while it is read
    _size: int = 0
    _depth: int = field(default_factory=lambda: limits().json_depth)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if not self._open and tag.lower() not in ("kml", "document", "folder", "placemark"):
            raise refused("not_kml", value=f"<{shown(tag, 40)}>")
        if len(self._open) >= self._depth:
            raise refused("too_deep", value=f"> {self._depth}")
        if self._nodes or tag == "Placemark":
            node = _Node(tag, attributes)
            if self._nodes:
                self._nodes[-1].children.append(node)
            self._nodes.append(node)
        elif tag in _CONTAINERS:
            self._folders.append("")
        elif tag == "name" and self._open and self._open[-1] == "Folder":
            self._name = []
        self._open.append(tag)

    def text(self, data: str) -> None:
        if self._nodes:
            self._size += len(data)
            if self._size <= MOST_BYTES:
                self._nodes[-1].texts.append(data)
        elif self._name is not None:
            self._name.append(data)

    def end(self, tag: str) -> None:
        tag = self._open.pop()
        if self._nodes:
            node = self._nodes.pop()
            if not self._nodes:
                self._placemark(node)
        elif tag in _CONTAINERS:
            self._folders.pop()
        elif self._name is not None and tag == "name":
            self._folders[-1] = "".join(self._name).strip()
            self._name = None

    def _placemark(self, node: _Node) -> None:
        size, self._size = self._size, 0
        values = _attributes(node)
        folder = "/".join(name for name in self._folders if name)
        if folder and "folder" not in values:
            values["folder"] = folder
        row = self.drafts.rows
        if self.detected is not None and any(not str(v).isascii() for v in values.values()):
            self.spool.issues.append(Issue(row, None, self.detected, "encoding_detected", "repair"))
        try:
            if size > MOST_BYTES:
                raise Malformed("feature_too_large", f"{size >> 20} MB > {MOST_BYTES >> 20} MB")
            shape = _geometry(node)
        except Malformed as fault:
            self.drafts.add(None, values)
            self.spool.issues.append(Issue(row, None, shown(fault.value), fault.code))
            return
        self.drafts.add(shape.wkb if shape else None, values)
        if shape:
            self.spool.issues.extend(shape.issues(row))


# --- attributes ---


def _attributes(node: _Node) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for child in node.children:
        if child.tag in _TEXTS:
            values.setdefault(child.tag, child.text or None)
        elif child.tag in ("TimeStamp", "TimeSpan"):
            values.update({each.tag: each.text or None for each in child.children})
    if "id" in node.attributes:
        values["id"] = node.attributes["id"]
    for name, value in _data(node):
        name = name.strip() or "value"
        if name in values and values[name] not in (None, value):
            # Data of the same name as an element of KML, or twice: kept beside it.
            name = next(f"{name}_{n}" for n in range(2, 10_000) if f"{name}_{n}" not in values)
        values[name] = value
    return values


def _data(node: _Node) -> Iterator[tuple[str, str | None]]:
    for extended in node.children:
        if extended.tag != "ExtendedData":
            continue
        for child in extended.children:
            if child.tag == "Data":
                value = child.first("value")
                yield child.attributes.get("name", ""), (value.text if value else child.text) or None
            elif child.tag == "SchemaData":
                for each in child.children:
                    yield each.attributes.get("name", each.tag), each.text or None
            else:
                yield child.tag, child.text or None


# --- geometry ---


def _geometry(node: _Node) -> Shape | None:
    found = [child for child in node.children if child.tag in _GEOMETRIES]
    if not found:
        return None
    shape = _shape(found[0]) if len(found) == 1 else _several(found)
    return shapes.bounded(shape)


def _shape(node: _Node) -> Shape:
    if node.tag == "MultiGeometry":
        return _several([child for child in node.children if child.tag in _GEOMETRIES])
    if node.tag == "Polygon":
        return shapes.polygon(list(_rings(node)))
    if node.tag == "Point" and (found := node.first("coordinates")) and (m := _PLAIN.fullmatch(found.text)):
        return shapes.point(float(m[1]), float(m[2]))  # as most are
    array = _coordinates(node)
    if node.tag == "Point":
        if len(array) != 1:
            raise Malformed("bad_position", f"{len(array)} positions")
        return shapes.point(float(array[0, 0]), float(array[0, 1]))
    return shapes.line(array)


def _several(nodes: list[_Node]) -> Shape:
    """KML has no other multiple geometry than this: one family is nothing to mend."""
    parts = [_shape(node) for node in nodes]
    if not parts:
        raise Malformed("bad_position", "MultiGeometry")
    families = {part.family for part in parts}
    if len(families) > 1 or "" in families:
        return shapes.collected(parts)
    singles = [single for part in parts for single in (part.parts if part.parts is not None else (part,))]
    return shapes.multi(families.pop(), singles)


def _rings(polygon: _Node) -> Iterator[NDArray[np.float64]]:
    outer = [child for child in polygon.children if child.tag == "outerBoundaryIs"]
    inner = [child for child in polygon.children if child.tag == "innerBoundaryIs"]
    if len(outer) != 1:
        raise Malformed("bad_position", f"{len(outer)} outerBoundaryIs")
    for boundary in outer + inner:
        # Several rings in one innerBoundaryIs are against the schema, and written all the same.
        rings = [child for child in boundary.children if child.tag == "LinearRing"]
        if not rings:
            raise Malformed("bad_position", boundary.tag)
        for ring in rings:
            yield _coordinates(ring)


def _coordinates(node: _Node) -> NDArray[np.float64]:
    """The (n, 2) positions of a geometry, at least one."""
    found = node.first("coordinates")
    text = _COMMA.sub(",", found.text) if found else ""
    tuples = text.split()
    if not tuples:
        raise Malformed("bad_position", "")
    if len(tuples) > limits().vertices:
        raise Malformed("too_many_vertices", f"{len(tuples)} > {limits().vertices}")
    if not _NUMBERS.fullmatch(text):
        word = next(t for t in tuples if not _NUMBERS.fullmatch(t))
        infinite = re.search(r"nan|inf", word, re.IGNORECASE) is not None
        raise Malformed("coordinate_not_finite" if infinite else "bad_position", shown(word))
    try:
        array = np.array([_pair(each) for each in tuples], dtype=np.float64)
    except ValueError as error:
        raise Malformed("bad_position", shown(str(error))) from error
    if not np.isfinite(array).all():
        raise Malformed("coordinate_not_finite", shown(text))
    return array


def _pair(position: str) -> tuple[float, float]:
    numbers = position.split(",")
    if len(numbers) not in (2, 3, 4):
        raise Malformed("bad_position", shown(position))
    return float(numbers[0]), float(numbers[1])
