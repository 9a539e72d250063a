"""Coordinates as people write them: what reads as one, what is refused, and there and back."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.importing.reading.formats.coordinates import parse_axis, parse_pairs, point_wkb

E120 = 120 + 9 / 60 + 18 / 3600


def one(text: str, axis: str = "x", *, geographic: bool = True) -> tuple[float | None, str | None]:
    """The value and, if there is none, the code; a value that needed parsing must be told as parsed."""
    numbers = parse_axis(pa.array([text], pa.string()), axis, geographic=geographic)  # type: ignore[arg-type]
    assert not (numbers.refused and numbers.parsed)
    value = float(numbers.values[0])
    return (None if math.isnan(value) else value), numbers.refused.get(0)


@pytest.mark.parametrize(
    "text",
    [
        "120°09′18″", "120°9'18\"", "120º09'18''", "120˚9’18”", "120度9分18秒", "120度09分18.00秒",
        "120:09:18", "120 9 18", "120-09-18", "E120 9 18", "E120°9′18″",
        "120°9′18″E", "东经120°9′18″",
        "东经：120度9分18秒",
        "１２０°０９′１８″", "120：09：18", "120°9.3′", "120d9m18s", " 120 ° 9 ′ 18 ″ ", "120.155°",
        "E120.155",
        "120.155E", "东经120.155°", "１２０．１５５",
    ],
)  # fmt: skip
def test_spellings_of_one_longitude(text: str) -> None:
    assert one(text) == (pytest.approx(E120, abs=1e-12), None)


@pytest.mark.parametrize("text", ["W120°9′18″", "-120°9′18″", "西经120°9′18″", "120°9′18″w"])
def test_west_is_negative(text: str) -> None:
    assert one(text) == (pytest.approx(-E120, abs=1e-12), None)


@pytest.mark.parametrize(
    "text",
    [
        "东经120", "—", "-", "/", "无", "不详", "N/A", "#N/A", "约120", "120.1度左右", "120°",
        "E120", "120度",
        "120,155", "120，155", "3,331,215.1", "120°61′1″", "120°9′60″", "-120°9′3″W", "E120°9′3″E",
        "120°9.5′3″",
        "120.5°9′3″", "181°0′1″", "120m", "1 2", "0x78",
        "1_200", "120°9′18″19", "120°09′18″N, 30°1′1″E", "二百", "十", "x" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_coordinate_is_never_guessed(text: str) -> None:
    assert one(text)[0] is None and one(text)[1] in ("coordinate_not_number", "coordinate_wrong_axis")


@pytest.mark.parametrize("text", ["NaN", "nan", "inf", "-Infinity", "1e309", "-1E999", "ＮａＮ", "1.#INF"])
def test_what_is_not_finite(text: str) -> None:
    assert one(text) == (None, "coordinate_not_finite")


@pytest.mark.parametrize("text, axis", [("30°10′1″N", "x"), ("北纬30°10′1″", "x"), ("E120°9′18″", "y")])
def test_a_value_of_the_other_axis(text: str, axis: str) -> None:
    assert one(text, axis) == (None, "coordinate_wrong_axis")


@pytest.mark.parametrize("text", ["120 9 18", "120:09:18", "120-09-18"])
def test_signs_are_needed_where_no_degrees_are_expected(text: str) -> None:
    assert one(text, geographic=False) == (None, "coordinate_not_number")


def test_plain_numbers_are_exact_and_not_told() -> None:
    texts = [
        "120.1",
        "-0.0",
        "+5",
        ".5",
        "5.",
        "1e2",
        " 40512345.678 ",
        None,
        "",
        "  ",
        "0.1234567890123456789",
    ]
    numbers = parse_axis(pa.array(texts, pa.string()), "x", geographic=True)
    assert numbers.refused == numbers.parsed == {} and not numbers.dms
    for text, value in zip(texts, numbers.values, strict=True):
        assert math.isnan(value) if not (text or "").strip() else value == float(text or "")


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 179),
    st.integers(0, 59),
    st.integers(0, 5999),
    st.sampled_from(["°′″", "度分秒", ":: ", "°'\""]),
)
def test_degrees_there_and_back(degrees: int, minutes: int, hundredths: int, signs: str) -> None:
    text = f"{degrees}{signs[0]}{minutes:02}{signs[1]}{hundredths / 100:05.2f}{signs[2]}"
    value, code = one(text)
    assert code is None and value is not None
    assert round(value * 360_000) == degrees * 360_000 + minutes * 6_000 + hundredths


@pytest.mark.parametrize(
    "text, y_first, expected",
    [
        ("120.1,29.2", False, (120.1, 29.2)),
        ("120.1 29.2", False, (120.1, 29.2)),
        ("（120.1，29.2）", False, (120.1, 29.2)),
        ("29.2,120.1", True, (120.1, 29.2)),
        ("29.2,120.1", False, (29.2, 120.1)),  # as named: the doubt is the detective's
        ("东经120°9′18″ 北纬29°12′3″", False, (E120, 29 + 12 / 60 + 3 / 3600)),
        ("N29°12′3″,E120°9′18″", False, (E120, 29 + 12 / 60 + 3 / 3600)),
        ("120°9′18″,29°12′3″", False, (E120, 29 + 12 / 60 + 3 / 3600)),
        ("E120°9′18″N29°12′3″", False, (E120, 29 + 12 / 60 + 3 / 3600)),
    ],
)
def test_both_coordinates_in_one_text(text: str, y_first: bool, expected: tuple[float, float]) -> None:
    x, y = parse_pairs(pa.array([text]), y_first=y_first)
    assert (x.values[0], y.values[0]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("text", ["120.1", "abc", "120.1,", "nan,nan", "附近", "120.1,29.2,5"])
def test_texts_that_are_no_pair(text: str) -> None:
    x, _ = parse_pairs(pa.array([text]), y_first=False)
    assert np.isnan(x.values[0]) and 0 in x.refused


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=30))
def test_points_as_wkb(points: list[tuple[float, float]]) -> None:
    x, y = np.array([p[0] for p in points], float), np.array([p[1] for p in points], float)
    wkb = point_wkb(x, y)
    assert wkb.validate(full=True) is None
    for value, (px, py) in zip(wkb.to_pylist(), points, strict=True):
        if math.isfinite(px) and math.isfinite(py):
            point = shapely.from_wkb(value)
            assert (point.x, point.y) == (px, py)
        else:
            assert value is None
