"""Tile matrix sets, metadata of tilesets and styles: the forms of the standards."""

from __future__ import annotations

from fastapi.testclient import TestClient

REL = "http://www.opengis.net/def/rel/ogc/1.0"
MATRIX = {"id", "scaleDenominator", "cellSize", "pointOfOrigin", "tileWidth", "tileHeight", "matrixWidth",
          "matrixHeight"}  # fmt: skip


def test_matrix_sets_and_tilesets_are_json_of_the_models(service: TestClient) -> None:
    """The members that 17-083r4 requires, of the types that its schemas have."""
    names = [each["id"] for each in service.get("/tileMatrixSets").json()["tileMatrixSets"]]
    assert set(names) == {"WebMercatorQuad", "WorldCRS84Quad", "TiandituC"}
    for name in names:
        answer = service.get(f"/tileMatrixSets/{name}")
        assert answer.headers["content-type"] == "application/json"
        told = answer.json()
        assert told["id"] == name and told["crs"] and told["tileMatrices"]
        for matrix in told["tileMatrices"]:
            assert matrix.keys() >= MATRIX and isinstance(matrix["id"], str)
            assert isinstance(matrix["matrixWidth"], int) and len(matrix["pointOfOrigin"]) == 2
        tileset = service.get(f"/collections/wells/tiles/{name}")
        assert tileset.headers["content-type"] == "application/json"
        held = tileset.json()
        assert (held["dataType"], held["crs"]) == ("vector", told["crs"])
        assert {"self", f"{REL}/tiling-scheme", "item"} <= {link["rel"] for link in held["links"]}
        (item,) = [link for link in held["links"] if link["rel"] == "item"]
        assert item["templated"] is True and item["type"] == "application/vnd.mapbox-vector-tile"
        levels = {matrix["id"]: matrix for matrix in told["tileMatrices"]}
        for limits in held["tileMatrixSetLimits"]:
            matrix = levels[limits["tileMatrix"]]
            assert 0 <= limits["minTileRow"] <= limits["maxTileRow"] < matrix["matrixHeight"]
            assert 0 <= limits["minTileCol"] <= limits["maxTileCol"] < matrix["matrixWidth"]
        for layer in held["layers"]:
            assert layer["id"] and layer["dataType"] == "vector"


def test_styles_are_listed_with_sheets_and_metadata(service: TestClient) -> None:
    (link,) = [each for each in service.get("/?f=json").json()["links"] if each["rel"] == f"{REL}/styles"]
    styles = service.get(link["href"]).json()["styles"]
    assert len({style["id"] for style in styles}) == len(styles) == 3
    for style in styles:
        kinds = [each["rel"] for each in style["links"]]
        assert kinds.count("describedby") == 1 and "stylesheet" in kinds
        for each in style["links"]:
            answer = service.get(each["href"])
            assert answer.status_code == 200
            told = answer.headers["content-type"].replace(" ", "")
            assert told.startswith(each["type"].replace(" ", "")), each
        assert service.get(f"/styles/{style['id']}").status_code == 200
        about = service.get(f"/styles/{style['id']}/metadata").json()
        assert (about["id"], about["scope"]) == (style["id"], "style") and about["title"]
        assert all(sheet["link"]["rel"] == "stylesheet" for sheet in about["stylesheets"])
        assert all(layer["id"] for layer in about["layers"])


def test_styles_are_only_read(service: TestClient) -> None:
    paths = service.get("/api").json()["paths"]
    assert {method for path, way in paths.items() if path.startswith("/styles") for method in way} == {"get"}
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert service.request(method, "/styles/wells").status_code == 405


def test_tiles_are_defined_as_the_standard_has_them(service: TestClient) -> None:
    tail = "/{matrix}/{tileMatrix}/{tileRow}/{tileCol}"
    for base in ("/tiles", "/collections/{layer}/tiles"):
        way = service.get("/api").json()["paths"][base + tail]["get"]
        told = {each["name"]: each for each in way["parameters"] if each["in"] == "path"}
        assert all(each["required"] for each in told.values())
        assert told["tileMatrix"]["schema"] == {"type": "string"}
        for name in ("tileRow", "tileCol"):
            assert told[name]["schema"] == {"type": "integer", "minimum": 0}
