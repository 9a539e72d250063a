"""From what somebody sends to the row that the store is to hold: checked as an import checks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import Engine

from gis.editing.documents import Document
from gis.editing.errors import RowRefused
from gis.editing.findings import Finding, finding
from gis.editing.held import Held
from gis.editing.places import Geometries, place
from gis.errors import AccessError
from gis.features import TIME_PROPERTIES
from gis.importing.checks import ROW_VALUES, check_columns
from gis.importing.issues import Issue
from gis.importing.values import ARROW, array_of
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["READ_ONLY", "Row", "as_row"]

READ_ONLY = ("uid", "source", "is_demonstration", "rev_from")
"""Properties of an item that the store writes; in what is sent they say nothing."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ONE = np.zeros(1, dtype=np.int64)
# A B-tree takes entries of some 2,700 bytes.
_MOST_KEY_BYTES = 1_000


@dataclass(frozen=True)
class Row:
    """A row as `gis.importing.stage.Stage` takes it, and what there is to say of it."""

    values: dict[str, pa.Array]
    geometry: Geometries | None
    findings: tuple[Finding, ...]


def as_row(
    engine: Engine,
    definition: MapDefinition,
    seen: Layer,
    document: Document,
    held: Held | None,
    *,
    most_vertices: int,
) -> Row:
    """The row that ``document`` makes, of a new item or of the one ``held``.

    ``seen`` is the layer as whoever asks sees it: fields that are hidden from them stay as they are held.

    Raises
    ------
    RowRefused
        With all that was found.
    AccessError
        For a new item of which a required field is hidden.
    """
    layer = definition.whole.layers[seen.id]
    given, found = _read(seen, document.properties)
    found += _of_time(seen, document, given)
    wrong = {each.field for each in found}
    hidden = {field.name for field in layer.fields} - {field.name for field in seen.fields}
    _require_whole(layer, hidden, held)
    values, more = check_columns(layer, {name: array_of([value]) for name, value in given.items()}, _ONE)
    found += [finding(each, layer) for each in more if each.field not in wrong | hidden]
    for name in hidden:
        values[name] = pa.array([held.values[name] if held else None], ARROW[layer.field(name).type])
    found += _keys(layer, values, held)
    geometry = None
    if layer.has_geometry:
        geometry, values, placed = place(
            engine, definition, layer, document, values, held, most_vertices=most_vertices,
            doubted=any(each.severity == "error" for each in found),
        )  # fmt: skip
        found += placed
    elif document.geometry is not None:
        found.append(finding(Issue(0, "geom", None, "geometry_not_held"), layer))
    if any(each.severity == "error" for each in found):
        raise RowRefused(found)
    return Row(values, geometry, tuple(found))


def _of_time(seen: Layer, document: Document, given: dict[str, Any]) -> list[Finding]:
    """Put what JSON-FG's "time" says, the days in which the item holds in law, among the values ``given``."""
    if document.time is None:
        return []
    day = document.time.get("date")
    told = document.time.get("interval", [day, day])
    try:
        ends = [None if end in ("..", None) else _typed("date", end) for end in told]
        start, end = ends
    except (TypeError, ValueError):
        return [finding(Issue(0, "time", _shown(dict(document.time)), "wrong_type"), seen, "interval")]
    for name, said in zip(TIME_PROPERTIES, (start, end), strict=True):
        if document.properties.get(name) is not None and given.get(name) != said:
            return [finding(Issue(0, name, _shown(told), "time_contradicts"), seen)]
        if said is not None:
            given[name] = said
    return []


def _read(seen: Layer, properties: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """Values of the layer's own types by name, and what is wrong with the others."""
    known = {field.name: field.type for field in seen.stored_fields} | ROW_VALUES
    given: dict[str, Any] = {}
    found: list[Finding] = []
    for name, value in properties.items():
        if name in READ_ONLY:
            continue
        if name not in known:
            found.append(finding(Issue(0, name[:80], None, "property_unknown"), seen, ", ".join(known)))
        elif value is not None:
            try:
                given[name] = _typed(known[name], value)
            except (ValueError, OverflowError):
                expected = ROW_VALUES.get(name, "")
                found.append(finding(Issue(0, name, _shown(value), "wrong_type"), seen, expected))
    return given, found


def _shown(value: Any) -> str:
    return str(value)[:200].replace("\0", "\\0")


def _typed(kind: str, value: Any) -> Any:
    """``value`` of JSON as one of ``kind``; ValueError when it is of another."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind in ("text", "enum") and isinstance(value, str) and "\0" not in value:
        return value
    if kind == "number" and number:
        return float(value)
    if kind == "integer" and number and value == int(value) and -(2**63) <= value < 2**63:
        return int(value)
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind == "date" and isinstance(value, str) and _DAY.fullmatch(value):
        return date.fromisoformat(value)
    if kind == "datetime" and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    raise ValueError(value)


def _require_whole(layer: Layer, hidden: set[str], held: Held | None) -> None:
    """A new item needs a value in each required field; nobody writes one that is hidden from them."""
    needed = sorted(name for name in hidden if layer.field(name).required)
    if held is None and needed:
        raise AccessError(
            f"A new item of {layer.id} needs values that your role does not see.",
            f"新建 {layer.id} 的要素需要填写您的角色看不到的属性。",
            remedy_en="Let somebody create it who sees all of the layer.",
            remedy_zh="请由能查看该图层全部属性的人员新建。",
        )


def _keys(layer: Layer, values: Mapping[str, pa.Array], held: Held | None) -> list[Finding]:
    """What is wrong with what names the item: it stays as it is, and an index must hold it."""
    found = []
    for field in layer.stored_fields:
        value = values[field.name][0].as_py()
        if value is None:
            continue
        if held is not None and field.name in layer.key and value != held.values[field.name]:
            changed = Issue(0, field.name, _shown(value), "key_changed")
            found.append(finding(changed, layer, str(held.values[field.name])))
        size = len(str(value).encode())
        if (field.name in layer.key or field.indexed) and size > _MOST_KEY_BYTES:
            long = Issue(0, field.name, f"{size} B", "key_too_long")
            found.append(finding(long, layer, f"{_MOST_KEY_BYTES} B"))
    return found
