"""What the properties of a layer are called, and what their values mean."""

from __future__ import annotations

from typing import Any

from api.pages.words import Words
from layers.model import Layer

__all__ = ["FieldWords"]


class FieldWords:
    """Titles and values of the properties of ``layer`` in words; of no layer, the names as they are."""

    def __init__(self, layer: Layer | None, words: Words) -> None:
        self._words = words
        fields = () if layer is None else layer.fields
        self._fields = {field.name: field for field in fields}
        self._codes = {
            field.name: {entry.code: words.pick(entry.title.model_dump()) for entry in field.code_list}
            for field in fields
        }

    def title(self, name: str) -> str:
        """The title of the property ``name``, with its unit."""
        field = self._fields.get(name)
        if field is None:
            return self._words.known(f"row.{name}") or name
        title = self._words.pick(field.title.model_dump())
        return f"{title} ({field.unit})" if field.unit else title

    def value(self, name: str, value: Any) -> Any:
        """What a code means; any other value as it is."""
        if isinstance(value, str):
            return self._codes.get(name, {}).get(value, value)
        return value
