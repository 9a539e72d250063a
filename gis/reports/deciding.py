"""Which attribute decides: for each finding, what would have to be stated for the verdict to be another one.

The values worth trying come from the rule's own filters and exceptions; what they lead to is not guessed but
judged, at the site's own place.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np

from gis.kernel import CLEAR, EDGE
from gis.screening.answer import Examined, Record
from gis.screening.filters import Attributes, evaluate
from gis.screening.findings import VERDICTS
from gis.screening.inputs import Subjects
from gis.screening.judge import RuleOutcome, judge
from layers.model import Field, Text
from layers.rulemodel import LAW_DATE, PARCEL, Bounds, Condition, DWithin, Intersects, Prefix, Rule

__all__ = ["deciding_attributes"]

# A list of codes longer than this is told as "another value".
_LISTED = 8
_OTHERWISE = Text(zh="其他值", en="any other value")


def deciding_attributes(examined: Examined, *, threads: int = 2) -> list[Record]:
    """For each finding the attributes that would change its verdict, one entry a rule and attribute.

    Each entry names the rule, the attribute, its value now (None: not stated), the verdict now, and per group
    of values what the verdict would be: ``options`` of {when: {zh, en}, verdict}. For a doubt that a better
    position would settle, the attribute is "accuracy_m", and the option says which accuracy would do.
    """
    found: list[Record] = []
    for outcome in examined.judgement.outcomes:
        if outcome.answer.code[0] == CLEAR:
            continue
        found += _of_attributes(outcome, examined, threads)
        if outcome.answer.code[0] == EDGE and isinstance(outcome.rule.predicate, (Intersects, DWithin)):
            found += _of_accuracy(outcome, examined)
    return found


def _of_attributes(outcome: RuleOutcome, examined: Examined, threads: int) -> Iterator[Record]:
    rule, now = outcome.rule, VERDICTS[int(outcome.answer.code[0])]
    fixed = examined.site.kind.attributes
    names = dict.fromkeys([*rule.subject_where, *(name for each in rule.unless for name in each.where)])
    for name in names:
        field = None if name in fixed else _field(examined, name)
        if field is None:
            continue
        options = _options(rule, field, examined, threads)
        if any(option["verdict"] != now for option in options):
            yield {
                "rule": rule.id,
                "attribute": name,
                "title": field.title.model_dump(),
                "value": _plain(examined.site.attributes.get(name)),
                "verdict": now,
                "options": options,
            }


def _field(examined: Examined, name: str) -> Field | None:
    for subject in examined.site.kind.subjects:
        if subject == PARCEL:
            continue
        for field in examined.definition.layers[subject].fields:
            if field.name == name:
                return field
    return None


def _options(rule: Rule, field: Field, examined: Examined, threads: int) -> list[Record]:
    """What each group of values that the rule tells apart would lead to."""
    conditions = [where[field.name] for where in _filters(rule) if field.name in where]
    trials = _trials(field, conditions, examined.snapshot.law_date)
    if not trials:
        return []
    verdicts = _verdicts(rule, field.name, [value for value, _ in trials], examined, threads)
    grouped: dict[str, list[Text]] = {}
    for (_, words), verdict in zip(trials, verdicts, strict=True):
        grouped.setdefault(verdict, []).append(words)
    return [{"when": _told(words).model_dump(), "verdict": verdict} for verdict, words in grouped.items()]


def _filters(rule: Rule) -> list[dict[str, Condition]]:
    return [rule.subject_where, *(exception.where for exception in rule.unless)]


def _verdicts(rule: Rule, name: str, values: list[Any], examined: Examined, threads: int) -> list[str]:
    """The verdict of ``rule`` with each value; values that its filters do not tell apart are judged once."""
    site, law_date = examined.site.subjects, examined.snapshot.law_date
    columns = {key: np.repeat(column, len(values)) for key, column in site.attributes.items()}
    columns[name] = np.empty(len(values), dtype=object)
    columns[name][:] = values
    attributes = Attributes(columns, len(values))
    told = [evaluate(where, attributes, law_date) for where in _filters(rule)]
    alike = [tuple((bool(r.yes[i]), bool(r.no[i])) for r in told) for i in range(len(values))]
    first = {key: alike.index(key) for key in alike}
    rows = np.array(list(first.values()))
    trial = Subjects(
        layer_id=site.layer_id, kinds=site.kinds, uids=np.repeat(site.uids, len(rows)),
        geoms=np.repeat(site.geoms, len(rows)), accuracy_m=np.repeat(site.accuracy_m, len(rows)),
        attributes={key: column[rows] for key, column in columns.items()},
    )  # fmt: skip
    snapshot, packs = examined.snapshot, examined.definition.packs.values()
    (judged,) = judge(trial, snapshot.prepared, packs, law_date, only=[rule.id], threads=threads).outcomes
    verdict = {key: VERDICTS[int(judged.answer.code[at])] for at, key in enumerate(first)}
    return [verdict[key] for key in alike]


def _trials(field: Field, conditions: list[Condition], law_date: date) -> list[tuple[Any, Text]]:
    """Values to try, each with the words for what it stands for."""
    if field.type == "boolean":
        return [(True, Text(zh="是", en="yes")), (False, Text(zh="否", en="no"))]
    if field.code_list:
        return [(value.code, Text(zh=value.zh, en=value.en)) for value in field.code_list]
    trials: list[tuple[Any, Text]] = []
    for condition in conditions:
        match condition:
            case Bounds():
                trials += _around(condition, law_date, field.unit)
            case Prefix(prefix=prefixes):
                listed = " / ".join(prefixes)
                trials.append((prefixes[0], Text(zh=f"以 {listed} 开头", en=f"beginning with {listed}")))
                trials.append(("\uffff", _OTHERWISE))
            case tuple():
                trials += [(value, _same(value)) for value in condition]
                trials += _another(field)
            case _:
                trials += [(condition, _same(condition)), *_another(field)]
    return trials


def _another(field: Field) -> list[tuple[Any, Text]]:
    return [("\uffff", _OTHERWISE)] if field.type in ("text", "enum") else []


def _around(bounds: Bounds, law_date: date, unit: str | None) -> Iterator[tuple[Any, Text]]:
    """A value within, and one beyond each bound."""
    low = law_date if bounds.at_least == LAW_DATE else bounds.at_least
    high = law_date if bounds.at_most == LAW_DATE else bounds.at_most
    sign = f" {unit}" if unit else ""
    words = [f"≥ {low}{sign}" if low is not None else "", f"≤ {high}{sign}" if high is not None else ""]
    within = " , ".join(word for word in words if word)
    yield low if low is not None else high, Text(zh=within, en=within)
    if low is not None:
        yield _beyond(low, -1), Text(zh=f"< {low}{sign}", en=f"< {low}{sign}")
    if high is not None:
        yield _beyond(high, 1), Text(zh=f"> {high}{sign}", en=f"> {high}{sign}")


def _beyond(value: Any, sign: int) -> Any:
    if isinstance(value, date):
        return date.fromordinal(value.toordinal() + sign)
    return value + sign


def _same(value: Any) -> Text:
    return Text(zh=str(value), en=str(value))


def _told(words: list[Text]) -> Text:
    words = list({word.en: word for word in words}.values())
    if len(words) > _LISTED:
        return _OTHERWISE
    return Text(zh="、".join(w.zh for w in words), en=", ".join(w.en for w in words))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _of_accuracy(outcome: RuleOutcome, examined: Examined) -> Iterator[Record]:
    """The site's accuracy that would settle a doubt: less than its margin and the zone's error leave."""
    margin, error = float(outcome.answer.margin_m[0]), float(outcome.answer.error_m[0])
    own = float(examined.site.accuracy_m)
    enough = abs(margin) - (error - own)
    if not np.isfinite(enough):
        return
    words = (
        Text(zh=f"优于 {enough:.1f} 米", en=f"better than {enough:.1f} m")
        if enough > 0.05
        else Text(zh="仅靠地块测量无法判定，需核定区域边界", en="the zone's own boundary has to be surveyed")
    )
    yield {
        "rule": outcome.rule.id,
        "attribute": "accuracy_m",
        "title": {"zh": "定位精度", "en": "position accuracy"},
        "value": own,
        "verdict": "edge",
        "options": [{"when": words.model_dump(), "verdict": "clear" if margin < 0 else "conflict"}],
    }
