"""Files that try to break an importer: each ends as its manifest says, and never in an unforeseen error."""

from __future__ import annotations

import shutil
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from gis.db import connect
from gis.errors import CrsError, ImportRefused
from gis.importing import ImportOptions, SourceInfo, import_file
from gis.importing.reading.spool import ReadOptions
from gis.settings import MapDefinition
from gis.sync import sync
from layers.district import load_district
from layers.registry import load_layers
from tests.conftest import Databases
from tests.gis.importing import corpus
from tests.gis.importing.corpus import Case
from tests.gis.importing.verdicts import CHECKS, Outcome, Watch

OUTSIDE = Path(__file__).parent / "outside"
REASONS = tomllib.loads((Path(__file__).parent / "reasons.toml").read_text("utf-8"))
SOURCE = SourceInfo("corpus", accuracy_m=10.0)


@pytest.fixture(scope="module")
def definition() -> MapDefinition:
    layers = load_layers([OUTSIDE])
    district = load_district(OUTSIDE / "districts" / "hangzhou.toml")
    return MapDefinition(district, {name: layers[name] for name in corpus.KINDS}, {})


@pytest.fixture(scope="module")
def store(databases: Databases, definition: MapDefinition) -> Iterator[Engine]:
    name = databases.create()
    engine = create_engine(databases.url(name))
    sync(engine, definition)
    yield engine
    engine.dispose()
    databases.drop(name)


@pytest.fixture(autouse=True)
def empty(store: Engine) -> None:
    """Each case finds an empty store."""
    with store.begin() as conn:
        conn.execute(text("TRUNCATE layer.stations, layer.parcels, core.revisions, core.sources CASCADE"))


def test_the_corpus_is_there_or_said_to_be_missing(capsys: pytest.CaptureFixture[str]) -> None:
    found = corpus.folder()
    with capsys.disabled():
        if found is None:
            _say("No corpus of bad files here (ONEMAP_BADINPUTS): only the project's own ones run.")
            return
        held = corpus.manifest(found)
        later = [case for case in held if case.kind not in corpus.KINDS]
        assert {case.kind for case in later} <= corpus.LATER
        _say(f"Not yet applicable ({len(later)}): {' '.join(case.id for case in later)}")
        assert len(held) - len(later) == len(corpus.cases()) - len(corpus.faults.MANIFEST)


def _say(text_: str) -> None:
    sys.stdout.write(f"\n{text_}\n")


@pytest.mark.parametrize(
    "case",
    [
        # The files that are made on demand are large.
        pytest.param(case, id=case.id, marks=pytest.mark.long if case.on_demand else ())
        for case in corpus.cases()
    ],
)
def test_bad_file_ends_as_its_manifest_says(
    case: Case, store: Engine, definition: MapDefinition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch, given = tmp_path / "scratch", tmp_path / "given"
    scratch.mkdir()
    given.mkdir()
    # The children that parse run as somebody else and must be able to come here.
    for folder in (tmp_path, scratch, given):
        folder.chmod(0o755)
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    path = _given(case, given)
    if "seed_first" in case.params:
        assert case.corpus is not None
        import_file(
            store,
            definition,
            case.kind,
            corpus.in_corpus(case.corpus, case.params["seed_first"]),
            _options({}),
        )
    with Watch(scratch) as watch:
        started = time.monotonic()
        outcome = _outcome(store, definition, case, path)
        outcome = replace(outcome, seconds=time.monotonic() - started, path=path)
    outcome = replace(outcome, watch=watch)
    assert outcome.seconds < 60
    assert watch.outbound == []
    assert watch.peak_mb < 1500
    assert list(scratch.iterdir()) == [], "something stays in the work folder"
    _check_outcome(case, outcome)
    _check_counts(store, case, outcome)
    for wanted in case.checks:
        CHECKS[wanted["check"]](store, case, outcome, wanted)


def _given(case: Case, folder: Path) -> Path:
    """A copy of the file, as an upload is one."""
    path = case.path(folder)
    if path.parent == folder:
        return path
    return Path(shutil.copy(path, folder / path.name))


def _options(params: dict[str, str]) -> ImportOptions:
    read = ReadOptions(member=params.get("layer"), x=params.get("x"), y=params.get("y"))
    crs = params.get("crs") or params.get("source_datum")
    options = ImportOptions(SOURCE, read=read)
    return options if crs is None else replace(options, crs=crs)


def _outcome(store: Engine, definition: MapDefinition, case: Case, path: Path) -> Outcome:
    extent = tuple(case.params.get("region_bbox") or definition.district.extent)
    district = definition.district.model_copy(update={"extent": extent})
    own = replace(definition, district=district)
    try:
        result = import_file(store, own, case.kind, path, _options(case.params))
    except ImportRefused as error:
        return Outcome("reject-file-with-reason", [error.reason], error.zh, None)
    except CrsError as error:
        return Outcome("reject-file-with-reason", ["crs_unknown"], error.zh, None)
    assert result.good + result.bad == result.total
    codes = sorted({issue.code for issue in result.issues})
    if result.bad:
        return Outcome("reject-row-with-reason", codes, "", result)
    # The encoding, or a header further down, is a repair of the file as a whole.
    mended = result.repaired or any(issue.severity == "repair" for issue in result.issues)
    return Outcome("accept-with-repair" if mended else "accept", codes, "", result)


def _check_outcome(case: Case, outcome: Outcome) -> None:
    allowed = [case.outcome, *case.also_ok]
    # Deleted rows are in the total and listed as refused: the manifest calls that a repair.
    if outcome.result is not None and set(outcome.codes) == {"deleted_rows_skipped"}:
        allowed.append("reject-row-with-reason") if "accept-with-repair" in allowed else None
    assert outcome.name in allowed, f"{outcome.name} {outcome.codes} {outcome.sentence}"
    if outcome.name == case.outcome and case.reasons:
        ours = {code for reason in case.reasons for code in REASONS.get(reason, [reason])}
        assert ours & set(outcome.codes), f"{outcome.codes} names none of {sorted(ours)}"
    if outcome.name == "reject-file-with-reason":
        assert any("\u4e00" <= letter <= "\u9fff" for letter in outcome.sentence), outcome.sentence


def _check_counts(store: Engine, case: Case, outcome: Outcome) -> None:
    stored = _count(store, f'SELECT count(*) FROM layer."{case.kind}" WHERE rev_to IS NULL')
    if outcome.result is None:
        assert stored == (0 if "seed_first" not in case.params else stored)
        assert _count(store, "SELECT count(*) FROM core.import_runs") == int("seed_first" in case.params)
        return
    result = outcome.result
    assert stored == result.good
    listed = f"SELECT count(DISTINCT row_no) FROM core.rejects WHERE run_id = {result.run_id} AND severity = "
    assert _count(store, listed + "'error'") == result.bad
    if outcome.name != case.outcome:
        assert case.rows_total in (None, result.total)
        return
    assert (result.good, result.bad) == (case.rows_good, case.rows_bad) or result.bad == case.also_rows_bad
    if case.rows_repaired:
        assert result.repaired == case.rows_repaired
        assert _count(store, listed + "'repair'") == result.repaired


def _count(store: Engine, query: str) -> int:
    with connect(store) as conn:
        return int(conn.scalar(text(query)) or 0)
