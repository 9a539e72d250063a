"""How well each layer stands: how old, how whole, how exact, and whether its sources keep what they promise.

One card a layer, with a state and the reasons for it. The worst reason decides: red, amber, grey, green.

red     what the card says can no longer be relied on
amber   something is to be done: late, rows missing, rows refused, a source that failed, accuracy unknown
grey    nobody has promised anything, so nothing can be said
green   everything promised is kept

The limits are the constants below. A layer that onemap writes itself (conflicts) is judged by how far the
judging has come, not by age.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

import numpy as np
import shapely
from sqlalchemy import Connection, LargeBinary, and_, func, select

from gis import tables
from gis.crs import LONLAT, transformation
from gis.revisions import head
from gis.rhythms import IRREGULAR, rhythm_span, rhythm_words
from gis.settings import MapDefinition
from gis.sources import WHOLE, Holding, confirmations, holdings, layer_stamps
from layers.model import Layer, Text

__all__ = ["Accuracy", "HarvestHealth", "HealthCard", "Judging", "Reason", "SourceHealth", "State", "cards"]

State = Literal["green", "amber", "red", "grey"]

GRACE = 0.1  # of the promised rhythm: an update that comes a little late is no fault
TWICE = 2.0  # times the rhythm, after which the data are red
FEW_AMBER, FEW_RED, MANY_AMBER = 0.95, 0.5, 1.2  # of the expected rows
UNKNOWN_ACCURACY = 0.05  # share of rows without a known position error
FAILURES_RED = 5  # failed harvests in a row

_WORSE: tuple[State, ...] = ("green", "grey", "amber", "red")

_WORDS: dict[str, tuple[State, str, str]] = {
    "empty": ("grey", "还没有数据", "No data yet"),
    "rhythm_unknown": ("grey", "{source}未承诺更新频率", "{source} promises no update rhythm"),
    "never": ("amber", "{source}从未确认过", "{source} has never been confirmed"),
    "late": (
        "amber",
        "{source}已 {days} 天未更新，承诺{rhythm}",
        "{source} was last confirmed {days} days ago; promised {rhythm}",
    ),
    "overdue": (
        "red",
        "{source}已 {days} 天未更新，超过承诺（{rhythm}）的两倍",
        "{source} was last confirmed {days} days ago, more than twice the promised rhythm ({rhythm})",
    ),
    "few_rows": (
        "amber",
        "{source}有 {rows} 行，应有约 {expected} 行",
        "{source} has {rows} rows of about {expected} expected",
    ),
    "hardly_any_rows": (
        "red",
        "{source}只有 {rows} 行，应有约 {expected} 行",
        "{source} has only {rows} rows of about {expected} expected",
    ),
    "many_rows": (
        "amber",
        "{source}有 {rows} 行，远多于应有的约 {expected} 行",
        "{source} has {rows} rows, far more than the {expected} expected",
    ),
    "rejects": (
        "amber",
        "{source}最近一次导入有 {rows} 行被拒绝",
        "{rows} rows of {source} were refused in its newest import",
    ),
    "harvest_failed": (
        "amber",
        "自动获取“{name}”失败：{why}",
        "The harvest {name} failed: {why}",
    ),
    "harvest_keeps_failing": (
        "red",
        "自动获取“{name}”已连续失败 {times} 次：{why}",
        "The harvest {name} has failed {times} times in a row: {why}",
    ),
    "accuracy_unknown": (
        "amber",
        "{share} 的位置精度未知",
        "The position error of {share} of the rows is unknown",
    ),
    "coverage_missing": (
        "amber",
        "未说明数据完整的范围，范围内外都只能判为未知",
        "Where the data are complete is not stated, so absence is unknown everywhere",
    ),
    "not_judged": ("grey", "尚未判定", "Not judged yet"),
    "judging_lags": (
        "amber",
        "只判定到修订 {rev}，数据已更新",
        "Judged up to revision {rev}; the data have moved on",
    ),
    "rules_changed": ("amber", "规则已变更，需重新判定", "The rules have changed since the judging"),
    "law_date_passed": (
        "amber",
        "按 {day} 的法律判定，需重新判定",
        "Judged by the law of {day}; judge again",
    ),
    "judged": ("green", "已判定至修订 {rev}", "Judged up to revision {rev}"),
    "kept": ("green", "由 onemap 自动维护", "Kept by onemap itself"),
    "as_promised": ("green", "与承诺一致", "As promised"),
}


@dataclass(frozen=True)
class Reason:
    """One reason for a card's state, in words."""

    code: str
    state: State
    zh: str
    en: str


