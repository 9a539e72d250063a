"""What follows from a change of rows for the layers that are made from others; and a file into a layer."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from gis.db import connect
from gis.errors import OneMapError
from gis.importing import ImportOptions, ImportResult, import_file
from gis.importing.options import Progress
from gis.importing.reading import TRUSTED, Limits, Reading
from gis.jobs import enqueue
from gis.linking import refresh
from gis.settings import MapDefinition

__all__ = ["DRAWING", "JUDGING", "carry_on", "draw_again", "judge_again", "take_in"]

JUDGING = "conflicts.refresh"
"""The job that brings the conflicts up to date."""

DRAWING = "tiles.prepare"
"""The job that prepares the levels tiles are drawn from."""


def take_in(
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
    """Import a file as `gis.importing.import_file` does; then do what follows from it.

    Linked rows are compared anew, conflicts judged, tiles prepared. Rows written so are revisions of their
    own, after that of the import: they can be written down anew at any time, an import cannot. Raises what
    `import_file` raises.
    """
    result = import_file(
        engine, definition, layer_id, path, options, progress=progress, reading=reading, limits=limits
    )
    if result.change.rev is not None:
        if progress is not None:
            progress("judging", 0, None)
        carry_on(engine, definition, layer_id, who=options.who)
    return result


def carry_on(engine: Engine, definition: MapDefinition, layer_id: str, *, who: str) -> None:
    """Do what follows from a change of a layer's rows that is committed; see `take_in`."""
    if definition.layers[layer_id].linking is not None:
        refresh(engine, definition, who=who)
    judge_again(engine, definition)
    draw_again(engine, definition)


def judge_again(engine: Engine, definition: MapDefinition) -> int | None:
    """Bring the conflicts up to date with what has just changed: now when it is little, else by a job.

    Conflicts that were never judged stay so: the first judging is asked for (`onemap conflicts refresh`).
    Nothing that goes wrong here undoes the change itself; the job then says what it was.

    Returns
    -------
    int or None
        The number of the job; None where there is nothing left to do.
    """
    from gis.screening.conflicts import last_judged, refresh_if_small

    if definition.derived("conflicts") is None:
        return None
    with connect(engine) as conn:
        if last_judged(conn, definition) is None:
            return None
    try:
        done = refresh_if_small(engine, definition)
    except OneMapError:
        done = None
    return enqueue(engine, JUDGING, {}, queue_key=JUDGING, lane="clock") if done is None else None


def draw_again(engine: Engine, definition: MapDefinition) -> int | None:
    """Prepare tiles and pages of what has just changed: now where it is little, else by a job.

    They are right before that too, only slower. Nothing that goes wrong here undoes the change itself.

    Returns
    -------
    int or None
        The number of the job; None where there is nothing left to do.
    """
    from gis.features import prepare_items
    from gis.tiles import prepare_tiles

    try:
        left = prepare_tiles(engine, definition, small_only=True).left
        left += prepare_items(engine, definition, small_only=True).left
    except OneMapError:
        left = ("?",)
    return enqueue(engine, DRAWING, {}, queue_key=DRAWING, lane="clock") if left else None
