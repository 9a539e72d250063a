"""A layer sent as a file, written whole on disk first: memory does not grow with its rows."""

from __future__ import annotations

import tempfile
from pathlib import Path

from fastapi.responses import FileResponse
from sqlalchemy import Connection
from starlette.background import BackgroundTask

from api.deps import MapState
from api.representation import Form
from gis.export import write_items
from gis.features import ItemQuery
from layers.model import Layer

__all__ = ["layer_file"]


def layer_file(conn: Connection, state: MapState, layer: Layer, query: ItemQuery, form: Form) -> FileResponse:
    """The items that ``query`` chooses as a file of ``form``, which is removed when it has been sent.

    Closes ``conn`` when the file is written.
    """
    folder = tempfile.TemporaryDirectory(prefix="onemap-send-")
    try:
        path = Path(folder.name) / f"{layer.id}{form.ending}"
        written = write_items(conn, state.definition, layer, query, path)
    except BaseException:
        folder.cleanup()
        raise
    conn.close()  # not held while a slow client reads
    return FileResponse(
        written,
        media_type=form.media_type if written == path else "application/zip",
        filename=written.name,
        headers={"Content-Crs": f"<{query.crs.uri}>"},
        background=BackgroundTask(folder.cleanup),
    )
