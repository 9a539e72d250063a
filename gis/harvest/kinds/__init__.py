"""The kinds of sources: each fetches what a source has, or what is new in it, into one file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gis.harvest.kinds import arcgis, http, oapif, postgis, wfs
from gis.harvest.model import Ask, Fetched, Kind

__all__ = ["KINDS"]

KINDS: Mapping[Kind, Callable[[Ask], Fetched]] = {
    "oapif": oapif.fetch,
    "wfs": wfs.fetch,
    "arcgis": arcgis.fetch,
    "postgis": postgis.fetch,
    "http": http.fetch,
}
