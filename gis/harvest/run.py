"""One run of a harvest: fetch, import as one revision or not at all, note what came of it.

Whatever a source does, the layer is either as before or as the source says; a failure is kept in words, the
next try waits longer each time. Deletions show only when the whole is taken: then rows that the source no
longer has are closed, unless they are more than a fifth.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, text, update

from gis import tables
from gis.db import connect
from gis.errors import OneMapError
from gis.harvest.book import find_harvest
from gis.harvest.kinds import KINDS
from gis.harvest.model import Ask, Fetched, Harvest
from gis.harvest.net import Net, NetLimits
from gis.importing import ImportOptions, ImportResult, SourceInfo
from gis.importing.issues import refused
from gis.importing.reading import Limits
from gis.intake import take_in
from gis.jobs import WorkStopped
from gis.locks import Lock
from gis.revisions import alive
from gis.rhythms import rhythm_span
from gis.settings import MapDefinition

__all__ = ["HarvestResult", "back_off", "forget_runs", "run_harvest"]

FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=5), timedelta(days=1)
_READING_S = 600
_log = logging.getLogger("onemap.harvest")

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class HarvestResult:
    """What a run did: ``fetched`` rows came (None: the source says nothing has changed)."""

    name: str
    layer: str
    changed: bool
    whole: bool
    fetched: int | None
    rev: int | None
    result: ImportResult | None


def back_off(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: five minutes, then twice as long each, to a day."""
    doubled: timedelta = FIRST_WAIT * int(2 ** min(failures - 1, 20))
    return min(LONGEST_WAIT, doubled)


