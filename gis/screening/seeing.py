"""What a scope may not see of the zones, so that a verdict says "unknown: no access" and not "clear".

Who sees a layer generalised, or without a field that rules filter its zones by, cannot be told what they say
of a site: all of that layer is out of their sight. Whose access is limited to areas sees no zone that lies
outside them, so for them nothing is known there: coverages end where their areas end.
"""

from __future__ import annotations

import numpy as np
import shapely
from sqlalchemy import Connection

from gis.access import Role, Scope
from gis.areas import read_areas
from gis.crs import transformation
from gis.db import scope_of
from gis.kept import for_each
from gis.screening.asking import zone_filters
from gis.settings import MapDefinition

__all__ = ["area_seen", "out_of_sight", "scope_key", "seen_definition"]


def seen_definition(definition: MapDefinition, scope: Scope | None) -> MapDefinition:
    """What of ``definition`` the scope sees; all of it for the store itself (None)."""
    return definition.whole if scope is None else definition.seen_by(scope.role)


@for_each(size=8)
def _kept(_definition: MapDefinition) -> dict[Role, frozenset[str]]:
    return {}


def out_of_sight(definition: MapDefinition, scope: Scope | None) -> frozenset[str]:
    """The ids of the layers that ``scope`` (None: the store itself) may not be told verdicts of."""
    whole = definition.whole
    if scope is None or whole.seen_by(scope.role) is whole:
        return frozenset()
    held = _kept(whole)
    if scope.role not in held:
        held[scope.role] = _out_of_sight(whole, scope.role)
    return held[scope.role]


def _out_of_sight(whole: MapDefinition, role: Role) -> frozenset[str]:
    seen = whole.seen_by(role).layers
    hidden = {name for name in whole.layers if name not in seen or seen[name].is_generalised}
    for pack in whole.packs.values():
        for rule in pack.rules:
            if rule.zone_layer is None or rule.zone_layer in hidden:
                continue
            asked = {name for where in zone_filters(rule, pack.deciding(rule)) for name in where}
            if asked & whole.layers[rule.zone_layer].access.hidden(role):
                hidden.add(rule.zone_layer)
    lost = {name for name, layer in whole.layers.items() if layer.network is not None}
    return frozenset(hidden | {name for name in lost - hidden if seen[name].network is None})


def scope_key(definition: MapDefinition, scope: Scope | None) -> str:
    """What keeps apart what is kept of rows for different scopes; the same for all who see everything."""
    if scope is None or (scope.areas is None and definition.whole.seen_by(scope.role) is definition.whole):
        return ""
    return scope.digest


def area_seen(conn: Connection, definition: MapDefinition) -> shapely.Geometry | None:
    """The areas that the connection's scope is limited to, in the measuring plane; None without such a limit.

    Empty where none of them is known, or where the role may not see the layers that hold them.
    """
    scope = scope_of(conn)
    if scope is None or scope.areas is None:
        return None
    district = definition.district
    areas = read_areas(conn, definition.whole.seen_by(scope.role))
    mine = [
        shape for codes, shape in zip(areas.codes, areas.shapes, strict=True) if {*codes} & {*scope.areas}
    ]
    to_plane = transformation(district.storage_crs, district.measuring_crs, district.extent)
    union: shapely.Geometry = shapely.union_all(to_plane.geometries(np.array(mine, dtype=object)))
    return union
