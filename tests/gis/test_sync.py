"""Definitions become tables; what is new is added, what would lose data is refused."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text

from gis.accounts.tables import audit
from gis.db import connect
from gis.errors import SettingsError, SyncRefused
from gis.importing import ImportResult
from gis.settings import MapDefinition
from gis.sync import sync
from layers.model import CodeValue, Field, Text

Load = Callable[..., ImportResult]
ROW = "code,kind,lon,lat\n1,dug,120.01,28.9\n"


def _with_fields(definition: MapDefinition, fields: tuple[Field, ...]) -> MapDefinition:
    wells = definition.layers["wells"].model_copy(update={"fields": fields})
    return MapDefinition(definition.district, {"wells": wells}, {})


def _field(definition: MapDefinition, name: str, **changes: object) -> tuple[Field, ...]:
    return tuple(
        f.model_copy(update=changes) if f.name == name else f for f in definition.layers["wells"].fields
    )


def test_a_second_sync_changes_nothing(store: Engine, small_map: MapDefinition) -> None:
    assert sync(store, small_map).applied == []


def test_the_migrations_make_exactly_the_declared_core_tables(store: Engine) -> None:
    def only_core(name: str | None, kind: str, _parents: object) -> bool:
        return name == "core" if kind == "schema" else name != "alembic_version"

    with connect(store) as conn:
        context = MigrationContext.configure(
            conn, opts={"include_schemas": True, "include_name": only_core, "compare_type": True}
        )
        for module in ("gis.answers", "gis.webhooks.tables"):  # what declares tables of its own
            import_module(module)
        assert compare_metadata(context, audit.metadata) == []


def test_a_new_field_becomes_a_column_and_shows_in_the_view(
    store: Engine, small_map: MapDefinition, load: Load
) -> None:
    load("wells", ROW)
    owner = Field(name="owner", title=Text(zh="权属", en="Owner"), type="text")
    changed = _with_fields(small_map, (*small_map.layers["wells"].fields, owner))
    assert sync(store, changed).applied == ["wells: added column owner"]
    with connect(store) as conn:
        assert conn.execute(text("SELECT uid, owner, source FROM now.wells")).one() == ("1", None, "survey")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: tuple(f for f in m.layers["wells"].fields if f.name != "depth"), "depth was removed"),
        (lambda m: _field(m, "depth", type="text", unit=None, min=None), "depth is double precision .* text"),
        (
            lambda m: _field(m, "kind", values=(CodeValue(code="bored", zh="管井", en="Bored well"),)),
            "kind lost codes that rows still use",
        ),
        (
            lambda m: (
                *m.layers["wells"].fields,
                Field(name="must", title=Text(zh="必", en="Must"), type="text", required=True),
            ),
            "must is new and required",
        ),
    ],
)
def test_a_destructive_change_is_refused_with_the_reason(
    store: Engine,
    small_map: MapDefinition,
    load: Load,
    change: Callable[[MapDefinition], tuple[Field, ...]],
    reason: str,
) -> None:
    load("wells", ROW)
    fields = change(small_map)
    wells = small_map.layers["wells"].model_copy(
        update={"fields": fields, "style": small_map.layers["pads"].style}
    )
    with pytest.raises(SyncRefused, match=reason):
        sync(store, MapDefinition(small_map.district, {"wells": wells}, {}))
    with connect(store) as conn:
        assert conn.scalar(text("SELECT kind FROM now.wells")) == "dug"


def test_a_longer_code_list_is_accepted(store: Engine, small_map: MapDefinition, load: Load) -> None:
    load("wells", ROW)
    values = (*small_map.layers["wells"].field("kind").values, CodeValue(code="spring", zh="泉", en="Spring"))
    wells = small_map.layers["wells"].model_copy(
        update={"fields": _field(small_map, "kind", values=values), "style": small_map.layers["pads"].style}
    )
    applied = sync(store, MapDefinition(small_map.district, {"wells": wells}, {})).applied
    assert len(applied) == 1 and "renewed check" in applied[0]


def test_the_database_itself_refuses_an_unknown_code(store: Engine, load: Load) -> None:
    load("wells", ROW)
    with pytest.raises(Exception, match="ck_wells_kind"), connect(store, write=True) as conn:
        conn.execute(text("UPDATE layer.wells SET kind = 'nonsense'"))


def test_another_storage_crs_is_refused(store: Engine, small_map: MapDefinition) -> None:
    elsewhere = small_map.district.model_copy(update={"storage_crs": 4326})
    with pytest.raises(SettingsError, match="EPSG:4490; the district says EPSG:4326"):
        sync(store, MapDefinition(elsewhere, small_map.layers, {}))
