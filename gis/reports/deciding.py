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
from gis.screening.judge import judge
from gis.screening.judgement import RuleOutcome
from gis.settings import MapDefinition
from layers.model import Field, Text
from layers.predicates import (
    LAW_DATE,
    Bounds,
    Condition,
    DWithin,
    DWithinStated,
    Intersects,
    Prefix,
    StatedNone,
    UpstreamWithin,
    Where,
)
from layers.rulemodel import PARCEL, Rule

__all__ = ["deciding_attributes", "rule_filters", "trial_values"]

# So many values are named; of more than that only how many there are.
_LISTED = 8
_ANY = Text(zh="一经说明（不论何值）", en="once stated, whatever it is")
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
        if outcome.answer.code[0] == EDGE and _by_straight_distance(outcome.rule):
            found += _of_accuracy(outcome, examined)
    return found


def _of_attributes(outcome: RuleOutcome, examined: Examined, threads: int) -> Iterator[Record]:
    rule, now = outcome.rule, VERDICTS[int(outcome.answer.code[0])]
    fixed = examined.site.kind.attributes
    filters = rule_filters(rule, examined.definition)
    for name in dict.fromkeys(name for where in filters for name in where):
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
    conditions = [
        where[field.name] for where in rule_filters(rule, examined.definition) if field.name in where
    ]
    trials = trial_values(field, conditions, examined.snapshot.law_date)
    if not trials:
        return []
    verdicts = _verdicts(rule, field.name, [value for value, _ in trials], examined, threads)
    grouped: dict[str, list[Text]] = {}
    for (_, words), verdict in zip(trials, verdicts, strict=True):
        grouped.setdefault(verdict, []).append(words)
    if len(grouped) == 1:
        return [{"when": _ANY.model_dump(), "verdict": verdicts[0]}]
    return [{"when": _told(words).model_dump(), "verdict": verdict} for verdict, words in grouped.items()]


def rule_filters(rule: Rule, definition: MapDefinition) -> list[Where]:
    """All that a rule asks of its subjects: itself, in its exceptions, in its tables, and as a distance."""
    filters = [rule.subject_where, *(exception.where for exception in rule.unless)]
    for table in definition.packs[rule.pack].deciding(rule):
        filters += [row.subject for row in table.deciding]
    if isinstance(rule.predicate, DWithinStated):
        filters.append({rule.predicate.attribute: (0.0, rule.predicate.at_most_m)})
    return filters


def _verdicts(rule: Rule, name: str, values: list[Any], examined: Examined, threads: int) -> list[str]:
    """The verdict of ``rule`` with each value; values that its filters do not tell apart are judged once."""
    site, law_date = examined.site.subjects, examined.snapshot.law_date
    columns = {key: np.repeat(column, len(values)) for key, column in site.attributes.items()}
    columns[name] = np.empty(len(values), dtype=object)
    columns[name][:] = values
    attributes = Attributes(columns, len(values))
    told = [evaluate(where, attributes, law_date) for where in rule_filters(rule, examined.definition)]
    alike = [tuple((bool(r.yes[i]), bool(r.no[i])) for r in told) for i in range(len(values))]
    first = {key: alike.index(key) for key in alike}
    rows = np.array(list(first.values()))
    trial = Subjects(
        layer_id=site.layer_id, kinds=site.kinds, uids=np.repeat(site.uids, len(rows)),
        geoms=np.repeat(site.geoms, len(rows)), accuracy_m=np.repeat(site.accuracy_m, len(rows)),
        attributes={key: column[rows] for key, column in columns.items()},
    )  # fmt: skip
    snapshot, packs = examined.snapshot, examined.definition.packs.values()
    (judged,) = judge(
        trial, snapshot.prepared, packs, law_date, only=[rule.id], no_access=snapshot.no_access,
        threads=threads,
    ).outcomes  # fmt: skip
    verdict = {key: VERDICTS[int(judged.answer.code[at])] for at, key in enumerate(first)}
    return [verdict[key] for key in alike]


