"""The shipped definitions hang together, and folders from outside add to them."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from layers.access import Access, Role, check_access
from layers.basis import Unfit
from layers.model import DefinitionError, Layer
from layers.registry import load_layers, resolve
from layers.vocabulary import load_aliases, load_codes, load_issues, load_themes

OUTSIDE = """
title = {zh = "古树", en = "Old trees"}
abstract = {zh = "古树名木。", en = "Protected old trees."}
theme = "heritage"
role = "context"
geometry = "Point"
names = {label = "name"}
fields = [
    {name = "name", title = {zh = "名称", en = "Name"}, type = "text"},
    {name = "rank", title = {zh = "级别", en = "Rank"}, type = "enum", codes = "tree_rank", required = true},
]
style = {colour = "#225522", by = "rank", classes = [{value = "1"}, {value = "2"}]}
"""
ISSUE_LAYERS = """
enterprises pollution_sources outfalls monitoring_stations eco_redlines nature_reserves water_source_zones
water_intakes env_function_zones control_units fuel_ban_zones basic_farmland urban_boundary river_scope
sensitive_receptors zero_discharge_areas noise_zones parks projects waste_facilities counties townships grids
rivers lakes heat_grid_areas conflicts
""".split()
HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with one layer, its theme and its code list."""
    folder = tmp_path / "more"
    (folder / "defs" / "old_trees").mkdir(parents=True)
    (folder / "vocab").mkdir()
    (folder / "defs" / "old_trees" / "layer.toml").write_text(OUTSIDE, encoding="utf-8")
    (folder / "vocab" / "themes.toml").write_text(
        'heritage = {title = {zh = "遗产", en = "Heritage"}, order = 200}', encoding="utf-8"
    )
    (folder / "vocab" / "codes.toml").write_text(
        'tree_rank = [{code = "1", zh = "一级", en = "First"}, {code = "2", zh = "二级", en = "Second"}]',
        encoding="utf-8",
    )
    return folder


def shipped() -> list[Layer]:
    return list(load_layers().values())


def test_every_layer_that_was_asked_for_is_defined() -> None:
    assert set(ISSUE_LAYERS) <= set(load_layers())


def test_layers_come_in_drawing_order_and_cannot_be_added_to() -> None:
    layers = load_layers()
    orders = [layer.order for layer in layers.values()]
    assert orders == sorted(orders)
    with pytest.raises(TypeError):
        layers["more"] = layers["parks"]  # type: ignore[index]


@pytest.mark.parametrize("layer", shipped(), ids=lambda layer: layer.id)
def test_each_layer_shows_a_row_it_takes_and_one_it_refuses(layer: Layer) -> None:
    assert {example.outcome for example in layer.examples} == {"accepted", "refused"}


@pytest.mark.parametrize("layer", shipped(), ids=lambda layer: layer.id)
def test_each_layer_speaks_both_languages(layer: Layer) -> None:
    values = [value.title for field in layer.fields for value in field.code_list]
    texts = [layer.title, layer.abstract, *(field.title for field in layer.fields), *values]
    texts += [field.description for field in layer.fields if field.description]
    assert [text.en for text in texts if HAN.search(text.en)] == []
    assert HAN.search(layer.title.zh)
    assert HAN.search(layer.abstract.zh)


@pytest.mark.parametrize("layer", [x for x in shipped() if x.role == "zone"], ids=lambda layer: layer.id)
def test_each_zone_layer_says_its_name_and_its_approval(layer: Layer) -> None:
    assert {"name", "approval_doc", "approved_on", "note"} <= {field.name for field in layer.fields}


def test_only_the_schematic_plan_layers_and_codes_have_no_place() -> None:
    registers = {layer.id for layer in shipped() if not layer.has_geometry}
    assert registers == {"plan_structure", "plan_platforms", "admin_codes"}


def test_two_layers_are_written_by_the_system_itself() -> None:
    derived = {layer.derived: layer.role for layer in shipped() if layer.derived is not None}
    assert derived == {"conflicts": "derived", "disagreements": "derived"}


