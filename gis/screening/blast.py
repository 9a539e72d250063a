"""What a change would do to the conflicts before it is made: the blast radius of a rule pack or an import.

The same judging that keeps the ledger is done on the changed state and compared with the ledger's rows;
nothing is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import shapely
from sqlalchemy import Connection, Engine, any_, select, text

from gis import tables
from gis.crs import LONLAT, transformation
from gis.db import connect
from gis.errors import NotFound
from gis.importing.rehearsal import write_map
from gis.revisions import alive, head
from gis.screening.basis import Basis, Judging
from gis.screening.columns import read_columns, texts
from gis.screening.conflicts import conflicts_layer, last_judging
from gis.screening.keeping import all_rows
from gis.screening.rejudging import Rejudged, rejudge
from gis.screening.rows import read_named
from gis.screening.scope import WHOLE, Scope, holds, parted
from gis.screening.touched import touched
from gis.settings import MapDefinition
from layers.rulemodel import SEVERITIES

__all__ = ["Affected", "Blast", "Rehearsal", "draw", "preview_import", "preview_rules"]

_WORST = ("conflict", "unknown", "edge", "clear")
_SAID = ["subject_layer", "subject_uid", "subject_name", "rules", "verdict", "severity"]
_REPORTS_MOST = 1000


@dataclass(frozen=True)
class Affected:
    """A subject whose findings would be others.

    Attributes
    ----------
    before, after : tuple of verdict and severity or None
        The worst on it; None where nothing is on record.
    gained, lost : tuple of str
        Rules with their verdict and severity.
    change : str
        "added" when it would be on record for the first time, "closed" when no more, else "changed".
    """

    layer: str
    uid: str
    name: str | None
    before: tuple[str, str] | None
    after: tuple[str, str] | None
    gained: tuple[str, ...]
    lost: tuple[str, ...]

    @property
    def change(self) -> str:
        """What becomes of it as a whole."""
        return "added" if self.before is None else "closed" if self.after is None else "changed"


@dataclass(frozen=True)
class Blast:
    """What would change.

    Attributes
    ----------
    affected : tuple of Affected
        By layer and uid.
    by_rule : tuple of (rule, verdict, severity, before, after)
        How many findings there are on the affected subjects, where the numbers differ.
    reports : tuple of str
        Ids of past reports that rest on a zone layer whose judgements would change, the newest first; whether
        a report itself would change is what asking for its current state tells.
    judged : int
        How many subjects were looked at.
    lagging : bool
        The ledger itself was not up to date: what it still lacked is among the changes.
    """

    affected: tuple[Affected, ...]
    by_rule: tuple[tuple[str, str, str, int, int], ...]
    reports: tuple[str, ...]
    judged: int
    lagging: bool

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "judged": self.judged,
            "lagging": self.lagging,
            "by_rule": [
                dict(zip(("rule", "verdict", "severity", "before", "after"), row, strict=True))
                for row in self.by_rule
            ],
            "subjects": [
                {"layer": each.layer, "uid": each.uid, "name": each.name, "change": each.change,
                 "before": each.before, "after": each.after, "gained": each.gained, "lost": each.lost}
                for each in self.affected
            ],
            "reports": list(self.reports),
        }  # fmt: skip


def preview_rules(
    engine: Engine, definition: MapDefinition, changed: MapDefinition, *, threads: int = 2
) -> Blast:
    """What ``changed``, the same map with other rules, would make of the conflicts on record."""
    with connect(engine) as conn:
        conn.execute(text("SET LOCAL statement_timeout = 0"))
        return _blast(conn, definition, changed, keep=True, threads=threads)


def preview_import(conn: Connection, definition: MapDefinition, *, threads: int = 2) -> Blast:
    """What rows written in this transaction, and not committed, would make of the conflicts on record."""
    return _blast(conn, definition, definition, keep=False, threads=threads)


class Rehearsal:
    """Looks at a trial import while its rows are there; ``found`` is what came out, None when not asked."""

    def __init__(self, definition: MapDefinition, threads: int = 2) -> None:
        self.definition, self.threads = definition, threads
        self.found: Blast | None = None
        self.places: list[dict[str, Any]] = []

    def look(self, conn: Connection) -> None:
        """Judge, unless there is no ledger to compare with."""
        if self.definition.derived("conflicts") is None:
            return
        if last_judging(conn, self.definition, conflicts_layer(self.definition)) is None:
            return
        conn.execute(text("SET LOCAL statement_timeout = 0"))
        self.found = preview_import(conn, self.definition, threads=self.threads)
        self.places = features(conn, self.definition, self.found)


def _blast(
    conn: Connection, definition: MapDefinition, changed: MapDefinition, *, keep: bool, threads: int
) -> Blast:
    layer = conflicts_layer(definition)
    last = last_judging(conn, definition, layer)
    if last is None:
        raise NotFound(
            "Nothing was judged yet, so there is nothing to compare with.",
            "尚未判定过冲突，无从比较。",
            remedy_en="Run onemap conflicts refresh first.",
            remedy_zh="请先执行 onemap conflicts refresh。",
        )
    today = datetime.now(UTC).date()
    now = Judging(head(conn), today, Basis.of(conn, changed, today))
    found = touched(conn, changed, layer, last, now, judge_all=True)
    judged = Rejudged.of(rejudge(conn, changed, found, threads=threads, keep=keep))
    before = _before(conn, definition, found.scope, judged)
    after = all_rows(judged)[_SAID]
    affected = _affected(before, after)
    subjects = {(each.layer, each.uid) for each in affected}
    zones = {parted(name)[0] for part in judged.open for name in part.zone_layers} - {WHOLE}
    reports = _reports(conn, zones)
    return Blast(
        tuple(affected), tuple(_by_rule(before, after, subjects)), reports, judged.subjects,
        _lagging(conn, definition, last, now, keep=keep),
    )  # fmt: skip


def _lagging(conn: Connection, definition: MapDefinition, last: Judging, now: Judging, *, keep: bool) -> bool:
    """Whether the ledger lacks anything but the change that is looked at."""
    t = tables.revision_layers
    until = now.rev if keep else now.rev - 1
    layer = conflicts_layer(definition).id
    later = select(t.c.rev).where(t.c.rev > last.rev, t.c.rev <= until, t.c.layer != layer).limit(1)
    same_rules = Basis.of(conn, definition, last.law_date).rules == last.basis.rules
    return conn.scalar(later) is not None or last.law_date != now.law_date or not same_rules


def _before(conn: Connection, definition: MapDefinition, scope: Scope, found: Rejudged) -> pd.DataFrame:
    """The ledger's rows on what was judged."""
    layer = conflicts_layer(definition)
    t = tables.table_for(layer, definition.district.storage_crs)
    columns = [t.c[name] for name in (*_SAID, "zone_layer")]
    frames = []
    for part in found.open:
        query = select(*columns).where(alive(t, None), t.c.subject_layer == part.subject_layer)
        if not scope.every(part.subject_layer):
            query = query.where(t.c.subject_uid == any_(texts(part.uids)))
        frame = pd.DataFrame(read_columns(conn, query), dtype=object)
        own = frame["subject_uid"].isin(set(part.uids))
        said = zip(frame["rules"], frame["zone_layer"].fillna(""), strict=True)
        own &= np.array([holds(part.zone_layers, rules.split()[0], zone) for rules, zone in said], dtype=bool)
        frames.append(frame[own][_SAID])
    if scope.everything:
        frames = [pd.DataFrame(read_columns(conn, select(*columns).where(alive(t, None))), dtype=object)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=_SAID, dtype=object)


