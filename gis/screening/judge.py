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

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import NamedTuple

import numpy as np
import shapely

from gis.kernel import CLEAR, CONFLICT, UNKNOWN, Parts, combine
from gis.kernel.arrays import Indices
from gis.screening.apart import Apart
from gis.screening.asking import Ask, worst_of, worst_pairs
from gis.screening.case import Case, ask, fill, follow, hits_of
from gis.screening.division import met_as_unknown
from gis.screening.docket import Entry, docket_of
from gis.screening.filters import FilterResult, Flags
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
from gis.screening.ground import FEW, Answer, Codes, Found, Question, note_missing
from gis.screening.hits import Hits
from gis.screening.inputs import PreparedLayer, Subjects, ZoneLayer, screenable
from gis.screening.ready import ready_of
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


@dataclass(eq=False, slots=True)
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
    _told: dict[tuple[int, str | None], list[tuple[RuleOutcome, int]]] = field(default_factory=dict)
    _combined: dict[tuple[int, ...], tuple[list[Parts], Parts]] = field(default_factory=dict)

    def finding(self, outcome: RuleOutcome, row: int) -> Finding:
        """Return the finding of one rule on one subject (not clear)."""
        return _finding(outcome, row)

    def findings(self, row: int) -> list[Finding]:
        """Return the findings on one subject: the worst verdict first, then the severest, then by rule."""
        found = [_finding(o, row) for o, code in self._codes(row, None) if code != CLEAR]
        return sorted(found, key=_rank)

    def cleared(self, row: int) -> list[Cleared]:
        """Return the rules that have nothing against one subject, with the reason."""
        return [_cleared(o, row) for o, code in self._codes(row, None) if code == CLEAR]

    def verdict(self, row: int, group: str | None = None) -> Verdict:
        """Return the worst verdict on one subject, of all rules or of one group."""
        return VERDICTS[max((code for _, code in self._codes(row, group)), default=CLEAR)]

    def severity(self, row: int, group: str | None = None) -> Severity | None:
        """Return the severest among the findings that share the worst verdict; None when all is clear."""
        codes = self._codes(row, group)
        worst = max((code for _, code in codes), default=CLEAR)
        if worst == CLEAR:
            return None
        found = [o for o, code in codes if code == worst]
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
            self._parts[key] = self._combine(row, [part for part in found if part is not None])
        return self._parts[key]

    def _combine(self, row: int, divided: list[Parts]) -> Parts:
        """The worst of some divisions of one subject; many groups have the same ones."""
        key = row, *dict.fromkeys(map(id, divided))
        if key not in self._combined:
            self._combined[key] = divided, combine(self.subjects.geoms[row], divided)
        return self._combined[key][1]

    def groups(self) -> tuple[str, ...]:
        """Return the groups of the rules that were applied, in their order."""
        return tuple(self._by_group)

    @cached_property
    def _by_group(self) -> dict[str, list[RuleOutcome]]:
        groups: dict[str, list[RuleOutcome]] = {}
        for outcome in self.outcomes:
            groups.setdefault(outcome.rule.group, []).append(outcome)
        return groups

    def _codes(self, row: int, group: str | None) -> list[tuple[RuleOutcome, int]]:
        """The outcomes of all rules or of one group, with the verdict code of one subject."""
        key = row, group
        if key not in self._told:
            self._told[key] = [(o, int(o.answer.code[row])) for o in self._of(group)]
        return self._told[key]

    def _of(self, group: str | None) -> Sequence[RuleOutcome]:
        return self.outcomes if group is None else self._by_group.get(group, ())


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
        For the kernel; None = two. Few subjects are judged by one whatever it says.
    facts : bool
        False finds verdicts, severities and what is missing only: no zones behind them, no margins.

    Raises
    ------
    KernelInputError
        For an invalid zone or coverage (names index and reason) or a negative accuracy.
    """
    if len(subjects) <= FEW:
        threads = 1  # to start more takes longer than the work
    docket = docket_of(subjects, packs, law_date, only)
    fits = screenable(subjects.geoms)
    layers = {
        name: given if isinstance(given, PreparedLayer) else PreparedLayer(given)
        for name, given in zones.items()
        if name in docket.layers and name not in no_access
    }
    asked = {name: layers[name] for name in docket.reach_m if name in layers}
    ready = ready_of(subjects, fits, asked, docket, law_date)
    found = Found(facts, docket.reach_m, Apart(ready.few if ready is not None and facts else None))
    case = Case(subjects, fits, law_date, threads, docket, asked, ready, found)
    outcomes = []
    for entry in docket.entries:
        rule = entry.rule
        network = rule.predicate.network if isinstance(rule.predicate, UpstreamWithin) else None
        rivers = None if network is None else layers.get(network)
        layer = None if rule.zone_layer is None else layers.get(rule.zone_layer)
        hidden = rule.zone_layer in no_access
        outcomes.append(_apply(entry, layer, rivers, case, hidden))
    return Judgement(subjects, law_date, tuple(outcomes), fits)


def _apply(
    entry: Entry, layer: PreparedLayer | None, rivers: PreparedLayer | None, case: Case, hidden: bool
) -> RuleOutcome:
    """Apply one rule: the worst of what its questions find."""
    if len(entry.asks) == 1:  # as most have
        put, asked = entry.asks[0]
        one = _answered(put, asked, layer, rivers, case, hidden)
        return RuleOutcome(
            rule=entry.rule, citations=entry.citations, has_basis=entry.has_basis, answer=one.answer,
            rows=((put.row, one.answer.code),) if put.row else (), applicable=entry.applicable,
            exempt=entry.exempt, hits=one.hits, layer=layer, zone_count=one.zone_count, straight=one.straight,
            rivers=rivers,
        )  # fmt: skip
    found = [_answered(put, asked, layer, rivers, case, hidden) for put, asked in entry.asks]
    # A question that left all clear and measured nothing has no say beside another.
    telling = [one.answer for one in found if one.answer is not case.clear] or [case.clear]
    return RuleOutcome(
        rule=entry.rule,
        citations=entry.citations,
        has_basis=entry.has_basis,
        answer=worst_of(case.subjects.geoms, telling, divided=case.found.facts),
        rows=tuple(
            (put.row, one.answer.code) for (put, _), one in zip(entry.asks, found, strict=True) if put.row
        ),
        applicable=entry.applicable,
        exempt=entry.exempt,
        hits=worst_pairs([one.hits for one in found if len(one.hits)] or [Hits.none()]),
        layer=layer,
        zone_count=max(one.zone_count for one in found),
        straight=next((one.straight for one in found if one.straight is not None), None),
        rivers=rivers,
    )


class _Answered(NamedTuple):
    """What one question found; the answer may be shared with other rules, so nobody writes to it."""

    answer: Answer
    hits: Hits
    zone_count: int = 0
    straight: Codes | None = None


def _answered(
    put: Ask,
    asked: Indices,
    layer: PreparedLayer | None,
    rivers: PreparedLayer | None,
    case: Case,
    hidden: bool,
) -> _Answered:
    """Put one question to the ground, and say what attributes leave open."""
    settled = None if case.alone is None else case.alone.settled(put)
    if settled is not None:
        return _Answered(settled[0], Hits.none(), settled[1])
    applicable = put.applicable
    if isinstance(put.predicate, Attribute):
        answer = Answer.blank(len(case))
        fill(answer, asked, CONFLICT, case)
        return _Answered(_with_open_filter(case, applicable, answer), Hits.none())
    if layer is None:
        answer = Answer.blank(len(case))
        fill(answer, asked, UNKNOWN, case)
        note_missing(answer.missing, "access" if hidden else "coverage", asked, len(case))
        return _Answered(_with_open_filter(case, applicable, answer), Hits.none())
    zones = layer.select(put.zone_where, case.law_date)
    question = Question(put.predicate, zones, case.threads, case.found, put.is_assumed)
    if case.is_settled(question, asked):
        return _Answered(case.clear, Hits.none(), len(zones))
    if isinstance(put.predicate, UpstreamWithin):
        return _answered_along(put, question, asked, rivers, case)
    answer = ask(question, case, asked).over(asked, len(case))
    hits = _open_pairs(applicable, hits_of(question, case, answer, asked))
    return _Answered(_with_open_filter(case, applicable, answer), hits, len(zones))


def _answered_along(
    put: Ask, question: Question, asked: Indices, rivers: PreparedLayer | None, case: Case
) -> _Answered:
    """The same for a question along rivers: the subjects that are on none are asked by straight distance."""
    traced = follow(question, case, asked, rivers)
    answer = Answer.blank(len(case))
    answer.put(traced.rows, traced.answer)
    aside = np.setdiff1d(asked, traced.rows)
    answer.put(aside, ask(question, case, aside))
    hits = hits_of(question, case, answer, aside)
    if len(traced.hits):
        hits = worst_pairs([traced.hits, hits])
    return _Answered(
        _with_open_filter(case, put.applicable, answer),
        _open_pairs(put.applicable, hits),
        len(question.selection),
        traced.straight,
    )


def _with_open_filter(case: Case, applicable: FilterResult, answer: Answer) -> Answer:
    """The answer with hits where the filter is undecided as unknown, naming what would decide it.

    Parts follow where facts are wanted; elsewhere nobody looks at them.
    """
    if not applicable.missing:
        return answer
    open_ = applicable.unknown & (answer.code > CLEAR)
    if not open_.any():
        return answer
    answer = answer.copy()
    answer.code[open_] = UNKNOWN
    for name, lacks in applicable.missing.items():
        note_missing(answer.missing, name, open_ & lacks, len(open_))
    for row in np.flatnonzero(open_).tolist() if case.found.facts else ():
        if row in answer.parts:
            site = case.subjects.geoms[row]
            answer.parts[row] = case.found.once(met_as_unknown, site, answer.parts[row])
    return answer


def _open_pairs(applicable: FilterResult, hits: Hits) -> Hits:
    """The pairs of those subjects as unknown."""
    if not applicable.missing or not len(hits):
        return hits
    open_ = applicable.unknown[hits.subject]
    return replace(hits, code=np.where(open_, np.int8(UNKNOWN), hits.code)) if open_.any() else hits


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
