"""What the sources state differently about one thing, as a layer like any other.

A row is one field, or the place, in which two linked rows differ. It stays, with the day it was found, until
the sources agree or the link is undone; its history is that of the layer.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import shapely
from sqlalchemy import Connection, Engine, select

from gis import tables
from gis.applying import apply_staged
from gis.areas import take_over_areas
from gis.crs import WEB_MERCATOR, transformation
from gis.db import connect
from gis.importing.options import SourceInfo
from gis.importing.register import register_source
from gis.importing.stage import stage_rows
from gis.linking.pairs import same_pairs, table_of
from gis.linking.things import Claim, preferred
from gis.revisions import Change, alive, head
from gis.screening.rows import LayerRows, read_rows
from gis.settings import MapDefinition
from layers.model import Layer, Linking

__all__ = ["refresh"]

_SOURCES = {
    False: SourceInfo("onemap-comparison", "onemap 比对", "Compared by onemap"),
    True: SourceInfo(
        "onemap-comparison-demonstration",
        "onemap 比对（演示数据）",
        "Compared by onemap on demonstration data",
        is_demonstration=True,
    ),
}


def refresh(engine: Engine, definition: MapDefinition, *, who: str = "onemap") -> Change:
    """Compare all linked rows and write what changed as one revision; none when nothing did.

    Without a layer of disagreements, or without a layer that links its rows, nothing is done.
    """
    target = definition.derived("disagreements")
    compared = [layer for layer in definition.layers.values() if layer.linking is not None]
    if target is None or not compared:
        return Change(None, 0, 0, 0, 0)
    with connect(engine) as conn:
        found = [row for layer in compared for row in _compare(conn, definition, layer)]
        since = _since(conn, definition, target)
    today = datetime.now(UTC).date()
    for row in found:
        row["since"] = since.get(row["uid"], today)
    return _write(engine, definition, target, found, who)


def _since(conn: Connection, definition: MapDefinition, target: Layer) -> dict[str, date]:
    t = table_of(definition, target)
    query = select(t.c.uid, t.c.since).where(alive(t, None))
    return {row.uid: row.since for row in conn.execute(query)}


def _compare(conn: Connection, definition: MapDefinition, layer: Layer) -> list[dict[str, Any]]:
    pairs = same_pairs(definition, layer)
    linked = conn.execute(select(pairs.c.uid_a, pairs.c.uid_b).order_by(pairs.c.uid_a, pairs.c.uid_b)).all()
    if not linked or layer.linking is None:
        return []
    rows = read_rows(conn, definition, layer, head(conn))
    index = {uid: i for i, uid in enumerate(rows.uids)}
    said = _statements(conn, definition, layer, [uid for pair in linked for uid in pair])
    found: list[dict[str, Any]] = []
    for a, b in linked:
        claims = {a: said[a], b: said[b]}
        found += _attributes(rows, layer.linking, claims, index)
        found += _places(rows, layer.linking, claims, index)
    return found


def _statements(
    conn: Connection, definition: MapDefinition, layer: Layer, uids: list[str]
) -> dict[str, Claim]:
    """Who stated each row, as a claim without a value."""
    t, s, r = table_of(definition, layer), tables.sources, tables.revisions
    query = (
        select(t.c.uid, s.c.name, s.c.title_zh, s.c.title_en, s.c.bureau, r.c.at)
        .join(s, s.c.source_id == t.c.source_id)
        .join(r, r.c.rev == t.c.rev_from)
        .where(alive(t, None), t.c.uid.in_(sorted(set(uids))))
    )
    return {row.uid: Claim(None, *row) for row in conn.execute(query)}


def _attributes(
    rows: LayerRows, rules: Linking, claims: Mapping[str, Claim], index: Mapping[str, int]
) -> list[dict[str, Any]]:
    layer = rows.layer
    names = rules.compare or tuple(f.name for f in layer.fields if f.name not in layer.key)
    found = []
    for name in names:
        stated = {uid: rows.attributes[name][index[uid]] for uid in claims}
        if any(v is None for v in stated.values()) or len({_plain(v) for v in stated.values()}) == 1:
            continue
        shown, other = preferred(rules, name, list(claims.values()))
        found.append(
            _row(rows, shown, other, index, name)
            | {
                "about": "attribute",
                "attribute": name,
                "value_shown": str(stated[shown.uid]),
                "value_other": str(stated[other.uid]),
                "geom": shapely.point_on_surface(rows.geoms[index[shown.uid]]),
            }
        )
    return found


def _plain(value: object) -> str:
    """Two values that differ only in width, case or spaces say the same."""
    return "".join(unicodedata.normalize("NFKC", str(value)).casefold().split())


def _places(
    rows: LayerRows, rules: Linking, claims: Mapping[str, Claim], index: Mapping[str, int]
) -> list[dict[str, Any]]:
    """The pair's places, when they lie farther apart than both errors; an unknown error excuses nothing."""
    if not rows.layer.has_geometry:
        return []
    shown, other = preferred(rules, "geom", list(claims.values()))
    i, j = index[shown.uid], index[other.uid]
    line = shapely.shortest_line(rows.geoms[i], rows.geoms[j])
    metres, allowed = float(shapely.length(line)), float(rows.accuracy_m[i] + rows.accuracy_m[j])
    bound = float(np.nansum(rows.accuracy_m[[i, j]]))
    if not metres > bound:
        return []
    return [
        _row(rows, shown, other, index, "place")
        | {
            "about": "place",
            "metres": round(metres, 1),
            "allowed_m": None if np.isnan(allowed) else round(allowed, 1),
            "geom": line,
        }
    ]


