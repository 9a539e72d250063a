"""Webhooks over TCP: in order, at least once, signed, and never to where they may not go."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from sqlalchemy import Engine
from standardwebhooks import Webhook

from api.asyncapi import describe_events
from gis.changes import Position
from gis.db import connect
from gis.editing import create, delete, read_document, update
from gis.errors import NotFound, QueryError
from gis.importing import ImportResult
from gis.revisions import head
from gis.settings import MapDefinition
from gis.webhooks import (
    Delivered,
    Patience,
    Sender,
    SendLimits,
    Subscription,
    add_subscription,
    dead_letters,
    deliver,
    due,
    find_subscription,
    list_subscriptions,
    remove_subscription,
    replay,
)
from tests.gis.receiver import Receiver, receiving

ROOT = Path(__file__).parents[2]
LOCAL = Sender(["127.0.0.0/8"], SendLimits(idle_s=0.4, total_s=0.8))
AT_ONCE = Patience(first_s=-3600.0, attempts=3)  # due long since, though the clock be put back meanwhile
Load = Callable[..., ImportResult]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def subscribe(store: Engine, small_map: MapDefinition, url: str, **options: object) -> str:
    """Subscribes "desk" to ``url``; its secret."""
    with connect(store, write=True) as conn:
        _, secret = add_subscription(conn, small_map, LOCAL, "desk", url, who="test", **options)  # type: ignore[arg-type]
    return secret


def desk(store: Engine) -> Subscription:
    with connect(store) as conn:
        return find_subscription(conn, "desk")


def turn(store: Engine, small_map: MapDefinition, patience: Patience = AT_ONCE) -> Delivered:
    return deliver(store, small_map, desk(store).subscription_id, LOCAL, patience=patience)


def wells(load: Load, *codes: str) -> int:
    """Writes one revision of wells; its number."""
    rows = "".join(f"{code},井,dug,3,120.005,28.905\n" for code in codes)
    rev = load("wells", f"code,name,kind,depth,lon,lat\n{rows}").change.rev
    assert rev is not None
    return rev


def test_each_revision_is_told_in_order_as_a_signed_cloudevent(
    store: Engine, small_map: MapDefinition, load: Load, receiver: Receiver
) -> None:
    first = wells(load, "A")
    secret = subscribe(store, small_map, receiver.url, since=0)
    second = wells(load, *(f"B{i:03}" for i in range(120)))
    assert turn(store, small_map) == Delivered(2, 0) and turn(store, small_map) == Delivered(0, 0)
    assert receiver.told == [(first, "wells"), (second, "wells")]
    one, two = receiver.events
    assert one["data"]["rows"] == [{"uid": "A", "change": "added"}] and one["data"]["complete"] is True
    assert (two["data"]["added"], len(two["data"]["rows"]), two["data"]["complete"]) == (120, 100, False)
    assert {k: one[k] for k in ("specversion", "type", "subject")} == {
        "specversion": "1.0", "type": "onemap.layer.changed.v1", "subject": "wells",
    }  # fmt: skip
    assert one["id"] != two["id"] and one["sequence"] < two["sequence"]
    for headers, body in receiver.came:
        assert headers["content-type"] == "application/cloudevents+json"
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
    assert desk(store).position.rev == second + 1 and desk(store).delivered == 2


def test_edits_of_single_items_are_told_as_imports_are(
    store: Engine, small_map: MapDefinition, load: Load, receiver: Receiver
) -> None:
    before = wells(load, "A")
    subscribe(store, small_map, receiver.url)
    layer = small_map.layers["wells"]
    whoever: dict[str, Any] = {"who": "li", "most_vertices": 100}
    values = {"code": "B", "name": "井", "kind": "dug", "depth": 3}
    place = {"type": "Point", "coordinates": [120.005, 28.905]}
    document = read_document(
        {"type": "Feature", "geometry": place, "properties": values}, None, small_map.district
    )
    create(store, small_map, layer, document, **whoever)
    update(store, small_map, layer, "A", {"properties": {"depth": 4}}, None, versions=None, **whoever)
    delete(store, small_map, layer, "B", versions=None, who="li")
    assert turn(store, small_map) == Delivered(3, 0)
    assert receiver.told == [(before + n, "wells") for n in (1, 2, 3)]
    assert [event["data"]["rows"] for event in receiver.events] == [
        [{"uid": "B", "change": "added"}],
        [{"uid": "A", "change": "changed"}],
        [{"uid": "B", "change": "closed"}],
    ]


def test_only_the_layers_asked_for_are_told(
    store: Engine, small_map: MapDefinition, load: Load, receiver: Receiver
) -> None:
    subscribe(store, small_map, receiver.url, layers=["pads"])
    wells(load, "A")
    with connect(store) as conn:
        assert due(conn) == [desk(store).subscription_id]
    assert turn(store, small_map) == Delivered(0, 0)
    with connect(store) as conn:
        assert due(conn) == []  # it knows all that is for it


@pytest.mark.parametrize("fault", [500, 429, 301, "hangs", "drips", "dies"])
def test_what_a_receiver_does_not_take_is_told_again_and_nothing_overtakes_it(
    store: Engine, small_map: MapDefinition, load: Load, receiver: Receiver, fault: object
) -> None:
    subscribe(store, small_map, receiver.url)
    first, second = wells(load, "A"), wells(load, "B")
    receiver.answers = [fault]
    begun = time.monotonic()
    assert turn(store, small_map) == Delivered(0, 0)
    assert time.monotonic() - begun < 20  # it hangs for 30 s, and drips for ever
    assert (desk(store).failures, receiver.told) == (1, [(first, "wells")])
    assert turn(store, small_map) == Delivered(2, 0)
    assert receiver.told == [(first, "wells"), (first, "wells"), (second, "wells")]
    assert receiver.events[0]["id"] == receiver.events[1]["id"]
    assert desk(store).failures == 0


def test_a_flood_for_an_answer_is_not_read(
    store: Engine, small_map: MapDefinition, load: Load, receiver: Receiver
) -> None:
    subscribe(store, small_map, receiver.url)
    wells(load, "A")
    receiver.answers = ["floods"]
    assert turn(store, small_map) == Delivered(1, 0)


def test_what_is_never_taken_is_given_up_and_can_be_told_again(
    store: Engine, small_map: MapDefinition, load: Load, receiver: Receiver
) -> None:
    subscribe(store, small_map, receiver.url)
    first, second = wells(load, "A"), wells(load, "B")
    receiver.answers = [500, 503, 500]
    assert [turn(store, small_map) for _ in range(3)] == [Delivered(0, 0), Delivered(0, 0), Delivered(0, 1)]
    assert turn(store, small_map) == Delivered(1, 0)
    with connect(store) as conn:
        (letter,) = dead_letters(conn, "desk")
    assert (letter.rev, letter.layer, letter.attempts) == (first, "wells", 3)
    assert letter.reason.startswith("500")
    with connect(store, write=True) as conn:
        replay(conn, "desk", first - 1)
        assert dead_letters(conn, "desk") == []
    assert turn(store, small_map) == Delivered(2, 0)
    assert receiver.told[-2:] == [(first, "wells"), (second, "wells")]


def test_waiting_grows_and_heeds_what_the_receiver_asks(
    store: Engine, small_map: MapDefinition, load: Load, receiver: Receiver
) -> None:
    patience = Patience()
    waits = [patience.wait_s(n, None) for n in range(1, 60)]
    assert all(2.5 * 2**n <= wait <= 5 * 2**n for n, wait in enumerate(waits[:9]))
    assert max(waits) <= 3600 and patience.wait_s(1, 100.0) == 100.0
    assert patience.wait_s(1, 10**9) == 86_400
    subscribe(store, small_map, receiver.url)
    wells(load, "A")
    now = datetime.now(UTC)
    for asked in ("120", format_datetime(now + timedelta(seconds=121), usegmt=True), "soon", "²"):
        receiver.answers = [(429, {"Retry-After": asked})]
        with connect(store, write=True) as conn:
            replay(conn, "desk", head(conn) - 1)
        turn(store, small_map, patience)
        wait = (desk(store).next_at - now).total_seconds()
        assert wait < 20 if asked in ("soon", "²") else 118 < wait < 140
        with connect(store) as conn:
            assert due(conn) == []
    assert turn(store, small_map) == Delivered(0, 0) and len(receiver.came) == 4


def test_a_receiver_that_is_gone_is_left_alone(
    store: Engine, small_map: MapDefinition, load: Load, receiver: Receiver
) -> None:
    subscribe(store, small_map, receiver.url)
    rev = wells(load, "A")
    receiver.answers = [410]
    turn(store, small_map)
    assert desk(store).paused is not None and desk(store).position.rev <= rev
    with connect(store) as conn:
        assert due(conn) == []
    with connect(store, write=True) as conn:
        assert replay(conn, "desk", rev - 1).paused is None
    assert turn(store, small_map) == Delivered(1, 0)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x", "https://[::1]/x", "https://169.254.169.254/latest", "https://10.0.0.1/",
        "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/",
        "https://localhost/", "https://0/", "https://2130706433/", "https://224.0.0.1/", "https://[fe80::1]/",
        "http://93.184.215.14/", "ftp://93.184.215.14/", "file:///etc/passwd", "https://user:pw@1.1.1.1/",
        "https://1.1.1.1/#x", "https:///x", "https://1.1.1.1:99999/", "https://1.1.1.1/a b", "x",
        "https://1.1.1.1/\r\nX: y",
    ],
)  # fmt: skip
def test_addresses_that_may_not_be_reached_are_refused(url: str) -> None:
    strict = Sender()
    with pytest.raises(QueryError):
        strict.check(url)


def test_public_addresses_and_named_ones_may_be_reached(receiver: Receiver) -> None:
    Sender().check("https://1.1.1.1/hook")
    Sender(["localhost"]).check("http://localhost:8080/hook")
    Sender(["10.0.0.0/8"]).check("http://10.1.2.3/")
    with pytest.raises(QueryError):
        Sender(["10.0.0.0/8"]).check("http://192.168.0.1/")
    # Checked again at the sending, on the address that is then connected to.
    reply = Sender().send(receiver.url.replace("http:", "https:"), "whsec_AAAA", "1", "text/plain", b"")
    assert (reply.status, receiver.came) == (None, []) and "may not reach" in reply.words


def test_a_subscription_is_kept_without_showing_its_secret(
    store: Engine, small_map: MapDefinition, receiver: Receiver
) -> None:
    secret = subscribe(store, small_map, receiver.url, layers=["wells", "pads", "wells"])
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    with connect(store, write=True) as conn:
        (held,) = list_subscriptions(conn)
        assert held.layers == ("pads", "wells") and secret not in repr(held)
        for name, options in (("desk", {}), ("a b", {}), ("ok", {"since": 99})):
            with pytest.raises(QueryError):
                add_subscription(conn, small_map, LOCAL, name, receiver.url, who="x", **options)
        with pytest.raises(NotFound):
            add_subscription(conn, small_map, LOCAL, "ok", receiver.url, who="x", layers=["none"])
        remove_subscription(conn, "desk")
        with pytest.raises(NotFound):
            find_subscription(conn, "desk")
    assert deliver(store, small_map, held.subscription_id, LOCAL) == Delivered(0, 0)


def test_a_killed_worker_loses_nothing(
    store: Engine, small_map: MapDefinition, load: Load, receiver: Receiver
) -> None:
    """kill -9 while events are under way: the next worker goes on, and each revision was told, in order."""
    subscribe(store, small_map, receiver.url)
    revs = [wells(load, f"A{i}") for i in range(6)]
    receiver.answers = [204, 204, "hangs"]
    url = store.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.gis.hookworker", url]
    with subprocess.Popen(command, cwd=ROOT) as victim:
        try:
            receiver.wait(lambda: len(receiver.came) == 3, 30)
        finally:
            victim.send_signal(signal.SIGKILL)
    assert desk(store).position == Position(revs[1], "wells\x01") and desk(store).failures == 0
    with subprocess.Popen(command, cwd=ROOT) as successor:
        try:
            receiver.wait(lambda: len(receiver.came) == 7, 30)
            revs.append(wells(load, "last"))  # what is written while it runs is told within seconds
            receiver.wait(lambda: len(receiver.came) == 8, 10)
        finally:
            successor.send_signal(signal.SIGTERM)
    assert [rev for rev, _ in receiver.told] == [*revs[:3], *revs[2:]]


def test_what_is_sent_is_what_the_description_says(
    store: Engine, small_map: MapDefinition, load: Load, receiver: Receiver
) -> None:
    described = describe_events("1", "http://127.0.0.1")
    message = described["components"]["messages"]["layerChanged"]
    secret = subscribe(store, small_map, receiver.url)
    wells(load, "A")
    turn(store, small_map)
    ((headers, body),) = receiver.came
    jsonschema.validate(json.loads(body), message["payload"])
    jsonschema.validate(headers, message["headers"])
    assert headers["content-type"] == message["contentType"]
    Webhook(secret).verify(body, headers)  # the library that receivers use
    (operation,) = described["operations"].values()
    for reference in (operation["channel"], *operation["messages"]):
        node: Any = described
        for step in reference["$ref"].removeprefix("#/").split("/"):
            node = node[step]
        assert node
