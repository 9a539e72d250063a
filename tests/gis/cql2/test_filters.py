"""What a filter keeps, case by case, in text and in JSON."""

from __future__ import annotations

import unicodedata
from collections import defaultdict

import orjson
import pytest
from sqlalchemy import Engine, Text, event, select, text

from gis.axes import choices
from gis.cql2 import parse_filter
from gis.cql2.folding import without_accents, without_case
from gis.cql2.spatial import SPATIAL
from gis.cql2.temporal import TEMPORAL
from gis.db import connect
from gis.errors import QueryError
from gis.settings import MapDefinition
from tests.gis.cql2.world import ROWS, asked, kept, truth


@pytest.fixture
def keep(rows: Engine, kit_map: MapDefinition):  # type: ignore[no-untyped-def]
    return lambda *given, **crs: kept(rows, kit_map, *given, **crs)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        # basic
        ("code = 'P'", "P"),
        ("code <> 'P' AND (ratio > 2 OR is_on = true)", "QRST"),
        ("NOT (kind = 'a')", "QT"),
        ("kind IS NULL", "RU"),
        ("kind IS NOT NULL AND NOT kind = 'a'", "QT"),
        ("is_on", "PR"),
        ("true", "PQRSTU"),
        ("false OR code = 'U'", "U"),
        ("day >= DATE('2020-01-01')", "PQT"),
        ("day = '2020-01-01'", "PT"),
        ("moment < TIMESTAMP('2020-01-01T00:00:00Z')", "R"),
        ("uid = 'Q' OR source = 'nobody'", "Q"),
        ("name > 'a'", "RT"),
        # advanced
        ("name LIKE '%S%'", "PQ"),
        (r"name LIKE '100\%\_%'", "S"),
        (r"name LIKE '100\%\_\\''x'", "S"),
        ("name LIKE ''", "U"),
        ("name NOT LIKE 'S%'", "RSTU"),
        ("ratio BETWEEN 0.5 AND 7", "PQT"),
        ("ratio NOT BETWEEN 0.5 AND 7", "RS"),
        ("code IN ('P', 'T', 'nobody')", "PT"),
        ("whole_number NOT IN (5, 7)", "QR"),
        ("day BETWEEN DATE('2019-12-31') AND DATE('2020-01-01')", "PRT"),
        # case and accents
        ("CASEI(name) = CASEI('straSSE')", "PQ"),
        ("CASEI(name) LIKE CASEI('%ΟΔΟΣ')", "T"),
        ("CASEI(name) IN (CASEI('STRASSE'), 'x')", "PQ"),
        ("ACCENTI(name) = ACCENTI('papa')", "R"),
        ("ACCENTI(CASEI(name)) LIKE ACCENTI(CASEI('PAP_'))", "R"),
        ("name = 'papa'", ""),
        # spatial
        ("S_INTERSECTS(geometry, POINT(120.1 29.1))", "QRT"),
        ("S_INTERSECTS(geometry, BBOX(120.15, 29.0, 120.3, 29.2))", "ST"),
        ("S_INTERSECTS(geometry, BBOX(179, -10, 120.02, 60))", "RS"),
        ("S_WITHIN(geometry, POLYGON((120 29, 120.1 29, 120.1 29.1, 120 29.1, 120 29)))", "PR"),
        ("S_DISJOINT(geometry, POINT(120.05 29.05))", "QT"),
        ("S_TOUCHES(geometry, POLYGON((120 29, 120.1 29, 120.1 29.1, 120 29.1, 120 29)))", "QT"),
        ("S_CROSSES(geometry, POLYGON((120 29, 120.1 29, 120.1 29.1, 120 29.1, 120 29)))", "S"),
        ("S_OVERLAPS(geometry, BBOX(120.05, 29.0, 120.15, 29.1))", "RT"),
        ("S_CONTAINS(geometry, POINT Z (120.05 29.05 7))", "PRS"),
        ("S_EQUALS(geometry, MULTIPOLYGON(((120 29, 120 29.1, 120.1 29.1, 120.1 29, 120 29))))", "R"),
        ("S_INTERSECTS(geometry, GEOMETRYCOLLECTION(POINT(120.05 29.05), POINT(120.2 29)))", "PRST"),
        ("S_INTERSECTS(geometry, GEOMETRYCOLLECTION(POINT(120 29.05), POLYGON((2 1, 3 1, 3 2, 2 1))))", "RS"),
        ("NOT S_INTERSECTS(geometry, POINT(120.05 29.05))", "QT"),
        ("geometry IS NULL", "U"),
        # temporal
        ("T_AFTER(day, DATE('2020-01-01'))", "Q"),
        ("T_BEFORE(moment, DATE('2020-01-01'))", "R"),
        ("T_DURING(INTERVAL(valid_from, valid_to), INTERVAL('2018-12-31', '..'))", "P"),
        ("T_INTERSECTS(INTERVAL(valid_from, valid_to), DATE('2019-12-31'))", "PRSTU"),
        ("T_INTERSECTS(moment, INTERVAL('2020-01-01', '2020-01-01'))", "PS"),
        ("T_MEETS(INTERVAL('2018-01-01', '2019-01-01'), INTERVAL(valid_from, valid_to))", "P"),
        ("T_FINISHEDBY(INTERVAL(valid_from, valid_to), INTERVAL('2020-06-01', '2021-06-30'))", "P"),
        # property and property, arithmetic, functions
        ("whole_number = whole_numbers", "P"),
        ("'P' = code", "P"),
        ("5 < 3 OR code = 'P'", "P"),
        ("S_INTERSECTS(POINT(1 2), POINT(1 2))", "PQRSTU"),
        ("whole_number > whole_numbers + 4 * ratio / 7", "T"),
        ("whole_number / whole_numbers = 1", "P"),
        ("10 / whole_numbers > 0", "PQT"),
        ("whole_number % 2 = 1 AND whole_number div 2 = 2", "P"),
        ("ratio ^ 2 = 49", "T"),
        ("-ratio < -6", "ST"),
        ("length(name) = 7", "QT"),
        ("year(day) = 2020 AND month(day) = 1", "PT"),
    ],
)  # fmt: skip
def test_a_filter_in_text_keeps_what_it_says(keep, words: str, wanted: str) -> None:  # type: ignore[no-untyped-def]
    assert keep(words) == wanted
    in_json = orjson.dumps(parse_filter(words).tree).decode()
    assert keep(in_json, "cql2-json") == wanted


