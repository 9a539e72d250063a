"""Rows of different sources that may mean the same thing although no code says so, ranked with reasons."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rapidfuzz import fuzz
from sqlalchemy import Connection, select

from gis.linking.decisions import list_decisions
from gis.linking.pairs import linking_of, same_pairs
from gis.revisions import head
from gis.screening.rows import LayerRows, read_rows
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["Candidate", "candidates", "core_name"]

# Two places farther apart than both errors and this are not compared: a yard is seldom wider.
SITE_M = 500.0
# Below this likeness of the names (0..1) nobody would think of the same firm.
LEAST_NAME = 0.80
LEAST_SCORE = 0.60
LEAST_WITHIN = 4  # letters; a shorter name lies within too many others
_SHARES = {"name": 0.6, "place": 0.25, "address": 0.15}

_LEGAL = re.compile(
    r"(股份有限公司|有限责任公司|集团有限公司|有限公司|集团|公司|分公司|\bco\b|\bltd\b|\binc\b|\bcompany\b|\blimited\b)"
)
_REGION = re.compile(r"^([\u4e00-\u9fff]{2,3}省)?([\u4e00-\u9fff]{2,3}市)?([\u4e00-\u9fff]{2,3}[县区市])?")
_MARKS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Candidate:
    """Two rows and what speaks for them; ``score`` is 0 to 1, ``metres`` None without a place."""

    uid_a: str
    uid_b: str
    name_a: str
    name_b: str
    source_a: str
    source_b: str
    score: float
    metres: float | None
    reasons: tuple[tuple[str, str], ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; reasons as {zh, en}."""
        held = {k: v for k, v in self.__dict__.items() if k != "reasons"}
        return {**held, "reasons": [{"zh": zh, "en": en} for zh, en in self.reasons]}


def core_name(name: str | None) -> str:
    """A name without width, case, marks, legal form and the region before it: what tells firms apart."""
    plain = unicodedata.normalize("NFKC", name or "").lower()
    bare = _MARKS.sub("", _LEGAL.sub("", plain))
    return _REGION.sub("", bare) or bare


def candidates(
    conn: Connection, definition: MapDefinition, layer: Layer, *, limit: int = 100
) -> list[Candidate]:
    """The likeliest pairs first, at most ``limit``.

    Pairs are rows of two sources that are not linked, not decided about, and have no different codes in a
    matching field. Compared are rows whose places may be one (both errors and 500 m) and rows with an equal
    core name wherever they are. A row without a name is not compared.
    """
    rules = linking_of(layer)
    rows = read_rows(conn, definition, layer, head(conn))
    cores = np.array([core_name(v) for v in rows.attributes[rules.name]], dtype=object)
    first, second = _near(rows)
    equal_a, equal_b = _equal(cores)
    pairs = np.unique(np.column_stack([np.r_[first, equal_a], np.r_[second, equal_b]]), axis=0)
    known = _known(conn, definition, layer)
    found = []
    for i, j in pairs:
        if rows.sources[i] == rows.sources[j] or not cores[i] or not cores[j]:
            continue
        if tuple(sorted((rows.uids[i], rows.uids[j]))) in known or _differ(rows, rules.match, i, j):
            continue
        candidate = _weigh(rows, cores, rules.address, int(i), int(j))
        if candidate is not None:
            found.append(candidate)
    return sorted(found, key=lambda c: (-c.score, c.uid_a, c.uid_b))[:limit]


def _near(rows: LayerRows) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs i < j whose places, widened by their errors, come within a site of each other."""
    if not len(rows.geoms):
        empty = np.empty(0, dtype=np.intp)
        return empty, empty
    reach = np.nan_to_num(rows.accuracy_m, nan=0.0) + SITE_M / 2
    west, south, east, north = shapely.bounds(rows.geoms).T
    boxes = shapely.box(west - reach, south - reach, east + reach, north + reach)
    i, j = shapely.STRtree(boxes).query(boxes)
    once = i < j
    return i[once], j[once]


def _equal(cores: NDArray[np.object_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs i < j with the same core name; a name that many rows bear says nothing and is left out."""
    groups: dict[str, list[int]] = {}
    for i, core in enumerate(cores):
        if len(core) > 1:
            groups.setdefault(core, []).append(i)
    pairs = [(a, b) for g in groups.values() if 1 < len(g) <= 20 for a in g for b in g if a < b]
    both = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _known(conn: Connection, definition: MapDefinition, layer: Layer) -> set[tuple[str, str]]:
    pairs = same_pairs(definition, layer)
    linked = {(a, b) for a, b in conn.execute(select(pairs.c.uid_a, pairs.c.uid_b))}
    return linked | {(d.uid_a, d.uid_b) for d in list_decisions(conn, layer.id)}


def _differ(rows: LayerRows, match: tuple[str, ...], i: int, j: int) -> bool:
    values = [(rows.attributes[name][i], rows.attributes[name][j]) for name in match]
    return any(a is not None and b is not None and a != b for a, b in values)


def _likeness(a: str, b: str) -> float:
    """0 to 1. One name within the other says nearly as much as an equal one: a region is often left out."""
    whole = fuzz.ratio(a, b)
    within = 0.95 * fuzz.partial_ratio(a, b) if min(len(a), len(b)) >= LEAST_WITHIN else 0.0
    return float(max(whole, within)) / 100


def _weigh(
    rows: LayerRows, cores: NDArray[np.object_], address: str | None, i: int, j: int
) -> Candidate | None:
    likeness = _likeness(cores[i], cores[j])
    if likeness < LEAST_NAME:
        return None
    reasons = [(f"名称相似度 {likeness:.0%}", f"names alike by {likeness:.0%}")]
    parts = {"name": likeness}
    metres = float(shapely.distance(rows.geoms[i], rows.geoms[j])) if rows.layer.has_geometry else None
    if metres is not None:
        allowed = float(np.nansum(rows.accuracy_m[[i, j]])) + SITE_M
        parts["place"] = max(0.0, 1 - metres / allowed) if metres <= allowed else 0.0
        reasons.append(
            (
                f"相距 {metres:,.0f} 米，误差之和加厂区 {allowed:,.0f} 米",
                f"{metres:,.0f} m apart; errors and a site come to {allowed:,.0f} m",
            )
        )
    said = [core_name(rows.attributes[address][k]) if address else "" for k in (i, j)]
    if all(said):
        parts["address"] = fuzz.token_set_ratio(*said) / 100
        reasons.append((f"地址相似度 {parts['address']:.0%}", f"addresses alike by {parts['address']:.0%}"))
    score = sum(_SHARES[k] * v for k, v in parts.items()) / sum(_SHARES[k] for k in parts)
    if score < LEAST_SCORE:
        return None
    a, b = sorted((i, j), key=lambda k: str(rows.uids[k]))
    label = rows.labels
    return Candidate(
        str(rows.uids[a]), str(rows.uids[b]), str(label[a]), str(label[b]), str(rows.sources[a]),
        str(rows.sources[b]), round(score, 3), metres, tuple(reasons),
    )  # fmt: skip
