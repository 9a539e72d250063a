"""Whether a client takes gzip, settled once for all that compress (RFC 9110, 12.5.3)."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Codings", "takes_gzip"]

_HEADER = b"accept-encoding"
# Values as clients mostly send them, which say what they say at once.
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz, -")


def takes_gzip(header: str) -> bool:
    """Whether an Accept-Encoding lets gzip through: by its own weight, else by that of ``*``.

    Without either it does not. A weight that is none counts as 0: what is sent plain can be read by anybody.
    """
    weights: dict[str, float] = {}
    for part in header.lower().split(","):
        coding, *parameters = (piece.strip() for piece in part.split(";"))
        weights[coding] = 1.0
        for name, _, value in (each.partition("=") for each in parameters):
            if name.strip() == "q":
                weights[coding] = _weight(value.strip())
    gzip = weights.get("gzip", weights.get("x-gzip"))
    return (weights.get("*", 0.0) if gzip is None else gzip) > 0


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


class Codings:
    """Says ``gzip`` or ``identity`` for an Accept-Encoding, so that all who compress only look for that."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with one coding."""
        if scope["type"] == "http":
            sent = [value for name, value in scope["headers"] if name == _HEADER]
            if len(sent) > 1 or not all(_PLAIN.issuperset(value) for value in sent):
                told = takes_gzip(b",".join(sent).decode("latin-1"))
                kept = [(name, value) for name, value in scope["headers"] if name != _HEADER]
                scope = dict(scope, headers=[*kept, (_HEADER, b"gzip" if told else b"identity")])
        await self.app(scope, receive, send)
