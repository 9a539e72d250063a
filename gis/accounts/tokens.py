"""Bearer tokens of an OpenID Connect issuer: JSON Web Tokens, checked by PyJWT against the issuer's keys.

Only RS256 and ES256, with a key of the issuer's set, its name and our audience, within their time. The set
comes from a file, or from the address that the issuer's discovery document names, and is kept for minutes.
"""

from __future__ import annotations

import json
import threading
import time
import tomllib
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gis.access import Role, Scope
from gis.accounts.actions import MAY
from gis.accounts.caller import Caller
from gis.accounts.register import require_areas
from gis.errors import AccountError, CredentialRefused, IssuerUnreachable, RoleMissing, SettingsError
from gis.settings import Settings

__all__ = ["Grant", "IssuerKeys", "Tokens"]

ALGORITHMS = ("RS256", "ES256")
_LEEWAY_S = 30
_KEEP_S = 300.0
_PAUSE_S = 10.0
"""Between two questions to the issuer: tokens with made-up key names must not become traffic."""
_TIMEOUT_S = 5.0
_MOST_BYTES = 2**20
_OWN = "onemap:"
_LONGEST = 8192  # characters of a token


class Grant(BaseModel):
    """What one value of the roles claim gives here; ``areas`` None leaves them to the areas claim."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: Annotated[str, Field(min_length=1)]
    role: Role
    areas: tuple[str, ...] | None = None
    department: str | None = None


class _Mapping(BaseModel):
    model_config = ConfigDict(extra="forbid")

    grants: tuple[Grant, ...]


class IssuerKeys:
    """The public keys of an issuer by name; safe for threads.

    Fetched when first needed, again after five minutes, and at once (not more than every ten seconds) for a
    name that is not among them: so a new key of the issuer works without a restart. While the issuer cannot
    be reached the keys that are held stay good.
    """

    def __init__(self, issuer: str, file: Path | None = None) -> None:
        self._issuer = issuer
        self._file = file
        self._lock = threading.Lock()
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fresh_until = self._asked = float("-inf")

    def named(self, name: str | None) -> jwt.PyJWK | None:
        """The key called ``name``; without a name the only one there is.

        Raises IssuerUnreachable when no key at all can be had now.
        """
        with self._lock:
            now = time.monotonic()
            known = self._pick(name)
            due = now > self._fresh_until or known is None
            if due and now - self._asked >= _PAUSE_S:
                self._asked = now
                self._renew()
                known = self._pick(name)
            if known is None and not self._keys:
                raise _unreachable(self._issuer)
            return known

    def _pick(self, name: str | None) -> jwt.PyJWK | None:
        if name is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(name)

    def _renew(self) -> None:
        """Take over the issuer's set as it is now; what is held stays when it cannot be had."""
        try:
            held = json.loads(self._file.read_bytes()) if self._file else self._fetched()
            found = [key for each in held["keys"] if (key := _usable(each)) is not None]
        except (OSError, HTTPException, ValueError, KeyError, TypeError):
            return
        self._keys = {key.key_id: key for key in found}
        self._fresh_until = time.monotonic() + _KEEP_S

    def _fetched(self) -> Any:
        """The set that the issuer's discovery document leads to (OpenID Connect Discovery 1.0, section 4)."""
        found = _get(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found["issuer"] != self._issuer or not is_safe_address(found["jwks_uri"]):
            raise ValueError("the discovery document is another issuer's")
        return _get(found["jwks_uri"])


class _NoDetours(urllib.request.HTTPRedirectHandler):
    """An issuer that sends elsewhere is not followed: the address was checked, the other one was not."""

    def redirect_request(self, *_given: Any) -> None:
        """None: the redirection becomes an error."""
        return None


_opener = urllib.request.build_opener(_NoDetours)


def _get(address: str) -> Any:
    with _opener.open(address, timeout=_TIMEOUT_S) as answer:
        return json.loads(answer.read(_MOST_BYTES))


def is_safe_address(address: str) -> bool:
    """Whether keys may be fetched from there: https, or this machine."""
    parts = urlsplit(address)
    local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    return parts.scheme == "https" or (parts.scheme == "http" and local)


def _usable(entry: Any) -> jwt.PyJWK | None:
    """An entry of a set as a key, when it is one for signatures that are accepted here.

    RSA with at least 2048 bits (RFC 7518, 3.3), or the curve P-256.
    """
    try:
        key = jwt.PyJWK(entry)
    except (jwt.PyJWTError, AttributeError, TypeError):
        return None
    if key.algorithm_name not in ALGORITHMS or key.public_key_use not in (None, "sig"):
        return None
    return None if key.key_type == "RSA" and key.key.key_size < 2048 else key


class Tokens:
    """Checks tokens as the settings say.

    Raises SettingsError when the mapping cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        assert settings.oidc_issuer is not None
        self._issuer = settings.oidc_issuer
        self._audience = settings.oidc_audience
        self._claims = settings
        self._grants = _grants(settings.oidc_mapping)
        self._keys = IssuerKeys(self._issuer, settings.oidc_jwks)

    def caller(self, token: str) -> Caller:
        """Whoever ``token`` speaks for.

        Raises
        ------
        CredentialRefused
            When it is not a valid token of the issuer for this service, now.
        RoleMissing
            When its holder has no role here.
        IssuerUnreachable
            When the issuer's keys cannot be had.
        """
        claims = self._checked(token)
        name = claims.get(self._claims.oidc_name_claim)
        if not isinstance(name, str) or not name:
            raise _refused(
                f"it has no {self._claims.oidc_name_claim}", f"缺少 {self._claims.oidc_name_claim}"
            )
        scope = self._scope(claims, f"oidc:{name[:200]}")
        return Caller(scope, "token", name[:200])

    def _checked(self, token: str) -> dict[str, Any]:
        """The claims of ``token`` after every check."""
        if len(token) > _LONGEST:
            raise _refused("it is too long", "过长")
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise jwt.InvalidAlgorithmError
            key = self._keys.named(header.get("kid"))
            if key is None:
                raise _refused("the issuer has no such key", "签发方没有对应的密钥")
            return jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise _refused(*_why(error)) from None

    def _scope(self, claims: dict[str, Any], account: str) -> Scope:
        """Role, areas and department; of several grants the one whose role may most."""
        values = _texts(claims.get(self._claims.oidc_roles_claim))
        held = [grant for grant in self._grants if grant.claim in values]
        if not held:
            raise RoleMissing(
                f"{account} is known to the issuer and has no role here "
                f"({self._claims.oidc_roles_claim}: {', '.join(values)[:200] or 'none'}).",
                f"签发方认可 {account}，但其在本系统没有角色"
                f"（{self._claims.oidc_roles_claim}：{'、'.join(values)[:200] or '无'}）。",
                remedy_en="Have the issuer give a role that the mapping names, or extend the mapping.",
                remedy_zh="请由签发方授予映射文件中的角色，或扩充映射文件。",
            )
        grant = max(held, key=lambda each: len(MAY[each.role]))
        return Scope(grant.role, self._areas(grant, claims), grant.department, account)

    def _areas(self, grant: Grant, claims: dict[str, Any]) -> tuple[str, ...] | None:
        """The grant's; else the claim's where one is configured, and nowhere when it is not there."""
        if grant.areas is not None or self._claims.oidc_areas_claim is None:
            given: Sequence[str] | None = grant.areas
        else:
            given = _texts(claims.get(self._claims.oidc_areas_claim))
        try:
            found = require_areas(given)
        except AccountError:
            raise _refused("its areas cannot be read", "辖区无法识别") from None
        return None if found is None else tuple(found)


def _grants(file: Path | None) -> tuple[Grant, ...]:
    """The mapping in ``file``; without one the values ``onemap:ROLE`` give ROLE.

    A bare "admin" would make administrators of other services ours: issuers share one claim among all.
    """
    if file is None:
        return tuple(Grant(claim=f"{_OWN}{role}", role=role) for role in Role if role is not Role.PUBLIC)
    try:
        found = _Mapping.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))).grants
        if any(grant.role is Role.PUBLIC for grant in found):
            raise ValueError("the role public is nobody's")
        return found
    except (OSError, ValueError, ValidationError) as error:
        words = str(error).splitlines()
        raise SettingsError(
            f"ONEMAP_OIDC_MAPPING: {file} cannot be used: {' '.join(words[:3])}.",
            f"ONEMAP_OIDC_MAPPING：无法使用 {file}：{' '.join(words[:3])}。",
            remedy_en="Each [[grants]] has claim, role, and perhaps areas and department (docs/accounts.md).",
            remedy_zh="每个 [[grants]] 含 claim、role，可有 areas、department（见 docs/accounts.md）。",
        ) from None


def _texts(claim: object) -> list[str]:
    """A claim as a list of texts; a single text counts as words separated by spaces, as scope is."""
    if isinstance(claim, str):
        return claim.split()
    return [each for each in claim if isinstance(each, str)] if isinstance(claim, list) else []


_WHY: Sequence[tuple[type[jwt.PyJWTError], str, str]] = (
    (jwt.ExpiredSignatureError, "it has expired", "已过期"),
    (jwt.ImmatureSignatureError, "it is not valid yet", "尚未生效"),
    (jwt.InvalidAudienceError, "it is meant for another service", "并非签发给本服务"),
    (jwt.InvalidIssuerError, "it is of another issuer", "签发方不符"),
    (jwt.InvalidAlgorithmError, f"it is not signed with {' or '.join(ALGORITHMS)}", "签名算法不被接受"),
    (jwt.InvalidSignatureError, "its signature is wrong", "签名不正确"),
    (jwt.MissingRequiredClaimError, "it lacks one of exp, iss, aud, sub", "缺少 exp、iss、aud、sub 之一"),
)


def _why(error: jwt.PyJWTError) -> tuple[str, str]:
    return next(
        ((en, zh) for kind, en, zh in _WHY if isinstance(error, kind)), ("it cannot be read", "无法识别")
    )


def _refused(en: str, zh: str) -> CredentialRefused:
    return CredentialRefused(
        f"The token is refused: {en}.",
        f"令牌不被接受：{zh}。",
        reason="token",
        remedy_en="Get a new one from the issuer.",
        remedy_zh="请向签发方重新获取。",
    )


def _unreachable(issuer: str) -> IssuerUnreachable:
    return IssuerUnreachable(
        f"The keys of the issuer {issuer} cannot be had now.",
        f"暂时无法取得签发方 {issuer} 的密钥。",
        remedy_en="Try again; on a closed network give the keys as a file (ONEMAP_OIDC_JWKS).",
        remedy_zh="请稍后重试；封闭网络中可用文件提供密钥（ONEMAP_OIDC_JWKS）。",
    )
