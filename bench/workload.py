"""1,000,000 points, 100,000 parcels and 2,000 zones over Jinhua in the plane EPSG:4549, seeded.

The points cluster in towns; the parcels have 20 to 60 vertices; 1,980 zones have 50 to 5,000 vertices, 20
have 50,000 and more; some have holes. The shared generator of the same kind is used where it lies beside the
repository.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from gis.crs import transformation

__all__ = ["Workload", "workload"]

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "bench" / "gen.py"
DATA = ROOT / "build" / "bench-data"
EXTENT = (119.2, 28.5, 120.8, 29.7)
SEED = 20240607
POINTS, PARCELS, ZONES = 1_000_000, 100_000, 2_000


@dataclass(frozen=True, eq=False)
class Workload:
    """Points (coordinates and geometries), parcels, zones, metres in EPSG:4549, and who made them."""

    xy: NDArray[np.float64]
    points: NDArray[np.object_]
    parcels: NDArray[np.object_]
    zones: NDArray[np.object_]
    made_by: str

    def share(self, share: float) -> Workload:
        """The first part of the points and parcels, which are in no order; all zones."""
        points, parcels = round(len(self.xy) * share), round(len(self.parcels) * share)
        return Workload(
            self.xy[:points], self.points[:points], self.parcels[:parcels], self.zones, self.made_by
        )


@cache
def workload() -> Workload:
    """The whole workload; what the shared generator wrote is kept under build/."""
    made_by = "shared generator" if SHARED.exists() else "own generator"
    print(f"Workload: {made_by}", flush=True)  # figures of the two are not to be compared
    degrees, parcels, zones = _shared() if SHARED.exists() else _own()
    to_plane = transformation(4326, 4549, EXTENT)
    xy = to_plane.xy(degrees)
    return Workload(
        xy,
        np.asarray(shapely.points(xy), dtype=object),
        _valid(to_plane.geometries(parcels)),
        _valid(to_plane.geometries(zones)),
        made_by,
    )


def _valid(geoms: NDArray[np.object_]) -> NDArray[np.object_]:
    """A ring on the rim of validity in degrees may cross itself after rounding in the plane."""
    bad = ~shapely.is_valid(geoms)
    geoms[bad] = shapely.buffer(geoms[bad], 0)
    return geoms


def _shared() -> tuple[NDArray[np.float64], NDArray[np.object_], NDArray[np.object_]]:
    if not (DATA / "zones.gpkg").exists():
        print("Making the workload (once, some minutes) ...", flush=True)
        subprocess.run([sys.executable, str(SHARED), str(DATA)], check=True, stdout=subprocess.DEVNULL)
    points, parcels, zones = (
        np.asarray(gpd.read_parquet(DATA / f"{name}.parquet").geometry.values, dtype=object)
        for name in ("enterprises", "parcels", "zones")
    )
    return shapely.get_coordinates(points), parcels, zones


def _own() -> tuple[NDArray[np.float64], NDArray[np.object_], NDArray[np.object_]]:
    rng = np.random.default_rng(SEED)
    zones = np.array([_zone(rng, ZONES, i) for i in range(ZONES)], dtype=object)
    radii = np.clip(rng.lognormal(np.log(0.0006), 0.6, PARCELS), 0.00015, 0.006)
    parcels = [
        shapely.Polygon(_ring(rng, int(rng.integers(20, 61)), radius, centre))
        for radius, centre in zip(radii, _towns(rng, PARCELS), strict=True)
    ]
    return _towns(rng, POINTS), np.array(parcels, dtype=object), zones


def _towns(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Points in degrees: three quarters in 400 towns of Zipf weights, the rest anywhere."""
    low, high = np.array(EXTENT[:2]), np.array(EXTENT[2:])
    towns = rng.uniform(low, high, (400, 2))
    weights = 1 / np.arange(1, 401) ** 0.8
    near = towns[rng.choice(400, count, p=weights / weights.sum())] + rng.normal(0, 0.025, (count, 2))
    anywhere = rng.uniform(low, high, (count, 2))
    return np.where(rng.random((count, 1)) < 0.25, anywhere, np.clip(near, low, high))


def _zone(rng: np.random.Generator, total: int, index: int) -> Any:
    """A star-shaped zone with a rough outline; the last hundredth of them are huge."""
    huge = index >= total - max(1, total // 100)
    vertices = int(rng.integers(50_000, 90_000) if huge else np.exp(rng.uniform(np.log(50), np.log(5_000))))
    radius = rng.uniform(0.08, 0.2) if huge else np.clip(rng.lognormal(np.log(0.008), 0.7), 0.002, 0.06)
    centre = rng.uniform(EXTENT[:2], EXTENT[2:])
    holes = [_ring(rng, 40, radius * 0.05, centre + np.array([radius * 0.2, 0]))] if index % 4 == 0 else []
    return shapely.Polygon(_ring(rng, vertices, radius, centre), holes)


def _ring(rng: np.random.Generator, count: int, radius: float, centre: Any) -> NDArray[np.float64]:
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    waves = np.arange(2, 40)
    phases = rng.uniform(0, 2 * np.pi, len(waves))
    rough = (np.cos(np.outer(angles, waves) + phases) * 0.3 / waves).sum(axis=1)
    reach = radius * np.exp(np.clip(rough, -0.6, 0.6))
    return np.column_stack([np.cos(angles), np.sin(angles)]) * reach[:, None] + centre
