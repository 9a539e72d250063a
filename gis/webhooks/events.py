"""What one revision did to one layer as an event (CloudEvents 1.0, JSON, structured mode)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from gis.changes import Position, Touch, changes
from gis.settings import MapDefinition

__all__ = ["EVENT_TYPE", "MEDIA_TYPE", "event_of"]

EVENT_TYPE = "onemap.layer.changed.v1"
MEDIA_TYPE = "application/cloudevents+json"
MOST_ROWS = 100


def event_of(
    conn: Connection, definition: MapDefinition, touch: Touch, public_url: str | None
) -> dict[str, Any]:
    """The event for ``touch``: its numbers, the first rows, and where the others are told.

    Its id is the same whenever it is made, so that a receiver knows what it was told before.
    """
    base = public_url or ""
    page = changes(conn, definition, Position(touch.rev, touch.layer), layers=[touch.layer], limit=MOST_ROWS)
    rows = [row for row in page.changes if row.rev == touch.rev]
    return {
        "specversion": "1.0",
        "id": f"{touch.rev}.{touch.layer}.{int(touch.at.timestamp() * 1_000_000)}",
        "source": public_url or f"urn:onemap:{definition.district.id}",
        "type": EVENT_TYPE,
        "subject": touch.layer,
        "time": touch.at.isoformat(),
        "datacontenttype": "application/json",
        "sequence": f"{touch.rev:019d}",
        "data": {
            "layer": touch.layer,
            "revision": touch.rev,
            "kind": touch.kind,
            "added": touch.added,
            "changed": touch.changed,
            "closed": touch.closed,
            "rows": [{"uid": row.uid, "change": row.change} for row in rows],
            "complete": len(rows) == touch.added + touch.changed + touch.closed,
            "changes": f"{base}/changes?since={touch.rev - 1}&layer={touch.layer}",
        },
    }
