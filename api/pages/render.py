"""Templates, and what they are given."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote

import orjson
from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from starlette.requests import Request
from starlette.routing import Match

from api.deps import MapState
from api.pages.fields import FieldWords
from api.pages.words import Words
from gis.reports.words import plain
from layers.vocabulary import load_themes

__all__ = ["DIGEST", "render"]

_HERE = Path(__file__).parent
_TEMPLATES = _HERE / "templates"

# The template of each route; every other one shows its document as it is.
_PAGES: Mapping[str, str] = MappingProxyType(
    {
        "/": "landing",
        "/api": "api",
        "/conformance": "conformance",
        "/collections": "collections",
        "/collections/{layer}": "collection",
        "/collections/{layer}/items": "items",
        "/collections/{layer}/items/{uid:path}": "item",
        "/collections/{layer}/queryables": "schema",
        "/collections/{layer}/schema": "schema",
        "/collections/catalogue": "collection",
        "/collections/catalogue/items": "records",
        "/collections/catalogue/items/{id}": "item",
        "/changes": "changes",
        "/styles": "styles",
        "/styles/{style}": "style",
        "/processes": "processes",
        "/processes/{process}": "process",
        "/webhooks": "webhooks",
        "/webhooks/{name}": "webhook",
        "/jobs": "jobs",
        "/jobs/{job_id}": "job",
    }
)
_NO_TEXT = "—"
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?(Z|[+-]\d\d:\d\d)\Z")


def _digest() -> str:
    """A hash of what, besides the documents, decides about the pages."""
    files = sorted([*_HERE.glob("*.py"), *_HERE.glob("*.toml"), *_TEMPLATES.glob("*.j2")])
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:8]


DIGEST = _digest()
"""Changes with every change of the pages, so that no browser keeps an old one."""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=ChainableUndefined,  # documents leave out what they do not have
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": _number,
        "moment": _moment,
        "pretty": _pretty,
        "compact": lambda value: orjson.dumps(value).decode(),
        "segment": lambda text: quote(str(text), safe=""),
        "is_moment": lambda value: isinstance(value, str) and bool(_MOMENT.match(value)),
        "is_link": lambda value: isinstance(value, str) and value.startswith(("http://", "https://")),
    }
    return environment


def render(request: Request, route: str, status: int, document: Any, language: str) -> bytes:
    """The page of ``document``, the JSON answer of ``route`` with ``status``, in ``language``.

    Text is escaped, and signs that no page may hold are replaced; ``document`` may be anything.
    """
    state: MapState = request.app.state.onemap
    name = "problem" if status >= 400 else _PAGES.get(route, "document")
    template = _environment().get_template(f"{name}.html.j2")
    base = str(request.base_url).rstrip("/")
    here, words = request.url, Words(language)
    json_address = here.remove_query_params("lang").include_query_params(f="json")
    layer = state.definition.layers.get(_named_layer(request.scope["path"]))
    page = template.render(
        doc=plain(document),
        t=words,
        base=base,
        district=state.definition.district,
        layer=layer,
        fields=FieldWords(layer, words),
        titles={each.id: words.pick(each.title.model_dump()) for each in state.definition.layers.values()},
        themed=partial(_themed, state, words),
        version=state.version,
        status=status,
        here=str(here),
        path=request.url.path,
        crumbs=_crumbs(request, base),
        every_link=list(_links_in(document)),
        json_address=str(json_address),
        # The small map is in degrees, whatever the page was asked for.
        features_address=str(json_address.remove_query_params("crs")),
        languages=[
            (each, str(here.include_query_params(lang=each)))
            for each in state.definition.district.languages
            if each != language
        ],
    )
    return page.encode()


def _themed(
    state: MapState, words: Words, collections: list[dict[str, Any]]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """Collections under the titles of their themes, in the order of the map's tree; others at the end."""
    layers = state.definition.layers
    found = [
        (
            words.pick(theme.title.model_dump()),
            [each for each in collections if each["id"] in layers and layers[each["id"]].theme == name],
        )
        for name, theme in load_themes(state.settings.layers).items()
    ]
    others = [each for each in collections if each["id"] not in layers]
    return [(title, members) for title, members in [*found, (words("collections.others"), others)] if members]


def _links_in(node: Any) -> Iterator[dict[str, Any]]:
    """The links of a document wherever they stand in it, each once."""
    seen: set[tuple[str, str, str]] = set()

    def found(node: Any) -> Iterator[dict[str, Any]]:
        if isinstance(node, list):
            for each in node:
                yield from found(each)
        elif isinstance(node, dict):
            if isinstance(node.get("href"), str) and isinstance(node.get("rel"), str):
                key = (node["href"], node["rel"], str(node.get("type")))
                if key not in seen:
                    seen.add(key)
                    yield node
            for each in node.values():
                yield from found(each)

    return found(node)


def _named_layer(path: str) -> str:
    """The layer that a path such as /collections/wells/items is about."""
    first, _, rest = path.strip("/").partition("/")
    return unquote(rest.partition("/")[0]) if first in ("collections", "styles") else ""


def _crumbs(request: Request, base: str) -> list[tuple[str, str | None]]:
    """The steps that lead to the page, each with its address; None where there is nothing to see."""
    steps = [step for step in request.scope["path"].split("/") if step]
    paths = ["/" + "/".join(steps[: i + 1]) for i in range(len(steps))]
    routes = request.app.routes

    def leads_somewhere(path: str) -> bool:
        asked = {"type": "http", "method": "GET", "path": path, "headers": []}
        return any(route.matches(asked)[0] is Match.FULL for route in routes)

    return [
        (unquote(step), base + quote(path) if leads_somewhere(path) else None)
        for step, path in zip(steps, paths, strict=True)
    ]


def _number(value: Any) -> str:
    """A number as people read it: 12,345; what is no number stays as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _NO_TEXT if value is None else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.10g}"


def _moment(value: Any) -> str:
    """A time as people read it, to the minute; what is no time stays as it is."""
    found = _MOMENT.match(str(value))
    return (
        f"{found[1]} {found[2]}{' UTC' if found[3] in ('Z', '+00:00') else found[3]}" if found else str(value)
    )


def _pretty(value: Any) -> str:
    """A value as indented JSON."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
