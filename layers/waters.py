"""What a layer has to do with rivers: its lines may be their network, its rows may discharge into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import pydantic

from layers.basis import Frozen, Unfit, known

__all__ = ["FLOWS", "Discharge", "NetworkReading", "check_discharge", "check_network"]

FLOWS = ("with", "against", "unknown")
"""The codes of a field that tells the direction of flow along a line."""


class NetworkReading(Frozen):
    """How the lines of a layer make a network of rivers.

    A line flows as it is digitised, unless the enum field ``flow`` says "against" or "unknown". Line ends
    within ``join_m`` of each other or of another line join. What lies within ``snap_m`` of a line, besides
    the errors of both, lies on it: a centre line is half a river's width from its banks. A line of a larger
    error than ``max_error_m``, or of an unknown one, is for orientation and no part of the network.
    """

    flow: str | None = None
    join_m: Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)] = 1.0
    max_error_m: Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)] | None = None
    snap_m: Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)] = 100.0


class Discharge(Frozen):
    """How strongly a row speaks for itself as a source of what is found downstream of it.

    ``weight`` is that of the layer: 1 where its places are the mouths themselves. ``stated`` is a boolean
    field that says whether the row discharges pollutants, ``pollutants`` a text field that lists them. ``by``
    is an enum field whose codes have ``weights``; codes that are not listed, and rows without one, have
    ``otherwise``.
    """

    weight: Annotated[float, pydantic.Field(gt=0, le=1)] = 1.0
    stated: str | None = None
    pollutants: str | None = None
    by: str | None = None
    weights: Mapping[str, Annotated[float, pydantic.Field(gt=0, le=1)]] = pydantic.Field(default_factory=dict)
    otherwise: Annotated[float, pydantic.Field(gt=0, le=1)] = 0.5


def check_network(reading: NetworkReading, geometry: str, codes: Mapping[str, Sequence[str]]) -> None:
    """Raise Unfit unless a layer of ``geometry``, with these codes by field, can be read as a network."""
    if geometry not in ("LineString", "MultiLineString"):
        raise Unfit(f"A layer of {geometry} is no network.", "Only lines flow into each other.")
    if reading.flow is not None:
        known("network.flow is the field", reading.flow, codes)
        given = set(codes[reading.flow])
        if not given or not given <= set(FLOWS):
            raise Unfit(
                f"The codes of {reading.flow!r} are no directions of flow.", f"Known: {', '.join(FLOWS)}."
            )


def check_discharge(
    discharge: Discharge, geometry: str, types: Mapping[str, str], codes: Mapping[str, Sequence[str]]
) -> None:
    """Raise Unfit unless a layer of ``geometry`` has what ``discharge`` names."""
    if geometry == "none":
        raise Unfit("A register has no place to discharge at.", "Remove [discharge].")
    for role, wanted in (("stated", "boolean"), ("pollutants", "text"), ("by", "enum")):
        name = getattr(discharge, role)
        if name is None:
            continue
        known(f"discharge.{role} is the field", name, types)
        if types[name] != wanted:
            raise Unfit(f"discharge.{role} is {name!r}, of type {types[name]}.", f"It takes type {wanted}.")
    for code in discharge.weights:
        known("discharge.weights has the code", code, codes[discharge.by] if discharge.by else ())
