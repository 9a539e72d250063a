"""Which areas (townships, grids) each row lies in or touches: what access that is limited to areas goes by.

The codes stand in the column ``areas`` of every layer, written with the row and renewed when the areas
themselves change; policies compare that column and never geometry. Empty is outside all areas; null is not
known, and then only those see the row whose access has no such limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    Connection,
    LargeBinary,
    Text,
    any_,
    cast,
    func,
    literal,
    null,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from gis import tables
from gis.revisions import Change, alive, note_touch
from gis.settings import MapDefinition
from layers.access import generalised
from layers.model import Layer

__all__ = [
    "Areas",
    "area_layers",
    "array_pieces",
    "fill_areas",
    "has_areas",
    "read_areas",
    "renew_areas",
    "take_over_areas",
]

Codes = tuple[str, ...]
_ROWS_AT_ONCE = 200_000
_TEXT_OID = 25


@dataclass(frozen=True, eq=False)
class Areas:
    """The areas of a district.

    ``shapes`` are polygons in the storage CRS, x,y order, each with its ``codes``, sorted; ``names`` maps
    the (township, county) that areas go by, the county also None, to the codes of all of that name.
    """

    codes: tuple[Codes, ...]
    shapes: NDArray[np.object_]
    names: Mapping[tuple[str, str | None], Codes]

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def _tree(self) -> shapely.STRtree:
        shapely.prepare(self.shapes)
        return shapely.STRtree(self.shapes)

    def of(
        self,
        geometry: NDArray[np.object_] | None,
        townships: Sequence[str | None] | None = None,
        counties: Sequence[str | None] | None = None,
        *,
        rows: int,
    ) -> tuple[NDArray[np.int64], list[Codes]]:
        """For each of ``rows`` rows the place of its codes in the list that comes beside; -1 is not known.

        By its geometry (storage CRS, x,y), else by the name of its township.
        """
        kinds: dict[Codes, int] = {}
        place = np.full(rows, -1, dtype=np.int64)
        if len(self) and geometry is not None:
            located = ~(shapely.is_missing(geometry) | shapely.is_empty(geometry))
            place[located] = kinds.setdefault((), 0)
            self._by_shape(geometry, place, kinds)
        if len(self) and townships is not None:
            for row in np.flatnonzero(place < 0).tolist():
                county = None if counties is None else counties[row]
                found = self.names.get((str(townships[row]), county))
                if townships[row] is not None and found is not None:
                    place[row] = kinds.setdefault(found, len(kinds))
        return place, list(kinds)

    def _by_shape(
        self, geometry: NDArray[np.object_], place: NDArray[np.int64], kinds: dict[Codes, int]
    ) -> None:
        row, area = self._tree.query(geometry, predicate="intersects")
        count = np.bincount(row, minlength=len(place))
        numbers = np.array([kinds.setdefault(codes, len(kinds)) for codes in self.codes], dtype=np.int64)
        place[row] = numbers[area]
        # Most rows lie in one area; the others have the codes of all of theirs.
        several = count[row] > 1
        touched: dict[int, set[str]] = {}
        for one, other in zip(row[several].tolist(), area[several].tolist(), strict=True):
            touched.setdefault(one, set()).update(self.codes[other])
        for one, codes in touched.items():
            place[one] = kinds.setdefault(tuple(sorted(codes)), len(kinds))


def area_layers(definition: MapDefinition) -> list[Layer]:
    """The layers whose polygons are areas."""
    return [layer for layer in definition.layers.values() if layer.access.areas]


def has_areas(conn: Connection, definition: MapDefinition) -> bool:
    """Whether there are any areas now; without them no row has any."""
    for layer in area_layers(definition):
        t = tables.table_for(layer, definition.district.storage_crs)
        alive_row = select(t.c.row_id).where(alive(t, None)).limit(1)
        if not layer.is_generalised and conn.scalar(alive_row) is not None:
            return True
    return False


def read_areas(conn: Connection, definition: MapDefinition) -> Areas:
    """The areas as they are now; none where no layer has any."""
    codes: list[Codes] = []
    shapes: list[bytes] = []
    names: dict[tuple[str, str | None], set[str]] = {}
    counties: dict[str, set[str | None]] = {}
    for layer in area_layers(definition):
        if layer.is_generalised:
            continue
        t = tables.table_for(layer, definition.district.storage_crs)
        of_name = [t.c[n] if n else null() for n in (layer.names.label, layer.names.township)]
        county = t.c[layer.names.county] if layer.names.county else null()
        query = select(
            func.ST_AsBinary(t.c.geom, type_=LargeBinary),
            county,
            *of_name,
            *(t.c[n] for n in layer.access.areas),
        ).where(alive(t, None), t.c.geom.is_not(None))
        for shape, in_county, label, township, *found in conn.execute(query.order_by(t.c.row_id)):
            held = tuple(sorted({str(code) for code in found if code}))
            if not held:
                continue
            codes.append(held)
            shapes.append(bytes(shape))
            for name in {label, township} - {None}:
                counties.setdefault(name, set()).add(in_county)
                for key in {(name, in_county), (name, None)}:
                    names.setdefault(key, set()).update(held)
    # A name that two counties have says nothing without the county.
    sure = {key: tuple(sorted(held)) for key, held in names.items() if key[1] or len(counties[key[0]]) == 1}
    return Areas(tuple(codes), np.asarray(shapely.from_wkb(np.array(shapes, dtype=object))), sure)


def array_pieces(place: NDArray[np.int64], kinds: Sequence[Codes]) -> pa.Array:
    """Arrays of text as binary COPY takes them: for each row ``kinds[place]``, null for -1."""
    pieces = pa.array([_wire(codes) for codes in kinds], pa.binary())
    return pieces.take(pa.array(place, pa.int64(), mask=place < 0))


def _wire(codes: Codes) -> bytes:
    """A text[] in PostgreSQL's binary form (array_send): dimensions, flags, type; length, bound; values."""

    def word(number: int) -> bytes:
        return number.to_bytes(4, "big")

    head = word(1 if codes else 0) + word(0) + word(_TEXT_OID)
    if not codes:
        return head
    values = [code.encode() for code in codes]
    return head + word(len(values)) + word(1) + b"".join(word(len(v)) + v for v in values)


