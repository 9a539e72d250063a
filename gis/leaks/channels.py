"""What each channel gives to a scope: the uids it shows of a layer, by the functions that answer people."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pyogrio
import shapely
from sqlalchemy import Connection, Engine, LargeBinary, func, select, text

from gis import tables
from gis.access import Scope
from gis.crs import LONLAT, WEB_MERCATOR, transformation
from gis.db import connect, scoped
from gis.errors import DatabaseBusy, DatabaseError, NotFound
from gis.export import export_layer
from gis.features import ItemQuery, Place, item, items, layer_facts, search
from gis.leaks.expected import Expected
from gis.linking import thing
from gis.reports import open_report
from gis.revisions import alive, head
from gis.rights import quoted
from gis.screening.answer import screen
from gis.screening.request import ScreenRequest, site_kinds
from gis.screening.seeing import out_of_sight
from gis.settings import MapDefinition
from gis.tiles import QUAD, Tile, vector_tile
from layers.model import Layer

__all__ = ["CHANNELS", "Looking", "reports_seen", "screened_zones"]

_PAGE = 10_000
_SAMPLE = 10


@dataclass(frozen=True)
class Looking:
    """Somebody who looks: the store as it is, and as their scope sees it."""

    engine: Engine
    definition: MapDefinition
    scope: Scope

    @property
    def seen(self) -> MapDefinition:
        """The definition that their requests work on."""
        return self.definition.seen_by(self.scope.role)

    def connect(self) -> Any:
        """A connection of theirs."""
        return connect(self.engine, scope=self.scope)


def _tolerant(question: Callable[[], set[str]]) -> set[str]:
    """What is refused shows nothing; what the database did not answer in time is no answer. Raises then."""
    try:
        return question()
    except DatabaseBusy:
        raise
    except (NotFound, DatabaseError):
        return set()


def _by_sql(of: Looking, want: Expected) -> set[str]:
    schema = "general" if want.layer is not None and want.layer.is_generalised else "layer"
    shown = _tolerant(lambda: _uids(of, f"SELECT uid FROM {schema}.{quoted(want.id)} WHERE rev_to IS NULL"))
    for name in want.hidden:
        question = f"SELECT {quoted(name)}::text FROM layer.{quoted(want.id)} LIMIT 1"
        shown |= {f"field {name}" for _ in _tolerant(partial(_uids, of, question))}
    return shown


def _uids(of: Looking, question: str) -> set[str]:
    with of.connect() as conn:
        return {str(uid) for uid in conn.scalars(text(question))}


def _by_view(of: Looking, want: Expected) -> set[str]:
    if want.layer is not None and want.layer.is_generalised:
        return set(want.seen)  # cells have no view
    return _tolerant(lambda: _uids(of, f"SELECT uid FROM now.{quoted(want.id)}"))


def _by_items(of: Looking, want: Expected) -> set[str]:
    layer = of.seen.layers.get(want.id)
    if layer is None:
        return set()
    shown: set[str] = set()
    after: Place | None = None
    with of.connect() as conn:
        while True:
            page = items(conn, of.seen, layer, ItemQuery(limit=_PAGE, after=after))
            for feature in page.features:
                shown.add(str(feature["id"]))
                shown |= {f"field {name}" for name in want.hidden & feature["properties"].keys()}
            if after is None and page.matched != len(want.seen):
                shown.add(f"numberMatched {page.matched}")
            after = page.next_after
            if after is None:
                break
        for uid in _some(want.others):
            shown |= _tolerant(partial(_item, conn, of, layer, uid))
    return shown


def _item(conn: Connection, of: Looking, layer: Layer, uid: str) -> set[str]:
    return {str(item(conn, of.seen, layer, uid, rev=head(conn))["id"])}


def _report(conn: Connection, name: str) -> set[str]:
    return {open_report(conn, name).report_id}


def _some(uids: Iterable[str]) -> list[str]:
    return sorted(uids)[:_SAMPLE]


def _by_facts(of: Looking, want: Expected) -> set[str]:
    layer = of.seen.layers.get(want.id)
    if layer is None:
        return set()
    with of.connect() as conn:
        count = layer_facts(conn, of.seen, head(conn), [layer])[layer.id].count
    return set(want.seen) if count == len(want.seen) else {f"count {count}"}


def _by_tiles(of: Looking, want: Expected) -> set[str]:
    """Uids of the tiles over the district; a summed feature is compared by how many it stands for."""
    layer = of.seen.layers.get(want.id)
    if layer is None or not layer.has_geometry:
        return set(want.seen)
    shown: set[str] = set()
    with of.connect() as conn, connect(of.engine) as store:
        for tile in _tiles_over(of.definition, max(layer.zoom.min, 7)):
            uids, total = _decoded(vector_tile(conn, of.seen, layer, tile, head(conn)))
            shown |= uids
            allowed = _rows_in(store, want, tile)
            if total > allowed:
                shown.add(f"tile {tile.z}/{tile.y}/{tile.x} stands for {total} of {allowed}")
    return shown | (set(want.seen) if not shown - want.seen else set())


def _tiles_over(definition: MapDefinition, z: int) -> list[Tile]:
    (within,) = QUAD.limits(definition.district.extent, z, z)
    columns = range(within["minTileCol"], within["maxTileCol"] + 1)
    rows = range(within["minTileRow"], within["maxTileRow"] + 1)
    return [Tile(z, x, y) for x in columns for y in rows]


def _decoded(body: bytes) -> tuple[set[str], int]:
    """The uids in a tile, and how many rows its features stand for."""
    if not body:
        return set(), 0
    with tempfile.TemporaryDirectory(prefix="onemap-tile-") as folder:
        path = Path(folder) / "tile.mvt"
        path.write_bytes(body)
        read = pyogrio.read_dataframe(path, columns=["uid", "n"], read_geometry=False)
    single = read["uid"] if "uid" in read else []  # a tile of nothing but summed features has none
    return {uid for uid in single if isinstance(uid, str) and uid}, int(read["n"].sum())


def _rows_in(store: Connection, want: Expected, tile: Tile) -> int:
    if want.table is None:
        return 0
    t = want.table
    wide = func.ST_MakeEnvelope(*tile.box(tile.side / 16), WEB_MERCATOR)
    inside = t.c.geom_web.op("&&")(wide)
    found = store.scalars(select(t.c.uid).where(alive(t, None), inside))
    return sum(uid in want.seen for uid in found)


def _by_export(of: Looking, want: Expected) -> set[str]:
    layer = of.seen.layers.get(want.id)
    if layer is None:
        return set()
    with tempfile.TemporaryDirectory(prefix="onemap-export-") as folder:
        path = Path(folder) / "rows.parquet"
        export_layer(scoped(of.engine, of.scope), of.seen, layer, path)
        table = pq.read_table(path)
    fields = {f"field {name}" for name in want.hidden & set(table.column_names)}
    return {str(uid) for uid in table.column("uid").to_pylist()} | fields


def _by_search(of: Looking, want: Expected) -> set[str]:
    """Hits among the rows that are not to be seen, asked for by name: there must be none."""
    with of.connect() as conn:
        hits = {
            hit.uid
            for uid in _some(want.others)
            for hit in search(conn, of.seen, uid[:100], limit=100)
            if hit.layer == want.id
        }
    return set(want.seen) | hits


def _by_claims(of: Looking, want: Expected) -> set[str]:
    layer = of.seen.layers.get(want.id)
    if layer is None or layer.linking is None:
        return set(want.seen)
    with of.connect() as conn:
        told = [_tolerant(partial(_members, conn, of, layer, uid)) for uid in _some(want.others)]
    return set(want.seen).union(*told)


def _members(conn: Connection, of: Looking, layer: Layer, uid: str) -> set[str]:
    return set(thing(conn, of.seen, layer, uid).uids)


CHANNELS: dict[str, Callable[[Looking, Expected], set[str]]] = {
    "sql": _by_sql,
    "view": _by_view,
    "items": _by_items,
    "facts": _by_facts,
    "tiles": _by_tiles,
    "export": _by_export,
    "search": _by_search,
    "claims": _by_claims,
}


def screened_zones(of: Looking, want: Expected) -> set[str]:
    """Zones of a layer that answers on sites inside them name; and rules that say "clear" unseen."""
    kinds = site_kinds(of.definition)
    real = tables.table_for(of.definition.layers[want.id], of.definition.district.storage_crs)
    if not kinds or not of.definition.layers[want.id].has_geometry:
        return set(want.seen)
    exact = want.layer is not None and not want.layer.is_generalised
    unseen = want.others if exact else {*want.others, *_real_uids(of, real)}
    named: set[str] = set()
    for uid, lon, lat in _places(of, real, _some(unseen)):
        for kind in kinds:
            asked = ScreenRequest(geometry=shapely.Point(lon, lat), crs=f"EPSG:{LONLAT}", kind=kind)
            named |= _named(of, want.id, uid, screen(scoped(of.engine, of.scope), of.seen, asked))
    return set(want.seen) | named


def _real_uids(of: Looking, table: Any) -> set[str]:
    with connect(of.engine) as conn:
        return set(conn.scalars(select(table.c.uid).where(alive(table, None))))


def _places(of: Looking, table: Any, uids: list[str]) -> list[tuple[str, float, float]]:
    with connect(of.engine) as conn:
        inside = func.ST_AsBinary(func.ST_PointOnSurface(table.c.geom), type_=LargeBinary)
        rows = conn.execute(
            select(table.c.uid, inside).where(
                alive(table, None), table.c.uid.in_(uids), table.c.geom.is_not(None)
            )
        ).all()
    district = of.definition.district
    move = transformation(district.storage_crs, LONLAT, district.extent)
    return [
        (uid, point.x, point.y)
        for uid, wkb in rows
        for point in move.geometries(shapely.from_wkb([bytes(wkb)]))
    ]


def _named(of: Looking, layer: str, uid: str, answer: dict[str, Any]) -> set[str]:
    findings = [finding for theme in answer["themes"] for finding in theme["findings"]]
    named = {zone["uid"] for finding in findings for zone in finding["zones"] if zone["layer"] == layer}
    if layer in out_of_sight(of.definition, of.scope):
        rules = {
            rule.id
            for pack in of.definition.packs.values()
            for rule in pack.rules
            if rule.zone_layer == layer
        }
        told = {finding["rule"] for finding in findings if finding["verdict"] == "unknown"}
        asked = {finding["rule"] for finding in findings} | {each["rule"] for each in answer["clear"]}
        named |= {f"rule {name} at {uid}" for name in (rules & asked) - told}
    return named & {uid} | {name for name in named if name.startswith("rule ")}


def reports_seen(of: Looking, names: Iterable[str]) -> set[str]:
    """The reports among ``names`` that open for the scope."""
    seen = set()
    with of.connect() as conn:
        for name in names:
            seen |= _tolerant(partial(_report, conn, name))
    return seen
