"""Prepared levels say what the rows say: the same tiles, with them and without."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import numpy as np
import pmtiles.reader
import pytest
import shapely
from sqlalchemy import Engine, text

from gis.db import connect
from gis.errors import ExportRefused
from gis.export import export_layer
from gis.features import find_layer
from gis.importing import ImportResult
from gis.settings import MapDefinition
from gis.tiles import MATRIX_SETS, MAX_BYTES, prepare_tiles, tile_at, vector_tile
from gis.tiles.matrix import Tile
from gis.tiles.shapes import EXACT_FROM_ZOOM, cut_shapes
from tests.gis.shapes import star

Load = Callable[..., ImportResult]


@pytest.fixture
def summed_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums from a few rows on, so that hundreds will do."""
    for module in ("gis.tiles.drawing", "gis.tiles.summing"):
        monkeypatch.setattr(f"{module}.SUM_FROM_ROWS", 40)
    monkeypatch.setattr("gis.tiles.prepare.SUMMED_FROM_ROWS", 100)


@pytest.fixture
def places() -> str:
    rng = np.random.default_rng(7)
    x, y = 119.9 + rng.normal(0, 0.02, 600), 29.05 + rng.normal(0, 0.02, 600)
    kinds = rng.choice(["dug", "bored", ""], 600)
    rows = (f"W{i},n{i},{kinds[i]},{x[i]:.6f},{y[i]:.6f}" for i in range(600))
    return "code,name,kind,lon,lat\n" + "\n".join(rows) + "\n"


def decoded(body: bytes, layer: str) -> list[tuple[Any, ...]]:
    """Features as text and in order, for comparing."""
    features = mapbox_vector_tile.decode(body)[layer]["features"] if body else []
    return sorted((str(f["geometry"]), str(sorted(f["properties"].items()))) for f in features)


def around(lon: float, lat: float, z: int, matrix: str = "WebMercatorQuad") -> Tile:
    (limits,) = MATRIX_SETS[matrix].limits((lon, lat, lon, lat), z, z)
    return tile_at(z, limits["minTileRow"], limits["minTileCol"], MATRIX_SETS[matrix])


@pytest.mark.usefixtures("summed_early")
def test_sums_kept_and_sums_made_on_the_spot_are_the_same(
    load: Load, store: Engine, small_map: MapDefinition, places: str
) -> None:
    first = load("wells", places).change.rev
    wells = find_layer(small_map, "wells")
    tiles = [around(119.9, 29.05, z) for z in range(6, 14)]

    def drawn(rev: int | None = None, *, prepared: bool = True) -> list[bytes]:
        with connect(store) as conn:
            return [vector_tile(conn, small_map, wells, tile, rev, prepared=prepared) for tile in tiles]

    def agree() -> None:
        assert prepare_tiles(store, small_map).left == ()
        for rev in (None, first):
            sums, rows = drawn(rev), drawn(rev, prepared=False)
            assert [decoded(a, "wells") for a in sums] == [decoded(b, "wells") for b in rows], rev

    agree()
    with connect(store) as conn:
        assert conn.scalar(text("SELECT finest FROM core.tile_levels WHERE layer = 'wells'")) is not None
        assert conn.scalar(text("SELECT count(DISTINCT z) FROM core.tile_cells")) > 3
    # Moved, renamed, closed and new rows: only their cells are summed again.
    lines = places.splitlines()
    moved = [line.replace("W1", "V1").replace(",119.9", ",119.8") for line in lines[1:90]]
    load("wells", "\n".join([lines[0], *moved, *lines[120:]]) + "\n", mode="replace", allow_large_close=True)
    stale = drawn()
    agree()
    assert stale == drawn(), "before the levels know a revision, touched cells are summed from rows"


def test_cut_shapes_draw_what_whole_ones_draw(load: Load, store: Engine, small_map: MapDefinition) -> None:
    outline = star(np.random.default_rng(3), 119.9, 29.05, 0.05, 4000)
    load("pads", f'code,strict,wkt\nP1,true,"{shapely.multipolygons([outline]).wkt}"\n')
    pads = find_layer(small_map, "pads")
    spots = [(119.9, 29.05), outline.exterior.coords[0], outline.exterior.coords[1500]]
    tiles = [around(*spot, z) for spot in spots for z in (8, 11, 13, 14, 16, 18)]

    def drawn() -> list[Any]:
        with connect(store) as conn:
            bodies = [vector_tile(conn, small_map, pads, tile) for tile in tiles]
        return [mapbox_vector_tile.decode(b)["pads"]["features"] if b else [] for b in bodies]

    live = drawn()
    assert prepare_tiles(store, small_map).shapes == 1
    cut = drawn()
    for tile, before, after in zip(tiles, live, cut, strict=True):
        assert [f["properties"] for f in before] == [f["properties"] for f in after], tile
        if before:
            a, b = (shapely.geometry.shape(f[0]["geometry"]) for f in (before, after))
            # Half a pixel here and there, 16 units a pixel; from zoom 14 on only the grid's own rounding.
            allowed = 24 if tile.z < EXACT_FROM_ZOOM else 2
            assert shapely.hausdorff_distance(shapely.make_valid(a), shapely.make_valid(b)) <= allowed, tile
    load("pads", 'code,strict,wkt\nP1,true,"MULTIPOLYGON(((119 29,119.1 29,119.1 29.1,119 29)))"\n')
    assert decoded(b"", "pads") == [] and drawn()[0] == []
    prepare_tiles(store, small_map)
    with connect(store) as conn:
        assert conn.scalar(text("SELECT count(*) FROM core.tile_shapes")) == 0


