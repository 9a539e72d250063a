"""A collection of OGC API Features (Part 1, 17-069r4): pages by their next links.

Incremental where ``updated`` names the property with the time of the last change and the server filters by
CQL2 (Part 3), or where it is the word "datetime" and the collection's own time is that of the change.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gis.harvest.kinds.paging import complete, newest, next_link
from gis.harvest.model import Ask, Fetched
from gis.harvest.net import joined, shown
from gis.harvest.scratch import FeatureFile
from gis.importing.issues import refused

__all__ = ["fetch"]

PAGE = 1000
_FILTER = "/ogcapi-features-3/1.0/conf/filter"
_CQL2 = "/cql2/1.0/conf/cql2-text"


def fetch(ask: Ask) -> Fetched:
    """All features of the collection, or those changed since the mark; in CRS84, as the standard has it."""
    collection = ask.url.partition("?")[0].rstrip("/").removesuffix("/items")
    described = ask.net.json(collection)
    items = _items(ask, collection, described)
    query: dict[str, str | int] = {"limit": ask.wishes.page or PAGE}
    since = _since(ask, collection)
    query |= since
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with FeatureFile(ask.folder) as file:
        url: str | None = items
        matched, seen, latest = None, set(), ask.mark.get("newest")
        while url is not None:
            if url in seen:
                raise refused("harvest_incomplete", value=str(file.rows), expected=str(matched or "?"))
            seen.add(url)
            page = ask.net.json(url, query if url == items else None)
            features = _features(page, url)
            file.add(features)
            matched = page.get("numberMatched", matched)
            latest = newest(latest, features, ask.wishes.updated)
            ask.told(file.rows, matched)
            if isinstance(matched, int) and file.rows > matched:
                break  # pages that come again and again
            link = next_link(page)
            url = None if link is None else ask.net.require_here(joined(url, link))
    complete(file, matched)
    # The collection's own time has no property by which the newest could be told.
    mark = {"newest": started if ask.wishes.updated == "datetime" else latest} if ask.wishes.updated else {}
    return Fetched(
        file.path, whole=not since, rows=file.rows, crs="CRS84", columns=frozenset(file.columns), mark=mark
    )


def _features(page: Mapping[str, Any], url: str) -> list[dict[str, Any]]:
    features = page.get("features")
    if not isinstance(features, list):
        raise refused("harvest_unreadable", value="features", expected=shown(url))
    return features


def _items(ask: Ask, collection: str, described: Mapping[str, Any]) -> str:
    """Where the items are: the collection's link that offers GeoJSON, else beside it."""
    links = [link for link in described.get("links", ()) if link.get("rel") == "items"]
    for link in links:
        if "geo+json" in str(link.get("type", "")):
            return ask.net.require_here(joined(collection, str(link["href"])))
    return f"{collection}/items"


def _since(ask: Ask, collection: str) -> dict[str, str]:
    """The parameters that leave out what has not changed; none when all is wanted or the server cannot."""
    updated, since = ask.wishes.updated, ask.mark.get("newest")
    if ask.whole or updated is None or since is None:
        return {}
    if updated == "datetime":
        return {"datetime": f"{since}/.."}
    root = collection.rpartition("/collections/")[0]
    known = ask.net.json(f"{root}/conformance").get("conformsTo", ())
    if not all(any(uri.endswith(part) for uri in known) for part in (_FILTER, _CQL2)):
        return {}
    name = '"' + updated.replace('"', '""') + '"'
    return {"filter": f"{name} >= TIMESTAMP('{since}')", "filter-lang": "cql2-text"}
