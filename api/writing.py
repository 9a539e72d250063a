"""Who may write over HTTP: roles as layers say, and whoever sits at the machine itself without an account."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request

from api.deps import StateDep
from api.errors import Forbidden, Unsupported
from api.guards import is_known_host
from gis.access import Role

__all__ = [
    "can_import",
    "is_signed_in",
    "may_import",
    "may_queue",
    "own_page",
    "require_writer",
    "with_json",
    "writable",
]

_PROXIED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_JSON = "application/json"


def writable(request: Request, allowed: bool | None) -> bool:
    """Whether ``request`` may write: as ``allowed`` says; None: when it came over loopback, unproxied.

    A connection whose own end has a loopback address comes from this machine. A proxy on the machine would
    make strangers look so; it shows by the name it asks for or by the headers that proxies add.
    """
    if allowed is not None:
        return allowed
    host, _port = request.scope.get("server") or ("", None)
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    proxied = any(name in request.headers for name in _PROXIED)
    return local and not proxied and is_known_host(request.headers.get("host", ""), frozenset())


def may_import(request: Request, state: StateDep) -> None:
    """Refuse with 403 a role that no layer lets write, and a stranger whom `writable` refuses."""
    _require(request, state, _writes_any(state))


def can_import(request: Request, state: StateDep) -> bool:
    """Whether `may_import` lets ``request`` through."""
    return _refusal(request, state, _writes_any(state)) is None


def _writes_any(state: StateDep) -> bool:
    return any(layer.access.writes(state.scope.role) for layer in state.definition.whole.layers.values())


def require_writer(request: Request, state: StateDep, layer: str) -> None:
    """Refuse with 403 a role that ``layer`` does not let write; an unknown id is left to who looks for it."""
    known = state.definition.whole.layers.get(layer)
    if known is not None:
        _require(request, state, known.access.writes(state.scope.role), layer)


def may_queue(request: Request, state: StateDep) -> None:
    """Refuse with 403 whoever did not sign in, where `writable` refuses them."""
    if not is_signed_in(request):
        _require(request, state, False)


def is_signed_in(request: Request) -> bool:
    """Whether something found out whom ``request`` comes from, and it is not the public."""
    found = getattr(request.state, "scope", None)
    return found is not None and found.role != Role.PUBLIC


def _require(request: Request, state: StateDep, writes: bool, layer: str = "") -> None:
    refusal = _refusal(request, state, writes, layer)
    if refusal is not None:
        raise refusal


def _refusal(request: Request, state: StateDep, writes: bool, layer: str = "") -> Forbidden | None:
    """Why ``request`` may not write, of whose role ``writes`` says whether it may; None: it may."""
    if not is_signed_in(request):
        return None if writable(request, state.settings.allow_imports) else _no_account()
    if not writes:
        return _not_for_role(state.scope.role, layer)
    return None if state.scope.areas is None else _limited()


def _no_account() -> Forbidden:
    return Forbidden(
        "Imports over the network need an account.",
        "通过网络导入数据需要登录账号。",
        remedy_en="Sign in, open the map on the server itself (127.0.0.1), use `onemap import`, "
        "or have the operator set ONEMAP_ALLOW_IMPORTS=1.",
        remedy_zh="请登录，或在服务器本机（127.0.0.1）打开地图，或使用 `onemap import`，"
        "或由管理员设置 ONEMAP_ALLOW_IMPORTS=1。",
    )


def _limited() -> Forbidden:
    return Forbidden(
        "Access that is limited to areas does not reach to importing files.",
        "仅限部分区域的权限不能导入文件。",
        remedy_en="Let somebody import it whose access is not limited.",
        remedy_zh="请由权限不受区域限制的人员导入。",
    )


def _not_for_role(role: Role, layer: str) -> Forbidden:
    what_en, what_zh = (f"layer {layer!r}", f"图层“{layer}”") if layer else ("any layer", "任何图层")
    return Forbidden(
        f"The role {role} may not change {what_en}.",
        f"角色 {role} 不能修改{what_zh}。",
        remedy_en="Roles that may are in [access] of the layer, or in the district's file.",
        remedy_zh="可修改的角色见图层定义的 [access] 或区域设置文件。",
    )


def own_page(request: Request) -> None:
    """Refuse with 403 what another site's page sent; browsers say so in Origin and Sec-Fetch-Site."""
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site")
    own = urlsplit(str(request.base_url)).netloc.lower()
    foreign = origin is not None and urlsplit(origin).netloc.lower() != own
    if foreign or site not in (None, "same-origin"):
        raise Forbidden(
            "Another site's page sent this.",
            "该请求来自其他网站的页面。",
            remedy_en="Do it on the map's own page.",
            remedy_zh="请在本地图页面上操作。",
        )


def with_json(request: Request) -> None:
    """Refuse with 415 a body that does not call itself JSON: no form of another site can."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _JSON:
        raise Unsupported(f"The body is {_JSON}.", f"请求体须为 {_JSON}。")
