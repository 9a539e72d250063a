"""What is exported and imported again is what it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from gis.export import WriteOptions, export_layer
from gis.importing import ImportOptions, ImportResult, SourceInfo, import_file
from gis.settings import MapDefinition
from tests.gis.kit import LAYERS, SOURCE, empty, held, kit, kit_map, put, sample

__all__ = ["kit", "kit_map"]

EXACT = (".gpkg", ".parquet", ".fgb", ".geojson")
EVERY_BIT = WriteOptions(decimals=17)

Again = Callable[..., ImportResult]


@pytest.fixture
def again(kit: Engine, kit_map: MapDefinition, tmp_path: Path) -> Again:
    """Exports a layer, empties it, and imports the file: again("spots", ".gpkg")."""

    def run(layer: str, ending: str, options: WriteOptions = EVERY_BIT, **given: Any) -> ImportResult:
        file = tmp_path / f"{layer}{ending}"
        export_layer(kit, kit_map, LAYERS[layer], file, options=options)
        empty(kit, layer)
        return import_file(kit, kit_map, layer, file, ImportOptions(SourceInfo(SOURCE), outside="keep", **given))

    return run


@pytest.mark.parametrize("ending", EXACT)
@pytest.mark.parametrize("layer", list(LAYERS))
def test_what_comes_back_is_what_went_out(again: Again, kit: Engine, layer: str, ending: str) -> None:
    put(kit, layer, sample(layer))
    before = held(kit, layer)
    result = again(layer, ending)
    assert (result.good, result.bad) == (3, 0), result.issues
    assert held(kit, layer) == before
