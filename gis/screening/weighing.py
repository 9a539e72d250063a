"""Conflicts of rules whose severity or group is another, and nothing else: written anew as they were found.

A severity is the rule's, capped where no law stands behind it or the zone is indicative; both are known of
every row that one rule alone made. So nothing has to be judged, and an update costs what its rows cost.
"""

from __future__ import annotations

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    SelectBase,
    Table,
    case,
    insert,
    literal,
    not_,
    select,
)

from gis.revisions import alive, plain
from gis.screening.basis import Judging
from gis.screening.scope import Scope
from gis.screening.snapshot import enabled_rules
from gis.settings import MapDefinition
from layers.rulemodel import Severity, capped

__all__ = ["folded", "stage_reweighed"]


def folded(table: FromClause) -> ColumnElement[bool]:
    """Whether a row of the ledger stands for all zone layers: its uid names none."""
    return table.c.uid.like("%||%")


def stage_reweighed(
    conn: Connection,
    definition: MapDefinition,
    table: Table,
    staged: Table,
    scope: Scope,
    now: Judging,
    judged: SelectBase | None,
) -> None:
    """Add to ``staged`` the rows of reweighed rules.

    Rows of ``judged`` (row_id, uid) are left out: what becomes of them was found by judging.
    """
    rules = {rule.id: rule for rule in enabled_rules(definition)}
    for subject, name in sorted(scope.reweighed):
        rule = rules[name]
        pack = definition.packs[rule.pack]
        severity: Severity = (
            rule.severity if pack.has_basis(rule.legal, now.law_date) else capped(rule.severity)
        )
        values: dict[str, ColumnElement[object]] = {
            "severity": case((table.c.is_indicative, literal(capped(severity))), else_=literal(severity)),
            "severity_if_official": literal(severity),
            "rule_group": literal(rule.group),
            "law_date": literal(now.law_date),
            "judged_rev": literal(now.rev),
        }
        names = [c.name for c in table.columns if c.name not in ("row_id", "rev_from", "rev_to")]
        columns = [values.get(n, plain(table.c[n])).label(n) for n in names]
        query = select(*columns).where(
            alive(table, None), table.c.subject_layer == subject, table.c.rules == name, not_(folded(table))
        )
        if judged is not None:
            query = query.where(table.c.row_id.not_in(select(judged.subquery().c.row_id)))
        conn.execute(insert(staged).from_select(names, query))
