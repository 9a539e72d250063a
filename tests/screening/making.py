"""Small rules, zones and subjects for tests of the judge, all in metres of one plane."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import shapely

from gis.screening.findings import worst
from gis.screening.inputs import Subjects, ZoneLayer
from gis.screening.judge import judge
from gis.screening.judgement import Judgement
from layers.model import Text
from layers.rulemodel import Group, Reference, Rule, RulePack

LAW_DATE = date(2026, 9, 1)
EVERYWHERE = shapely.box(-1e6, -1e6, 1e6, 1e6)
SQUARE = shapely.box(0, 0, 100, 100)
TEXT = Text(zh="文", en="text")


def objects(values: Sequence[Any]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = list(values)
    return array


def rule(op: str = "intersects", *, id: str = "T-01", **fields: Any) -> Rule:
    """A rule on layer "zones" for subjects "things"; ``op`` and its numbers make the predicate."""
    numbers = {"distance_m", "statutory", "min_share", "min_area_m2", "n"}
    numbers |= {"attribute", "at_most_m", "distances_m"}
    predicate = {"op": op, **{name: fields.pop(name) for name in numbers & fields.keys()}}
    given = {"title": TEXT, "subjects": ("things",), "severity": "prohibited"}
    given["zone_layer"] = None if op == "attribute" else "zones"
    rest = {"legal": ("BAN",), "pack": "test", "group": id.split("-")[0], "hash": ""}
    return Rule.model_validate({**given, **rest, "id": id, "predicate": predicate, **fields})


def pack(*rules: Rule, since: date = date(2000, 1, 1)) -> RulePack:
    """A pack whose one article BAN is law since ``since``."""
    dates = {"valid_from": since, "dates_confirmed": True, "dates_source": TEXT}
    article = {"key": "BAN", "article": "1", "text": TEXT, "confidence": "S", "law": TEXT}
    ban = Reference.model_validate({**article, **dates})
    groups = tuple(Group(id=name, title=TEXT) for name in dict.fromkeys(r.group for r in rules))
    head = {"id": "test", "version": "1", "title": TEXT, "groups": groups, "rules": rules, "hash": ""}
    return RulePack.model_validate({**head, "references": {"BAN": ban}, "tables": {}, "fixtures": ()})


def zones(
    geoms: Sequence[Any],
    accuracy_m: Any = 0.0,
    *,
    indicative: Any = False,
    coverage: Any = EVERYWHERE,
    **attributes: Sequence[Any],
) -> ZoneLayer:
    """The layer "zones"; attributes by name, one value a zone."""
    n = len(geoms)
    return ZoneLayer(
        layer_id="zones",
        uids=objects([f"z{i}" for i in range(n)]),
        names=objects([f"Zone {i}" for i in range(n)]),
        geoms=objects(geoms),
        accuracy_m=np.broadcast_to(np.asarray(accuracy_m, dtype=float), n).copy(),
        is_indicative=np.broadcast_to(np.asarray(indicative, dtype=bool), n).copy(),
        attributes={name: objects(values) for name, values in attributes.items()},
        coverage=coverage,
    )


def things(geoms: Sequence[Any], accuracy_m: Any = 0.0, **attributes: Sequence[Any]) -> Subjects:
    """Subjects of layer "things"; attributes by name, one value a subject."""
    n = len(geoms)
    return Subjects(
        layer_id="things",
        kinds=frozenset({"things"}),
        uids=objects([f"s{i}" for i in range(n)]),
        geoms=objects(geoms),
        accuracy_m=np.broadcast_to(np.asarray(accuracy_m, dtype=float), n).copy(),
        attributes={name: objects(values) for name, values in attributes.items()},
    )


def judged(subjects: Subjects, layer: ZoneLayer, *rules: Rule, **options: Any) -> Judgement:
    """The judgement of ``subjects`` by ``rules`` on one layer."""
    return judge(subjects, {"zones": layer}, [pack(*rules)], LAW_DATE, **options)


def verdicts(judgement: Judgement) -> list[str]:
    """The verdict on each subject."""
    return [judgement.verdict(row) for row in range(len(judgement.subjects))]


def severities(judgement: Judgement) -> list[str | None]:
    """The severest of the worst findings on each subject."""
    return [worst(judgement.findings(row))[1] for row in range(len(judgement.subjects))]
