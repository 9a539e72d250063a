"""The register of sources: who the data come from, what they promise, and which run brought a row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, case, func, literal, select, text, tuple_, union_all
from sqlalchemy.dialects.postgresql import insert

from gis import tables
from gis.db import scope_of
from gis.errors import NotFound, QueryError
from gis.revisions import Change, alive, new_revision, note_touch
from gis.rhythms import parse_rhythm
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = [
    "WHOLE",
    "Holding",
    "Provenance",
    "Source",
    "SourceLayer",
    "confirmations",
    "ensure_source",
    "hand_over",
    "holdings",
    "layer_stamps",
    "list_sources",
    "promise",
    "provenance",
    "set_source",
    "show_source",
]

# What a person may say of a source; the rest is found out by imports.
_STATED = frozenset(
    ("title_zh", "title_en", "bureau", "contact", "licence", "attribution", "url", "rhythm", "accuracy_m")
) | {"notes", "identifier"}
# [scheme:]value, as lists in a query can hold it; a scheme may be an address.
_IDENTIFIER = re.compile(r"(?:[^,;\s]+:)?[^:,;\s]+")
_HELD_MOST = 1000
WHOLE = 0  # in the place of a source: all of them

Stamp = tuple[str, str, int, datetime, str]


@dataclass(frozen=True)
class Holding:
    """Rows of one source in one layer, and their position errors in metres.

    ``placed`` rows have a geometry; of them ``accurate`` have a known bound. ``worst`` and ``typical`` (the
    median) are over those and None where there are none.
    """

    rows: int
    placed: int
    accurate: int
    worst: float | None
    typical: float | None


@dataclass(frozen=True)
class SourceLayer:
    """What a source holds of one layer, and promises of it; None is not stated, or never.

    ``confirmed_at`` is when the source was last taken, also without change; ``has_coverage`` whether it says
    where its rows of the layer are complete.
    """

    layer: str
    rows: int
    expected_rows: int | None
    rhythm: str | None
    confirmed_at: datetime | None
    has_coverage: bool


@dataclass(frozen=True)
class Source:
    """Where rows come from; ``accuracy_m`` bounds the position error, None is unknown.

    ``identifier`` is what others call the data: "scheme:value" or "value".
    """

    name: str
    title_zh: str
    title_en: str
    bureau: str | None
    contact: str | None
    licence: str | None
    attribution: str | None
    url: str | None
    rhythm: str | None
    accuracy_m: float | None
    notes: str | None
    identifier: str | None
    crs: str | None
    transformation: str | None
    is_demonstration: bool
    layers: tuple[SourceLayer, ...]


@dataclass(frozen=True)
class Provenance:
    """Where one version of a row comes from: its source, and the revision and run that brought it.

    ``run_id`` and ``file`` are None for rows that no file brought, such as judgements and reverts.
    """

    source: str
    title_zh: str
    title_en: str
    bureau: str | None
    rev: int
    at: datetime
    who: str
    kind: str
    run_id: int | None
    file: str | None


def list_sources(conn: Connection, definition: MapDefinition) -> list[Source]:
    """All sources by name, each with the layers it has rows, runs or promises of."""
    s = tables.sources
    held = _layers_of(conn, definition)
    return [
        Source(
            row.name, row.title_zh, row.title_en, row.bureau, row.contact, row.licence, row.attribution,
            row.url, row.rhythm, row.accuracy_m, row.notes, row.identifier, row.crs, row.transformation,
            row.is_demonstration, tuple(held.get(row.source_id, ())),
        )
        for row in conn.execute(select(s).order_by(s.c.name))
    ]  # fmt: skip


def show_source(conn: Connection, definition: MapDefinition, name: str) -> Source:
    """The source called ``name``; NotFound when there is none."""
    for source in list_sources(conn, definition):
        if source.name == name:
            return source
    raise _unknown(name)


def _unknown(name: str) -> NotFound:
    return NotFound(
        f"There is no source {name[:80]!r}.",
        f"没有来源“{name[:80]}”。",
        remedy_en="See `onemap sources list`.",
        remedy_zh="见 `onemap sources list`。",
    )


def _layers_of(conn: Connection, definition: MapDefinition) -> dict[int, list[SourceLayer]]:
    rows = holdings(conn, definition)
    at = confirmations(conn)
    c, p = tables.coverage, tables.promises
    stated = conn.execute(select(c.c.source_id, c.c.layer).where(c.c.rev_to.is_(None)))
    covered = {(row.source_id, row.layer) for row in stated}
    promised = {(row.source_id, row.layer): row for row in conn.execute(select(p))}
    found: dict[int, list[SourceLayer]] = {}
    for key in sorted({*rows, *at, *covered, *promised}):
        source_id, layer = key
        if layer not in definition.layers:
            continue
        kept = promised.get(key)
        found.setdefault(source_id, []).append(
            SourceLayer(
                layer,
                rows[key].rows if key in rows else 0,
                kept.expected_rows if kept else None,
                kept.rhythm if kept else None,
                at.get(key),
                key in covered,
            )
        )
    return found


def holdings(conn: Connection, definition: MapDefinition) -> dict[tuple[int, str], Holding]:
    """What each source holds of each layer now: (source_id, layer) -> numbers; `WHOLE` is the layer itself.

    Counted once for each revision of a layer, and kept: a revision never changes.
    """
    names = {layer: stamp for layer, stamp in layer_stamps(conn).items() if layer in definition.layers}
    missing = [layer for layer, name in names.items() if name not in _HELD]
    if missing:
        for layer, found in _counted(conn, definition, missing).items():
            _HELD[names[layer]] = found
        while len(_HELD) > _HELD_MOST:
            _HELD.pop(next(iter(_HELD)), None)
    return {
        (source_id, layer): held
        for layer, name in names.items()
        for source_id, held in _HELD.get(name, {}).items()
    }


_HELD: dict[Stamp, dict[int, Holding]] = {}


def layer_stamps(conn: Connection) -> dict[str, Stamp]:
    """What names the present content of each layer, over all stores: for what is kept in memory.

    As the connection's scope sees it, whose digest is a part of the name.
    """
    t, r = tables.revision_layers, tables.revisions
    newest = select(t.c.layer, func.max(r.c.rev), func.max(r.c.at)).join(r, t.c.rev == r.c.rev)
    store = conn.engine.url.render_as_string()
    scope = scope_of(conn)
    seen = "" if scope is None else scope.digest
    return {row[0]: (store, row[0], row[1], row[2], seen) for row in conn.execute(newest.group_by(t.c.layer))}


def _counted(
    conn: Connection, definition: MapDefinition, layers: Sequence[str]
) -> dict[str, dict[int, Holding]]:
    """The holdings of ``layers`` by source, in one statement."""
    parts = []
    for layer in layers:
        table = tables.table_for(definition.layers[layer], definition.district.storage_crs)
        placed = table.c.geom.is_not(None) if "geom" in table.c else literal(False)
        known = and_(placed, table.c.accuracy_m.is_not(None))
        parts.append(
            select(
                literal(layer).label("layer"),
                table.c.source_id,
                func.count().label("rows"),
                func.count().filter(placed).label("placed"),
                func.count().filter(known).label("accurate"),
                func.max(table.c.accuracy_m).filter(known).label("worst"),
                func.percentile_disc(0.5).within_group(table.c.accuracy_m).filter(known).label("typical"),
            )
            .where(alive(table, None))
            .group_by(func.grouping_sets(tuple_(table.c.source_id), tuple_()))
        )
    found: dict[str, dict[int, Holding]] = {layer: {} for layer in layers}
    for row in conn.execute(union_all(*parts)):
        found[row.layer][row.source_id or WHOLE] = Holding(
            row.rows, row.placed, row.accurate, row.worst, row.typical
        )
    return found


def confirmations(conn: Connection) -> dict[tuple[int, str], datetime]:
    """When each source was last taken for each layer: (source_id, layer) -> time.

    A run that changed nothing confirms what is there, and so does a harvest whose source said that nothing
    had changed.
    """
    r, h, hr = tables.import_runs, tables.harvests, tables.harvest_runs
    imports = select(r.c.source_id, r.c.layer, r.c.at.label("at"))
    harvests = (
        select(h.c.source_id, h.c.layer, hr.c.finished.label("at"))
        .join_from(hr, h, hr.c.harvest_id == h.c.harvest_id)
        .where(hr.c.state.in_(("changed", "unchanged")))
    )
    both = union_all(imports, harvests).subquery()
    newest = select(both.c.source_id, both.c.layer, func.max(both.c.at).label("at"))
    return {
        (row.source_id, row.layer): row.at
        for row in conn.execute(newest.group_by(both.c.source_id, both.c.layer))
    }


def ensure_source(conn: Connection, name: str) -> int:
    """The id of the source called ``name``, registered under that name alone when it is new."""
    s = tables.sources
    given = {"name": name, "title_zh": name, "title_en": name}
    conn.execute(insert(s).values(given).on_conflict_do_nothing(index_elements=[s.c.name]))
    return int(conn.execute(select(s.c.source_id).where(s.c.name == name)).scalar_one())


def set_source(conn: Connection, name: str, stated: Mapping[str, Any], *, create: bool = False) -> None:
    """State facts of a source; "" takes a fact back. What is not in ``stated`` stays.

    Parameters
    ----------
    stated : mapping
        Of title_zh, title_en, bureau, contact, licence, attribution, url, rhythm, accuracy_m, notes,
        identifier. ``rhythm`` is taken as `gis.rhythms.parse_rhythm` does; ``accuracy_m`` in metres, None is
        unknown.

    Raises
    ------
    NotFound
        For an unknown source, unless ``create``.
    QueryError
        For a rhythm or an identifier that is none, a negative accuracy, or a title taken back.
    """
    s = tables.sources
    assert set(stated) <= set(_STATED), sorted(stated)
    values: dict[str, Any] = {key: None if value == "" else value for key, value in stated.items()}
    rhythm = values.get("rhythm")
    if rhythm is not None:
        values["rhythm"] = parse_rhythm(str(rhythm))
    if (values.get("accuracy_m") or 0) < 0:
        raise QueryError("An accuracy is not negative.", "精度不能为负。")
    identifier = values.get("identifier")
    if identifier is not None and not _IDENTIFIER.fullmatch(identifier):
        raise QueryError(
            f"{identifier[:80]!r} is no identifier.", f"“{identifier[:80]}”不是标识符。",
            remedy_en="Write scheme:value, such as doi:10.1234/abc, or a value alone.",
            remedy_zh="请写作“体系:值”（如 doi:10.1234/abc），或只写值。",
        )  # fmt: skip
    for title in ("title_zh", "title_en"):
        if title in values and values[title] is None:
            values[title] = name
    if create:
        ensure_source(conn, name)
    held = conn.execute(select(s.c.source_id, s.c.bureau).where(s.c.name == name)).one_or_none()
    if held is not None and values.get("bureau", held.bureau) != held.bureau:
        hand_over(conn, held.source_id, name)
    done = conn.execute(
        s.update().where(s.c.name == name).values(values or {"name": name}).returning(s.c.source_id)
    ).first()
    if done is None:
        raise _unknown(name)


def hand_over(conn: Connection, source_id: int, name: str, rev: int | None = None) -> None:
    """Have everybody ask again for what they keep of the source's layers: another department sees its rows.

    Notes it in ``rev``, or takes a revision, unless the source brought nothing before; what is made from rows
    is asked for again too.
    """
    r, touched = tables.revisions, tables.revision_layers
    brought = select(touched.c.layer).join(r, r.c.rev == touched.c.rev).where(r.c.source_id == source_id)
    layers = set(conn.scalars(brought if rev is None else brought.where(r.c.rev != rev)))
    if not layers:
        return
    derived = text(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'layer' "
        "AND column_name = 'rests_on'"
    )
    if rev is None:
        rev = new_revision(conn, who="onemap", kind="source", note=f"{name}: another department")
    for layer in sorted(layers | set(conn.scalars(derived))):
        note_touch(conn, rev, layer, Change(rev, 0, 0, 0, 0), cells=True)


def promise(
    conn: Connection,
    name: str,
    layer: Layer,
    *,
    expected_rows: int | None = None,
    rhythm: str | None = None,
) -> None:
    """State what a source promises of one layer; a value that is None stays as it is.

    Raises NotFound for an unknown source, QueryError for a rhythm that is none.
    """
    s, p = tables.sources, tables.promises
    source_id = conn.scalar(select(s.c.source_id).where(s.c.name == name))
    if source_id is None:
        raise _unknown(name)
    values: dict[str, Any] = {
        "expected_rows": expected_rows,
        "rhythm": None if rhythm is None else parse_rhythm(rhythm),
    }
    stated = {key: value for key, value in values.items() if value is not None}
    upsert = insert(p).values(source_id=source_id, layer=layer.id, **stated)
    changed = stated or {"layer": layer.id}
    conn.execute(upsert.on_conflict_do_update(index_elements=[p.c.source_id, p.c.layer], set_=changed))


def provenance(
    conn: Connection, definition: MapDefinition, layer: Layer, uid: str, *, rev: int | None = None
) -> Provenance:
    """Where the row ``uid`` of ``layer`` comes from, as it stood at ``rev`` (None: now).

    Raises NotFound when there was no such row.
    """
    table: Table = tables.table_for(layer, definition.district.storage_crs)
    s, r, i = tables.sources, tables.revisions, tables.import_runs
    # A revision of several files has several runs; the row came with the one of its own source.
    same_source = case((i.c.source_id == table.c.source_id, 0), else_=1)
    row = conn.execute(
        select(
            s.c.name, s.c.title_zh, s.c.title_en, s.c.bureau,
            r.c.rev, r.c.at, r.c.who, r.c.kind, i.c.run_id, i.c.file,
        )
        .select_from(table)
        .join(s, table.c.source_id == s.c.source_id)
        .join(r, table.c.rev_from == r.c.rev)
        .outerjoin(i, and_(i.c.rev == r.c.rev, i.c.layer == layer.id))
        .where(alive(table, rev), table.c.uid == uid)
        .order_by(same_source, i.c.run_id.desc())
        .limit(1)
    ).first()  # fmt: skip
    if row is None:
        raise NotFound(f"{layer.id} has no item {uid[:120]!r}.", f"图层 {layer.id} 没有“{uid[:120]}”。")
    return Provenance(
        row.name,
        row.title_zh,
        row.title_en,
        row.bureau,
        row.rev,
        row.at,
        row.who,
        row.kind,
        row.run_id,
        row.file,
    )