def test_a_cell_inside_a_shape_is_kept_once_and_covers_all_below() -> None:
    side = Tile(6, 0, 0).side
    west, south, east, north = Tile(6, 53, 26).box()
    pieces = cut_shapes(np.array([shapely.box(west - side / 4, south - side / 4, east, north)]), 5)
    covered = [piece for piece in pieces if piece.geom is None]
    assert covered and all(piece.z > 6 for piece in covered)
    # With the pieces of the exact zoom they are all of the shape.
    parts = [Tile(p.z, p.x, p.y).box() for p in covered]
    rest = [p.geom for p in pieces if p.geom is not None and p.z == EXACT_FROM_ZOOM]
    whole = shapely.union_all([*(shapely.box(*part) for part in parts), *rest])
    assert whole.area == pytest.approx((side * 1.25) ** 2, rel=1e-9)


@pytest.mark.parametrize("matrix", ["WorldCRS84Quad", "TiandituC"])
def test_tiles_in_degrees_hold_the_same_rows(
    load: Load, store: Engine, small_map: MapDefinition, matrix: str
) -> None:
    load("wells", "code,name,lon,lat\nA,a,119.9,29.05\nB,b,119.95,29.05\n")
    tile = around(119.9, 29.05, 10, matrix)
    with connect(store) as conn:
        body = vector_tile(conn, small_map, find_layer(small_map, "wells"), tile)
    found = {
        f["properties"]["uid"]: f["geometry"]["coordinates"]
        for f in mapbox_vector_tile.decode(body)["wells"]["features"]
    }
    west, south, east, north = tile.box()
    x, y = (119.9 - west) / (east - west) * 4096, (29.05 - south) / (north - south) * 4096
    assert found["A"] == pytest.approx([x, y], abs=1)


def test_no_tile_is_too_large_and_none_hides_a_row(
    load: Load, store: Engine, small_map: MapDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    rows = []
    for i in range(300):
        x, y = 119.5 + rng.random() * 0.8, 28.8 + rng.random() * 0.5
        rows.append(f'P{i},true,"{shapely.multipolygons([star(rng, x, y, 0.01, 40)]).wkt}"')
    load("pads", "code,strict,wkt\n" + "\n".join(rows) + "\n")
    pads = find_layer(small_map, "pads")
    tile = around(119.9, 29.05, 7)
    with connect(store) as conn:
        whole = vector_tile(conn, small_map, pads, tile)
        for limit in (len(whole), len(whole) // 3, 4000, 1500):
            body = vector_tile(conn, small_map, pads, tile, max_bytes=limit)
            assert len(body) <= limit <= MAX_BYTES
            features = mapbox_vector_tile.decode(body)["pads"]["features"]
            assert sum(f["properties"]["n"] for f in features) == 300


def test_an_archive_of_tiles_reads_back_as_the_tiles(
    load: Load, store: Engine, small_map: MapDefinition, tmp_path: Path, places: str
) -> None:
    load("wells", places)
    first = load("wells", "code,name,lon,lat\nFAR,f,119.2,28.6\n", source="later").change.rev
    load("wells", "code,name,lon,lat\nNEW,x,119.9,29.05\n", source="last")
    wells, path, told = find_layer(small_map, "wells"), tmp_path / "wells.pmtiles", []
    done = export_layer(
        store, small_map, wells, path, as_of=str(first), progress=lambda *given: told.append(given)
    )
    assert (done.rows, done.crs, done.rev) == (601, 3857, first) and told
    with path.open("rb") as file:
        archive = pmtiles.reader.Reader(pmtiles.reader.MmapSource(file))
        header, metadata = archive.header(), archive.metadata()
        assert (header["min_zoom"], header["max_zoom"]) == (wells.zoom.min, 14) and header["clustered"]
        assert header["min_lon_e7"] / 1e7 == pytest.approx(119.2, abs=1e-6)
        assert metadata["vector_layers"][0]["id"] == "wells"
        found = dict(pmtiles.reader.all_tiles(archive.get_bytes))
        with connect(store) as conn:
            for z in range(wells.zoom.min, 15):
                tile = around(119.9, 29.05, z)
                body = vector_tile(conn, small_map, wells, tile, first)
                assert gzip.decompress(found[z, tile.x, tile.y]) == body
    # Each row is in the archive's last zoom, in one tile or at the rims of several.
    uids = set()
    for (z, _, _), body in found.items():
        if z == 14:
            features = mapbox_vector_tile.decode(gzip.decompress(body))["wells"]["features"]
            uids |= {f["properties"].get("uid") for f in features}
    assert {"FAR", "W0"} <= uids and "NEW" not in uids


def test_a_layer_without_rows_is_no_archive(store: Engine, small_map: MapDefinition, tmp_path: Path) -> None:
    with pytest.raises(ExportRefused, match="nothing to draw"):
        export_layer(store, small_map, find_layer(small_map, "wells"), tmp_path / "a.pmtiles")
    assert list(tmp_path.iterdir()) == []
