"""A file of mended rows into the layer, read the way the file was read that they come from."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, RowMapping, select, update

from gis import tables
from gis.db import connect
from gis.errors import ImportRefused
from gis.importing import ImportOptions, ImportResult, SourceInfo
from gis.importing.reading import TRUSTED, Reading, ReadOptions, read_file
from gis.importing.returned import ROW_NUMBER
from gis.intake import take_in
from gis.rejections.giving import find_run
from gis.settings import MapDefinition

__all__ = ["Retried", "retry_rejects"]


@dataclass(frozen=True)
class Retried:
    """What came of mended rows of run ``of_run``.

    ``resolved`` are the rows of that run that were taken now, ``refused`` those that were refused again; both
    by the numbers they had there. Rows of the file without such a number are in neither.
    """

    of_run: int
    result: ImportResult
    resolved: tuple[int, ...]
    refused: tuple[int, ...]


def retry_rejects(
    engine: Engine,
    definition: MapDefinition,
    run_id: int,
    path: Path,
    *,
    crs: str | None = None,
    who: str = "onemap",
    dry_run: bool = False,
) -> Retried:
    """Import ``path``, mended rows of import run ``run_id``, with the source, CRS and mapping of that run.

    Rows are added and changed, never closed, also when that run replaced all rows of its source.

    Parameters
    ----------
    crs : str, optional
        The CRS of the file, where it is not that of the run.

    Raises
    ------
    NotFound
        When there is no such run.
    ImportRefused
        When the file is refused as a whole, or the run does not say how it was made.
    """
    with connect(engine) as conn:
        run = find_run(conn, run_id)
    with read_file(path, _read_options(run), limits=TRUSTED) as reading:
        options = _options(run, reading, crs=crs, who=who, dry_run=dry_run)
        result = take_in(engine, definition, run["layer"], path, options, reading=reading)
        numbers = _numbers(reading)
    bad = _bad_rows(engine, result)
    resolved = sorted({n for at, n in numbers.items() if at not in bad})
    again = sorted({n for at, n in numbers.items() if at in bad})
    if result.run_id is not None and not dry_run:
        _note(engine, run_id, result.run_id, resolved)
    return Retried(run_id, result, tuple(resolved), tuple(again))


def _read_options(run: RowMapping) -> ReadOptions:
    """As the run was told to read, but for what belongs to the one file: its inner name and its encoding."""
    told = _told(run).get("read") or {}
    return ReadOptions(**{name: told.get(name) for name in ("x", "y", "wkt")})


def _told(run: RowMapping) -> Mapping[str, Any]:
    options = run["options"]
    if not options:
        raise ImportRefused(
            f"Import run {run['run_id']} was made by an older version and does not say how.",
            f"导入批次 {run['run_id']} 由旧版本生成，没有记录导入方式。",
            remedy_en="Use `onemap import` with the options of that time.",
            remedy_zh="请用 `onemap import` 并重新指定选项。",
        )
    return dict(options)


def _options(run: RowMapping, reading: Reading, *, crs: str | None, who: str, dry_run: bool) -> ImportOptions:
    told = _told(run)
    if told.get("crs_groups") and crs is None:
        raise ImportRefused(
            f"The rows of run {run['run_id']} had several coordinate systems, which mended rows do not show.",
            f"批次 {run['run_id']} 的各行使用了不同的坐标系，无法自动判断修改后的行属于哪一组。",
            remedy_en="Name the one of these rows with --crs.",
            remedy_zh="请用 --crs 指明这些行的坐标系。",
        )
    columns = set(reading.header.columns)
    mapping = {field: column for field, column in (told.get("columns") or {}).items() if column in columns}
    mode = told.get("mode", "upsert")
    return ImportOptions(
        SourceInfo(**told["source"]),
        crs=crs or _crs(run, reading),
        mapping=mapping,
        mode="upsert" if mode == "replace" else mode,
        dry_run=dry_run,
        who=who,
        outside=told.get("outside", "refuse"),
        accept_offer=bool(told.get("accept_offer")),
    )


def _crs(run: RowMapping, reading: Reading) -> str:
    """What the run was told; where it found out by itself, what it found, unless the file says it now."""
    told = str(_told(run).get("crs") or "auto")
    if told == "auto" and reading.header.declared_crs is None and run["used_crs"]:
        return str(run["used_crs"])
    return told


def _numbers(reading: Reading) -> dict[int, int]:
    """Row of the file (from 0) to the number that the row had in the file it comes from."""
    found: dict[int, int] = {}
    for batch in reading.batches():
        if ROW_NUMBER not in batch.schema.names:
            return {}
        for at, value in zip(batch.column(0).to_pylist(), batch.column(ROW_NUMBER).to_pylist(), strict=True):
            with contextlib.suppress(TypeError, ValueError, OverflowError):
                found[at] = int(float(value))
    return found


def _bad_rows(engine: Engine, result: ImportResult) -> set[int]:
    """The rows (from 0) that were refused."""
    if result.run_id is None:
        return {issue.row for issue in result.issues if issue.severity == "error"}
    r = tables.rejects
    with connect(engine) as conn:
        rows = conn.scalars(select(r.c.row_no).where(r.c.run_id == result.run_id, r.c.severity == "error"))
        return {row - 1 for row in rows}


def _note(engine: Engine, run_id: int, by: int, resolved: Sequence[int]) -> None:
    r = tables.rejects
    with connect(engine, write=True) as conn:
        conn.execute(
            update(r).where(r.c.run_id == run_id, r.c.row_no.in_(list(resolved))).values(resolved_by=by)
        )
