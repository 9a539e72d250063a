"""Layers with a field of every type, and rows put into them as they are, past all checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
import shapely
from sqlalchemy import Engine, create_engine, insert, text

from gis import tables
from gis.db import connect
from gis.settings import MapDefinition
from gis.sync import sync
from layers.district import load_district
from layers.model import Layer
from tests.conftest import Databases

SOURCE = "survey"
_STYLE = {
    "colour": "#225588",
    "by": "kind",
    "classes": [{"value": "a", "colour": "#aa0000"}, {"value": "1", "colour": "#00aa00"}],
}
_FIELDS: list[dict[str, Any]] = [
    {"name": "code", "title": {"zh": "编码", "en": "Code"}, "type": "text", "required": True},
    {"name": "name", "title": {"zh": "名称", "en": "Name"}, "type": "text"},
    {
        "name": "kind", "title": {"zh": "类型", "en": "Kind"}, "type": "enum",
        "values": [{"code": "a", "zh": "甲", "en": "First"}, {"code": "1", "zh": "乙", "en": "Second"}],
    },
    {"name": "whole_number", "title": {"zh": "整数", "en": "Whole"}, "type": "integer"},
    {"name": "whole_numbers", "title": {"zh": "整数二", "en": "Whole, too"}, "type": "integer", "unit": "t"},
    {"name": "ratio", "title": {"zh": "数值", "en": "Ratio"}, "type": "number", "unit": "mg/L"},
    {"name": "is_on", "title": {"zh": "启用", "en": "On"}, "type": "boolean"},
    {"name": "day", "title": {"zh": "日期", "en": "Day"}, "type": "date"},
    {"name": "moment", "title": {"zh": "时刻", "en": "Moment"}, "type": "datetime"},
]  # fmt: skip


def _layer(name: str, geometry: str, **changes: Any) -> Layer:
    given: dict[str, Any] = {
        "id": name, "title": {"zh": "样例", "en": "Sample"}, "abstract": {"zh": "测试。", "en": "For tests."},
        "theme": "water", "role": "register" if geometry == "none" else "context", "geometry": geometry,
        "key": ["code"], "names": {"label": "name"}, "fields": _FIELDS,
    }  # fmt: skip
    if geometry != "none":
        given["style"] = _STYLE
    return Layer.model_validate(given | changes)


LAYERS: Mapping[str, Layer] = {
    layer.id: layer
    for layer in (
        _layer("spots", "Point"),
        _layer("sites", "MultiPolygon"),
        _layer("ways", "LineString"),
        _layer("shapes", "Geometry"),
        _layer("papers", "none"),
        _layer("nameless", "Point", key=[]),
    )
}


@pytest.fixture(scope="session")
def kit_map() -> MapDefinition:
    """The layers of this module in the shipped district."""
    return MapDefinition(load_district(), LAYERS, {})


@pytest.fixture(scope="module")
def kit(databases: Databases, kit_map: MapDefinition) -> Iterator[Engine]:
    """An engine on an empty store of them."""
    name = databases.create(databases.template("kit", lambda url: _build(url, kit_map)))
    engine = create_engine(databases.url(name))
    yield engine
    engine.dispose()
    databases.drop(name)


def _build(url: str, definition: MapDefinition) -> None:
    engine = create_engine(url)
    sync(engine, definition)
    with connect(engine, write=True) as conn:
        conn.execute(insert(tables.sources).values(name=SOURCE, title_zh=SOURCE, title_en=SOURCE))
        conn.execute(insert(tables.revisions).values(rev=1, who="test", kind="import"))
    engine.dispose()


def put(engine: Engine, layer: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put ``rows`` into the emptied layer: field values, "geom" as a shapely geometry in EPSG:4490."""
    with connect(engine, write=True) as conn:
        conn.execute(text(f'TRUNCATE layer."{layer}"'))
        for row in rows:
            values = {"uid": row.get("code"), "source_id": 1, "rev_from": 1, "accuracy_m": 2.5, **row}
            if (shape := values.pop("geom", None)) is not None:
                values |= {"geom": shapely.to_wkb(shape, hex=True), "geom_web": None}
            names = list(values)
            marks = [f"ST_GeomFromWKB(decode(:{n}, 'hex'), 4490)" if n == "geom" else f":{n}" for n in names]
            listed = ", ".join(f'"{n}"' for n in names)
            conn.execute(text(f'INSERT INTO layer."{layer}" ({listed}) VALUES ({", ".join(marks)})'), values)


