"""A small world whose rows, coverages, rules and settings are edited at random, each edit a revision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import shapely
from sqlalchemy import Engine, insert, select, text, update

from gis import tables
from gis.crs import WEB_MERCATOR, transformation
from gis.db import connect
from gis.revisions import Change, alive, new_revision, note_touch
from gis.settings import MapDefinition
from layers.district import District, load_district
from layers.model import Layer, Text
from layers.registry import load_layers
from layers.rulemodel import Group, Reference, Rule, RulePack, canonical_hash

TEXT = Text(zh="文", en="text")
LAW_DATES = [date(2026, 8, 10) + timedelta(days=n) for n in range(0, 30, 3)]
_EAST, _NORTH = 500_000.0, 3_210_000.0  # in the middle of the district
_SIDE = 6_000.0
# None: not known. Few values, so that zones of one and of several accuracies are both common.
_ACCURACIES: list[float | None] = [0.5, 0.5, 0.5, 20.0, 20.0, 150.0]
# Where every grade is stated, rules about different grades have nothing to do with each other.
_GRADES: dict[str, list[str | None]] = {"areas": ["1", "2", None], "parks": ["1", None], "belts": ["1", "2"]}
_SUBJECT_ACCURACIES: list[float | None] = [1.0, 1.0, 1.0, 30.0, 400.0, 900.0, None]


def _layer(name: str, role: str, geometry: str, *fields: dict[str, Any]) -> Layer:
    def one(field_name: str, kind: str) -> dict[str, Any]:
        return {"name": field_name, "title": {"zh": field_name, "en": field_name}, "type": kind}

    listed = [{**one("code", "text"), "required": True}, one("name", "text"), one("town", "text"), *fields]
    return Layer.model_validate(
        {
            "id": name, "title": {"zh": name, "en": name}, "abstract": {"zh": "测试。", "en": "For tests."},
            "theme": "water", "role": role, "geometry": geometry, "key": ["code"],
            "names": {"label": "name", "township": "town"}, "fields": listed,
            "style": {"colour": "#225588"},
        }
    )  # fmt: skip


def _field(name: str, kind: str) -> dict[str, Any]:
    return {"name": name, "title": {"zh": name, "en": name}, "type": kind}


_SUBJECT_FIELDS = (_field("dirty", "boolean"), _field("due", "date"), _field("away", "number"))
LAYERS = {
    layer.id: layer
    for layer in (
        _layer("dots", "subject", "Point", *_SUBJECT_FIELDS),
        _layer("plots", "subject", "MultiPolygon", *_SUBJECT_FIELDS),
        _layer("areas", "zone", "MultiPolygon", _field("grade", "text"), _field("since", "date")),
        _layer("belts", "zone", "MultiPolygon", _field("grade", "text"), _field("since", "date")),
        _layer("parks", "zone", "MultiPolygon", _field("grade", "text"), _field("since", "date")),
    )
}
SUBJECTS, ZONES = ("dots", "plots"), ("areas", "belts", "parks")


def _reference(key: str, begin: date, end: date | None, replaces: tuple[str, ...] = ()) -> Reference:
    return Reference.model_validate(
        {
            "key": key, "article": "1", "text": TEXT, "confidence": "S", "law": TEXT, "valid_from": begin,
            "valid_to": end, "dates_confirmed": True, "dates_source": TEXT, "replaces": replaces,
        }
    )  # fmt: skip


REFERENCES = {
    r.key: r
    for r in (
        _reference("OLD", date(2000, 1, 1), date(2026, 8, 14)),
        _reference("CODE", date(2026, 8, 15), None, ("OLD",)),
        _reference("EVER", date(2000, 1, 1), None),
        _reference("LATE", date(2026, 8, 25), None),
    )
}


def _rule(name: str, subjects: tuple[str, ...], zone_layer: str | None, op: str, **fields: Any) -> Rule:
    numbers = {
        "distance_m",
        "statutory",
        "min_share",
        "min_area_m2",
        "n",
        "attribute",
        "distances_m",
        "at_most_m",
    }
    predicate = {"op": op, **{key: fields.pop(key) for key in numbers & fields.keys()}}
    given = {
        "id": name, "title": TEXT, "subjects": subjects, "zone_layer": zone_layer, "predicate": predicate,
        "severity": "prohibited", "legal": ("EVER",), **fields,
    }  # fmt: skip
    return hashed(Rule.model_validate({**given, "pack": "test", "group": name.split("-")[0], "hash": ""}))


def hashed(rule: Rule) -> Rule:
    """The rule with the hash of what it says."""
    return rule.model_copy(update={"hash": canonical_hash(rule.model_dump(exclude={"hash"}))})


RULES = (
    _rule("AR-01", ("dots", "plots"), "areas", "intersects", zone_where={"grade": ["1"]}, legal=("CODE",),
          subject_where={"dirty": True}),
    _rule("AR-02", ("dots", "plots"), "areas", "dwithin", distance_m=250.0, statutory=True,
          zone_where={"grade": ["1", "2"]}, severity="restricted"),
    _rule("AR-03", ("plots",), "areas", "area_share", min_share=0.2),
    _rule("AR-04", ("dots", "plots"), "areas", "count_gt", n=1, legal=("LATE",), severity="review"),
    _rule("AR-05", ("dots",), "areas", "intersects", zone_where={"since": {">=": "law_date"}},
          subject_where={"dirty": False}, severity="notice"),
    _rule("BT-01", ("dots", "plots"), "belts", "intersects", zone_where={"grade": ["1"]},
          subject_where={"dirty": True}),
    _rule("BT-02", ("dots", "plots"), "belts", "dwithin", distance_m=200.0, statutory=True,
          zone_where={"grade": ["2"]}),
    _rule("BT-03", ("dots",), "belts", "intersects", zone_where={"grade": ["2"]}, severity="notice",
          subject_where={"dirty": True}),
    _rule("PK-01", ("dots", "plots"), "parks", "disjoint", severity="review",
          subject_where={"due": {"<=": "law_date"}}),
    _rule("PK-02", ("plots",), "parks", "area_share_outside", min_share=0.5, legal=("CODE", "LATE")),
    _rule("PK-03", ("dots",), "parks", "dwithin", distance_m=400.0, statutory=False, severity="review",
          unless=[{"where": {"due": {">=": "law_date"}}, "note": TEXT}]),
    _rule("AR-06", ("dots", "plots"), "areas", "dwithin_by", attribute="grade", statutory=True,
          distances_m={"1": 150.0, "2": 500.0}, severity="restricted"),
    _rule("AR-07", ("dots",), "areas", "dwithin_stated", attribute="away", at_most_m=300.0, statutory=True),
    _rule("PK-04", ("plots", "dots"), "parks", "not_dwithin", distance_m=600.0, statutory=True),
    _rule("PK-05", ("dots",), None, "attribute", subject_where={"due": {">": "law_date"}}, legal=("LATE",)),
)  # fmt: skip


def pack_of(rules: tuple[Rule, ...]) -> RulePack:
    """A pack of these rules."""
    groups = tuple(Group(id=name, title=TEXT) for name in ("AR", "BT", "PK"))
    digest = canonical_hash(sorted(rule.hash for rule in rules))
    return RulePack.model_validate(
        {
            "id": "test", "version": "1", "title": TEXT, "groups": groups, "rules": rules, "tables": {},
            "references": REFERENCES, "fixtures": (), "hash": digest,
        }
    )  # fmt: skip


def definition_of(rules: tuple[Rule, ...] = RULES, district: District | None = None) -> MapDefinition:
    """The world's layers and the ledger."""
    ledger = {"conflicts": load_layers([])["conflicts"]}
    return MapDefinition(district or load_district(), {**LAYERS, **ledger}, {"test": pack_of(rules)})


