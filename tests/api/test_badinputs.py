"""The bad files of tests/gis/importing over HTTP: each comes to an end in words, never in a 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine

from api.app import create_app
from gis.instep import bring_in_step
from gis.settings import MapDefinition, Settings
from tests.api.conftest import client_of
from tests.api.test_imports import settled, upload
from tests.conftest import Databases
from tests.gis.importing import corpus
from tests.gis.importing.corpus import Case

OUTSIDE = Path(corpus.__file__).parent / "outside"
CASES = corpus.cases()
# One of each way to end; `make test-long` takes all.
SAMPLE = {
    "own-geojson-bowtie", "own-geojson-nan", "own-shp-deleted", "own-shp-no-prj", "own-zip-bomb",
    "own-kml-entity",
}  # fmt: skip


@pytest.fixture(scope="module")
def client(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The service on the two layers of the corpus."""
    name = databases.create()
    settings = Settings(
        database_url=databases.url(name),
        district=OUTSIDE / "districts" / "hangzhou.toml",
        layers=(OUTSIDE,),
        home=tmp_path_factory.mktemp("home"),
    )
    whole = settings.load_map()
    definition = MapDefinition(whole.district, {name: whole.layers[name] for name in corpus.KINDS}, {})
    engine = create_engine(databases.url(name))
    bring_in_step(engine, definition)
    app = create_app(settings, definition, engine)
    yield client_of(app)
    app.state.workshop.close()
    engine.dispose()
    databases.drop(name)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.id, marks=() if case.id in SAMPLE else pytest.mark.long)
        for case in CASES
        if case.on_demand is None
    ],
)
def test_an_uploaded_bad_file_comes_to_an_end_in_words(
    case: Case, client: TestClient, tmp_path: Path
) -> None:
    path = case.path(tmp_path)
    made = upload(client, (path.name, path.read_bytes()))
    assert made.status_code in (201, 400, 413, 415, 422), made.text
    if made.status_code != 201:
        return
    found = settled(client, made.json()["id"])
    assert found["state"] in ("ready", "refused"), found
    if found["state"] == "ready":
        crs = case.params.get("crs") or case.params.get("source_datum") or "auto"
        plan = {"layer": case.kind, "crs": crs, "source": {"name": "corpus"}}
        answer = client.post(f"/imports/{found['id']}/plan", json=plan)
        assert answer.status_code in (202, 422), answer.text
        found = settled(client, found["id"])
        assert found["state"] in ("planned", "ready", "refused"), found
    if found["state"] == "planned":
        check = found["check"]
        assert check["good"] + check["bad"] == check["total"]
        assert case.rows_total in (None, check["total"])
    else:
        assert "reject-file-with-reason" in (case.outcome, *case.also_ok), found["problem"]
        assert any("\u4e00" <= letter <= "\u9fff" for letter in found["problem"]["detail_zh"])
    assert client.delete(f"/imports/{found['id']}").status_code == 204
