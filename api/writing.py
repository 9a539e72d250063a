"""Who may write over HTTP. Until there are accounts: whoever sits at the machine itself."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request

from api.deps import StateDep
from api.errors import Forbidden, Unsupported
from api.guards import is_known_host

__all__ = ["may_import", "own_page", "with_json", "writable"]

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
    """Refuse with 403 where `writable` says no."""
    if not writable(request, state.settings.allow_imports):
        raise Forbidden(
            "Imports over the network are turned off until there are accounts.",
            "在具备用户账号之前，不允许通过网络导入数据。",
            remedy_en="Open the map on the server itself (127.0.0.1), use `onemap import`, "
            "or have the operator set ONEMAP_ALLOW_IMPORTS=1.",
            remedy_zh="请在服务器本机（127.0.0.1）打开地图，或使用 `onemap import`，"
            "或由管理员设置 ONEMAP_ALLOW_IMPORTS=1。",
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