def held(engine: Engine, layer: str) -> list[tuple[object, ...]]:
    """What the layer holds now, row by row in order of uid, geometry with every bit."""
    shape = "NULL" if LAYERS[layer].geometry == "none" else "encode(ST_AsBinary(geom), 'hex')"
    values = "to_jsonb(t) - '{row_id,rev_from,rev_to,geom,geom_web}'::text[]"
    current = f'layer."{layer}" t WHERE rev_to IS NULL'
    with connect(engine) as conn:
        rows = conn.execute(text(f"SELECT {values}, {shape} FROM {current} ORDER BY uid"))
        return [tuple(row) for row in rows]


def empty(engine: Engine, layer: str) -> None:
    """Take all rows out of the layer, and forget its imports, so that none is taken for one made before."""
    put(engine, layer, [])
    with connect(engine, write=True) as conn:
        conn.execute(text("SET LOCAL lock_timeout = '5s'"))
        conn.execute(text("TRUNCATE core.import_runs CASCADE"))


_WITH_HOLE = (
    "((120 29, 120.3 29, 120.3 29.3, 120 29.3, 120 29), (120.1 29.1, 120.1 29.2, 120.2 29.1, 120.1 29.1))"
)
_TWO_PARTS = "((0.3333333333333333 0, 1 0, 1 1, 0.3333333333333333 0)), ((5 5, 6 5, 6 6, 5 5))"
_LINES = [
    shapely.LineString([(120, 29), (120.1, 29.1), (1 / 3, 2 / 3)]),
    shapely.LineString([(120, 29), (121, 29)]),
]
_POINTS = [
    shapely.Point(120.1, 29.0),
    shapely.Point(0.1 + 0.2, -0.0),
    shapely.Point(119.12345678901234, 1 / 3),
]
PLACES: Mapping[str, list[Any]] = {
    "spots": _POINTS,
    "sites": [
        shapely.from_wkt(f"MULTIPOLYGON({parts})")
        for parts in (_WITH_HOLE, _TWO_PARTS, "((119.7 29.1, 119.8 29.1, 119.75 29.2, 119.7 29.1))")
    ],
    "ways": [*_LINES, _LINES[0]],
    "shapes": [
        shapely.Point(120, 29),
        shapely.from_wkt("MULTILINESTRING((120 29, 121 29.1))"),
        shapely.from_wkt("POLYGON((120 29, 121 29, 121 30, 120 29))"),
    ],
    "papers": [None, None, None],
    "nameless": [_POINTS[0], _POINTS[2], _POINTS[2]],
}


def sample(layer: str) -> list[dict[str, Any]]:
    """Three rows that use what each type has: the largest, the smallest, the odd and nothing."""
    first, second, third = PLACES[layer][:3]
    rows: list[dict[str, Any]] = [
        {
            "code": "A1",
            "name": "𠮷井·东阳 \"a\", 'b'\n二行",
            "kind": "a",
            "whole_number": 2**63 - 1,
            "whole_numbers": 7,
            "ratio": 0.1 + 0.2,
            "is_on": True,
            "day": date(2020, 2, 29),
            "moment": datetime(2020, 1, 2, 3, 4, 5, 678000, UTC),
            "valid_from": date(1850, 1, 1),
            "is_indicative": True,
            "geom": first,
        },
        {
            "code": "-1",
            "name": "=cmd|' /C calc'!A0",
            "kind": "1",
            "whole_number": -(2**63),
            "whole_numbers": -1,
            "ratio": 1e-300,
            "is_on": False,
            "day": date(1, 1, 1),
            "moment": datetime(1900, 1, 1, tzinfo=UTC),
            "valid_to": date(9999, 12, 31),
            "accuracy_m": 1 / 3,
            "geom": second,
        },
        {"code": "007", "geom": third},
    ]
    if layer == "papers":
        rows = [{k: v for k, v in row.items() if k != "geom"} for row in rows]
    if layer == "nameless":
        rows = [{**row, "uid": f"{SOURCE}:{n}"} for n, row in enumerate(rows)]
    return rows
