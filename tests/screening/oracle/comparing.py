"""Two opinions on the same subjects, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product

from gis.screening.findings import VERDICTS
from gis.screening.judgement import Judgement
from tests.screening.oracle.asking import TOLERANCE_M, Oracle
from tests.screening.oracle.words import BY_RULE

__all__ = ["Comparison", "compare"]


@dataclass
class Comparison:
    """What came of it.

    ``agreed`` counts verdicts by rule and verdict; ``within_tolerance`` and ``differing`` name rule, subject,
    the verdict of the judge and that of the oracle.
    """

    agreed: Counter[tuple[str, str]] = field(default_factory=Counter)
    within_tolerance: list[tuple[str, str, str, str]] = field(default_factory=list)
    differing: list[tuple[str, str, str, str]] = field(default_factory=list)

    def by_verdict(self) -> Counter[str]:
        """How many verdicts agree, by verdict."""
        sums: Counter[str] = Counter()
        for (_, verdict), count in self.agreed.items():
            sums[verdict] += count
        return sums

    def rules_in_conflict(self) -> set[str]:
        """The rules of which both sides have found a conflict."""
        return {rule for rule, verdict in self.agreed if verdict == "conflict"}


def compare(
    oracle: Oracle, rules: Iterable[str], judgement: Judgement, into: Comparison | None = None
) -> Comparison:
    """Compare the judge with the oracle on each subject judged and each of ``rules`` that is for it.

    Where they differ the oracle is asked again with each error, and what the coverage must hold, a millimetre
    larger and smaller: a verdict that one of these gives is one within the tolerance.
    """
    found, subjects = into or Comparison(), judgement.subjects
    ours = {outcome.rule.id: outcome.answer.code for outcome in judgement.outcomes}
    for rule in rules:
        asks = BY_RULE[rule]
        if subjects.kinds.isdisjoint(asks[0].subjects.split()):
            continue
        theirs = oracle.verdicts(asks, subjects.layer_id)
        apart = []
        for uid, code in zip(subjects.uids, ours[rule], strict=True):
            verdict, other = VERDICTS[int(code)], theirs.get(uid, "clear")
            if verdict == other:
                found.agreed[rule, verdict] += 1
            else:
                apart.append((rule, str(uid), verdict, other))
        if apart:
            slacks = product((TOLERANCE_M, -TOLERANCE_M), repeat=2)
            near = [oracle.verdicts(asks, subjects.layer_id, *slack) for slack in slacks]
            for row in apart:
                tolerable = row[2] in {verdicts.get(row[1], "clear") for verdicts in near}
                (found.within_tolerance if tolerable else found.differing).append(row)
    return found
