"""Tokens of an issuer, which is a server on a socket of its own with a discovery document and keys."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi.testclient import TestClient
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.warnings import InsecureKeyLengthWarning

from gis.accounts import tokens
from gis.accounts.audit import entries
from gis.db import connect
from gis.errors import SettingsError
from gis.settings import load_settings
from tests.api.conftest import SmallMap, client_of
from tests.api.test_errors import shape

AUDIENCE = "onemap"
AFTER = "/.well-known/openid-configuration"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def _rsa(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@dataclass
class Issuer:
    """An issuer that listens: its keys by name, and how often it was asked for them."""

    address: str = ""
    keys: dict[str, Key] = field(default_factory=dict)
    asked: int = 0
    claims_to_be: str | None = None

    def answer(self, path: str) -> Any:
        if path == AFTER:
            return {"issuer": self.claims_to_be or self.address, "jwks_uri": f"{self.address}/keys"}
        self.asked += 1
        return {"keys": [self.public(name) for name in self.keys] + [{"kty": "new", "kid": "x"}]}

    def public(self, name: str) -> dict[str, Any]:
        key = self.keys[name].public_key()
        if isinstance(key, rsa.RSAPublicKey):
            return RSAAlgorithm.to_jwk(key, as_dict=True) | {"kid": name, "alg": "RS256", "use": "sig"}
        return ECAlgorithm.to_jwk(key, as_dict=True) | {"kid": name}

    def token(self, key: str = "a", *, signed_by: Key | None = None, **claims: Any) -> str:
        """A good token but for what ``claims`` say; None leaves a claim out."""
        now = int(time.time())
        content = {
            "iss": self.address, "aud": AUDIENCE, "sub": "u-17", "iat": now, "exp": now + 300,
            "roles": ["onemap:editor"],
        } | claims  # fmt: skip
        secret = signed_by or self.keys[key]
        kind = "ES256" if isinstance(secret, ec.EllipticCurvePrivateKey) else "RS256"
        return jwt.encode({k: v for k, v in content.items() if v is not None}, secret, kind, {"kid": key})


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    """It runs for a module; a test that changes its keys puts them back."""
    found = Issuer(keys={"a": _rsa(), "e": ec.generate_private_key(ec.SECP256R1())})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(found.answer(self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def opened(shared_map: SmallMap, issuer: Issuer) -> Callable[..., TestClient]:
    """A client of a service that trusts the issuer: opened(oidc_areas_claim="areas")."""

    def run(**settings: Any) -> TestClient:
        trusted = {"oidc_issuer": issuer.address, "oidc_audience": AUDIENCE}
        return client_of(shared_map.app(**trusted | settings))

    return run


def told(client: TestClient, token: str) -> Any:
    return client.get("/session", headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("key", ["a", "e"])
def test_a_token_of_the_issuer_is_somebody(
    opened: Callable[..., TestClient], issuer: Issuer, shared_map: SmallMap, key: str
) -> None:
    with opened() as client:
        asked = issuer.asked
        for _ in range(3):
            found = told(client, issuer.token(key)).json()
        assert (found["name"], found["role"], found["areas"], found["via"]) == (
            "oidc:u-17", "editor", None, "token",
        )  # fmt: skip
        assert issuer.asked == asked + 1
        shown = {"Authorization": f"Bearer {issuer.token(key)}"}
        assert client.get("/collections/wells/items", headers=shown).status_code == 200
        # Somebody can say who they are, so strangers change nothing any more.
        shape(client.get("/imports/none"), 401)
        assert client.get("/imports/none", headers=shown).status_code == 404
    with connect(shared_map.engine) as conn:
        assert any(e.object == "wells" for e in entries(conn, who="oidc:u-17"))


def _parts(token: str) -> list[str]:
    return token.split(".")


def _encoded(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _tampered(issuer: Issuer) -> str:
    header, body, signature = _parts(issuer.token(roles=["onemap:viewer"]))
    claims = jwt.decode(f"{header}.{body}.{signature}", options={"verify_signature": False})
    return ".".join([header, _encoded(claims | {"roles": ["onemap:admin"]}), signature])


def _unsigned(issuer: Issuer) -> str:
    return ".".join([_encoded({"alg": "none", "kid": "a"}), _parts(issuer.token())[1], ""])


def _by_public_key(issuer: Issuer) -> str:
    """Signed with HMAC, the issuer's public key as the secret (RFC 8725, 2.1)."""
    import hashlib
    import hmac

    pem = issuer.keys["a"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    text = f"{_encoded({'alg': 'HS256', 'kid': 'a'})}.{_parts(issuer.token())[1]}"
    digest = hmac.new(pem, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda i: i.token(exp=int(time.time()) - 60), "expired"),
        (lambda i: i.token(nbf=int(time.time()) + 600), "not valid yet"),
        (lambda i: i.token(aud="another"), "another service"),
        (lambda i: i.token(aud=None), "lacks"),
        (lambda i: i.token(exp=None), "lacks"),
        (lambda i: i.token(sub=None), "lacks"),
        (lambda i: i.token(iss=i.address + "/x"), "another issuer"),
        (lambda i: i.token(signed_by=_rsa()), "signature is wrong"),
        (lambda i: i.token("e", signed_by=i.keys["a"]), "not signed with"),
        (lambda i: i.token("gone", signed_by=i.keys["a"]), "no such key"),
        (_tampered, "signature is wrong"),
        (_unsigned, "not signed with"),
        (_by_public_key, "not signed with"),
        (lambda i: i.token() + "x" * 8192, "too long"),
        (lambda i: "a.b.c", "cannot be read"),
        (lambda i: i.token()[:-6], "signature is wrong"),
    ],
)
def test_any_other_token_is_refused_with_the_reason(
    opened: Callable[..., TestClient], issuer: Issuer, make: Callable[[Issuer], str], why: str
) -> None:
    refused = told(opened(), make(issuer))
    body = shape(refused, 401)
    assert body["code"] == "credential_token" and why in body["detail_en"], body["detail_en"]
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]


