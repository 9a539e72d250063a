"""What a person would write about a finding, in Chinese and English."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from layers.model import Text
from layers.rulemodel import Attribute, Rule

__all__ = ["Met", "Words", "missing_names", "say"]

_COMPASS_EN = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")
_COMPASS_ZH = ("北", "东北", "东", "东南", "南", "西南", "西", "西北")


class Words(NamedTuple):
    """What is said of one place: unlike a text of a definition it is not checked, as it is made here."""

    zh: str
    en: str


@dataclass(slots=True)
class Met:
    """The zone that matters most to a finding. Lengths in metres, areas in square metres, shares 0 to 1.

    ``bearing_deg`` leads from the zone to the subject, clockwise from north; NaN where it has no meaning.
    ``limit_m`` is the rule's distance; None where nobody stated it. ``along_m`` is the distance along the
    river named ``river``, where it was followed.
    """

    name: str
    overlap_m2: float | None
    overlap_m: float | None
    share: float | None
    distance_m: float
    bearing_deg: float | None
    more: int = 0
    limit_m: float | None = 0.0
    along_m: float | None = None
    river: str | None = None


def say(
    rule: Rule,
    verdict: str,
    met: Met | None,
    *,
    margin_m: float | None,
    error_m: float | None,
    on_boundary: bool,
    missing: Sequence[tuple[str, Text]],
    outside_share: float | None = None,
) -> Words:
    """The sentence for one finding.

    Parameters
    ----------
    met : Met or None
        The zone that decides, where there is one.
    margin_m, error_m : float or None
        How far within (> 0) or without the limit the subject lies, and the combined position error.
    missing : sequence of (name, title)
        What an unknown verdict lacks.
    outside_share : float or None
        For rules about lying outside all zones: which share of the site does.
    """
    place = _place(rule, met, margin_m, outside_share)
    if verdict == "unknown":
        return _joined(place, _lacks(missing))
    if verdict == "edge":
        return _joined(place, _doubt(margin_m, error_m, on_boundary))
    if verdict == "conflict" and error_m:
        return _joined(place, Words(zh=f"定位误差 {_m(error_m)}。", en=f"Position error {_m(error_m)}."))
    return place


_OWN = {
    "accuracy_m": Text(zh="定位精度", en="position accuracy"),
    "coverage": Text(zh="图层覆盖范围", en="coverage of the layer"),
    "geometry": Text(zh="有效的几何", en="a valid geometry"),
    "network": Text(zh="下游河网的走向（河网在此中断）", en="where the river goes on (the network ends)"),
    "access": Text(zh="查看权限", en="access to the layer"),
}
"""What a finding may lack that is no field."""


def missing_names(names: Sequence[str], titles: dict[str, Text]) -> list[tuple[str, Text]]:
    """Each missing name with its title in words; a name without title stands for itself."""
    return [(n, titles.get(n) or _OWN.get(n.rpartition(".")[2]) or Text(zh=n, en=n)) for n in names]


def _joined(first: Words, second: Words) -> Words:
    return Words(zh=first.zh + second.zh, en=f"{first.en} {second.en}")


def _place(rule: Rule, met: Met | None, margin_m: float | None, outside_share: float | None) -> Words:
    if outside_share is not None:
        share = _percent(outside_share)
        return Words(zh=f"地块有 {share} 位于区域之外。", en=f"{share} of the site lies outside the zones.")
    if isinstance(rule.predicate, Attribute):
        return Words(zh="由对象的属性决定，与位置无关。", en="Its attributes decide, wherever it lies.")
    if met is None:
        return Words(zh="未落入任何相关区域。", en="It lies in no zone of this kind.")
    others_zh = f"等 {met.more + 1} 处" if met.more else ""
    others_en = f" and {met.more} more" if met.more else ""
    name_zh, name_en = f"“{met.name}”{others_zh}", f"“{met.name}”{others_en}"
    if met.along_m is not None:
        return _along(rule, met, name_zh, name_en)
    if met.distance_m > 0:
        return _apart(rule, met, name_zh, name_en)
    if met.overlap_m2 and met.share is not None:
        area, share = _m2(met.overlap_m2), _percent(met.share)
        return Words(
            zh=f"与{name_zh}重叠 {area}（占 {share}）。",
            en=f"Overlaps {name_en} by {area} ({share} of the site).",
        )
    if met.overlap_m and met.share is not None:
        length, share = _m(met.overlap_m), _percent(met.share)
        return Words(
            zh=f"有 {length}（{share}）位于{name_zh}内。", en=f"{length} ({share}) of it lies in {name_en}."
        )
    depth = None if margin_m is None or math.isnan(margin_m) else margin_m - (met.limit_m or 0.0)
    if depth is not None and depth > 0:
        return Words(
            zh=f"位于{name_zh}内，距边界 {_m(depth)}。",
            en=f"Lies inside {name_en}, {_m(depth)} from its boundary.",
        )
    return Words(zh=f"位于{name_zh}边界上。", en=f"Lies on the boundary of {name_en}.")


def _apart(rule: Rule, met: Met, name_zh: str, name_en: str) -> Words:
    far = _m(met.distance_m)
    zh, en = f"距{name_zh} {far}", f"Lies {far} from {name_en}"
    if met.bearing_deg is not None and not math.isnan(met.bearing_deg):
        sector = round(met.bearing_deg / 45) % 8
        zh, en = (
            f"位于{name_zh}{_COMPASS_ZH[sector]}侧 {far}",
            f"Lies {far} {_COMPASS_EN[sector]} of {name_en}",
        )
    if met.limit_m:
        limit = _m(met.limit_m)
        kind_zh, kind_en = _kind(rule)
        return Words(zh=f"{zh}（限值 {limit}，{kind_zh}）。", en=f"{en} (limit {limit}, {kind_en}).")
    return Words(zh=f"{zh}。", en=f"{en}.")


def _along(rule: Rule, met: Met, name_zh: str, name_en: str) -> Words:
    far, limit = _m(met.along_m or 0.0), _m(met.limit_m or 0.0)
    zh = f"沿“{met.river}”" if met.river else "沿河"
    en = f"along “{met.river}”" if met.river else "along the river"
    kind_zh, kind_en = _kind(rule)
    return Words(
        zh=f"位于{name_zh}上游，{zh} {far}（限值 {limit}，{kind_zh}）。",
        en=f"Lies {far} upstream {en} of {name_en} (limit {limit}, {kind_en}).",
    )


def _kind(rule: Rule) -> tuple[str, str]:
    if rule.predicate.is_statutory:
        return "法定", "statutory"
    return "运营参数，非法定", "operational, not statutory"


def _doubt(margin_m: float | None, error_m: float | None, on_boundary: bool) -> Words:
    if on_boundary and not error_m:
        return Words(
            zh="仅与边界相接，是否构成须由人判断。",
            en="It merely touches the boundary; a person must decide.",
        )
    if margin_m is None or error_m is None or math.isnan(margin_m) or math.isnan(error_m):
        return Words(
            zh="处于定位误差范围内，需现场测量。", en="It is within the position error: a survey is needed."
        )
    return Words(
        zh=f"距判定界线 {_m(abs(margin_m))}，不超过定位误差 {_m(error_m)}：需现场测量。",
        en=f"It is {_m(abs(margin_m))} from the deciding limit, within the position error of "
        f"{_m(error_m)}: survey needed.",
    )


def _lacks(missing: Sequence[tuple[str, Text]]) -> Words:
    zh = "、".join(title.zh for _, title in missing)
    en = ", ".join(title.en for _, title in missing)
    return Words(zh=f"缺少：{zh}，无法判断。", en=f"Cannot be judged without: {en}.")


def _m(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:,.1f} km"
    if value >= 10:
        return f"{value:,.0f} m"
    return f"{value:.1f} m" if value >= 0.05 else "<0.1 m"


def _m2(value: float) -> str:
    if value >= 10:
        return f"{value:,.0f} m²"
    return f"{value:.1f} m²" if value >= 0.05 else "<0.1 m²"


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "<0.1%"
