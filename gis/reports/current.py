"""Whether a report still holds: its question asked on today's revision and law, and what made a change.

What changed is found rule by rule. Today's rules, law and program are first put to the state of knowledge
that the report was made from: what differs there is due to them. What differs only on today's state is due to
the data, and the revision is searched for by halving between the two states, so it is named, not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, select

from gis import tables
from gis.db import connect
from gis.reports.record import district_hash, request_of
from gis.reports.store import Report
from gis.revisions import head
from gis.screening.answer import Record, examine
from gis.settings import MapDefinition, Settings

__all__ = ["current_state"]

Outcome = dict[str, Record]
"""What one judgement says, by rule."""

# Changes of area below this are noise of the computation, m² or m.
_NOTICED = 0.1
_MOST_LISTED = 50


def current_state(engine: Engine, definition: MapDefinition, settings: Settings, report: Report) -> Record:
    """Compare a report with the answer to its question today.

    Returns
    -------
    dict
        ``valid``: whether it says the same and has not expired; ``expired``; ``changed``: themes and rules
        whose verdict, severity, area, basis in law or zones are others now, before and after; ``because``:
        revisions, rule packs, law date, program or district settings that made the change; ``moved``: layers
        that have newer revisions, whether or not that changed anything.

    Raises
    ------
    ScreeningError, CrsError
        When today's definitions no longer accept the site.
    """
    record, today = report.record, datetime.now(UTC)
    with connect(engine) as conn:
        newest = head(conn)
    answers: dict[int, Record] = {}

    def answer(rev: int) -> Record:
        if rev not in answers:
            answers[rev] = _asked(engine, definition, settings, record, rev, today.date())
        return answers[rev]

    before, now = _outcome(record), _outcome(answer(newest))
    changed = sorted(rule for rule in before.keys() | now.keys() if before.get(rule) != now.get(rule))
    because: list[Record] = []
    if changed:
        made_at = int(record["as_of"]["revision"])
        then = _outcome(answer(made_at)) if made_at != newest else now
        by_rules = [rule for rule in changed if before.get(rule) != then.get(rule)]
        because += _due_to_definitions(record, definition, answer(newest), by_rules)
        by_data = [rule for rule in changed if then.get(rule) != now.get(rule)]
        used = {layer["id"] for each in (record, answer(newest)) for layer in each["layers"]}
        span = made_at, newest
        because += _due_to_data(engine, used, by_data, span, lambda rev: _outcome(answer(rev)))
    expired = report.expires <= today
    return {
        "report": report.report_id,
        "valid": not changed and not expired,
        "unchanged": not changed,
        "expired": expired,
        "created": report.created.isoformat(),
        "expires": report.expires.isoformat(),
        "compared": {
            "revision": newest,
            "law_date": today.date().isoformat(),
            "engine": answer(newest)["engine"],
        },
        "verdict": {"before": _verdict(record), "now": _verdict(answer(newest))},
        "changed": {
            "themes": _changed_themes(record, answer(newest)),
            "rules": [{"rule": r, "before": before.get(r), "now": now.get(r)} for r in changed],
        },
        "because": because,
        "moved": _moved(record, answer(newest)),
    }


def _asked(
    engine: Engine, definition: MapDefinition, settings: Settings, record: Record, rev: int, law_date: date
) -> Record:
    request = request_of(record, as_of=str(rev), law_date=law_date)
    return examine(
        engine, definition, request, max_vertices=settings.max_vertices, threads=settings.threads
    ).record()


def _verdict(of: Record) -> Record:
    return {"verdict": of["verdict"], "severity": of["severity"]}


def _outcome(answer: Record) -> Outcome:
    """Per rule what matters of a finding; rules that are clear are there too."""
    found: Outcome = {each["rule"]: {"verdict": "clear"} for each in answer["clear"]}
    for theme in answer["themes"]:
        for finding in theme["findings"]:
            found[finding["rule"]] = {
                "verdict": finding["verdict"],
                "severity": finding["severity"],
                "missing": sorted(each["name"] for each in finding["missing"]),
                "legal": sorted(law["key"] for law in finding["legal"]),
                "zones": sorted(f"{zone['layer']}/{zone['uid']}" for zone in finding["zones"]),
                "parts": _sizes(finding["parts"]),
            }
    return found


def _sizes(parts: Record | None) -> dict[str, float] | None:
    if parts is None:
        return None
    size = next(key for key in ("area_m2", "length_m", "count") if key in parts["clear"])
    return {name: round(part[size] / _NOTICED) * _NOTICED for name, part in parts.items()}


def _changed_themes(before: Record, now: Record) -> list[Record]:
    was = {theme["id"]: theme for theme in before["themes"]}
    is_ = {theme["id"]: theme for theme in now["themes"]}
    return [
        {
            "theme": name,
            "title": (is_.get(name) or was[name])["title"],
            "before": _verdict(was[name]) if name in was else None,
            "now": _verdict(is_[name]) if name in is_ else None,
        }
        for name in dict.fromkeys([*was, *is_])
        if name not in was or name not in is_ or _verdict(was[name]) != _verdict(is_[name])
    ]


def _due_to_definitions(
    record: Record, definition: MapDefinition, now: Record, rules: list[str]
) -> list[Record]:
    """Rule packs, law date, program and district settings that differ, where rules changed by themselves."""
    if not rules:
        return []
    because: list[Record] = []
    hashes = {rule.id: rule.hash for pack in definition.packs.values() for rule in pack.rules}
    was = {rule["id"]: rule["hash"] for rule in record["rules"]}
    packs = {pack["id"]: pack for pack in record["packs"]}
    for pack in now["packs"]:
        before, after = _named(packs.get(pack["id"])), _named(pack)
        if before != after and any(was.get(rule) != hashes.get(rule) for rule in rules):
            because.append({"cause": "rules", "pack": pack["id"], "before": before, "now": after})
    district = {"before": record["district"]["hash"], "now": district_hash(definition.district)}
    for cause, before, after in (
        ("law_date", record["law_date"], now["law_date"]),
        ("engine", record["engine"], now["engine"]),
        ("district", district["before"], district["now"]),
    ):
        if before != after:
            because.append({"cause": cause, "before": before, "now": after})
    return [{**each, "rules": rules} for each in because]


def _named(pack: Record | None) -> Record | None:
    return None if pack is None else {"version": pack["version"], "hash": pack["hash"]}


def _due_to_data(
    engine: Engine,
    layers: Collection[str],
    rules: list[str],
    span: tuple[int, int],
    outcome: Callable[[int], Outcome],
) -> list[Record]:
    """The revision at which each rule's outcome became another one, with who made it, when, and from what."""
    found: dict[int, list[str]] = {}
    with connect(engine) as conn:
        candidates = _touching(conn, layers, *span)
        for rule in rules:
            found.setdefault(_departure(rule, candidates, outcome, span[0]), []).append(rule)
        told = {rev: _told(conn, rev) for rev in found}
    return [{"cause": "revision", **told[rev], "rules": found[rev]} for rev in sorted(found)]


