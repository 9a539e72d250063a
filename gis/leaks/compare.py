"""Each channel beside what a scope is to see."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

from sqlalchemy import Engine

from gis.access import Scope
from gis.db import connect
from gis.leaks.channels import CHANNELS, Looking, reports_seen, screened_zones
from gis.leaks.expected import expected_of, reports_expected, wrong_areas
from gis.leaks.services import SERVICES
from gis.revisions import head
from gis.screening.conflicts import summary
from gis.settings import MapDefinition

__all__ = ["Compared", "compare"]


@dataclass(frozen=True)
class Compared:
    """One channel on one layer: how many things it is to show, what it shows beyond, what it keeps back."""

    channel: str
    layer: str
    expected: int
    leaked: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()

    @property
    def leaks(self) -> bool:
        """Whether it shows what it must not."""
        return bool(self.leaked)


def compare(engine: Engine, definition: MapDefinition, scope: Scope) -> Iterator[Compared]:
    """Ask every channel as ``scope`` and hold the answers against definitions and stored columns.

    Nothing of a map that is being written to meanwhile is told apart from a leak: ask when nobody writes.
    """
    of = Looking(engine, definition, scope)
    for layer in definition.layers.values():
        with connect(engine) as conn:
            want = expected_of(conn, definition, layer, scope)
            wrong = wrong_areas(conn, definition, layer)
        yield Compared("areas", layer.id, len(want.seen), tuple(f"{wrong} rows" for _ in range(bool(wrong))))
        for name, ask in (CHANNELS | SERVICES).items():
            yield _compared(name, layer.id, want.seen, ask(of, want))
        if layer.role == "zone":
            yield _compared("screening", layer.id, want.seen, screened_zones(of, want))
        if layer.derived == "conflicts":
            yield _summary(of, len(want.seen))
    with connect(engine) as conn:
        reports = reports_expected(conn, definition, scope)
    allowed = {name for name, seen in reports.items() if seen}
    yield _compared("reports", "", allowed, reports_seen(of, reports))


def _compared(channel: str, layer: str, want: Set[str], shown: Set[str]) -> Compared:
    return Compared(channel, layer, len(want), tuple(sorted(shown - want)), tuple(sorted(want - shown)))


def _summary(of: Looking, rows: int) -> Compared:
    """The numbers of conflicts beside the rows."""
    with of.connect() as conn:
        counted = int(str(summary(conn, of.seen, head(conn))["total"]))
    return Compared("numbers", "", rows, () if counted <= rows else (f"{counted} rows",))
