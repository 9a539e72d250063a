"""In which form an answer goes out: one table of forms, and one function that chooses by ``f`` and Accept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import parse_qsl, urlencode

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
    return FORMS[_accepted(request.headers.get("accept", ""), offered)]


def _accepted(header: str, offered: Sequence[str]) -> str:
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


def alternates(request: Request, chosen: Form, offered: Sequence[str]) -> list[dict[str, str]]:
    """Links to this resource in all forms: ``self`` in the one sent, ``alternate`` in the others.

    `api.pages` makes HTML of every answer, so no route offers it itself.
    """
    links = [{"rel": "self", "type": chosen.media_type, "href": str(request.url)}]
    own = [
        (name, value) for name, value in parse_qsl(request.url.query, keep_blank_values=True) if name != "f"
    ]
    others = str(request.url.replace(query=urlencode([*own, ("f", "")])))
    for name in (*offered, "html"):
        if name != chosen.name:
            links.append({"rel": "alternate", "type": FORMS[name].media_type, "href": others + name})
    return links
