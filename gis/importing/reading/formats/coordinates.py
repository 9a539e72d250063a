"""Coordinates as people write them in tables: decimal numbers, degrees-minutes-seconds, full-width digits.

Plain numbers are parsed by Arrow, a column at a time; only what is left is looked at value by value. Nothing
is guessed: a decimal comma, a thousands separator, a bare "东经120" or packed 1200918.5 is no coordinate
unless it reads as a plain number.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gis.importing.issues import Issue

__all__ = [
    "ERROR_CELLS",
    "Axis",
    "Numbers",
    "Refused",
    "parse_axis",
    "parse_pairs",
    "parse_text",
    "point_wkb",
]

Axis = Literal["x", "y"]
Refused = Literal["coordinate_not_number", "coordinate_not_finite", "coordinate_wrong_axis"]

# What spreadsheet programs show for a failed formula, also after saving as text (ECMA-376 part 1, 18.17.3).
ERROR_CELLS = frozenset(
    {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA", "#SPILL!", "#CALC!"}
)

_PLAIN = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_PLAIN_HERE = re.compile(_PLAIN)
_INFINITE = re.compile(r"[+-]?(nan|inf|infinity|1\.#inf|1\.#qnan|-?nan\(ind\))", re.IGNORECASE)

# Full-width forms, and the many signs that stand for degrees, minutes and seconds, as one letter each.
_FULL = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0xFF61: 0x2E, 0x2212: 0x2D}
_SIGNS = {
    **dict.fromkeys(map(ord, "°º˚∘⁰度"), "d"),
    **dict.fromkeys(map(ord, "′'‘’‛`´ʹʼ分"), "m"),
    **dict.fromkeys(map(ord, "″\"“”‟˝ʺ秒"), "s"),
    ord("：") : ":",
}  # fmt: skip
_SIDES = {"东经": "E", "西经": "W", "北纬": "N", "南纬": "S", "东": "E", "西": "W", "北": "N", "南": "S"}
_SIDES |= {side: side for side in "EWNS"}
_SIDE = r"(东经|西经|北纬|南纬|东|西|北|南|[EWNS])"
# The usual form, tried first: a table may hold a million of them.
_USUAL = re.compile(r"([0-9]{1,3})[°度]([0-9]{1,2})[′'’分]([0-9]{1,2}(?:\.[0-9]+)?)[″\"”秒]")
_DMS = re.compile(
    rf"(?P<before>{_SIDE})?\s*:?\s*(?P<sign>[+-])?\s*(?P<d>\d{{1,3}}(?:\.\d+)?)"
    r"(?:\s*(?P<after_d>d|:|-|\s)\s*(?:(?P<m>\d{1,2}(?:\.\d+)?)"
    r"(?:\s*(?P<after_m>mm|m|:|-|\s)\s*(?:(?P<s>\d{1,2}(?:\.\d+)?)\s*(?P<after_s>s|mm)?)?)?)?)?"
    rf"\s*(?P<side>{_SIDE})?",
    re.IGNORECASE,
)


@dataclass
class Numbers:
    """One column of coordinates: ``values`` (float64, NaN where there is none) and what was found.

    ``refused`` maps a row to the code of its fault, ``parsed`` a row to the text that was not a plain number.
    """

    values: NDArray[np.float64]
    refused: dict[int, str] = field(default_factory=dict)
    parsed: dict[int, str] = field(default_factory=dict)
    dms: bool = False

    def issues(self, name: str, texts: pa.Array, first: int) -> list[Issue]:
        """The findings as issues of the column ``name``, whose first value is that of row ``first``."""
        faults = [
            Issue(first + at, name, shown(texts[at].as_py()), code) for at, code in self.refused.items()
        ]
        return faults + [
            Issue(first + at, name, repr(float(self.values[at])), "coordinate_parsed", "repair", text)
            for at, text in self.parsed.items()
        ]


def shown(text: str | None, most: int = 80) -> str | None:
    """``text`` as an issue shows it: not longer than ``most`` characters, fit for UTF-8."""
    if text is None:
        return None
    text = text if len(text) <= most else text[: most - 1] + "…"
    return text.encode("utf-8", "backslashreplace").decode()


def parse_axis(texts: pa.Array, axis: Axis, *, geographic: bool) -> Numbers:
    """A column of coordinates, in the unit that it is written in; degrees where it holds signs of degrees.

    Parameters
    ----------
    texts : pa.Array
        Strings; null and blank give NaN and no fault (the row has no geometry).
    axis : "x" or "y"
        Which axis the column is said to hold; a value with the other's letter is coordinate_wrong_axis.
    geographic :
        Whether the column is one of longitudes or latitudes, where "120 9 18" means degrees.

    Returns
    -------
    Numbers
        ``values`` has one float64 a row. Not a coordinate, NaN, infinite: refused with the code.
    """
    trimmed = pc.utf8_trim_whitespace(texts)
    plain = pc.fill_null(pc.match_substring_regex(trimmed, _PLAIN), False)
    numbers = pc.cast(pc.if_else(plain, trimmed, None), pa.float64())
    found = Numbers(numbers.to_numpy(zero_copy_only=False).astype(np.float64, copy=True))
    for at in np.flatnonzero(np.isinf(found.values)):
        found.refused[int(at)] = "coordinate_not_finite"
    found.values[np.isinf(found.values)] = np.nan
    left = pc.and_(pc.invert(plain), pc.fill_null(pc.greater(pc.utf8_length(trimmed), 0), False))
    places = pc.indices_nonzero(left)
    for at, text in zip(places.to_pylist(), trimmed.take(places).to_pylist(), strict=True):
        value = parse_text(text, axis, geographic=geographic)
        if isinstance(value, str):
            found.refused[at] = value
        else:
            found.values[at], found.parsed[at] = value, text
            found.dms = found.dms or not _PLAIN_HERE.match(_narrow(text))
    return found


def parse_text(text: str, axis: Axis, *, geographic: bool) -> float | Refused:
    """One coordinate that is no plain number as it stands: the value, or the code of what is wrong with it.

    ``text`` is not blank. Degrees-minutes-seconds are read in the usual spellings (120°09′18″, 120度9分18秒,
    120:09:18, E120 9 18.5, 120°9.3′); minutes and seconds must be below 60. A whole number of degrees with
    nothing behind it is a remark, not a position.
    """
    usual = _USUAL.fullmatch(text)
    if usual:
        return _sum(float(usual[1]), float(usual[2]), float(usual[3]), axis)
    if len(text) > 64:
        return "coordinate_not_number"
    text = _narrow(text)
    if text.upper() in ERROR_CELLS:
        return "coordinate_not_number"
    if _PLAIN_HERE.match(text):
        value = float(text)
        return value if math.isfinite(value) else "coordinate_not_finite"
    if _INFINITE.fullmatch(text):
        return "coordinate_not_finite"
    match = _DMS.fullmatch(text.translate(_SIGNS).replace("mm", "s"))
    return _degrees(match, axis, geographic) if match else "coordinate_not_number"


def _narrow(text: str) -> str:
    return text.translate(_FULL).strip()


def _degrees(match: re.Match[str], axis: Axis, geographic: bool) -> float | Refused:
    part = match.groupdict()
    if not _consistent(part, geographic):
        return "coordinate_not_number"
    side = _SIDES[(part["before"] or part["side"] or ("E" if axis == "x" else "N")).upper()]
    if (side in "EW") != (axis == "x"):
        return "coordinate_wrong_axis"
    value = _sum(float(part["d"] or 0), float(part["m"] or 0), float(part["s"] or 0), axis)
    if isinstance(value, str):
        return value
    return -value if part["sign"] == "-" or side in "WS" else value


def _sum(degrees: float, minutes: float, seconds: float, axis: Axis) -> float | Refused:
    if minutes >= 60 or seconds >= 60:
        return "coordinate_not_number"
    value = (degrees * 3600 + minutes * 60 + seconds) / 3600 if minutes or seconds else degrees
    return value if value <= (180 if axis == "x" else 90) else "coordinate_not_number"


def _consistent(part: dict[str, str | None], geographic: bool) -> bool:
    """Do the parts make one number of degrees, without doubt?"""
    if (part["before"] and part["side"]) or (part["sign"] == "-" and (part["before"] or part["side"])):
        return False
    sided = part["before"] or part["side"]
    marked = part["after_d"] == "d"
    if not part["m"]:
        # 120.155° or E120.155; "东经120" and "120°" only say roughly where.
        decimals = len(part["d"].partition(".")[2])  # type: ignore[union-attr]
        return part["after_d"] in (None, "d") and decimals >= 3 and bool(sided or marked)
    if "." in (part["d"] or "") or ("." in part["m"] and part["s"]):
        return False
    if part["s"] is None and not (
        "." in part["m"] or part["after_m"] in ("m", "mm") or part["after_d"] == "d"
    ):
        return False
    if not marked:
        # 120:09:18, 120-09-18 and 120 9 18 mean degrees only where degrees are expected, and with seconds.
        alike = (part["after_m"] or " ").strip() == (part["after_d"] or " ").strip()
        return (geographic or bool(sided)) and part["s"] is not None and alike
    return part["after_m"] in (None, "m") if part["s"] is None else part["after_m"] == "m"


_TWO = re.compile(r"\s*[(\[]?\s*([+-]?\d+(?:\.\d+)?)\s*[,;\s]\s*([+-]?\d+(?:\.\d+)?)\s*[)\]]?\s*")

_BREAK = re.compile(r"\s*[,;、/]\s*|\s+|(?<=[秒″\"'′EN])(?=[北南东西ENWS\d])")


def parse_pairs(texts: pa.Array, *, y_first: bool) -> tuple[Numbers, Numbers]:
    """One column that holds both coordinates, as "120.1,29.2" or "东经120°9′18″ 北纬29°12′3″".

    ``y_first`` says that the column's name puts the latitude first; letters or 东经/北纬 decide
    over the order.
    """
    count = len(texts)
    x, y = Numbers(np.full(count, np.nan)), Numbers(np.full(count, np.nan))
    for at, text in enumerate(texts.to_pylist()):
        if text is None or not text.strip():
            continue
        plain = _TWO.fullmatch(text)
        if plain:
            first, second = float(plain[1]), float(plain[2])
            x.values[at], y.values[at] = (second, first) if y_first else (first, second)
            continue
        got = _pair(text, y_first)
        if isinstance(got, str):
            x.refused[at] = got
        else:
            (x.values[at], y.values[at]), x.parsed[at] = got, text
            x.dms = True
    return x, y


def _pair(text: str, y_first: bool) -> tuple[float, float] | Refused:
    """Both coordinates of a text; splits at the place where both halves read as coordinates."""
    text = _narrow(text).strip("()[]").strip()
    for cut in re.finditer(_BREAK, text):
        one, two = text[: cut.start()], text[cut.end() :]
        for swapped in (y_first, not y_first):
            x, y = (two, one) if swapped else (one, two)
            got = parse_text(x, "x", geographic=True), parse_text(y, "y", geographic=True)
            sided = re.search(r"[EWNS东西南北]", text, re.IGNORECASE) is not None
            if not isinstance(got[0], str) and not isinstance(got[1], str) and (sided or swapped == y_first):
                return got[0], got[1]
    return "coordinate_not_number"


def point_wkb(x: NDArray[np.float64], y: NDArray[np.float64]) -> pa.Array:
    """Points as ISO WKB, little-endian; null where x or y is not finite. Any CRS, shape (n,) each."""
    valid = np.isfinite(x) & np.isfinite(y)
    count = int(valid.sum())
    records = np.zeros(count, dtype=np.dtype([("order", "u1"), ("type", "<u4"), ("x", "<f8"), ("y", "<f8")]))
    records["order"], records["type"] = 1, 1
    records["x"], records["y"] = x[valid], y[valid]
    offsets = np.zeros(len(x) + 1, dtype=np.int32)
    np.cumsum(valid * 21, out=offsets[1:])
    mask = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    return pa.Array.from_buffers(
        pa.binary(), len(x), [mask, pa.py_buffer(offsets.tobytes()), pa.py_buffer(records.tobytes())]
    )