def trial_values(field: Field, conditions: list[Condition], law_date: date) -> list[tuple[Any, Text]]:
    """Values to try, each with the words for what it stands for."""
    if field.type == "boolean":
        return [(True, Text(zh="是", en="yes")), (False, Text(zh="否", en="no"))]
    if field.code_list:
        return [(value.code, Text(zh=value.zh, en=value.en)) for value in field.code_list]
    trials: list[tuple[Any, Text]] = []
    for condition in conditions:
        match condition:
            case Bounds():
                trials += _around(condition, law_date, field)
            case Prefix(prefix=prefixes):
                listed = " / ".join(prefixes)
                trials.append((prefixes[0], Text(zh=f"以 {listed} 开头", en=f"beginning with {listed}")))
                trials += _another(field)
            case StatedNone():
                trials += [
                    ("无" if field.type == "text" else 0, Text(zh="没有", en="none")),
                    *_another(field),
                ]
            case tuple():
                trials += [(value, _same(value, field)) for value in condition]
                trials += _another(field)
            case _:
                trials += [(condition, _same(condition, field)), *_another(field)]
    return trials


def _another(field: Field) -> list[tuple[Any, Text]]:
    return [("\uffff", _OTHERWISE)] if field.type in ("text", "enum") else []


def _around(bounds: Bounds, law_date: date, field: Field) -> list[tuple[Any, Text]]:
    """A value within, and one beyond each bound, with the words for where it lies."""
    low, high = (
        next((_bound(value, law_date) for value in pair if value is not None), None)
        for pair in ((bounds.at_least, bounds.above), (bounds.at_most, bounds.below))
    )
    above, below = (">" if bounds.above is not None else "≥"), ("<" if bounds.below is not None else "≤")
    unit = f" {field.unit}" if field.unit else ""
    trials, within = [], []
    if low is not None:
        within.append(f"{above} {low}{unit}")
        outside = f"{'≤' if above == '>' else '<'} {low}{unit}"
        trials.append((low if above == ">" else _moved(low, -1), Text(zh=outside, en=outside)))
    if high is not None:
        within.append(f"{below} {high}{unit}")
        outside = f"{'≥' if below == '<' else '>'} {high}{unit}"
        trials.append((high if below == "<" else _moved(high, 1), Text(zh=outside, en=outside)))
    inside = _between(low, high, strictly=above == ">" or below == "<")
    every = [(inside, Text(zh="，".join(within), en=", ".join(within))), *trials]
    return [(value, words) for value, words in every if _may_be(field, value)]


def _may_be(field: Field, value: Any) -> bool:
    """Whether the field's own bounds leave room for a value."""
    low, high = field.min, field.max
    return isinstance(value, date) or ((low is None or value >= low) and (high is None or value <= high))


def _bound(value: Any, law_date: date) -> Any:
    return law_date if value == LAW_DATE else value


def _between(low: Any, high: Any, *, strictly: bool) -> Any:
    """A value within both bounds; the middle of two numbers, else a step inwards where it has to be."""
    if low is not None and high is not None and not isinstance(low, date):
        return (low + high) / 2
    step = 1 if strictly else 0
    return _moved(low, step) if low is not None else _moved(high, -step)


def _moved(value: Any, step: int) -> Any:
    return date.fromordinal(value.toordinal() + step) if isinstance(value, date) else value + step


def _same(value: Any, field: Field) -> Text:
    told = f"{value:g}" if isinstance(value, float) else str(value)
    told = f"{told} {field.unit}" if field.unit else told
    return Text(zh=told, en=told)


def _told(words: list[Text]) -> Text:
    words = list({word.en: word for word in words}.values())
    more = len(words) - _LISTED
    zh, en = "、".join(w.zh for w in words[:_LISTED]), ", ".join(w.en for w in words[:_LISTED])
    return Text(zh=f"{zh} 等 {len(words)} 种", en=f"{en} and {more} more") if more > 0 else Text(zh=zh, en=en)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _by_straight_distance(rule: Rule) -> bool:
    """Whether the margin of a finding is that of the site's place to a limit on the ground."""
    return isinstance(rule.predicate, (Intersects, DWithin)) and not isinstance(
        rule.predicate, UpstreamWithin
    )


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
