"""What differs between two rule packs, field by field."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from layers.registry import SHIPPED, load_layers
from layers.rulediff import PackDiff, compare_packs
from layers.rulemodel import RulePack
from layers.rulepacks import load_pack

Edit = Callable[[str, str, str], None]
LAYERS = load_layers()
SOURCE = SHIPPED / "rules" / "cn-zhejiang"


@pytest.fixture(scope="module")
def pack() -> RulePack:
    return load_pack(SOURCE, LAYERS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped pack."""
    shutil.copytree(SOURCE, tmp_path / "pack")
    return tmp_path / "pack"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def against(pack: RulePack, folder: Path) -> PackDiff:
    return compare_packs(pack, load_pack(folder, LAYERS))


def test_a_pack_does_not_differ_from_itself_however_its_files_are_cut(pack: RulePack, folder: Path) -> None:
    text = (folder / "PK.toml").read_text(encoding="utf-8")
    head, first, second = text.partition("[[rules]]")[0], *text.split("[[rules]]")[1:]
    (folder / "PK.toml").write_text(f"{head}[[rules]]{second}\n[[rules]]{first}", encoding="utf-8")
    assert not against(pack, folder)
    assert not compare_packs(pack, RulePack.model_validate(json.loads(pack.model_dump_json(by_alias=True))))


def test_a_changed_rule_is_told_by_field(pack: RulePack, folder: Path) -> None:
    edit(folder / "DW.toml", "distance_m = 500", "distance_m = 600")
    found = against(pack, folder)
    assert list(found.rules.changed) == ["DW-13"]
    (change,) = found.rules.changed["DW-13"]
    assert (change.field, change.before["distance_m"], change.after["distance_m"]) == ("predicate", 500, 600)
    assert not found.references and not found.tables and not found.through


def test_a_changed_law_and_a_changed_table_reach_the_rules_that_lean_on_them(
    pack: RulePack, folder: Path
) -> None:
    edit(folder / "legal" / "noise-law.toml", "valid_to = 2026-08-14", "valid_to = 2026-08-13")
    edit(folder / "tables.toml", "煤焦油", "煤焦油等")
    found = against(pack, folder)
    assert set(found.references.changed) == {"ZS14-2021", "ZS35-2021"}
    assert [change.field for change in found.tables.changed["fuel_catalogue"]] == ["row all"]
    assert found.through["NS-01"] == ("ZS35-2021",)
    assert found.through["HF-01"] == ("fuel_catalogue",)
    assert not found.rules


def test_what_is_added_and_removed_is_named(pack: RulePack, folder: Path) -> None:
    (folder / "AQ.toml").unlink()
    edit(folder / "fixtures" / "PK.toml", 'note = "in a park"', 'note = "within a park"')
    (folder / "fixtures" / "AQ.toml").unlink()
    edit(folder / "pack.toml", 'version = "2026.11"', 'version = "2026.12"')
    found = against(pack, folder)
    assert (found.rules.added, found.rules.removed) == ((), ("AQ-01",))
    assert "PK-01: in a park" in found.fixtures.removed and found.fixtures.added == ("PK-01: within a park",)
    assert [(c.field, c.before, c.after) for c in found.pack] == [("version", "2026.11", "2026.12")]
    told = json.loads(json.dumps(found.as_dict()))
    assert told["rules"]["removed"] == ["AQ-01"]