def test_a_whole_number_is_compared_with_every_digit(keep) -> None:  # type: ignore[no-untyped-def]
    exact = '{"op": "=", "args": [{"property": "whole_number"}, %d]}'
    assert keep(exact % (2**53 + 1), "cql2-json") == "R"
    assert keep(exact % (2**53 + 2), "cql2-json") == ""
    with pytest.raises(QueryError, match="2\\^53"):
        parse_filter("whole_number = 9007199254740993")


def test_escapes_in_a_text(keep) -> None:  # type: ignore[no-untyped-def]
    assert keep(r"name = '100%_\\\'x'") == "S"
    assert keep(r"name = '100%_\\''x'") == "S"
    assert parse_filter(r"name = '\a\b\t\n\v\f\r'").tree["args"][1] == "\a\b\t\n\v\f\r"


@pytest.mark.parametrize("name", ["CRS84", "4326", "3857", "4490", "4549"])
def test_literals_have_the_axes_of_their_crs(keep, kit_map: MapDefinition, name: str) -> None:  # type: ignore[no-untyped-def]
    crs = next(crs for crs in choices(kit_map.district) if crs.uri.endswith(f"/{name}"))
    box = {
        "CRS84": "120.16,29.04,120.21,29.06",
        "4326": "29.04,120.16,29.06,120.21",
        "4490": "29.04,120.16,29.06,120.21",
        "3857": "13376150,3379000,13381716,3381500",
        "4549": "3213900,515600,3216100,520430",
    }[name]
    low_1, low_2, high_1, high_2 = box.split(",")
    ring = f"{low_1} {low_2}, {high_1} {low_2}, {high_1} {high_2}, {low_1} {high_2}, {low_1} {low_2}"
    for words in (f"BBOX({box})", f"POLYGON(({ring}))"):
        assert keep(f"S_WITHIN(geometry, {words})", crs=crs) == ""
        assert keep(f"S_INTERSECTS(geometry, {words})", crs=crs) == "T"


def test_a_literal_is_looked_up_in_the_index(rows: Engine, kit_map: MapDefinition) -> None:
    from gis import tables
    from gis.cql2 import filter_condition

    table = tables.table_for(kit_map.layers["shapes"], 4490)
    plane = next(crs for crs in choices(kit_map.district) if crs.epsg == 4549)
    found = parse_filter("S_INTERSECTS(geometry, POINT(3215000 515000))", crs=plane)
    condition = filter_condition(found, kit_map.layers["shapes"], table, kit_map.district)
    with connect(rows) as conn:
        conn.execute(text("SET LOCAL enable_seqscan = off"))
        event.listen(conn, "before_cursor_execute", _explained, retval=True)
        plan = "\n".join(conn.execute(select(table.c.uid).where(condition)).scalars())
    assert "ix_shapes_geom" in plan


