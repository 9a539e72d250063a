"""Whole maps for the tests that go from a definition to an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from gis.importing import ImportOptions, ImportResult, SourceInfo, import_file
from gis.settings import MapDefinition, Settings
from gis.sync import sync
from tests.conftest import Databases

OUTSIDE = Path(__file__).parents[1] / "outside"


@dataclass(frozen=True)
class OpenMap:
    """A map definition with a store that is in step with it."""

    settings: Settings
    definition: MapDefinition
    engine: Engine
    folder: Path

    def load(self, layer: str, name: str, content: str, **options: object) -> ImportResult:
        """Import ``content`` as the file ``name`` into ``layer``; options are those of ImportOptions."""
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        source = SourceInfo(str(options.pop("source", "survey")), accuracy_m=options.pop("accuracy_m", 1.0))  # type: ignore[arg-type]
        return import_file(self.engine, self.definition, layer, path, ImportOptions(source, **options))  # type: ignore[arg-type]


@pytest.fixture
def open_map(databases: Databases, tmp_path: Path) -> Iterator[Callable[[Path], OpenMap]]:
    """Opens a map for a district file, with the layers and rules of tests/outside added."""
    opened: list[tuple[Engine, str]] = []

    def run(district: Path) -> OpenMap:
        settings = Settings(district=district, layers=(OUTSIDE,))
        definition = settings.load_map()

        def build(url: str) -> None:
            engine = create_engine(url)
            sync(engine, definition)
            engine.dispose()

        name = databases.create(databases.template(f"system_{definition.district.id}", build))
        engine = create_engine(databases.url(name))
        opened.append((engine, name))
        return OpenMap(settings, definition, engine, tmp_path)

    yield run
    for engine, name in opened:
        engine.dispose()
        databases.drop(name)


@pytest.fixture
def jinhua_with_wells(tmp_path: Path) -> Path:
    """The shipped district with the test pack on."""
    shipped = next((Path(__file__).parents[2] / "layers" / "districts").glob("*.toml"))
    text = shipped.read_text(encoding="utf-8").replace("../../data", str(shipped.parents[2] / "data"))
    path = tmp_path / "district.toml"
    path.write_text(text.replace('rule_packs = ["', 'rule_packs = ["wells", "'), encoding="utf-8")
    return path