def test_the_issuers_new_key_works_and_its_old_one_ends(
    opened: Callable[..., TestClient], issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, old = opened(), issuer.token()
    assert told(client, old).status_code == 200
    held = dict(issuer.keys)
    try:
        issuer.keys["b"] = _rsa()
        asked = issuer.asked
        shape(told(client, issuer.token("b")), 401)  # asked a moment ago
        monkeypatch.setattr(tokens, "_PAUSE_S", 0.0)
        assert told(client, issuer.token("b")).status_code == 200
        assert issuer.asked == asked + 1 and told(client, old).status_code == 200
        del issuer.keys["a"]
        monkeypatch.setattr(tokens.IssuerKeys, "named", _past(tokens.IssuerKeys.named))
        shape(told(client, old), 401)
    finally:
        issuer.keys = held


def _past(named: Callable[..., Any]) -> Callable[..., Any]:
    """The same, five minutes later."""

    def later(self: Any, name: str | None) -> Any:
        self._fresh_until = float("-inf")
        return named(self, name)

    return later


def test_roles_and_areas_come_from_the_mapping(
    opened: Callable[..., TestClient], issuer: Issuer, tmp_path: Path
) -> None:
    mapping = tmp_path / "roles.toml"
    mapping.write_text(
        '[[grants]]\nclaim = "env-viewers"\nrole = "viewer"\n'
        '[[grants]]\nclaim = "env-grid"\nrole = "grid_officer"\n'
        'areas = ["330702"]\ndepartment = "生态环境局"\n'
    )
    client = opened(oidc_mapping=mapping, oidc_roles_claim="groups", oidc_areas_claim="areas")
    grid = told(client, issuer.token(groups="env-viewers env-grid", areas=["1"])).json()
    assert (grid["role"], grid["areas"], grid["department"]) == ("grid_officer", ["330702"], "生态环境局")
    viewer = told(client, issuer.token(groups=["env-viewers"], areas=["2", "1"])).json()
    assert (viewer["role"], viewer["areas"]) == ("viewer", ["1", "2"])
    # Where areas are configured, none is nowhere, not everywhere.
    assert told(client, issuer.token(groups=["env-viewers"])).json()["areas"] == []
    for groups in (None, [], ["admin"], "onemap:admin", 7):
        refused = told(client, issuer.token(groups=groups))
        body = shape(refused, 403)
        assert body["code"] == "role_missing" and "groups" in body["detail_en"]
        assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
    shape(told(opened(), issuer.token(roles=["admin"])), 403)  # another service's administrator


def test_keys_may_come_from_a_file_and_must_be_the_issuers(
    opened: Callable[..., TestClient], issuer: Issuer, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [issuer.public("a")]}))
    asked = issuer.asked
    client = opened(oidc_jwks=file)
    assert told(client, issuer.token()).status_code == 200 and issuer.asked == asked
    away = opened(oidc_jwks=tmp_path / "none.json")
    refused = told(away, issuer.token())
    assert shape(refused, 503)["code"] == "issuer_unreachable" and "retry-after" in refused.headers
    issuer.claims_to_be = "http://127.0.0.1:1"
    try:
        shape(told(opened(), issuer.token()), 503)
    finally:
        issuer.claims_to_be = None
    weak = _rsa(1024)
    issuer.keys["weak"] = weak
    try:
        with pytest.warns(InsecureKeyLengthWarning):
            token = issuer.token("weak")
        shape(told(opened(), token), 401)
    finally:
        del issuer.keys["weak"]


@pytest.mark.parametrize(
    "given",
    [
        {"oidc_issuer": "https://id.example"},
        {"oidc_audience": "onemap"},
        {"oidc_issuer": "http://id.example", "oidc_audience": "onemap"},
    ],
)
def test_half_an_issuer_is_refused_at_start(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="OIDC"):
        load_settings(**given)


def test_a_mapping_that_cannot_be_read_is_refused_at_start(
    opened: Callable[..., TestClient], tmp_path: Path
) -> None:
    mapping = tmp_path / "roles.toml"
    for content in (
        '[[grants]]\nclaim = "x"\nrole = "king"\n',
        '[[grants]]\nclaim = "x"\nrole = "public"\n',
        "=",
    ):
        mapping.write_text(content)
        with pytest.raises(SettingsError, match="ONEMAP_OIDC_MAPPING"):
            opened(oidc_mapping=mapping)
