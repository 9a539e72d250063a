"""Who may read and write a layer: what its ``[access]`` says, and the layer as a role sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import pydantic

from layers.basis import Frozen, Text, Unfit, known

if TYPE_CHECKING:
    from layers.model import Field, Layer

__all__ = ["Access", "Role", "check_access", "generalised", "seen_by"]


class Role(StrEnum):
    """What a person or program is here for. ``public`` is whoever did not say who they are."""

    PUBLIC = "public"
    VIEWER = "viewer"
    PLANNER = "planner"
    GRID_OFFICER = "grid_officer"
    EDITOR = "editor"
    REGULATOR = "regulator"
    ADMIN = "admin"
    PLATFORM = "platform"


class Access(Frozen):
    """Who may do what with a layer.

    ``read`` lists the roles that see it as it is (None: everybody), ``write`` those that may change it over
    HTTP. ``fields`` names for a field the only roles that see it. Others than ``read`` see the layer as the
    cells of ``generalise_m`` metres that it touches, or without it not at all. ``areas`` are fields whose
    values are codes of areas: access may be limited to the polygons of this layer that bear a code.
    """

    read: tuple[Role, ...] | None = None
    write: tuple[Role, ...] = (Role.EDITOR, Role.ADMIN)
    fields: Mapping[str, tuple[Role, ...]] = pydantic.Field(default_factory=dict)
    generalise_m: Annotated[float, pydantic.Field(ge=100, le=20_000)] | None = None
    areas: tuple[str, ...] = ()

    def reads(self, role: Role) -> bool:
        """Whether ``role`` sees the layer as it is, but for hidden fields."""
        return self.read is None or role in self.read

    def writes(self, role: Role) -> bool:
        """Whether ``role`` may bring files into the layer; who does not see all of it never may."""
        return self.edits(role) and not self.hidden(role)

    def edits(self, role: Role) -> bool:
        """Whether ``role`` may change single rows; fields that are hidden from it stay as they are."""
        return role in self.write and self.reads(role)

    def hidden(self, role: Role) -> frozenset[str]:
        """The fields that ``role`` does not see."""
        return frozenset(name for name, roles in self.fields.items() if role not in roles)

    def changed(self, change: Access) -> Access:
        """The same, with what ``change`` states explicitly instead."""
        return Access.model_validate(self.model_dump() | change.model_dump(exclude_unset=True))


def check_access(layer: Layer) -> None:
    """Raise Unfit when ``[access]`` of ``layer`` does not fit its fields and geometry."""
    access = layer.access
    fields = {field.name: field for field in layer.fields}
    for name in (*access.fields, *access.areas):
        known("access refers to the field", name, fields)
    needed = {layer.names.label, layer.names.township, *layer.key, *_drawn_by(layer)}
    for name in access.fields:
        if name in needed:
            raise Unfit(
                f"Field {name!r} is hidden from some and needed by all (key, label, township or style).",
                "Use another field there, or restrict the layer with access.read.",
            )
        if not fields[name].stored:
            raise Unfit(
                f"Field {name!r} is hidden from some and told by rules, which everybody may read.",
                "Remove it from access.fields.",
            )
    if access.generalise_m is not None and (access.read is None or not layer.has_geometry):
        raise Unfit(
            "access.generalise_m is for a layer with geometry that not everybody reads.",
            "Give access.read, or remove it.",
        )
    if access.areas and layer.geometry not in ("Polygon", "MultiPolygon"):
        raise Unfit(f"access.areas is given and geometry is {layer.geometry!r}.", "Areas are polygons.")
    for name in access.areas:
        if fields[name].type not in ("text", "enum"):
            raise Unfit(f"access.areas names {name!r} of type {fields[name].type}.", "Codes are text.")


def _drawn_by(layer: Layer) -> tuple[str, ...]:
    return (layer.style.by,) if layer.style and layer.style.by else ()


def seen_by(layer: Layer, role: Role) -> Layer | None:
    """``layer`` as ``role`` sees it: itself, without hidden fields, generalised, or None."""
    if not layer.access.reads(role):
        return None if layer.access.generalise_m is None else generalised(layer)
    hidden = layer.access.hidden(role)
    return _without(layer, hidden) if hidden else layer


def _without(layer: Layer, hidden: frozenset[str]) -> Layer:
    changes: dict[str, object] = {"fields": tuple(f for f in layer.fields if f.name not in hidden)}
    changes["names"] = layer.names.model_copy(
        update={role: None for role, name in layer.names.model_dump().items() if name in hidden}
    )
    if layer.linking is not None:
        linking = layer.linking
        if {linking.name, *linking.match} & hidden:
            changes["linking"] = None
        else:
            kept = {"compare": tuple(_kept(linking.compare, hidden))}
            address = {"address": None} if linking.address in hidden else {}
            changes["linking"] = linking.model_copy(update=kept | address)
    if layer.discharge is not None and hidden & set(_texts(layer.discharge.model_dump())):
        changes["discharge"] = None
    if layer.network is not None and hidden & set(_texts(layer.network.model_dump())):
        changes["network"] = None
    return layer.model_copy(update=changes)


def _kept(names: Iterable[str], hidden: frozenset[str]) -> Iterable[str]:
    return (name for name in names if name not in hidden)


def _texts(value: object) -> Iterable[str]:
    """All texts in nested mappings and lists: among them every field that a reading names."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _texts(key)
            yield from _texts(entry)
    elif isinstance(value, list | tuple | set | frozenset):
        for entry in value:
            yield from _texts(entry)


def generalised(layer: Layer) -> Layer:
    """The layer of the cells that stand for ``layer``: its label, one symbol, and titles that say so."""
    size = layer.access.generalise_m
    assert size is not None
    label: Field = layer.field(layer.names.label).model_copy(
        update={"type": "text", "values": (), "format": None, "pattern": None, "unit": None, "min": None,
                "max": None, "required": True}
    )  # fmt: skip
    km = f"{size / 1000:g}"
    zh, en = f"概略，{km} 公里网格", f"generalised to {km} km cells"
    style = layer.style.model_copy(update={"by": None, "classes": ()}) if layer.style else None
    seen = layer.model_copy(
        update={
            "title": Text(zh=f"{layer.title.zh}（{zh}）", en=f"{layer.title.en} ({en})"),
            "abstract": Text(
                zh=f"{layer.abstract.zh}此处只显示其所涉的网格，不是实际界线。",
                en=f"{layer.abstract.en} Shown are only the cells that it touches, not its real outline.",
            ),
            "geometry": "Polygon",
            "key": (),
            "fields": (label,),
            "names": layer.names.model_copy(update={"township": None, "county": None, "address": None}),
            "style": style,
            "linking": None,
            "network": None,
            "discharge": None,
            "examples": (),
        }
    )
    seen._is_generalised = True
    return seen
