"""The processes that a client may run: the same work whether somebody waits for it or a job does it.

    PROCESSES     name -> what runs it
    Place         where it runs: database, definitions, settings, and whom it tells how far it is
    run           run one by its name                                         -> JSON

Inputs are as `api.models` checked them against the process's description.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gis.processing.buffer import buffer
from gis.processing.nearest import nearest
from gis.processing.overlay import overlay
from gis.processing.place import Place
from gis.processing.screening import screen_site, upstream

__all__ = ["PROCESSES", "Place", "run"]

PROCESSES: dict[str, Callable[[Place, Mapping[str, Any]], dict[str, Any]]] = {
    "buffer": buffer,
    "nearest": nearest,
    "overlay": overlay,
    "screen": screen_site,
    "upstream": upstream,
}


def run(place: Place, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What the process ``name`` answers; raises what it raises."""
    return PROCESSES[name](place, inputs)
