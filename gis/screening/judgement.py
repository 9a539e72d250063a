"""What the judge found, for whole batches as arrays, and for one subject in plain objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import shapely

from gis.kernel import CLEAR, UNKNOWN, Parts, combine
from gis.kernel.arrays import Indices
from gis.screening.filters import FilterResult, Flags
from gis.screening.findings import (
    NO_LEGAL_BASIS,
    NO_ZONES,
    NOT_APPLICABLE,
    NOT_MET,
    STRAIGHT,
    VERDICTS,
    WORST_FIRST,
    Cleared,
    Finding,
    ZoneFact,
    by_table,
    number,
)
from gis.screening.ground import Answer, Codes
from gis.screening.hits import Hits
from gis.screening.inputs import PreparedLayer, Subjects
from layers.model import Text
from layers.rulemodel import SEVERITIES, Reference, Rule, Severity, TableRow, Verdict, capped

__all__ = ["Judgement", "RuleOutcome"]


@dataclass(eq=False, slots=True)
class RuleOutcome:
    """What one rule says of all n subjects, as arrays.

    Attributes
    ----------
    rule : Rule
    citations : tuple of Reference
        The articles in force on the law date; see `RulePack.cite`.
    severity_if_official : str
        The rule's severity, capped where no law stands behind it.
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
    severity_if_official: Severity
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

    def severity(self, is_indicative: bool) -> Severity:
        """Return the severity of a verdict that rests on indicative zones, or not."""
        return capped(self.severity_if_official) if is_indicative else self.severity_if_official

    def missing(self, row: int) -> tuple[str, ...]:
        """Return what would have to be known of one subject, in the order it was found out."""
        missing = self.answer.missing
        if len(self.answer.code) == 1:  # each is missing somewhere
            return tuple(missing)
        return tuple(name for name, lacks in missing.items() if lacks[row])


@dataclass(frozen=True, eq=False)
class Judgement:
    """What all rules say of all subjects.

    ``outcomes`` holds arrays for whole batches; the methods give plain objects for single subjects. ``fits``
    tells which subjects have a geometry that can be judged. ``within`` tells of a single one in which
    coverages it lies and outside of which, as far as that was found; see `Alone`.
    """

    subjects: Subjects
    law_date: date
    outcomes: tuple[RuleOutcome, ...]
    fits: Flags
    within: Mapping[bytes, bool] = field(default_factory=dict)
    _parts: dict[tuple[int, str | None], Parts] = field(default_factory=dict)
    _told: dict[int, list[tuple[RuleOutcome, int]]] = field(default_factory=dict)
    _combined: dict[tuple[int, ...], tuple[list[Parts], Parts]] = field(default_factory=dict)

    def finding(self, outcome: RuleOutcome, row: int) -> Finding:
        """Return the finding of one rule on one subject (not clear)."""
        return _finding(outcome, row, outcome.answer.code.item(row))

    def findings(self, row: int) -> list[Finding]:
        """Return the findings on one subject: the worst verdict first, then the severest, then by rule."""
        found = [_finding(o, row, code) for o, code in self._codes(row) if code != CLEAR]
        return sorted(found, key=_rank)

    def themes(self, findings: Sequence[Finding]) -> dict[str, list[Finding]]:
        """``findings`` by the groups of their rules; all groups, and the findings of each in their order."""
        groups: dict[str, list[Finding]] = {group: [] for group in self.groups()}
        for finding in findings:
            groups[finding.rule.group].append(finding)
        return groups

    def cleared(self, row: int) -> list[Cleared]:
        """Return the rules that have nothing against one subject, with the reason."""
        return [_cleared(o, row) for o, code in self._codes(row) if code == CLEAR]

    def verdict(self, row: int) -> Verdict:
        """Return the worst verdict on one subject, of all rules."""
        return VERDICTS[max((code for _, code in self._codes(row)), default=CLEAR)]

    def parts(self, row: int, group: str | None = None) -> Parts | None:
        """Return one subject divided by the worst verdict of each place, over all rules or one group.

        None for a point: it has one verdict and no shares; and for a subject without a usable geometry.
        """
        key = row, group
        if key not in self._parts:
            if not self.fits[row] or shapely.get_type_id(self.subjects.geoms[row]) == 0:
                return None
            if group is None:
                found = [self.parts(row, each) for each in self.groups()]
            else:
                found = [o.answer.parts.get(row) for o in self._by_group.get(group, ())]
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
        groups = defaultdict[str, list[RuleOutcome]](list)
        for outcome in self.outcomes:
            groups[outcome.rule.group].append(outcome)
        return groups

    def _codes(self, row: int) -> list[tuple[RuleOutcome, int]]:
        """The outcomes of all rules, with the verdict code of one subject."""
        if row not in self._told:
            self._told[row] = [(o, o.answer.code.item(row)) for o in self.outcomes]
        return self._told[row]


