"""What a layer definition may not say. Each refusal names the file, the thing, the value and the remedy."""

from __future__ import annotations

from pathlib import Path

import pydantic
import pytest

from layers.model import DefinitionError, Layer
from layers.registry import load_layers

GOOD = """
title = {zh = "井", en = "Wells"}
abstract = {zh = "地下水井。", en = "Groundwater wells."}
theme = "water"
role = "subject"
geometry = "Point"
key = ["code"]
order = 5
zoom = {min = 8, max = 20}
names = {label = "code"}

[[fields]]
name = "code"
title = {zh = "编号", en = "Code"}
type = "text"
required = true

[[fields]]
name = "kind"
title = {zh = "类型", en = "Kind"}
type = "enum"
values = [{code = "a", zh = "甲", en = "A"}, {code = "b", zh = "乙", en = "B"}]

[style]
colour = "#112233"
by = "kind"
classes = [{value = "a", colour = "#aa0000"}, {value = "b", hatch = "dots"}]

[[examples]]
note = "a well"
given = {code = "W-1", geom = "POINT (120 29)"}
outcome = "accepted"

[[examples]]
note = "no code"
given = {kind = "a"}
outcome = "refused"
code = "required_missing"
field = "code"
"""


def load(folder: Path, text: str) -> Layer:
    path = folder / "defs" / "wells" / "layer.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return load_layers([folder])["wells"]


def test_a_good_definition_becomes_a_layer_named_after_its_folder(tmp_path: Path) -> None:
    layer = load(tmp_path, GOOD)
    assert layer.id == "wells"
    assert layer.has_geometry
    assert layer.title.text("zh-CN") == "井"
    assert layer.title.text("en") == "Wells"
    assert [value.code for value in layer.field("kind").code_list] == ["a", "b"]


def test_the_legend_is_derived_from_the_style_and_shows_what_a_missing_value_looks_like(
    tmp_path: Path,
) -> None:
    rows = load(tmp_path, GOOD).legend()
    assert [(row.value, row.label.en, row.colour, row.hatch) for row in rows] == [
        ("a", "A", "#aa0000", "none"),
        ("b", "B", "#112233", "dots"),
        (None, "Not stated", "#112233", "none"),
    ]


def test_the_legend_of_an_unclassified_layer_is_one_row_with_its_title(tmp_path: Path) -> None:
    style = 'by = "kind"\nclasses = [{value = "a", colour = "#aa0000"}, {value = "b", hatch = "dots"}]'
    rows = load(tmp_path, GOOD.replace(style, "")).legend()
    assert [(row.value, row.label.zh) for row in rows] == [(None, "井")]


def test_a_layer_cannot_be_changed(tmp_path: Path) -> None:
    layer = load(tmp_path, GOOD)
    with pytest.raises(pydantic.ValidationError):
        layer.order = 9  # type: ignore[misc]


def test_a_field_that_is_not_there_is_a_key_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        load(tmp_path, GOOD).field("depth")


