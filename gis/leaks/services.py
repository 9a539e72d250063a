"""What the services beside items and maps give to a scope: the feed of changes, the catalogue, processes."""

from __future__ import annotations

from collections.abc import Callable

from gis.catalogue import CatalogueQuery, entries
from gis.changes import Position, changes
from gis.db import scoped
from gis.leaks.channels import Looking
from gis.leaks.expected import Expected
from gis.processing import Place, run
from gis.settings import Settings

__all__ = ["SERVICES"]

_MOST = 10_000


def _by_feed(of: Looking, want: Expected) -> set[str]:
    """Uids that the feed names; of a row that was to be seen once it tells what became of it then."""
    layer = of.seen.layers.get(want.id)
    if layer is None:
        return set()
    named = set[str]()
    position = Position(0)
    with of.connect() as conn:
        while True:
            page = changes(conn, of.seen, position, layers=[want.id])
            named |= {change.uid for change in page.changes}
            position = page.position
            if not page.more:
                return (named & want.seen) | (named - want.ever)


def _by_catalogue(of: Looking, want: Expected) -> set[str]:
    with of.connect() as conn:
        found = entries(conn, of.seen, CatalogueQuery(ids=[want.id], reports=False))
    shown = {f"record of {record.facts['itemCount']}" for record in found}
    right = set() if want.layer is None else {f"record of {len(want.seen)}"}
    return set(want.seen) | (shown - right)


def _by_processes(of: Looking, want: Expected) -> set[str]:
    """Uids that `nearest` finds from the middle of the map; rows without a place it never finds."""
    layer = of.seen.layers.get(want.id)
    if layer is None or not layer.has_geometry:
        return set(want.seen)
    west, south, east, north = of.definition.district.extent
    site = {"type": "Point", "coordinates": [(west + east) / 2, (south + north) / 2]}
    place = Place(scoped(of.engine, of.scope), of.seen, Settings(), waited_for=False)
    told = run(place, "nearest", {"site": site, "layers": [want.id], "k": _MOST, "within_m": 1e7})
    return set(want.seen) | {str(each["uid"]) for each in told["nearest"]}


SERVICES: dict[str, Callable[[Looking, Expected], set[str]]] = {
    "feed": _by_feed,
    "catalogue": _by_catalogue,
    "processes": _by_processes,
}
