"""Where a request that changes something comes from, and which layer it may change."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request

from api.deps import StateDep
from api.errors import Forbidden, Unsupported
from api.guards import is_known_host
from gis.access import Role

__all__ = ["PROXIED", "is_json", "own_page", "require_unlimited", "require_writer", "with_json", "writable"]

PROXIED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_JSON = "application/json"


def writable(request: Request, allowed: bool | None) -> bool:
    """Whether ``request`` may write while there are no accounts: as ``allowed`` says; None: from here.

    From here is over loopback, unproxied: a connection whose own end has a loopback address comes from this
    machine. A proxy on it would make strangers look so; it shows by the name it asks for or by the headers
    that proxies add.
    """
    if allowed is not None:
        return allowed
    host, _port = request.scope.get("server") or ("", None)
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    proxied = any(name in request.headers for name in PROXIED)
    return local and not proxied and is_known_host(request.headers.get("host", ""), frozenset())


def require_unlimited(request: Request, state: StateDep) -> None:
    """Refuse with 403 access that is limited to areas: a file may hold rows of any."""
    if state.scope.areas is not None:
        raise _limited()


def require_writer(request: Request, state: StateDep, layer: str) -> None:
    """Refuse with 403 a role that ``layer`` does not let write; an unknown id is left to who looks for it.

    Whoever did not say who they are has passed `api.identity.require`: there are no accounts.
    """
    known = state.definition.whole.layers.get(layer)
    if known is None or state.scope.role is Role.PUBLIC:
        return
    if not known.access.writes(state.scope.role):
        raise _not_for_role(state.scope.role, layer)


def _limited() -> Forbidden:
    return Forbidden(
        "Access that is limited to areas does not reach to importing files.",
        "仅限部分区域的权限不能导入文件。",
        remedy_en="Let somebody import it whose access is not limited.",
        remedy_zh="请由权限不受区域限制的人员导入。",
    )


def _not_for_role(role: Role, layer: str) -> Forbidden:
    return Forbidden(
        f"The role {role} may not change layer {layer!r}.",
        f"角色 {role} 不能修改图层“{layer}”。",
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


def is_json(request: Request) -> bool:
    """Whether the body calls itself JSON: no form of another site can say so."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _JSON


def with_json(request: Request) -> None:
    """Refuse with 415 a body that does not call itself JSON."""
    if not is_json(request):
        raise Unsupported(f"The body is {_JSON}.", f"请求体须为 {_JSON}。")
