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

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import NamedTuple

import numpy as np

from gis.kernel import CLEAR, CONFLICT, UNKNOWN
from gis.kernel.arrays import Indices
from gis.screening.apart import Apart
from gis.screening.asking import Ask, worst_of, worst_pairs
from gis.screening.case import Case, ask, fill, follow, hits_of
from gis.screening.division import met_as_unknown
from gis.screening.docket import Entry, docket_of
from gis.screening.filters import FilterResult
from gis.screening.ground import FEW, Answer, Codes, Found, Question, note_missing
from gis.screening.hits import Hits
from gis.screening.inputs import PreparedLayer, Subjects, ZoneLayer, screenable
from gis.screening.judgement import Judgement, RuleOutcome
from gis.screening.ready import ready_of
from layers.rulemodel import Attribute, RulePack, UpstreamWithin

__all__ = ["judge"]


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
    within = {} if case.alone is None else case.alone.within
    return Judgement(subjects, law_date, tuple(outcomes), fits, within)


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
