"""Who asks: what decides which rows and fields an answer may hold.

Whatever is kept outside the database (prepared arrays, tiles, counts, reports) is keyed by `Scope.digest`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from layers.access import Role

__all__ = ["DEPARTMENT", "PUBLIC", "SYSTEM", "Role", "Scope"]

DEPARTMENT = "department:"
"""What precedes a bureau's name among areas: all that its sources gave, wherever it lies."""


@dataclass(frozen=True)
class Scope:
    """A role, and where it holds.

    ``areas`` are codes of townships or grids, and `DEPARTMENT` with a bureau's name, sorted; None is
    everywhere, empty is nowhere. ``department``, the bureau of whoever asks, and ``account``, the name that
    the audit log writes, decide nothing.
    """

    role: Role
    areas: tuple[str, ...] | None = None
    department: str | None = None
    account: str | None = None

    @property
    def departments(self) -> tuple[str, ...]:
        """The bureaux whose data the role holds for."""
        return tuple(
            area.removeprefix(DEPARTMENT) for area in self.areas or () if area.startswith(DEPARTMENT)
        )

    @property
    def digest(self) -> str:
        """Equal for scopes that see the same; short enough for a key, and no secret."""
        areas = "*" if self.areas is None else ",".join(self.areas)
        text = "\0".join((self.role, areas, self.department or ""))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


PUBLIC = Scope(Role.PUBLIC)
SYSTEM = Scope(Role.ADMIN, account="onemap")
"""The service itself: its commands and background work, on the machine where it is installed."""
