"""The JSON Schema for editors is current, accepts what is shipped, and refuses a wrong key."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from layers.registry import SHIPPED, layer_schema

DEFINITIONS = sorted(SHIPPED.glob("defs/*/layer.toml"))


def test_the_schema_file_is_current() -> None:
    stored = json.loads((SHIPPED / "layer.schema.json").read_text(encoding="utf-8"))
    assert stored == layer_schema(), "run: onemap layers schema > layers/layer.schema.json"


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.parent.name)
def test_each_definition_follows_the_schema_and_names_it_for_editors(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#:schema ../../layer.schema.json\n")
    jsonschema.validate(tomllib.loads(text), layer_schema())


def test_the_schema_refuses_a_key_that_the_model_refuses() -> None:
    raw = tomllib.loads(DEFINITIONS[0].read_text(encoding="utf-8"))
    with pytest.raises(jsonschema.ValidationError, match="colour_ramp"):
        jsonschema.validate({**raw, "colour_ramp": "viridis"}, layer_schema())