def _row(rows: LayerRows, shown: Claim, other: Claim, index: Mapping[str, int], about: str) -> dict[str, Any]:
    layer, i, j = rows.layer, index[shown.uid], index[other.uid]
    a, b = sorted((shown.uid, other.uid))
    roles = {"township": layer.names.township, "county": layer.names.county}
    return {
        "uid": f"{layer.id}:{a}|{b}:{about}",
        "layer": layer.id,
        "name": str(rows.labels[i]),
        "attribute": None,
        "metres": None,
        "allowed_m": None,
        "uid_shown": shown.uid,
        "value_shown": None,
        "source_shown": shown.title_zh,
        "uid_other": other.uid,
        "value_other": None,
        "source_other": other.title_zh,
        "owner": other.bureau or other.title_zh,
        "is_indicative": bool(rows.is_indicative[i] or rows.is_indicative[j]),
        "is_demonstration": bool(rows.is_demonstration[i] or rows.is_demonstration[j]),
        **{role: rows.attributes[name][i] if name else None for role, name in roles.items()},
    }


def _write(
    engine: Engine, definition: MapDefinition, target: Layer, found: list[dict[str, Any]], who: str
) -> Change:
    district = definition.district
    table = table_of(definition, target)
    to_storage = transformation(district.measuring_crs, district.storage_crs, district.extent)
    to_web = transformation(district.storage_crs, WEB_MERCATOR, district.extent)
    columns = ["uid", *(f.name for f in target.fields), "geom", "is_indicative", "is_demonstration"]
    rows = pd.DataFrame(found, columns=columns, dtype=object)
    rows["geom"] = to_storage.geometries(rows["geom"].to_numpy(dtype=object))
    with connect(engine, write=True) as conn:
        ids = {flag: register_source(conn, info) for flag, info in _SOURCES.items()}
        rows["source_id"] = [ids[bool(flag)] for flag in rows.pop("is_demonstration")]
        rows["rests_on"] = [
            (layer, *([] if attribute is None else [f"{layer}.{attribute}"]))
            for layer, attribute in zip(rows["layer"], rows["attribute"], strict=True)
        ]
        staged = stage_rows(conn, target, table, [rows], to_web)
        take_over_areas(conn, definition, target, f'pg_temp."{staged.name}"')
        return apply_staged(
            conn, table, staged, mode="replace", who=who, kind="refresh", note="compared sources"
        )
