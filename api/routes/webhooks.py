"""Subscriptions to changes; whoever may administer the map sets them up."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response

from api.bodies import JsonRoute
from api.deps import StoreDep, as_json, links_base, strict_parameters
from api.identity import Action, actor, needs
from api.models import NewWebhook, Replay
from api.shapes import dead_letter, subscription_entry
from api.writing import own_page, with_json
from gis.db import connect
from gis.webhooks import (
    Sender,
    Subscription,
    add_subscription,
    dead_letters,
    find_subscription,
    list_subscriptions,
    remove_subscription,
    replay,
)

router = APIRouter(
    prefix="/webhooks",
    tags=["Webhooks"],
    dependencies=[Depends(needs(Action.ADMIN)), Depends(strict_parameters)],
    route_class=JsonRoute,
)

_FRESH = {"Cache-Control": "no-store"}
_WRITING = [Depends(own_page)]
Name = Annotated[str, Path(max_length=63, description="Name of the subscription")]


@router.get("", summary="All subscriptions")
def get_webhooks(request: Request, store: StoreDep) -> Response:
    """Who is told of changes, and how far; secrets are not shown."""
    base = links_base(request)
    with connect(store.reader) as conn:
        found = [_entry(each, base) for each in list_subscriptions(conn)]
    link = {"rel": "self", "type": "application/json", "href": f"{base}/webhooks"}
    return as_json({"webhooks": found, "links": [link]}, headers=_FRESH)


@router.post(
    "", status_code=201, summary="Subscribe a receiver", dependencies=[*_WRITING, Depends(with_json)]
)
def post_webhook(request: Request, store: StoreDep, wanted: NewWebhook) -> Response:
    """The subscription with its secret, which signs what is sent and is shown this once."""
    sender = Sender(store.settings.webhook_hosts)
    with connect(store.engine, write=True) as conn:
        made, secret = add_subscription(
            conn, store.definition, sender, wanted.name, wanted.url, layers=wanted.layers,
            since=wanted.since, who=actor(request, "http"),
        )  # fmt: skip
    entry = _entry(made, links_base(request))
    answer = as_json(entry | {"secret": secret}, headers={**_FRESH, "Location": entry["links"][0]["href"]})
    answer.status_code = 201
    request.state.told_once = True
    return answer


@router.get("/{name}", summary="One subscription")
def get_webhook(request: Request, store: StoreDep, name: Name) -> Response:
    """How far its receiver has been told, and how the last attempt ended."""
    with connect(store.reader) as conn:
        return as_json(_entry(find_subscription(conn, name), links_base(request)), headers=_FRESH)


@router.delete("/{name}", status_code=204, summary="End a subscription", dependencies=_WRITING)
def delete_webhook(store: StoreDep, name: Name) -> Response:
    """Nothing more is sent; what was given up is forgotten too."""
    with connect(store.engine, write=True) as conn:
        remove_subscription(conn, name)
    return Response(status_code=204)


@router.post("/{name}/replay", summary="Tell again", dependencies=[*_WRITING, Depends(with_json)])
def post_replay(request: Request, store: StoreDep, name: Name, wanted: Replay) -> Response:
    """Everything after a revision is told once more, what was given up too; a pause ends."""
    with connect(store.engine, write=True) as conn:
        found = replay(conn, name, wanted.since)
    return as_json(_entry(found, links_base(request)), headers=_FRESH)


@router.get("/{name}/dead", summary="What was given up")
def get_dead_letters(request: Request, store: StoreDep, name: Name) -> Response:
    """Events that the receiver did not take in all attempts."""
    own = f"{links_base(request)}/webhooks/{name}"
    with connect(store.reader) as conn:
        found = [dead_letter(letter) for letter in dead_letters(conn, name)]
    links = [{"rel": "self", "type": "application/json", "href": f"{own}/dead"},
             {"rel": "up", "type": "application/json", "href": own}]  # fmt: skip
    return as_json({"dead": found, "links": links}, headers=_FRESH)


def _entry(subscription: Subscription, base: str) -> dict[str, Any]:
    own = f"{base}/webhooks/{subscription.name}"
    links = [
        {"rel": "self", "type": "application/json", "href": own},
        {"rel": "related", "type": "application/json", "href": f"{own}/dead"},
    ]
    return subscription_entry(subscription) | {"links": links}