@dataclass(frozen=True)
class HarvestHealth:
    """How a harvest of the layer is doing; ``error`` is that of the last run, when it failed."""

    name: str
    kind: str
    every: str | None
    enabled: bool
    state: str | None
    last_at: datetime | None
    next_at: datetime | None
    failures: int
    error: dict[str, str] | None


@dataclass(frozen=True)
class SourceHealth:
    """What one source holds of a layer, against what it promises; None is not stated, or never."""

    name: str
    title: Text
    bureau: str | None
    contact: str | None
    licence: str | None
    is_demonstration: bool
    rows: int
    expected_rows: int | None
    rhythm: str | None
    confirmed_at: datetime | None
    due_at: datetime | None
    open_rejects: int
    harvests: tuple[HarvestHealth, ...]


@dataclass(frozen=True)
class Accuracy:
    """Bounds of the position errors in metres, and the share of placed rows whose bound is unknown."""

    worst_m: float | None
    typical_m: float | None
    unknown_share: float | None


@dataclass(frozen=True)
class Judging:
    """How far a layer of judgements is up to date."""

    revision: int
    lagging: bool
    law_date: date | None
    rules_current: bool


@dataclass(frozen=True)
class HealthCard:
    """How well a layer stands.

    Attributes
    ----------
    rows, expected_rows : int
        Rows now, and the sum of what its sources expect (None: nobody does).
    confirmed_at, due_at : datetime or None
        The oldest of its sources' last confirmations, and when the first of them is promised anew.
    coverage_share : float or None
        Part of the district's extent inside the stated coverage; None when none is stated.
    judging : Judging or None
        For a layer that onemap writes by judging.
    """

    layer: str
    title: Text
    state: State
    reasons: tuple[Reason, ...]
    rows: int
    expected_rows: int | None
    confirmed_at: datetime | None
    due_at: datetime | None
    open_rejects: int
    coverage_share: float | None
    accuracy: Accuracy
    judging: Judging | None
    sources: tuple[SourceHealth, ...]


def cards(
    conn: Connection, definition: MapDefinition, *, now: datetime | None = None, only: str | None = None
) -> list[HealthCard]:
    """The health of all layers (or of layer ``only``) in the order of their definitions, at ``now``."""
    now = now or datetime.now(UTC)
    held = holdings(conn, definition)
    by_layer = _sources(conn, held)
    shares = _coverage_shares(conn, definition)
    chosen = [layer for layer in definition.layers.values() if only in (None, layer.id)]
    judging = _judging(conn, definition, chosen)
    return [
        _card(
            layer, held.get((WHOLE, layer.id)), by_layer.get(layer.id, []), shares.get(layer.id),
            judging if layer.derived == "conflicts" else None, now,
        )
        for layer in chosen
    ]  # fmt: skip


def _card(
    layer: Layer,
    whole: Holding | None,
    sources: Sequence[SourceHealth],
    share: float | None,
    judging: Judging | None,
    now: datetime,
) -> HealthCard:
    whole = whole or Holding(0, 0, 0, None, None)
    if layer.derived is not None:
        reasons = _reasons_of_derived(layer, judging, now)
    else:
        reasons = _reasons(layer, whole, sources, share, now)
    state = max((reason.state for reason in reasons), key=_WORSE.index)
    reasons.sort(key=lambda reason: -_WORSE.index(reason.state))
    expected = [s.expected_rows for s in sources if s.expected_rows is not None]
    confirmed = [s.confirmed_at for s in sources if s.confirmed_at is not None]
    due = [s.due_at for s in sources if s.due_at is not None]
    unknown = 1 - whole.accurate / whole.placed if whole.placed else None
    return HealthCard(
        layer.id, layer.title, state, tuple(reasons), whole.rows, sum(expected) if expected else None,
        min(confirmed, default=None), min(due, default=None), sum(s.open_rejects for s in sources), share,
        Accuracy(whole.worst, whole.typical, unknown), judging, tuple(sources),
    )  # fmt: skip


