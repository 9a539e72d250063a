"""Bodies of requests."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ScreenExecution", "ScreenInputs"]


class ScreenInputs(BaseModel):
    """What the process ``screen`` is asked."""

    model_config = ConfigDict(extra="forbid")

    site: Annotated[
        dict[str, Any],
        Field(
            description="GeoJSON geometry or feature in lon/lat, or {wkt, crs}",
            examples=[{"type": "Point", "coordinates": [120.047, 28.888]}],
        ),
    ]
    kind: Annotated[str, Field(description="What the site is to be; see the process description")] = "new"
    attributes: Annotated[dict[str, Any], Field(description="What is known of it, by field name")] = {}
    accuracy_m: Annotated[
        float | None, Field(ge=0, allow_inf_nan=False, description="Bound of its position error in metres")
    ] = None
    law_date: Annotated[date | None, Field(description="The day whose law counts; today without one")] = None
    as_of: Annotated[
        int | str | None, Field(description="Revision or time of the knowledge; now without one")
    ] = None


class ScreenExecution(BaseModel):
    """An execute request of OGC API Processes; what it says besides inputs has no effect here."""

    inputs: ScreenInputs
