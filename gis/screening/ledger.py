"""Rows of the conflicts layer from a judgement, as arrays throughout."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.kernel import CLEAR, CONFLICT, EDGE, UNKNOWN
from gis.screening.dates import FAR, dated, next_days, valid_until
from gis.screening.findings import VERDICTS
from gis.screening.judgement import Judgement, RuleOutcome
from gis.screening.rows import LayerRows
from layers.rulemodel import SEVERITIES

__all__ = ["COLUMNS", "ledger_rows", "no_rows", "uncovered_rules"]

Columns = dict[str, NDArray[Any]]
"""Rows by their columns."""

# The contract between this module and the definition of the derived layer "conflicts".
COLUMNS = (
    "uid", "verdict", "severity", "severity_if_official", "rule_group", "rules", "subject_layer",
    "subject_uid", "subject_name", "zone_layer", "zone_uid", "zone_name", "township", "county", "overlap_m2",
    "share", "distance_m", "margin_m", "error_m", "on_boundary", "missing", "next_date", "judged_rev",
    "is_indicative", "is_demonstration", "geom",
)  # fmt: skip

# The last digits of a measure depend on which subjects were measured together; they are no difference.
_DECIMALS = {"overlap_m2": 3, "share": 6, "distance_m": 3, "margin_m": 3, "error_m": 3}


def ledger_rows(
    judged: Judgement | None,
    subjects: LayerRows | None,
    zones: Mapping[str, LayerRows],
    rev: int,
    *,
    coarse_m: float,
) -> pd.DataFrame:
    """One row a subject, zone and rule in conflict or doubt; one a subject and zone that lack an attribute.

    Parameters
    ----------
    judged : Judgement or None
        Of the rows of ``subjects`` in force; None gives an empty frame with all columns.
    subjects : LayerRows
        The subject layer, for names and places.
    zones : mapping of layer id to LayerRows
        The zone layers in the order in which they were judged.
    rev : int
        The revision that was judged.
    coarse_m : float
        A subject with a larger position error gets one row for all edges and one for all that is unknown, at
        its own place: which of the zones around it would be a guess.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`; geometry ("geom") in the measuring plane, None where missing.
    """
    if judged is None or subjects is None or not len(judged.subjects):
        return no_rows()
    origin = pd.Index(subjects.uids).get_indexer(pd.Index(judged.subjects.uids))
    parts = []
    for outcome in judged.outcomes:
        for part in (
            _met(outcome, subjects, origin, zones),
            _alone(outcome, judged, subjects, origin),
        ):
            if part:
                parts.append(_with_next_date(part, outcome, subjects, zones, judged.law_date))
    if not parts:
        return no_rows()
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    found["judged_rev"] = np.full(len(found["uid"]), rev)
    for name, decimals in _DECIMALS.items():
        found[name] = np.round(found[name], decimals)
    coarse = set(subjects.uids[np.nan_to_num(subjects.accuracy_m) > coarse_m])
    merged = _merge_doubts(found, coarse, subjects)[list(COLUMNS)]
    merged["next_date"] = merged["next_date"].where(merged["next_date"] != FAR, None)
    return merged


def _frame(columns: Columns, rows: NDArray[Any]) -> pd.DataFrame:
    """The columns at ``rows`` as they are: pandas would look at each text to find it a type of its own."""
    taken = {name: values[rows] for name, values in columns.items()}
    return pd.DataFrame({name: pd.Series(values, dtype=values.dtype) for name, values in taken.items()})


def no_rows() -> pd.DataFrame:
    """A frame of all columns without rows."""
    return pd.DataFrame({name: pd.Series(dtype=object) for name in COLUMNS})


def uncovered_rules(judged: Judgement) -> NDArray[np.object_]:
    """By subject, the rules that are open although no row says so, in order, separated by spaces.

    They are unknown for want of coverage, accuracy or access, or because nothing is near that could decide.
    """
    open_ = {}
    for outcome in sorted(judged.outcomes, key=lambda outcome: outcome.rule.id):
        unknown = outcome.answer.code == UNKNOWN
        unknown[outcome.hits.subject[~np.isnan(outcome.hits.limit_m)]] = False
        open_[outcome.rule.id] = unknown
    listed = np.full(len(judged.subjects), "", dtype=object)
    if not open_:
        return listed
    flags = np.stack(list(open_.values()), axis=1)
    kinds, kind = np.unique(flags, axis=0, return_inverse=True)
    ids = np.array(list(open_), dtype=object)
    texts = np.array([" ".join(ids[row]) for row in kinds], dtype=object)
    return np.asarray(texts[kind.reshape(-1)], dtype=object)


def _with_next_date(
    part: Columns, outcome: RuleOutcome, subjects: LayerRows, zones: Mapping[str, LayerRows], law_date: date
) -> Columns:
    """Add the next day on which each row may become another: of the subject, or the zone.

    That of the law is told with the rules; see `gis.screening.telling`.
    """
    rule, s, z = outcome.rule, part.pop("_subject"), part.pop("_zone")
    soonest = valid_until(subjects.valid_to[s])
    named = {name for where in (rule.subject_where, *(u.where for u in rule.unless)) for name in dated(where)}
    for name in sorted(named & subjects.attributes.keys()):
        soonest = np.minimum(soonest, next_days(subjects.attributes[name][s], law_date))
    met = np.flatnonzero(z >= 0)
    if len(met) and rule.zone_layer is not None:
        zone, z = zones[rule.zone_layer], z[met]
        soonest[met] = np.minimum(soonest[met], valid_until(zone.valid_to[z]))
        for name in sorted(set(dated(rule.zone_where)) & zone.attributes.keys()):
            soonest[met] = np.minimum(soonest[met], next_days(zone.attributes[name][z], law_date))
    return {**part, "next_date": soonest}


def _met(
    outcome: RuleOutcome, subjects: LayerRows, origin: NDArray[np.int64], zones: Mapping[str, LayerRows]
) -> Columns:
    """Pairs of a subject and a zone behind findings that are not clear.

    A zone near a subject that does not state the rule's distance is no hit: the pair is left out.
    """
    h, rule = outcome.hits, outcome.rule
    code = h.code
    keep = np.flatnonzero((code != CLEAR) & ~np.isnan(h.limit_m))
    if not len(keep) or rule.zone_layer is None:
        return {}
    s, z = origin[h.subject[keep]], h.zone[keep]
    zone = zones[rule.zone_layer]
    severity = _texts(outcome.severity(False), outcome.severity(True))[h.is_indicative[keep].astype(int)]
    part = {
        "verdict": _words(code[keep]),
        "severity": severity,
        "overlap_m2": np.where(h.dimension[keep] == 2, h.overlap[keep], np.nan),
        "share": h.share[keep], "distance_m": h.distance_m[keep], "margin_m": h.margin_m[keep],
        "error_m": h.error_m[keep], "on_boundary": h.on_boundary[keep],
        "is_indicative": h.is_indicative[keep],
        "is_demonstration": subjects.is_demonstration[s] | zone.is_demonstration[z],
        "zone_layer": _alike(rule.zone_layer, len(s)), "zone_uid": zone.uids[z], "zone_name": zone.labels[z],
        "missing": _missing(outcome, h.subject[keep]), "geom": h.witness[keep], "_zone": z,
    }  # fmt: skip
    return _described(part, outcome, subjects, s)


def _alone(
    outcome: RuleOutcome, judged: Judgement, subjects: LayerRows, origin: NDArray[np.int64]
) -> Columns:
    """Conflicts and edges that no zone stands behind: lying in no zone, or outside by too much."""
    answer = outcome.answer
    open_ = (answer.code == CONFLICT) | (answer.code == EDGE)
    open_[outcome.hits.subject] = False
    rows = np.flatnonzero(open_)
    if not len(rows):
        return {}
    s, nothing, nowhere = origin[rows], _alike(None, len(rows)), np.full(len(rows), np.nan)
    capped = answer.capped[rows]
    part = {
        "verdict": _words(answer.code[rows]),
        "severity": _texts(outcome.severity(False), outcome.severity(True))[capped.astype(int)],
        "overlap_m2": nowhere, "share": nowhere, "distance_m": nowhere, "margin_m": answer.margin_m[rows],
        "error_m": answer.error_m[rows], "on_boundary": answer.on_boundary[rows], "is_indicative": capped,
        "is_demonstration": subjects.is_demonstration[s],
        "zone_layer": _alike(outcome.rule.zone_layer, len(s)), "zone_uid": nothing, "zone_name": nothing,
        "missing": nothing, "geom": judged.subjects.geoms[rows], "_zone": np.full(len(s), -1),
    }  # fmt: skip
    return _described(part, outcome, subjects, s)


def _texts(*values: str | None) -> NDArray[np.object_]:
    return np.array(values, dtype=object)


def _alike(value: str | None, count: int) -> NDArray[np.object_]:
    return np.full(count, value, dtype=object)


def _words(codes: NDArray[Any]) -> NDArray[np.object_]:
    return _texts(*(VERDICTS[code] for code in range(len(VERDICTS))))[codes.astype(np.int64)]


def _missing(outcome: RuleOutcome, rows: NDArray[np.int64]) -> NDArray[np.object_]:
    """The names each row lacks, in order, joined by spaces; None where nothing is missing."""
    lacking = sorted(outcome.answer.missing.items())
    if not lacking:
        return _alike(None, len(rows))
    flags = np.stack([lacks[rows] for _, lacks in lacking], axis=1)
    kinds, kind = np.unique(flags, axis=0, return_inverse=True)
    names = np.array([name for name, _ in lacking], dtype=object)
    return _texts(*(" ".join(names[row]) or None for row in kinds))[kind.reshape(-1)]


def _described(part: Columns, outcome: RuleOutcome, subjects: LayerRows, s: NDArray[np.int64]) -> Columns:
    """Add what the rule and the subject say to each row."""
    rule, names, layer = outcome.rule, subjects.layer.names, subjects.layer.id
    at = {
        n: subjects.attributes[f][s] if f else _alike(None, len(s))
        for n, f in (("township", names.township), ("county", names.county))
    }
    zones = zip(part["zone_layer"].tolist(), part["zone_uid"].tolist(), strict=True)
    uids = subjects.uids[s]
    pairs = [
        f"{layer}/{uid}|{zone_layer or ''}/{zone or ''}"
        for uid, (zone_layer, zone) in zip(uids.tolist(), zones, strict=True)
    ]
    return {
        **part, **at, "severity_if_official": _alike(outcome.severity_if_official, len(s)),
        "rule_group": _alike(rule.group, len(s)), "rules": _alike(rule.id, len(s)),
        "subject_layer": _alike(layer, len(s)), "subject_uid": uids, "subject_name": subjects.labels[s],
        "uid": _texts(*(f"{pair}|{rule.id}" for pair in pairs)), "_pair": _texts(*pairs), "_subject": s,
    }  # fmt: skip


def _merge_doubts(found: Columns, coarse: set[str], subjects: LayerRows) -> pd.DataFrame:
    """Make one row of what is open between a subject and a zone, and of all doubts on a coarse subject.

    The severest row stands for all, with the rules and missing names of each; where it lies for a coarse
    subject.
    """
    is_coarse = np.zeros(len(found["uid"]), dtype=bool)
    if coarse:
        is_coarse[:] = [uid in coarse for uid in found["subject_uid"].tolist()]
    merged = (is_coarse & (found["verdict"] != "conflict")) | (found["verdict"] == "unknown")
    if not merged.any():
        return _frame(found, np.arange(len(merged)))
    rows = _frame(found, np.flatnonzero(merged))
    rows = rows.sort_values(["rules", "zone_layer", "zone_uid"], kind="stable")
    apart = ~rows["subject_uid"].isin(coarse)
    key = [rows["subject_uid"], rows["verdict"], *(rows[n].where(apart) for n in ("zone_layer", "zone_uid"))]
    group = pd.DataFrame(dict(enumerate(key))).groupby([0, 1, 2, 3], sort=False, dropna=False)
    groups, ranks = (np.asarray(part, dtype=np.int64) for part in (group.ngroup(), group.cumcount()))
    joined = _joined(rows, groups, ranks)
    folded = np.flatnonzero(joined["subject_uid"].isin(coarse))
    if len(folded):
        at = dict(zip(subjects.uids, subjects.geoms, strict=True))
        joined = _folded(joined, folded, at)
    single = _frame(found, np.flatnonzero(~merged))
    return pd.concat([single, joined.drop(columns="_nearest")], ignore_index=True)


def _joined(rows: pd.DataFrame, group: NDArray[np.int64], rank: NDArray[np.int64]) -> pd.DataFrame:
    """One row a group: the severest, the first among equals; ``rank`` counts the rows within a group."""
    count = int(group.max()) + 1
    severity = _ranks(rows["severity"])
    order = np.lexsort((rank, severity, group))
    first = order[np.searchsorted(group[order], np.arange(count))]
    official = np.full(count, len(SEVERITIES))
    np.minimum.at(official, group, _ranks(rows["severity_if_official"]))
    demonstration, indicative = np.zeros(count, dtype=bool), np.ones(count, dtype=bool)
    np.logical_or.at(demonstration, group, rows["is_demonstration"].to_numpy(dtype=bool))
    np.logical_and.at(indicative, group, rows["is_indicative"].to_numpy(dtype=bool))
    soonest = np.full(count, np.datetime64(FAR, "D"))
    np.minimum.at(soonest, group, rows["next_date"].to_numpy(dtype=object).astype("datetime64[D]"))
    nearest = np.full(count, np.nan)
    np.fmin.at(nearest, group, rows["distance_m"].to_numpy(dtype=float))
    found = rows.iloc[first].reset_index(drop=True)
    return found.assign(
        uid=found["_pair"] + "|" + found["verdict"],
        rules=_listed(rows["rules"], group, rank, count),
        missing=_listed(rows["missing"].fillna(""), group, rank, count),
        severity_if_official=np.array(SEVERITIES, dtype=object)[official],
        is_demonstration=demonstration, _indicative=indicative, _nearest=nearest,
        next_date=soonest.astype(object),
    )  # fmt: skip


def _folded(joined: pd.DataFrame, rows: NDArray[np.int64], at: Mapping[str, Any]) -> pd.DataFrame:
    """The rows that stand for all doubts on a coarse subject name no zone and lie where it lies."""
    part = joined.iloc[rows]
    nothing = dict.fromkeys(("zone_layer", "zone_uid", "zone_name", "overlap_m2", "share", "margin_m"))
    # A coarse position is its own missing piece: better coordinates would settle what attributes cannot.
    missing = _each_once(("accuracy_m " + part["missing"].fillna("")).to_numpy(dtype=object))
    own = part.assign(
        **nothing, missing=missing, distance_m=part["_nearest"], is_indicative=part["_indicative"],
        uid=part["subject_layer"] + "/" + part["subject_uid"].astype(str) + "||" + part["verdict"],
        geom=np.fromiter((at[uid] for uid in part["subject_uid"]), dtype=object, count=len(part)),
    )  # fmt: skip
    return pd.concat([joined.drop(index=joined.index[rows]), own], ignore_index=True)


def _ranks(severities: pd.Series[Any]) -> NDArray[np.int64]:
    """Each severity's place, the severest first."""
    return np.asarray(pd.Index(SEVERITIES).get_indexer(pd.Index(severities)), dtype=np.int64)


def _listed(
    values: pd.Series[Any], group: NDArray[np.int64], rank: NDArray[np.int64], count: int
) -> NDArray[np.object_]:
    """The words of a text column over the rows of each group, each once, in order; None without any."""
    texts, listed = values.to_numpy(dtype=object), np.full(count, "", dtype=object)
    order = np.argsort(rank, kind="stable")
    for part in np.split(order, np.searchsorted(rank[order], np.arange(1, int(rank.max()) + 1))):
        listed[group[part]] += " " + texts[part]
    return _each_once(listed)


def _each_once(texts: NDArray[np.object_]) -> NDArray[np.object_]:
    """The words of each text without those that it has before; None for one without words."""
    kinds, kind = np.unique(texts.astype(str), return_inverse=True)
    words = [" ".join(dict.fromkeys(text.split())) or None for text in kinds]
    return np.array([*words, None], dtype=object)[kind.reshape(-1)]
