"""A place in an ordered list of rows, and the opaque text that stands for it in a link."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson

from gis.errors import QueryError

__all__ = ["Place", "read_place", "write_place"]

_SIGNATURE_BYTES = 8


@dataclass(frozen=True)
class Place:
    """A row: its values in the properties sorted by, and its number, which tells equal rows apart."""

    row_id: int
    values: tuple[Any, ...] = ()


def write_place(place: Place, about: str, *, back: bool) -> str:
    """A text for ``place``; ``about`` says what is listed, and the text opens no other list.

    With ``back`` it opens the page before the place, else the one behind it.
    """
    content = orjson.dumps([back, place.row_id, *(_coded(value) for value in place.values)])
    return base64.urlsafe_b64encode(_signature(content, about) + content).decode().rstrip("=")


def read_place(text: str, about: str) -> tuple[Place, bool]:
    """The place that `write_place` wrote and whether it leads back; QueryError for any other text."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        signature, content = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if signature != _signature(content, about):
            raise ValueError
        back, row_id, *values = orjson.loads(content)
        if not isinstance(back, bool) or not isinstance(row_id, int):
            raise ValueError
        return Place(row_id, tuple(_decoded(value) for value in values)), back
    except (AttributeError, KeyError, TypeError, ValueError, binascii.Error):
        raise QueryError(
            "page is no place in this list.",
            "page 不是此列表中的位置。",
            remedy_en="Follow the links next and prev; do not change page, nor other parameters with it.",
            remedy_zh="请使用 next 与 prev 链接，不要自行填写或修改 page 及其他参数。",
        ) from None


def _signature(content: bytes, about: str) -> bytes:
    """Not a secret: it tells a changed text and a list of something else, and values are bound anyway."""
    return hashlib.blake2b(about.encode() + b"\0" + content, digest_size=_SIGNATURE_BYTES).digest()


def _coded(value: Any) -> Any:
    if isinstance(value, bool) or value is None or isinstance(value, int | str):
        return value
    if isinstance(value, float):
        return {"float": value.hex()}  # every bit, and NaN too, which JSON has not
    if isinstance(value, datetime):
        return {"datetime": value.isoformat()}
    return {"date": value.isoformat()}


def _decoded(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, text),) = value.items()
    return {"float": float.fromhex, "datetime": datetime.fromisoformat, "date": date.fromisoformat}[kind](
        text
    )
