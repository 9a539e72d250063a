"""What is done with an upload: read it, propose where it belongs, try the import, import.

Each step reads what the one before left in the upload's folder and leaves what it found there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Engine

from gis.db import connect
from gis.errors import NotFound
from gis.importing import ImportResult, import_file
from gis.importing.reading import Reading, read_file
from gis.settings import MapDefinition
from gis.uploads.changes import changes
from gis.uploads.facts import describe, findings
from gis.uploads.fit import rank_layers
from gis.uploads.names import dataset
from gis.uploads.plan import Plan
from gis.uploads.store import Upload
from layers.model import Layer

__all__ = ["check", "commit", "proposal", "read"]

Progress = Callable[[str, int, int | None], None]


def read(upload: Upload, engine: Engine, definition: MapDefinition) -> None:
    """Read the files in the sandboxed child; leave "facts" and the proposal for the likeliest layer.

    Raises ImportRefused when they cannot be read.
    """
    upload.spool.mkdir(exist_ok=True)
    upload.forget("facts", "layers")
    reading = read_file(dataset(sorted(upload.files.iterdir())), folder=upload.spool)
    facts = describe(reading)
    upload.write("facts", facts)
    ranked = rank_layers(definition, reading, facts["geometry"])
    upload.write("layers", ranked)
    if ranked:
        proposal(upload, engine, definition, ranked[0]["id"])


def proposal(upload: Upload, engine: Engine, definition: MapDefinition, layer_id: str) -> dict[str, Any]:
    """Where the rows lie and which column goes to which field, if they were of ``layer_id``.

    Made once a layer and kept. ``crs`` is what `gis.importing.detective.propose` says, for the command line
    too; null when no row has a geometry. Raises NotFound for an unknown layer.
    """
    layer = importable(definition, layer_id)
    kept = upload.read(f"proposal-{layer.id}")
    if kept is not None:
        return dict(kept)
    from gis.importing import detective, mapping

    reading = Reading.load(upload.spool)
    crs = None
    if layer.has_geometry and set(upload.read("facts")["geometry"]) - {"none"}:
        with connect(engine) as conn:
            evidence = detective.load_evidence(conn, definition, layer)
        crs = detective.propose(reading, definition, evidence).as_dict()
    fields = [asdict(entry) for entry in mapping.propose(layer, reading)]
    found = {"layer": layer.id, "crs": crs, "mapping": fields}
    upload.write(f"proposal-{layer.id}", found)
    return found


def importable(definition: MapDefinition, layer_id: str) -> Layer:
    """The layer ``layer_id``, when files may go into it. Raises NotFound."""
    layer = definition.layers.get(layer_id)
    if layer is None or layer.derived is not None:
        raise NotFound(
            f"There is no layer {layer_id[:80]!r} that takes files.",
            f"没有可导入的图层“{layer_id[:80]}”。",
            remedy_en="Take one of the layers that the import proposes.",
            remedy_zh="请从导入建议的图层中选择。",
        )
    return layer


def check(upload: Upload, engine: Engine, definition: MapDefinition, progress: Progress) -> None:
    """Try the import without storing anything; leave "check" (counts, findings) and "changes" (GeoJSON)."""
    plan = Plan.from_dict(upload.read("plan"))
    result = _run(upload, engine, definition, plan, progress, who="web", dry_run=True)
    upload.write("check", summary(result))
    upload.write("changes", changes(result, definition))


def commit(upload: Upload, engine: Engine, definition: MapDefinition, progress: Progress) -> None:
    """Import as planned: one transaction, one revision; leave "result"."""
    plan = Plan.from_dict(upload.read("plan"))
    who = str(upload.state.get("who", "web"))
    result = _run(upload, engine, definition, plan, progress, who=who, dry_run=False)
    upload.write("result", summary(result))


def _run(
    upload: Upload, engine: Engine, definition: MapDefinition, plan: Plan, progress: Progress, *, who: str, dry_run: bool
) -> ImportResult:  # fmt: skip
    importable(definition, plan.layer)
    path = dataset(sorted(upload.files.iterdir()))
    options = plan.options(who, dry_run=dry_run)
    reading = Reading.load(upload.spool)
    return import_file(engine, definition, plan.layer, path, options, progress=progress, reading=reading)


def summary(result: ImportResult) -> dict[str, Any]:
    """What an import did or would do, in numbers and in findings by reason."""
    change = result.change
    return {
        "layer": result.layer,
        "file": result.file,
        "total": result.total,
        "good": result.good,
        "bad": result.bad,
        "repaired": result.repaired,
        "rev": change.rev,
        "run": result.run_id,
        "added": change.added,
        "changed": change.changed,
        "closed": change.closed,
        "unchanged": change.unchanged,
        "transformation": result.transformation,
        "findings": findings(result.issues),
    }
