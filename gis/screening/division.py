"""Dividing a line or polygon by verdict: operations on the four parts of a site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.kernel import CLEAR, CONFLICT, EDGE, UNKNOWN, Parts, combine

__all__ = ["demoted", "met_as_unknown", "settled_only", "turned", "worst"]

_ORDER = (CONFLICT, UNKNOWN, EDGE, CLEAR)
"""The verdict codes in the order of `Parts.sizes`."""


def worst(site: BaseGeometry, *parts: Parts) -> Parts:
    """Return the worst verdict of any of ``parts`` at each place of the site; see `gis.kernel.combine`."""
    return combine(site, parts)


def demoted(site: BaseGeometry, parts: Parts, code: int) -> Parts:
    """Return the parts with nothing worse than ``code``: what was worse has that verdict instead."""
    return _moved(site, parts, _ORDER[: _ORDER.index(code)], code)


def met_as_unknown(site: BaseGeometry, parts: Parts) -> Parts:
    """Return the parts with conflict and edge turned into unknown: met, but perhaps it does not count."""
    return _moved(site, parts, (CONFLICT, EDGE), UNKNOWN)


def settled_only(site: BaseGeometry, parts: Parts) -> Parts:
    """Return the parts with only the conflict left, the rest clear."""
    return _moved(site, parts, (UNKNOWN, EDGE), CLEAR)


def turned(_site: BaseGeometry, parts: Parts) -> Parts:
    """Return the parts for the opposite question: conflict and clear change places."""
    return replace(parts, conflict=parts.clear, clear=parts.conflict, sizes=parts.sizes[[3, 1, 2, 0]])


def _moved(site: BaseGeometry, parts: Parts, sources: Sequence[int], target: int) -> Parts:
    """Give the parts of some verdicts to another one, which keeps its own."""
    held = [code for code in sources if code != target and parts.amounts[_ORDER.index(code)] > 0]
    if not held:
        return parts
    if len(held) == 1 and not parts.amounts[_ORDER.index(target)] > 0:
        return _exchanged(parts, held[0], target)
    if shapely.get_dimensions(site) < 2:
        return _collected(parts, held, target)
    # Areas are joined by the kernel: a plain union of neighbours may lose one of them to rounding.
    alone = [_exchanged(_only(parts, code), code, target) for code in held]
    rest = _only(parts, *(code for code in _ORDER if code not in held))
    return combine(site, [*alone, rest])


def _collected(parts: Parts, held: Sequence[int], target: int) -> Parts:
    """The same for points and lines, which need no overlay to lie side by side."""
    geoms = list(parts.geoms)
    places, place = [_ORDER.index(code) for code in held], _ORDER.index(target)
    pieces = shapely.get_parts([geoms[p] for p in (*places, place)])
    pieces = pieces[~shapely.is_empty(pieces)]
    point = bool(shapely.get_dimensions(pieces[0]) == 0)
    geoms = [_nothing(pieces[0]) if p in places else geometry for p, geometry in enumerate(geoms)]
    joined: Any = shapely.multipoints(pieces) if point else shapely.multilinestrings(pieces)
    geoms[place] = joined
    sizes = np.array(parts.sizes)
    sizes[place] += sizes[places].sum()
    sizes[places] = 0.0
    conflict, unknown, edge, clear = geoms
    return Parts(conflict, unknown, edge, clear, sizes, parts.on_boundary)


def _exchanged(parts: Parts, one: int, other: int) -> Parts:
    """The parts with two verdicts in each other's place."""
    order = list(range(len(_ORDER)))
    i, j = _ORDER.index(one), _ORDER.index(other)
    order[i], order[j] = j, i
    geoms = parts.geoms
    conflict, unknown, edge, clear = [geoms[k] for k in order]
    return Parts(conflict, unknown, edge, clear, parts.sizes[order], parts.on_boundary)


def _only(parts: Parts, *codes: int) -> Parts:
    """The areas of some verdicts and the others empty; `combine` takes what is left out as clear."""
    kept = np.array([code in codes for code in _ORDER])
    geoms = parts.geoms
    full = next(geom for geom in geoms if not geom.is_empty)
    conflict, unknown, edge, clear = (g if k else _nothing(full) for g, k in zip(geoms, kept, strict=True))
    return Parts(conflict, unknown, edge, clear, np.where(kept, parts.sizes, 0.0), parts.on_boundary)


def _nothing(like: BaseGeometry) -> BaseGeometry:
    """An empty geometry of the same dimension."""
    kinds = ("POINT EMPTY", "LINESTRING EMPTY", "POLYGON EMPTY")
    return shapely.from_wkt(kinds[int(shapely.get_dimensions(like))])