@dataclass
class World:
    """The world's store and its definition as it is now; ``rng`` chooses what is edited and how."""

    engine: Engine
    rng: np.random.Generator
    definition: MapDefinition = field(default_factory=definition_of)
    law_date: date = LAW_DATES[0]

    def found(self, dots: int = 60, plots: int = 25, areas: int = 14, parks: int = 8, belts: int = 8) -> None:
        """Fill the empty world: a source, rows of all layers, and coverages."""
        with connect(self.engine, write=True) as conn:
            for name, demo in (("survey", False), ("demo", True)):
                conn.execute(
                    insert(tables.sources).values(
                        name=name, title_zh=name, title_en=name, is_demonstration=demo
                    )
                )
        counts = {"dots": dots, "plots": plots, "areas": areas, "parks": parks, "belts": belts}
        for layer, count in counts.items():
            self.write(layer, {f"{layer[0]}{n}": self.row(layer) for n in range(count)})
        for layer in ZONES:
            self.cover(layer)

    # --- single writes ------------------------------------------------------------------------------------

    def write(self, layer: str, rows: dict[str, dict[str, Any] | None]) -> None:
        """One revision: each uid gets the row, or ends with None."""
        district = self.definition.district
        table = tables.table_for(LAYERS[layer], district.storage_crs)
        back = transformation(district.measuring_crs, district.storage_crs, district.extent)
        web = transformation(district.storage_crs, WEB_MERCATOR, district.extent)
        with connect(self.engine, write=True) as conn:
            rev = new_revision(conn, who="test", kind="import")
            for uid, row in rows.items():
                current = (table.c.uid == uid, alive(table, None))
                conn.execute(update(table).where(*current).values(rev_to=rev))
                if row is None:
                    continue
                shape = back.geometries(np.array([row["geom"]], dtype=object))
                values = {
                    **row, "uid": uid, "code": uid, "rev_from": rev,
                    "geom": f"SRID={district.storage_crs};{shape[0].wkt}",
                    "geom_web": f"SRID={WEB_MERCATOR};{web.geometries(shape)[0].wkt}",
                }  # fmt: skip
                conn.execute(insert(table).values(values))
            note_touch(conn, rev, layer, Change(rev, 0, len(rows), 0, 0))

    def cover(self, layer: str) -> None:
        """State a new coverage of a zone layer: most of the world, a part of it, or none any more."""
        district = self.definition.district
        back = transformation(district.measuring_crs, district.storage_crs, district.extent)
        west, south = self.rng.uniform(-2_500, 1_500, 2)
        box = shapely.box(_EAST + west, _NORTH + south, _EAST + _SIDE + 2_000, _NORTH + _SIDE + 2_000)
        shape = back.geometries(np.array([shapely.segmentize(box, 500)], dtype=object))[0]
        c = tables.coverage
        with connect(self.engine, write=True) as conn:
            rev = new_revision(conn, who="test", kind="import")
            conn.execute(update(c).where(c.c.layer == layer, c.c.rev_to.is_(None)).values(rev_to=rev))
            if self.rng.random() < 0.9:
                geom = f"SRID={district.storage_crs};{shape.wkt}"
                conn.execute(insert(c).values(layer=layer, source_id=1, geom=geom, rev_from=rev))
            note_touch(conn, rev, layer, Change(rev, 0, 0, 0, 0))

    def row(self, layer: str) -> dict[str, Any]:
        """A row of a layer, chosen at random."""
        rng = self.rng
        row: dict[str, Any] = {
            "name": self._one(["甲", "乙", None]), "town": self._one(["城", "乡", None]),
            "source_id": int(rng.choice([1, 1, 2])), "geom": self._shape(layer),
            "valid_from": self._one([None, None, None, *LAW_DATES]),
            "valid_to": self._one([None, None, None, *LAW_DATES]),
        }  # fmt: skip
        if layer in SUBJECTS:
            row |= {"accuracy_m": self._one(_SUBJECT_ACCURACIES), "dirty": self._one([True, False, None]),
                    "due": self._one([None, *LAW_DATES])}  # fmt: skip
            row["away"] = self._one([None, 100.0, 300.0])
        else:
            rare: list[float | None] = [None] if rng.random() < 0.03 else []
            row |= {
                "accuracy_m": self._one([*_ACCURACIES, *rare]),
                "grade": self._one(["1", "2", None] if layer != "belts" else ["1", "2"]),
            }
            row |= {"since": self._one([None, *LAW_DATES]), "is_indicative": bool(rng.random() < 0.3)}
        return row

    def _one(self, values: list[Any]) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def _shape(self, layer: str) -> Any:
        x, y = self.rng.uniform((_EAST, _NORTH), (_EAST + _SIDE, _NORTH + _SIDE))
        if layer == "dots":
            return shapely.Point(x, y)
        size = self.rng.uniform(60, 400) if layer == "plots" else self.rng.uniform(200, 1_500)
        if self.rng.random() < 0.5:
            # On a grid zones share edges and corners, and overlap whole.
            step = 200.0 if layer == "plots" else 1_000.0
            x, y = _EAST + round((x - _EAST) / step) * step, _NORTH + round((y - _NORTH) / step) * step
            return shapely.MultiPolygon([shapely.box(x, y, x + step, y + step)])
        angles = np.sort(self.rng.uniform(0, 2 * np.pi, 9))
        ring = np.column_stack([np.cos(angles), np.sin(angles)]) * self.rng.uniform(0.5, 1, (9, 1)) * size
        hull = shapely.convex_hull(shapely.multipoints(ring + np.array([x, y])))
        return shapely.MultiPolygon([hull])

    # --- edits at random ----------------------------------------------------------------------------------

    def edit(self) -> str:
        """Make one edit of a sort chosen at random; says which."""
        edits: list[Callable[[], object]] = [
            self.edit_zone, self.edit_zone, self.edit_zone, self.edit_subject, self.edit_subject,
            self.edit_coverage, self.edit_rule, self.edit_date, self.edit_coarseness,
        ]  # fmt: skip
        chosen = edits[int(self.rng.integers(len(edits)))]
        return f"{chosen.__name__}: {chosen()}"

    def edit_zone(self) -> str:
        """Add, change or close a zone."""
        return self._edit_row(self._one(list(ZONES)))

    def edit_subject(self) -> str:
        """Add, change or close a subject or two."""
        return self._edit_row(self._one(list(SUBJECTS)))

    def uids(self, layer: str) -> list[str]:
        """The current rows of a layer, in order."""
        table = tables.table_for(LAYERS[layer], self.definition.district.storage_crs)
        with connect(self.engine) as conn:
            return list(conn.scalars(select(table.c.uid).where(alive(table, None)).order_by(table.c.uid)))

    def _edit_row(self, layer: str) -> str:
        uids = self.uids(layer)
        rows: dict[str, dict[str, Any] | None] = {}
        for _ in range(int(self.rng.integers(1, 3))):
            kind = self.rng.random()
            uid = f"{layer[0]}{int(self.rng.integers(1000, 9999))}" if kind < 0.25 else self._one(uids)
            rows[uid] = None if kind > 0.85 else self.row(layer)
        self.write(layer, rows)
        return f"{layer} {rows}"

    def edit_coverage(self) -> str:
        """State another coverage."""
        layer = self._one(list(ZONES))
        self.cover(layer)
        return str(layer)

    def edit_rule(self) -> str:
        """Change, switch off or bring back a rule."""
        pack = self.definition.packs["test"]
        rules = {rule.id: rule for rule in pack.rules}
        chosen = self._one(list(RULES))
        if chosen.id in rules and self.rng.random() < 0.4:
            del rules[chosen.id]
        else:
            severity = self._one(["prohibited", "restricted", "review", "notice"])
            if chosen.predicate.is_statutory is False:
                severity = "notice"
            legal = self._one([("EVER",), ("CODE",), ("LATE",)])
            subjects = self._one([chosen.subjects, chosen.subjects, ("plots",)])
            title = Text(zh=self._one(["文", "字"]), en="text")
            changes = {
                "severity": severity, "legal": legal, "subjects": subjects, "title": title,
                "predicate": self._predicate(chosen.predicate),
            }  # fmt: skip
            # Most edits change one thing only: each kind is followed in its own way.
            if self.rng.random() < 0.7:
                name = self._one(sorted(changes))
                chosen, changes = rules.get(chosen.id, chosen), {name: changes[name]}
            rules[chosen.id] = hashed(chosen.model_copy(update=changes))
        self.definition = replace(self.definition, packs={"test": pack_of(tuple(rules.values()))})
        return f"{chosen.id} {sorted(rules)}"

    def _predicate(self, predicate: Any) -> Any:
        """The same with another distance, where it has one."""
        if not hasattr(predicate, "distance_m"):
            return predicate
        factor = self._one([0.5, 1.0, 1.5, 2.0])
        return predicate.model_copy(update={"distance_m": predicate.distance_m * factor})

    def edit_date(self) -> str:
        """Take another law date, forward or back."""
        self.law_date = self._one(LAW_DATES)
        return str(self.law_date)

    def edit_coarseness(self) -> str:
        """Change the district's bound for coarse positions."""
        coarse = self._one([350.0, 500.0, 1_000.0])
        district = self.definition.district.model_copy(update={"coarse_position_m": coarse})
        self.definition = replace(self.definition, district=district)
        return str(coarse)

    # --- looking ------------------------------------------------------------------------------------------

    def ledger(self) -> dict[str, dict[str, Any]]:
        """The rows of the ledger by uid as they are shown, without what says when they were judged."""
        drop = "'{row_id,rev_from,judged_rev,law_date,geom}'::text[]"
        with connect(self.engine) as conn:
            found = conn.execute(
                text(
                    f"SELECT uid, to_jsonb(t) - {drop} AS said, encode(ST_AsBinary(geom), 'hex') AS shape "
                    "FROM now.conflicts t ORDER BY uid"
                )
            )
            return {row.uid: {**row.said, "geom": row.shape} for row in found}

    def uncovered(self) -> dict[tuple[str, str], str]:
        """The open rules by subject."""
        u = tables.uncovered
        with connect(self.engine) as conn:
            return {(row.layer, row.uid): row.rules for row in conn.execute(select(u))}