def _explained(_conn, _cursor, statement, parameters, _context, _many):  # type: ignore[no-untyped-def]
    return f"EXPLAIN {statement}", parameters


def test_unknown_is_neither_kept_nor_denied(rows: Engine, kit_map: MapDefinition) -> None:
    absent = {"op": "=", "args": [{"property": "kind"}, "a"]}
    cases = [
        absent,
        {"op": "not", "args": [absent]},
        {"op": "and", "args": [absent, False]},
        {"op": "or", "args": [absent, True]},
        {"op": "and", "args": [absent, True]},
        {"op": "in", "args": [{"property": "kind"}, ["a"]]},
        {"op": "isNull", "args": [absent]},
    ]
    answers = [answer["U"] for answer in asked(rows, kit_map, cases)]
    assert answers == [None, None, False, True, None, None, True]
    assert answers == [truth(case, ROWS[-1]) for case in cases]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("nothing = 1", "nothing.*code.*geometry"),
        ("geom IS NULL", "there is no property 'geom'"),
        ("row_id = 1", "row_id"),
        ("nothing(code) = 1", "there is no function 'nothing'.*length"),
        ("pg_sleep(5) = 1", "pg_sleep"),
        ("code = 1", "a text stands where a number"),
        ("ratio LIKE 'a%'", "LIKE compares a text"),
        ("name LIKE code", "LIKE compares a text"),
        (r"name LIKE 'a\'", "escapes nothing"),
        ("day = 'yesterday'", "no date or time"),
        ("day = DATE('2020-13-45')", "no date or time"),
        ("moment > DATE('2020-01-01')", "a timestamp stands where a date|a date stands where"),
        ("geometry = POINT(1 2)", "S_EQUALS|no value"),
        ("ratio", "neither true nor false"),
        ("code = NULL", "None is no value"),
        ("T_DURING(day, INTERVAL('2020-01-01','..'))", "compares intervals"),
        ("T_AFTER(ratio, DATE('2020-01-01'))", "compares dates"),
        ("S_INTERSECTS(name, POINT(1 2))", "compares geometries"),
        ("S_INTERSECTS(geometry, POINT(29 120))", "90 of latitude.*longitude, latitude"),
        ("S_INTERSECTS(geometry, BBOX(1,2,3))", "BBOX|four"),
        ("S_INTERSECTS(geometry, POLYGON((0 0, 1 1, 1 0, 0 1, 0 0)))", "not valid.*[Ss]elf"),
        ("S_INTERSECTS(geometry, POLYGON((0 0, 1 1)))", "no geometry"),
        ("S_TOUCHES(geometry, GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(3 4, 5 6)))", "collection|read"),
        ("A_CONTAINS(code, ('a'))", "a_contains"),
        ("code = 'a' AND", "line 1, character 15"),
        ("code eq 'a'", "cannot be read"),
        ("", "cannot be read"),
        ("code = 'a'; DROP TABLE x", "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_and_named(keep, words: str, told: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(QueryError) as refused:
        keep(words)
    assert refused.value.zh.startswith("filter：")
    import re

    assert re.search(told, f"{refused.value.en} {refused.value.remedy_en}"), refused.value.en


@pytest.mark.parametrize(
    "words",
    [
        '{"op": "nothing", "args": []}',
        '{"op": "and", "args": [true]}',
        '{"op": "=", "args": [1]}',
        "[1]",
        "{}",
        '{"op": "in", "args": [{"property": "code"}, []]}',
        '{"op": ["and"], "args": []}',
        '{"property": ["a"]}',
        '{"op": "s_within", "args": [{"property": "geometry"}, {"type": "Point", "coordinates": ["1", 2]}]}',
        '{"op": "s_intersects", "args": [{"property": "geometry"}, {"type": "Point", "coordinates": []}]}',
        '{"op": "t_after", "args": [{"interval": [1]}, {"date": "2020-01-01"}]}',
        '{"op": "not", "args": [null]}',
        '{"op": "=", "args": [{"property": "code"}, "a\\u0000"]}',
        '{"op": "like", "args": [{"property": "code"}, "a\\\\"]}',
        '{"op": "=", "args": [{"property": "ratio"}, 1e400]}',
        '{"op": "=", "args": [{"date": 5}, {"date": "2020-01-01"}]}',
        '{"op": "=", "args": [{"property": "ratio"}, 99999999999999999999]}',
        '{"op": "and"',
        "nothing",
        '{"op": "casei", "args": [{"property": "code"}]}',
        '{"op": "or", "args": {"a": 1}}',
    ],
)  # fmt: skip
def test_json_that_is_no_filter_is_refused(keep, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(QueryError):
        keep(words, "cql2-json")


@pytest.mark.parametrize(
    "words",
    [
        "(" * 20_000 + "code='a'" + ")" * 20_000,
        "NOT " * 9000 + "true",
        "(" * 12 + "code = 'a' b " * 40 + ")" * 12,
        "code IN (" + ",".join(["'a'"] * 3000) + ")",
        "a" * 70_000,
        "- " * 5000 + "1 = 1",
        "f(" * 5000 + ")" * 5000,
        "S_INTERSECTS(geometry, MULTIPOINT(" + ",".join(["(1 2)"] * 10_500) + "))",
        "a=" * 5000 + "b",
        " OR ".join(["code='a'"] * 1500),
    ],
)  # fmt: skip
def test_what_is_too_large_is_refused_at_once(words: str) -> None:
    with pytest.raises(QueryError, match="filter:"):
        parse_filter(words)


def test_large_json_is_refused() -> None:
    deep = '{"op":"not","args":[' * 200 + "true" + "]}" * 200
    for words in (deep, "[" * 900 + "]" * 900, "[" + "1," * 3000 + "1]"):
        with pytest.raises(QueryError, match="filter:"):
            parse_filter(words, "cql2-json")


def test_a_calculation_out_of_range_is_told(keep) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(QueryError, match="range of numbers"):
        keep("ratio ^ 999999 > 1 OR whole_number * 1e308 * 1e308 > 1")


def test_folding_takes_together_what_unicode_does(rows: Engine) -> None:
    points = [p for p in range(1, 0x3000) if unicodedata.category(chr(p)) not in ("Cn", "Co", "Cs")]
    letters = [chr(p) for p in points]
    column = text("SELECT unnest(CAST(:letters AS text[])) AS s").bindparams(letters=letters)
    given = column.columns(s=Text).subquery()
    with connect(rows) as conn:
        found = conn.execute(select(given.c.s, without_case(given.c.s), without_accents(given.c.s))).all()
    ours, theirs = defaultdict(set), defaultdict(set)
    for letter, folded, bare in found:
        ours[folded].add(letter)
        theirs[letter.casefold()].add(letter)
        parts = [c for c in unicodedata.normalize("NFD", letter) if unicodedata.category(c) != "Mn"]
        assert bare == unicodedata.normalize("NFC", "".join(parts))
    assert {frozenset(x) for x in ours.values()} == {frozenset(x) for x in theirs.values()}


SHAPES = (
    "POINT(120.05 29.05)",
    "POINT Z (120.05 29.05 7)",
    "LINESTRING(120 29, 120.1 29.1)",
    "POLYGON((120 29, 120.1 29, 120.1 29.1, 120 29))",
    "MULTIPOINT((120.05 29.05), (120.1 29.1))",
    "MULTILINESTRING((120 29, 120.1 29.1), (119 29, 119 30))",
    "MULTIPOLYGON(((120 29, 120.1 29, 120.1 29.1, 120 29)), ((121 29, 122 29, 122 30, 121 29)))",
    "BBOX(120, 29, 120.1, 29.1)",
)
INTERVALS = (
    "INTERVAL('2020-01-01', '2021-06-30')",
    "INTERVAL('2019-01-01', '..')",
    "INTERVAL('..', '2019-12-31')",
)


def test_every_function_of_the_standard_is_read_and_evaluated(rows: Engine, kit_map: MapDefinition) -> None:
    words = [f"{name.upper()}(geometry, {shape})" for name in SPATIAL for shape in SHAPES]
    words += [
        f"{name.upper()}({one}, INTERVAL(valid_from, valid_to))" for name in TEMPORAL for one in INTERVALS
    ]
    assert (len(SPATIAL), len(TEMPORAL)) == (8, 15)
    trees = [parse_filter(each).tree for each in words]
    for each, tree, answers in zip(words, trees, asked(rows, kit_map, trees), strict=True):
        assert answers == {str(row["code"]): truth(tree, row) for row in ROWS}, each
