"""Mending invalid geometries behind limits, and only where it is clear what was drawn.

Each ring is taken by itself. A ring may be read in two ways where it crosses itself: by GEOS's "linework" a
place is inside when the ring goes round it an odd number of times, by "structure" when it goes round it at
all. Where both give the same area within the tolerance (1 %, or 1 m²), as in a bowtie, a spike or a doubled
vertex, it is clear what was meant, and the ring is mended. Then the parts are joined (an overlap counts once)
and the holes taken out (a hole outside takes nothing). Otherwise the row is refused: to choose would be to
draw the shape anew.

The work is done in a child process that is killed when it takes too long or too much memory; see
`gis.importing.mending`. Coordinates are those of the storage CRS, so that vertices that were right stay to
the bit.
"""

from __future__ import annotations

import contextlib
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.crs import Transformation, transformation
from gis.importing.issues import Issue
from gis.importing.shapes import FAMILY, promoted
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["Limits", "Mender"]

# Run as a file, so that it loads numpy and shapely and nothing of the importer.
_CHILD = Path(__file__).with_name("mending.py")

Geometries = NDArray[np.object_]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Limits:
    """What repairing may take.

    Attributes
    ----------
    seconds, total_seconds : float
        For one geometry, and for all of a file; what is left after that is refused.
    memory_mb : int
        For the child, beside the libraries that it has loaded.
    vertices : int
        An invalid geometry of more positions is not tried.
    """

    seconds: float = 5.0
    total_seconds: float = 30.0
    memory_mb: int = 512
    vertices: int = 200_000


@dataclass
class Mender:
    """Repairs for one import; keeps its child from one batch to the next. A context manager."""

    measure: Transformation
    limits: Limits = field(default_factory=Limits)
    _child: subprocess.Popen[bytes] | None = None
    _spent: float = 0.0

    @classmethod
    def of(cls, definition: MapDefinition, limits: Limits | None = None) -> Mender:
        """Measures areas in the district's measuring CRS."""
        district = definition.district
        to_plane = transformation(district.storage_crs, district.measuring_crs, district.extent)
        return cls(to_plane, limits or Limits())

    def __enter__(self) -> Mender:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def mend(self, layer: Layer, rows: Rows, geometry: Geometries, invalid: NDArray[np.bool_]) -> list[Issue]:
        """Put repaired geometries into ``geometry`` in place, None where refused; an issue for each.

        Parameters
        ----------
        geometry : object array
            In the storage CRS, promoted to the layer's type.
        invalid : bool array
            Which of them are to be repaired.

        Returns
        -------
        list of Issue
            geometry_repaired (repair; ``original`` is the geometry before as hexadecimal WKB, ``value`` what
            was wrong), or an error: geometry_invalid, geometry_too_complex, repair_timeout.
        """
        places = np.flatnonzero(invalid)
        scales = self._scales(geometry[places])
        issues = []
        answers = self._ask(geometry[places], scales)
        for place, (code, reason, mended) in zip(places.tolist(), answers, strict=True):
            row, before = int(rows[place]), geometry[place]
            fitted = _fitted(layer, mended)
            if code == "geometry_repaired" and fitted is None:
                code = "geometry_invalid"
            severity = "repair" if code == "geometry_repaired" else "error"
            original = shapely.to_wkb(before, hex=True) if severity == "repair" else None
            issues.append(Issue(row, "geom", reason, code, severity, original))
            geometry[place] = fitted if severity == "repair" else None
        return issues

    def _scales(self, geometry: Geometries) -> NDArray[np.float64]:
        """Square metres to the square unit of the storage CRS where each geometry lies."""
        bounds = shapely.bounds(geometry)
        x, y = (bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2
        step = 1e-4
        corners = [
            self.measure.xy(np.column_stack([x + dx, y + dy])) for dx, dy in ((0, 0), (step, 0), (0, step))
        ]
        (a, b), (c, d) = (corners[1] - corners[0]).T, (corners[2] - corners[0]).T
        scale = np.abs(a * d - b * c) / step**2
        return np.where(np.isfinite(scale), scale, 0.0)

    # --- The child ----------------------------------------------------------------------------------------

    def _ask(
        self, geometry: Geometries, scales: NDArray[np.float64]
    ) -> Iterator[tuple[str, str, shapely.Geometry | None]]:
        counts = shapely.get_num_coordinates(geometry)
        for shape, scale, count in zip(geometry, scales.tolist(), counts.tolist(), strict=True):
            if count > self.limits.vertices:
                yield "geometry_too_complex", str(count), None
                continue
            left = self.limits.total_seconds - self._spent
            if left <= 0:
                yield "repair_timeout", f"{self.limits.total_seconds:g} s", None
                continue
            start = time.monotonic()
            yield self._one(shape, scale, min(left, self.limits.seconds))
            self._spent += time.monotonic() - start

    def _one(
        self, shape: shapely.Geometry, scale: float, seconds: float
    ) -> tuple[str, str, shapely.Geometry | None]:
        child = self._started()
        deadline = time.monotonic() + seconds
        wkb = shapely.to_wkb(shape)
        try:
            _send(child, struct.pack("!dI", scale, len(wkb)) + wkb, deadline)
            code, size_reason, size = struct.unpack("!BII", _receive(child, 9, deadline))
            reason = _receive(child, size_reason, deadline).decode()
            answer = _receive(child, size, deadline)
        except TimeoutError:
            self._stop()
            return "repair_timeout", f"{seconds:.0f} s", None
        except (EOFError, BrokenPipeError, struct.error):  # it ran out of memory
            self._stop()
            return "geometry_too_complex", f"{self.limits.memory_mb} MB", None
        name = ("geometry_repaired", "geometry_invalid", "geometry_too_complex")[code]
        return name, reason, shapely.from_wkb(answer) if answer else None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._child = subprocess.Popen(
                [sys.executable, "-P", str(_CHILD), str(self.limits.memory_mb)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/",
                env=_bare_environment(),
            )  # fmt: skip
            with contextlib.suppress(TimeoutError, EOFError):
                _receive(self._child, 1, time.monotonic() + 30)  # it has loaded its libraries
        return self._child

    def _stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            self._child.wait()
            self._child = None


def _bare_environment() -> dict[str, str]:
    kept = {
        name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV") if name in os.environ
    }
    return {**kept, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1"}


def _fitted(layer: Layer, mended: Any) -> shapely.Geometry | None:
    """The repaired geometry as the layer's type, or None when it is of another family, empty or invalid."""
    if mended is None or mended.is_empty:
        return None
    family = FAMILY.get(layer.geometry.removeprefix("Multi"), tuple(range(8)))
    if shapely.get_type_id(mended) not in family or not shapely.is_valid(mended):
        return None
    one = np.empty(1, dtype=object)
    one[0] = mended
    found: shapely.Geometry | None = promoted(one, layer.geometry)[0]
    return found


def _send(child: subprocess.Popen[bytes], data: bytes, deadline: float) -> None:
    assert child.stdin is not None
    held = memoryview(data)
    while held:
        _, ready, _ = select.select([], [child.stdin], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        held = held[os.write(child.stdin.fileno(), held[: select.PIPE_BUF]) :]


def _receive(child: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
    assert child.stdout is not None
    parts = bytearray()
    while len(parts) < size:
        ready, _, _ = select.select([child.stdout], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        block = os.read(child.stdout.fileno(), min(size - len(parts), 1 << 20))
        if not block:
            raise EOFError
        parts += block
    return bytes(parts)
