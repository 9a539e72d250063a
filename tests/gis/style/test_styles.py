"""One definition in three notations: each is read by what knows the notation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from gis.errors import NotFound
from gis.settings import MapDefinition, Settings
from gis.style import maplibre_style, qgis_project, qml_style, sld_style
from layers.model import Layer

HERE = Path(__file__).parent
NS = {
    "": "http://www.opengis.net/sld",
    "se": "http://www.opengis.net/se",
    "ogc": "http://www.opengis.net/ogc",
}


@pytest.fixture(scope="module")
def shipped() -> MapDefinition:
    return Settings().load_map()


@pytest.fixture(scope="module")
def drawn(shipped: MapDefinition) -> list[Layer]:
    return [layer for layer in shipped.layers.values() if layer.has_geometry]


def test_maplibres_own_validator_takes_every_style(drawn: list[Layer]) -> None:
    styles = [maplibre_style(layer, "http://127.0.0.1/{z}/{y}/{x}", "zh") for layer in drawn]
    broken = json.loads(json.dumps(styles[0]))
    broken["layers"][0]["paint"]["fill-colour"] = "red"
    for given, errors in ((styles, 0), ([broken], 1)):
        done = subprocess.run(
            [Path(sys.executable).with_name("node"), str(HERE / "validate.mjs")],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert len(json.loads(done.stdout)) == errors, done.stdout


def test_a_dash_by_class_is_drawn_by_layers_of_its_own(drawn: list[Layer]) -> None:
    zones = next(layer for layer in drawn if layer.id == "water_source_zones")
    lines = [entry for entry in maplibre_style(zones, "x", "en")["layers"] if entry["type"] == "line"]
    dashed = [entry for entry in lines if "line-dasharray" in entry["paint"]]
    assert len(lines) == 2 and len(dashed) == 1
    assert ["rural"] in dashed[0]["filter"][-1] or "rural" in json.dumps(dashed[0]["filter"])


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_an_sld_has_a_rule_a_class_and_one_for_the_rest(drawn: list[Layer], version: Any) -> None:
    se = "se:" if version == "1.1.0" else ""
    order = ["Name", "Description", "Title", "Abstract", "Filter", "MaxScaleDenominator"]
    for layer in drawn:
        root = ET.fromstring(sld_style(layer, "en", version))
        assert root.get("version") == version
        assert root.findtext(f"NamedLayer/{se}Name", namespaces=NS) == layer.id
        rules = root.findall(f"NamedLayer/UserStyle/{se}FeatureTypeStyle/{se}Rule", NS)
        kinds = 3 if layer.geometry == "Geometry" else 1
        assert layer.style is not None
        assert len(rules) == kinds * (len(layer.style.classes) + 1)
        for rule in rules:
            names = [element.tag.rpartition("}")[2] for element in rule]
            assert names[-1].endswith("Symbolizer")
            before = [name for name in names if not name.endswith("Symbolizer")]
            assert before == sorted(before, key=order.index), "the schema fixes the order"
        literals = {element.text for element in root.iter(f"{{{NS['ogc']}}}Literal")}
        assert {entry.value for entry in layer.style.classes} <= literals


def test_a_qml_has_a_symbol_for_each_category(drawn: list[Layer]) -> None:
    for layer in drawn:
        root = ET.fromstring(qml_style(layer, "zh"))
        renderer = root.find("renderer-v2")
        assert renderer is not None and layer.style is not None
        symbols = [symbol.get("name") for symbol in renderer.findall("symbols/symbol")]
        categories = renderer.findall("categories/category")
        if layer.style.by is None:
            assert renderer.get("type") == "singleSymbol" and symbols == ["0"]
        else:
            assert renderer.get("attr") == layer.style.by
            values = [*(entry.value for entry in layer.style.classes), ""]
            assert [category.get("value") for category in categories] == values
            assert [category.get("symbol") for category in categories] == symbols


def test_a_project_holds_every_layer_once_in_its_theme(shipped: MapDefinition, drawn: list[Layer]) -> None:
    titles = [("all", list(shipped.layers.values()))]
    root = ET.fromstring(qgis_project(shipped, titles, "http://map.example", "en"))
    listed = [leaf.get("id") for leaf in root.iter("layer-tree-layer")]
    assert sorted(map(str, listed)) == sorted(f"onemap_layer_{layer.id}" for layer in drawn)
    held = {layer.findtext("id"): layer for layer in root.findall("projectlayers/maplayer")}
    assert set(held) == set(listed)
    wells = held["onemap_layer_enterprises"]
    assert "typename='enterprises' url='http://map.example'" in str(wells.findtext("datasource"))
    assert held["onemap_layer_conflicts"].get("type") == "vector-tile"


def test_a_register_has_no_style(shipped: MapDefinition) -> None:
    register = next(layer for layer in shipped.layers.values() if not layer.has_geometry)
    for write in (qml_style, sld_style):
        with pytest.raises(NotFound):
            write(register, "zh")
