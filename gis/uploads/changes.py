"""What a dry run would change, as GeoJSON small enough for a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import shapely

from gis.uploads.preview import MOST_FEATURES, features

__all__ = ["changes"]

_KINDS = ("added", "changed", "closed")


def changes(drawn: Path) -> dict[str, Any]:
    """Of the rows in ``drawn`` (as `gis.importing.rehearsal` draws them) some of each kind, evenly picked.

    At most 2,000 in all, in lon/lat, each with "change", "uid", "label" and "row".
    """
    if not drawn.is_file():  # a layer without geometry
        return features(np.empty(0, dtype=object), [])
    rows = orjson.loads(drawn.read_bytes())["features"]
    drawn.unlink()
    kinds = [[row for row in rows if row["properties"]["change"] == kind] for kind in _KINDS]
    present = [kind for kind in kinds if kind]
    each = MOST_FEATURES // max(1, len(present))
    picked = [row for kind in present for row in kind[:: max(1, -(-len(kind) // each))]]
    shapes = shapely.from_geojson(
        [orjson.dumps(row["geometry"]) if row["geometry"] else None for row in picked]
    )
    return features(np.asarray(shapes, dtype=object), [row["properties"] for row in picked])
