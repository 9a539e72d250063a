"""In which form an answer goes out: one table of forms, and one function that chooses by ``f`` and Accept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote_plus

from fastapi import Request

from gis.errors import QueryError

__all__ = [
    "FEATURE",
    "FEATURES",
    "FILES",
    "FORMS",
    "Form",
    "alternates",
    "prefers_html",
    "representation",
    "with_page",
    "written_query",
]


@dataclass(frozen=True)
class Form:
    """A form of an answer: its name for ``f``, its media type, and the ending of its file (None: no file)."""

    name: str
    media_type: str
    ending: str | None = None

    @property
    def essence(self) -> str:
        """The media type without parameters."""
        return self.media_type.partition(";")[0].strip()


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        form.name: form
        for form in (
            Form("geojson", "application/geo+json"),
            Form("jsonfg", "application/fg+json"),
            Form("json", "application/json"),
            Form("catalog", "application/ogc-catalog+json"),
            Form("html", "text/html; charset=utf-8"),
            Form("csv", "text/csv; charset=utf-8", ".csv"),
            Form("parquet", "application/vnd.apache.parquet", ".parquet"),
            Form("fgb", "application/flatgeobuf", ".fgb"),
            Form("gpkg", "application/geopackage+sqlite3", ".gpkg"),
            Form("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx"),
        )
    }
)
"""All forms by name."""
FILES = tuple(name for name, form in FORMS.items() if form.ending is not None)
FEATURE = ("geojson", "jsonfg")
FEATURES = (*FEATURE, *FILES)
_PLAIN = re.compile(r"[A-Za-z0-9_.,~-]*").fullmatch
_LONGEST_KEPT = 200
# What people write for a form: "json" of features is GeoJSON.
_ALIASES = {"json": "geojson", "geoparquet": "parquet"}


def representation(request: Request, f: str | None, offered: Sequence[str]) -> Form:
    """The form that a client wants of those ``offered``, the first of which is the default.

    ``f`` decides; without it the Accept header, by its weights; where nothing that it names is offered, the
    default is sent rather than a refusal. Raises QueryError for an ``f`` that is not offered.
    """
    if f is not None:
        name = f if f in offered else _ALIASES.get(f, f)
        if name in offered:
            return FORMS[name]
        raise QueryError(
            f"There is no format {f[:40]!r} here.",
            f"此处没有格式“{f[:40]}”。",
            remedy_en=f"Formats: {', '.join(offered)}.",
            remedy_zh=f"可用格式：{'、'.join(offered)}。",
        )
    accepted = request.headers.get("accept", "")
    choose = _accepted if len(accepted) < _LONGEST_KEPT else _accepted.__wrapped__
    return FORMS[choose(accepted, tuple(offered))]


@lru_cache(maxsize=256)
def _accepted(header: str, offered: tuple[str, ...]) -> str:
    best, weight = offered[0], 0.0
    for kind, quality in _ranges(header):
        for name in offered:
            if quality > weight and _covers(kind, FORMS[name].essence):
                best, weight = name, quality
    return best


def prefers_html(accepted: str) -> bool:
    """Whether an Accept header names HTML above all else, as browsers do and programs do not."""
    ranges = list(_ranges(accepted))
    best = max((quality for _, quality in ranges), default=0.0)
    return best > 0 and next(kind for kind, quality in ranges if quality == best) == "text/html"


def _ranges(header: str) -> Iterable[tuple[str, float]]:
    for part in header.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        yield kind, quality


def _covers(kind: str, media_type: str) -> bool:
    if kind in ("*/*", media_type):
        return True
    if kind == "application/json":  # plain JSON is what many programs write for GeoJSON
        return media_type == "application/geo+json"
    return kind.endswith("/*") and media_type.startswith(kind[:-1])


def with_page(own: str, media_type: str = "application/json") -> list[dict[str, str]]:
    """Links to what is at the address ``own``, without a query, and to its page."""
    return [
        {"rel": "self", "type": media_type, "href": own},
        {"rel": "alternate", "type": FORMS["html"].media_type, "href": f"{own}?f=html"},
    ]


def written_query(parameters: Iterable[tuple[str, str]]) -> str:
    """``parameters`` as `urllib.parse.urlencode` writes them, which looks at each character."""
    return "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in parameters])


def _quoted(text: str) -> str:
    # Most values are numbers with commas.
    return text.replace(",", "%2C") if _PLAIN(text) else quote_plus(text)


def alternates(request: Request, chosen: Form, offered: Sequence[str]) -> list[dict[str, str]]:
    """Links to this resource in all forms: ``self`` in the one sent, ``alternate`` in the others.

    `api.pages` makes HTML of every answer, so no route offers it itself.
    """
    links = [{"rel": "self", "type": chosen.media_type, "href": str(request.url)}]
    own = [(name, value) for name, value in request.query_params.multi_items() if name != "f"]
    others = str(request.url.replace(query=written_query([*own, ("f", "")])))
    for name in (*offered, "html"):
        if name != chosen.name:
            links.append({"rel": "alternate", "type": FORMS[name].media_type, "href": others + name})
    return links
