"""Back from a place on a river: who may have discharged what is found there, ranked by stated evidence.

Candidates are the rows of all layers that have a ``[discharge]`` in their definition. Each stands for the
nearest place of the river network, at most ``aside_m`` away, from which water may reach the point. Its score
is a product of factors between 0 and 1, each with its reason:

    distance    1 - (along + aside) / (2 (within + aside limit)): near ones first, far ones at half
    way         1 when the way down is certain, 0.5 when only possible
    discharge   1 stated, 0.5 not stated, 0.1 stated not to discharge
    pollutant   1 listed, 0.5 no list, 0.1 a list without it (only when a pollutant is asked for)
    kind        the weight of the layer times that of the row's class, as the layer's definition says

The score orders what to look at first; it is no probability and no finding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import shapely
from sqlalchemy import Connection, Engine

from gis.crs import LONLAT, transformation
from gis.db import connect
from gis.errors import ScreeningError
from gis.kernel.arrays import Floats, Geometries, Indices
from gis.kernel.downstream import Downstream, downstream, ways
from gis.kernel.network import Network
from gis.kernel.places import Places, find_places
from gis.revisions import head, resolve_as_of
from gis.screening.inputs import PreparedLayer
from gis.screening.rows import LayerRows, read_rows
from gis.screening.snapshot import take_snapshot
from gis.settings import MapDefinition
from layers.model import Text

__all__ = ["UpstreamRequest", "sources_upstream"]

Record = dict[str, Any]


@dataclass(frozen=True)
class UpstreamRequest:
    """One question.

    Attributes
    ----------
    lon, lat : float
        The place, WGS 84.
    within_m : float
        How far up the river to look.
    aside_m : float
        How far from the river a candidate may lie.
    pollutant : str or None
        What was found; ranks those higher that state to discharge it.
    accuracy_m : float or None
        Bound of the point's error; None takes the district's.
    as_of : str or None
        Revision number or time.
    limit : int
        At most so many candidates are listed.
    """

    lon: float
    lat: float
    within_m: float = 10_000.0
    aside_m: float = 1_000.0
    pollutant: str | None = None
    accuracy_m: float | None = None
    as_of: str | None = None
    limit: int = 100


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Rows of one layer from which water reaches the point; ``row`` counts the layer's rows."""

    rows: LayerRows
    row: Indices
    at: Floats
    aside_m: Floats
    along_m: Floats
    most_m: Floats


def sources_upstream(engine: Engine, definition: MapDefinition, request: UpstreamRequest) -> Record:
    """Return the candidate sources upstream of a point, the likeliest first.

    Returns
    -------
    dict
        JSON-ready: the point's place on the river, and candidates with ``along_m`` (metres along the river),
        ``aside_m`` (from the river), ``score`` with its ``factors``, and the way as GeoJSON in lon/lat.

    Raises
    ------
    ScreeningError
        When no layer is a river network, the point lies on no river, or a number is out of bounds.
    RevisionError
        For an unknown revision.
    """
    _refuse_wrong(request)
    district = definition.district
    to_plane = transformation(LONLAT, district.measuring_crs, district.extent)
    point = to_plane.geometries(np.array([shapely.Point(request.lon, request.lat)], dtype=object))
    accuracy = district.site_accuracy_m if request.accuracy_m is None else request.accuracy_m
    with connect(engine) as conn:
        newest = head(conn)
        rev = newest if request.as_of is None else resolve_as_of(conn, request.as_of)
        rivers = _rivers(conn, definition, rev)
        candidates = [
            read_rows(conn, definition, layer, rev)
            for layer in definition.layers.values()
            if layer.discharge is not None
        ]
    network = rivers.network
    assert network is not None and rivers.source.network is not None
    # A way to look for is no verdict: where the error of a line is not known, the answer says so.
    drawn = replace(network, accuracy_m=np.nan_to_num(network.accuracy_m))
    place = find_places(drawn, point, np.array([accuracy]), max(rivers.source.network.snap_m, 1.0))
    if not place.on[0]:
        raise _not_on_a_river(request, drawn, point, rivers.source.network.snap_m + accuracy)
    found = [
        each
        for rows in candidates
        if (each := _reaching(rows, drawn, point[0], place, request)) is not None and len(each.row)
    ]
    entries = [entry for each in found for entry in _entries(each, rivers, network, request)]
    entries.sort(key=lambda entry: (-entry["score"], entry["along_m"], entry["layer"], entry["uid"]))
    shown = entries[: request.limit]
    back = transformation(district.measuring_crs, LONLAT, district.extent)
    starts, ends = np.array([entry.pop("_at") for entry in shown]), np.repeat(place.at, len(shown))
    lines = ways(drawn, starts, ends)
    _draw(shown, lines, back.geometries)
    line = int(network.line_at(place.at)[0])
    river = rivers.source.names[network.reach[line]]
    return {
        "point": {
            "lon": request.lon, "lat": request.lat, "accuracy_m": accuracy, "aside_m": float(place.gap_m[0]),
            "river": river, "river_accuracy_m": _number(network.accuracy_m[line]),
        },
        "within_m": request.within_m, "aside_m": request.aside_m, "pollutant": request.pollutant,
        "as_of": {"revision": rev, "head": newest},
        "network": _network_named(definition, rivers),
        "layers": [{"id": rows.layer.id, "title": rows.layer.title.model_dump()} for rows in candidates],
        "matched": len(entries),
        "candidates": [{"rank": rank, **entry} for rank, entry in enumerate(shown, start=1)],
    }  # fmt: skip


