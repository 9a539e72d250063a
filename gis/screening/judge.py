"""The judge: rules and geometric facts make verdicts. Pure functions of arrays; no database, no files.

The order is: geometry, then the subject's attributes, then exceptions, then severity. What a predicate
means on the ground, errors and coverage included, is said in `gis.screening.ground`; here attributes and
law come in.

* A subject for which the filter is known to fail is clear: the rule is not for it. Where the filter cannot be
  decided and the ground gives a hit (conflict or edge), the verdict is unknown and names what is missing;
  without a hit it is clear, because no attribute could make it one.
* An exception (``unless``) counts only when it is known to hold: what nobody stated excuses nothing.
* Verdict and severity are independent. An indicative zone keeps the verdict and caps the severity at review,
  because its outline binds nobody; so does a rule without a legal basis on the law date.
* A layer that the user may not see makes unknown, never clear.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import shapely

from gis.kernel import CLEAR, CONFLICT, UNKNOWN, Parts, combine
from gis.kernel.arrays import Geometries, Indices
from gis.screening.asking import Ask, asks_of, merged_filter, worst_of, worst_pairs
from gis.screening.case import Case, ask, fill, follow, hits_of
from gis.screening.division import met_as_unknown
from gis.screening.filters import Attributes, FilterResult, Flags, evaluate
from gis.screening.findings import (
    NO_LEGAL_BASIS,
    NO_ZONES,
    NOT_APPLICABLE,
    NOT_MET,
    STRAIGHT,
    VERDICTS,
    Cleared,
    Finding,
    ZoneFact,
    by_table,
    number,
)
from gis.screening.ground import Answer, Codes, Found, Question, note_missing
from gis.screening.hits import Hits
from gis.screening.inputs import PreparedLayer, Subjects, ZoneLayer, screenable
from layers.model import Text
from layers.rulemodel import (
    SEVERITIES,
    Attribute,
    Reference,
    Rule,
    RulePack,
    Severity,
    TableRow,
    UpstreamWithin,
    Verdict,
    capped,
)

__all__ = ["Judgement", "RuleOutcome", "judge"]


@dataclass(frozen=True, eq=False)
class RuleOutcome:
    """What one rule says of all n subjects, as arrays.

    Attributes
    ----------
    rule : Rule
    citations : tuple of Reference
        The articles in force on the law date; see `RulePack.cite`.
    has_basis : bool
        Whether any law stood behind the rule on the law date.
    answer : Answer
        Verdict codes and facts after attributes and exceptions; ``code`` is that of the finding.
    applicable : FilterResult
        The subject filter.
    exempt : int64[n]
        Which of the rule's exceptions is known to hold, -1 for none.
    hits : Hits
        The pairs of subject and zone behind the findings.
    layer : PreparedLayer or None
        The zones; None when they may not be seen or were not given.
    rows : tuple of (TableRow, int8[n])
        The rows of tables that were asked instead of an attribute that nobody stated, with their answers.
    straight : int8[n] or None
        For a rule along rivers why each subject was judged by straight distance; see `findings.STRAIGHT`.
    rivers : PreparedLayer or None
        The network that was followed.
    """

    rule: Rule
    citations: tuple[Reference, ...]
    has_basis: bool
    answer: Answer
    applicable: FilterResult
    exempt: Indices
    hits: Hits
    layer: PreparedLayer | None
    zone_count: int
    rows: tuple[tuple[TableRow, Codes], ...]
    straight: Codes | None = None
    rivers: PreparedLayer | None = None

    @property
    def severity_if_official(self) -> Severity:
        """The rule's severity, capped where no law stands behind it."""
        return self.rule.severity if self.has_basis else capped(self.rule.severity)

    def severity(self, is_indicative: bool) -> Severity:
        """Return the severity of a verdict that rests on indicative zones, or not."""
        return capped(self.severity_if_official) if is_indicative else self.severity_if_official

    def missing(self, row: int) -> tuple[str, ...]:
        """Return what would have to be known of one subject, in the order it was found out."""
        return tuple(name for name, lacks in self.answer.missing.items() if lacks[row])


