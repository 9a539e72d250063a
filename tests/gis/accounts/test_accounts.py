"""Names, passwords, accounts, guesses, sessions and keys, without HTTP."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from gis.access import Role
from gis.accounts import keys, register, throttle
from gis.accounts.actions import MAY, Action
from gis.accounts.audit import Origin, entries
from gis.accounts.caller import NOBODY
from gis.accounts.names import folded, require_name
from gis.accounts.passwords import Passwords, require_password
from gis.accounts.sessions import Lifetime, find_session
from gis.accounts.signin import SignIn, sign_in
from gis.db import connect
from gis.errors import AccountError, CredentialRefused, NotFound, TooManyGuesses

WORD = "three quiet herons"
HERE = Origin(NOBODY, "10.0.0.7")
LASTS = Lifetime()


@pytest.fixture
def store(log: Engine, costs: Passwords) -> Engine:
    """A store with the editor li of two townships, and nobody else."""
    with connect(log, write=True) as conn:
        conn.execute(text("TRUNCATE core.accounts, core.login_attempts RESTART IDENTITY CASCADE"))
        register.add(conn, "Li", WORD, costs, role=Role.EDITOR, areas=["b", "a", "a"], department="水利局")
    return log


@given(st.text(max_size=20))
def test_a_folded_name_is_folded_for_good(name: str) -> None:
    assert folded(folded(name)) == folded(name)


def test_names_are_one_however_they_are_typed() -> None:
    assert require_name("Ｌｉ.Wei") == require_name("li.WEI") == "li.wei"
    assert require_name("王芳") == "王芳"
    for wrong in ("", " ", "a:b", "a b", "-a", "a\0", "x" * 65, "a/b", "<i>"):
        with pytest.raises(AccountError):
            require_name(wrong)


@pytest.mark.parametrize(
    "wrong",
    ["short", "九个字符的密码吧啊", "password123", "Qwertyuiop!!", "13857912345678", "aaaabbbbaaaa",
     "li2024li2024", "liliLILI", "x" * 257],
)  # fmt: skip
def test_passwords_that_are_guessed_first_are_refused(wrong: str) -> None:
    with pytest.raises(AccountError):
        require_password(wrong, "li2024" if "2024" in wrong else "li")


def test_passwords_are_argon2id_and_told_apart(costs: Passwords) -> None:
    assert require_password(WORD, "li") == WORD
    held = costs.hash("Ｔｈｒｅｅ quiet herons")
    assert held.startswith("$argon2id$v=19$m=8,t=1,p=1$") and held != costs.hash("Three quiet herons")
    assert costs.fits("Three quiet herons", held) and not costs.fits("three quiet herons", held)
    assert not costs.fits("anything", None) and not costs.fits("x" * 10_000, held)
    assert replace(costs, time_cost=2).is_stale(held) and not costs.is_stale(held)
    usual = Passwords()  # RFC 9106, section 4, second recommended option
    assert (usual.time_cost, usual.memory_kib, usual.lanes) == (3, 64 * 1024, 4)


def test_every_role_may_what_those_below_it_may() -> None:
    assert set(MAY) == set(Role)
    assert MAY[Role.PUBLIC] == MAY[Role.VIEWER] == {Action.READ, Action.SCREEN}
    writers = {role for role, actions in MAY.items() if actions & {Action.IMPORT, Action.EDIT, Action.ADMIN}}
    assert writers == {Role.EDITOR, Role.ADMIN}
    assert all(MAY[Role.VIEWER] <= actions <= MAY[Role.ADMIN] for actions in MAY.values())


def test_an_account_is_made_changed_and_removed(store: Engine, costs: Passwords) -> None:
    with connect(store, write=True) as conn:
        made = register.find(conn, " LI ")
        assert (made.name, made.role, made.areas, made.department) == (
            "li",
            Role.EDITOR,
            ("a", "b"),
            "水利局",
        )
        with pytest.raises(AccountError, match="already"):
            register.add(conn, "lI", WORD, costs, role=Role.VIEWER)
        with pytest.raises(AccountError, match="no role"):
            register.change(conn, "li", {"role": "public"})
        changed = register.change(conn, "li", {"role": "admin", "areas": None})
        assert (changed.role, changed.areas) == (Role.ADMIN, None)
        assert register.any_enabled(conn)
        register.change(conn, "li", {"disabled": True})
        assert not register.any_enabled(conn)
        register.remove(conn, "li")
        with pytest.raises(NotFound):
            register.find(conn, "li")


def signed_in(store: Engine, costs: Passwords, password: str = WORD, name: str = "li") -> str:
    return sign_in(store, costs, LASTS, HERE, SignIn(name, password))


def test_signing_in_gives_a_session_that_knows_the_account(store: Engine, costs: Passwords) -> None:
    token = signed_in(store, costs, name=" LI")
    caller = find_session(store, token, LASTS)
    assert (caller.scope.account, caller.scope.role, caller.scope.areas) == ("li", Role.EDITOR, ("a", "b"))
    with connect(store) as conn:
        kept = conn.execute(
            text("SELECT token_hash::text, to_jsonb(a)::text FROM core.sessions, core.audit a")
        )
        assert not any(token in str(row) or WORD in str(row) for row in kept)
    with connect(store, write=True) as conn:
        register.change(conn, "li", {"role": "viewer"})
    assert find_session(store, token, LASTS).scope.role is Role.VIEWER
    with connect(store, write=True) as conn:
        register.set_password(conn, "li", "four loud magpies", costs)
    with pytest.raises(CredentialRefused):
        find_session(store, token, LASTS)
    with pytest.raises(CredentialRefused):
        signed_in(store, costs)
    assert signed_in(store, costs, "four loud magpies")


@pytest.mark.parametrize("column", ["expires", "idle_until"])
def test_a_session_ends_by_age_and_by_idleness(store: Engine, costs: Passwords, column: str) -> None:
    token = signed_in(store, costs)
    with connect(store, write=True) as conn:
        conn.execute(text("UPDATE core.sessions SET last_used = last_used - interval '30 minutes', "
                          "idle_until = idle_until - interval '30 minutes'"))  # fmt: skip
        before = conn.scalar(text("SELECT idle_until FROM core.sessions"))
    find_session(store, token, LASTS)
    with connect(store, write=True) as conn:
        assert conn.scalar(text("SELECT idle_until FROM core.sessions")) > before + timedelta(minutes=29)
        conn.execute(text(f"UPDATE core.sessions SET {column} = now()"))
    with pytest.raises(CredentialRefused):
        find_session(store, token, LASTS)


def test_unknown_disabled_and_wrong_read_the_same(store: Engine, costs: Passwords) -> None:
    said = set()
    for name, password in (("li", "wrong wrong"), ("nobody", WORD)):
        with pytest.raises(CredentialRefused) as refused:
            signed_in(store, costs, password, name)
        said.add((refused.value.en, refused.value.zh))
    with connect(store, write=True) as conn:
        register.change(conn, "li", {"disabled": True})
    with pytest.raises(CredentialRefused) as refused:
        signed_in(store, costs)
    assert said == {(refused.value.en, refused.value.zh)}
    with connect(store) as conn:
        noted = [(e.object, e.outcome, e.detail["why"]) for e in reversed(entries(conn, action="session"))]
    # The name that nobody has may be a password typed into the wrong field.
    assert noted == [
        ("li", "refused", "wrong password"), ("", "refused", "unknown name"), ("li", "refused", "disabled"),
    ]  # fmt: skip


def test_a_hash_of_other_costs_is_renewed_at_sign_in(store: Engine, costs: Passwords) -> None:
    dearer = replace(costs, time_cost=2)
    signed_in(store, dearer)
    with connect(store) as conn:
        assert "t=2" in str(conn.scalar(text("SELECT password_hash FROM core.accounts")))
    assert signed_in(store, dearer)


def guess(store: Engine, name: str, address: str) -> int | None:
    """Seconds to wait, None when the guess is looked at."""
    try:
        with connect(store, write=True) as conn:
            throttle.note_guess(conn, name, address)
    except TooManyGuesses as refused:
        return refused.retry_after_s
    return None


def test_an_account_takes_ten_guesses_from_wherever_at_once(store: Engine) -> None:
    found: list[int | None] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(guess(store, "li", f"10.0.0.{n}")))
        for n in range(16)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found.count(None) == throttle.PER_ACCOUNT
    waits = [wait for wait in found if wait is not None]
    assert all(890 < wait <= 900 for wait in waits)
    assert guess(store, "wang", "10.0.0.1") is None
    # The wait that was told is the one that is kept.
    with connect(store, write=True) as conn:
        conn.execute(text("UPDATE core.login_attempts SET at = at - make_interval(secs => 880)"))
    assert (guess(store, "li", "10.0.0.1") or 99) <= 20
    with connect(store, write=True) as conn:
        conn.execute(text("UPDATE core.login_attempts SET at = at - make_interval(secs => 25)"))
    assert guess(store, "li", "10.0.0.1") is None


def test_an_address_takes_fifty_guesses_at_whatever_names(store: Engine) -> None:
    with connect(store, write=True) as conn:
        for number in range(throttle.PER_ADDRESS):
            throttle.note_guess(conn, f"name{number}", f"2001:db8::{number:x}")
    assert guess(store, "another", "2001:db8::ffff:1") is not None
    assert guess(store, "another", "2001:db8:0:1::1") is None
    assert throttle.network("::ffff:10.1.2.3") == throttle.network("10.1.2.3")


def test_a_right_password_takes_the_wrong_ones_back(store: Engine, costs: Passwords) -> None:
    for _ in range(3):
        for _ in range(throttle.PER_ACCOUNT - 1):
            assert guess(store, "li", "10.0.0.9") is None
        signed_in(store, costs)
    with pytest.raises(TooManyGuesses):
        for _ in range(throttle.PER_ACCOUNT + 1):
            with pytest.raises(CredentialRefused):
                signed_in(store, costs, "wrong wrong")


def test_a_key_has_its_accounts_role_or_its_own(store: Engine) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with connect(store, write=True) as conn:
        _, of_li = keys.add_key(conn, "notebook", account="li")
        own, platform = keys.add_key(conn, "省平台", role="platform", areas=["c"], expires=tomorrow)
    caller = keys.find_key(store, of_li)
    assert (caller.scope.account, caller.scope.role, caller.scope.areas) == ("li", Role.EDITOR, ("a", "b"))
    caller = keys.find_key(store, platform)
    assert (caller.scope.account, caller.scope.role, caller.scope.areas) == (
        "key:省平台",
        Role.PLATFORM,
        ("c",),
    )
    with connect(store, write=True) as conn:
        assert str(platform.split("_", 2)[2]) not in str(
            conn.execute(text("SELECT * FROM core.api_keys")).all()
        )
        keys.revoke_key(conn, own.prefix)
        register.change(conn, "li", {"disabled": True})
    for text_of in (of_li, platform):
        with pytest.raises(CredentialRefused):
            keys.find_key(store, text_of)
    with connect(store, write=True) as conn:
        register.change(conn, "li", {"disabled": False})
        conn.execute(text("UPDATE core.api_keys SET expires = now() WHERE account_id IS NOT NULL"))
    for wrong in (of_li, of_li[:-1], of_li[:-1] + "é", "onemap_", "onemap_aaaaaaaa_" + "b" * 43):
        with pytest.raises(CredentialRefused):
            keys.find_key(store, wrong)


def test_a_key_needs_one_owner_and_a_name(store: Engine) -> None:
    with connect(store, write=True) as conn:
        for given in ({}, {"account": "li", "role": "viewer"}, {"role": "public"}):
            with pytest.raises(AccountError):
                keys.add_key(conn, "x", **given)
        with pytest.raises(NotFound):
            keys.add_key(conn, "x", account="nobody")
        with pytest.raises(NotFound):
            keys.revoke_key(conn, "nothere1")
