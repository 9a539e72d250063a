"""One join by the kernel and by every peer, in turns, and what its figures are held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.peers import THREADS, Table, duckdb_spatial, postgis, sedona
from bench.report import Answer, Limit, Row, in_turns, judged, timed
from bench.workload import Workload, workload
from gis.kernel import ZoneSet, cut

__all__ = ["Join", "measured"]

PIECE_VERTICES = 96
MOST_PER_SUBJECT = 1.5
TENTH = "onemap, a tenth of the subjects"
ENGINES = {"PostGIS": postgis, "DuckDB spatial": duckdb_spatial, "SedonaDB": sedona}


@dataclass(frozen=True)
class Join:
    """What is joined, how each system does it, and what the result must hold.

    Attributes
    ----------
    name : str
        Of the benchmark.
    subjects : str
        "points" or "parcels": the table joined with the zones.
    kernel : callable
        Workload and prepared zones -> Answer.
    geopandas : callable
        Workload and pieces -> a callable that answers.
    statements : mapping
        Name of the system, which starts with that of its engine, to its SQL; tables are ``subjects``,
        ``zones``, and ``pieces`` of zones under the number of their zone.
    limits : tuple of Limit
    tolerance : (float, float)
        Relative and absolute difference of a measure that is none.
    max_vertices : int
        Of the kernel's pieces.
    """

    name: str
    subjects: str
    kernel: Callable[[Workload, ZoneSet], Answer]
    geopandas: Callable[[Workload, Table], Callable[[], Answer]]
    statements: Mapping[str, str]
    limits: tuple[Limit, ...]
    tolerance: tuple[float, float] = (0.0, 0.0)
    max_vertices: int = 256


def measured(join: Join, share: float = 1.0) -> list[Row]:
    """The rows of one benchmark on that share of its subjects; onemap's tells what was held and missed."""
    made = workload().share(share)
    with ExitStack() as stack:
        load, zones = timed(lambda: ZoneSet.prepare(made.zones, 0.0, max_vertices=join.max_vertices))
        tenth = made.share(0.1)
        systems: dict[str, Callable[[], Answer]] = {
            "onemap": lambda: join.kernel(made, zones),
            TENTH: lambda: join.kernel(tenth, zones),
        }
        prepared = {"onemap": load}
        _add_peers(join, made, stack, systems, prepared)
        size = {
            join.subjects: len(_subjects(join, made)),
            "zones": len(made.zones),
            "workload": made.made_by,
            "threads": THREADS,
        }
        params = {name: {**size, "prepared_s": seconds} for name, seconds in prepared.items()}
        rows = in_turns(join.name, systems, params, tolerance=join.tolerance, apart=(TENTH,))
    return _told(rows, join)


def _add_peers(
    join: Join,
    made: Workload,
    stack: ExitStack,
    systems: dict[str, Callable[[], Answer]],
    prepared: dict[str, float],
) -> None:
    cutting, cut_up = timed(lambda: cut(made.zones, PIECE_VERTICES, check=False))
    pieces = (cut_up.owner, cut_up.geoms)
    name = "geopandas"
    prepared[name], systems[name] = timed(lambda: join.geopandas(made, pieces))
    tables = {
        join.subjects: _numbered(_subjects(join, made)),
        "zones": _numbered(made.zones),
        "pieces": pieces,
    }
    for engine, opened in ENGINES.items():
        mine = {name: sql for name, sql in join.statements.items() if name.startswith(engine)}
        used = {table: rows for table, rows in tables.items() if any(table in sql for sql in mine.values())}
        loading, ask = timed(lambda opened=opened, used=used: stack.enter_context(opened(used)))
        for name, sql in mine.items():
            prepared[name] = loading + (cutting if "pieces" in sql else 0.0)
            systems[name] = lambda ask=ask, sql=sql: ask(sql)


def _subjects(join: Join, made: Workload) -> Any:
    return made.points if join.subjects == "points" else made.parcels


def _numbered(geoms: Any) -> Table:
    return np.arange(len(geoms)), geoms


def _told(rows: list[Row], join: Join) -> list[Row]:
    """The rows of all systems, onemap's first, with the limits and the cost per subject in its params."""
    own, tenth, *others = rows
    per_subject = own.median / (10 * tenth.median)
    sentences = [
        *judged([own, *others], join.limits),
        f"{per_subject:.2f} times the cost per subject of a tenth, wanted at most {MOST_PER_SUBJECT}: "
        f"{'held' if per_subject <= MOST_PER_SUBJECT else 'MISSED'}",
    ]
    # The kernel cuts, indexes and prepares on the first question: what that took longer is preparation.
    prepared = own.params["prepared_s"] + max(own.params["first"] - own.median, 0.0)
    told = {
        "prepared_s": prepared,
        "tenth_s": tenth.median,
        "cost_per_subject": per_subject,
        "judged": sentences,
    }
    return [replace(own, params={**own.params, **told}), *others]
