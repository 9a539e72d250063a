"""How tables name their columns: the words for each kind of field, and the units in headings and cells.

Shipped in ``layers/vocab/columns.toml`` and ``layers/vocab/units.toml``; a layer adds its own words with
``aliases`` in its ``layer.toml``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from fractions import Fraction
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

import pydantic
from pydantic import ValidationError, field_validator

from layers.model import DefinitionError, FieldFormat, Frozen, Role, Unfit
from layers.vocabulary import SHIPPED, as_definition_error, read_toml

__all__ = ["Headings", "Meaning", "Unit", "fold", "load_headings", "load_units", "unit_key"]


_Kind = TypeVar("_Kind", bound=Frozen)


class Meaning(Frozen):
    """What columns of one meaning are called.

    It belongs to each field that has one of the names ``fields`` or one of the ``formats``, in layers of the
    ``roles`` (all, when empty). ``names`` decide; ``hints`` only make a proposal. ``shape`` is a regular
    expression that is found in most values.
    """

    fields: tuple[str, ...] = ()
    formats: tuple[FieldFormat, ...] = ()
    roles: tuple[Role, ...] = ()
    names: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    shape: str | None = None


class Headings(Frozen):
    """The words of columns.toml.

    ``noise`` are remarks in brackets that say nothing about the meaning (必填). ``label_suffixes`` and
    ``key_suffixes`` behind the layer's title name its label and its key field (企业名称, 企业编号).
    ``system`` are names of the store's own bookkeeping and of rights, which no file may set.
    """

    noise: tuple[str, ...]
    label_suffixes: tuple[str, ...]
    key_suffixes: tuple[str, ...]
    system: tuple[str, ...]
    meanings: tuple[Meaning, ...]


class Unit(Frozen):
    """One unit: ``factor`` of it make the base unit of its ``dimension``; units of one dimension convert."""

    id: str
    dimension: str
    factor: Annotated[str, pydantic.Field(pattern=r"^\d+(\.\d+)?(/\d+)?$")]
    names: tuple[str, ...] = ()

    @field_validator("factor")
    @classmethod
    def _positive(cls, factor: str) -> str:
        if Fraction(factor) <= 0:
            raise Unfit(f"Factor {factor} is not above zero.", "Write how many base units it is.")
        return factor

    def to(self, other: Unit) -> Fraction:
        """What a number in this unit is multiplied by to be in ``other``; ValueError across dimensions."""
        if self.dimension != other.dimension:
            raise ValueError(f"{self.id} ({self.dimension}) is no {other.id} ({other.dimension})")
        return Fraction(self.factor) / Fraction(other.factor)


@lru_cache(maxsize=8192)
def fold(name: str) -> str:
    """``name`` without case, width, spaces and punctuation: the form in which names are compared.

    >>> fold(" Ent_ID "), fold("县（市、区）")
    ('entid', '县市区')
    """
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())


def unit_key(name: str) -> str:
    """``name`` of a unit in the form in which units are compared: "m³/d" and "M3 / D" are one."""
    text = unicodedata.normalize("NFKC", name).casefold().replace("μ", "u")
    return "".join(c for c in text if c.isalnum() or c in "/%()-")


@cache
def load_headings() -> Headings:
    """The words of layers/vocab/columns.toml. Raises DefinitionError."""
    return _read("columns.toml", Headings)


@cache
def load_units() -> Mapping[str, Unit]:
    """All units of layers/vocab/units.toml by each `unit_key` of theirs. Raises DefinitionError."""
    path = SHIPPED / "vocab" / "units.toml"
    units: dict[str, Unit] = {}
    for unit in _read("units.toml", _Units).units:
        for name in {unit_key(n) for n in (unit.id, *unit.names)}:
            if name in units:
                raise DefinitionError(path, f"Unit {name!r} exists already.", "Remove one of them.")
            units[name] = unit
    return MappingProxyType(units)


class _Units(Frozen):
    units: tuple[Unit, ...]


def _read(name: str, kind: type[_Kind]) -> _Kind:
    path = SHIPPED / "vocab" / name
    raw: dict[str, Any] = read_toml(path)
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise as_definition_error(path, error, raw) from error
