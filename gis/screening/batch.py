"""Many sites at once: a file of them, judged in chunks that are kept, so that a run broken off goes on.

What the run rests on (revision, law date, the file as it was read) is fixed when it begins and kept beside
the chunks. A chunk is written in full or not at all, so a run that was killed gives the same result when it
is started again in the same folder.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from sqlalchemy import Engine

from gis.crs import LONLAT, transformation
from gis.db import connect, scope_of
from gis.errors import ScreeningError
from gis.importing.checks import check_field
from gis.importing.issues import Issue
from gis.importing.reading import GEOM, ROW, TRUSTED, Limits, Reading, read_file
from gis.kernel import CLEAR, ZoneSet, points_in_zones
from gis.revisions import resolve_as_of
from gis.screening.findings import VERDICTS
from gis.screening.inputs import Subjects, screenable
from gis.screening.judge import judge
from gis.screening.judgement import Judgement
from gis.screening.request import site_kinds
from gis.screening.rows import read_rows
from gis.screening.seeing import seen_definition
from gis.screening.snapshot import Snapshot, enabled_rules, take_snapshot, zone_layers
from gis.settings import MapDefinition
from layers.model import Field
from layers.rulemodel import PARCEL, SEVERITIES, SiteKind

__all__ = ["FORMATS", "BatchOrder", "BatchResult", "screen_batch", "write_as"]

CHUNK = 2_000
FORMATS = ("csv", "gpkg", "parquet")
"""What the table of results can be had as."""
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class BatchOrder:
    """What is asked about a file of sites.

    Attributes
    ----------
    file : Path
        Any format that can be imported; one row a site.
    crs : str or None
        Of the coordinates, x,y; None takes what the file declares, else lon/lat.
    columns : mapping of str to str
        Attribute -> column, where a column is not called like the attribute.
    label : str or None
        The column that names the sites in the result.
    """

    file: Path
    kind: str = "new"
    crs: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    label: str | None = None
    accuracy_m: float | None = None
    law_date: date | None = None
    as_of: str | None = None


@dataclass(frozen=True)
class BatchResult:
    """Where the results are, and what they come to.

    Attributes
    ----------
    table : Path
        GeoParquet, one row a site in the order of the file, geometry in lon/lat.
    summary : dict
        JSON-ready: sites, revision, law_date, by_verdict, by_rule, by_township.
    """

    table: Path
    summary: dict[str, Any]


def screen_batch(
    engine: Engine,
    definition: MapDefinition,
    order: BatchOrder,
    folder: Path,
    *,
    progress: Progress = lambda phase, done, total: None,
    limits: Limits = TRUSTED,
    threads: int = 2,
    chunk: int = CHUNK,
) -> BatchResult:
    """Judge every row of a file by all rules that are on.

    Parameters
    ----------
    folder : Path
        Keeps what is done: a later call with the same folder goes on where an earlier one ended.
    progress : callable
        Called with phase, sites done and sites in all; what it raises ends the run, which may go on later.
    chunk : int
        So many sites are judged together and kept; a run that goes on keeps to its first attempt's.

    Raises
    ------
    ImportRefused, ScreeningError, CrsError, RevisionError
        When the file, the kind, the CRS or the revision cannot be used. A row that cannot be judged is no
        error: its result says why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kinds = site_kinds(definition)
    if order.kind not in kinds:
        listed = ", ".join(kinds)
        raise ScreeningError(
            f"{order.kind!r} is not a kind of site; known: {listed}.",
            f"未知的建设性质“{order.kind}”；可选：{listed}。",
        )
    progress("reading", 0, None)
    reading = _read(order.file, folder / "rows", limits)
    basis = _basis(engine, order, reading, chunk, folder / "basis.json")
    run = _Run(engine, definition, order, kinds[order.kind], reading, basis, threads)
    total = reading.header.rows
    for number, start, rows in _chunks(reading, basis["chunk"]):
        progress("judging", start, total)
        part = folder / f"chunk-{number:06d}.parquet"
        if not part.exists():
            _write(run.judged(rows, start), part)
    progress("writing", total, total)
    return _gathered(folder, basis, total)


def _read(file: Path, folder: Path, limits: Limits) -> Reading:
    """The rows of the file, read once for all attempts."""
    if (folder / "done").exists():
        return Reading.load(folder)
    folder.mkdir(exist_ok=True)
    reading = read_file(file, folder=folder, limits=limits)
    (folder / "done").touch()
    return reading