def _rank(finding: Finding) -> tuple[int, int, str]:
    return WORST_FIRST[finding.verdict], SEVERITIES.index(finding.severity), finding.rule.id


def _finding(outcome: RuleOutcome, row: int, code: int) -> Finding:
    answer, official = outcome.answer, outcome.severity_if_official
    notes: list[Text] = [] if outcome.has_basis else [NO_LEGAL_BASIS]
    if outcome.rows and code != UNKNOWN:
        notes += [by_table(r) for r, codes in outcome.rows if codes[row] == code]
    if outcome.straight is not None and outcome.straight[row] >= 0:
        notes.append(STRAIGHT[int(outcome.straight[row])])
    return Finding(
        rule=outcome.rule,
        verdict=VERDICTS[code],
        severity=capped(official) if answer.capped.item(row) else official,
        severity_if_official=official,
        missing=outcome.missing(row) if answer.missing else (),
        applies=not outcome.applicable.unknown.item(row),
        zones=_zone_facts(outcome, row) if len(outcome.hits.zone) else (),
        parts=answer.parts.get(row),
        citations=outcome.citations,
        has_basis=outcome.has_basis,
        margin_m=number(answer.margin_m.item(row)),
        error_m=number(answer.error_m.item(row)),
        on_boundary=answer.on_boundary.item(row),
        notes=tuple(notes),
    )


def _zone_facts(outcome: RuleOutcome, row: int) -> tuple[ZoneFact, ...]:
    return tuple([_zone_fact(outcome, place) for place in outcome.hits.of(row).tolist()])


def _zone_fact(outcome: RuleOutcome, place: int) -> ZoneFact:
    hits, layer = outcome.hits, outcome.layer
    assert layer is not None
    zone, reach, source = hits.zone.item(place), hits.reach.item(place), layer.source
    dimension, overlap = hits.dimension.item(place), hits.overlap.item(place)
    is_indicative: bool = hits.is_indicative.item(place)
    return ZoneFact(
        layer=source.layer_id,
        uid=str(source.uids[zone]),
        name=source.names[zone],
        row=zone,
        verdict=VERDICTS[hits.code.item(place)],
        severity=outcome.severity(is_indicative),
        severity_if_official=outcome.severity_if_official,
        overlap_m2=overlap if dimension == 2 else None,
        overlap_m=overlap if dimension == 1 else None,
        share=number(hits.share.item(place)),
        distance_m=hits.distance_m.item(place),
        bearing_deg=number(hits.bearing_deg.item(place)),
        margin_m=number(hits.margin_m.item(place)),
        error_m=number(hits.error_m.item(place)),
        limit_m=number(hits.limit_m.item(place)),
        along_m=number(hits.along_m.item(place)),
        river=None if reach < 0 or outcome.rivers is None else outcome.rivers.source.names[reach],
        on_boundary=hits.on_boundary.item(place),
        is_indicative=is_indicative,
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
