"""A file into a layer as one revision: read, place, check, compare, commit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from sqlalchemy import Connection, Engine, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from gis import tables
from gis.crs import LONLAT, WEB_MERCATOR, Transformation, parse_crs, transformation
from gis.db import connect
from gis.errors import ImportRefused, NotFound
from gis.importing.checks import Checked, as_text, check_rows
from gis.importing.issues import Issue
from gis.importing.read import RawTable, read_file
from gis.importing.stage import stage_rows
from gis.importing.uids import identify
from gis.revisions import Change, Mode, apply_staged, compare_staged, new_revision, note_touch
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["ImportOptions", "ImportResult", "SourceInfo", "import_file", "register_source"]


@dataclass(frozen=True)
class SourceInfo:
    """Where data come from. ``accuracy_m`` is a bound of the position error; None is unknown, not zero."""

    name: str
    title_zh: str = ""
    title_en: str = ""
    bureau: str | None = None
    licence: str | None = None
    attribution: str | None = None
    url: str | None = None
    accuracy_m: float | None = None
    is_demonstration: bool = False


@dataclass(frozen=True)
class ImportOptions:
    """How to read a file: ``crs`` "auto" takes the declared one; ``mapping`` is field -> column."""

    source: SourceInfo
    crs: str = "auto"
    mapping: Mapping[str, str] = field(default_factory=dict)
    mode: Mode = "upsert"
    dry_run: bool = False
    coverage: Path | None = None
    who: str = "onemap"
    allow_large_close: bool = False


@dataclass(frozen=True)
class ImportResult:
    """Always ``good + bad == total``. ``change.rev`` is None when nothing changed or on a dry run."""

    layer: str
    file: str
    total: int
    good: int
    bad: int
    change: Change
    issues: list[Issue]
    transformation: str | None


def import_file(
    engine: Engine, definition: MapDefinition, layer_id: str, path: Path, options: ImportOptions
) -> ImportResult:
    """Import ``path`` into a layer as one revision; nothing is stored when the file is refused.

    Raises
    ------
    NotFound
        For an unknown layer.
    ImportRefused
        When the file cannot be read, has geometry but no known CRS, a mapped column is missing, or a replace
        would close more than a fifth of the source's rows without ``allow_large_close``.
    CrsError
        When no trustworthy transformation leads to the storage CRS.
    """
    layer = definition.layers.get(layer_id)
    if layer is None:
        raise NotFound(
            f"There is no layer {layer_id!r}.",
            f"没有图层“{layer_id}”。",
            remedy_en="See `onemap layers list`.",
            remedy_zh="见 `onemap layers list`。",
        )
    raw = read_file(path)
    frame, used = _placed(definition, layer, _mapped(raw, layer, options.mapping, path), options, path)
    checked = check_rows(layer, frame, _storage_extent(definition))
    rows, uids, issues = _identified(layer, checked, raw, options.source.name)
    coverage = _read_coverage(definition, options)
    with connect(engine, write=True) as conn:
        conn.execute(text("SET LOCAL statement_timeout = 0"))
        source_id = register_source(conn, options.source, used)
        rows = _with_accuracy(rows, layer, options.source, used)
        table = tables.table_for(layer, definition.district.storage_crs)
        to_web = transformation(definition.district.storage_crs, WEB_MERCATOR, definition.district.extent)
        staged = stage_rows(conn, layer, table, rows, uids, source_id, to_web)
        volatile = frozenset(f.name for f in layer.fields if f.volatile)
        planned = compare_staged(
            conn, table, staged, mode=options.mode, source_id=source_id, volatile=volatile
        )
        _refuse_large_close(conn, layer, source_id, planned, options)
        if options.dry_run:
            conn.rollback()
            return _result(layer, path, frame, issues, planned, used)
        change = apply_staged(
            conn, table, staged, mode=options.mode, who=options.who, kind="import",
            note=path.name, source_id=source_id, volatile=volatile,
        )  # fmt: skip
        change = _write_coverage(conn, layer, source_id, coverage, change, options, path)
        result = _result(layer, path, frame, issues, change, used)
        _record_run(conn, result, source_id, frame)
    return result


def _result(
    layer: Layer,
    path: Path,
    frame: pd.DataFrame,
    issues: list[Issue],
    change: Change,
    used: Transformation | None,
) -> ImportResult:
    bad = len({i.row for i in issues if i.severity == "error"})
    return ImportResult(
        layer.id, path.name, len(frame), len(frame) - bad, bad, change, issues, used.name if used else None
    )


def _mapped(raw: RawTable, layer: Layer, mapping: Mapping[str, str], path: Path) -> RawTable:
    """Columns renamed to fields: as mapped, else by the field's name or one of its titles."""
    columns = {str(c) for c in raw.frame.columns}
    absent = sorted(set(mapping.values()) - columns)
    if absent:
        raise ImportRefused(
            f"{path.name} has no column {', '.join(absent)}; it has {', '.join(sorted(columns))}.",
            f"{path.name} 没有列 {'、'.join(absent)}；现有列：{'、'.join(sorted(columns))}。",
        )
    chosen = dict(mapping)
    for f in layer.fields:
        for name in (f.name, f.title.zh, f.title.en):
            if f.name not in chosen and name in columns:
                chosen[f.name] = name
    keep = {name: raw.frame[column] for name, column in chosen.items()}
    for name in ("accuracy_m", "is_indicative", "valid_from", "valid_to"):
        if name in columns and name not in keep:
            keep[name] = raw.frame[name]
    return RawTable(pd.DataFrame(keep, index=raw.frame.index), raw.geometry, raw.declared_crs, raw.source_ids)


