"""Subscriptions over HTTP and by command; what is sent is in tests/gis/test_webhooks.py."""

from __future__ import annotations

from sqlalchemy import text

from gis.db import connect
from tests.api.conftest import SmallMap, client_of
from tests.api.test_cli import Run, onemap
from tests.api.test_errors import shape

__all__ = ["onemap"]

HOOK = {"name": "desk", "url": "http://127.0.0.1:9/hook", "layers": ["wells"]}


def test_a_receiver_is_subscribed_looked_at_set_back_and_removed(own_map: SmallMap) -> None:
    client = client_of(own_map.app(webhook_hosts=("127.0.0.1",)))
    made = client.post("/webhooks", json=HOOK)
    assert made.status_code == 201 and made.headers["Location"].endswith("/webhooks/desk")
    secret = made.json()["secret"]
    listed = client.get("/webhooks")
    (entry,) = listed.json()["webhooks"]
    assert (entry["layers"], entry["status"], entry["delivered"]) == (["wells"], "active", 0)
    assert secret not in listed.text + client.get("/webhooks/desk").text
    shape(client.post("/webhooks", json=HOOK), 400)
    told = client.post("/webhooks/desk/replay", json={"since": 0}).json()["told"]
    assert told == 0 < entry["told"]
    assert client.get("/webhooks/desk/dead").json()["dead"] == []
    assert client.delete("/webhooks/desk").status_code == 204
    shape(client.get("/webhooks/desk"), 404)
    shape(client.delete("/webhooks/desk"), 404)


def test_a_secret_is_kept_nowhere_to_be_told_again(own_map: SmallMap) -> None:
    client = client_of(own_map.app(webhook_hosts=("127.0.0.1",)))
    key = {"Idempotency-Key": "hook-1"}
    secret = client.post("/webhooks", json=HOOK, headers=key).json()["secret"]
    again = client.post("/webhooks", json=HOOK, headers=key)
    assert secret not in again.text
    shape(again, 400)  # there is one of this name
    with connect(own_map.engine) as conn:
        kept = conn.execute(text("SELECT * FROM core.kept_answers")).all()
    assert kept and secret not in str(kept)


def test_strangers_and_pages_of_others_subscribe_nobody(own_map: SmallMap) -> None:
    client = client_of(own_map.app())
    assert "ONEMAP_WEBHOOK_HOSTS" in shape(client.post("/webhooks", json=HOOK), 400)["remedy_en"]
    shape(client.post("/webhooks", json=HOOK, headers={"Origin": "https://evil.example"}), 403)
    shape(client.post("/webhooks", content=b"{}", headers={"Content-Type": "text/plain"}), 415)
    public = client_of(own_map.app(allow_imports=False))
    for method, path in (("GET", ""), ("POST", ""), ("GET", "/desk"), ("DELETE", "/desk")):
        shape(public.request(method, f"/webhooks{path}", json=HOOK), 403)


def test_the_commands_do_the_same(onemap: Run, monkeypatch: object) -> None:
    made = onemap("webhooks", "add", "desk", "https://1.1.1.1/hook", "--layer", "wells", "--json")
    assert made.json["secret"].startswith("whsec_") and made.json["layers"] == ["wells"]
    listed = onemap("webhooks", "list", "--json")
    assert [each["name"] for each in listed.json] == ["desk"] and "secret" not in listed.json[0]
    assert "desk" in onemap("webhooks", "list").out
    assert onemap("webhooks", "replay", "desk", "--since", "0").status == 0
    assert onemap("webhooks", "list", "--json").json[0]["told"] == 0
    assert onemap("webhooks", "dead", "desk", "--json").json == []
    assert onemap("webhooks", "add", "two", "https://127.0.0.1/").status == 1
    assert onemap("webhooks", "remove", "desk").status == 0
    assert onemap("webhooks", "remove", "desk").status == 1
    assert [entry["action"] for entry in onemap("audit", "list", "--json").json] == [
        "webhook.remove", "webhook.replay", "webhook.add",
    ]  # fmt: skip
