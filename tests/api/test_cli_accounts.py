"""``onemap user``, ``key`` and ``audit`` on a real store."""

from __future__ import annotations

import io
import sys

import pytest
from sqlalchemy import text

from gis.access import Scope
from gis.db import connect
from tests.api.conftest import SmallMap, client_of
from tests.api.test_cli import Run, onemap

__all__ = ["onemap"]

WORD = "three quiet herons"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes in on standard input; hashes cost next to nothing."""
    for name, value in (("TIME_COST", "1"), ("MEMORY_KIB", "8"), ("LANES", "1")):
        monkeypatch.setenv(f"ONEMAP_PASSWORD_{name}", value)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{WORD}\nfour loud magpies\n"))


@pytest.mark.usefixtures("typed")
def test_accounts_keys_and_their_log(onemap: Run, own_map: SmallMap) -> None:
    added = onemap("user", "add", "Wang", "--role", "editor", "--areas", "b,a", "--password-stdin", "--json")
    assert (added.json["name"], added.json["areas"], added.json["disabled"]) == ("wang", ["a", "b"], False)
    client = client_of(own_map.app())
    login = {"name": "wang", "password": WORD}
    assert client.post("/session", json=login).status_code == 200
    assert onemap("user", "passwd", "wang", "--password-stdin").status == 0
    assert client.get("/session").status_code == 401
    assert (
        onemap("user", "set", "wang", "--role", "regulator", "--areas", "all", "--json").json["areas"] is None
    )
    assert "regulator" in onemap("user", "list").out
    key = onemap("key", "add", "notebook", "--account", "wang", "--expires", "30", "--json").json
    shown = {"Authorization": f"Bearer {key['key']}"}
    assert client_of(own_map.app()).get("/session", headers=shown).json()["role"] == "regulator"
    assert key["key"] not in onemap("key", "list").out and key["prefix"] in onemap("key", "list").out
    assert onemap("user", "disable", "wang", "--json").json["disabled"] is True
    assert client_of(own_map.app()).get("/session", headers=shown).status_code == 401
    assert onemap("user", "disable", "wang", "--undo").status == 0
    assert onemap("key", "revoke", key["prefix"]).status == 0
    assert onemap("user", "remove", "wang", "--yes").status == 0
    assert onemap("user", "list", "--json").json == []

    log = onemap("audit", "list", "--limit", "500", "--json").json
    done = [entry["action"] for entry in reversed(log) if entry["via"] == "command"]
    assert done == [
        "account.add", "account.passwd", "account.set", "key.add", "account.disable", "account.enable",
        "key.revoke", "account.remove",
    ]  # fmt: skip
    assert WORD not in str(log) and key["key"] not in str(log) and "magpies" not in str(log)
    whole = onemap("audit", "verify")
    assert whole.status == 0 and "none altered" in whole.out
    head = whole.out.split()[-1]
    assert onemap("audit", "verify", "--noted", head).status == 0
    with connect(own_map.engine, write=True) as conn:
        conn.execute(text("ALTER TABLE core.audit DISABLE TRIGGER ALL"))
        conn.execute(text("UPDATE core.audit SET who = 'other' WHERE seq = 2"))
    broken = onemap("audit", "verify", "--json")
    assert broken.status == 1 and broken.json["fault"]["seq"] == 2


@pytest.mark.usefixtures("typed")
def test_what_will_not_do_is_one_line(onemap: Run) -> None:
    for words, said in (
        (("user", "add", "a:b", "--password-stdin"), "cannot be the name"),
        (("user", "add", "li", "--role", "king", "--password-stdin"), "no role"),
        (("user", "passwd", "nobody", "--password-stdin"), "no account"),
        (("key", "add", "x"), "--account or --role"),
        (("key", "revoke", "nothere1"), "no key"),
    ):
        refused = onemap(*words)
        assert refused.status == 1 and said in refused.err and refused.err.count("\n") == 1
    assert onemap("user", "set", "li").status == 2
    assert onemap("audit", "verify", "--noted", "x").status == 2


@pytest.mark.usefixtures("typed")
def test_the_doctor_looks_as_an_account(onemap: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Scope] = []

    def noted(_engine: object, _definition: object, scope: Scope) -> list[object]:
        asked.append(scope)  # what is compared, and how, tests/access shows
        return []

    monkeypatch.setattr("gis.leaks.compare", noted)
    onemap("user", "add", "Wang", "--role", "editor", "--areas", "b,a", "--password-stdin")
    assert onemap("doctor", "access", "--as", "WANG").status == 0
    assert onemap("doctor", "access", "--as-role", "viewer", "--area", "b").status == 0
    assert [(each.role, each.areas) for each in asked] == [("editor", ("a", "b")), ("viewer", ("b",))]
    assert onemap("doctor", "access", "--as", "li").status == 1
    for wrong in ([], ["--as", "wang", "--as-role", "viewer"], ["--as", "wang", "--area", "b"]):
        assert onemap("doctor", "access", *wrong).status == 2
