"""What is done with an upload: read it, propose where it belongs, try the import, import.

Each step reads what the one before left in the upload's folder and leaves what it found there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import Engine

from gis.db import connect
from gis.errors import NotFound
from gis.importing import ImportResult
from gis.importing.detective import load_evidence
from gis.importing.detective import propose as propose_places
from gis.importing.mapping import propose as propose_columns
from gis.importing.mapping.wording import targets
from gis.importing.options import Progress
from gis.importing.reading import Limits, Reading, read_file
from gis.intake import take_in
from gis.settings import MapDefinition
from gis.uploads.changes import changes
from gis.uploads.facts import describe, findings
from gis.uploads.fit import rank_layers
from gis.uploads.names import dataset
from gis.uploads.plan import Plan
from gis.uploads.preview import preview as show_rows
from gis.uploads.rejects import as_csv
from gis.uploads.store import Upload
from layers.model import Layer

__all__ = ["check", "commit", "importable", "preview", "proposal", "read"]

_DRAWN = "drawn.geojson"
LARGE_CLOSE = 0.2  # as gis.importing.load refuses it


def read(upload: Upload, engine: Engine, definition: MapDefinition, limits: Limits) -> None:
    """Read the files in the sandboxed child; leave "facts" and the proposal for the likeliest layer.

    Raises ImportRefused when they cannot be read.
    """
    upload.spool.mkdir(exist_ok=True)
    upload.forget("facts", "layers")
    reading = read_file(dataset(sorted(upload.files.iterdir())), folder=upload.spool, limits=limits)
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
    reading = Reading.load(upload.spool)
    found: dict[str, Any] = {"layer": layer.id, "crs": _places(upload, engine, definition, layer, reading)}
    found["mapping"] = _columns(layer, reading)
    upload.write(f"proposal-{layer.id}", found)
    return found


def _places(
    upload: Upload, engine: Engine, definition: MapDefinition, layer: Layer, reading: Reading
) -> dict[str, Any] | None:
    """The CRS proposal, and beside it on disk which group each row is of."""
    if not layer.has_geometry or not set(upload.read("facts")["geometry"]) - {"none"}:
        return None
    with connect(engine) as conn:
        evidence = load_evidence(conn, definition, layer=layer, reading=reading)
    proposal = propose_places(reading, definition, evidence)
    groups = np.zeros(reading.header.rows, dtype=np.uint16)
    for group in proposal.groups:
        groups[group.rows] = group.number
    with (upload.folder / f"groups-{layer.id}.npy").open("wb") as file:
        np.save(file, groups)
    return proposal.as_dict()


def _columns(layer: Layer, reading: Reading) -> list[dict[str, Any]]:
    """The proposal for each field with what a person wants to know of the field."""
    fields = {field.name: field for field in targets(layer)}
    return [
        {
            "field": entry.field,
            "title": fields[entry.field].title.model_dump(),
            "type": fields[entry.field].type,
            "unit": fields[entry.field].unit,
            "required": fields[entry.field].required,
            "column": entry.column,
            "score": entry.score,
            "certain": entry.certain,
            "why": {"zh": entry.why_zh, "en": entry.why_en},
            "unit_from": entry.unit_from,
            "unknown_words": [word for word, code in (entry.code_table or {}).items() if code is None][:8],
        }
        for entry in propose_columns(layer, reading)
    ]


def preview(
    upload: Upload, definition: MapDefinition, layer_id: str, crs: str, group: int | None
) -> dict[str, Any]:
    """Where the rows would lie in ``crs``, see `gis.uploads.preview`; those of one group when it is named."""
    rows = None
    if group is not None:
        kept = upload.folder / f"groups-{importable(definition, layer_id).id}.npy"
        rows = np.flatnonzero(np.load(kept) == group) if kept.is_file() else None
    return show_rows(definition, Reading.load(upload.spool), crs, rows)


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
    layer = importable(definition, plan.layer)
    _keep_findings(upload, layer, result)
    upload.write("changes", changes(upload.folder / _DRAWN))
    upload.write("check", summary(result, layer) | {"closes_many": _closes_many(plan, result)})


def commit(upload: Upload, engine: Engine, definition: MapDefinition, progress: Progress) -> None:
    """Import as planned: one transaction, one revision; leave "result"."""
    plan = Plan.from_dict(upload.read("plan"))
    who = str(upload.state.get("who", "web"))
    result = _run(upload, engine, definition, plan, progress, who=who, dry_run=False)
    upload.write("result", summary(result, importable(definition, plan.layer)))


def _run(
    upload: Upload,
    engine: Engine,
    definition: MapDefinition,
    plan: Plan,
    progress: Progress,
    *,
    who: str,
    dry_run: bool,
) -> ImportResult:
    importable(definition, plan.layer)
    path = dataset(sorted(upload.files.iterdir()))
    options = plan.options(who, map_file=upload.folder / _DRAWN if dry_run else None)
    reading = Reading.load(upload.spool)
    return take_in(engine, definition, plan.layer, path, options, progress=progress, reading=reading)


def _closes_many(plan: Plan, result: ImportResult) -> bool:
    """Whether the import will be refused unless somebody confirms that so many rows are closed."""
    change = result.change
    mine = change.closed + change.changed + change.unchanged
    return plan.mode == "replace" and change.closed > LARGE_CLOSE * mine


def _keep_findings(upload: Upload, layer: Layer, result: ImportResult) -> None:
    content = as_csv(Reading.load(upload.spool), result.issues, layer)
    (upload.folder / "rejects.csv").write_bytes(content)


def summary(result: ImportResult, layer: Layer) -> dict[str, Any]:
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
        "findings": findings(result.issues, layer, result.counts),
    }
