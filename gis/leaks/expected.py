"""What a scope is to see, found from definitions and stored columns alone: no role, no policy, no channel."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Table, Text, and_, cast, collate, func, select, union
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from gis import tables
from gis.access import Scope
from gis.areas import area_layers
from gis.revisions import alive
from gis.settings import MapDefinition
from layers.access import generalised
from layers.model import Layer

__all__ = ["Expected", "expected_of", "reports_expected", "withheld_from", "wrong_areas"]


@dataclass(frozen=True)
class Expected:
    """Of one layer: ``seen`` are the uids that the scope is to see, ``others`` those that it is not.

    ``ever`` are the uids of which it is to see some version, a present or a past one.

    ``layer`` is the layer in the form in which it is to be seen, ``table`` where that stands; None where it
    is not to be seen at all.
    """

    id: str
    layer: Layer | None
    table: Table | None
    seen: frozenset[str]
    others: frozenset[str]
    ever: frozenset[str]
    hidden: frozenset[str]


def withheld_from(definition: MapDefinition, scope: Scope) -> frozenset[str]:
    """Layers that the scope's role does not see as they are, and layer.field of what is hidden from it."""
    names = {layer.id for layer in definition.layers.values() if not layer.access.reads(scope.role)}
    hidden = {f"{x.id}.{name}" for x in definition.layers.values() for name in x.access.hidden(scope.role)}
    return frozenset(names | hidden)


def _within(scope: Scope, areas: Collection[str] | None, bureau: str | None = None) -> bool:
    if scope.areas is None or (bureau is not None and bureau in scope.departments):
        return True
    return areas is not None and not set(areas).isdisjoint(scope.areas)


def _given(conn: Connection, definition: MapDefinition, layer: Layer, scope: Scope) -> set[str]:
    """The uids of rows of the derived ``layer`` that rest on nothing but rows which the scope ever sees."""
    assert layer.derived is not None
    t = tables.table_for(layer, definition.district.storage_crs)
    named, uids = tables.MADE_FROM[layer.derived]
    rows = conn.execute(select(t.c.uid, t.c[named], *(t.c[uid] for uid in uids))).all()
    seen = {
        name: expected_of(conn, definition, definition.layers[name], scope).ever
        for name in {row[1] for row in rows} & definition.layers.keys()
    }
    return {uid for uid, name, *from_ in rows if seen.get(name, frozenset()).issuperset(from_)}


def expected_of(conn: Connection, definition: MapDefinition, layer: Layer, scope: Scope) -> Expected:
    """What of ``layer`` the scope is to see now; ``conn`` is the store's own."""
    exact = layer.access.reads(scope.role)
    crs = definition.district.storage_crs
    real = tables.table_for(layer, crs)
    rests = [real.c.rests_on] if layer.role == "derived" else []
    withheld = withheld_from(definition, scope)
    seen: set[str] = set()
    others: set[str] = set()
    ever: set[str] = set()
    derived = bool(scope.departments) and layer.derived in tables.MADE_FROM
    given = _given(conn, definition, layer, scope) if derived else set()
    s = tables.sources
    query = select(real.c.uid, real.c.areas, s.c.bureau, real.c.rev_to, *rests)
    for uid, areas, bureau, ended, *rested in conn.execute(query.join(s, s.c.source_id == real.c.source_id)):
        rests_well = not rested or (rested[0] is not None and withheld.isdisjoint(rested[0]))
        # Who sees every layer and field is told of a row whose grounds are not on record.
        within = uid in given or _within(scope, areas, bureau)
        allowed = exact and within and (rests_well or not withheld)
        if allowed:
            ever.add(uid)
        if ended is None:
            (seen if allowed else others).add(uid)
    if exact:
        hidden = layer.access.hidden(scope.role)
        return Expected(layer.id, layer, real, frozenset(seen), frozenset(others), frozenset(ever), hidden)
    if layer.access.generalise_m is None:
        nothing = frozenset[str]()
        return Expected(layer.id, None, None, nothing, frozenset(others), nothing, nothing)
    cells = generalised(layer)
    table = tables.table_for(cells, crs)
    query = select(table.c.uid, table.c.areas, s.c.bureau, table.c.rev_to)
    for uid, areas, bureau, ended in conn.execute(query.join(s, s.c.source_id == table.c.source_id)):
        within = _within(scope, areas, bureau)
        if within:
            ever.add(uid)
        if ended is None:
            (seen if within else others).add(uid)
    fields = frozenset(field.name for field in layer.fields) - {field.name for field in cells.fields}
    return Expected(layer.id, cells, table, frozenset(seen), frozenset(others), frozenset(ever), fields)


def reports_expected(conn: Connection, definition: MapDefinition, scope: Scope) -> Mapping[str, bool]:
    """For each stored report whether the scope is to see it."""
    t, withheld = tables.reports, withheld_from(definition, scope)
    found = {}
    for name, rests_on, areas in conn.execute(select(t.c.report_id, t.c.rests_on, t.c.areas)):
        everywhere = scope.areas is None or (areas is not None and set(areas) <= set(scope.areas))
        found[name] = everywhere and withheld.isdisjoint(rests_on)
    return found


def wrong_areas(conn: Connection, definition: MapDefinition, layer: Layer) -> int:
    """How many current rows of ``layer`` have other areas than PostGIS finds for them.

    The one place where the database's own geometry is asked: the stored column is what policies trust.
    """
    if not layer.has_geometry or layer.role == "derived":
        return 0
    crs = definition.district.storage_crs
    t = tables.table_for(layer, crs)
    known = and_(alive(t, None), t.c.geom.is_not(None), t.c.areas.is_not(None))
    told = []
    for one in area_layers(definition):
        a = tables.table_for(one, crs).alias("area")
        for name in one.access.areas:
            lies = and_(func.ST_Intersects(t.c.geom, a.c.geom), alive(a, None), a.c[name].is_not(None))
            told.append(select(t.c.row_id, a.c[name].label("code")).join(a, lies).where(known))
    if not told:
        return 0
    found = union(*told).subquery()
    # Once each code is found, sorted as it is stored, the two lists are equal or one is wrong.
    in_order = aggregate_order_by(found.c.code, collate(found.c.code, "C"))
    lists = select(found.c.row_id, func.array_agg(in_order).label("codes"))
    listed = lists.group_by(found.c.row_id).subquery()
    right = func.coalesce(listed.c.codes, cast([], ARRAY(Text)))
    wrong = select(func.count()).select_from(t.outerjoin(listed, listed.c.row_id == t.c.row_id))
    return conn.scalar(wrong.where(known, t.c.areas.is_distinct_from(right))) or 0
