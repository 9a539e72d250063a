"""QGIS itself reads the project and the styles, filters, identifies and draws."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import httpx
import pytest

from gis.settings import Settings
from gis.style import qml_style
from gis.style.symbols import kinds_of, rgb

SCRIPT = Path(__file__).with_name("qgis_look.py")


@pytest.mark.long
def test_qgis_opens_the_project_and_draws_what_it_filters(live: str, tmp_path: Path) -> None:
    project = tmp_path / "map.qgs"
    project.write_bytes(httpx.get(live + "qgis").content)
    styles = tmp_path / "styles"
    styles.mkdir()
    drawn = [layer for layer in Settings().load_map().layers.values() if layer.style is not None]
    for layer in drawn:
        (styles / f"{kinds_of(layer)[-1]}-{layer.id}.qml").write_bytes(qml_style(layer, "zh"))
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["/usr/bin/python3", str(SCRIPT), str(project), str(styles), str(tmp_path / "map.png")],
        env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    answers = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    assert answers, done.stdout + done.stderr
    found = json.loads(answers[0].removeprefix("FOUND "))
    assert (found["read"], found["crs"], found["invalid"]) == (True, "EPSG:3857", [])
    assert (found["renderer"], found["categories"]) == ("categorizedSymbol", ["dug", "bored", ""])
    assert found["wells"] == ["ALSO", "IN", "OUT", "RIM"]
    assert found["dug"] == ["IN", "RIM"]
    assert found["identified"] == ["Out well"]
    # The outlines of both classes, which are opaque but a pixel wide and smoothed.
    for outline in ("#2266aa", "#aa6622"):
        far = [
            max(abs(a - b) for a, b in zip(rgb(outline), rgb(seen), strict=True)) for seen in found["colours"]
        ]
        assert min(far) < 24, outline
    expected = {}
    for layer in drawn:
        assert layer.style is not None
        count = len(layer.style.classes) + 1 if layer.style.by else 1
        expected[f"{kinds_of(layer)[-1]}-{layer.id}"] = count
    assert found["styles"] == expected