@dataclass(frozen=True, eq=False)
class Judgement:
    """What all rules say of all subjects.

    ``outcomes`` holds arrays for whole batches; the methods give plain objects for single subjects. ``fits``
    tells which subjects have a geometry that can be judged.
    """

    subjects: Subjects
    law_date: date
    outcomes: tuple[RuleOutcome, ...]
    fits: Flags
    _parts: dict[tuple[int, str | None], Parts] = field(default_factory=dict)

    def finding(self, outcome: RuleOutcome, row: int) -> Finding:
        """Return the finding of one rule on one subject (not clear)."""
        return _finding(outcome, row)

    def findings(self, row: int) -> list[Finding]:
        """Return the findings on one subject: the worst verdict first, then the severest, then by rule."""
        found = [_finding(o, row) for o in self.outcomes if o.answer.code[row] != CLEAR]
        return sorted(found, key=_rank)

    def cleared(self, row: int) -> list[Cleared]:
        """Return the rules that have nothing against one subject, with the reason."""
        return [_cleared(o, row) for o in self.outcomes if o.answer.code[row] == CLEAR]

    def verdict(self, row: int, group: str | None = None) -> Verdict:
        """Return the worst verdict on one subject, of all rules or of one group."""
        codes = [int(o.answer.code[row]) for o in self._of(group)]
        return VERDICTS[max(codes, default=CLEAR)]

    def severity(self, row: int, group: str | None = None) -> Severity | None:
        """Return the severest among the findings that share the worst verdict; None when all is clear."""
        worst = self.verdict(row, group)
        if worst == "clear":
            return None
        found = [o for o in self._of(group) if VERDICTS[int(o.answer.code[row])] == worst]
        return min((o.severity(bool(o.answer.capped[row])) for o in found), key=SEVERITIES.index)

    def parts(self, row: int, group: str | None = None) -> Parts | None:
        """Return one subject divided by the worst verdict of each place, over all rules or one group.

        None for a point: it has one verdict and no shares; and for a subject without a usable geometry.
        """
        geometry = self.subjects.geoms[row]
        if not self.fits[row] or shapely.get_type_id(geometry) == 0:
            return None
        key = row, group
        if key not in self._parts:
            if group is None:
                found = [self.parts(row, each) for each in self.groups()]
            else:
                found = [o.answer.parts.get(row) for o in self._of(group)]
            self._parts[key] = combine(geometry, [part for part in found if part is not None])
        return self._parts[key]

    def groups(self) -> tuple[str, ...]:
        """Return the groups of the rules that were applied, in their order."""
        return tuple(dict.fromkeys(o.rule.group for o in self.outcomes))

    def _of(self, group: str | None) -> Iterator[RuleOutcome]:
        return (o for o in self.outcomes if group is None or o.rule.group == group)


def judge(
    subjects: Subjects,
    zones: Mapping[str, ZoneLayer | PreparedLayer],
    packs: Iterable[RulePack],
    law_date: date,
    *,
    only: Collection[str] | None = None,
    no_access: Collection[str] = (),
    threads: int | None = None,
    facts: bool = True,
) -> Judgement:
    """Apply to all subjects the enabled rules of ``packs`` that are for one of their kinds.

    Parameters
    ----------
    subjects : Subjects
        In the measuring plane, metres. May be none.
    zones : mapping of layer id to ZoneLayer or PreparedLayer
        The zones in force. Prepare a layer that is asked more than once. A layer that a rule needs and that
        is not here counts as nowhere covered.
    packs : iterable of RulePack
    law_date : datetime.date
        Decides which articles are cited and what deadlines are compared with.
    only : collection of str, optional
        Apply only the rules with these ids.
    no_access : collection of str
        Layers that the user may not see: rules on them give unknown with "access" missing.
    threads : int, optional
        For the kernel; None = two.
    facts : bool
        False finds verdicts, severities and what is missing only: no zones behind them, no margins.

    Raises
    ------
    KernelInputError
        For an invalid zone or coverage (names index and reason) or a negative accuracy.
    """
    attributes = Attributes(subjects.attributes, len(subjects))
    fits = screenable(subjects.geoms)
    applied = [
        (pack, rule)
        for pack in packs
        for rule in pack.rules
        if rule.enabled and (only is None or rule.id in only) and not subjects.kinds.isdisjoint(rule.subjects)
    ]
    asked = [asks_of(rule, attributes, law_date, pack.deciding(rule)) for pack, rule in applied]
    reach: dict[str, float] = {}
    for (_, rule), asks in zip(applied, asked, strict=True):
        if rule.zone_layer is not None:
            farthest = max((ask.predicate.reach_m for ask in asks if not ask.is_assumed), default=0.0)
            reach[rule.zone_layer] = max(reach.get(rule.zone_layer, 0.0), farthest)
    case = Case(subjects, attributes, fits, law_date, threads, reach, Found(facts))
    prepared: dict[str, PreparedLayer] = {}

    def ready(name: str | None) -> PreparedLayer | None:
        if name is None or name in no_access or name not in zones:
            return None
        if name not in prepared:
            given = zones[name]
            prepared[name] = given if isinstance(given, PreparedLayer) else PreparedLayer(given)
        return prepared[name]

    outcomes = []
    for (pack, rule), asks in zip(applied, asked, strict=True):
        rivers = ready(rule.predicate.network) if isinstance(rule.predicate, UpstreamWithin) else None
        layer, hidden = ready(rule.zone_layer), rule.zone_layer in no_access
        outcomes.append(_apply(rule, asks, pack, layer, rivers, case, hidden))
    return Judgement(subjects, law_date, tuple(outcomes), fits)


