"""What of a site, or of the rows of a layer, lies in the rows of other layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import shapely

from gis.db import connect
from gis.errors import QueryError
from gis.kernel import ZoneSet, intersecting, overlap, size
from gis.processing.place import Place, Rows, read_rows, site_in_plane
from gis.revisions import resolve_as_of

__all__ = ["overlay"]

_CHUNK = 2000
SITE = "site"


def overlay(place: Place, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Every pair of a subject and a row of ``layers`` that share a point, with how much they share.

    Subjects are ``site``, or the rows of ``layer``. Of a polygon m2 and its share, of a line m and its share,
    of a point only the pair. Measured in the plane by the kernel; at most ``limit`` pairs are listed, in the
    order of layers, subjects and rows; the sums are over all.
    """
    if ("site" in inputs) == ("layer" in inputs):
        raise QueryError(
            "Give either a site or a layer.",
            "site 与 layer 二选一。",
            remedy_en="site: one geometry; layer: all rows of a layer.",
            remedy_zh="site：一个几何；layer：一个图层的全部行。",
        )
    with connect(place.engine) as conn:
        rev = resolve_as_of(conn, inputs.get("as_of"))
        if "site" in inputs:
            site = np.array([site_in_plane(place, inputs["site"])], dtype=object)
            subjects = Rows(SITE, np.array([SITE], dtype=object), site, ())
        else:
            subjects = read_rows(conn, place, inputs["layer"], rev)
        near = shapely.box(*shapely.total_bounds(subjects.geoms)) if len(subjects.geoms) else None
        others = [
            read_rows(conn, place, name, rev, near=near) if near is not None else None
            for name in dict.fromkeys(inputs["layers"])
        ]
    limit = int(inputs["limit"])
    pairs: list[dict[str, Any]] = []
    sums: list[dict[str, Any]] = []
    for number, rows in enumerate(others):
        if rows is None:
            continue
        count, amount = 0, 0.0
        for pair in _pairs(place, subjects, rows, number, len(others)):
            count += 1
            amount += pair.get("area_m2", 0.0) + pair.get("length_m", 0.0)
            if len(pairs) < limit:
                pairs.append(pair)
        sums.append({"layer": rows.layer, "pairs": count, "shared": amount, "skipped": list(rows.skipped)})
    listed = sum(int(each["pairs"]) for each in sums)
    return {
        "revision": rev,
        "measured_in": f"EPSG:{place.definition.district.measuring_crs}",
        "subjects": len(subjects.uids),
        "skipped": list(subjects.skipped),
        "layers": sums,
        "pairs": pairs,
        "complete": len(pairs) == listed,
    }


def _pairs(place: Place, subjects: Rows, rows: Rows, number: int, of: int) -> Iterator[dict[str, Any]]:
    zones, total = rows.zones(), len(subjects.uids)
    for begin in range(0, total, _CHUNK):
        place.progress("measuring", number * total + begin, of * total)
        geoms = subjects.geoms[begin : begin + _CHUNK]
        yield from _measured(place, geoms, subjects.uids[begin : begin + _CHUNK], rows, zones)


def _measured(
    place: Place, geoms: np.ndarray[Any, Any], uids: np.ndarray[Any, Any], rows: Rows, zones: ZoneSet
) -> Iterator[dict[str, Any]]:
    s, z = intersecting(geoms, zones, threads=place.settings.threads, check=False)
    shared = overlap(geoms, zones, s, z, threads=place.settings.threads, check=False)
    whole, kinds = size(geoms), shapely.get_dimensions(geoms)
    for subject, zone, amount in zip(s, z, shared, strict=True):
        pair: dict[str, Any] = {"subject": uids[subject], "layer": rows.layer, "uid": rows.uids[zone]}
        if kinds[subject] > 0:
            pair["area_m2" if kinds[subject] == 2 else "length_m"] = float(amount)
            pair["share"] = min(1.0, float(amount / whole[subject])) if whole[subject] else 0.0
        yield pair