def _refuse_wrong(request: UpstreamRequest) -> None:
    bounds = {
        "lon": (request.lon, -180, 180), "lat": (request.lat, -90, 90),
        "within_m": (request.within_m, 1, 1e6), "aside_m": (request.aside_m, 0, 2e4),
        "accuracy_m": (request.accuracy_m or 0.0, 0, 1e4), "limit": (request.limit, 1, 10_000),
    }  # fmt: skip
    for name, (value, low, high) in bounds.items():
        if not low <= value <= high:
            raise ScreeningError(
                f"{name} is {value:g}; it lies between {low:g} and {high:g}.",
                f"{name} 为 {value:g}，应在 {low:g} 与 {high:g} 之间。",
                remedy_en="Correct it.",
                remedy_zh="请更正。",
            )


def _rivers(conn: Connection, definition: MapDefinition, rev: int) -> PreparedLayer:
    """The first layer, in the order of the legend, that is a network."""
    networks = [layer for layer in definition.layers.values() if layer.network is not None]
    if not networks:
        raise ScreeningError(
            "No layer is a river network.",
            "没有河网图层。",
            remedy_en="Give a layer of lines a [network] in its layer.toml.",
            remedy_zh="请在线图层的 layer.toml 中加入 [network]。",
        )
    layer_id = min(networks, key=lambda layer: (layer.order, layer.id)).id
    today = datetime.now(UTC).date()
    return take_snapshot(conn, definition, rev, today, [layer_id]).prepared[layer_id]


def _network_named(definition: MapDefinition, rivers: PreparedLayer) -> Record:
    layer = definition.layers[rivers.source.layer_id]
    return {"layer": layer.id, "title": layer.title.model_dump()}


def _not_on_a_river(
    request: UpstreamRequest, network: Network, point: Geometries, reach_m: float
) -> ScreeningError:
    far = shapely.distance(network.lines, point[0]).min(initial=np.inf)
    nearest_en = f"; the nearest is {far:,.0f} m away" if np.isfinite(far) else ""
    nearest_zh = f"，最近的距 {far:,.0f} 米" if np.isfinite(far) else ""
    return ScreeningError(
        f"No river lies within {reach_m:,.0f} m of {request.lon:g}, {request.lat:g}{nearest_en}.",
        f"({request.lon:g}, {request.lat:g}) 周围 {reach_m:,.0f} 米内没有河流{nearest_zh}。",
        remedy_en="Give a point on a river, or a larger accuracy.",
        remedy_zh="请给出河流上的点，或放宽点位精度。",
    )


def _reaching(
    rows: LayerRows, network: Network, point: shapely.Geometry, place: Places, request: UpstreamRequest
) -> _Candidates | None:
    """The rows from which water reaches the point within the distance."""
    in_force = np.flatnonzero(rows.in_force(datetime.now(UTC).date()))
    spots = _spots(rows.geoms[in_force])
    # Along a river nothing is nearer than straight.
    straight = request.within_m + request.aside_m + float(np.nan_to_num(place.gap_m[0]))
    accuracy = np.nan_to_num(rows.accuracy_m[in_force])
    near = np.flatnonzero(shapely.distance(spots, point) <= straight + accuracy)
    if not len(near):
        return None
    places = find_places(network, spots[near], accuracy[near], request.aside_m)
    on = np.flatnonzero(places.on & (places.gap_m <= request.aside_m + accuracy[near]))
    if not len(on):
        return None
    to_point = on, np.zeros(len(on), dtype=np.int64)
    way = downstream(network, places, place, to_point, request.within_m, outlets=False)
    along = _along(way)
    met = np.flatnonzero(along <= request.within_m)
    chosen = on[met]
    return _Candidates(
        rows, in_force[near[chosen]], places.at[chosen], places.gap_m[chosen], along[met], way.most[met]
    )


def _spots(geoms: Geometries) -> Geometries:
    """A point for each row: itself, or one on it."""
    spots = geoms.copy()
    spread = shapely.get_type_id(geoms) != 0
    spots[spread] = shapely.point_on_surface(geoms[spread])
    return spots


