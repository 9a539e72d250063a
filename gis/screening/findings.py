"""What a judgement says of one subject, in plain objects: findings with zones, and what is clear and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry

from gis.kernel import CLEAR, CONFLICT, EDGE, UNKNOWN, Parts
from layers.model import Text
from layers.rulemodel import Reference, Rule, Severity, TableRow, Verdict

__all__ = [
    "NOT_APPLICABLE",
    "NOT_COVERED",
    "NOT_MET",
    "NOT_ON_IT",
    "NO_ACCURACY",
    "NO_LEGAL_BASIS",
    "NO_NETWORK",
    "NO_ZONES",
    "STRAIGHT",
    "VERDICTS",
    "WORST_FIRST",
    "ZONE_NOT_ON_IT",
    "Cleared",
    "Finding",
    "ZoneFact",
    "by_table",
    "number",
    "worst",
]

WORST_FIRST: dict[str, int] = {"conflict": 0, "unknown": 1, "edge": 2, "clear": 3}
"""The verdicts in the order in which they are told, with their rank."""

VERDICTS: dict[int, Verdict] = {
    CLEAR: "clear",
    EDGE: "edge",
    UNKNOWN: "unknown",
    CONFLICT: "conflict",
}
"""The words for the kernel's verdict codes."""

STRAIGHT: tuple[Text, ...] = (
    Text(zh="无河网数据，按直线距离判定。", en="Without a river network it is judged by straight distance."),
    Text(
        zh="河网数据未完整覆盖该处，按直线距离判定。",
        en="The river network does not cover the place: judged by straight distance.",
    ),
    Text(
        zh="不在河网上，按直线距离判定。",
        en="It does not lie on the river network: judged by straight distance.",
    ),
    Text(
        zh="附近河流的位置精度未知，按直线距离判定。",
        en="The accuracy of the rivers nearby is not known: judged by straight distance.",
    ),
    Text(
        zh="对方不在河网上，按直线距离判定。",
        en="What it is compared with does not lie on the river network: judged by straight distance.",
    ),
)
"""Why a subject is judged by straight distance; -1 stands for none of these."""
NO_NETWORK, NOT_COVERED, NOT_ON_IT, NO_ACCURACY, ZONE_NOT_ON_IT = range(5)


def by_table(row: TableRow) -> Text:
    """What a finding says that rests on a row of a table instead of a stated attribute."""
    doubt_zh, doubt_en = ("（待确认）", " (to be confirmed)") if row.confidence == "M" else ("", "")
    return Text(zh=f"按查找表判定{doubt_zh}：{row.zh}", en=f"By a table{doubt_en}: {row.en}")


NO_LEGAL_BASIS = Text(zh="未找到该日期的法律依据。", en="No legal basis found for this date.")
NOT_APPLICABLE = Text(zh="规则不适用于该对象。", en="The rule is not about this subject.")
NO_ZONES = Text(zh="图层中没有此类区域。", en="The layer has no zone of this kind.")
NOT_MET = Text(zh="该处未触及相关区域。", en="The place does not meet the condition.")


@dataclass(eq=False, slots=True)
class ZoneFact:
    """One zone behind a finding.

    Attributes
    ----------
    layer, uid, name : str
        ``name`` may be None.
    row : int
        Its row in the zone layer.
    verdict, severity, severity_if_official
        Of this zone by itself.
    overlap_m2, overlap_m, share : float or None
        For polygons, for lines, and by size of the subject; None where they do not apply.
    distance_m : float
        0 where they meet.
    bearing_deg : float or None
        To the zone's nearest place, clockwise from grid north; None where they meet.
    margin_m : float or None
        How far within the rule's limit (positive) the subject's nearest place is.
    error_m : float or None
        Combined error; None when an accuracy is not known.
    limit_m : float or None
        The rule's distance for this zone; None where the subject would have to state it.
    along_m : float or None
        Along the river, down to the zone; None where it was not followed or does not lead there.
    river : str or None
        Name of the reach that the zone is on.
    on_boundary : bool
        A mere touch of the limit.
    witness : geometry
        What to draw, in the measuring plane.
    """

    layer: str
    uid: str
    name: str | None
    row: int
    verdict: Verdict
    severity: Severity
    severity_if_official: Severity
    overlap_m2: float | None
    overlap_m: float | None
    share: float | None
    distance_m: float
    bearing_deg: float | None
    margin_m: float | None
    error_m: float | None
    limit_m: float | None
    along_m: float | None
    river: str | None
    on_boundary: bool
    is_indicative: bool
    witness: BaseGeometry


@dataclass(eq=False, slots=True)
class Finding:
    """What one rule says of one subject, when it is not clear.

    Attributes
    ----------
    rule : Rule
        Its ``predicate`` has ``op``, ``reach_m`` and ``is_statutory`` for sentences.
    severity : str
        ``severity_if_official``, or review at most where the verdict rests on indicative zones.
    severity_if_official : str
        The rule's, or review at most where no law stood behind the rule on the law date.
    missing : tuple of str
        What would have to be known: attributes of the subject, "<layer>.<attribute>" of a zone,
        "accuracy_m", "coverage", "geometry" or "access". A conflict may have some, for the parts of a site
        that are unknown.
    applies : bool
        False when it is not known whether the rule is for this subject at all.
    parts : Parts or None
        The four parts of a line or polygon; None for a point.
    has_basis : bool
        Whether any law stood behind the rule on the law date; ``citations`` may still hold penalties.
    margin_m, error_m : float or None
        Of the boundary that decides.
    notes : tuple of Text
        What has to be said beside the facts.
    """

    rule: Rule
    verdict: Verdict
    severity: Severity
    severity_if_official: Severity
    missing: tuple[str, ...]
    applies: bool
    zones: tuple[ZoneFact, ...]
    parts: Parts | None
    citations: tuple[Reference, ...]
    has_basis: bool
    margin_m: float | None
    error_m: float | None
    on_boundary: bool
    notes: tuple[Text, ...]


@dataclass(eq=False, slots=True)
class Cleared:
    """Why one rule has nothing against one subject.

    Attributes
    ----------
    code : str
        "not_applicable" (an attribute settles it), "exempt" (an exception is known to hold), "no_zones" (the
        layer has none of that kind), or "not_met" (the place is not in conflict).
    names : tuple of str
        The attributes that settle a "not_applicable".
    """

    rule: Rule
    code: str
    reason: Text
    names: tuple[str, ...] = ()


def worst(findings: Sequence[Finding]) -> tuple[Verdict, Severity | None]:
    """The worst verdict of some findings, the worst of which come first, and its severity; clear for none."""
    return (findings[0].verdict, findings[0].severity) if findings else ("clear", None)


def number(value: float) -> float | None:
    """Return a plain number, None for NaN."""
    told = float(value)
    return told if told == told else None  # NaN is not