def _reasons(
    layer: Layer, whole: Holding, sources: Sequence[SourceHealth], share: float | None, now: datetime
) -> list[Reason]:
    if not whole.rows and not sources:
        return [_reason("empty")]
    reasons = [reason for source in sources for reason in _reasons_of(source, now)]
    unknown = whole.placed - whole.accurate
    if unknown > UNKNOWN_ACCURACY * whole.placed:
        reasons.append(_reason("accuracy_unknown", share=f"{unknown / whole.placed:.0%}"))
    if layer.role == "zone" and whole.rows and share is None:
        reasons.append(_reason("coverage_missing"))
    return reasons or [_reason("as_promised")]


def _reasons_of(source: SourceHealth, now: datetime) -> list[Reason]:
    told = {"source": source.title}
    reasons = _of_age(source, now)
    expected, rows = source.expected_rows, source.rows
    if expected:
        share = rows / expected
        if share < FEW_RED:
            reasons.append(_reason("hardly_any_rows", rows=rows, expected=expected, **told))
        elif share < FEW_AMBER:
            reasons.append(_reason("few_rows", rows=rows, expected=expected, **told))
        elif share > MANY_AMBER:
            reasons.append(_reason("many_rows", rows=rows, expected=expected, **told))
    if source.open_rejects:
        reasons.append(_reason("rejects", rows=source.open_rejects, **told))
    for harvest in source.harvests:
        if harvest.failures and harvest.error is not None:
            code = "harvest_keeps_failing" if harvest.failures >= FAILURES_RED else "harvest_failed"
            why = Text(zh=harvest.error["zh"], en=harvest.error["en"])
            reasons.append(_reason(code, name=harvest.name, times=harvest.failures, why=why))
    return reasons


def _of_age(source: SourceHealth, now: datetime) -> list[Reason]:
    if source.rhythm is None:
        return [_reason("rhythm_unknown", source=source.title)]
    if source.confirmed_at is None:
        return [_reason("never", source=source.title)]
    span = rhythm_span(source.rhythm)
    if source.rhythm == IRREGULAR or span is None:
        return []
    age = now - source.confirmed_at
    told = {"source": source.title, "days": age.days, "rhythm": rhythm_words(source.rhythm)}
    if age > TWICE * span:
        return [_reason("overdue", **told)]
    return [_reason("late", **told)] if age > (1 + GRACE) * span else []


def _reasons_of_derived(layer: Layer, judging: Judging | None, now: datetime) -> list[Reason]:
    if layer.derived != "conflicts":
        return [_reason("kept")]
    if judging is None or judging.law_date is None:
        return [_reason("not_judged")]
    reasons = []
    if judging.lagging:
        reasons.append(_reason("judging_lags", rev=judging.revision))
    if not judging.rules_current:
        reasons.append(_reason("rules_changed"))
    if judging.law_date < now.date():
        reasons.append(_reason("law_date_passed", day=judging.law_date.isoformat()))
    return reasons or [_reason("judged", rev=judging.revision)]


def _reason(code: str, **given: Any) -> Reason:
    state, zh, en = _WORDS[code]
    words = {
        language: {k: v.text(language) if isinstance(v, Text) else v for k, v in given.items()}
        for language in ("zh", "en")
    }
    return Reason(code, state, zh.format(**words["zh"]), en.format(**words["en"]))


def _sources(conn: Connection, held: dict[tuple[int, str], Holding]) -> dict[str, list[SourceHealth]]:
    """What stands in each layer, or is promised or harvested for it, by source."""
    s, p = tables.sources, tables.promises
    at, refused, harvests = confirmations(conn), _open_rejects(conn), _harvests(conn)
    promised = {(row.source_id, row.layer): row for row in conn.execute(select(p))}
    known = {row.source_id: row for row in conn.execute(select(s))}
    found: dict[str, list[SourceHealth]] = {}
    # A source of which nothing is left and nothing is awaited says nothing about the layer.
    for key in sorted({key for key in held if key[0] != WHOLE} | promised.keys() | harvests.keys()):
        source_id, layer = key
        row, kept, confirmed = known[source_id], promised.get(key), at.get(key)
        rhythm = (kept.rhythm if kept else None) or row.rhythm
        span = rhythm_span(rhythm)
        found.setdefault(layer, []).append(
            SourceHealth(
                row.name, Text(zh=row.title_zh, en=row.title_en), row.bureau, row.contact, row.licence,
                row.is_demonstration, held[key].rows if key in held else 0,
                kept.expected_rows if kept else None, rhythm, confirmed,
                confirmed + span if confirmed and span else None, refused.get(key, 0),
                tuple(harvests.get(key, ())),
            )
        )  # fmt: skip
    return found


