"""Random filters: the database and an independent reading agree on true, false and unknown for each row."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from gis.settings import MapDefinition
from tests.gis.cql2.world import ROWS, asked, truth


def prop(*names: str) -> st.SearchStrategy[Any]:
    return st.sampled_from([{"property": name} for name in names])


def op(names: str, *args: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda name, *given: {"op": name, "args": list(given)}, st.sampled_from(names.split()), *args
    )


WORDS = st.sampled_from(["Straße", "strasse", "papa", "papá", "100%_\\'x", "", "金华 οδοσ", "a", "1", "P"])
PATTERNS = st.sampled_from(
    ["%", "S%", "%s%", "_a%", "100\\%%", "%\\_%", "%\\\\%", "金_%", "p%á", "", "strasse"]
)
texts = st.recursive(
    prop("name", "kind", "code", "uid", "source") | WORDS,
    lambda inner: op("casei accenti trim", inner),
    max_leaves=2,
)
numbers = st.recursive(
    prop("whole_number", "whole_numbers", "ratio", "accuracy_m")
    | st.sampled_from([0, 1, 2, 5, -3, 0.5, 2.25, 7.0, 2**53 + 1]),
    lambda inner: (
        op("+ - * / % div", inner, inner)
        | op("abs floor ceil", inner)
        | op("length", texts)
        | op("year month day", prop("day", "moment", "valid_from"))
    ),
    max_leaves=3,
)
DAYS = st.sampled_from(["2019-01-01", "2019-12-31", "2020-01-01", "2021-06-30"])
TIMES = st.sampled_from(
    ["2020-01-01T00:00:00Z", "2020-01-01T12:00:00Z", "2019-12-31T23:59:59Z", "2021-06-30T00:00:00Z"]
)
days = prop("day", "valid_from", "valid_to") | st.builds(lambda text: {"date": text}, DAYS)
times = prop("moment") | st.builds(lambda text: {"timestamp": text}, TIMES)
BOX = st.sampled_from(
    [
        [120.0, 29.0, 120.1, 29.1],
        [120.05, 29.05, 120.3, 29.3],
        [119.0, 28.0, 121.0, 30.0],
        [120.1, 29.0, 120.2, 29.05],
    ]
)
places = (
    prop("geometry")
    | st.builds(lambda box: {"bbox": box}, BOX)
    | st.sampled_from(
        [
            {"type": "Point", "coordinates": [120.05, 29.05]},
            {"type": "MultiPoint", "coordinates": [[120.05, 29.05], [119.0, 29.0]]},
            {"type": "LineString", "coordinates": [[120.0, 29.0], [120.1, 29.1]]},
            {"type": "LineString", "coordinates": [[119.95, 29.05], [120.15, 29.05]]},
            {"type": "Polygon",
             "coordinates": [[[120.0, 29.0], [120.1, 29.0], [120.1, 29.1], [120.0, 29.1], [120.0, 29.0]]]},
            {"type": "MultiPolygon", "coordinates": [
                [[[120.0, 29.0], [120.1, 29.0], [120.1, 29.1], [120.0, 29.0]]],
                [[[121.0, 29.0], [121.1, 29.0], [121.1, 29.1], [121.0, 29.0]]]]},
        ]
    )
)  # fmt: skip
intervals = st.builds(
    lambda start, end: {"interval": [start, end]},
    st.just("..") | prop("day", "valid_from") | DAYS,
    st.just("..") | prop("day", "valid_to") | DAYS,
) | st.builds(
    lambda start, end: {"interval": [start, end]},
    st.just("..") | prop("moment") | TIMES,
    st.just("..") | TIMES,
)
COMPARED = "= <> < > <= >="
BETWEEN = (
    "t_contains t_during t_finishedby t_finishes t_meets t_metby "
    "t_overlaps t_overlappedby t_startedby t_starts"
)
instants = days | times | intervals


def listed(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return op("in", values, st.lists(values, min_size=1, max_size=3))


predicates = (
    op(COMPARED, numbers, numbers)
    | op(COMPARED, texts, texts)
    | op(COMPARED, days, days)
    | op(COMPARED, times, times)
    | op("= <>", prop("is_on", "is_indicative"), prop("is_on") | st.booleans())
    | op("like", texts, PATTERNS | op("casei accenti", PATTERNS))
    | op("between", numbers, numbers, numbers)
    | listed(numbers)
    | listed(texts)
    | listed(days)
    | op("isNull", numbers | texts | days | times | prop("geometry", "is_on"))
    | op(
        "s_intersects s_disjoint s_equals s_touches s_within s_overlaps s_crosses s_contains", places, places
    )
    | op("t_after t_before t_disjoint t_equals t_intersects", instants, instants)
    | op(BETWEEN, intervals, intervals)
    | prop("is_on")
    | st.booleans()
)
trees = st.recursive(
    predicates,
    lambda inner: op("and or", inner, inner) | op("not", inner) | op("and or", inner, inner, inner),
    max_leaves=5,
)


@settings(
    max_examples=10,
    phases=[Phase.explicit, Phase.generate],  # shrinking twenty trees at once takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(found=st.lists(trees, min_size=20, max_size=20))
def test_the_database_and_the_independent_reading_agree(
    rows: Engine, kit_map: MapDefinition, found: list[Any]
) -> None:
    for tree, answers in zip(found, asked(rows, kit_map, found), strict=True):
        told = {row["code"]: truth(tree, _whole(row)) for row in ROWS}
        assert answers == told, json.dumps(tree)


def _whole(row: Any) -> dict[str, Any]:
    """A row with what every row has."""
    return {"uid": row["code"], "source": "survey", "accuracy_m": 2.5, "is_indicative": False, **row}