def _placed(
    definition: MapDefinition, layer: Layer, raw: RawTable, options: ImportOptions, path: Path
) -> tuple[pd.DataFrame, Transformation | None]:
    """The frame with its geometry brought into the storage CRS; polygons keep their vertices."""
    frame = raw.frame.copy()
    if not layer.has_geometry:
        return frame, None
    crs = raw.declared_crs if options.crs == "auto" else options.crs
    if crs is None:
        if all(g is None for g in raw.geometry):
            frame["geom"] = raw.geometry
            return frame, None
        raise ImportRefused(
            f"{path.name} does not say its coordinate reference system.",
            f"{path.name} 未声明坐标系。",
            remedy_en="Name it with --crs, such as --crs EPSG:4490.",
            remedy_zh="请用 --crs 指明，例如 --crs EPSG:4490。",
        )
    used = transformation(_same_frame(crs), definition.district.storage_crs, definition.district.extent)
    frame["geom"] = used.geometries(raw.geometry)
    return frame, used


def _storage_extent(definition: MapDefinition) -> tuple[float, float, float, float]:
    """The district's extent in the storage CRS: the box around its outline."""
    district = definition.district
    outline = shapely.segmentize(shapely.box(*district.extent), 0.1)
    moved = transformation(LONLAT, district.storage_crs, district.extent).geometries(np.array([outline]))
    west, south, east, north = shapely.bounds(moved[0]).tolist()
    return west, south, east, north


def _same_frame(crs: str) -> str:
    """CRS84 is EPSG:4326 in x,y order, which is the order everything has here."""
    return f"EPSG:{LONLAT}" if re.search(r"CRS:?84$", crs) else str(parse_crs(crs).to_string())


def _identified(
    layer: Layer, checked: Checked, raw: RawTable, source: str
) -> tuple[pd.DataFrame, list[str], list[Issue]]:
    uids, duplicates = identify(layer, checked.rows, source, raw.source_ids)
    refused = {i.row for i in duplicates}
    keep = [i not in refused for i in checked.rows.index]
    uids = [u for u, kept in zip(uids, keep, strict=True) if kept]
    return checked.rows.loc[keep], uids, checked.issues + duplicates


def _with_accuracy(
    rows: pd.DataFrame, layer: Layer, source: SourceInfo, used: Transformation | None
) -> pd.DataFrame:
    """Each row's position error: its own, else the source's, else the layer's; plus the transformation's."""
    if not layer.has_geometry:
        return rows
    stated = source.accuracy_m if source.accuracy_m is not None else layer.accuracy_m
    own = (
        rows["accuracy_m"]
        if "accuracy_m" in rows
        else pd.Series([None] * len(rows), index=rows.index, dtype=object)
    )
    shift = used.accuracy_m if used is not None else 0.0
    out = rows.copy()
    out["accuracy_m"] = [
        None if bound is None else float(bound) + shift
        for bound in (v if v is not None else stated for v in own)
    ]
    return out


