"""A list of files to load, such as a demonstration, and which of them the store holds already.

The list is a TOML file; paths in it start at its folder::

    [[sources]]  name, title = {zh, en}, bureau, licence, attribution, url, accuracy_m, is_demonstration,
                 contact, rhythm, notes
    [[loads]]    layer, file, source, crs, coverage, outside
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError
from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects.postgresql import insert

from gis import tables
from gis.db import connect
from gis.errors import SettingsError
from gis.settings import MapDefinition
from gis.sources import set_source
from layers.model import Frozen, Text

if TYPE_CHECKING:
    from gis.importing import ImportResult

__all__ = ["Load", "Source", "load", "pending", "read_manifest"]


@dataclass(frozen=True)
class Load:
    """One file of a manifest. ``digest`` names the content of its files and how they are read."""

    layer: str
    path: Path
    source: Source
    crs: str
    coverage: Path | None
    outside: Literal["refuse", "keep"]
    digest: str

    @property
    def key(self) -> str:
        """Under which the store remembers the digest."""
        return f"loaded:{self.layer}:{self.source.name}:{self.path.name}"


class Source(Frozen):
    """Where the data of a load come from; see `gis.importing.SourceInfo` and `gis.sources.set_source`."""

    name: str
    title: Text
    bureau: str | None = None
    licence: str | None = None
    attribution: str | None = None
    url: str | None = None
    accuracy_m: float | None = None
    is_demonstration: bool = False
    contact: str | None = None
    rhythm: str | None = None
    notes: str | None = None


class _Entry(Frozen):
    layer: str
    file: str
    source: str
    crs: str = "auto"
    coverage: str | None = None
    outside: Literal["refuse", "keep"] = "refuse"


# What only the register asks of a source, not an import.
_REGISTERED = ("contact", "rhythm", "notes")


class _Manifest(Frozen):
    sources: tuple[Source, ...] = ()
    loads: tuple[_Entry, ...] = ()


def read_manifest(path: Path, definition: MapDefinition) -> list[Load]:
    """The loads of ``path`` in their order.

    Raises
    ------
    SettingsError
        When the file is missing or wrong, or names an unknown layer, source or file.
    """
    try:
        manifest = _Manifest.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"{path.name}: {reason}", f"{path.name} 有误：{reason}") from error
    sources = {source.name: source for source in manifest.sources}
    return [_load(path, entry, sources, definition) for entry in manifest.loads]


def _load(path: Path, entry: _Entry, sources: dict[str, Source], definition: MapDefinition) -> Load:
    names = [entry.file, *([entry.coverage] if entry.coverage else [])]
    missing = [name for name in names if not (path.parent / name).is_file()]
    if entry.layer not in definition.layers or entry.source not in sources or missing:
        wrong = missing[0] if missing else f"{entry.layer} / {entry.source}"
        raise SettingsError(
            f"{path.name} names what does not exist: {wrong}.", f"{path.name} 中引用的“{wrong}”不存在。"
        )
    source = sources[entry.source]
    digest = hashlib.sha256(definition.layers[entry.layer].model_dump_json().encode())
    digest.update(
        f"{source.model_dump_json()}{entry.crs}{entry.outside}{definition.district.storage_crs}".encode()
    )
    for name in names:
        digest.update((path.parent / name).read_bytes())
    coverage = path.parent / entry.coverage if entry.coverage else None
    return Load(
        entry.layer, path.parent / entry.file, source, entry.crs, coverage, entry.outside, digest.hexdigest()
    )


def pending(conn: Connection, loads: list[Load]) -> list[Load]:
    """Those of ``loads`` whose present content has not been imported yet."""
    s = tables.store
    found = conn.execute(select(s.c.key, s.c.value).where(s.c.key.in_([entry.key for entry in loads])))
    held = {row.key: row.value for row in found}
    return [entry for entry in loads if held.get(entry.key) != entry.digest]


def load(engine: Engine, definition: MapDefinition, entry: Load) -> ImportResult:
    """Import one load, and remember its digest; raises what `gis.intake.take_in` raises."""
    # These take a second to load, and are often not needed.
    from gis.importing import ImportOptions, SourceInfo
    from gis.intake import take_in

    title = entry.source.title
    info = SourceInfo(
        title_zh=title.zh, title_en=title.en, **entry.source.model_dump(exclude={"title", *_REGISTERED})
    )
    # The file is all that its source says of the layer: what is no longer in it is closed.
    options = ImportOptions(
        info, crs=entry.crs, mode="replace", allow_large_close=True, coverage=entry.coverage,
        outside=entry.outside,
    )  # fmt: skip
    result = take_in(engine, definition, entry.layer, entry.path, options)
    remember = insert(tables.store).values(key=entry.key, value=entry.digest)
    stated = {name: value for name in _REGISTERED if (value := getattr(entry.source, name)) is not None}
    with connect(engine, write=True) as conn:
        set_source(conn, entry.source.name, stated)
        conn.execute(
            remember.on_conflict_do_update(
                index_elements=[tables.store.c.key], set_={"value": remember.excluded.value}
            )
        )
    return result