def _touching(conn: Connection, layers: Collection[str], old: int, new: int) -> list[int]:
    """The revisions after ``old`` that touched one of ``layers``, oldest first."""
    t = tables.revision_layers
    query = select(t.c.rev).where(t.c.layer.in_(layers), t.c.rev > old, t.c.rev <= new).distinct()
    return list(conn.scalars(query.order_by(t.c.rev)))


def _departure(rule: str, candidates: list[int], outcome: Callable[[int], Outcome], old: int) -> int:
    """A revision at which ``rule`` no longer says what it said at ``old``, while just before it still did."""
    first, last = 0, len(candidates) - 1
    was = outcome(old).get(rule)
    while first < last:
        middle = (first + last) // 2
        if outcome(candidates[middle]).get(rule) == was:
            first = middle + 1
        else:
            last = middle
    return candidates[last]


def _told(conn: Connection, rev: int) -> Record:
    r, s, t = tables.revisions, tables.sources, tables.revision_layers
    row = conn.execute(
        select(r, s.c.name.label("source"), s.c.title_zh, s.c.title_en)
        .outerjoin(s, s.c.source_id == r.c.source_id)
        .where(r.c.rev == rev)
    ).one()
    touched = conn.execute(select(t).where(t.c.rev == rev).limit(_MOST_LISTED)).all()
    title: Any = None if row.source is None else {"zh": row.title_zh, "en": row.title_en}
    return {
        "revision": rev,
        "at": row.at.astimezone(UTC).isoformat(),
        "who": row.who,
        "kind": row.kind,
        "note": row.note,
        "source": row.source,
        "source_title": title,
        "layers": {x.layer: {"added": x.added, "changed": x.changed, "closed": x.closed} for x in touched},
    }


def _moved(before: Record, now: Record) -> list[Record]:
    was = {layer["id"]: layer["revision"] for layer in before["layers"]}
    layers: Iterable[Record] = now["layers"]
    return [
        {"layer": layer["id"], "title": layer["title"], "before": was[layer["id"]], "now": layer["revision"]}
        for layer in layers
        if layer["id"] in was and was[layer["id"]] != layer["revision"]
    ]