def register_source(conn: Connection, info: SourceInfo, used: Transformation | None) -> int:
    """The id of the source called ``info.name``, made or brought up to date with what ``info`` states."""
    s = tables.sources
    values = {
        "name": info.name, "title_zh": info.title_zh or info.name, "title_en": info.title_en or info.name,
        "bureau": info.bureau, "licence": info.licence, "attribution": info.attribution, "url": info.url,
        "accuracy_m": info.accuracy_m, "crs": used.source if used else None,
        "transformation": used.name if used else None, "is_demonstration": info.is_demonstration,
    }  # fmt: skip
    stated = {k: v for k, v in values.items() if k != "name" and v not in (None, "")}
    statement = (
        upsert(s)
        .values(values)
        .on_conflict_do_update(index_elements=[s.c.name], set_=stated or {"name": info.name})
    )
    return int(conn.execute(statement.returning(s.c.source_id)).scalar_one())


def _refuse_large_close(
    conn: Connection, layer: Layer, source_id: int, planned: Change, options: ImportOptions
) -> None:
    if options.mode != "replace" or options.allow_large_close or options.dry_run or not planned.closed:
        return
    mine = planned.closed + planned.changed + planned.unchanged
    if planned.closed > 0.2 * mine:
        raise ImportRefused(
            f"Replacing would close {planned.closed} of {mine} rows of this source in {layer.id}.",
            f"替换将关闭 {layer.id} 中该来源 {mine} 行里的 {planned.closed} 行。",
            remedy_en="Look at --dry-run; confirm with --yes.",
            remedy_zh="请先用 --dry-run 查看，再以 --yes 确认。",
        )


def _read_coverage(definition: MapDefinition, options: ImportOptions) -> shapely.Geometry | None:
    """The coverage polygon in the storage CRS; None when the options name no file."""
    if options.coverage is None:
        return None
    raw = read_file(options.coverage)
    used = transformation(
        _same_frame(raw.declared_crs or f"EPSG:{LONLAT}"),
        definition.district.storage_crs,
        definition.district.extent,
    )
    return shapely.union_all(
        used.geometries(np.array([g for g in raw.geometry if g is not None], dtype=object))
    )


def _write_coverage(
    conn: Connection, layer: Layer, source_id: int, geometry: shapely.Geometry | None, change: Change,
    options: ImportOptions, path: Path,
) -> Change:  # fmt: skip
    """Renew the source's coverage of the layer where it differs, in the rows' revision or a new one."""
    if geometry is None:
        return change
    c = tables.coverage
    current = (c.c.layer == layer.id, c.c.source_id == source_id, c.c.rev_to.is_(None))
    wkb = shapely.to_wkb(geometry)
    held = conn.scalar(select(text("ST_AsBinary(geom)")).select_from(c).where(*current))
    if held is not None and bytes(held) == wkb:
        return change
    rev = change.rev or new_revision(
        conn, who=options.who, kind="import", note=path.name, source_id=source_id
    )
    conn.execute(update(c).where(*current).values(rev_to=rev))
    conn.execute(
        insert(c).values(layer=layer.id, source_id=source_id, geom=func.ST_GeomFromWKB(wkb), rev_from=rev)
    )
    if change.rev is None:
        note_touch(conn, rev, layer.id, Change(rev, 0, 0, 0, 0))
    return Change(rev, change.added, change.changed, change.closed, change.unchanged)


def _record_run(conn: Connection, result: ImportResult, source_id: int, frame: pd.DataFrame) -> None:
    run_id = conn.execute(
        insert(tables.import_runs)
        .values(
            layer=result.layer, source_id=source_id, file=result.file, total=result.total,
            good=result.good, bad=result.bad, rev=result.change.rev,
        )
        .returning(tables.import_runs.c.run_id)
    ).scalar_one()  # fmt: skip
    rows: Sequence[dict[str, object]] = [
        {
            "run_id": run_id, "row_no": i.row + 1, "field": i.field, "value": i.value,
            "code": i.code, "severity": i.severity, "row": _as_json(frame.iloc[i.row]),
        }
        for i in result.issues
    ]  # fmt: skip
    if rows:
        conn.execute(insert(tables.rejects), rows)


def _as_json(row: pd.Series[Any]) -> dict[str, object]:
    """The row as it was read; what JSON cannot hold (NaN, dates, geometry) as null or text."""
    values: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, shapely.Geometry):
            values[str(name)] = shapely.to_wkt(value, rounding_precision=-1)
        else:
            values[str(name)] = value if isinstance(value, str | bool | int) else as_text(value)
    return values
