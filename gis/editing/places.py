"""The place of an item that somebody sends: into the storage CRS, checked and mended as an import does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from sqlalchemy import Engine

from gis.axes import NamedCrs
from gis.crs import transformation
from gis.db import scoped
from gis.editing.documents import Document
from gis.editing.findings import Finding, finding
from gis.editing.held import Held
from gis.features import rounded
from gis.importing.detective import frame_of
from gis.importing.issues import Issue
from gis.importing.landing import Part, Placing
from gis.importing.placing import storage_extent
from gis.importing.repair import Mender
from gis.importing.shapes import promoted, sort_out, turned
from gis.importing.unlocated import locator
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["Geometries", "place", "written"]

Geometries = NDArray[np.object_]
Values = dict[str, pa.Array]
_ONE = np.zeros(1, dtype=np.int64)
# What an import says of a file's CRS, and what is said of a request's.
_HERE = {
    "axes_swapped": "axes_of_crs",
    "other_crs": "crs_of_body",
    "coordinate_out_of_range": "crs_of_body",
}


def written(definition: MapDefinition, geometry: shapely.Geometry | None, crs: NamedCrs) -> Any:
    """A stored geometry as items show it in ``crs``: rounded, with the axes of the authority."""
    if geometry is None:
        return None
    district = definition.district
    moved = transformation(district.storage_crs, crs.epsg, district.extent).geometries(_array(geometry))
    shown = rounded(moved, crs.epsg)
    return shapely.transform(shown, lambda xy: xy[:, ::-1])[0] if crs.swapped else shown[0]


def place(
    engine: Engine,
    definition: MapDefinition,
    layer: Layer,
    document: Document,
    values: Values,
    held: Held | None,
    *,
    most_vertices: int,
    doubted: bool,
) -> tuple[Geometries, Values, list[Finding]]:
    """Geometry in the storage CRS, the values with the position error, and what was found.

    A geometry as it was read stays what the store holds, to the bit, with its error: reading in a CRS rounds.
    A new one has the error that is stated with it, else its source's or layer's, and that of the
    transformation. ``doubted``: the item is refused anyway, so words are not asked for a place.
    """
    given, found = _parsed(layer, document, most_vertices)
    if found and any(each.severity == "error" for each in found):
        return _array(None), values, found
    if held is not None and _is_as_read(definition, layer, given, held, document.crs):
        kept = values.get("accuracy_m")
        if kept is None or kept[0].as_py() is None:
            values = {**values, "accuracy_m": pa.array([held.values["accuracy_m"]], pa.float64())}
        return _array(held.geometry), values, found
    stated_m = layer.accuracy_m if held is None or held.stated_m is None else held.stated_m
    shape, accuracy, issues = _placed(
        engine, definition, layer, given, values, document.crs, stated_m, doubted
    )
    expected = {
        "geometry_type": layer.geometry,
        "outside_extent": str(list(definition.district.extent)),
        "axes_of_crs": document.crs.uri,
        "crs_of_body": document.crs.uri,
    }
    found += [finding(each, layer, expected.get(each.code, "")) for each in issues]
    return shape, {**values, "accuracy_m": accuracy}, found


def _array(geometry: shapely.Geometry | None) -> Geometries:
    one: Geometries = np.full(1, None, dtype=object)
    one[0] = geometry
    return one


def _parsed(
    layer: Layer, document: Document, most_vertices: int
) -> tuple[shapely.Geometry | None, list[Finding]]:
    """The geometry in the client's own numbers; heights are dropped."""
    if document.geometry is None:
        return None, []
    members = ("type", "coordinates", "geometries")
    plain = {key: document.geometry[key] for key in members if key in document.geometry}
    try:
        shape = shapely.from_geojson(orjson.dumps(plain))
    except (shapely.errors.GEOSException, orjson.JSONEncodeError) as error:
        reason = str(error).partition("\n")[0][:120]
        return None, [finding(Issue(0, "geom", reason, "geometry_unreadable"), layer)]
    count = int(shapely.get_num_coordinates(shape))
    if count > most_vertices:
        many = Issue(0, "geom", str(count), "too_many_vertices")
        return None, [finding(many, layer, str(most_vertices))]
    if shape.has_z:
        high = Issue(0, "geom", None, "height_dropped", "warning")
        return shapely.force_2d(shape), [finding(high, layer)]
    return shape, []


def _is_as_read(definition: MapDefinition, layer: Layer, given: Any, held: Held, crs: NamedCrs) -> bool:
    """Whether ``given`` is what reading the item in ``crs`` gave."""
    if given is None or held.geometry is None:
        return given is held.geometry
    shown = promoted(_array(written(definition, held.geometry, crs)), layer.geometry)[0]
    mine = promoted(_array(given), layer.geometry)[0]
    return mine is not None and shapely.to_wkb(mine) == shapely.to_wkb(shown)


def _placed(
    engine: Engine,
    definition: MapDefinition,
    layer: Layer,
    given: shapely.Geometry | None,
    values: Mapping[str, pa.Array],
    crs: NamedCrs,
    stated_m: float | None,
    doubted: bool,
) -> tuple[Geometries, pa.Array, list[Issue]]:
    district = definition.district
    frame = frame_of(crs.uri)
    frame = frame.swap() if crs.swapped else frame
    move = frame.move_to(district.storage_crs, district.extent)
    box = storage_extent(definition)
    placing = Placing((Part(frame, move),), None, district.extent, box, "refuse", None)
    moved, issues = placing.apply(_ONE, _array(given))
    issues = [_here(each) for each in issues]
    own = values["accuracy_m"][0].as_py() if "accuracy_m" in values else None
    bound = stated_m if own is None else own
    accuracy = pa.array([None if bound is None else bound + move.accuracy_m], pa.float64())
    told = np.array([any(each.severity == "error" for each in issues) or doubted])
    locate = locator(scoped(engine, None), definition.whole, layer)
    if locate is not None and given is None:
        moved, accuracy, found = locate(_ONE, values, moved, accuracy, told)
        issues += found
    if any(each.severity == "error" for each in issues) or (doubted and given is None):
        return moved, accuracy, issues
    sorted_out = sort_out(layer, moved)
    for code, flags in sorted_out.faults.items():
        if flags[0]:
            issues.append(Issue(0, "geom", _kind(code, given), code))
    if sorted_out.invalid[0]:
        with Mender.of(definition) as mender:
            issues += mender.mend(layer, _ONE, sorted_out.geometry, sorted_out.invalid)
    return turned(layer, sorted_out.geometry), accuracy, issues


def _kind(code: str, given: Any) -> str | None:
    return str(given.geom_type) if code == "geometry_type" and given is not None else None


def _here(issue: Issue) -> Issue:
    code = _HERE.get(issue.code, issue.code)
    return Issue(issue.row, issue.field, issue.value, code, issue.severity, issue.original)
