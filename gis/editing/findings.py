"""What is wrong, odd or mended in an item that somebody writes, in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from gis.importing.issues import Issue, told
from gis.rejections import sentences
from layers.model import Layer

__all__ = ["Finding", "finding"]


@dataclass(frozen=True)
class Finding:
    """An `Issue` of the one item, with its words; ``severity`` is "error", "repair" or "warning"."""

    code: str
    field: str | None
    value: str | None
    severity: str
    detail_zh: str
    detail_en: str
    remedy_zh: str
    remedy_en: str

    def as_json(self) -> dict[str, Any]:
        """All of it by name."""
        return asdict(self)


def finding(issue: Issue, layer: Layer, expected: str = "") -> Finding:
    """``issue`` in words; ``expected`` where the definition of its field does not say it."""
    if expected:
        zh, en, remedy_zh, remedy_en = told(
            issue.code, field=issue.field or "", value=issue.value or "", expected=expected
        )
    else:
        zh, en, remedy_zh, remedy_en = sentences(issue.code, issue.field, issue.value, layer)
    return Finding(issue.code, issue.field, issue.value, issue.severity, zh, en, remedy_zh, remedy_en)
