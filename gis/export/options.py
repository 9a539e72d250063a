"""What a user may choose about a file beyond its format."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ALL_DECIMALS", "WriteOptions"]

ALL_DECIMALS = 15  # from here on coordinates are written with every bit


@dataclass(frozen=True)
class WriteOptions:
    """``decimals`` of coordinates in text (None: as the format has them); ``encoding`` of a Shapefile.

    ``turn_rings`` turns the rings of GeoJSON and KML to the right; without it they stay as they are.
    """

    decimals: int | None = None
    encoding: str = "UTF-8"
    turn_rings: bool = True
