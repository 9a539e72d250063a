"""What most commands begin with: the settings, the map they choose, and its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from api.cli.console import stage

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gis.settings import MapDefinition, Settings

__all__ = ["Opened", "opened"]


@dataclass(frozen=True)
class Opened:
    """One installation, its database in step with the definitions."""

    settings: Settings
    definition: MapDefinition
    engine: Engine

    def note(self, action: str, thing: str, **detail: str | int | bool | None) -> None:
        """Write down in the audit log what the machine's user did to ``thing``."""
        from gis.accounts.audit import Event, Origin, record_now
        from gis.accounts.caller import operator

        record_now(self.engine, Origin(operator()), Event(action, thing, detail=detail))


@contextmanager
def opened(home: Path | None = None, *, while_needed: bool = False) -> Iterator[Opened]:
    """Start the database when needed and bring its tables up to the definitions; closes the connections.

    A private server that this starts stays up for the commands to come; ``while_needed`` stops it at the end.
    """
    from gis.cluster import Cluster
    from gis.db import make_engine
    from gis.instep import bring_in_step
    from gis.settings import load_settings

    settings = load_settings(home=home)
    definition = settings.load_map()
    with ExitStack() as at_end:
        with stage("Starting the database …", "正在启动数据库……"):
            if while_needed and settings.database_url is None:
                at_end.enter_context(Cluster(settings.home).while_needed())
            engine = make_engine(settings)
            at_end.callback(engine.dispose)
            bring_in_step(engine, definition)
        yield Opened(settings, definition, engine)
