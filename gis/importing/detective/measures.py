"""How well a frame fits: each kind of evidence gives a mark from 0 to 1, a weight and a sentence.

Offsets are in metres east and north in the tangent plane, good to a per cent: enough to tell systems that
differ by tens of metres and more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.importing.detective.frames import Frame, Words

__all__ = [
    "LEAST",
    "Mark",
    "Offsets",
    "Pairs",
    "Restated",
    "Shapes",
    "Within",
    "inside_mark",
    "offsets_m",
    "thinned",
]

Points = NDArray[np.float64]
Extent = tuple[float, float, float, float]

LEAST = 0.01  # no single piece of evidence brings a candidate to nothing

# Weights say how finely a kind of evidence tells systems apart. The extent tells zones and axes (100 km), a
# stated county or township kilometres, shapes some 100 m, registered positions tens of metres.
_W_INSIDE, _W_PLACES, _W_SHAPES, _W_CODES = 1.0, 1.0, 3.0, 4.0
# A second position in the same row says what somebody took the first one for, not what it is.
_W_RESTATED = 2.0
# The best that a median offset can be trusted: two surveys of one thing seldom agree better (metres).
_FLOOR_CODES_M, _FLOOR_SHAPES_M = 30.0, 100.0
# An old datum lies up to some 120 m off in an unknown direction, so an offset of that size speaks for it as
# much as against it. Where the evidence is fine, a system that predicts the fit gets up to twice the credit.
_OLD_DATUM_M, _OLD_DATUM_CREDIT = 120.0, 0.5
# So many pairs give a kind of evidence its full weight.
_FULL_CODES, _FULL_SHAPES, _FULL_ROWS = 5, 3, 5
_VERTICES = 1_000


@dataclass(frozen=True)
class Mark:
    """A fit from `LEAST` to 1 with its weight, in words; ``fine`` can tell datums apart."""

    fit: float
    weight: float
    words: Words
    fine: bool = False


def offsets_m(found: Points, wanted: Points) -> Points:
    """East and north offsets in metres of ``found`` from ``wanted``, both (n, 2) in degrees."""
    lat = np.radians(wanted[:, 1])
    per_lon = 111_320.0 * np.cos(lat)
    return np.column_stack([(found[:, 0] - wanted[:, 0]) * per_lon, (found[:, 1] - wanted[:, 1]) * 110_860.0])


def inside_mark(share: float, covers: bool) -> Mark:
    """Rows within the district's extent; ``covers``: the rows go far beyond it on all sides."""
    zh, en = f"{share:.0%} 的行落在本区域范围内", f"{share:.0%} of the rows fall into the district's extent"
    if covers and share < 0.5:
        # A file about a larger area, such as a province, has few rows here in any case.
        return Mark(
            0.5,
            _W_INSIDE,
            (
                zh + "，其余环绕本区域（文件范围更大）",
                en + ", the rest all round it (a file of a larger area)",
            ),
        )
    return Mark(max(share, LEAST), _W_INSIDE, (zh, en))


@dataclass(frozen=True)
class Offsets:
    """Median offset east and north, robust spread (1.48 median absolute deviations) and number of pairs."""

    east: float
    north: float
    spread: float
    n: int

    @property
    def size(self) -> float:
        """Length of the median offset in metres."""
        return float(np.hypot(self.east, self.north))

    @classmethod
    def of(cls, offsets: Points) -> Offsets | None:
        """From (n, 2) offsets; None when none is finite."""
        good = offsets[np.isfinite(offsets).all(axis=1)]
        if not len(good):
            return None
        middle = np.median(good, axis=0)
        spread = 1.4826 * float(np.median(np.hypot(*(good - middle).T)))
        return cls(float(middle[0]), float(middle[1]), spread, len(good))

    def fit(self, frame: Frame, floor_m: float) -> float:
        """Near 1 when the offset may be chance, near 0 when it is systematic (a normal density)."""
        sure = 1.25 * self.spread / np.sqrt(self.n)  # standard error of a median
        bound = max(floor_m, _OLD_DATUM_M) if frame.old_datum else floor_m
        fit = float(np.exp(-0.5 * self.size**2 / (bound**2 + sure**2)))
        credit = min(1.0, max(_OLD_DATUM_CREDIT, floor_m / _OLD_DATUM_M)) if frame.old_datum else 1.0
        return max(LEAST, fit * credit)


@dataclass(frozen=True)
class Pairs:
    """Rows whose true position is known: ``points`` as the file has them, ``places`` in degrees."""

    rows: NDArray[np.int64]
    points: Points
    places: Points
    column: str
    accuracy_m: float | None

    def offsets(self, frame: Frame, extent: Extent) -> Points:
        """(n, 2) metres by which each row read in ``frame`` is off its known position."""
        return offsets_m(frame.to_lonlat(self.points, extent), self.places)

    def mark(self, frame: Frame, extent: Extent) -> tuple[Mark, Offsets] | None:
        """The fit of the registered positions."""
        found = Offsets.of(self.offsets(frame, extent))
        if found is None:
            return None
        weight = _W_CODES * min(1.0, found.n / _FULL_CODES)
        words = (
            f"{found.n} 个已登记编码（列“{self.column}”）：与登记位置的中位偏差 {found.size:.0f} 米"
            f"（东 {found.east:+.0f}，北 {found.north:+.0f}，离散 {found.spread:.0f}）",
            f"{found.n} registered codes (column {self.column!r}): median offset {found.size:.0f} m "
            f"(east {found.east:+.0f}, north {found.north:+.0f}, spread {found.spread:.0f})",
        )
        floor = max(_FLOOR_CODES_M, self.accuracy_m or 0.0)
        return Mark(found.fit(frame, floor), weight, words, fine=True), found


