"""Which profile of GeoJSON an answer follows: plain, or JSON-FG (OGC 21-045r1, 14 and 15; 23-058r2, 13)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Query

__all__ = ["PLAIN", "PLUS", "PROFILES", "ProfilesDep", "profile_header", "profile_link", "selected"]

_REGISTER = "http://www.opengis.net/def/profile/OGC/0/"
_SAFE_CURIE = "[ogc-profile:"
PLAIN, JSONFG, PLUS = "rfc7946", "jsonfg", "jsonfg-plus"
PROFILES = {"geojson": (PLAIN, JSONFG, PLUS), "jsonfg": (JSONFG, PLUS)}
"""The profiles of each form that has any, the first without a preference."""


async def _profiles(
    profile: Annotated[
        str | None,
        Query(
            max_length=1000,
            description="Profiles wanted, with commas: " + ", ".join(PROFILES["geojson"]) + ", or addresses",
            json_schema_extra={"x-list": True},
        ),
    ] = None,
) -> tuple[str, ...]:
    """The names of the profiles that a request asks for, the most wanted first."""
    return tuple(_name(each.strip()) for each in (profile or "").split(",") if each.strip())


ProfilesDep = Annotated[tuple[str, ...], Depends(_profiles)]


def _name(text: str) -> str:
    if text.startswith(_SAFE_CURIE) and text.endswith("]"):
        return text[len(_SAFE_CURIE) : -1]
    return text.removeprefix(_REGISTER)


def selected(asked: Sequence[str], offered: Sequence[str]) -> str | None:
    """The first of ``asked`` that is ``offered``, else the first offered; None where none is.

    One that cannot be given is no error (23-058r2, rec/profile-parameter/profile-negotiation).
    """
    return next((name for name in asked if name in offered), offered[0] if offered else None)


def profile_link(name: str) -> dict[str, str]:
    """A link to a profile of the register of OGC."""
    return {"rel": "profile", "href": _REGISTER + name}


def profile_header(name: str) -> str:
    """The same for the header Link."""
    return f'<{_REGISTER}{name}>; rel="profile"'