def _basis(engine: Engine, order: BatchOrder, reading: Reading, chunk: int, path: Path) -> dict[str, Any]:
    """Revision, law date, CRS and size of chunks of this run; those of its first attempt."""
    if path.exists():
        return dict(orjson.loads(path.read_bytes()))
    with connect(engine) as conn:
        revision = resolve_as_of(conn, order.as_of)
    declared = reading.header.declared_crs
    if declared == "OGC:CRS84":
        declared = None
    law_date = order.law_date or datetime.now(UTC).date()
    basis = {
        "revision": revision, "law_date": law_date.isoformat(),
        "crs": order.crs or declared or f"EPSG:{LONLAT}", "chunk": chunk,
    }  # fmt: skip
    _replace(path, orjson.dumps(basis))
    return basis


def _chunks(reading: Reading, size: int) -> Iterator[tuple[int, int, pa.RecordBatch]]:
    """Number, first row and rows of each chunk."""
    number, start = 0, 0
    for batch in reading.batches():
        for at in range(0, batch.num_rows, size):
            rows = batch.slice(at, size)
            yield number, start, rows
            number, start = number + 1, start + rows.num_rows


class _Run:
    """One run over one file, at one revision and law date."""

    def __init__(
        self,
        engine: Engine,
        definition: MapDefinition,
        order: BatchOrder,
        kind: SiteKind,
        reading: Reading,
        basis: Mapping[str, Any],
        threads: int,
    ) -> None:
        self._definition, self._order, self._kind, self._threads = definition, order, kind, threads
        district = definition.district
        self._law_date = date.fromisoformat(basis["law_date"])
        self._to_plane = transformation(basis["crs"], district.measuring_crs, district.extent)
        self._to_lonlat = transformation(basis["crs"], LONLAT, district.extent)
        self._fields = _columns_of(definition, kind, reading.header.columns, order.columns)
        rules = [r for r in enabled_rules(definition) if not set(kind.subjects).isdisjoint(r.subjects)]
        with connect(engine) as conn:
            self._snapshot: Snapshot = take_snapshot(
                conn, definition, basis["revision"], self._law_date, zone_layers(rules)
            )
            towns = next(
                (each for each in seen_definition(definition, scope_of(engine)).layers.values()
                 if each.role == "context" and each.has_geometry and each.names.label
                 and each.names.label == each.names.township), None,
            )  # fmt: skip
            self._towns = None if towns is None else read_rows(conn, definition, towns, basis["revision"])
        self._town_zones = (
            None if self._towns is None else ZoneSet.prepare(self._towns.geoms, 0.0, check=False)
        )

    def judged(self, rows: pa.RecordBatch, start: int) -> pd.DataFrame:
        """The results of one chunk."""
        given = np.asarray(shapely.from_wkb(rows.column(GEOM).to_numpy(False), on_invalid="ignore"), object)
        given = shapely.force_2d(given)
        plane, lonlat = self._to_plane.geometries(given), self._to_lonlat.geometries(given)
        placed = np.isfinite(shapely.bounds(plane)).all(axis=1)
        plane[~placed] = None
        values, issues = self._attributes(rows)
        subjects = self._subjects(plane, values, rows.num_rows)
        judged = judge(
            subjects, self._snapshot.prepared, self._definition.packs.values(), self._law_date,
            no_access=self._snapshot.no_access, threads=self._threads, facts=False,
        )  # fmt: skip
        frame = _results(judged)
        numbers = np.asarray(rows.column(ROW).to_numpy(False), dtype=np.int64)
        frame.insert(0, "row", numbers + 1)
        names = numbers + 1 if self._order.label is None else rows.column(self._order.label).to_pylist()
        frame.insert(1, "site", [None if name is None else str(name) for name in names])
        frame["township"] = self._township(plane)
        frame["problems"] = _problems(judged, issues, rows.num_rows)
        shown = placed & shapely.is_geometry(lonlat)
        frame["geometry"] = [
            wkb if kept else None for wkb, kept in zip(shapely.to_wkb(lonlat), shown, strict=True)
        ]
        return frame

    def _subjects(self, plane: Any, values: dict[str, Any], count: int) -> Subjects:
        stated = self._order.accuracy_m
        accuracy = self._definition.district.site_accuracy_m if stated is None else stated
        fixed = {name: np.full(count, value, dtype=object) for name, value in self._kind.attributes.items()}
        return Subjects(
            layer_id=PARCEL, kinds=frozenset(self._kind.subjects), uids=np.arange(count).astype(object),
            geoms=plane, accuracy_m=np.full(count, accuracy + self._to_plane.accuracy_m),
            attributes={**values, **fixed},
        )  # fmt: skip

    def _attributes(self, rows: pa.RecordBatch) -> tuple[dict[str, Any], list[Issue]]:
        """Columns of typed values; one that does not fit counts as missing and is told."""
        values: dict[str, Any] = {}
        issues: list[Issue] = []
        for asked, column in self._fields:
            raw = pd.Series(rows.column(column).to_pylist(), dtype=object)
            optional = asked.model_copy(update={"required": False})
            checked = check_field(optional, raw, issues)
            found = np.empty(len(raw), dtype=object)
            found[:] = [None if pd.isna(value) else value for value in checked]
            values[asked.name] = found
        return values, issues

    def _township(self, plane: Any) -> Any:
        """The township that a point of each site lies in; None outside all."""
        found = np.full(len(plane), None, dtype=object)
        if self._towns is None or self._town_zones is None:
            return found
        usable = np.flatnonzero(screenable(plane))
        xy = shapely.get_coordinates(shapely.point_on_surface(plane[usable]))
        point, zone = points_in_zones(xy, self._town_zones, threads=self._threads)
        found[usable[point]] = self._towns.labels[zone]
        return found