def _apply(
    rule: Rule,
    asks: list[Ask],
    pack: RulePack,
    layer: PreparedLayer | None,
    rivers: PreparedLayer | None,
    case: Case,
    hidden: bool,
) -> RuleOutcome:
    """Apply one rule: attributes that settle it, exceptions, the ground, and what attributes leave open."""
    exempt = _exempt(rule, case) if rule.unless else case.none_exempt
    answers, pairs, zone_count, straight = [], [], 0, None
    for put in asks:
        asked = np.flatnonzero(put.rows & (exempt < 0))
        answer, question, followed = Answer.blank(len(case)), None, Hits.none()
        if isinstance(put.predicate, Attribute):
            fill(answer, asked, CONFLICT, case)
        elif layer is None:
            fill(answer, asked, UNKNOWN, case)
            note_missing(answer.missing, "access" if hidden else "coverage", asked, len(case))
        else:
            zones = layer.select(put.zone_where, case.law_date)
            question = Question(put.predicate, zones, case.threads, case.found, put.is_assumed)
            zone_count = max(zone_count, len(zones))
            if case.is_settled(question, asked):
                answers.append(answer)
                pairs.append(followed)
                continue
            if isinstance(put.predicate, UpstreamWithin):
                traced = follow(question, case, asked, rivers)
                answer.put(traced.rows, traced.answer)
                asked, straight = np.setdiff1d(asked, traced.rows), traced.straight
                followed = traced.hits
                answer.put(asked, ask(question, case, asked))
            else:
                answer = ask(question, case, asked).over(asked, len(case))
        hits = hits_of(question, case, answer, asked)
        if len(followed):
            hits = worst_pairs([followed, hits])
        _apply_unknown_filter(case.subjects.geoms, put.applicable, answer)
        hits.code[put.applicable.unknown[hits.subject]] = UNKNOWN
        answers.append(answer)
        pairs.append(hits)
    citations, has_basis = _law_behind(rule, pack, case.law_date)
    return RuleOutcome(
        rule=rule,
        citations=citations,
        has_basis=has_basis,
        answer=worst_of(case.subjects.geoms, answers),
        rows=tuple((ask.row, answer.code) for ask, answer in zip(asks, answers, strict=True) if ask.row),
        applicable=merged_filter(asks),
        exempt=exempt,
        hits=worst_pairs(pairs),
        layer=layer,
        zone_count=zone_count,
        straight=straight,
        rivers=rivers,
    )


# Which law stands behind a rule is asked for every site; the rule is kept, so that its id stays its own.
_LAW: OrderedDict[tuple[int, date], tuple[Rule, tuple[Reference, ...], bool]] = OrderedDict()
_LAW_SIZE = 1024


def _law_behind(rule: Rule, pack: RulePack, law_date: date) -> tuple[tuple[Reference, ...], bool]:
    """The articles in force on the law date, and whether any is a basis of the rule."""
    key = id(rule), law_date
    found = _LAW.get(key)
    if found is None:
        found = rule, pack.cite(rule.legal, law_date), pack.has_basis(rule.legal, law_date)
        _LAW[key] = found
        while len(_LAW) > _LAW_SIZE:
            _LAW.popitem(last=False)
    return found[1:]