def _along(way: Downstream) -> Floats:
    return np.where(np.isfinite(way.nearest), way.nearest, way.least)


def _entries(
    found: _Candidates, rivers: PreparedLayer, network: Network, request: UpstreamRequest
) -> list[Record]:
    rows, layer = found.rows, found.rows.layer
    reach = network.reach[network.line_at(found.at)]
    line_accuracy = network.accuracy_m[network.line_at(found.at)]
    entries = []
    for i, row in enumerate(found.row):
        factors = [
            _distance(float(found.along_m[i]), float(found.aside_m[i]), request),
            _way_factor(bool(np.isfinite(found.most_m[i]))),
            *_evidence(rows, int(row), request.pollutant),
        ]
        entries.append(
            {
                "layer": layer.id, "layer_title": layer.title.model_dump(), "uid": str(rows.uids[row]),
                "name": rows.labels[row] or str(rows.uids[row]), "along_m": float(found.along_m[i]),
                "aside_m": float(found.aside_m[i]), "certain": bool(np.isfinite(found.most_m[i])),
                "river": rivers.source.names[reach[i]], "river_accuracy_m": _number(line_accuracy[i]),
                "is_demonstration": bool(rows.is_demonstration[row]), "source": str(rows.sources[row]),
                "score": float(np.prod([factor["value"] for factor in factors])), "factors": factors,
                "geometry": rows.geoms[row], "_at": float(found.at[i]),
            }
        )  # fmt: skip
    return entries


def _factor(name: str, value: float, zh: str, en: str) -> Record:
    return {"name": name, "value": round(value, 6), "why": Text(zh=zh, en=en).model_dump()}


def _distance(along: float, aside: float, request: UpstreamRequest) -> Record:
    share = (along + aside) / (2 * (request.within_m + request.aside_m))
    return _factor(
        "distance", 1 - min(share, 0.5), f"沿河 {along:,.0f} 米，距河 {aside:,.0f} 米",
        f"{along:,.0f} m along the river, {aside:,.0f} m beside it",
    )  # fmt: skip


def _way_factor(certain: bool) -> Record:
    if certain:
        return _factor("way", 1.0, "必经该点", "its water passes the point")
    return _factor(
        "way", 0.5, "误差或流向不明，可能流经该点", "its water may pass the point (error, or flow not known)"
    )


def _evidence(rows: LayerRows, row: int, pollutant: str | None) -> list[Record]:
    discharge = rows.layer.discharge
    assert discharge is not None

    def value(name: str | None) -> Any:
        return None if name is None else rows.attributes[name][row]

    factors = []
    stated = value(discharge.stated)
    if stated is None:
        factors.append(_factor("discharge", 0.5, "未注明是否排放污染物", "not stated whether it discharges"))
    elif stated:
        factors.append(_factor("discharge", 1.0, "注明排放污染物", "stated to discharge pollutants"))
    else:
        factors.append(_factor("discharge", 0.1, "注明不排放污染物", "stated not to discharge pollutants"))
    if pollutant is not None:
        factors.append(_pollutant(value(discharge.pollutants), pollutant))
    code = value(discharge.by)
    weight = discharge.weight * discharge.weights.get(str(code), discharge.otherwise)
    if discharge.by is None:
        weight = discharge.weight
    titles = (
        {} if discharge.by is None else {c.code: c.title for c in rows.layer.field(discharge.by).code_list}
    )
    kind = titles.get(str(code), Text(zh="类别未注明", en="class not stated"))
    layer = rows.layer.title
    factors.append(_factor("kind", weight, f"{layer.zh}：{kind.zh}", f"{layer.en}: {kind.en}"))
    return factors


def _pollutant(listed: str | None, pollutant: str) -> Record:
    if not listed:
        return _factor("pollutant", 0.5, "未列出污染物", "no pollutants listed")
    names = {name.strip().casefold() for name in re.split(r"[、，,；;/|\n]", listed)}
    if pollutant.strip().casefold() in names:
        return _factor("pollutant", 1.0, f"列有“{pollutant}”", f"lists “{pollutant}”")
    return _factor("pollutant", 0.1, f"所列污染物无“{pollutant}”", f"lists others, not “{pollutant}”")


def _draw(entries: list[Record], lines: Geometries, to_lonlat: Any) -> None:
    """Put geometry and way into the entries as GeoJSON in lon/lat."""
    if not entries:
        return
    places = to_lonlat(np.array([entry["geometry"] for entry in entries], dtype=object))
    drawn = lines.copy()
    drawn[[line is None for line in lines]] = shapely.LineString()
    for entry, place, line in zip(entries, places, to_lonlat(drawn), strict=True):
        entry["geometry"] = orjson.loads(shapely.to_geojson(place))
        entry["way"] = None if shapely.is_empty(line) else orjson.loads(shapely.to_geojson(line))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
