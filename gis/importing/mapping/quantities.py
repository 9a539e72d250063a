"""Numbers with a unit, in a heading or in a cell, and their conversion."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.importing.mapping.codes import half_width
from layers.headings import Unit, load_units, unit_key

__all__ = ["NUMBER", "Conversion", "Quantity", "number_of"]

# A number in plain form, for RE2 and for Python.
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_QUANTITY = re.compile(
    r"([+-]?(?:[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(.*)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Conversion:
    """From the unit that a heading states (``source``) into the field's (``target``)."""

    source: str
    target: str
    numerator: int
    denominator: int

    @classmethod
    def between(cls, source: Unit, target: str) -> Conversion:
        """From ``source`` to the unit called ``target``. Raises ValueError when they do not convert."""
        factor = source.to(load_units()[unit_key(target)])
        return cls(source.id, target, factor.numerator, factor.denominator)

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values in the target unit: multiplied and divided by whole numbers, so that 1/3 is exact."""
        return values * float(self.numerator) / float(self.denominator)

    def told(self, value: float) -> str:
        """A converted value with both units, for a person."""
        return f"{value:.15g} {self.target}（{self.source} → {self.target}）"


@dataclass(frozen=True)
class Quantity:
    """A number in plain form, the unit that its cell states, and the code of the remark to make."""

    text: str
    unit: str | None
    remark: str


def number_of(text: str, target: str | None) -> Quantity | None:
    """The number in ``text``: full width, with thousands separators, or with a unit that converts.

    ``target`` is the field's unit. None when it is no number, or its unit is unknown or of another dimension;
    ranges, "<0.5", "约3" and decimal commas are no numbers.
    """
    plain = half_width(text).strip().replace("−", "-")
    found = _QUANTITY.fullmatch(plain)
    if found is None:
        return None
    digits, rest = found[1].replace(",", ""), found[2].strip()
    if not np.isfinite(float(digits)):
        return None
    if not rest:
        return Quantity(digits, None, "value_normalised")
    units = load_units()
    stated = units.get(unit_key(rest))
    wanted = units.get(unit_key(target)) if target else None
    if stated is None or wanted is None or stated.dimension != wanted.dimension:
        return None
    factor = stated.to(wanted)
    if factor == 1:
        return Quantity(digits, stated.id, "value_normalised")
    number = float(digits) * factor.numerator / factor.denominator
    return Quantity(repr(number), stated.id, "unit_converted")
