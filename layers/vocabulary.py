"""The shared words of the map: code lists, themes, import issues, and the aliases of older layer ids.

Shipped in ``layers/vocab/*.toml``. A folder of ``ONEMAP_LAYERS`` may bring its own ``vocab/codes.toml`` and
``vocab/themes.toml``; it adds to the shipped lists and cannot redefine them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import ValidationError

from layers.model import CodeValue, DefinitionError, Frozen, Text, Unfit

__all__ = [
    "SHIPPED",
    "Issue",
    "Theme",
    "as_definition_error",
    "load_aliases",
    "load_codes",
    "load_issues",
    "load_romanised",
    "load_themes",
    "read_toml",
]

SHIPPED = Path(__file__).parent


class Theme(Frozen):
    """One branch of the layer tree; ``order`` is its place in it."""

    id: str
    title: Text
    order: int


class Issue(Frozen):
    """One kind of import issue: what it means for the row or file, the words for it, and who mends it.

    ``zh``, ``en`` and the remedies may hold the places {field}, {value} and {expected}.
    """

    code: str
    severity: Literal["file", "error", "warning", "repair"]
    owner: Literal["supplier", "importer", "platform"] = "supplier"
    zh: str
    en: str
    remedy_zh: str
    remedy_en: str


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; DefinitionError when it is missing, not UTF-8 or not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DefinitionError(path, f"The file cannot be read: {error.strerror}.", "Create it.") from error
    except UnicodeDecodeError as error:
        raise DefinitionError(path, "The file is not UTF-8.", "Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(path, f"Not valid TOML: {error}.", "Correct the syntax there.") from error


def as_definition_error(
    path: Path, error: ValidationError, raw: Mapping[str, Any], within: str = ""
) -> DefinitionError:
    """The first finding of pydantic in words: the file, the place in it, the value and the remedy.

    ``raw`` is what was validated; ``within`` names where in the file it stands, when it is not the whole.
    """
    first = error.errors()[0]
    place = f"{within} {_place(first['loc'], raw)}".lstrip()
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, Unfit):
        return DefinitionError(path, f"{place}{cause.what}", cause.remedy)
    if first["type"] == "extra_forbidden":
        return DefinitionError(path, f"{place}this key is unknown.", "Remove it or correct its spelling.")
    if first["type"] == "missing":
        return DefinitionError(path, f"{place}this key is missing.", "Add it.")
    return DefinitionError(path, f"{place}{first['input']!r}: {first['msg']}.", "Correct the value.")


def _place(loc: tuple[int | str, ...], raw: Any) -> str:
    """``fields 'grade' type: `` for ("fields", 3, "type"): a name says more than a number."""
    words: list[str] = []
    for step in loc:
        try:
            raw = raw[step]
        except (KeyError, IndexError, TypeError):
            raw = None
        name = (
            next((raw[k] for k in ("name", "id", "code", "value", "note") if k in raw), None)
            if (isinstance(step, int) and isinstance(raw, Mapping))
            else None
        )
        words.append(repr(name) if name is not None else str(step))
    return " ".join(words) + ": " if words else ""


def _merged(folders: Sequence[Path], name: str) -> list[tuple[Path, dict[str, Any]]]:
    """The shipped vocabulary file called ``name`` and that of each folder which has one."""
    outside = [folder / "vocab" / name for folder in folders]
    paths = [SHIPPED / "vocab" / name, *(path for path in outside if path.is_file())]
    return [(path, read_toml(path)) for path in paths]


def load_codes(folders: Sequence[Path] = ()) -> Mapping[str, tuple[CodeValue, ...]]:
    """All shared code lists by name, read-only. Raises DefinitionError."""
    lists: dict[str, tuple[CodeValue, ...]] = {}
    for path, tables in _merged(folders, "codes.toml"):
        for name, rows in tables.items():
            if name in lists:
                raise DefinitionError(path, f"Code list {name!r} exists already.", "Choose another name.")
            lists[name] = tuple(_code(path, name, row) for row in rows)
    return MappingProxyType(lists)


def _code(path: Path, name: str, row: dict[str, Any]) -> CodeValue:
    try:
        return CodeValue.model_validate(row)
    except ValidationError as error:
        raise as_definition_error(path, error, row, f"{name} {row.get('code', '')!r}") from error


def load_themes(folders: Sequence[Path] = ()) -> Mapping[str, Theme]:
    """All themes by id in the order of the tree, read-only. Raises DefinitionError."""
    themes: dict[str, Theme] = {}
    for path, tables in _merged(folders, "themes.toml"):
        for name, row in tables.items():
            if name in themes:
                raise DefinitionError(path, f"Theme {name!r} exists already.", "Choose another id.")
            try:
                themes[name] = Theme.model_validate({"id": name, **row})
            except ValidationError as error:
                raise as_definition_error(path, error, row, name) from error
    return MappingProxyType({t.id: t for t in sorted(themes.values(), key=lambda t: (t.order, t.id))})


def load_issues() -> Mapping[str, Issue]:
    """All kinds of import issues by code, read-only. Raises DefinitionError."""
    issues: dict[str, Issue] = {}
    for path in sorted((SHIPPED / "vocab" / "issues").glob("*.toml")):
        for code, row in read_toml(path).items():
            if code in issues:
                raise DefinitionError(path, f"Issue {code!r} exists already.", "Choose another code.")
            try:
                issues[code] = Issue.model_validate({"code": code, **row})
            except ValidationError as error:
                raise as_definition_error(path, error, row, code) from error
    return MappingProxyType(issues)


def load_romanised() -> Mapping[str, str]:
    """Chinese names of counties, without 市, 县 or 区, and how they are written in Latin letters."""
    path = SHIPPED / "vocab" / "romanised.toml"
    return MappingProxyType({str(zh): str(latin) for zh, latin in read_toml(path)["counties"].items()})


def load_aliases() -> Mapping[str, str]:
    """Other names of layers (as the published rule tables use them) and the layer ids they stand for."""
    path = SHIPPED / "vocab" / "aliases.toml"
    return MappingProxyType({str(alias): str(layer) for alias, layer in read_toml(path)["layers"].items()})