REFUSALS = {
    "unknown key": ("order = 5", "ordre = 5", ["ordre", "unknown", "spelling"]),
    "missing title": ('title = {zh = "井", en = "Wells"}', "", ["title", "missing", "Add it"]),
    "one language": ('title = {zh = "井", en = "Wells"}', 'title = {zh = "井"}', ["title en", "missing"]),
    "unknown theme": ('theme = "water"', 'theme = "watre"', ["watre", "'water'"]),
    "unknown role": ('role = "subject"', 'role = "thing"', ["role", "'thing'"]),
    "reserved name": ('name = "kind"', 'name = "rev_from"', ["fields", "rev_from", "reserved", "another"]),
    "field twice": ('name = "kind"', 'name = "code"', ["'code' twice", "Remove"]),
    "key field not there": ('key = ["code"]', 'key = ["cod"]', ["key field", "'cod'", "'code'"]),
    "key may be missing": ("required = true", "required = false", ["'code'", "required = true"]),
    "label not there": ('label = "code"', 'label = "title"', ["names.label", "'title'", "code, kind"]),
    "class missing": (
        ', {value = "b", hatch = "dots"}',
        "",
        ["no class for b", "'kind'", "[[style.classes]]"],
    ),
    "class too many": (
        '{value = "b", hatch = "dots"}',
        '{value = "b"}, {value = "c"}',
        ["'c'", "does not exist"],
    ),
    "classes by a text": ('by = "kind"', 'by = "code"', ["'code'", "of type text", "enum field"]),
    "colour": ('"#112233"', '"red"', ["style colour", "'red'"]),
    "zoom out of range": ("max = 20", "max = 99", ["zoom max", "99", "22"]),
    "zoom swapped": ("{min = 8, max = 20}", "{min = 20, max = 8}", ["20", "8", "Swap"]),
    "unknown code list": (
        'values = [{code = "a", zh = "甲", en = "A"}, {code = "b", zh = "乙", en = "B"}]',
        'codes = "fule"',
        ["'kind'", "'fule'", "'fuel'"],
    ),
    "list and values": ('type = "enum"', 'type = "enum"\ncodes = "fuel"', ["not both"]),
    "enum without codes": ('type = "text"', 'type = "enum"', ["'code'", "0 codes", "codes ="]),
    "codes for a text": ('type = "enum"', 'type = "text"', ["'kind'", "of type text has 2 codes"]),
    "unit of a text": ('type = "text"', 'type = "text"\nunit = "m"', ["'code'", "'unit'", "Remove"]),
    "range of a text": ('type = "text"', 'type = "text"\nmin = 1', ["'code'", "'min'"]),
    "broken pattern": ('type = "text"', 'type = "text"\npattern = "("', ["'('", "regular expression"]),
    "example of an unknown field": ('{kind = "a"}', "{depth = 3}", ["'no code'", "'depth'"]),
    "example with an unknown issue": (
        '"required_missing"',
        '"required_mising"',
        ["'required_mising'", "required_missing"],
    ),
    "accepted with a code": (
        'outcome = "accepted"',
        'outcome = "accepted"\ncode = "pattern"',
        ["'a well'", "accepted", "'pattern'"],
    ),
    "volatile outside derived": (
        "required = true",
        "required = true\nvolatile = true",
        ["volatile", "derived"],
    ),
    "not stored outside conflicts": (
        'type = "enum"',
        'type = "enum"\nstored = false',
        ["not stored", "conflicts"],
    ),
    "derived by nobody": ('role = "subject"', 'role = "derived"', ["'derived'", "None"]),
    "subject without place": ('geometry = "Point"', 'geometry = "none"', ["without geometry", "register"]),
    "an id of its own": ("order = 5", 'order = 5\nid = "bores"', ["folder's name"]),
    "negative accuracy": ("order = 5", "order = 5\naccuracy_m = -1", ["accuracy_m", "-1"]),
    "not TOML": ("order = 5", "order = ", ["Not valid TOML", "line"]),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_wrong_definition_is_refused_with_file_thing_value_and_remedy(case: str, tmp_path: Path) -> None:
    old, new, words = REFUSALS[case]
    assert GOOD.count(old) >= 1
    with pytest.raises(DefinitionError) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    text = str(caught.value)
    assert caught.value.path == tmp_path / "defs" / "wells" / "layer.toml"
    assert str(caught.value.path) in text
    assert caught.value.remedy
    for word in words:
        assert word in text


def test_a_register_has_no_style_and_no_legend(tmp_path: Path) -> None:
    register = GOOD.replace('"subject"', '"register"').replace('geometry = "Point"', 'geometry = "none"')
    with pytest.raises(DefinitionError, match="style"):
        load(tmp_path, register)
    head, _, rest = register.partition("[style]")
    layer = load(tmp_path, head + rest[rest.index("[[examples]]") :])
    assert not layer.has_geometry
    assert layer.legend() == ()
