"""A first page of points in a box, with all that it needs of the store asked together.

To ask one after the other takes the store's time and ours once for each, and leaves others waiting for both.
"""

from __future__ import annotations

from gis.access import Scope
from gis.awaited import Line
from gis.features.blocks import chosen, ends_of
from gis.features.grid import NOWHERE, PLACELESS, box_of, in_grid_order
from gis.features.paging import Page, page_of, says_all
from gis.features.query import ItemQuery
from gis.features.ready import blocks_asked, blocks_wanted, count_asked
from gis.features.standing import Standing, standing_asked, standing_told
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["page_at_once"]

_MOST_BANDS = 1_000
_MOST_ROWS = 2_000


async def page_at_once(
    line: Line,
    scope: Scope | None,
    form: str | None,
    definition: MapDefinition,
    layer: Layer,
    query: ItemQuery,
) -> tuple[Standing, Page] | None:
    """Where ``layer`` stands now, and the page that `items` gives ``scope`` of it; None: `items` has to.

    ``form`` is what `form_seen` says of the two. None comes where anything but a first page of ready texts in
    a box is asked for, one that the event loop has put together within some milliseconds, and where what is
    kept ready is not the newest revision. Raises as `items`.
    """
    limit = query.limit
    later = query.before or query.after or query.offset
    if form is None or limit is None or limit > _MOST_ROWS or later:
        return None
    if not (in_grid_order(layer, query) and says_all(query)):
        return None
    box = box_of(query, definition.district)
    if box is None or box.last_gy - box.first_gy >= _MOST_BANDS or box.last_gy >= NOWHERE:
        return None
    # What is ready tells in which bands there are rows; that is not known yet, and the others cost little.
    bands = [*range(box.first_gy, box.last_gy + 1), PLACELESS]
    asked, most = standing_asked(layer, form), blocks_wanted(limit)
    counted = [count_asked(form, box, bands)] if query.count else []
    told = await line.ask_rows(scope, asked, blocks_asked(form, box, bands, most), *counted)
    if told is None:
        return None
    (row,), came, *counts = told
    standing, blocks = standing_told(row), list(came)
    ready = standing.ready
    if ready is None or not (ready.is_newest and ready.is_current):
        return None
    found, more = chosen(blocks, box, limit=limit, place=None, back=False)
    while len(came) == most and not more:  # of many blocks only some features lie in the box
        behind = blocks_asked(form, box, bands, most, place=ends_of(blocks[-1])[1])
        told = await line.ask_rows(scope, asked, behind)
        if told is None or standing_told(told[0][0]) != standing:
            return None
        came = told[1]
        blocks += came
        found, more = chosen(blocks, box, limit=limit, place=None, back=False)
    matched = int(counts[0][0][0]) + ready.placeless if counts else None
    return standing, page_of(standing, found, matched, before=False, after=more)