_Found = Mapping[tuple[str, str], tuple[str | None, list[tuple[str, str, str]]]]


def _by_subject(rows: pd.DataFrame) -> _Found:
    """Of each subject the name and what single rules find, most often once a zone."""
    found: dict[tuple[str, str], tuple[str | None, list[tuple[str, str, str]]]] = {}
    for layer, uid, name, rules, verdict, severity in rows[_SAID].itertuples(index=False):
        said = found.setdefault((layer, uid), (name if isinstance(name, str) else None, []))[1]
        said += [(rule, verdict, severity) for rule in rules.split()]
    return found


def _affected(before: pd.DataFrame, after: pd.DataFrame) -> list[Affected]:
    old, new = _by_subject(before), _by_subject(after)
    found = []
    for key in sorted(old.keys() | new.keys()):
        (old_name, was), (name, now) = old.get(key, (None, [])), new.get(key, (None, []))
        gained, lost = set(now) - set(was), set(was) - set(now)
        if gained or lost:
            found.append(
                Affected(*key, name or old_name, _worst(was), _worst(now), _words(gained), _words(lost))
            )
    return found


def _worst(said: Sequence[tuple[str, str, str]]) -> tuple[str, str] | None:
    found = min(
        said,
        key=lambda each: (_WORST.index(each[1]), SEVERITIES.index(each[2])),
        default=None,
    )
    return None if found is None else found[1:]


