"""Dividing a line or polygon by verdict: operations on the four parts of a site."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel import CLEAR, CONFLICT, EDGE, UNKNOWN, Parts, combine

__all__ = ["PART_NAMES", "PART_ORDER", "demoted", "met_as_unknown", "part", "regrouped", "whole"]

PART_ORDER = (CONFLICT, UNKNOWN, EDGE, CLEAR)
"""The verdict codes in the order of `Parts.sizes`."""

PART_NAMES = ("conflict", "unknown", "edge", "clear")
"""Their names as attributes of `Parts`, in the same order."""


def part(parts: Parts, code: int) -> BaseGeometry:
    """Return the part of a site that has a verdict."""
    geometry: BaseGeometry = getattr(parts, PART_NAMES[PART_ORDER.index(code)])
    return geometry


def whole(site: BaseGeometry, code: int) -> Parts:
    """Return the parts of a site that is of one verdict throughout."""
    clear = combine(site, [])
    return clear if code == CLEAR else _moved(clear, (CLEAR,), code)


def demoted(parts: Parts, code: int) -> Parts:
    """Return the parts with nothing worse than ``code``: what was worse has that verdict instead."""
    return _moved(parts, PART_ORDER[: PART_ORDER.index(code)], code)


def met_as_unknown(parts: Parts) -> Parts:
    """Return the parts with conflict and edge turned into unknown: met, but perhaps it does not count."""
    return _moved(parts, (CONFLICT, EDGE), UNKNOWN)


def regrouped(site: BaseGeometry, pieces: Iterable[tuple[int, BaseGeometry]], like: Parts) -> Parts:
    """Divide a site by overlapping pieces with verdicts, the worst one winning; clear where there is none."""
    nothing = _nothing(like)
    layers: dict[int, list[BaseGeometry]] = {code: [] for code in PART_ORDER}
    for code, geometry in pieces:
        layers[code].append(geometry)
    joined = {code: shapely.union_all(found) if found else nothing for code, found in layers.items()}
    conflict, unknown, edge, clear = (joined[code] for code in PART_ORDER)
    return combine(site, [Parts(conflict, unknown, edge, clear, like.sizes, like.on_boundary)])


def _moved(parts: Parts, sources: Sequence[int], target: int) -> Parts:
    """Give the parts of some verdicts to another one, which keeps its own."""
    places = [PART_ORDER.index(code) for code in sources]
    place = PART_ORDER.index(target)
    if not any(parts.sizes[p] > 0 for p in places):
        return parts
    sizes = np.array(parts.sizes)
    sizes[place] += sizes[places].sum()
    sizes[places] = 0.0
    given = [part(parts, code) for code in (*sources, target)]
    geoms = [_nothing(parts) if p in places else part(parts, code) for p, code in enumerate(PART_ORDER)]
    geoms[place] = shapely.union_all([g for g in given if not g.is_empty])
    conflict, unknown, edge, clear = geoms
    return Parts(conflict, unknown, edge, clear, sizes, parts.on_boundary)


def _nothing(parts: Parts) -> BaseGeometry:
    """An empty geometry of the site's dimension."""
    full = next((part(parts, c) for c in PART_ORDER if not part(parts, c).is_empty), parts.clear)
    kinds = ("POINT EMPTY", "LINESTRING EMPTY", "POLYGON EMPTY")
    return shapely.from_wkt(kinds[max(int(shapely.get_dimensions(full)), 0)])