# --- afterwards -------------------------------------------------------------------------------------------


def fill_areas(conn: Connection, definition: MapDefinition) -> None:
    """Write the areas of rows of which they are not known, such as those of an older store."""
    areas = read_areas(conn, definition)
    for layer in definition.layers.values():
        if layer.role != "derived":
            _write(conn, definition, layer, areas, unknown_only=True)
    _of_derived(conn, definition)


def renew_areas(conn: Connection, definition: MapDefinition, rev: int) -> None:
    """Write the areas of all rows anew, after revision ``rev`` changed the areas; the versions gone too.

    Each layer of which a row's areas changed counts as touched: whoever keeps an answer asks again.
    """
    areas = read_areas(conn, definition)
    for layer in definition.layers.values():
        if layer.role != "derived" and _write(conn, definition, layer, areas, unknown_only=False):
            note_touch(conn, rev, layer.id, Change(rev, 0, 0, 0, 0), cells=True)
    for name in _of_derived(conn, definition):
        note_touch(conn, rev, name, Change(rev, 0, 0, 0, 0))


def _write(
    conn: Connection, definition: MapDefinition, layer: Layer, areas: Areas, *, unknown_only: bool
) -> int:
    """How many rows of a layer, and of its cells, have other areas now."""
    forms = [layer] if layer.access.generalise_m is None else [layer, generalised(layer)]
    return sum(_write_form(conn, definition, form, areas, unknown_only) for form in forms)


def _write_form(
    conn: Connection, definition: MapDefinition, layer: Layer, areas: Areas, unknown_only: bool
) -> int:
    if unknown_only and not len(areas):
        return 0
    t = tables.table_for(layer, definition.district.storage_crs)
    geom = func.ST_AsBinary(t.c.geom, type_=LargeBinary) if layer.has_geometry else null()
    named = [t.c[n] if n else cast(null(), Text) for n in (layer.names.township, layer.names.county)]
    query = select(t.c.row_id, geom, *named).order_by(t.c.row_id).limit(_ROWS_AT_ONCE)
    if unknown_only:
        query = query.where(t.c.areas.is_(None))
    changed, last = 0, 0
    while rows := conn.execute(query.where(t.c.row_id > last)).all():
        ids, shapes, townships, counties = zip(*rows, strict=True)
        last = ids[-1]
        geometry = shapely.from_wkb(np.array(shapes, dtype=object)) if layer.has_geometry else None
        by_name = townships if layer.names.township else None
        place, kinds = areas.of(geometry, by_name, counties, rows=len(rows))
        numbers = np.array(ids, dtype=np.int64)
        for kind in np.unique(place).tolist():
            value = None if kind < 0 else list(kinds[kind])
            chosen = any_(literal(numbers[place == kind].tolist(), ARRAY(BigInteger)))
            new = literal(value, ARRAY(Text))
            done = conn.execute(
                update(t).where(t.c.row_id == chosen, t.c.areas.is_distinct_from(new)).values(areas=new)
            )
            changed += done.rowcount
    return changed


def _of_derived(conn: Connection, definition: MapDefinition) -> list[str]:
    """Give current rows of derived layers the areas of the rows they rest on; the layers that changed."""
    changed = []
    for kind in tables.MADE_FROM:
        layer = definition.derived(kind)
        if layer is not None and take_over_areas(
            conn, definition, layer, f'layer."{layer.id}"', "rev_to IS NULL"
        ):
            changed.append(layer.id)
    return changed


def take_over_areas(
    conn: Connection, definition: MapDefinition, layer: Layer, target: str, where: str = "true"
) -> int:
    """Set ``areas`` of the rows of ``target`` (a quoted table shaped like the derived ``layer``).

    They become what all the rows that a row rests on have in common; the number of rows that changed.
    """
    if layer.derived is None or layer.derived not in tables.MADE_FROM:
        return 0
    layer_column, uids = tables.MADE_FROM[layer.derived]
    present = conn.scalars(text(f'SELECT DISTINCT "{layer_column}" FROM {target} WHERE {where}')).all()
    changed = 0
    for name in sorted(set(present) & definition.layers.keys()):
        joined = " ".join(
            f'JOIN layer."{name}" r{i} ON r{i}.uid = d."{uid}" AND r{i}.rev_to IS NULL'
            for i, uid in enumerate(uids)
        )
        common = " INTERSECT ".join(f"SELECT unnest(r{i}.areas)" for i in range(len(uids)))
        known = " AND ".join(f"r{i}.areas IS NOT NULL" for i in range(len(uids)))
        found = text(
            f"UPDATE {target} t SET areas = f.areas FROM (SELECT d.uid, CASE WHEN {known} "
            f"THEN ARRAY({common} ORDER BY 1) END AS areas FROM {target} d {joined} "
            f'WHERE d."{layer_column}" = :name AND {where.replace("rev_to", "d.rev_to")}) f '
            f"WHERE t.uid = f.uid AND {where.replace('rev_to', 't.rev_to')} "
            "AND t.areas IS DISTINCT FROM f.areas"
        )
        changed += conn.execute(found, {"name": name}).rowcount
    return changed
