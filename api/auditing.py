"""What of a request goes into the audit log: changes at once, looks gathered by caller, thing and day."""

from __future__ import annotations

import logging
import re
import secrets
from functools import lru_cache

from anyio import to_thread
from sqlalchemy import Engine
from starlette.requests import Request

from gis.accounts.actions import Action
from gis.accounts.audit import Event, Origin, Outcome, record_now
from gis.accounts.caller import NOBODY, Caller
from gis.accounts.sightings import Sighting, Sightings
from gis.accounts.throttle import network
from gis.errors import CredentialRefused, OneMapError

__all__ = ["Watch", "origin_of"]

log = logging.getLogger("onemap")

# A route that begins so shows something: under which name, and which parameter says what.
_SHOWS = (
    ("/collections/{layer}/items", "layer.see", "layer"),
    ("/collections/{layer}/claims", "layer.see", "layer"),
    ("/collections/{layer}/tiles/{matrix}/{z}", "layer.see", "layer"),
    ("/tiles/{matrix}/{z}", "layer.see", ""),
    ("/reports/{id}", "report.see", "id"),
    ("/jobs/{job_id}", "job.see", "job_id"),
    ("/imports/{id}", "import.see", "id"),
    ("/app/conflicts", "conflicts.see", ""),
    ("/app/search", "search", ""),
    ("/processes/screen/execution", "screen", ""),
    ("/processes/upstream/execution", "upstream", ""),
)
_LOOKS = (None, Action.READ, Action.SCREEN)
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class Watch:
    """Tells the audit log of one service; changes are written before the request is over, looks later."""

    def __init__(self, sightings: Sightings, engine: Engine) -> None:
        self.sightings = sightings
        self.engine = engine

    async def answered(self, request: Request, caller: Caller, status: int) -> None:
        """Note an answer that has been sent with ``status``."""
        action = getattr(request.state, "action", None)
        refused = status in (401, 403)
        if request.method == "POST" and request.scope["path"] == "/session":
            # Signing in writes down itself what came of it; only guesses too many are not looked at there.
            if status == 429:
                self._refused(request, "session.open")
        elif refused and not caller.is_known:
            self._refused(request, str(action or "request"))
        elif status >= 400 and not caller.is_known:
            pass  # a stranger's mistake; who may write row after row fills the log
        elif action in _LOOKS or request.method in ("GET", "HEAD"):
            self._looked(request, caller, status, str(action), refused=refused)
        else:
            outcome: Outcome = "refused" if refused else "done" if status < 400 else "failed"
            what = getattr(request.state, "audited", f"{request.method} {request.scope['path']}")
            event = Event(str(action), what, outcome, {"status": status})
            await to_thread.run_sync(self._record, origin_of(request, caller), event)

    def seen_from_memory(self, layer: str) -> None:
        """Note a tile of ``layer`` that somebody who did not say who they are got without a route."""
        self.sightings.note(Sighting(NOBODY, None, "layer.see", layer, "done"))

    def credential_refused(self, request: Request, error: OneMapError) -> None:
        """Note a credential by which nobody is known."""
        reason = error.reason if isinstance(error, CredentialRefused) else error.code
        self._refused(request, f"credential.{reason}")

    def _refused(self, request: Request, action: str) -> None:
        """Strangers who are refused are counted by their network: they decide how often they come."""
        where = network(_address(request)) or None
        self.sightings.note(Sighting(NOBODY, where, action, "", "refused"), _trace(request))

    def _looked(self, request: Request, caller: Caller, status: int, action: str, *, refused: bool) -> None:
        shown = _shown(getattr(request.scope.get("route"), "path", ""))
        if refused:
            self._note(request, caller, action, request.scope["path"], "refused")
        elif shown is not None and status < 400:
            name, parameter = shown
            # A tile of the whole map shows several layers.
            one = (str(request.path_params.get(parameter, "")),)
            for thing in getattr(request.state, "shown", one):
                self._note(request, caller, name, thing, "done")

    def _note(self, request: Request, caller: Caller, name: str, thing: str, outcome: Outcome) -> None:
        # Of those who did not say who they are, it is not written down where they sit.
        where = _address(request) if caller.is_known else None
        self.sightings.note(Sighting(caller, where, name, thing, outcome), _trace(request))

    def _record(self, origin: Origin, event: Event) -> None:
        try:
            record_now(self.engine, origin, event)
        except OneMapError as error:
            log.error("the audit log did not take %s %s: %s", event.action, event.object, error)


@lru_cache(maxsize=500)
def _shown(template: str) -> tuple[str, str] | None:
    """What a route with this path shows: the name of the look, and the parameter that says at what."""
    return next(((name, key) for start, name, key in _SHOWS if template.startswith(start)), None)


def origin_of(request: Request, caller: Caller) -> Origin:
    """Who sent ``request``, from where, and the trace that finds it in other logs."""
    return Origin(caller, _address(request), _trace(request))


def _address(request: Request) -> str | None:
    """Where the request comes from; behind a proxy that the server trusts, what that says."""
    return request.client.host if request.client else None


def _trace(request: Request) -> str:
    """The trace of W3C Trace Context where the client sends one, else a number of our own."""
    found = _TRACE.fullmatch(request.headers.get("traceparent", ""))
    return found[1] if found else secrets.token_hex(8)