def run_harvest(
    engine: Engine,
    definition: MapDefinition,
    name: str,
    *,
    whole: bool = False,
    accept_columns: bool = False,
    allow_large_close: bool = False,
    who: str = "onemap",
    limits: NetLimits | None = None,
    environment: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> HarvestResult:
    """Ask the source of harvest ``name`` now.

    Parameters
    ----------
    whole : bool
        Take everything, also where what is new would do.
    accept_columns : bool
        Go on when the source no longer has columns that it had; takes the whole.
    allow_large_close : bool
        Close rows that are gone from the source also when they are more than a fifth.
    environment : mapping, optional
        Where credentials are looked up; the process's own without it.

    Raises
    ------
    NotFound
        For an unknown harvest.
    OneMapError
        When the source or the import failed; that is noted with the harvest, and the layer is as before.
    """
    with connect(engine) as conn:
        harvest = find_harvest(conn, name)
    told = progress or (lambda _phase, _done, _total: None)
    with _alone(engine, harvest):
        run_id = _begin(engine, harvest)
        try:
            credentials = _credentials(harvest, os.environ if environment is None else environment)
            with tempfile.TemporaryDirectory(prefix="onemap-harvest-") as folder:
                fetched = _fetch(
                    harvest, limits or NetLimits(), credentials, Path(folder), told,
                    whole=whole or accept_columns or _whole_is_due(harvest), accept_columns=accept_columns,
                )  # fmt: skip
                result = _store(
                    engine, limits or NetLimits(), definition, harvest, fetched, who, told, allow_large_close
                )
        except OneMapError as error:
            _note_failure(engine, harvest, run_id, error)
            raise
        except BaseException as error:  # also when the worker is told to stop
            stopped = isinstance(error, WorkStopped) or not isinstance(error, Exception)
            words = refused("harvest_interrupted" if stopped else "harvest_failed")
            _note_failure(engine, harvest, run_id, words)
            raise
        _note_success(engine, harvest, run_id, fetched, result)
    rev = result.change.rev if result else None
    return HarvestResult(
        harvest.name, harvest.layer, rev is not None, fetched.whole, fetched.rows, rev, result
    )


@contextmanager
def _alone(engine: Engine, harvest: Harvest) -> Iterator[None]:
    """Hold the harvest, so that no other process runs it; harvest_busy when one does."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        given = {"a": int(Lock.HARVEST), "b": harvest.id}
        if not conn.scalar(text("SELECT pg_try_advisory_lock(:a, :b)"), given):
            raise refused("harvest_busy", value=harvest.name)
        try:
            yield
        finally:
            conn.execute(text("SELECT pg_advisory_unlock(:a, :b)"), given)


def _begin(engine: Engine, harvest: Harvest) -> int:
    """Note that a run began; one that never ended, since its process was killed, failed."""
    r = tables.harvest_runs
    interrupted = _words(refused("harvest_interrupted"))
    with connect(engine, write=True) as conn:
        conn.execute(
            update(r)
            .where(r.c.harvest_id == harvest.id, r.c.state == "running")
            .values(state="failed", finished=func.clock_timestamp(), error=interrupted)
        )
        begun = insert(r).values(harvest_id=harvest.id, state="running", whole=False)
        return int(conn.execute(begun.returning(r.c.harvest_run_id)).scalar_one())


def _credentials(harvest: Harvest, environment: Mapping[str, str]) -> str | None:
    name = harvest.wishes.credentials
    if name is None:
        return None
    if not environment.get(name):
        raise refused("harvest_credentials_missing", value=name)
    return environment[name]


def _whole_is_due(harvest: Harvest) -> bool:
    """Whether it is time to take the whole, since only then deletions show."""
    span = rhythm_span(harvest.wishes.whole_every)
    return harvest.full_at is None or (span is not None and datetime.now(UTC) - harvest.full_at >= span)


def _fetch(
    harvest: Harvest,
    limits: NetLimits,
    credentials: str | None,
    folder: Path,
    told: Progress,
    *,
    whole: bool,
    accept_columns: bool,
) -> Fetched:
    held = harvest.mark or {}
    # A file is taken whole each time; that it has not changed since holds however long ago it was.
    whole = whole and not (harvest.kind == "http" and harvest.full_at is not None)
    # A token of ArcGIS goes into the query, a password of PostgreSQL into the connection.
    by_header = None if harvest.kind in ("arcgis", "postgis") else credentials
    url = harvest.url if harvest.kind != "postgis" else "http://postgis.invalid"
    ask = Ask(
        harvest.url, harvest.wishes, Net(url, limits, by_header), folder, held, whole,
        lambda rows, total: told("fetching", rows, total), credentials,
    )  # fmt: skip
    fetched = KINDS[harvest.kind](ask)
    had = frozenset(held.get("columns") or ())
    gone = had - fetched.columns if fetched.columns is not None and fetched.rows else frozenset()
    if not gone or accept_columns:
        return fetched
    if not fetched.whole:  # servers may leave out what is empty, so look at all before saying so
        whole_ask = replace(ask, whole=True)
        fetched = KINDS[harvest.kind](whole_ask)
        gone = had - (fetched.columns or had)
    if gone:
        raise refused("harvest_schema_changed", value=", ".join(sorted(gone)))
    return fetched


def _store(
    engine: Engine,
    limits: NetLimits,
    definition: MapDefinition,
    harvest: Harvest,
    fetched: Fetched,
    who: str,
    told: Progress,
    allow_large_close: bool,
) -> ImportResult | None:
    """Import what was fetched by the way all files go; None when there is nothing to import."""
    if fetched.path is None or (fetched.rows == 0 and not fetched.whole):
        return None
    with connect(engine) as conn:
        source = _source_info(conn, harvest.source)
        if fetched.rows == 0:
            _refuse_if_emptied(conn, definition, harvest)
            return None
    crs = harvest.wishes.crs if harvest.wishes.crs != "auto" else fetched.crs
    options = ImportOptions(
        source, crs=crs, mapping=harvest.wishes.mapping, mode="replace" if fetched.whole else "upsert",
        who=who, allow_large_close=allow_large_close, close_beside_refused=False,
    )  # fmt: skip
    return take_in(
        engine, definition, harvest.layer, fetched.path, options, progress=told,
        limits=replace(Limits(), file_mb=limits.total_mb, seconds=_READING_S),
    )  # fmt: skip


def _refuse_if_emptied(conn: Connection, definition: MapDefinition, harvest: Harvest) -> None:
    """Refuse a source that has nothing while the layer has rows of it; one that never had any is well."""
    table = tables.table_for(definition.layers[harvest.layer], definition.district.storage_crs)
    s = tables.sources
    source_id = select(s.c.source_id).where(s.c.name == harvest.source).scalar_subquery()
    mine = alive(table, None), table.c.source_id == source_id
    held = conn.scalar(select(func.count()).select_from(table).where(*mine))
    if held:
        raise refused("harvest_emptied", value=str(held))


def _source_info(conn: Connection, name: str) -> SourceInfo:
    """What the register says of the source, so that an import does not say otherwise."""
    s = tables.sources
    row = conn.execute(select(s).where(s.c.name == name)).one()
    return SourceInfo(
        name, row.title_zh, row.title_en, row.bureau, row.licence, row.attribution, row.url, row.accuracy_m,
        row.is_demonstration,
    )  # fmt: skip


def _note_success(
    engine: Engine, harvest: Harvest, run_id: int, fetched: Fetched, result: ImportResult | None
) -> None:
    h, r = tables.harvests, tables.harvest_runs
    now = datetime.now(UTC)
    mark = dict(fetched.mark)
    if fetched.columns is not None:
        known = set(fetched.columns)
        mark["columns"] = sorted(
            known if fetched.whole else known | set((harvest.mark or {}).get("columns", ()))
        )
    rev = result.change.rev if result else None
    span = rhythm_span(harvest.every)
    with connect(engine, write=True) as conn:
        conn.execute(
            update(r)
            .where(r.c.harvest_run_id == run_id)
            .values(
                state="unchanged" if rev is None else "changed", finished=now, whole=fetched.whole,
                fetched=fetched.rows, run_id=getattr(result, "run_id", None), rev=rev,
            )
        )  # fmt: skip
        values: dict[str, Any] = {
            "mark": mark,
            "failures": 0,
            "next_at": None if span is None else now + span,
        }
        # With rows refused nothing was closed, so what is gone has not been seen yet.
        if fetched.whole and (result is None or not result.bad):
            values["full_at"] = now
        conn.execute(update(h).where(h.c.harvest_id == harvest.id).values(values))


def _note_failure(engine: Engine, harvest: Harvest, run_id: int, error: OneMapError) -> None:
    h, r = tables.harvests, tables.harvest_runs
    now = datetime.now(UTC)
    failures = harvest.failures + 1
    # One that runs only when asked is not tried again by itself.
    next_at = None if harvest.every is None else now + back_off(failures)
    _log.info("harvest %s failed: %s", harvest.name, error.en)
    with connect(engine, write=True) as conn:
        conn.execute(
            update(r)
            .where(r.c.harvest_run_id == run_id)
            .values(state="failed", finished=now, error=_words(error))
        )
        conn.execute(update(h).where(h.c.harvest_id == harvest.id).values(failures=failures, next_at=next_at))


def forget_runs(conn: Connection, days: int) -> None:
    """Remove runs older than ``days``, but for the newest of each harvest."""
    r = tables.harvest_runs
    newest = select(func.max(r.c.harvest_run_id)).group_by(r.c.harvest_id)
    old = r.c.finished < func.now() - timedelta(days=days)
    conn.execute(delete(r).where(old, r.c.harvest_run_id.not_in(newest)))


def _words(error: OneMapError) -> dict[str, str]:
    return {
        "code": getattr(error, "reason", error.code), "en": error.en, "zh": error.zh,
        "remedy_en": error.remedy_en, "remedy_zh": error.remedy_zh,
    }  # fmt: skip
