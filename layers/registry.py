"""All layer definitions of an installation: the shipped ones and those of the folders in ``ONEMAP_LAYERS``.

The scan of the folders is the list; there is no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from layers.model import DefinitionError, Layer
from layers.vocabulary import (
    SHIPPED,
    as_definition_error,
    load_aliases,
    load_codes,
    load_issues,
    load_themes,
    read_toml,
)

__all__ = ["SHIPPED", "layer_schema", "load_layer", "load_layers", "resolve"]


def load_layers(folders: Sequence[Path] = ()) -> Mapping[str, Layer]:
    """All layers by id in drawing order, read-only.

    Parameters
    ----------
    folders : sequence of Path
        Further folders; each may have ``defs/<id>/layer.toml`` and ``vocab/{codes,themes}.toml``.

    Raises
    ------
    DefinitionError
        A definition is wrong, or an id or derived kind is defined twice. The first finding is reported.
    """
    context = {"codes": load_codes(folders), "themes": load_themes(folders), "issues": load_issues()}
    layers: dict[str, Layer] = {}
    paths: dict[str, Path] = {}
    for path in _definition_files([SHIPPED, *folders]):
        layer = load_layer(path, context)
        if layer.id in layers:
            raise DefinitionError(
                path, f"Layer {layer.id!r} is defined in {paths[layer.id]} already.", "Rename the folder."
            )
        layers[layer.id], paths[layer.id] = layer, path
    _one_writer_each(layers, paths)
    return MappingProxyType({i: layers[i] for i in sorted(layers, key=lambda i: (layers[i].order, i))})


def load_layer(path: Path, context: Mapping[str, Any]) -> Layer:
    """The layer of one ``layer.toml``; its folder's name is its id. Raises DefinitionError."""
    raw = read_toml(path)
    if "id" in raw:
        raise DefinitionError(
            path, "A definition gives its own id.", "Remove it: the folder's name is the id."
        )
    try:
        return Layer.model_validate({**raw, "id": path.parent.name}, context=dict(context))
    except ValidationError as error:
        raise as_definition_error(path, error, raw) from error


def _definition_files(folders: Sequence[Path]) -> list[Path]:
    """Each ``<folder>/defs/<id>/layer.toml``, sorted. A definition folder without one is an error."""
    files: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise DefinitionError(folder, "The folder does not exist.", "Correct the path in ONEMAP_LAYERS.")
        definitions = folder / "defs"
        entries = sorted(definitions.iterdir()) if definitions.is_dir() else []
        files += [
            entry / "layer.toml"
            for entry in entries
            if entry.is_dir() and not entry.name.startswith((".", "__"))
        ]
    return files


def _one_writer_each(layers: Mapping[str, Layer], paths: Mapping[str, Path]) -> None:
    first: dict[str, str] = {}
    for layer in layers.values():
        if layer.derived is not None and first.setdefault(layer.derived, layer.id) != layer.id:
            raise DefinitionError(
                paths[layer.id],
                f"Derived kind {layer.derived!r} is written to layer {first[layer.derived]!r} already.",
                "Keep one layer of that kind.",
            )


def resolve(name: str, layers: Mapping[str, Layer]) -> str:
    """The id of the layer called ``name``: itself, or what the alias table says. KeyError if neither."""
    layer = load_aliases().get(name, name)
    if layer not in layers:
        raise KeyError(name)
    return layer


def layer_schema() -> dict[str, Any]:
    """The JSON Schema of ``layer.toml`` for editors, without the id (it is the folder's name)."""
    schema = Layer.model_json_schema()
    del schema["properties"]["id"]
    schema["required"].remove("id")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
