"""A small map for the store's tests: two layers, a district, and a database that is in step with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from gis.db import connect
from gis.importing import ImportOptions, ImportResult, SourceInfo, import_file
from gis.settings import MapDefinition
from gis.sync import sync
from layers.district import load_district
from layers.registry import load_layers
from tests.conftest import Databases

OUTSIDE = Path(__file__).parents[1] / "outside"


@pytest.fixture(scope="session")
def small_map() -> MapDefinition:
    """The wells and pads of tests/outside in the shipped district, without rules."""
    layers = load_layers([OUTSIDE])
    return MapDefinition(load_district(), {name: layers[name] for name in ("wells", "pads")}, {})


@pytest.fixture
def store(databases: Databases, small_map: MapDefinition) -> Iterator[Engine]:
    """An engine on an empty store of the small map."""
    name = databases.create(databases.template("small", lambda url: build_small(url, small_map)))
    engine = create_engine(databases.url(name))
    yield engine
    engine.dispose()
    databases.drop(name)


def build_small(url: str, definition: MapDefinition) -> None:
    """Bring an empty database in step with the small map."""
    engine = create_engine(url)
    sync(engine, definition)
    engine.dispose()


@pytest.fixture
def load(store: Engine, small_map: MapDefinition, tmp_path: Path) -> Callable[..., ImportResult]:
    """Imports CSV text into a layer: load("wells", "code,lon,lat\\n...", **options)."""

    def run(
        layer: str, content: str, *, source: str = "survey", accuracy_m: float = 10.0, **options: object
    ) -> ImportResult:
        path = tmp_path / f"{layer}-{source}.csv"
        path.write_text(content, encoding="utf-8")
        options = {"crs": "EPSG:4490", **options}
        return import_file(
            store,
            small_map,
            layer,
            path,
            ImportOptions(SourceInfo(source, accuracy_m=accuracy_m), **options),  # type: ignore[arg-type]
        )

    return run


def content(engine: Engine, layer: str, rev: int | None = None) -> list[tuple[object, ...]]:
    """What ``layer`` says at ``rev``: its rows without the bookkeeping, in order of uid."""
    condition = (
        "rev_to IS NULL" if rev is None else f"rev_from <= {rev} AND (rev_to IS NULL OR rev_to > {rev})"
    )
    with connect(engine) as conn:
        rows = conn.execute(
            text(
                "SELECT to_jsonb(t) - 'row_id' - 'rev_from' - 'rev_to' - 'geom_web', ST_AsText(geom) "
                f'FROM layer."{layer}" t WHERE {condition} ORDER BY uid'
            )
        )
        return [tuple(row) for row in rows]