def _exempt(rule: Rule, case: Case) -> Indices:
    """Which exception is known to hold of each subject; the first one counts, -1 is none."""
    exempt = np.full(len(case), -1, dtype=np.int64)
    for index, exception in enumerate(rule.unless):
        holds = evaluate(exception.where, case.attributes, case.law_date).yes
        exempt[holds & (exempt < 0)] = index
    return exempt


def _apply_unknown_filter(geoms: Geometries, applicable: FilterResult, answer: Answer) -> None:
    """Turn hits on subjects for which the filter is undecided into unknown, and name what would decide it."""
    if not applicable.missing:
        return
    open_ = applicable.unknown & (answer.code > CLEAR)
    answer.code[open_] = UNKNOWN
    for name, lacks in applicable.missing.items():
        note_missing(answer.missing, name, open_ & lacks, len(open_))
    for row in np.flatnonzero(open_):
        if int(row) in answer.parts:
            answer.parts[int(row)] = met_as_unknown(geoms[row], answer.parts[int(row)])


def _rank(finding: Finding) -> tuple[int, int, str]:
    worst_first = {"conflict": 0, "unknown": 1, "edge": 2, "clear": 3}
    return worst_first[finding.verdict], SEVERITIES.index(finding.severity), finding.rule.id


def _finding(outcome: RuleOutcome, row: int) -> Finding:
    answer, rule = outcome.answer, outcome.rule
    notes: list[Text] = [] if outcome.has_basis else [NO_LEGAL_BASIS]
    if answer.code[row] != UNKNOWN:
        notes += [by_table(r) for r, codes in outcome.rows if codes[row] == answer.code[row]]
    if outcome.straight is not None and outcome.straight[row] >= 0:
        notes.append(STRAIGHT[int(outcome.straight[row])])
    return Finding(
        rule=rule,
        verdict=VERDICTS[int(answer.code[row])],
        severity=outcome.severity(bool(answer.capped[row])),
        severity_if_official=outcome.severity_if_official,
        missing=outcome.missing(row),
        applies=not bool(outcome.applicable.unknown[row]),
        zones=tuple(_zone_fact(outcome, int(place)) for place in outcome.hits.of(row)),
        parts=answer.parts.get(row),
        citations=outcome.citations,
        has_basis=outcome.has_basis,
        margin_m=number(answer.margin_m[row]),
        error_m=number(answer.error_m[row]),
        on_boundary=bool(answer.on_boundary[row]),
        notes=tuple(notes),
    )


def _zone_fact(outcome: RuleOutcome, place: int) -> ZoneFact:
    hits, layer = outcome.hits, outcome.layer
    assert layer is not None
    zone, source = int(hits.zone[place]), layer.source
    code, dimension, reach = int(hits.code[place]), int(hits.dimension[place]), int(hits.reach[place])
    return ZoneFact(
        layer=source.layer_id,
        uid=str(source.uids[zone]),
        name=source.names[zone],
        row=zone,
        verdict=VERDICTS[code],
        severity=outcome.severity(bool(hits.is_indicative[place])),
        severity_if_official=outcome.severity_if_official,
        overlap_m2=float(hits.overlap[place]) if dimension == 2 else None,
        overlap_m=float(hits.overlap[place]) if dimension == 1 else None,
        share=number(hits.share[place]),
        distance_m=float(hits.distance_m[place]),
        bearing_deg=number(hits.bearing_deg[place]),
        margin_m=number(hits.margin_m[place]),
        error_m=number(hits.error_m[place]),
        limit_m=number(hits.limit_m[place]),
        along_m=number(hits.along_m[place]),
        river=None if reach < 0 or outcome.rivers is None else outcome.rivers.source.names[reach],
        on_boundary=bool(hits.on_boundary[place]),
        is_indicative=bool(hits.is_indicative[place]),
        witness=hits.witness[place],
    )


def _cleared(outcome: RuleOutcome, row: int) -> Cleared:
    rule, applicable = outcome.rule, outcome.applicable
    if applicable.no[row]:
        names = applicable.failed(row)
        return Cleared(rule, "not_applicable", NOT_APPLICABLE, names)
    if outcome.exempt[row] >= 0:
        return Cleared(rule, "exempt", rule.unless[int(outcome.exempt[row])].note)
    if outcome.zone_count == 0:
        return Cleared(rule, "no_zones", NO_ZONES)
    return Cleared(rule, "not_met", NOT_MET)
