"""The whole map with the shipped data: loading once, and the check that probes everything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from api.cli.probe import probe
from api.cli.serve import listen
from gis.db import connect
from gis.instep import bring_in_step
from gis.manifest import load, pending, read_manifest
from gis.settings import MapDefinition, Settings
from tests.api.conftest import SmallMap
from tests.conftest import Databases
from tests.web.conftest import build_demonstration

# rasterio multiplies transforms in the way that affine 3 gives up.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@pytest.fixture(scope="module")
def demonstration(databases: Databases) -> str:
    """The URL of a database with the shipped demonstration, judged."""
    return databases.url(databases.create(databases.template("demonstration", build_demonstration)))


def test_the_check_probes_everything_and_finds_nothing_wrong(demonstration: str) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("onemap"), "demo", "--check", "--port", "0"],
        env=os.environ | {"ONEMAP_DATABASE_URL": demonstration, "ONEMAP_LANG": "en"},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    probed = dict(re.findall(r"│ (?:✓|✗) │ ([\w ]+?) +│ +(\d+) │", done.stdout))
    layers = len(Settings().load_map().layers)
    assert int(probed["items"]) == int(probed["collection"]) == layers
    assert int(probed["screening"]) >= 2 and int(probed["tile"]) > 20
    assert re.search(r"enterprises .* demonstration", done.stdout)
    assert re.search(r"DW-\d\d .*│ Conflict +│ Review +│", done.stdout)


def test_the_check_fails_when_something_is_wrong(
    shared_map: SmallMap, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert probe(shared_map.app(), listen("127.0.0.1", 0)) is True

    def broken(*_: object, **__: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr("api.routes.tiles.vector_tile", broken)
    assert probe(shared_map.app(), listen("127.0.0.1", 0)) is False
    assert "500 instead of 200" in capsys.readouterr().out


def test_a_load_is_done_once_and_again_when_its_file_changes(databases: Databases, tmp_path: Path) -> None:
    engine = create_engine(databases.url(databases.create()))
    definition = Settings().load_map()
    bring_in_step(engine, definition)
    (tmp_path / "w.csv").write_text("element_id,name,kind\nE1,带,belt\n", "utf-8")
    manifest = tmp_path / "manifest.toml"
    manifest.write_text(
        '[[sources]]\nname = "s"\ntitle = {zh = "源", en = "Source"}\nis_demonstration = true\n'
        '[[loads]]\nlayer = "plan_structure"\nfile = "w.csv"\nsource = "s"\n',
        "utf-8",
    )

    def waiting(map_definition: MapDefinition) -> int:
        with connect(engine) as conn:
            return len(pending(conn, read_manifest(manifest, map_definition)))

    assert waiting(definition) == 1
    (entry,) = read_manifest(manifest, definition)
    assert load(engine, definition, entry).change.rev == 1
    assert waiting(definition) == 0
    (tmp_path / "w.csv").write_text("element_id,name,kind\nE2,核,core\n", "utf-8")
    assert waiting(definition) == 1
    (entry,) = read_manifest(manifest, definition)
    assert load(engine, definition, entry).change.closed == 1
    with connect(engine) as conn:
        rows = conn.execute(text("SELECT element_id, is_demonstration FROM now.plan_structure")).all()
    assert [tuple(row) for row in rows] == [("E2", True)]
    engine.dispose()
