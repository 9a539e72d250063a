"""Files as they were read, and the evidence of the repository's open data, for the tests about places."""

from __future__ import annotations

import csv
import itertools
import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyproj
import shapely
from numpy.typing import NDArray

from gis import datums
from gis.importing.detective import Area, Evidence, Known, Seat
from gis.importing.reading.spool import Header, Reading, Spool
from gis.settings import MapDefinition
from layers.district import load_district
from layers.registry import load_layers

Points = NDArray[np.float64]

DATA = Path(__file__).parents[3] / "data"
DISTRICT = (118.5, 28.0, 121.5, 30.2)

_FOLDER = tempfile.TemporaryDirectory(prefix="onemap-tests-spool-")  # removed when the process ends
_NUMBERS = itertools.count()


def reading_of(
    geometry: Points | Sequence[shapely.Geometry | None] | NDArray[np.object_],
    columns: Mapping[str, Sequence[object]] | None = None,
    *,
    format: str = "shapefile",
    crs: str | None = None,
    x: str | None = None,
    y: str | None = None,
    unit: str = "native",
) -> Reading:
    """A file of ``geometry`` (points as an (n, 2) array) that was read; it lies in a folder of its own."""
    if isinstance(geometry, np.ndarray) and geometry.dtype != object:
        shapes = shapely.points(geometry)
    else:
        shapes = np.array(geometry, dtype=object)
    columns = dict(columns or {})
    folder = Path(_FOLDER.name) / str(next(_NUMBERS))
    folder.mkdir()
    spool = Spool(folder)
    wkb = pa.array(shapely.to_wkb(shapes), pa.binary())
    spool.add(wkb, list(columns), [pa.array(values) for values in columns.values()])
    spool.finish(Header(format, declared_crs=crs, columns=tuple(columns), x=x, y=y, coordinate_unit=unit))
    return Reading.load(folder)


@cache
def counties() -> tuple[Area, ...]:
    """The nine counties of data/counties.geojson, CGCS2000."""
    features = json.loads((DATA / "counties.geojson").read_text(encoding="utf-8"))["features"]
    return tuple(
        Area(f["properties"]["name"], f["id"], shapely.from_geojson(json.dumps(f["geometry"])), 500.0)
        for f in features
    )


@cache
def seats() -> tuple[Seat, ...]:
    """The township seats of data/townships.csv, WGS 84."""
    with (DATA / "townships.csv").open(encoding="utf-8") as file:
        return tuple(
            Seat(row["name"], row["county"], row["adcode"], float(row["lon"]), float(row["lat"]))
            for row in csv.DictReader(file)
        )


@cache
def parents() -> dict[str, str]:
    """County by township of data/admin_codes.csv, where the name is unique."""
    with (DATA / "admin_codes.csv").open(encoding="utf-8") as file:
        rows = [(row["name"], row["county"]) for row in csv.DictReader(file) if row["level"] == "township"]
    held: dict[str, set[str]] = {}
    for name, county in rows:
        held.setdefault(name, set()).add(county)
    return {name: next(iter(found)) for name, found in held.items() if len(found) == 1}


def evidence(known: Known | None = None, *, places: bool = True) -> Evidence:
    """What a store with the open data would offer."""
    if not places:
        return Evidence(DISTRICT, known=known)
    return Evidence(DISTRICT, counties(), seats(), known, parents())


def spread(n: int, seed: int = 7) -> Points:
    """Random points of the district's middle, degrees of CGCS2000, no two axes alike."""
    return np.random.default_rng(seed).uniform((119.3, 28.6), (120.7, 29.6), (n, 2))


def codes(n: int) -> list[str]:
    """Codes as an enterprise register has them."""
    return [f"HZ{i:06d}" for i in range(n)]


def known_at(lonlat: Points, names: Sequence[str] | None = None, accuracy_m: float = 10.0) -> Known:
    """A register that holds the codes of the points in the column "code"."""
    names = codes(len(lonlat)) if names is None else names
    return Known(
        "code", {c: (float(x), float(y)) for c, (x, y) in zip(names, lonlat, strict=True)}, accuracy_m
    )


def in_frame(lonlat: Points, name: str) -> Points:
    """``lonlat`` as a file in the frame ``name`` has them; by PROJ and the published formulas directly."""
    base = name.removesuffix(" swapped")
    if base == "GCJ-02":
        out = datums.wgs84_to_gcj02(lonlat)
    elif base == "BD-09":
        out = datums.wgs84_to_bd09(lonlat)
    elif base == "CRS84":
        out = lonlat
    else:
        crs = pyproj.CRS.from_user_input(base)
        # From the frame's own degrees: without a shift of datum, which the file's maker applied before.
        there = pyproj.Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
        out = np.column_stack(there.transform(lonlat[:, 0], lonlat[:, 1]))
    return out[:, ::-1].copy() if name.endswith(" swapped") else out


def map_of_places() -> MapDefinition:
    """The layers that evidence comes from, and two that have none."""
    layers = load_layers([Path(__file__).parents[2] / "outside"])
    names = ("counties", "townships", "admin_codes", "wells", "pads")
    return MapDefinition(load_district(), {name: layers[name] for name in names}, {})
