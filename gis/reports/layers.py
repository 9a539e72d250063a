"""The report as a GeoPackage: the site, its parts, the zones and the way out, and its text as tables."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyogrio
import shapely

from gis.reports.content import Content

__all__ = ["gpkg_file"]


def gpkg_file(content: Content) -> bytes:
    """The report as .gpkg in the measuring CRS; zones are those on the map, cut to its surroundings.

    Layers: site, parts, zones, passing (the conflict-free part, the moved site); without geometry: findings,
    record (the canonical JSON that the report's number is the hash of).
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.gpkg"
        for name, shapes, columns in _layers(content):
            _write(path, name, shapes, columns, content.record["map"]["crs"])
        return path.read_bytes()


Columns = dict[str, list[Any]]


def _layers(c: Content) -> list[tuple[str, list[Any] | None, Columns]]:
    drawn, head = c.record["map"], c.headline
    parts = [p for p in c.parts if drawn["parts"][p["verdict"]] is not None]
    findings = [(theme, f) for theme in c.themes for f in theme["findings"]]
    layers: list[tuple[str, list[Any] | None, Columns]] = [
        ("site", [drawn["site"]], {
            "report": [c.beside.report_id], "verdict": [head["verdict"]], "verdict_text": [head["word"]],
            "severity": [head["severity"]], "law_date": [c.record["law_date"]],
            "revision": [c.record["as_of"]["revision"]], "remark": [c.warning or ""],
            "address": [c.beside.address or ""],
        }),
        ("parts", [drawn["parts"][p["verdict"]] for p in parts], {
            "verdict": [p["verdict"] for p in parts], "verdict_text": [p["word"] for p in parts],
            "size": [p["size"] for p in parts], "share": [p["part"] for p in parts],
            "size_text": [c.words.listed([p["amount"], p["local"]]) for p in parts],
        }),
        ("zones", [z["geometry"] for z in drawn["zones"]], {
            "layer": [z["layer"] for z in drawn["zones"]],
            "layer_title": [c.words.pick(z["title"]) for z in drawn["zones"]],
            "uid": [z["uid"] for z in drawn["zones"]], "name": [z["name"] for z in drawn["zones"]],
            "verdict": [z["verdict"] for z in drawn["zones"]],
            "is_indicative": [z["is_indicative"] for z in drawn["zones"]],
            "is_demonstration": [z["is_demonstration"] for z in drawn["zones"]],
        }),
        ("passing", *_passing(c)),
        ("findings", None, {
            "theme": [x["title"] for x, _ in findings], "rule": [f["rule"] for _, f in findings],
            "title": [f["title"] for _, f in findings], "verdict": [f["verdict"] for _, f in findings],
            "severity": [f["severity"] for _, f in findings],
            "sentence": [f["sentence"] for _, f in findings],
            "missing": [f["missing"] for _, f in findings],
            "legal": [c.words.listed([law["citation"] for law in f["laws"]]) for _, f in findings],
        }),
        ("record", None, {
            "report": [c.beside.report_id],
            "created": [c.beside.created.isoformat()], "expires": [c.beside.expires.isoformat()],
            "json": [c.json],
            "remark": [f"{c.words('phrase.aid')} {c.words('phrase.proof')}"],
        }),
    ]  # fmt: skip
    return [(name, shapes, columns) for name, shapes, columns in layers if any(columns.values())]


def _passing(c: Content) -> tuple[list[Any], Columns]:
    drawn = c.record["map"]
    ways = [
        ("free", drawn["parts"]["clear"], c.words("verdict.clear")),
        ("moved", drawn["moved"], c.words("map.moved")),
    ]
    found = [way for way in ways if way[1] is not None]
    return [shape for _, shape, _ in found], {
        "kind": [k for k, _, _ in found],
        "text": [t for _, _, t in found],
    }


def _write(path: Path, name: str, shapes: list[Any] | None, columns: Columns, crs: str) -> None:
    """One layer; polygons as multi-polygons, so that a layer has one kind."""
    fields = list(columns)
    data = [np.array(columns[field], dtype=_kind(columns[field][0])) for field in fields]
    options: dict[str, Any] = {"layer": name, "driver": "GPKG", "append": False}
    if shapes is None:
        pyogrio.raw.write(path, None, data, fields, geometry_type=None, crs=None, **options)
        return
    geoms = shapely.from_geojson([orjson.dumps(shape).decode() for shape in shapes])
    geometry = "Unknown"
    if (shapely.get_dimensions(geoms) == 2).all():
        geoms, geometry = np.array([_many(each) for each in geoms], dtype=object), "MultiPolygon"
    pyogrio.raw.write(path, shapely.to_wkb(geoms), data, fields, geometry_type=geometry, crs=crs, **options)


def _many(polygon: Any) -> Any:
    return polygon if polygon.geom_type == "MultiPolygon" else shapely.multipolygons([polygon])


def _kind(value: Any) -> Any:
    if isinstance(value, bool):
        return bool
    return np.int64 if isinstance(value, int) else np.float64 if isinstance(value, float) else object
