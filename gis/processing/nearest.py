"""The rows of layers that lie nearest to a site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from sqlalchemy import Connection

from gis.db import connect
from gis.kernel import bearing, distance
from gis.processing.place import Place, Rows, read_rows, site_in_plane
from gis.revisions import resolve_as_of

__all__ = ["nearest"]


def nearest(place: Place, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The ``k`` rows nearest to ``site`` over all of ``layers``, at most ``within_m`` metres away.

    Distances are plane metres by the kernel, 0 where they meet; bearings degrees clockwise from grid north,
    from the site to the nearest point of the row, null where they meet. Ties by layer and uid.
    """
    site, k = site_in_plane(place, inputs["site"]), int(inputs["k"])
    most = float(inputs["within_m"])
    found: list[dict[str, Any]] = []
    with connect(place.engine) as conn:
        rev = resolve_as_of(conn, inputs.get("as_of"))
        layers = list(dict.fromkeys(inputs["layers"]))
        for number, layer in enumerate(layers):
            place.progress("measuring", number, len(layers))
            found += _of_layer(conn, place, layer, rev, site, k, most)
    found.sort(key=lambda each: (each["distance_m"], each["layer"], each["uid"]))
    return {
        "revision": rev,
        "measured_in": f"EPSG:{place.definition.district.measuring_crs}",
        "nearest": found[:k],
    }


def _of_layer(
    conn: Connection, place: Place, layer: str, rev: int, site: shapely.Geometry, k: int, most: float
) -> list[dict[str, Any]]:
    """The index of the store knows degrees: what it calls nearest bounds how far to look in metres."""
    about = read_rows(conn, place, layer, rev, nearest_to=site, limit=k)
    metres = _metres(about, site)
    reach = most if len(about.uids) < k else min(most, float(metres.max()))
    rows = about if len(about.uids) + len(about.skipped) < k else read_rows(
        conn, place, layer, rev, near=site, within_m=reach
    )  # fmt: skip
    metres = metres if rows is about else _metres(rows, site)
    order = np.lexsort((rows.uids.astype(str), metres))
    order = order[metres[order] <= most][:k]
    if not len(order):
        return []
    zones, subject = rows.zones(), np.zeros(len(order), np.int64)
    towards = bearing(np.array([site], dtype=object), zones, subject, order, check=False)
    return [
        {
            "layer": layer,
            "uid": rows.uids[row],
            "distance_m": float(metres[row]),
            "bearing_deg": None if np.isnan(angle) else float(angle),
        }
        for row, angle in zip(order, towards, strict=True)
    ]


def _metres(rows: Rows, site: shapely.Geometry) -> np.ndarray[Any, Any]:
    if not len(rows.uids):
        return np.empty(0)
    pairs = np.arange(len(rows.uids))
    subject = np.array([site], dtype=object)
    return distance(subject, rows.zones(), np.zeros(len(pairs), np.int64), pairs, check=False)