def test_a_folder_from_outside_adds_a_layer_with_its_own_theme_and_codes(outside: Path) -> None:
    layers = load_layers([outside])
    assert set(layers) == {*load_layers(), "old_trees"}
    assert [row.label.en for row in layers["old_trees"].legend()] == ["First", "Second"]
    assert list(load_themes([outside]))[-1] == "heritage"
    assert "tree_rank" not in load_codes()


def test_a_layer_defined_twice_is_refused_with_both_places(outside: Path) -> None:
    (outside / "defs" / "old_trees").rename(outside / "defs" / "parks")
    with pytest.raises(
        DefinitionError, match=r"more/defs/parks/layer\.toml.*'parks' is defined in .*defs/parks"
    ):
        load_layers([outside])


def test_what_rules_tell_cannot_be_hidden_of_conflicts() -> None:
    for name, refused in (("title", True), ("error_m", False)):
        hidden = load_layers()["conflicts"].model_copy(
            update={"access": Access(fields={name: (Role.ADMIN,)})}
        )
        with pytest.raises(Unfit, match=r"'title' .* told by rules") if refused else nullcontext():
            check_access(hidden)


def test_a_second_writer_of_conflicts_is_refused(outside: Path) -> None:
    text = OUTSIDE.replace('role = "context"', 'role = "derived"\nderived = "conflicts"')
    (outside / "defs" / "old_trees" / "layer.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DefinitionError, match="'conflicts' is written to layer"):
        load_layers([outside])


@pytest.mark.parametrize(("name", "word"), [("codes.toml", "fuel"), ("themes.toml", "water")])
def test_a_shared_list_or_theme_cannot_be_redefined(outside: Path, name: str, word: str) -> None:
    body = {
        "codes.toml": 'fuel = [{code = "x", zh = "某", en = "Some"}]',
        "themes.toml": 'water = {title = {zh = "水", en = "Water"}, order = 1}',
    }[name]
    (outside / "vocab" / name).write_text(body, encoding="utf-8")
    with pytest.raises(DefinitionError, match=f"'{word}' exists already"):
        load_layers([outside])


def test_a_definition_folder_without_its_file_is_refused(outside: Path) -> None:
    (outside / "defs" / "empty").mkdir()
    with pytest.raises(DefinitionError, match=r"empty/layer\.toml: The file cannot be read"):
        load_layers([outside])


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="ONEMAP_LAYERS"):
        load_layers([tmp_path / "nowhere"])


def test_a_folder_may_bring_rules_only(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    assert set(load_layers([tmp_path])) == set(load_layers())


def test_aliases_of_published_rules_lead_to_layers() -> None:
    layers = load_layers()
    for alias, layer in load_aliases().items():
        assert resolve(alias, layers) == layer
    assert resolve("river_line", layers) == "river_lines"
    assert resolve("enterprise", layers) == "enterprises"
    assert resolve("parks", layers) == "parks"
    with pytest.raises(KeyError):
        resolve("parcel", layers)


def test_each_kind_of_issue_has_words_and_a_remedy_in_both_languages() -> None:
    for issue in load_issues().values():
        assert HAN.search(issue.zh), issue.code
        assert HAN.search(issue.remedy_zh), issue.code
        assert issue.en.endswith("."), issue.code
        assert issue.remedy_en.endswith("."), issue.code
        for text in (issue.zh, issue.en, issue.remedy_zh, issue.remedy_en):
            assert text.format(field="f", value="v", expected="e"), issue.code


def test_a_code_without_a_language_is_refused_with_its_list_and_its_place(outside: Path) -> None:
    path = outside / "vocab" / "codes.toml"
    path.write_text('tree_rank = [{code = "1", zh = "一级"}]', encoding="utf-8")
    with pytest.raises(
        DefinitionError, match=r"codes\.toml: tree_rank '1' en: this key is missing\. Add it\."
    ):
        load_layers([outside])


def test_a_file_that_is_not_utf8_is_refused(outside: Path) -> None:
    (outside / "defs" / "old_trees" / "layer.toml").write_bytes(OUTSIDE.encode("gb18030"))
    with pytest.raises(DefinitionError, match=r"layer\.toml: The file is not UTF-8\. Save it as UTF-8\."):
        load_layers([outside])
