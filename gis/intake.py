"""A file into a layer, and what follows from it for the layers that are made from others."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from gis.importing import ImportOptions, ImportResult, import_file
from gis.importing.options import Progress
from gis.importing.reading import TRUSTED, Limits, Reading
from gis.linking import refresh
from gis.settings import MapDefinition

__all__ = ["take_in"]


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
    """Import a file as `gis.importing.import_file` does; then compare the linked rows of its layer anew.

    The comparison is a revision of its own, after that of the import: a disagreement can be written down
    anew at any time, an import cannot. Raises what `import_file` raises.
    """
    result = import_file(
        engine, definition, layer_id, path, options, progress=progress, reading=reading, limits=limits
    )
    if result.change.rev is not None and definition.layers[layer_id].linking is not None:
        refresh(engine, definition, who=options.who)
    return result