def _open_rejects(conn: Connection) -> dict[tuple[int, str], int]:
    """Refused rows of the newest import of each source into each layer."""
    r = tables.import_runs
    last = select(func.max(r.c.run_id)).group_by(r.c.source_id, r.c.layer)
    newest = select(r.c.source_id, r.c.layer, r.c.bad).where(r.c.run_id.in_(last))
    return {(row.source_id, row.layer): row.bad for row in conn.execute(newest)}


def _harvests(conn: Connection) -> dict[tuple[int, str], list[HarvestHealth]]:
    h, r = tables.harvests, tables.harvest_runs
    last = select(func.max(r.c.harvest_run_id)).where(r.c.state != "running").group_by(r.c.harvest_id)
    shown = ("source_id", "layer", "name", "kind", "every", "enabled", "next_at", "failures")
    joined = select(*(h.c[name] for name in shown), r.c.state, r.c.finished, r.c.error).outerjoin(
        r, and_(h.c.harvest_id == r.c.harvest_id, r.c.harvest_run_id.in_(last))
    )
    found: dict[tuple[int, str], list[HarvestHealth]] = {}
    for row in conn.execute(joined.order_by(h.c.name)):
        found.setdefault((row.source_id, row.layer), []).append(_harvest(row))
    return found


def _harvest(row: Any) -> HarvestHealth:
    return HarvestHealth(
        row.name, row.kind, row.every, row.enabled, row.state, row.finished, row.next_at, row.failures,
        row.error,
    )  # fmt: skip


_SHARES: dict[object, float] = {}
_SHARES_MOST = 1000


def _coverage_shares(conn: Connection, definition: MapDefinition) -> dict[str, float]:
    """The part of the district's extent that each layer's coverage takes, where it has one.

    Measured as areas in the measuring plane (metres), and kept for each revision of the layer.
    """
    c = tables.coverage
    stamps = layer_stamps(conn)
    covered = set(conn.scalars(select(c.c.layer).where(c.c.rev_to.is_(None)).distinct()))
    names = {layer: (stamps.get(layer), definition.district.extent) for layer in covered}
    missing = [layer for layer, name in names.items() if name not in _SHARES]
    if missing:
        geometry = func.ST_AsBinary(c.c.geom, type_=LargeBinary)
        rows = conn.execute(select(c.c.layer, geometry).where(c.c.rev_to.is_(None), c.c.layer.in_(missing)))
        shapes: dict[str, list[bytes]] = {}
        for layer, wkb in rows:
            shapes.setdefault(layer, []).append(wkb)
        for layer, wkbs in shapes.items():
            _SHARES[names[layer]] = _share(definition, shapely.from_wkb(wkbs))
        while len(_SHARES) > _SHARES_MOST:
            _SHARES.pop(next(iter(_SHARES)), None)
    return {layer: _SHARES[name] for layer, name in names.items() if name in _SHARES}


def _share(definition: MapDefinition, coverage: np.ndarray[Any, np.dtype[np.object_]]) -> float:
    """The part of the district's extent inside ``coverage`` (storage CRS); invalid parts are left out."""
    district = definition.district
    outline = np.array([shapely.segmentize(shapely.box(*district.extent), 0.1)])
    stored = transformation(LONLAT, district.storage_crs, district.extent).geometries(outline)[0]
    # Cut first: a coverage may reach far beyond where the measuring plane is good.
    inside = shapely.intersection(shapely.union_all(coverage[shapely.is_valid(coverage)]), stored)
    plane = transformation(district.storage_crs, district.measuring_crs, district.extent)
    part, whole = shapely.area(plane.geometries(np.array([inside, stored], dtype=object)))
    return min(1.0, float(part / whole))


def _judging(conn: Connection, definition: MapDefinition, chosen: Sequence[Layer]) -> Judging | None:
    if not any(layer.derived == "conflicts" for layer in chosen):
        return None
    from gis.screening.conflicts import judged_up_to  # brings the kernel along

    judged = judged_up_to(conn, definition, head(conn))
    return Judging(judged.judged_revision, judged.lagging, judged.law_date, judged.rules_current)
