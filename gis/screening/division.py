"""Dividing a line or polygon by verdict: operations on the four parts of a site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel import CLEAR, CONFLICT, EDGE, UNKNOWN, Parts, combine

__all__ = ["demoted", "met_as_unknown", "settled_only", "turned", "whole"]

_ORDER = (CONFLICT, UNKNOWN, EDGE, CLEAR)
_NAMES = ("conflict", "unknown", "edge", "clear")
"""The verdict codes, and the attributes of `Parts`, in the order of `Parts.sizes`."""


def whole(site: BaseGeometry, code: int) -> Parts:
    """Return the parts of a site that is of one verdict throughout."""
    clear = combine(site, [])
    return clear if code == CLEAR else _moved(clear, (CLEAR,), code)


def demoted(parts: Parts, code: int) -> Parts:
    """Return the parts with nothing worse than ``code``: what was worse has that verdict instead."""
    return _moved(parts, _ORDER[: _ORDER.index(code)], code)


def met_as_unknown(parts: Parts) -> Parts:
    """Return the parts with conflict and edge turned into unknown: met, but perhaps it does not count."""
    return _moved(parts, (CONFLICT, EDGE), UNKNOWN)


def settled_only(parts: Parts) -> Parts:
    """Return the parts with only the conflict left, the rest clear."""
    return _moved(parts, (UNKNOWN, EDGE), CLEAR)


def turned(parts: Parts) -> Parts:
    """Return the parts for the opposite question: conflict and clear change places."""
    return replace(parts, conflict=parts.clear, clear=parts.conflict, sizes=parts.sizes[[3, 1, 2, 0]])


def _moved(parts: Parts, sources: Sequence[int], target: int) -> Parts:
    """Give the parts of some verdicts to another one, which keeps its own."""
    places = [_ORDER.index(code) for code in sources]
    place = _ORDER.index(target)
    if not any(parts.sizes[p] > 0 for p in places):
        return parts
    sizes = np.array(parts.sizes)
    sizes[place] += sizes[places].sum()
    sizes[places] = 0.0
    geoms: list[BaseGeometry] = [getattr(parts, name) for name in _NAMES]
    given = [geoms[p] for p in (*places, place) if not geoms[p].is_empty]
    geoms = [_nothing(given[0]) if p in places else geometry for p, geometry in enumerate(geoms)]
    geoms[place] = shapely.union_all(given)
    conflict, unknown, edge, clear = geoms
    return Parts(conflict, unknown, edge, clear, sizes, parts.on_boundary)


def _nothing(like: BaseGeometry) -> BaseGeometry:
    """An empty geometry of the same dimension."""
    kinds = ("POINT EMPTY", "LINESTRING EMPTY", "POLYGON EMPTY")
    return shapely.from_wkt(kinds[int(shapely.get_dimensions(like))])
