"""Whoever made a request, in one shape for sessions, keys, tokens, commands and nobody."""

from __future__ import annotations

import getpass
from dataclasses import dataclass, field
from datetime import datetime

from gis.access import PUBLIC, SYSTEM, Scope

__all__ = ["NOBODY", "Caller", "clock", "operator"]


@dataclass(frozen=True)
class Caller:
    """A scope with what the audit log writes of it.

    ``via`` is session, key, token, command, service or none; ``expires`` when it ends by itself. ``csrf`` is
    the word that the page repeats when it changes something: a foreign page can send the cookie and not read
    this.
    """

    scope: Scope
    via: str
    display_name: str = ""
    csrf: str | None = field(default=None, repr=False)
    expires: datetime | None = None

    @property
    def is_known(self) -> bool:
        """Whether somebody said who they are."""
        return self.via != "none"


NOBODY = Caller(PUBLIC, "none")


def operator() -> Caller:
    """Whoever runs a command on the machine, by the name of its user there."""
    return Caller(Scope(SYSTEM.role, account=getpass.getuser()), "command")


def clock() -> Caller:
    """The service itself, when it does what is due."""
    return Caller(SYSTEM, "service")