def _words(said: Iterable[tuple[str, str, str]]) -> tuple[str, ...]:
    return tuple(" ".join(each) for each in sorted(said))


def _by_rule(
    before: pd.DataFrame, after: pd.DataFrame, subjects: set[tuple[str, str]]
) -> list[tuple[str, str, str, int, int]]:
    counts = []
    for rows in (before, after):
        said = ((key, each) for key, (_, found) in _by_subject(rows).items() for each in found)
        counts.append(Counter(each for key, each in said if key in subjects))
    was, now = counts
    return [(*each, was[each], now[each]) for each in sorted(was | now) if was[each] != now[each]]


def features(conn: Connection, definition: MapDefinition, blast: Blast) -> list[dict[str, Any]]:
    """The affected subjects for `gis.importing.rehearsal.write_map`: GeoJSON in degrees."""
    district, found = definition.district, []
    out = transformation(district.measuring_crs, LONLAT, district.extent)
    for name in dict.fromkeys(each.layer for each in blast.affected):
        mine = {each.uid: each for each in blast.affected if each.layer == name}
        uids = np.array(list(mine), dtype=object)
        rows = read_named(conn, definition, definition.layers[name], uids, head(conn))
        texts = shapely.to_geojson(out.geometries(rows.geoms))
        for uid, shape in zip(rows.uids, texts, strict=True):
            each = mine[uid]
            found.append(
                {
                    "type": "Feature",
                    "geometry": orjson.loads(shape),
                    "properties": {
                        "change": each.change, "uid": f"{each.layer}/{uid}", "row": None,
                        "label": " · ".join([each.name or uid, *(f"+ {w}" for w in each.gained),
                                             *(f"− {w}" for w in each.lost)]),
                    },
                }
            )  # fmt: skip
    return found


def draw(definition: MapDefinition, places: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the map of affected subjects: .html or .geojson. Raises ExportRefused."""
    write_map(definition, conflicts_layer(definition), places, path)


def _reports(conn: Connection, layers: Iterable[str]) -> tuple[str, ...]:
    """The newest reports that rest on any of the zone layers; none where no reports are kept."""
    if not conn.scalar(text("SELECT to_regclass('core.reports') IS NOT NULL")):
        return ()
    query = text(
        "SELECT report_id FROM core.reports WHERE EXISTS (SELECT FROM jsonb_array_elements("
        "convert_from(record, 'UTF8')::jsonb -> 'layers') AS used WHERE used ->> 'id' = ANY(:layers)) "
        "ORDER BY at DESC LIMIT :most"
    )
    return tuple(conn.scalars(query, {"layers": sorted(layers), "most": _REPORTS_MOST}))
