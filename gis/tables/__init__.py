"""The tables of the store: fixed ones in schema ``core`` and one typed table a layer in schema ``layer``.

A row of a layer lives from revision ``rev_from`` up to, not including, ``rev_to``; ``rev_to`` is null while
the row is current. Rows are never updated otherwise, so ``row_id`` names one version of one thing for ever.
"""

from __future__ import annotations

from gis.tables.core import (
    CORE,
    NAMING,
    conflict_marks,
    coverage,
    field_maps,
    harvest_runs,
    harvests,
    import_runs,
    judgings,
    links,
    promises,
    rejects,
    report_faces,
    reports,
    revision_layers,
    revisions,
    rule_texts,
    sources,
    store,
    uncovered,
)
from gis.tables.layer import (
    COARSE_M,
    MADE_FROM,
    NOT_CONTENT,
    ROW_COLUMNS,
    code_check,
    has_web_index,
    table_for,
    told,
)
from gis.tables.levels import tile_cells, tile_levels, tile_rows, tile_shapes
from gis.tables.ready import form_of, item_blocks, item_cells, item_forms, item_rows

__all__ = [
    "COARSE_M",
    "CORE",
    "MADE_FROM",
    "NAMING",
    "NOT_CONTENT",
    "ROW_COLUMNS",
    "code_check",
    "conflict_marks",
    "coverage",
    "field_maps",
    "form_of",
    "harvest_runs",
    "harvests",
    "has_web_index",
    "import_runs",
    "item_blocks",
    "item_cells",
    "item_forms",
    "item_rows",
    "judgings",
    "links",
    "promises",
    "rejects",
    "report_faces",
    "reports",
    "revision_layers",
    "revisions",
    "rule_texts",
    "sources",
    "store",
    "table_for",
    "tile_cells",
    "tile_levels",
    "tile_rows",
    "tile_shapes",
    "told",
    "uncovered",
]
