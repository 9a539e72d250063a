"""Who may ask what: each route with its rule, in one place. Without one for each, the service does not start.

What a rule lets through is decided elsewhere: rows and fields by the database (`gis.rights`), layers by
`MapDefinition.seen_by`, writing by `api.writing`. The table says which of these holds for a route, and the
tests try every route as every role by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

from fastapi import FastAPI

from api.identity import Action, Needs

__all__ = ["RULES", "Rule", "actions_of", "require_rules"]


class Rule(StrEnum):
    """Whom a route answers, and with what."""

    OPEN = "open"
    """Everybody alike: it tells nothing of a layer's rows."""
    SEEN = "seen"
    """Everybody, with the layers, rows and fields that their scope sees; 404 for a layer that it does not."""
    OWN = "own"
    """Whoever it was made for, or sees all that it was made from; 404 for others."""
    MEMBER = "member"
    """Whoever said who they are, and the machine itself; 403 for the public."""
    WRITE = "write"
    """Roles that may change a layer, and the machine itself; 403 for others."""
    EDIT = "edit"
    """Roles that may change the layer, within their areas; 403 for others, 404 for what they do not see."""
    ADMIN = "admin"
    """Administrators, and the machine itself; 403 for others."""


RULES: dict[tuple[str, str], Rule] = {
    ("GET", "/"): Rule.OPEN,
    ("GET", "/api"): Rule.OPEN,
    ("GET", "/conformance"): Rule.OPEN,
    ("GET", "/functions"): Rule.OPEN,
    ("GET", "/healthz"): Rule.OPEN,
    ("GET", "/tileMatrixSets"): Rule.OPEN,
    ("GET", "/tileMatrixSets/{matrix}"): Rule.OPEN,
    ("GET", "/processes"): Rule.OPEN,
    ("GET", "/processes/{process}"): Rule.OPEN,
    ("POST", "/processes/{process}/execution"): Rule.SEEN,
    ("POST", "/processes/buffer/execution"): Rule.SEEN,
    ("GET", "/healthz/live"): Rule.OPEN,
    ("GET", "/asyncapi"): Rule.OPEN,
    ("GET", "/collections/catalogue"): Rule.OPEN,
    ("GET", "/collections/catalogue/items"): Rule.SEEN,
    ("GET", "/collections/catalogue/items/{id}"): Rule.SEEN,
    ("GET", "/changes"): Rule.SEEN,
    ("POST", "/processes/overlay/execution"): Rule.SEEN,
    ("POST", "/processes/nearest/execution"): Rule.SEEN,
    ("GET", "/rasters/{raster}/tiles/{matrix_set}/{z}/{y}/{x}.png"): Rule.OPEN,
    ("GET", "/rasters/{raster}/value"): Rule.OPEN,
    ("GET", "/imports"): Rule.OPEN,
    ("GET", "/session"): Rule.OPEN,
    ("POST", "/session"): Rule.OPEN,
    ("DELETE", "/session"): Rule.OPEN,
    ("GET", "/app/config"): Rule.SEEN,
    ("GET", "/app/conflicts"): Rule.SEEN,
    ("GET", "/app/search"): Rule.SEEN,
    ("GET", "/collections"): Rule.SEEN,
    ("GET", "/collections/{layer}"): Rule.SEEN,
    ("GET", "/collections/{layer}/queryables"): Rule.SEEN,
    ("GET", "/collections/{layer}/schema"): Rule.SEEN,
    ("GET", "/collections/{layer}/sortables"): Rule.SEEN,
    ("GET", "/collections/{layer}/items"): Rule.SEEN,
    ("GET", "/collections/{layer}/items/{uid:path}"): Rule.SEEN,
    ("OPTIONS", "/collections/{layer}/items"): Rule.SEEN,
    ("OPTIONS", "/collections/{layer}/items/{uid:path}"): Rule.SEEN,
    ("GET", "/collections/{layer}/claims/{uid:path}"): Rule.SEEN,
    ("GET", "/collections/{layer}/tiles"): Rule.SEEN,
    ("GET", "/collections/{layer}/tiles/{matrix}"): Rule.SEEN,
    ("GET", "/collections/{layer}/tiles/{matrix}/{z}/{y}/{x}"): Rule.SEEN,
    ("GET", "/tiles"): Rule.OPEN,
    ("GET", "/tiles/{matrix}"): Rule.SEEN,
    ("GET", "/tiles/{matrix}/{z}/{y}/{x}"): Rule.SEEN,
    ("GET", "/styles"): Rule.SEEN,
    ("GET", "/styles/{style}"): Rule.SEEN,
    ("GET", "/styles/{style}/metadata"): Rule.SEEN,
    ("GET", "/qgis"): Rule.SEEN,
    ("GET", "/health/layers"): Rule.SEEN,
    ("GET", "/health/layers/{layer}"): Rule.SEEN,
    ("GET", "/sources"): Rule.SEEN,
    ("GET", "/sources/{name}"): Rule.SEEN,
    ("POST", "/processes/screen/execution"): Rule.SEEN,
    ("POST", "/processes/upstream/execution"): Rule.SEEN,
    ("GET", "/jobs"): Rule.OWN,
    ("GET", "/jobs/{job_id}"): Rule.OWN,
    ("GET", "/jobs/{job_id}/results"): Rule.OWN,
    ("GET", "/jobs/{job_id}/sites"): Rule.OWN,
    ("DELETE", "/jobs/{job_id}"): Rule.OWN,
    ("GET", "/reports/{id}"): Rule.OWN,
    ("GET", "/reports/{id}/current"): Rule.OWN,
    ("POST", "/processes/screen-batch/execution"): Rule.MEMBER,
    ("POST", "/conflicts/marks"): Rule.MEMBER,
    ("GET", "/metrics"): Rule.ADMIN,
    ("GET", "/webhooks"): Rule.ADMIN,
    ("POST", "/webhooks"): Rule.ADMIN,
    ("GET", "/webhooks/{name}"): Rule.ADMIN,
    ("DELETE", "/webhooks/{name}"): Rule.ADMIN,
    ("POST", "/webhooks/{name}/replay"): Rule.ADMIN,
    ("GET", "/webhooks/{name}/dead"): Rule.ADMIN,
    ("POST", "/collections/{layer}/items"): Rule.EDIT,
    ("PUT", "/collections/{layer}/items/{uid:path}"): Rule.EDIT,
    ("PATCH", "/collections/{layer}/items/{uid:path}"): Rule.EDIT,
    ("DELETE", "/collections/{layer}/items/{uid:path}"): Rule.EDIT,
    ("POST", "/imports"): Rule.WRITE,
    ("GET", "/imports/{id}"): Rule.WRITE,
    ("DELETE", "/imports/{id}"): Rule.WRITE,
    ("GET", "/imports/{id}/preview"): Rule.WRITE,
    ("POST", "/imports/{id}/plan"): Rule.WRITE,
    ("GET", "/imports/{id}/changes"): Rule.WRITE,
    ("POST", "/imports/{id}/commit"): Rule.WRITE,
    ("GET", "/imports/{id}/rejects"): Rule.WRITE,
}


def actions_of(app: FastAPI) -> dict[tuple[str, str], list[Action]]:
    """What each route of ``app`` says that it is for; files of the front end are mounted and are none."""
    found = {}
    for method, route in _walk(app.routes):
        dependant = getattr(
            route, "dependant", None
        )  # a plain route of Starlette has none, so no action either
        calls = [] if dependant is None else [dependency.call for dependency in dependant.dependencies]
        found[method, route.path] = [call.action for call in calls if isinstance(call, Needs)]
    return found


def _walk(routes: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _walk(inner.routes)
        for method in getattr(route, "methods", None) or ():
            if method != "HEAD":
                yield method, route


def require_rules(app: FastAPI) -> None:
    """Refuse to go on with a route that has no rule or not one action, or a rule that has no route."""
    actions = actions_of(app)
    there = actions.keys()
    lacking, idle = sorted(there - RULES.keys()), sorted(RULES.keys() - there)
    if lacking or idle:
        raise RuntimeError(f"api.access.RULES lacks {lacking} and has no route for {idle}.")
    unclear = sorted(route for route, found in actions.items() if len(found) != 1)
    if unclear:
        raise RuntimeError(f"Each route needs one action (api.identity.needs); not so {unclear}.")
