"""Who asks, and may they? A credential becomes ``request.state.scope``, a route declares its `Action`.

A session's cookie, a key or an issuer's token in ``Authorization``, or nothing: then the scope is PUBLIC. A
credential that is not valid is refused with 401 and never taken for nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from anyio import to_thread
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from api.auditing import Watch
from api.errors import Forbidden, refuse
from api.writing import is_json, own_page, writable
from gis.access import Role, Scope
from gis.accounts.actions import MAY, ROLE_TITLES, Action, roles_that_may
from gis.accounts.caller import NOBODY, Caller
from gis.accounts.keys import PREFIX, find_key
from gis.accounts.register import any_enabled
from gis.accounts.sessions import Lifetime, find_session
from gis.accounts.tokens import Tokens
from gis.db import ask_once
from gis.errors import CredentialRefused, OneMapError
from gis.settings import Settings

__all__ = [
    "Action",
    "Credentials",
    "Identity",
    "Needs",
    "accounts_exist",
    "actor",
    "caller_of",
    "cookie_name",
    "may",
    "needs",
    "require",
    "scope_of",
]

CSRF_HEADER = "x-csrf-token"
_SAFE = ("GET", "HEAD", "OPTIONS")
# The page itself and its files: they hold no data, and whoever must sign in again needs them.
_PAGE = ("/", "/web/")


def cookie_name(settings: Settings, engine: Engine) -> str:
    """What the cookie of a session is called: by the address of the map where one is set, else by its store.

    Browsers keep cookies by host and not by port, so two maps on one host need two names; all processes of
    one map need the same.
    """
    url = engine.url
    own = settings.database_url is None
    store = settings.home.resolve() if own else f"{url.host or url.query.get('host')}:{url.port}"
    digest = hashlib.sha256((settings.public_url or f"{store} {url.database}").encode()).hexdigest()
    return f"onemap_session_{digest[:8]}"


@dataclass(frozen=True)
class Credentials:
    """How callers are known; ``tokens`` is None where no issuer is configured, ``cookie`` has the session."""

    engine: Engine
    lifetime: Lifetime
    cookie: str
    tokens: Tokens | None

    async def caller(self, request: Request) -> Caller:
        """Whoever sent ``request``; NOBODY without a credential, CredentialRefused with a wrong one."""
        path, method = request.scope["path"], request.method
        if method in _SAFE and (path == _PAGE[0] or path.startswith(_PAGE[1])):
            return NOBODY
        shown = request.headers.getlist("authorization")
        if shown:
            return await self._bearer(shown)
        token = request.cookies.get(self.cookie)
        if not token:
            return NOBODY
        try:
            return await to_thread.run_sync(find_session, self.engine, token, self.lifetime)
        except CredentialRefused:
            if _signs_in(request) or (path == "/session" and method == "DELETE"):
                return NOBODY  # an ended session is in nobody's way, and can be put away
            raise

    async def _bearer(self, shown: list[str]) -> Caller:
        kind, _, text = shown[0].partition(" ")
        text = text.strip()
        if len(shown) > 1 or kind.lower() != "bearer" or not text:
            raise CredentialRefused(
                "The header Authorization is not one of the form “Bearer …”.",
                "Authorization 请求头不是“Bearer …”的形式。",
                reason="token",
                remedy_en="Send a key of onemap or a token of its issuer; a proxy that asks for a password "
                "itself must not pass it on.",
                remedy_zh="请使用本系统的密钥或签发方的令牌；自行验证密码的代理不应转发该请求头。",
            )
        if text.startswith(PREFIX):
            return await to_thread.run_sync(find_key, self.engine, text)
        if self.tokens is None:
            raise CredentialRefused(
                "This is no key of onemap, and tokens of an issuer are not taken here.",
                "这不是本系统的密钥，且此处不接受外部签发的令牌。",
                reason="token",
                remedy_en="Use a key that begins with onemap_, or have the operator set ONEMAP_OIDC_ISSUER.",
                remedy_zh="请使用以 onemap_ 开头的密钥，或由管理员设置 ONEMAP_OIDC_ISSUER。",
            )
        return await to_thread.run_sync(self.tokens.caller, text)


class Identity:
    """Middleware that settles who asks, and has the audit log told what came of it.

    ``counted`` makes of a refusal one that counts against the sender's number of requests.
    """

    def __init__(
        self, app: ASGIApp, credentials: Credentials, watch: Watch, counted: Callable[[ASGIApp], ASGIApp]
    ) -> None:
        self.app = app
        self.credentials = credentials
        self.watch = watch
        self.counted = counted

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Pass the request on with its scope, or answer 401 or 403."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        try:
            caller = await self.credentials.caller(request)
            if caller.via == "session" and request.method not in _SAFE and not _signs_in(request):
                _require_own_page(request, caller)
        except OneMapError as error:
            self.watch.credential_refused(request, error)
            await self.counted(partial(refuse, error))(scope, receive, send)
            return
        scope.setdefault("state", {}).update(scope=caller.scope, caller=caller)
        status = 500

        async def send_watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_watched)
        finally:
            await self.watch.answered(request, caller, status)


def _signs_in(request: Request) -> bool:
    """Whether the request asks for another session; its route asks for the own page itself."""
    return request.method == "POST" and request.scope["path"] == "/session"


def _require_own_page(request: Request, caller: Caller) -> None:
    """Refuse a change that a foreign page could have sent with the user's cookie.

    Beside the cookie's SameSite and the browser's own headers it takes what no form can send: a JSON body, or
    the session's word in a header.
    """
    own_page(request)
    word = request.headers.get(CSRF_HEADER, "")
    if is_json(request) or hmac.compare_digest(word.encode(), (caller.csrf or "").encode()):
        return
    raise Forbidden(
        f"The header {CSRF_HEADER} is missing or of another session.",
        f"请求头 {CSRF_HEADER} 缺失或不属于当前登录。",
        remedy_en="Take it from GET /session (csrf), or use a key.",
        remedy_zh="请从 GET /session 的 csrf 取得，或改用密钥。",
    )


def scope_of(request: Request) -> Scope:
    """The scope of the request; `Identity` has settled it."""
    found: Scope = request.state.scope
    return found


def caller_of(request: Request) -> Caller:
    """Whoever sent the request."""
    found: Caller = request.state.caller
    return found


def actor(request: Request, otherwise: str) -> str:
    """The name that is written beside what the request does; ``otherwise`` for who did not say."""
    return scope_of(request).account or otherwise


@dataclass(frozen=True)
class Needs:
    """A dependency: the route is for ``action``, and refuses who may not do it."""

    action: Action

    async def __call__(self, request: Request) -> None:
        """401 or 403 unless the request may."""
        request.state.action = self.action
        if not _granted(request, self.action):
            await to_thread.run_sync(require, request, self.action)


def needs(action: Action) -> Needs:
    """Say which action a route is for: ``dependencies=[Depends(needs(Action.READ))]``."""
    return Needs(action)


def may(request: Request, action: Action) -> bool:
    """Whether `require` would let the request pass."""
    held = getattr(request.state, "action", None)
    try:
        require(request, action)
    except OneMapError:
        return False
    finally:
        request.state.action = held
    return True


def require(request: Request, action: Action) -> None:
    """Return when the request may do ``action``; asks the database, so not to be called on the event loop.

    Raises
    ------
    CredentialRefused
        When nobody is signed in, and this is for certain roles.
    Forbidden
        When the role may not, or when nobody but the machine's own operator may, since there are no accounts.
    """
    request.state.action = action
    if _granted(request, action):
        return
    allowed = request.app.state.onemap.settings.allow_imports
    if action is Action.IMPORT and allowed is False:
        raise _imports_off()
    scope = scope_of(request)
    if scope.role is not Role.PUBLIC:
        raise _role_may_not(scope.role, action)
    if accounts_exist(request):
        raise CredentialRefused(
            "This is for people who are signed in.",
            "此操作需要登录。",
            reason="needed",
            remedy_en="Sign in on the map, or send a key.",
            remedy_zh="请在地图上登录，或使用密钥。",
        )
    if not _open_without_accounts(request, action) and not writable(request, allowed):
        raise _only_here()


def accounts_exist(request: Request) -> bool:
    """Whether anybody can say who they are: an account that is enabled, or an issuer of tokens."""
    state = request.app.state.onemap
    if state.settings.oidc_issuer is not None:
        return True
    with ask_once(state.engine) as conn:
        return any_enabled(conn)


def _granted(request: Request, action: Action) -> bool:
    """Whether the role may in any case."""
    off = action is Action.IMPORT and request.app.state.onemap.settings.allow_imports is False
    return not off and action in MAY[scope_of(request).role]


def _open_without_accounts(request: Request, action: Action) -> bool:
    """What anybody may while there are no accounts."""
    return action is Action.REPORT or (action is Action.OPERATE and request.method in _SAFE)


def _role_may_not(role: Role, action: Action) -> Forbidden:
    others = roles_that_may(action)
    zh, en = ROLE_TITLES[role]
    return Forbidden(
        f"The role {en} may not do this ({action}).",
        f"角色“{zh}”无权进行此操作（{action}）。",
        remedy_en=f"Roles that may: {', '.join(ROLE_TITLES[each][1] for each in others)}.",
        remedy_zh=f"有权的角色：{'、'.join(ROLE_TITLES[each][0] for each in others)}。",
    )


def _imports_off() -> Forbidden:
    return Forbidden(
        "Imports over the network are turned off.",
        "已关闭通过网络导入数据。",
        remedy_en="Use `onemap import` on the server, or have the operator unset ONEMAP_ALLOW_IMPORTS.",
        remedy_zh="请在服务器上使用 `onemap import`，或由管理员取消 ONEMAP_ALLOW_IMPORTS。",
    )


def _only_here() -> Forbidden:
    return Forbidden(
        "While there are no accounts, only the server's own operator changes something.",
        "在建立用户账号之前，只有服务器本机的操作者可以修改数据。",
        remedy_en="Open the map on the server itself (127.0.0.1), make accounts with `onemap user add`, "
        "or have the operator set ONEMAP_ALLOW_IMPORTS=1.",
        remedy_zh="请在服务器本机（127.0.0.1）打开地图，用 `onemap user add` 建立账号，"
        "或由管理员设置 ONEMAP_ALLOW_IMPORTS=1。",
    )
