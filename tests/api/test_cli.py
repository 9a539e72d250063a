"""The command line on a real store: what it does, what it says, and its exit status."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.cli import console, main
from layers.registry import SHIPPED
from tests.api.conftest import OUTSIDE, SmallMap

Run = Callable[..., "Said"]


@dataclass(frozen=True)
class Said:
    """How a command ended and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What a program would read."""
        return json.loads(self.out)


@pytest.fixture
def onemap(
    own_map: SmallMap, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Run:
    """Runs a command on a filled small map: onemap("revisions", "list")."""
    url = own_map.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("ONEMAP_DATABASE_URL", url)
    monkeypatch.setenv("ONEMAP_DISTRICT", str(own_map.settings.district))
    monkeypatch.setenv("ONEMAP_LAYERS", str(OUTSIDE))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console, "LANGUAGE", "en")

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["onemap", *arguments])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        said = capsys.readouterr()
        return Said(status, said.out, said.err)

    return run


def test_a_file_is_imported_listed_and_undone(onemap: Run, tmp_path: Path) -> None:
    wells = tmp_path / "more.csv"
    wells.write_text(
        "code,name,kind,lon,lat\nNEW,新井,dug,120.02,28.9\nBAD,坏井,drilled,120.02,28.9\n", "utf-8"
    )
    trial = onemap("import", "wells", str(wells), "--crs", "EPSG:4490", "--dry-run", "--json")
    assert (trial.status, trial.json[0]["good"], trial.json[0]["change"]["rev"]) == (0, 1, None)
    done = onemap("import", "wells", str(wells), "--crs", "EPSG:4490", "--accuracy", "5")
    assert done.status == 0 and "1 of 2 rows taken, 1 refused" in done.out
    (rejected,) = onemap("rejects", "list", "--json").json
    assert (rejected["code"], rejected["field"], rejected["value"], rejected["row_no"]) == (
        "unknown_code", "kind", "drilled", 2,
    )  # fmt: skip
    newest = onemap("revisions", "list", "--limit", "1", "--json").json[0]
    assert newest["layers"] == {"wells": [1, 0, 0]}
    shown = onemap("revisions", "show", str(newest["rev"]))
    assert "more.csv" in shown.out
    undone = onemap("revisions", "revert", str(newest["rev"]), "--json").json
    assert undone["closed"] == 1
    twice = onemap("revisions", "revert", str(newest["rev"]))
    assert twice.status == 1


def test_columns_are_mapped_and_refusals_are_one_line(onemap: Run, tmp_path: Path) -> None:
    wells = tmp_path / "w.csv"
    wells.write_text("编号,lon,lat\nN1,120.02,28.9\n", "utf-8")
    mapped = onemap("import", "wells", str(wells), "--map", "code=编号", "--crs", "EPSG:4490", "--json")
    assert mapped.json[0]["good"] == 1
    wells.with_name("u.csv").write_text("code,x,y\nN1,504584.5,3196856.7\n", "utf-8")
    unknown = onemap("import", "wells", "u.csv")
    assert unknown.status == 1 and unknown.err.count("\n") == 1 and "--crs" in unknown.err
    assert "Traceback" not in unknown.err
    assert onemap("import", "wells", str(wells), "--map", "code").status == 2
    assert onemap("import", "nothing", str(wells)).status == 1
    wells.with_name("x.csv").write_text("什么,lon,lat\nN1,120.02,28.9\n", "utf-8")
    keyless = onemap("import", "wells", "x.csv", "--crs", "EPSG:4490")
    assert keyless.status == 1 and "required field code" in keyless.err


def test_the_proposed_columns_are_shown_with_what_is_saved(onemap: Run, tmp_path: Path) -> None:
    wells = tmp_path / "w.csv"
    wells.write_text("编码,叫什么,类型,lon,lat\nN1,甲,大口井,120.02,28.9\n", "utf-8")
    before = onemap("mapping", "show", str(wells), "wells", "--json").json
    assert {p["field"]: p["column"] for p in before["proposals"] if p["certain"]} == {
        "code": "编码",
        "kind": "类型",
    }
    assert before["unmapped"] == ["叫什么"]
    assert onemap("import", "wells", str(wells), "--map", "name=叫什么", "--crs", "EPSG:4490").status == 0
    after = onemap("mapping", "show", str(wells), "wells", "--source", "w", "--json").json
    assert {p["field"]: p["column"] for p in after["proposals"] if p["certain"]}["name"] == "叫什么"
    shown = onemap("mapping", "show", str(wells), "wells")
    assert shown.status == 0 and "叫什么" in shown.out
    assert onemap("mapping", "show", str(wells), "nothing").status == 1


def test_a_layer_is_exported_by_the_ending_of_the_name(onemap: Run, tmp_path: Path) -> None:
    done = onemap("export", "wells", "w.csv")
    assert done.status == 0 and "4 rows of wells" in done.out
    assert (tmp_path / "w.csv").read_text("utf-8-sig").count("\n") == 5
    page = onemap("export", "conflicts", "map.html", "--json")
    assert page.json["rows"] == 3 and (tmp_path / "map.html").stat().st_size > 100_000
    assert onemap("export", "wells", "w.xyz").status == 1
    assert onemap("export", "wells").status == 2


def test_a_site_is_screened_from_wkt_and_from_a_file(onemap: Run, tmp_path: Path) -> None:
    told = onemap("screen", "POINT(120.005 28.905)", "--attr", "kind=dug", "--accuracy", "1")
    assert told.status == 0 and told.out.startswith("CONFLICT · prohibited") and "WL-01" in told.out
    site = tmp_path / "site.geojson"
    site.write_text(json.dumps({"type": "Point", "coordinates": [120.005, 28.905]}), "utf-8")
    answer = onemap("screen", str(site), "--format", "json").json
    assert answer["verdict"] == "conflict"
    onemap("screen", "POINT(500195.1 3198400.0)", "--crs", "EPSG:4549", "--format", "json", "-o", "a.json")
    assert json.loads((tmp_path / "a.json").read_text("utf-8"))["verdict"] == "conflict"
    assert onemap("screen", "POLYGON((1 1").status == 1
    assert onemap("screen", "POINT(1 1)", "--attr", "kind").status == 2
    assert onemap("screen", "POINT(1 1)", "--law-date", "soon").status == 2


def test_a_report_is_written_in_the_form_asked_for(onemap: Run, tmp_path: Path) -> None:
    site = ("screen", "POINT(120.005 28.905)", "--attr", "kind=dug")
    page = onemap(*site, "--format", "html", "--lang", "zh", "-o", "r.html")
    assert page.status == 0 and "Report " in page.out
    assert "空间准入审查报告" in (tmp_path / "r.html").read_text("utf-8")
    assert onemap(*site, "--format", "xlsx").status == 0
    (book,) = tmp_path.glob("onemap-*.xlsx")
    record = onemap(*site, "--report", "--format", "json", "-o", "r.json")
    number = hashlib.sha256((tmp_path / "r.json").read_bytes()).hexdigest()
    assert number in record.out and number in page.out and book.stem == f"onemap-{number[:12]}"
    told = onemap(*site, "--report")
    assert told.out.startswith("CONFLICT · prohibited") and number in told.out
    assert onemap(*site, "--format", "exe").status == 2


def test_a_conflict_is_marked_and_listed_with_its_age(onemap: Run) -> None:
    first = onemap("conflicts", "list", "--each", "--json").json[0]
    assert first["standing"]["status"] == "open" and first["standing"]["days"] == 0
    said = onemap("conflicts", "mark", first["uid"], "--as", "accepted", "--why", "有批复", "--json").json
    assert (said["status"], said["mark"]["why"]) == ("accepted", "有批复")
    listed = onemap("conflicts", "list", "--status", "accepted")
    assert "accepted" in listed.out and "WL-01" in listed.out
    assert [row["uid"] for row in onemap("conflicts", "list", "--status", "accepted", "--json").json] == [
        first["uid"]
    ]
    assert onemap("conflicts", "mark", "no/such|one", "--as", "challenged", "--why", "x").status == 1
    assert onemap("conflicts", "mark", first["uid"], "--as", "gone", "--why", "x").status == 2


def test_a_rule_pack_is_previewed(onemap: Run, tmp_path: Path) -> None:
    pack = tmp_path / "wells"
    shutil.copytree(OUTSIDE / "rules" / "wells", pack)
    rules = (pack / "WL.toml").read_text("utf-8")
    (pack / "WL.toml").write_text(rules.replace('severity = "prohibited"', 'severity = "notice"'), "utf-8")
    told = onemap("rules", "preview", str(pack), "--map-file", "radius.html", "--json").json
    assert {each["layer"] for each in told["subjects"]} == {"wells"} and told["lagging"] is False
    assert {(row["severity"], row["after"] > 0) for row in told["by_rule"]} == {
        ("prohibited", False),
        ("notice", True),
    }
    assert (tmp_path / "radius.html").stat().st_size > 100_000
    assert "WL-01" in onemap("rules", "preview", str(pack)).out
    assert onemap("rules", "preview", str(tmp_path / "none")).status in (1, 2)


def test_conflicts_are_judged_again_and_counted(onemap: Run, own_map: SmallMap) -> None:
    own_map.load("wells", "code,kind,lon,lat\nNEW,dug,120.006,28.905\n")
    done = onemap("conflicts", "refresh", "--json").json
    assert (done["added"], done["unchanged"]) == (1, 3)
    listed = onemap("conflicts", "list", "--json").json
    assert listed["by_verdict"] == {"conflict": 3, "edge": 1} and listed["lagging"] is False
    assert "WL-01" in onemap("conflicts", "list").out


def test_rule_packs_are_saved_and_compared(onemap: Run, tmp_path: Path) -> None:
    saved = tmp_path / "then.json"
    assert onemap("rules", "save", "cn-zhejiang", str(saved)).status == 0
    assert "Nothing differs" in onemap("rules", "diff", str(saved), "cn-zhejiang").out
    copy = tmp_path / "now"
    shutil.copytree(SHIPPED / "rules" / "cn-zhejiang", copy)
    law = copy / "LS.toml"
    law.write_text(law.read_text("utf-8").replace("min_share = 0.05", "min_share = 0.1"), "utf-8")
    assert "rule LS-05 · predicate" in onemap("rules", "diff", str(saved), str(copy / "pack.toml")).out
    told = onemap("rules", "diff", str(saved), str(copy), "--json").json
    assert list(told["rules"]["changed"]) == ["LS-05"] and told["before"]["hash"] != told["after"]["hash"]
    for wrong in (str(tmp_path / "none.json"), "nobody", str(tmp_path)):
        refused = onemap("rules", "diff", wrong, "cn-zhejiang")
        assert refused.status == 1 and "no rule pack" in refused.err and refused.err.count("\n") == 1


def test_the_shipped_rules_are_all_covered(onemap: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONEMAP_DISTRICT", raising=False)
    monkeypatch.delenv("ONEMAP_LAYERS", raising=False)
    told = onemap("rules", "check")
    assert told.status == 0 and "80 of 80 rules show a hit and a clear; 77 are on, 14 unconfirmed" in told.out


def test_definitions_and_rules_are_checked(
    onemap: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "All well" in onemap("layers", "check").out
    assert "wells" in [layer["id"] for layer in onemap("layers", "list", "--json").json]
    assert onemap("layers", "schema").json["properties"]["title"]
    checked = onemap("rules", "check", "--json").json
    assert (checked["wrong"], checked["covered"], checked["total"]) == ([], 1, 1)
    assert "1 of 1 rules" in onemap("rules", "check").out
    assert checked["rules"][0]["shown"] == ["conflict", "clear"]
    bare = tmp_path / "bare"
    shutil.copytree(OUTSIDE, bare)
    fixtures = bare / "rules" / "wells" / "fixtures" / "WL.toml"
    fixtures.write_text(fixtures.read_text("utf-8").replace('verdict = "clear"', 'verdict = "edge"'), "utf-8")
    monkeypatch.setenv("ONEMAP_LAYERS", str(bare))
    failed = onemap("rules", "check", "--json")
    assert (failed.status, len(failed.json["wrong"]), failed.json["rules"][0]["lacking"]) == (1, 1, ["clear"])
    fixtures.unlink()
    assert onemap("rules", "check").status == 1 and "0 of 1 rules" in onemap("rules", "check").out
    assert [rule["id"] for rule in onemap("rules", "list", "--json").json] == ["WL-01"]
    bad = tmp_path / "more" / "defs" / "broken"
    bad.mkdir(parents=True)
    (bad / "layer.toml").write_text("title = 1\n", "utf-8")
    monkeypatch.setenv("ONEMAP_LAYERS", str(tmp_path / "more"))
    broken = onemap("layers", "check")
    assert broken.status == 1 and "layer.toml" in broken.err and broken.err.count("\n") == 1


def test_the_store_is_backed_up_and_restored(onemap: Run, own_map: SmallMap) -> None:
    assert onemap("db", "backup", "b.dump").status == 0
    own_map.load("wells", "code,lon,lat\nLATER,120.3,28.9\n")
    own_map.engine.dispose()
    assert onemap("db", "restore", "b.dump", "--yes").status == 0
    listed = onemap("revisions", "list", "--json").json
    assert "LATER" not in onemap("export", "wells", "w.geojson").out and listed[0]["kind"] == "refresh"
    assert onemap("export", "wells", "w.csv", "--json").json["rows"] == 4
    assert onemap("db", "restore", "none.dump", "--yes").status == 1
    # The log of before went with the store, the note of its backup too: what is left tells of the restoring.
    assert onemap("audit", "list", "--json").json[-1]["action"] == "store.restore"
    assert onemap("audit", "verify").status == 0
    assert onemap("db", "backup", "b.dump").status == 0
    newest = onemap("audit", "list", "--json").json[0]
    assert (newest["action"], newest["object"]) == ("store.backup", "b.dump")


def test_the_doctor_looks_at_everything(onemap: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(check["ok"] for check in onemap("doctor", "--json").json)
    monkeypatch.setenv("ONEMAP_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    ill = onemap("doctor", "--json")
    assert ill.status == 1 and [c["ok"] for c in ill.json] == [True, True, True, True, True, False]


def test_words_are_chinese_for_whoever_reads_chinese(onemap: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "LANGUAGE", "zh")
    assert "没有图层“nothing”" in onemap("export", "nothing", "x.csv").err


@pytest.mark.parametrize(("name", "value"), [("ONEMAP_LANG", "zh"), ("LANG", "zh_CN.UTF-8")])
def test_the_language_is_that_of_the_terminal(name: str, value: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("ONEMAP_LANG", "LC_ALL", "LC_MESSAGES")}
    done = subprocess.run(
        [Path(sys.executable).with_name("onemap"), "layers", "--help"],
        env=environment | {name: value}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and "图层定义" in done.stdout


def test_every_command_has_help(onemap: Run) -> None:
    for command in ("demo", "serve", "import", "export", "screen", "doctor"):
        told = onemap(command, "--help")
        assert told.status == 0 and "Usage" in told.out
    assert onemap("nonsense").status == 2


def test_a_port_that_is_taken_is_said_in_one_line(onemap: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = onemap("serve", "--port", str(taken.getsockname()[1]))
    assert said.status == 1 and "--port" in said.err and said.err.count("\n") == 1
