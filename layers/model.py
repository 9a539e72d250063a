"""The shape of a layer definition: one ``layer.toml`` read into frozen, cross-checked objects.

Everything a layer needs (table, import checks, API, tiles, style, legend, card, export) follows from the
`Layer` object. The classes know no file and no folder; `layers.registry` reads the files and hands the
vocabularies over as the validation context.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import ValidationInfo, field_validator, model_validator

from layers.access import Access, check_access
from layers.basis import DefinitionError, Frozen, Text, Unfit, known
from layers.waters import Discharge, NetworkReading, check_discharge, check_network

__all__ = [
    "RESERVED_NAMES",
    "CodeValue",
    "Colour",
    "DefinitionError",
    "Example",
    "Field",
    "FieldFormat",
    "FieldType",
    "Frozen",
    "Geometry",
    "Layer",
    "LegendRow",
    "Names",
    "Role",
    "Style",
    "StyleClass",
    "Symbol",
    "Text",
    "Unfit",
    "Zoom",
    "known",
]

Geometry = Literal[
    "Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "Geometry", "none"
]
Role = Literal["subject", "zone", "context", "register", "derived"]
FieldType = Literal["text", "integer", "number", "boolean", "date", "datetime", "enum"]
FieldFormat = Literal["uscc", "permit_code", "outfall_code", "industry_code", "adcode"]
Shape = Literal["circle", "square", "triangle", "diamond", "cross"]
Hatch = Literal["none", "diagonal", "cross", "dots"]
Colour = Annotated[str, pydantic.Field(pattern=r"^#[0-9a-fA-F]{6}$")]
Identifier = Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]

# The store's own columns, then what items and tiles add to the fields, then the parameters of the items
# request, which share their names with property filters.
RESERVED_NAMES = (
    frozenset(
        {"row_id", "uid", "geom", "geom_web", "accuracy_m", "is_indicative", "source_id", "content_hash"}
    )
    | frozenset({"areas", "rests_on"})
    | frozenset({"valid_from", "valid_to", "rev_from", "rev_to"})
    | frozenset({"source", "is_demonstration", "label", "n", "w", "s", "e", "id", "geometry", "properties"})
    | frozenset({"bbox", "crs", "datetime", "f", "filter", "lang", "limit", "offset", "q", "sortby"})
    | frozenset({"count", "page", "profile", "rev"})
)
# What an example may give besides the fields of its layer.
_ROW_NAMES = ("uid", "geom", "accuracy_m", "is_indicative", "valid_from", "valid_to")


class CodeValue(Frozen):
    """One code of a code list with its meaning; ``aliases`` are other words for it that imports translate."""

    code: Annotated[str, pydantic.Field(min_length=1, max_length=60)]
    zh: str
    en: str
    aliases: tuple[str, ...] = pydantic.Field(default=(), exclude=True)

    @property
    def title(self) -> Text:
        """The meaning in both languages."""
        return Text(zh=self.zh, en=self.en)


class Field(Frozen):
    """One typed attribute of a layer; ``aliases`` are what its column is called in tables to be imported.

    ``indexed``: current rows are looked up by its value often and in large layers. ``stored`` false: its
    value is not kept in each row but once for all rows of the same rules, so that a new wording of the law
    changes no row.
    """

    name: Identifier
    title: Text
    type: FieldType
    unit: str | None = None
    required: bool = False
    format: FieldFormat | None = None
    codes: str | None = None
    values: tuple[CodeValue, ...] = ()
    pattern: str | None = None
    min: float | None = None
    max: float | None = None
    description: Text | None = None
    volatile: bool = False
    indexed: bool = False
    stored: bool = True
    aliases: tuple[str, ...] = ()

    @property
    def code_list(self) -> tuple[CodeValue, ...]:
        """The codes an enum field may take, in their order; empty for other types."""
        return self.values

    @model_validator(mode="before")
    @classmethod
    def _resolve_codes(cls, raw: Any, info: ValidationInfo) -> Any:
        if not isinstance(raw, Mapping) or "codes" not in raw:
            return raw
        if "values" in raw:
            raise Unfit("An enum names a shared list or gives its own values, not both.", "Keep one of them.")
        lists: Mapping[str, tuple[CodeValue, ...]] = (info.context or {}).get("codes", {})
        known("Code list", str(raw["codes"]), lists)
        return {**raw, "values": lists[raw["codes"]]}

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED_NAMES:
            raise Unfit(f"Field name {name!r} is reserved for the store or the API.", "Choose another name.")
        return name

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise Unfit(
                f"Pattern {pattern!r} is no regular expression: {error}.", "Correct the pattern."
            ) from error
        return pattern

    @model_validator(mode="after")
    def _keys_fit_type(self) -> Self:
        if (self.type == "enum") != bool(self.values):
            raise Unfit(
                f"Field {self.name!r} of type {self.type} has {len(self.values)} codes.",
                'An enum needs codes = "<list>" or values = [...]; other types have neither.',
            )
        allowed = {
            "text": ("format", "pattern"),
            "integer": ("unit", "min", "max"),
            "number": ("unit", "min", "max"),
        }
        for key in ("format", "pattern", "unit", "min", "max"):
            if getattr(self, key) is not None and key not in allowed.get(self.type, ()):
                raise Unfit(f"Field {self.name!r} of type {self.type} has {key!r}.", f"Remove {key!r}.")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise Unfit(f"Field {self.name!r} has min {self.min} above max {self.max}.", "Swap them.")
        _unique(f"Field {self.name!r} has the code", (value.code for value in self.values))
        return self


class Zoom(Frozen):
    """The zoom levels at which a layer is drawn, both included."""

    min: Annotated[int, pydantic.Field(ge=0, le=22)] = 0
    max: Annotated[int, pydantic.Field(ge=0, le=22)] = 22

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise Unfit(f"Zoom min {self.min} is above max {self.max}.", "Swap them.")
        return self


class Names(Frozen):
    """Which field plays which role."""

    label: str
    township: str | None = None
    county: str | None = None
    address: str | None = None


class Symbol(Frozen):
    """How one feature is drawn. Lengths are CSS pixels; ``dash`` is empty for a solid line."""

    colour: Colour
    shape: Shape = "circle"
    size: Annotated[float, pydantic.Field(gt=0, le=40)] = 5.0
    fill_opacity: Annotated[float, pydantic.Field(ge=0, le=1)] = 0.5
    line_width: Annotated[float, pydantic.Field(ge=0, le=20)] = 1.0
    dash: tuple[Annotated[float, pydantic.Field(gt=0)], ...] = ()
    hatch: Hatch = "none"


class StyleClass(Frozen):
    """What differs for features whose ``by`` field has this value; a key left out is that of the style."""

    value: str
    colour: Colour | None = None
    shape: Shape | None = None
    size: Annotated[float, pydantic.Field(gt=0, le=40)] | None = None
    fill_opacity: Annotated[float, pydantic.Field(ge=0, le=1)] | None = None
    line_width: Annotated[float, pydantic.Field(ge=0, le=20)] | None = None
    dash: tuple[Annotated[float, pydantic.Field(gt=0)], ...] | None = None
    hatch: Hatch | None = None


class Style(Symbol):
    """The symbol of a layer, and what changes with the value of one enum field."""

    by: str | None = None
    classes: tuple[StyleClass, ...] = ()

    def symbol(self, value: str | None = None) -> Symbol:
        """The complete symbol for ``value`` of the ``by`` field; the base for one without class."""
        base = self.model_dump(exclude={"by", "classes"})
        for entry in self.classes:
            if entry.value == value:
                base.update(entry.model_dump(exclude={"value"}, exclude_none=True))
        return Symbol(**base)

    @model_validator(mode="after")
    def _by_and_classes(self) -> Self:
        if (self.by is None) != (not self.classes):
            raise Unfit("A style has only one of by and classes.", "Give both, or neither.")
        _unique("The style has a class for", (entry.value for entry in self.classes))
        return self


class LegendRow(Symbol):
    """One line of a legend: a complete symbol, its label, and the value it stands for (None: no value)."""

    value: str | None
    label: Text


class Example(Frozen):
    """A row that the import must accept, or must refuse with ``code`` for ``field``."""

    note: str
    given: dict[str, Any]
    outcome: Literal["accepted", "refused"]
    code: str | None = None
    field: str | None = None

    @model_validator(mode="after")
    def _code_belongs_to_refusal(self) -> Self:
        if (self.outcome == "refused") != (self.code is not None):
            raise Unfit(
                f"Example {self.note!r} is {self.outcome} and has code {self.code!r}.",
                "A refused example names the issue code it expects; an accepted one has none.",
            )
        return self


class Linking(Frozen):
    """How rows of different sources that mean the same thing are found and shown as one.

    ``match`` fields name the thing exactly (a credit code); ``name`` and ``address`` are compared where they
    are missing. ``precedence`` says for a field, "geom" (the place) or "default" which source is shown first:
    names of sources or of bureaux, "*" standing for all others, of which the newest statement counts.
    ``compare`` are the fields whose differences are disagreements; all that both rows state when empty.
    """

    match: tuple[str, ...] = ()
    name: str
    address: str | None = None
    compare: tuple[str, ...] = ()
    precedence: Mapping[str, tuple[str, ...]] = pydantic.Field(default_factory=dict)

    def order(self, field: str) -> tuple[str, ...]:
        """The sources of ``field`` in the order of their precedence; "*" is in it exactly once."""
        given = self.precedence.get(field, self.precedence.get("default", ()))
        return given if "*" in given else (*given, "*")


class Layer(Frozen):
    """One layer as defined by its ``layer.toml``."""

    id: Identifier
    title: Text
    abstract: Text
    theme: str
    role: Role
    derived: str | None = None
    geometry: Geometry
    key: tuple[str, ...] = ()
    accuracy_m: Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)] | None = None
    order: int = 0
    zoom: Zoom = Zoom()
    visible: bool = False
    names: Names
    fields: Annotated[tuple[Field, ...], pydantic.Field(min_length=1)]
    style: Style | None = None
    linking: Linking | None = None
    network: NetworkReading | None = None
    discharge: Discharge | None = None
    access: Access = Access()
    examples: tuple[Example, ...] = ()
    _is_generalised: bool = pydantic.PrivateAttr(default=False)

    @property
    def is_generalised(self) -> bool:
        """Whether this is not the layer itself but the cells it touches (`layers.access.generalised`)."""
        return self._is_generalised

    @property
    def has_geometry(self) -> bool:
        """Whether rows have a place; a register has none."""
        return self.geometry != "none"

    @property
    def stored_fields(self) -> tuple[Field, ...]:
        """The fields that each row keeps."""
        return tuple(entry for entry in self.fields if entry.stored)

    def field(self, name: str) -> Field:
        """The field called ``name``; KeyError when there is none."""
        for entry in self.fields:
            if entry.name == name:
                return entry
        raise KeyError(name)

    def legend(self) -> tuple[LegendRow, ...]:
        """Legend rows in the order of the classes; empty for a register.

        Where the classifying field may be missing, the last row shows the symbol for that.
        """
        if self.style is None:
            return ()
        if self.style.by is None:
            return (LegendRow(value=None, label=self.title, **self.style.symbol().model_dump()),)
        by = self.field(self.style.by)
        titles = {value.code: value.title for value in by.code_list}
        rows = [
            LegendRow(value=c.value, label=titles[c.value], **self.style.symbol(c.value).model_dump())
            for c in self.style.classes
        ]
        if not by.required:
            rows.append(LegendRow(value=None, label=NOT_STATED, **self.style.symbol().model_dump()))
        return tuple(rows)

    @model_validator(mode="after")
    def _fields_hang_together(self) -> Self:
        names = [entry.name for entry in self.fields]
        _unique("The layer has the field", names)
        for role, name in self.names.model_dump(exclude_none=True).items():
            known(f"names.{role} is the field", name, names)
        for name in self.key:
            known("The key field", name, names)
            if not self.field(name).required:
                raise Unfit(f"Key field {name!r} may be missing.", f"Give {name!r} required = true.")
        for entry in self.fields:
            if entry.volatile and self.role != "derived":
                raise Unfit(f"Field {entry.name!r} is volatile.", "Only derived layers have volatile fields.")
            if not entry.stored and (self.derived != "conflicts" or entry.required or entry.indexed):
                raise Unfit(
                    f"Field {entry.name!r} is not stored.",
                    "Only conflicts tell fields by their rules, and those are neither required nor indexed.",
                )
        return self

    @model_validator(mode="after")
    def _linking_refers_to_fields(self) -> Self:
        if self.linking is None:
            return self
        names = [entry.name for entry in self.fields]
        rows = [self.linking.name, *self.linking.match, *self.linking.compare]
        for name in rows if self.linking.address is None else [*rows, self.linking.address]:
            known("linking refers to the field", name, names)
        for name in self.linking.precedence:
            known("linking.precedence is for the field", name, [*names, "geom", "default"])
        return self

    @model_validator(mode="after")
    def _access_fits(self) -> Self:
        check_access(self)
        return self

    @model_validator(mode="after")
    def _waters_fit(self) -> Self:
        types = {entry.name: entry.type for entry in self.fields}
        codes = {entry.name: [value.code for value in entry.code_list] for entry in self.fields}
        if self.network is not None:
            check_network(self.network, self.geometry, codes)
        if self.discharge is not None:
            check_discharge(self.discharge, self.geometry, types, codes)
        return self

    @model_validator(mode="after")
    def _role_fits(self) -> Self:
        if (self.role == "derived") != (self.derived is not None):
            raise Unfit(
                f"Role is {self.role!r} and derived is {self.derived!r}.",
                'A derived layer says what writes it (derived = "conflicts"); other roles leave it out.',
            )
        if not self.has_geometry and self.role in ("subject", "zone"):
            raise Unfit(f"A {self.role} layer without geometry cannot be screened.", 'Use role = "register".')
        if self.has_geometry == (self.style is None):
            raise Unfit(
                f"Geometry is {self.geometry!r} and style is {'missing' if self.style is None else 'given'}.",
                "A layer with geometry needs [style]; a register has none.",
            )
        return self

    @model_validator(mode="after")
    def _style_covers_codes(self) -> Self:
        if self.style is None or self.style.by is None:
            return self
        known("style.by is the field", self.style.by, (entry.name for entry in self.fields))
        by = self.field(self.style.by)
        if by.type != "enum":
            raise Unfit(f"style.by is {by.name!r}, of type {by.type}.", "Classify by an enum field.")
        codes = {value.code for value in by.code_list}
        for entry in self.style.classes:
            known(f"The style class of {by.name!r} for code", entry.value, codes)
        missing = codes - {entry.value for entry in self.style.classes}
        if missing:
            raise Unfit(
                f"The style has no class for {', '.join(sorted(missing))} of {by.name!r}.",
                "Add [[style.classes]] for each.",
            )
        return self

    @model_validator(mode="after")
    def _vocabulary_exists(self, info: ValidationInfo) -> Self:
        context: Mapping[str, Any] = info.context or {}
        if "themes" in context:
            known("Theme", self.theme, context["themes"])
        if "issues" in context:
            for example in self.examples:
                if example.code is not None:
                    known("The issue code of an example", example.code, context["issues"])
        return self

    @model_validator(mode="after")
    def _examples_refer_to_fields(self) -> Self:
        names = [*(entry.name for entry in self.fields), *_ROW_NAMES]
        for example in self.examples:
            for name in (*example.given, *([example.field] if example.field else [])):
                known(f"Example {example.note!r} refers to the field", name, names)
        return self


NOT_STATED = Text(zh="未注明", en="Not stated")


def _unique(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Unfit(f"{what} {name!r} twice.", "Remove one of them.")
        seen.add(name)
