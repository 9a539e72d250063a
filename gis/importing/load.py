"""A file into a layer as one revision: read, place, check, compare, commit.

Everything from the first row staged to the record of the run is one transaction: whatever ends the process in
between, the store holds the whole revision or nothing of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import shapely
from sqlalchemy import Connection, Engine, Table, text

from gis import tables
from gis.applying import Compared, apply_staged, compare_staged
from gis.areas import read_areas
from gis.crs import WEB_MERCATOR, transformation
from gis.db import connect
from gis.errors import ImportRefused, NotFound
from gis.following import follow
from gis.importing.apart import keep_apart
from gis.importing.batches import Accepted, Preparer
from gis.importing.coverage import read_coverage, write_coverage
from gis.importing.cross import Cross
from gis.importing.detective import Evidence, load_evidence
from gis.importing.failpoints import reach
from gis.importing.fill import fill_empty
from gis.importing.findings import Findings
from gis.importing.issues import refused
from gis.importing.mapping import FieldPlan, load_saved, plan, save
from gis.importing.moved import moved_rows
from gis.importing.options import (
    ImportOptions,
    ImportResult,
    Progress,
    SourceInfo,
    no_progress,
)
from gis.importing.placing import PlaceRefused, Placing, decide
from gis.importing.reading import TRUSTED, Limits, Reading, read_file
from gis.importing.register import find_or_make_source, register_source, update_source
from gis.importing.rehearsal import draw_difference
from gis.importing.repair import Mender
from gis.importing.runs import FileFacts, file_facts, fingerprint, record_run, same_run_before
from gis.importing.stage import Stage
from gis.importing.unlocated import locator
from gis.revisions import Change, last_touch
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["ImportOptions", "ImportResult", "SourceInfo", "import_file", "register_source"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")

# What a reader says itself when the rows do not add up to what the file claims.
_EXPLAINS_COUNT = {"row_count_mismatch", "dbf_count_mismatch", "deleted_rows_skipped", "shp_truncated"}


def import_file(
    engine: Engine,
    definition: MapDefinition,
    layer_id: str,
    path: Path,
    options: ImportOptions,
    *,
    progress: Progress | None = None,
    reading: Reading | None = None,
    limits: Limits = TRUSTED,
) -> ImportResult:
    """Import ``path`` into a layer as one revision; nothing is stored when the file is refused.

    Parameters
    ----------
    progress : callable, optional
        Told (phase, done, total): "reading", "placing", "checking", "comparing", "writing".
    reading : Reading, optional
        The file as it was read before; it is not read again.
    limits : Limits
        For reading; those of the command line unless stated.

    Raises
    ------
    NotFound
        For an unknown layer.
    ImportRefused
        When the file cannot be read, has no CRS that could be settled, lacks a required column, has other
        rows than it claims, or a replace would close more than a fifth of the source's rows without
        ``allow_large_close``. ``reason`` says which.
    """
    layer = definition.layers.get(layer_id)
    if layer is None:
        raise NotFound(
            f"There is no layer {layer_id!r}.",
            f"没有图层“{layer_id}”。",
            remedy_en="See `onemap layers list`.",
            remedy_zh="见 `onemap layers list`。",
        )
    run = _Run(definition, layer, path, options, progress or no_progress, datetime.now(UTC))
    if reading is None and (result := run.repeated(engine)) is not None:
        return result
    with contextlib.ExitStack() as stack:
        if reading is None:
            run.progress("reading", 0, None)
            reading = stack.enter_context(read_file(path, options.read, limits=limits))
        reach("after_read")
        coverage = read_coverage(definition, options.coverage) if options.coverage is not None else None
        with connect(engine, write=True) as conn:
            _settle(conn)
            result = run.within(conn, reading, coverage)
    reach("after_commit")
    reach("before_report")
    return result


def _settle(conn: Connection) -> None:
    """Let this transaction take its time, and memory for comparing."""
    conn.execute(
        text(
            "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10min'; "
            "SET LOCAL work_mem = '256MB'; SET LOCAL maintenance_work_mem = '256MB'"
        )
    )


@dataclass
class _Run:
    """One import under way."""

    definition: MapDefinition
    layer: Layer
    path: Path
    options: ImportOptions
    progress: Progress
    started: datetime
    facts: FileFacts | None = None

    @property
    def table(self) -> Table:
        return tables.table_for(self.layer, self.definition.district.storage_crs)

    def repeated(self, engine: Engine) -> ImportResult | None:
        """The result of an import that changes nothing, because it was the last one made of its source."""
        if self.options.dry_run or not self.path.exists():
            return None
        self.facts = file_facts(self.path)
        with connect(engine, write=True) as conn:
            source_id = find_or_make_source(conn, self.options.source)
            mark = self._mark(conn, source_id)
            last = same_run_before(conn, self.layer, source_id, mark)
            if last is None:
                conn.rollback()
                return None
            change = Change(None, 0, 0, 0, last["good"])
            result = ImportResult(
                self.layer.id, self.path.name, last["total"], last["good"], last["bad"], change, [],
                last["operation"], last["repaired"], last["warned"], used_crs=last["used_crs"],
                mapping=(last["options"] or {}).get("columns", {}), proposal=last["proposal"], repeated=True,
            )  # fmt: skip
            run_id = record_run(
                conn, result, source_id, self.options, facts=self.facts, mark=mark, started=self.started,
                findings=None,
            )  # fmt: skip
            return replace(result, run_id=run_id)

    def _mark(self, conn: Connection, source_id: int) -> str | None:
        saved = load_saved(conn, self.options.source.name, self.layer.id)
        return fingerprint(
            conn, self.definition, self.layer, self.path, self.facts, self.options, dict(saved or {})
        )

    def within(self, conn: Connection, reading: Reading, coverage: shapely.Geometry | None) -> ImportResult:
        """All that happens in the one transaction."""
        options, table = self.options, self.table
        _check_claim(reading)
        source_id = find_or_make_source(conn, options.source)
        self.progress("placing", 0, None)
        evidence = load_evidence(conn, self.definition, self.layer, reading)
        placing = self._placed(reading, evidence)
        mapped = plan(
            self.layer, reading, options.mapping, load_saved(conn, options.source.name, self.layer.id)
        )
        reach("after_placing")
        findings = Findings(conn, reading)
        findings.add([*reading.issues, *placing.issues, *mapped.notes])
        stage = self._staged(conn, reading, placing, mapped, source_id, findings, evidence)
        reach("after_staging")
        self.progress("comparing", 0, None)
        volatile = frozenset(f.name for f in self.layer.fields if f.volatile)
        seen = last_touch(conn, [self.layer.id])
        mode = options.mode
        if mode == "replace" and not options.close_beside_refused and findings.totals()[0]:
            mode = "upsert"
        planned = compare_staged(conn, table, stage.table, mode=mode, source_id=source_id, volatile=volatile)
        _refuse_large_close(self.layer, planned, options)
        if planned.changed and self.layer.has_geometry:
            told = frozenset(i.row for i in placing.issues if i.code == "datum_suspected")
            findings.add(moved_rows(conn, self.definition, table, stage.table, told))
        reach("after_diff")
        if options.dry_run:
            drawn = self._drawn(conn, table, stage.table, source_id, volatile)
            result = self._result(reading, placing, mapped, findings, planned)
            if options.rehearsed is not None:
                self.progress("judging", 0, None)
                change = apply_staged(
                    conn, table, stage.table, mode=mode, who=options.who, kind="import",
                    source_id=source_id, volatile=volatile, compared=Compared(planned, seen),
                )  # fmt: skip
                write_coverage(conn, self.layer, source_id, coverage, change, who=options.who, note="")
                options.rehearsed(conn)
            conn.rollback()
            return replace(result, map_file=drawn)
        self.progress("writing", 0, planned.added + planned.changed)
        change = apply_staged(
            conn, table, stage.table, mode=mode, who=options.who, kind="import", note=self.path.name,
            source_id=source_id, volatile=volatile, compared=Compared(planned, seen), fill=_fill_at_once,
        )  # fmt: skip
        reach("after_rows")
        follow(conn, self.definition, change.rev)
        change = write_coverage(
            conn, self.layer, source_id, coverage, change, who=options.who, note=self.path.name
        )
        update_source(
            conn, source_id, options.source, crs=placing.crs, operation=placing.operation, rev=change.rev
        )
        save(conn, source_id, self.layer.id, mapped.kept, options.who)
        result = self._result(reading, placing, mapped, findings, change)
        facts = self.facts or file_facts(self.path)
        self.facts = facts
        run_id = record_run(
            conn, result, source_id, options, facts=facts, mark=self._mark(conn, source_id),
            started=self.started, findings=findings,
        )  # fmt: skip
        reach("before_commit")
        return replace(result, run_id=run_id)

    def _placed(self, reading: Reading, evidence: Evidence) -> Placing:
        options = self.options

        def ask(crs: str) -> Placing:
            return decide(
                self.definition,
                self.layer,
                reading,
                crs,
                evidence,
                options.crs_groups,
                outside=options.outside,
            )

        try:
            return ask(options.crs)
        except PlaceRefused as error:
            group = error.proposal.main if error.proposal is not None else None
            if (
                not options.accept_offer
                or error.reason != "crs_missing"
                or group is None
                or not group.candidates
            ):
                raise
            return ask(group.candidates[0].crs)

    def _staged(
        self,
        conn: Connection,
        reading: Reading,
        placing: Placing,
        mapped: FieldPlan,
        source_id: int,
        findings: Findings,
        evidence: Evidence,
    ) -> Stage:
        """The accepted rows in a temporary table, one a uid."""
        district = self.definition.district
        to_web = transformation(district.storage_crs, WEB_MERCATOR, district.extent)
        stage = Stage(conn, self.layer, self.table, to_web, read_areas(conn, self.definition))
        cross = Cross(conn, self.definition, self.layer, stage, evidence)
        in_reading = {i.row for i in reading.issues if i.severity == "error" and i.row >= 0}
        total = reading.header.rows
        done = 0
        locate = locator(conn.engine, self.definition, self.layer)
        with Mender.of(self.definition) as mender:
            preparer = Preparer(
                self.layer, reading, mapped, placing, mender, self.options.source.name,
                self._stated_m(conn, source_id), np.array(sorted(in_reading), dtype=np.int64), locate,
            )  # fmt: skip

            def prepare(batch: pa.RecordBatch) -> tuple[Accepted, dict[str, pa.Array]]:
                accepted = preparer.prepare(batch)
                accepted.issues.extend(cross.seen(accepted))
                columns = stage.columns(
                    accepted.rows, accepted.values, accepted.geometry, accepted.uids, source_id
                )
                return accepted, columns

            for accepted, columns in _ahead(prepare, reading.batches()):
                if len(accepted.rows):
                    stage.add(columns)
                if accepted.issues:
                    findings.add(accepted.issues, accepted.batch)
                done += accepted.batch.num_rows
                self.progress("checking", done, total)
                reach("mid_staging")
        stage.analyze()
        findings.add(cross.found())
        keep_apart(conn, self.layer, self.table, stage.table, source_id)
        return stage

    def _stated_m(self, conn: Connection, source_id: int) -> float | None:
        """The bound of the position error of a row that states none: the source's, else the layer's."""
        if not self.layer.has_geometry:
            return None
        if self.options.source.accuracy_m is not None:
            return self.options.source.accuracy_m
        s = tables.sources
        held = conn.scalar(s.select().with_only_columns(s.c.accuracy_m).where(s.c.source_id == source_id))
        return held if held is not None else self.layer.accuracy_m

    def _drawn(
        self, conn: Connection, table: Table, staged: Table, source_id: int, volatile: frozenset[str]
    ) -> str | None:
        if self.options.map_file is None or not self.layer.has_geometry:
            return None
        draw_difference(
            conn, self.definition, self.layer, table, staged, self.options.map_file,
            mode=self.options.mode, source_id=source_id, volatile=volatile, limit=self.options.map_rows,
        )  # fmt: skip
        return str(self.options.map_file)

    def _result(
        self, reading: Reading, placing: Placing, mapped: FieldPlan, findings: Findings, change: Change
    ) -> ImportResult:
        total = reading.header.rows
        bad, repaired, warned = findings.totals()
        return ImportResult(
            self.layer.id, self.path.name, total, total - bad, bad, change, list(findings.shown),
            placing.operation, repaired, warned, counts=findings.counts(), header=reading.header,
            mapping=dict(mapped.mapping), used_crs=placing.crs,
            proposal=placing.proposal.as_dict() if placing.proposal is not None else None,
        )  # fmt: skip


def _ahead(work: Callable[[_In], _Out], items: Iterator[_In]) -> Iterator[_Out]:
    """The results of ``work`` in order, the next one made while the caller uses the last."""
    with ThreadPoolExecutor(1, "import-prepare") as pool:
        coming: Future[_Out] | None = None
        for item in items:
            following = pool.submit(work, item)
            if coming is not None:
                yield coming.result()
            coming = following
        if coming is not None:
            yield coming.result()


def _fill_at_once(conn: Connection, table: Table, staged: Table, rev: int) -> bool:
    reach("after_number")
    return fill_empty(conn, table, staged, rev)


def _check_claim(reading: Reading) -> None:
    """Refuse a file that has other rows than its own header says, unless the reader has told why."""
    header = reading.header
    if header.rows_claimed is None or header.rows_claimed == header.rows:
        return
    if not any(i.code in _EXPLAINS_COUNT for i in reading.issues):
        raise refused("rows_claimed_mismatch", value=str(header.rows), expected=str(header.rows_claimed))


def _refuse_large_close(layer: Layer, planned: Change, options: ImportOptions) -> None:
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
