"""The detective on real, awkward files that may not be kept here; ONEMAP_LOCAL_DATA names their folder."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

from gis.importing.detective import propose
from gis.importing.placing import PlaceRefused, decide
from gis.importing.reading import TRUSTED, read_file
from gis.settings import MapDefinition
from layers.district import load_district
from layers.registry import load_layers
from tests.gis.importing.places import evidence


class _NotLookedAt(UserWarning):
    """Shown in the summary of the run, and no error."""


_NAMED = os.environ.get("ONEMAP_LOCAL_DATA")
LOCAL = Path(_NAMED) if _NAMED else None

# file, what wins clearly, what is ranked first, what `--crs auto` does
FOUND: list[tuple[str, str | None, str, str]] = [
    ("jinhua_county_amap_gcj02.geojson", "GCJ-02", "GCJ-02", "crs_doubtful"),
    ("jinhua_brand_enterprises_bd09.csv", None, "BD-09", "crs_doubtful"),
    ("jindong_townships_utm50n_no_crs.json", "EPSG:32650", "EPSG:32650", "crs_wrong"),
    ("hyd2_4l_gbk_noprj.zip", None, "CRS84", "crs_missing"),
    ("hyd2_4p_gbk_noprj.zip", None, "CRS84", "crs_missing"),
    ("cn_youwuzhen/outlet_beijing1954.shp", None, "EPSG:2415", "datum_needs_parameters"),
    ("zj_industrial_sources_emap.geojson", None, "CRS84", "taken"),
]


@pytest.fixture(scope="module")
def definition() -> MapDefinition:
    layers = load_layers()
    return MapDefinition(load_district(), {"counties": layers["counties"]}, {})


@pytest.mark.long
@pytest.mark.filterwarnings("default::UserWarning")
@pytest.mark.parametrize(
    ("name", "winner", "first", "auto"), FOUND if LOCAL is not None else [("", None, "", "")]
)
def test_real_files_are_found_as_documented(
    name: str, winner: str | None, first: str, auto: str, definition: MapDefinition
) -> None:
    if LOCAL is None:
        warnings.warn("ONEMAP_LOCAL_DATA is not set: no real file was looked at", _NotLookedAt, stacklevel=1)
        return
    with read_file(LOCAL / name, limits=TRUSTED) as reading:
        found = propose(reading, definition, evidence())
        assert found.winner == winner
        assert found.groups[0].candidates[0].crs == first
        try:
            placing = decide(definition, definition.layers["counties"], reading, "auto", evidence())
            outcome = placing.issues[0].code if placing.issues else "taken"
        except PlaceRefused as refused:
            outcome = refused.reason
    assert outcome == auto
