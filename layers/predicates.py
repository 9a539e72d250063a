"""What rules compare: conditions on attributes, and predicates on the ground."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from layers.model import Frozen, Unfit

__all__ = [
    "LAW_DATE",
    "NONE",
    "AreaShare",
    "AreaShareOutside",
    "Attribute",
    "Bounds",
    "Condition",
    "CountGt",
    "DWithin",
    "DWithinBy",
    "DWithinStated",
    "Disjoint",
    "InTable",
    "Intersects",
    "Metres",
    "NotDWithin",
    "Predicate",
    "Prefix",
    "Scalar",
    "StatedNone",
    "UpstreamWithin",
    "Where",
    "both_of",
]

NONE = "none"
"""The code that states that there is none."""
LAW_DATE = "law_date"
"""Stands for the law date in a comparison."""

Scalar = bool | int | float | date | str
Metres = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class Bounds(Frozen):
    """A value within bounds; ``law_date`` stands for the law date."""

    at_least: Scalar | None = Field(default=None, alias=">=")
    above: Scalar | None = Field(default=None, alias=">")
    at_most: Scalar | None = Field(default=None, alias="<=")
    below: Scalar | None = Field(default=None, alias="<")

    @property
    def values(self) -> tuple[Scalar, ...]:
        """The bounds that are given."""
        given = (self.at_least, self.above, self.at_most, self.below)
        return tuple(value for value in given if value is not None)

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if not self.values:
            raise Unfit("A comparison has no bound.", 'Give ">=", ">", "<=" or "<".')
        return self


class StatedNone(Frozen):
    """It is stated that there is none: the code "none", a text that says so, the number 0.

    A value that is missing states nothing, so it leaves the filter undecided.
    """

    none: Literal[True]


class Prefix(Frozen):
    """A text that begins with one of these."""

    prefix: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


class InTable(Frozen):
    """One of the codes of a table; the loader puts the codes in its place."""

    table: str


Condition = (
    Bounds | Prefix | StatedNone | InTable | Annotated[tuple[Scalar, ...], Field(min_length=1)] | Scalar
)
Where = dict[str, Condition]


def both_of(one: Condition, other: Condition) -> tuple[Scalar, ...]:
    """The values that meet both of two conditions which list values; Unfit for others."""
    allowed = _listed(other)
    return tuple(value for value in _listed(one) if value in allowed)


def _listed(condition: Condition) -> tuple[Scalar, ...]:
    if isinstance(condition, Frozen):
        raise Unfit("Only lists of values can be combined.", "List the values in both filters.")
    return condition if isinstance(condition, tuple) else (condition,)


class _Predicate(Frozen):
    """What all predicates answer: the distance that counts as met, and whether the law states it."""

    @property
    def reach_m(self) -> float:
        """A zone this near, in metres of the measuring plane, counts as met."""
        return 0.0

    @property
    def is_statutory(self) -> bool | None:
        """Whether the law states the distance; None for a predicate without one."""
        return None


class Intersects(_Predicate):
    """The subject meets a zone."""

    op: Literal["intersects"]


class _ByDistance(_Predicate):
    """What predicates with a distance say of it; ``statutory`` false: an operational parameter."""

    statutory: bool

    @property
    def is_statutory(self) -> bool | None:
        """Whether the law states the distance, or makes a stated one binding."""
        return self.statutory


class _ByFixedDistance(_ByDistance):
    """The distance stands in the rule."""

    distance_m: Metres

    @property
    def reach_m(self) -> float:
        """The distance of the rule."""
        return self.distance_m


class DWithin(_ByFixedDistance):
    """The subject is nearer than ``distance_m`` to a zone."""

    op: Literal["dwithin"]


class UpstreamWithin(DWithin):
    """The subject is within ``distance_m`` upstream of a zone, along the rivers of the layer ``network``.

    Without a network, and where a place is not on it, the distance is straight and the direction open.
    """

    op: Literal["upstream_within"]  # type: ignore[assignment]  # narrows the tag of the union
    network: str | None = None


class DWithinStated(_ByDistance):
    """The subject is nearer to a zone than its own ``attribute`` says, in metres.

    Where the subject does not state it, everything within ``at_most_m`` may matter. The loader sees to it
    that no stated distance can be larger, so what lies farther is clear whatever the attribute.
    """

    op: Literal["dwithin_stated"]
    attribute: str
    at_most_m: Metres

    @property
    def reach_m(self) -> float:
        """The largest distance that a subject may state."""
        return self.at_most_m


class DWithinBy(_ByDistance):
    """The subject is nearer to a zone than the distance for the zone's value of ``attribute``.

    A zone with a value that is not listed does not count; one without a value may have the largest distance.
    """

    op: Literal["dwithin_by"]
    attribute: str
    distances_m: Annotated[dict[str, Metres], Field(min_length=1)]

    @property
    def reach_m(self) -> float:
        """The largest of the distances."""
        return max(self.distances_m.values())


class AreaShare(_Predicate):
    """More than ``min_share`` of the subject, and more than ``min_area_m2``, lies in zones."""

    op: Literal["area_share"]
    min_share: Share = 0.0
    min_area_m2: Metres = 0.0


class AreaShareOutside(_Predicate):
    """More than ``min_share`` of the subject lies outside all zones."""

    op: Literal["area_share_outside"]
    min_share: Share = 0.0


class CountGt(_Predicate):
    """The subject meets more than ``n`` zones."""

    op: Literal["count_gt"]
    n: Annotated[int, Field(ge=0)]


class Disjoint(_Predicate):
    """The subject meets no zone."""

    op: Literal["disjoint"]


class NotDWithin(_ByFixedDistance, Disjoint):
    """The subject is as a whole farther than ``distance_m`` from any zone."""

    op: Literal["not_dwithin"]  # type: ignore[assignment]  # narrows the tag of the union


class Attribute(_Predicate):
    """The subject's attributes alone decide; where it lies does not matter."""

    op: Literal["attribute"]


Predicate = Annotated[
    Intersects
    | DWithin
    | UpstreamWithin
    | DWithinStated
    | DWithinBy
    | AreaShare
    | AreaShareOutside
    | CountGt
    | Disjoint
    | NotDWithin
    | Attribute,
    Field(discriminator="op"),
]
