"""Who sent a request, as a name under which something is kept or counted: the account, else the address."""

from __future__ import annotations

import hashlib
import ipaddress

from starlette.datastructures import Headers
from starlette.types import Scope

from api.writing import PROXIED
from gis.accounts.caller import NOBODY, Caller

__all__ = ["client_of", "sender_of"]


def sender_of(scope: Scope) -> str:
    """Whose a kept answer is: an account or key with what it sees at the time, else an address.

    What was told to an account before its rights were changed is not told to it again.
    """
    caller = _caller(scope)
    if not caller.is_known:
        return _address(scope)
    # Keys that belong to no account may have one label.
    shown = Headers(scope=scope).get("authorization", "") if caller.via == "key" else ""
    mark = hashlib.sha256(shown.encode()).hexdigest() if shown else ""
    return f"{caller.via} {caller.scope.account} {caller.scope.digest} {mark}"


def client_of(scope: Scope) -> str | None:
    """Who is counted: an account, else an address, of IPv6 its network of 64 bits.

    None for whoever sits at the machine. The server has put the sender in place of a proxy on this machine
    already; one that hides it is counted.
    """
    caller = _caller(scope)
    if caller.is_known:
        return f"account {caller.scope.account}"
    host = _address(scope)
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return f"name {host}"
    if address.is_loopback:
        return "proxy" if any(name in Headers(scope=scope) for name in PROXIED) else None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, 64), strict=False).network_address)
        return str(address.ipv4_mapped)
    return str(address)


def _caller(scope: Scope) -> Caller:
    """Whoever `api.identity.Identity` has found."""
    found: Caller = scope.get("state", {}).get("caller", NOBODY)
    return found


def _address(scope: Scope) -> str:
    host: str = (scope.get("client") or ("",))[0]
    return host
