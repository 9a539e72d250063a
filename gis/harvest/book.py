"""The harvests that are set up: kept in core.harvests, never with a secret in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, get_args
from urllib.parse import parse_qsl, urlsplit

from sqlalchemy import Connection, Row, delete, insert, select, update

from gis import tables
from gis.errors import NotFound, QueryError
from gis.harvest.model import Harvest, Kind, Wishes
from gis.rhythms import IRREGULAR, parse_rhythm
from gis.settings import MapDefinition
from gis.sources import ensure_source

__all__ = ["add_harvest", "due", "find_harvest", "list_harvests", "remove_harvest"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRETS = re.compile(r"(?i)token|secret|passw|api_?key|^key$|^tk$|^pwd$|^sig(nature)?$")
_SCHEMES: dict[str, tuple[str, ...]] = {"postgis": ("postgresql", "postgres")}


def add_harvest(
    conn: Connection,
    definition: MapDefinition,
    name: str,
    *,
    layer: str,
    kind: str,
    url: str,
    every: str | None = None,
    wishes: Wishes | None = None,
    source: str | None = None,
    now: datetime | None = None,
) -> Harvest:
    """Set up a harvest; it is due at once when it has a rhythm.

    Raises
    ------
    NotFound
        For an unknown layer.
    QueryError
        For a name that exists, a wrong kind, address or rhythm, or an address with a secret in it.
    """
    wishes = wishes or Wishes()
    _check(definition, name, layer, kind, url, wishes)
    rhythm = None if every is None else _rhythm(every)
    h = tables.harvests
    if conn.scalar(select(h.c.harvest_id).where(h.c.name == name)) is not None:
        raise QueryError(
            f"There is a harvest {name!r} already.",
            f"自动获取“{name}”已存在。",
            remedy_en="Remove it first, or choose another name.",
            remedy_zh="请先删除，或换一个名称。",
        )
    options = asdict(wishes) | {"mapping": dict(wishes.mapping), "whole_every": _rhythm(wishes.whole_every)}
    conn.execute(
        insert(h).values(
            name=name, layer=layer, source_id=ensure_source(conn, source or name), kind=kind,
            url=url.rstrip("/"), options=options, every=rhythm,
            next_at=None if rhythm is None else (now or datetime.now(UTC)),
        )
    )  # fmt: skip
    return find_harvest(conn, name)


def _rhythm(text: str) -> str:
    rhythm = parse_rhythm(text)
    if rhythm == IRREGULAR:
        raise QueryError("A clock needs a regular rhythm.", "定时获取需要固定的频率。")
    return rhythm


def _check(definition: MapDefinition, name: str, layer: str, kind: str, url: str, wishes: Wishes) -> None:
    if not _NAME.fullmatch(name):
        raise QueryError(
            f"{name!r} cannot be the name of a harvest.",
            f"“{name}”不能作为名称。",
            remedy_en="Use letters, digits, dots, dashes and underscores, at most 63.",
            remedy_zh="请用字母、数字、点、短横线和下划线，最多 63 个字符。",
        )
    found = definition.layers.get(layer)
    if found is None:
        raise NotFound(f"There is no layer {layer!r}.", f"没有图层“{layer}”。")
    if found.derived is not None:
        raise QueryError(
            f"The layer {layer!r} is written by onemap itself.", f"图层“{layer}”由 onemap 自动维护。"
        )
    if kind not in get_args(Kind):
        kinds = ", ".join(get_args(Kind))
        raise QueryError(f"There is no kind {kind!r}; kinds: {kinds}.", f"没有类型“{kind}”；可用：{kinds}。")
    _check_url(kind, url)
    if kind in ("wfs", "postgis") and not wishes.name:
        raise QueryError(
            f"A harvest of kind {kind} needs the name of the feature type or table.",
            f"{kind} 类型需要指明要素类型或表名。",
            remedy_en="Give it with --name.",
            remedy_zh="请用 --name 指明。",
        )
    unknown = sorted(set(wishes.mapping) - {f.name for f in found.fields} - set(tables.ROW_COLUMNS))
    if unknown:
        raise QueryError(
            f"{layer} has no field {', '.join(unknown)}.", f"{layer} 没有字段 {'、'.join(unknown)}。"
        )
    if wishes.credentials is not None and not _VARIABLE.fullmatch(wishes.credentials):
        raise QueryError(
            "Credentials are given by the name of an environment variable.", "凭据须以环境变量名给出。"
        )


def _check_url(kind: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        port_fits = parts.port is None or 0 < parts.port < 65536
    except ValueError:
        parts, port_fits = urlsplit(""), False
    schemes = _SCHEMES.get(kind, ("http", "https"))
    if parts.scheme not in schemes or not port_fits or (kind != "postgis" and not parts.hostname):
        raise QueryError(
            f"The address of a harvest of kind {kind} begins with {schemes[0]}:// and names a host.",
            f"{kind} 类型的地址应以 {schemes[0]}:// 开头并包含主机名。",
        )
    secret = parts.password or any(_SECRETS.search(name) for name, _ in parse_qsl(parts.query))
    if secret:
        raise QueryError(
            "The address holds a password or token; it would be kept where others can read it.",
            "地址中含有口令或令牌，不能保存。",
            remedy_en="Put it into an environment variable and name that with --credentials.",
            remedy_zh="请放入环境变量，并用 --credentials 写明变量名。",
        )


def find_harvest(conn: Connection, name: str) -> Harvest:
    """The harvest called ``name``; NotFound when there is none."""
    for harvest in list_harvests(conn):
        if harvest.name == name:
            return harvest
    raise NotFound(
        f"There is no harvest {name[:80]!r}.",
        f"没有自动获取“{name[:80]}”。",
        remedy_en="See `onemap harvest list`.",
        remedy_zh="见 `onemap harvest list`。",
    )


def list_harvests(conn: Connection) -> list[Harvest]:
    """All harvests by name."""
    h, s = tables.harvests, tables.sources
    query = select(h, s.c.name.label("source")).join(s, h.c.source_id == s.c.source_id).order_by(h.c.name)
    return [_harvest(row) for row in conn.execute(query)]


def _harvest(row: Row[Any]) -> Harvest:
    known = set(Wishes.__dataclass_fields__)
    options: Mapping[str, Any] = row.options
    return Harvest(
        row.harvest_id, row.name, row.layer, row.source, row.kind, row.url,
        Wishes(**{key: value for key, value in options.items() if key in known}),
        row.every, row.enabled, row.mark, row.full_at, row.next_at, row.failures,
    )  # fmt: skip


def remove_harvest(conn: Connection, name: str) -> None:
    """Forget a harvest and its runs; the rows it brought stay. Raises NotFound."""
    found = find_harvest(conn, name)
    conn.execute(delete(tables.harvests).where(tables.harvests.c.harvest_id == found.id))


def due(conn: Connection, now: datetime | None = None) -> list[str]:
    """The names of the harvests whose time has come, the longest waiting first."""
    h = tables.harvests
    query = select(h.c.name).where(h.c.enabled, h.c.next_at <= (now or datetime.now(UTC)))
    return list(conn.scalars(query.order_by(h.c.next_at, h.c.name)))


def set_enabled(conn: Connection, name: str, enabled: bool) -> None:
    """Halt a harvest, or let it go on. Raises NotFound."""
    found = find_harvest(conn, name)
    h = tables.harvests
    conn.execute(update(h).where(h.c.harvest_id == found.id).values(enabled=enabled))
