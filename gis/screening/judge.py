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
from datetime import date

import numpy as np

from gis.kernel import CLEAR, CONFLICT, UNKNOWN
from gis.kernel.arrays import Indices
from gis.screening.answered import Answered
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
from layers.rulemodel import Attribute, RulePack, TableRow, UpstreamWithin

__all__ = ["judge"]

_UNKNOWN = np.array([UNKNOWN], dtype=np.int8)


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
    outcomes = [_apply(entry, layers, case, no_access) for entry in docket.entries]
    within = {} if case.alone is None else case.alone.within
    return Judgement(subjects, law_date, tuple(outcomes), fits, within)


def _apply(
    entry: Entry, layers: Mapping[str, PreparedLayer], case: Case, no_access: Collection[str]
) -> RuleOutcome:
    """Apply one rule: the worst of what its questions find."""
    name = entry.rule.zone_layer
    layer = None if name is None else layers.get(name)
    rivers = None if entry.network is None else layers.get(entry.network)
    found = [
        case.settled.get(put) or _answered(put, asked, layer, rivers, case, name in no_access)
        for put, asked in entry.asks
    ]
    one = found[0] if len(found) == 1 else _worst(found, case)
    return RuleOutcome(
        entry.rule, entry.citations, entry.severity, entry.has_basis, one.answer, entry.applicable,
        entry.exempt, one.hits, layer, one.zone_count, _by_rows(entry, found) if entry.by_rows else (),
        one.straight, rivers,
    )  # fmt: skip


def _worst(found: list[Answered], case: Case) -> Answered:
    """The worst of what several questions found."""
    # A question that left all clear and measured nothing has no say beside another.
    telling = [one.answer for one in found if one.answer is not case.clear] or [case.clear]
    return Answered(
        worst_of(case.subjects.geoms, telling, divided=case.found.facts),
        worst_pairs([one.hits for one in found if len(one.hits)] or [Hits.none()]),
        max([one.zone_count for one in found]),
        next((one.straight for one in found if one.straight is not None), None),
    )


def _by_rows(entry: Entry, found: list[Answered]) -> tuple[tuple[TableRow, Codes], ...]:
    """The rows of tables that a rule asked by, with what was found."""
    answers = zip(entry.asks, found, strict=True)
    return tuple([(put.row, one.answer.code) for (put, _), one in answers if put.row is not None])


def _answered(
    put: Ask,
    asked: Indices,
    layer: PreparedLayer | None,
    rivers: PreparedLayer | None,
    case: Case,
    hidden: bool,
) -> Answered:
    """Put one question to the ground, and say what attributes leave open."""
    applicable = put.applicable
    if isinstance(put.predicate, Attribute):
        answer = Answer.blank(len(case))
        fill(answer, asked, CONFLICT, case)
        return Answered(_with_open_filter(case, applicable, answer), Hits.none())
    if layer is None:
        answer = Answer.blank(len(case))
        fill(answer, asked, UNKNOWN, case)
        note_missing(answer.missing, "access" if hidden else "coverage", asked, len(case))
        return Answered(_with_open_filter(case, applicable, answer), Hits.none())
    zones = layer.select(put.zone_where, case.law_date)
    question = Question(put.predicate, zones, case.threads, case.found, put.is_assumed)
    if case.is_settled(question, asked):
        return Answered(case.clear, Hits.none(), len(zones))
    if isinstance(put.predicate, UpstreamWithin):
        return _answered_along(put, question, asked, rivers, case)
    answer = ask(question, case, asked).over(asked, len(case))
    hits = _open_pairs(applicable, hits_of(question, case, answer, asked))
    return Answered(_with_open_filter(case, applicable, answer), hits, len(zones))


def _answered_along(
    put: Ask, question: Question, asked: Indices, rivers: PreparedLayer | None, case: Case
) -> Answered:
    """The same for a question along rivers: the subjects that are on none are asked by straight distance."""
    traced = follow(question, case, asked, rivers)
    answer = Answer.blank(len(case))
    answer.put(traced.rows, traced.answer)
    aside = np.setdiff1d(asked, traced.rows)
    answer.put(aside, ask(question, case, aside))
    hits = hits_of(question, case, answer, aside)
    if len(traced.hits):
        hits = worst_pairs([traced.hits, hits])
    return Answered(
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
    if len(case) == 1:
        return _left_open(case, applicable, answer)
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


def _left_open(case: Case, applicable: FilterResult, answer: Answer) -> Answer:
    """The same for one subject."""
    if not applicable.unknown[0] or answer.code[0] == CLEAR:
        return answer
    lacking = {name: lacks for name, lacks in applicable.missing.items() if lacks[0]}
    parts = answer.parts
    if parts and case.found.facts:
        parts = {0: case.found.once(met_as_unknown, case.subjects.geoms[0], parts[0])}
    return Answer(
        code=_UNKNOWN,
        missing=answer.missing | lacking,
        capped=answer.capped,
        margin_m=answer.margin_m,
        error_m=answer.error_m,
        on_boundary=answer.on_boundary,
        parts=parts,
    )


def _open_pairs(applicable: FilterResult, hits: Hits) -> Hits:
    """The pairs of those subjects as unknown."""
    if not applicable.missing or not len(hits):
        return hits
    open_ = applicable.unknown[hits.subject]
    return hits.coded(np.where(open_, np.int8(UNKNOWN), hits.code)) if open_.any() else hits
