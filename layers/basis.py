"""What all definition objects are made of: frozen models, texts in two languages, refusals with a remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import pydantic
from pydantic import BaseModel, ConfigDict

__all__ = ["DefinitionError", "Frozen", "Text", "Unfit", "known"]


class DefinitionError(Exception):
    """A definition file that cannot be used: which file, what is wrong in it, and what to do."""

    def __init__(self, path: Path, what: str, remedy: str) -> None:
        super().__init__(f"{path}: {what} {remedy}".rstrip())
        self.path, self.what, self.remedy = path, what, remedy


class Unfit(ValueError):
    """What is wrong with a value and what to do; `layers.registry` adds the file's name."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} {remedy}")
        self.what, self.remedy = what, remedy


def known(what: str, value: str, names: Iterable[str]) -> None:
    """Raise Unfit unless ``value`` is one of ``names``; the remedy offers the nearest of them."""
    names = sorted(names)
    if value in names:
        return
    close = difflib.get_close_matches(value, names, n=1)
    offer = f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(names) or 'none'}."
    raise Unfit(f"{what} {value!r} does not exist.", offer)


class Frozen(BaseModel):
    """Base of all definition objects: immutable, and an unknown key is an error, not a silent loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(Frozen):
    """One text in Chinese and English."""

    zh: Annotated[str, pydantic.Field(min_length=1)]
    en: Annotated[str, pydantic.Field(min_length=1)]

    def text(self, language: str = "en") -> str:
        """The text in ``language`` ("zh", "zh-CN", ... or anything else for English)."""
        return self.zh if language.startswith("zh") else self.en
