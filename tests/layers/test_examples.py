"""The examples that the definitions carry hold in the real import checks."""

from __future__ import annotations

import pandas as pd
import pytest
import shapely

from gis.importing.checks import check_rows
from layers.model import Example, Layer
from layers.registry import load_layers

CASES = [(layer, example) for layer in load_layers().values() for example in layer.examples]


def name(value: Layer | Example) -> str:
    return value.id if isinstance(value, Layer) else value.note.replace(" ", "-")


@pytest.mark.parametrize(("layer", "example"), CASES, ids=name)
def test_an_example_is_taken_or_refused_as_its_definition_says(layer: Layer, example: Example) -> None:
    given = dict(example.given)
    if "geom" in given:
        given["geom"] = shapely.from_wkt(given["geom"])
    checked = check_rows(layer, pd.DataFrame([given]))
    errors = [(issue.code, issue.field) for issue in checked.issues if issue.severity == "error"]
    if example.outcome == "accepted":
        assert errors == []
        assert len(checked.rows) == 1
    else:
        assert [code for code, _ in errors] == [example.code]
        assert example.field in (None, errors[0][1])
        assert len(checked.rows) == 0
