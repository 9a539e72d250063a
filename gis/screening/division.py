"""Dividing a line or polygon by verdict: operations on the four parts of a site."""

from __future__ import annotations

from dataclasses import replace

from shapely.geometry.base import BaseGeometry

from gis.kernel import CLEAR, CONFLICT, EDGE, UNKNOWN, Parts, combine, reassigned

__all__ = ["demoted", "met_as_unknown", "settled_only", "turned", "worst"]

_ORDER = (CONFLICT, UNKNOWN, EDGE, CLEAR)
"""The verdict codes in the order of `Parts.sizes`."""


def worst(site: BaseGeometry, *parts: Parts) -> Parts:
    """Return the worst verdict of any of ``parts`` at each place of the site; see `gis.kernel.combine`."""
    return combine(site, parts)


def demoted(site: BaseGeometry, parts: Parts, code: int) -> Parts:
    """Return the parts with nothing worse than ``code``: what was worse has that verdict instead."""
    return reassigned(site, parts, _ORDER[: _ORDER.index(code)], code)


def met_as_unknown(site: BaseGeometry, parts: Parts) -> Parts:
    """Return the parts with conflict and edge turned into unknown: met, but perhaps it does not count."""
    return reassigned(site, parts, (CONFLICT, EDGE), UNKNOWN)


def settled_only(site: BaseGeometry, parts: Parts) -> Parts:
    """Return the parts with only the conflict left, the rest clear."""
    return reassigned(site, parts, (UNKNOWN, EDGE), CLEAR)


def turned(_site: BaseGeometry, parts: Parts) -> Parts:
    """Return the parts for the opposite question: conflict and clear change places."""
    return replace(parts, conflict=parts.clear, clear=parts.conflict, sizes=parts.sizes[[3, 1, 2, 0]])
