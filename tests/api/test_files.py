"""Items as files: every form reads back as what the store holds, whole or to a limit."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import geopandas
import openpyxl
import pyogrio
import pytest
from fastapi.testclient import TestClient

from api.representation import FILES, FORMS
from tests.api.conftest import SmallMap, client_of

ITEMS = "/collections/wells/items"


def read(content: bytes, form: str, folder: Path) -> Any:
    """The rows of a file as a table, their places as a column ``at`` of x and y."""
    path = folder / f"wells{FORMS[form].ending}"
    path.write_bytes(content)
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
        return {row["uid"]: (float(row["lon"]), float(row["lat"])) for row in rows}
    if form == "xlsx":
        sheet = openpyxl.load_workbook(path).worksheets[0]
        names, *rows = sheet.iter_rows(values_only=True)
        return {row[0]: (row[names.index("lon")], row[names.index("lat")]) for row in rows}
    frame = geopandas.read_parquet(path) if form == "parquet" else pyogrio.read_dataframe(path)
    return {uid: (shape.x, shape.y) for uid, shape in zip(frame["uid"], frame.geometry, strict=True)}


WELLS = {"IN": (120.005, 28.905), "OUT": (120.05, 28.905), "RIM": (120.01, 28.905), "ALSO": (120.005, 28.905)}


@pytest.mark.parametrize("form", FILES)
def test_a_file_holds_what_matches(service: TestClient, form: str, tmp_path: Path) -> None:
    answer = service.get(f"{ITEMS}?f={form}")
    assert answer.headers["content-type"] == FORMS[form].media_type
    assert answer.headers["content-disposition"].endswith(f'filename="wells{FORMS[form].ending}"')
    assert read(answer.content, form, tmp_path) == WELLS
    by_accept = service.get(ITEMS, headers={"Accept": f"text/html;q=0.1, {FORMS[form].essence};q=0.9"})
    assert by_accept.headers["content-type"] == answer.headers["content-type"]
    chosen = service.get(
        f"{ITEMS}?f={form}&filter=kind='bored'&sortby=-code&limit=1&properties=kind&bbox=120,28,121,29"
    )
    assert read(chosen.content, form, tmp_path) == {"OUT": WELLS["OUT"]}
    assert service.get(f"{ITEMS}?f={form}&as-of=0").status_code == 200


@pytest.mark.parametrize("form", ["gpkg", "parquet", "fgb"])
def test_a_file_has_the_crs_asked_for_in_the_order_of_its_format(
    service: TestClient, form: str, tmp_path: Path
) -> None:
    answer = service.get(f"{ITEMS}?f={form}&crs=EPSG:4549")
    assert answer.headers["content-crs"] == "<http://www.opengis.net/def/crs/EPSG/0/4549>"
    assert read(answer.content, form, tmp_path)["IN"] == pytest.approx((500487.6, 3198740.0), abs=0.1)


def test_a_file_has_no_page_maximum(shared_map: SmallMap, tmp_path: Path) -> None:
    client = client_of(shared_map.app(max_features=2))
    assert len(read(client.get(f"{ITEMS}?f=csv").content, "csv", tmp_path)) == 4
    assert len(read(client.get(f"{ITEMS}?f=csv&limit=3").content, "csv", tmp_path)) == 2


def test_what_does_not_fit_comes_in_an_archive(own_map: SmallMap) -> None:
    unfit = "_x0041_"  # a spreadsheet reads this as the letter A
    own_map.load("wells", f"code,name,lon,lat\nUNFIT,{unfit},120.3,28.9\n", source="o")
    answer = client_of(own_map.app()).get(f"{ITEMS}?f=xlsx")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert set(archive.namelist()) == {"wells.xlsx", "wells.beside.csv"}
        assert unfit in archive.read("wells.beside.csv").decode("utf-8-sig")


def test_nothing_is_left_behind(service: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for query in ("f=gpkg", "f=csv&filter=depth ^ 999999 > 1", "f=xlsx&filter=nothing = 1"):
        service.get(f"{ITEMS}?{query}")
    assert list(tmp_path.iterdir()) == []


def test_jsonfg_tells_place_and_time(own_map: SmallMap) -> None:
    rows = "code,lon,lat,valid_from,valid_to\nOLD,120.3,28.9,2000-01-01,\n"
    own_map.load("wells", rows, source="o")
    client = client_of(own_map.app())
    answer = client.get(f"{ITEMS}/OLD?f=jsonfg&crs=EPSG:4549&properties=code")
    assert answer.headers["content-type"] == "application/fg+json"
    body = answer.json()
    spec = "http://www.opengis.net/spec/json-fg-1/1.0/conf"
    assert body["conformsTo"] == [f"{spec}/core", f"{spec}/types-schemas"]
    assert (body["featureType"], body["geometryDimension"]) == ("wells", 0)
    assert body["coordRefSys"].endswith("/EPSG/0/4549") and body["geometry"] is None
    assert body["place"]["coordinates"][0] > 3_000_000 > body["place"]["coordinates"][1]
    assert body["time"] == {"interval": ["2000-01-01", ".."]}
    assert body["properties"] == {"code": "OLD"}
    plain = client.get(f"{ITEMS}?f=jsonfg", headers={"Accept": "text/html"}).json()
    assert "coordRefSys" not in plain and plain["numberMatched"] == 5
    assert all(f["place"] is None and f["geometry"] for f in plain["features"])
    assert [f["time"] for f in plain["features"]][:4] == [None] * 4
