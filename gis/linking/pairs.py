"""Which two rows of a layer mean the same thing: by an equal code, by an equal key, or by a decision.

One query for everybody who asks: the card of a thing, the list of disagreements, the search for candidates.
"""

from __future__ import annotations

from sqlalchemy import Connection, Select, Table, and_, func, literal, select, union
from sqlalchemy.sql.selectable import Subquery

from gis import tables
from gis.errors import NotFound
from gis.importing.apart import APART
from gis.revisions import alive
from gis.settings import MapDefinition
from layers.model import Layer, Linking

__all__ = ["linking_of", "members", "same_pairs", "table_of"]


def linking_of(layer: Layer) -> Linking:
    """How rows of ``layer`` are linked; NotFound for a layer that says nothing about it."""
    if layer.linking is None:
        raise NotFound(
            f"Layer {layer.id!r} does not say how its rows are linked.",
            f"图层“{layer.id}”没有定义关联方式。",
            remedy_en="Add [linking] to its definition.",
            remedy_zh="在图层定义中增加 [linking]。",
        )
    return layer.linking


def table_of(definition: MapDefinition, layer: Layer) -> Table:
    """The table of ``layer`` in the district's storage CRS."""
    return tables.table_for(layer, definition.district.storage_crs)


def same_pairs(definition: MapDefinition, layer: Layer) -> Subquery:
    """Current pairs (uid_a < uid_b, how) of ``layer`` that mean the same thing.

    ``how`` is "code" (an equal matching field), "key" (an equal key from two sources) or "person". A pair
    that a person has parted is not among them, whatever its codes say.
    """
    rules = linking_of(layer)
    t = table_of(definition, layer)
    a, b, s = t.alias("a"), t.alias("b"), tables.sources.alias("s")
    both = and_(alive(a, None), alive(b, None))
    found: list[Select[tuple[str, str, str]]] = [
        select(a.c.uid, b.c.uid, literal("code"))
        .join_from(a, b, and_(a.c[field] == b.c[field], a.c.uid < b.c.uid, a.c.source_id != b.c.source_id))
        .where(both)
        for field in rules.match
    ]
    found.append(
        select(a.c.uid, b.c.uid, literal("key"))
        .select_from(b)
        .join(s, s.c.source_id == b.c.source_id)
        .join(a, b.c.uid == a.c.uid + APART + s.c.name)
        .where(both)
    )
    d = tables.links
    found.append(
        select(d.c.uid_a, d.c.uid_b, literal("person"))
        .join(a, a.c.uid == d.c.uid_a)
        .join(b, b.c.uid == d.c.uid_b)
        .where(both, d.c.layer == layer.id, d.c.same, d.c.undone_at.is_(None))
    )
    every = union(*found).subquery()
    uid_a, uid_b, how = every.c
    parted = (
        select(literal(1))
        .where(
            d.c.layer == layer.id, ~d.c.same, d.c.undone_at.is_(None), d.c.uid_a == uid_a, d.c.uid_b == uid_b
        )
        .exists()
    )
    # Of several reasons the surest: a code says more than a key, a key more than a person.
    return (
        select(uid_a.label("uid_a"), uid_b.label("uid_b"), func.min(how).label("how"))
        .where(~parted)
        .group_by(uid_a, uid_b)
        .subquery("pairs")
    )


def members(conn: Connection, definition: MapDefinition, layer: Layer, uid: str) -> list[str]:
    """All uids that mean the same thing as ``uid``, itself first; links are followed through others."""
    pairs = same_pairs(definition, layer)
    found, new = [uid], [uid]
    while new:
        forth = select(pairs.c.uid_b).where(pairs.c.uid_a.in_(new))
        back = select(pairs.c.uid_a).where(pairs.c.uid_b.in_(new))
        reached = conn.scalars(union(forth, back)).all()
        new = sorted(set(reached) - set(found))
        found += new
    return found
