"""A district is one file; what is wrong in it is said with the file, the thing and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from layers import district as district_module
from layers.district import load_district
from layers.model import DefinitionError

GOOD = """
id = "elsewhere"
name = {zh = "他处", en = "Elsewhere"}
extent = [0.0, 50.0, 3.0, 54.0]
storage_crs = 4258
measuring_crs = 25831
site_accuracy_m = 5.0
attribution = {zh = "某局", en = "Some bureau"}
view = {center = [1.3, 52.6], zoom = 9}
"""
RASTER = """
[[rasters]]
id = "dem"
file = "dem.tif"
title = {zh = "高程", en = "Elevation"}
abstract = {zh = "高程。", en = "Elevation."}
kind = "continuous"
colours = [{value = 0, colour = "#000000"}, {value = 9, colour = "#ffffff"}]
attribution = {zh = "某局", en = "Some bureau"}
licence = "CC0"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "district.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_district_is_taken_when_none_is_chosen() -> None:
    district = load_district()
    assert (district.storage_crs, district.measuring_crs) == (4490, 4549)
    assert district.rule_packs
    assert district.demo is not None
    assert district.demo.is_file()
    assert [raster.file.is_file() for raster in district.rasters] == [True]
    assert district.area_unit_local is not None
    assert district.area_unit_local.m2 * 3 == pytest.approx(2000, rel=1e-12)


def test_a_district_needs_neither_demo_nor_raster_nor_local_unit(tmp_path: Path) -> None:
    district = load_district(write(tmp_path, GOOD))
    assert district.id == "elsewhere"
    assert (district.demo, district.rasters, district.area_unit_local) == (None, (), None)
    assert district.languages == ("zh", "en")


def test_paths_of_a_district_start_at_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "dem.tif").write_bytes(b"")
    district = load_district(write(tmp_path, GOOD + RASTER))
    assert district.rasters[0].file == (tmp_path / "dem.tif").resolve()


def test_two_shipped_districts_need_a_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "districts").mkdir()
    for name in ("north", "south"):
        (tmp_path / "districts" / f"{name}.toml").write_text(GOOD, encoding="utf-8")
    monkeypatch.setattr(district_module, "SHIPPED", tmp_path)
    with pytest.raises(DefinitionError, match=r"north\.toml, south\.toml.*ONEMAP_DISTRICT"):
        load_district()


REFUSALS = {
    "unknown key": ("storage_crs", "storage_srs", ["storage_crs", "missing"]),
    "extent upside down": ("[0.0, 50.0, 3.0, 54.0]", "[3.0, 50.0, 0.0, 54.0]", ["Extent", "west, south"]),
    "extent beyond the earth": ("54.0]", "95.0]", ["extent", "95"]),
    "centre outside": ("[1.3, 52.6]", "[52.6, 1.3]", ["centre", "(52.6, 1.3)", "outside the extent"]),
    "unknown language": ("id =", 'languages = ["fr"]\nid =', ["languages", "'fr'"]),
    "demo that is not there": ("id =", 'demo = "demo.toml"\nid =', ["demo.toml", "does not exist"]),
    "negative accuracy": ("site_accuracy_m = 5.0", "site_accuracy_m = -5.0", ["site_accuracy_m", "-5.0"]),
    "local unit of nothing": (
        "id =",
        'area_unit_local = {name = {zh = "亩", en = "mu"}, m2 = 0}\nid =',
        ["area_unit_local m2"],
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_wrong_district_is_refused_with_file_thing_and_remedy(case: str, tmp_path: Path) -> None:
    old, new, words = REFUSALS[case]
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(DefinitionError) as caught:
        load_district(path)
    assert caught.value.path == path
    assert caught.value.remedy
    for word in words:
        assert word in str(caught.value)


RASTER_REFUSALS = {
    "file not there": ('"dem.tif"', '"sea.tif"', ["'dem'", "sea.tif", "does not exist"]),
    "one colour": (', {value = 9, colour = "#ffffff"}', "", ["'dem'", "two colours"]),
    "colours out of order": ("value = 9", "value = -9", ["'dem'", "rising"]),
    "classes without classes": ('"continuous"', '"classes"', ["'dem'", "classified"]),
}


@pytest.mark.parametrize("case", RASTER_REFUSALS)
def test_a_wrong_raster_is_refused(case: str, tmp_path: Path) -> None:
    old, new, words = RASTER_REFUSALS[case]
    (tmp_path / "dem.tif").write_bytes(b"")
    with pytest.raises(DefinitionError) as caught:
        load_district(write(tmp_path, GOOD + RASTER.replace(old, new, 1)))
    for word in words:
        assert word in str(caught.value)


def test_two_rasters_of_one_id_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dem.tif").write_bytes(b"")
    with pytest.raises(DefinitionError, match="same id"):
        load_district(write(tmp_path, GOOD + RASTER + RASTER))