def _columns_of(
    definition: MapDefinition, kind: SiteKind, columns: Any, stated: Mapping[str, str]
) -> list[tuple[Field, str]]:
    """The attributes that the file has, each with its column: as stated, else by name, title or alias."""
    known = {str(getattr(column, "name", column)) for column in columns}
    fields: dict[str, Field] = {}
    for subject in kind.subjects:
        if subject != PARCEL:
            fields |= {each.name: each for each in definition.whole.layers[subject].fields}
    for name, column in stated.items():
        if name not in fields or column not in known:
            raise ScreeningError(
                f"{name}={column}: there is no such attribute or column.",
                f"{name}={column}：没有该属性或列。",
                remedy_en=f"Columns: {', '.join(sorted(known))}.",
                remedy_zh=f"列：{'、'.join(sorted(known))}。",
            )
    folded = {column.strip().casefold(): column for column in known}
    found = []
    for each in fields.values():
        if each.name in kind.attributes:
            continue
        names = (each.name, each.title.zh, each.title.en, *each.aliases)
        taken = stated.get(each.name) or next(
            (folded[n.casefold()] for n in names if n.casefold() in folded), None
        )
        if taken is not None:
            found.append((each, taken))
    return found


def _results(judged: Judgement) -> pd.DataFrame:
    """Verdict and severity of each site, verdicts by theme, the rules behind them, and what is missing."""
    count = len(judged.subjects)
    columns: dict[str, Any] = {}
    codes = np.zeros((len(judged.outcomes), count), dtype=np.int8)
    for place, outcome in enumerate(judged.outcomes):
        codes[place] = outcome.answer.code
    worst = codes.max(axis=0, initial=CLEAR)
    rank = np.full(count, len(SEVERITIES))
    for place, outcome in enumerate(judged.outcomes):
        mild, capped = (SEVERITIES.index(outcome.severity(flag)) for flag in (False, True))
        own = np.where(outcome.answer.capped, capped, mild)
        deciding = (codes[place] == worst) & (worst != CLEAR)
        rank[deciding] = np.minimum(rank[deciding], own[deciding])
    words = np.array([VERDICTS[code] for code in sorted(VERDICTS)], dtype=object)
    columns["verdict"] = words[worst]
    columns["severity"] = np.array([*SEVERITIES, None], dtype=object)[rank]
    groups = np.array([outcome.rule.group for outcome in judged.outcomes], dtype=object)
    for group in judged.groups():
        columns[f"theme_{group}"] = words[codes[groups == group].max(axis=0, initial=CLEAR)]
    for code, verdict in sorted(VERDICTS.items(), reverse=True):
        if code != CLEAR:
            columns[f"rules_{verdict}"] = (
                _joined(
                    (outcome.rule.id, codes[place] == code) for place, outcome in enumerate(judged.outcomes)
                )
                or [""] * count
            )
    lacking: dict[str, Any] = {}
    for outcome in judged.outcomes:
        for name, lacks in outcome.answer.missing.items():
            lacking[name] = lacking.get(name, False) | lacks
    columns["missing"] = _joined(lacking.items()) or [""] * count
    return pd.DataFrame(columns)