@dataclass(frozen=True)
class Restated:
    """Rows that hold a second position, ``places`` in degrees, in columns whose names state its frame."""

    points: Points
    places: Points
    columns: str

    def mark(self, frame: Frame, extent: Extent) -> Mark | None:
        """Whether the second position is the first one, read in ``frame`` and converted."""
        found = Offsets.of(offsets_m(frame.to_lonlat(self.points, extent), self.places))
        if found is None:
            return None
        words = (
            f"文件另有坐标列“{self.columns}”，{found.n} 行与之中位偏差 {found.size:.1f} 米",
            f"the file has a second position in {self.columns!r}; the median of {found.n} rows is "
            f"{found.size:.1f} m off it",
        )
        return Mark(found.fit(frame, _FLOOR_CODES_M), _W_RESTATED * min(1.0, found.n / _FULL_ROWS), words)


@dataclass(frozen=True)
class Shapes:
    """Polygons of the file, as it has them, and the polygons of the store that they should be, in degrees.

    ``whose`` says which they are: "9 areas of the same name (...)".
    """

    drawn: NDArray[np.object_]
    known: NDArray[np.object_]
    whose: Words

    @cached_property
    def _centres(self) -> Points:
        return _centroids(self.known)

    def mark(self, frame: Frame, extent: Extent) -> Mark | None:
        """The fit of the shapes: how far their centres of gravity are off, and how much they overlap."""
        read = shapely.transform(self.drawn, lambda xy: frame.to_lonlat(xy, extent))
        good = np.isfinite(shapely.bounds(read)).all(axis=1)
        found = Offsets.of(offsets_m(_centroids(read[good]), self._centres[good])) if good.any() else None
        if found is None:
            return None
        shared = _overlap(read[good], self.known[good])
        overlap = (
            (f"重合度中位数 {shared:.3f}，", f"median overlap {shared:.3f}, ")
            if shared is not None
            else ("", "")
        )
        weight = _W_SHAPES * min(1.0, found.n / _FULL_SHAPES)
        words = (
            f"{self.whose[0]}：{overlap[0]}重心中位偏差 {found.size:.0f} 米"
            f"（东 {found.east:+.0f}，北 {found.north:+.0f}）",
            f"{self.whose[1]}: {overlap[1]}centres off by "
            f"{found.size:.0f} m (east {found.east:+.0f}, north {found.north:+.0f})",
        )
        return Mark(found.fit(frame, _FLOOR_SHAPES_M), weight, words, fine=True)


def _centroids(shapes: NDArray[np.object_]) -> Points:
    centres = shapely.centroid(shapes)
    return np.column_stack([shapely.get_x(centres), shapely.get_y(centres)])


def _overlap(drawn: NDArray[np.object_], known: NDArray[np.object_]) -> float | None:
    """Median of intersection over union, in degrees: both have the same scale, so it is that of the areas.

    Invalid shapes are left out: mending what somebody sent in can take any time and memory. None without any.
    """
    whole = np.flatnonzero(shapely.is_valid(drawn) & shapely.is_valid(known))
    if not len(whole):
        return None
    a, b = drawn[whole], known[whole]
    try:
        both = shapely.area(shapely.intersection(a, b))
    except shapely.errors.GEOSException:
        return None
    return float(np.median(both / np.maximum(shapely.area(a) + shapely.area(b) - both, 1e-30)))


def thinned(shape: shapely.Geometry | None) -> shapely.Geometry | None:
    """A polygon with every so-manieth vertex only, so that it has `_VERTICES` at most; small rings go.

    Overlay and even the test of validity take time with the square of the vertices where edges cross, and a
    file may hold any number; centre and overlap hardly change. Where leaving out makes edges cross, others
    are left out, a few times.
    """
    every = -(-int(shapely.get_num_coordinates(shape)) // _VERTICES)
    if shape is None or every <= 1:
        return shape
    tries = [_every(shape, every + more) for more in range(4)]
    return next((found for found in tries if shapely.is_valid(found)), tries[0])


def _every(shape: shapely.Geometry, step: int) -> shapely.Geometry:
    polygons = []
    for part in shapely.get_parts(shape):
        rings = [shapely.get_coordinates(ring)[:-1][::step] for ring in shapely.get_rings(part)]
        if rings and len(rings[0]) >= 3:
            polygons.append(shapely.Polygon(rings[0], [ring for ring in rings[1:] if len(ring) >= 3]))
    return shapely.MultiPolygon(polygons)


@dataclass(frozen=True)
class Within:
    """Rows that say in words where they lie: ``shapes`` in degrees, each row within its own, or near it."""

    points: Points
    shapes: NDArray[np.object_]
    room_deg: NDArray[np.float64]
    column: str
    what: Words
    weight: float = _W_PLACES

    def mark(self, frame: Frame, extent: Extent) -> Mark:
        """The share of rows that lie where they say."""
        lonlat = frame.to_lonlat(self.points, extent)
        finite = np.isfinite(lonlat).all(axis=1)
        at = np.zeros(len(lonlat), dtype=bool)
        places = np.asarray(shapely.points(lonlat[finite]), dtype=object)
        # One distance a row is allowed, though the stub knows a single one only.
        at[finite] = shapely.dwithin(self.shapes[finite], places, self.room_deg[finite])  # type: ignore[call-overload]
        share, n = float(at.mean()), len(at)
        words = (
            f"{n} 行写明{self.what[0]}（列“{self.column}”），{int(at.sum())} 行落在其中",
            f"{n} rows name their {self.what[1]} (column {self.column!r}); {int(at.sum())} lie there",
        )
        return Mark(max(share, LEAST), self.weight * min(1.0, n / _FULL_ROWS), words)
