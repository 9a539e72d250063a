"""What the user decided about an upload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from gis.importing import ImportOptions, SourceInfo

__all__ = ["Plan", "Source"]

_DRAWN = 2000  # rows of each kind of change: more cannot be told apart on a screen


@dataclass(frozen=True)
class Source:
    """Where the data come from; ``accuracy_m`` is a bound of their position error, None: unknown."""

    name: str
    title_zh: str = ""
    title_en: str = ""
    bureau: str | None = None
    licence: str | None = None
    accuracy_m: float | None = None


@dataclass(frozen=True)
class Plan:
    """Layer, place and columns as confirmed.

    ``crs`` is "auto" or a name as `gis.importing.placing.decide` takes it, ``crs_groups`` names it for single
    groups of rows; ``mapping`` is field -> column, and a field with "" has no column. ``close_many`` confirms
    that a replace may close more than a fifth of the source's rows.
    """

    layer: str
    source: Source
    crs: str = "auto"
    crs_groups: Mapping[int, str] = field(default_factory=dict)
    mapping: Mapping[str, str] = field(default_factory=dict)
    mode: Literal["upsert", "replace", "append"] = "upsert"
    outside: Literal["refuse", "keep"] = "refuse"
    close_many: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON holds it; `from_dict` reads it again."""
        return asdict(self) | {"crs_groups": {str(k): v for k, v in self.crs_groups.items()}}

    @classmethod
    def from_dict(cls, held: Mapping[str, Any]) -> Plan:
        """The plan that `as_dict` wrote."""
        groups = {int(number): crs for number, crs in held["crs_groups"].items()}
        return cls(**{**held, "source": Source(**held["source"]), "crs_groups": groups})

    def options(self, who: str, *, map_file: Path | None = None) -> ImportOptions:
        """The options of the import; with ``map_file`` only of its dry run, which draws the changes there."""
        given = self.source
        return ImportOptions(
            SourceInfo(
                given.name, given.title_zh, given.title_en, bureau=given.bureau, licence=given.licence,
                accuracy_m=given.accuracy_m,
            ),
            crs=self.crs,
            crs_groups=dict(self.crs_groups),
            mapping=dict(self.mapping),
            mode=self.mode,
            outside=self.outside,
            dry_run=map_file is not None,
            map_file=map_file,
            map_rows=_DRAWN,
            who=who,
            allow_large_close=self.close_many,
        )  # fmt: skip