def _joined(named: Any) -> list[str]:
    """For each site the names whose flags hold, separated by blanks."""
    text: Any = None
    for name, flags in named:
        added = np.where(flags, f" {name}", "").astype(object)
        text = added if text is None else text + added
    return [] if text is None else [each.strip() for each in text]


def _problems(judged: Judgement, issues: list[Issue], count: int) -> list[str]:
    told: list[list[str]] = [[] for _ in range(count)]
    for row in np.flatnonzero(~judged.fits):
        told[row].append("geometry")
    for issue in issues:
        told[issue.row].append(f"{issue.field}: {issue.code}")
    return ["; ".join(each) for each in told]


def _write(frame: pd.DataFrame, path: Path) -> None:
    """The whole chunk or nothing."""
    partial = path.with_suffix(".partial")
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), partial)
    os.replace(partial, path)


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def _gathered(folder: Path, basis: Mapping[str, Any], total: int) -> BatchResult:
    """All chunks as one table, and the counts."""
    verdicts: Counter[str] = Counter()
    rules: Counter[tuple[str, str]] = Counter()
    towns: Counter[tuple[str, str]] = Counter()
    path = folder / "results.parquet"
    partial = path.with_suffix(".partial")
    writer: pq.ParquetWriter | None = None
    for part in sorted(folder.glob("chunk-*.parquet")):
        table = pq.read_table(part)
        frame = table.drop_columns(["geometry"]).to_pandas()
        verdicts.update(frame["verdict"])
        towns.update(zip(frame["township"].fillna(""), frame["verdict"], strict=True))
        for verdict in ("conflict", "unknown", "edge"):
            for listed in frame[f"rules_{verdict}"]:
                rules.update((rule, verdict) for rule in listed.split())
        if writer is None:
            schema = _schema(table.schema)
            writer = pq.ParquetWriter(partial, schema)
        writer.write_table(table.cast(schema))
    if writer is not None:
        writer.close()
        os.replace(partial, path)
    summary = {
        "sites": total,
        **{name: basis[name] for name in ("revision", "law_date", "crs")},
        "by_verdict": dict(sorted(verdicts.items())),
        "by_rule": [{"rule": r, "verdict": v, "count": n} for (r, v), n in sorted(rules.items())],
        "by_township": [
            {"township": t or None, "verdict": v, "count": n} for (t, v), n in sorted(towns.items())
        ],
    }
    _replace(folder / "summary.json", orjson.dumps(summary))
    return BatchResult(path, summary)


def _schema(found: pa.Schema) -> pa.Schema:
    """One schema for all chunks, whatever is null in them all, with GeoParquet's description."""
    kinds = {"row": pa.int64(), "geometry": pa.binary()}
    fields = [pa.field(name, kinds.get(name, pa.string())) for name in found.names]
    geo = {
        "version": "1.0.0", "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": []}},
    }  # fmt: skip
    return pa.schema(fields, metadata={b"geo": orjson.dumps(geo)})


def write_as(table: Path, target: Path) -> None:
    """Write the table of results in the format of the target's ending: one of `FORMATS`.

    CSV has no geometry. Raises ScreeningError for another ending.
    """
    match target.suffix.lower().lstrip("."):
        case "parquet" | "geoparquet":
            shutil.copyfile(table, target)
        case "csv":
            pq.read_table(table).drop_columns(["geometry"]).to_pandas().to_csv(
                target, index=False, encoding="utf-8-sig"
            )
        case "gpkg":
            import geopandas as gpd

            frame = pq.read_table(table).to_pandas()
            shapes = shapely.from_wkb(frame.pop("geometry"))
            gpd.GeoDataFrame(frame, geometry=shapes, crs=LONLAT).to_file(target, layer="sites", driver="GPKG")
        case other:
            raise ScreeningError(
                f"There is no format {other!r} for results; there is: {', '.join(FORMATS)}.",
                f"结果没有“{other}”格式；可用：{'、'.join(FORMATS)}。",
            )
