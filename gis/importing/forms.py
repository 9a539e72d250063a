"""Which values have the form that a field asks for: credit codes, permit codes, patterns.

Each form is tried on whole columns by a test that never takes a wrong value; what it leaves is looked at one
by one, each distinct value once, by the test that decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from stdnum.cn import uscc

__all__ = ["FORMATS", "mismatched", "misshapen"]

Flags = NDArray[np.bool_]
Quick = Callable[[pa.Array], Flags]


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _permit_code(value: str) -> bool:
    """HJ 608-2017: 18 characters of credit code (or its substitute), 3 digits of sequence, 1 letter."""
    return re.fullmatch(r"[0-9A-Z]{18}\d{3}[A-Z]", value) is not None


# format name of a field -> (issue code, test). GB 32100-2015; HJ 608-2017; GB/T 4754-2017; GB/T 2260.
FORMATS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "uscc": ("uscc_check_digit", lambda value: bool(uscc.is_valid(value))),
    "permit_code": ("permit_code_form", _permit_code),
    "outfall_code": ("outfall_code_form", _matches(r"D[AW]\d{3}|YS\d{3}")),
    "industry_code": ("industry_code_form", _matches(r"[A-T](\d{2}(\d{1,2})?)?|\d{2,4}")),
    "adcode": ("adcode_form", _matches(r"\d{6}(\d{3}|\d{6})?")),
}

_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
# GB 32100-2015, table of weights: 3 to the power of the place, modulo 31.
_USCC_WEIGHTS = np.array([pow(3, place, 31) for place in range(17)])
_USCC_PLACES = np.full(128, -1)
_USCC_PLACES[[ord(letter) for letter in _USCC_ALPHABET]] = np.arange(31)


def _uscc(words: pa.Array) -> Flags:
    """Codes of 18 characters, eight digits first, whose check character is right (GB 32100-2015)."""
    shaped = _like(words, rf"^[0-9]{{8}}[{_USCC_ALPHABET}]{{10}}$")
    codes = words.filter(pa.array(shaped)).to_numpy(zero_copy_only=False).astype("S18")
    places = _USCC_PLACES[np.frombuffer(codes.tobytes(), np.uint8).reshape(-1, 18)]
    right = (31 - (places[:, :17] @ _USCC_WEIGHTS) % 31) % 31 == places[:, 17]
    found = shaped.copy()
    found[shaped] = right
    return found


def _like(words: pa.Array, pattern: str) -> Flags:
    matched = pc.match_substring_regex(words, pattern).fill_null(False)
    return np.asarray(matched.to_numpy(zero_copy_only=False), dtype=bool)


_QUICK: dict[str, Quick] = {
    "uscc": _uscc,
    "permit_code": lambda words: _like(words, r"^[0-9A-Z]{18}[0-9]{3}[A-Z]$"),
    "outfall_code": lambda words: _like(words, r"^(D[AW][0-9]{3}|YS[0-9]{3})$"),
    "industry_code": lambda words: _like(words, r"^([A-T]([0-9]{2}([0-9]{1,2})?)?|[0-9]{2,4})$"),
    "adcode": lambda words: _like(words, r"^[0-9]{6}([0-9]{3}|[0-9]{6})?$"),
}


def misshapen(words: pa.Array, form: str) -> Flags:
    """Which values do not have the form called ``form``; null never counts."""
    return _failing(words, _QUICK[form](words), FORMATS[form][1])


def mismatched(words: pa.Array, pattern: str) -> Flags:
    """Which values a field's pattern does not match as a whole; null never counts."""
    compiled = re.compile(pattern)
    sure = _like(words, f"^(?:{pattern})$") if _quick_agrees(pattern) else np.zeros(len(words), bool)
    return _failing(words, sure, lambda value: compiled.fullmatch(value) is not None)


@lru_cache(maxsize=256)
def _quick_agrees(pattern: str) -> bool:
    r"""Whether what RE2 matches, Python's re matches too.

    They differ in what counts as a digit, a space or a letter: RE2 knows ASCII only. So it takes less, except
    by the negated classes, where it would take more; those, and groups with a question mark, are left to re.
    """
    if re.search(r"\\[DWSBbAZ]|\[\^|\(\?(?!:)|\$|\^", pattern):
        return False
    try:
        pc.match_substring_regex(pa.array(["x"]), f"^(?:{pattern})$")
    except pa.ArrowInvalid:
        return False
    return True


def _failing(words: pa.Array, sure: Flags, test: Callable[[str], bool]) -> Flags:
    left: Flags = ~sure & np.asarray(words.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    if not left.any():
        return left
    seen = words.filter(pa.array(left)).dictionary_encode()
    wrong = np.array([not test(value) for value in seen.dictionary.to_pylist()], dtype=bool)
    failing: Flags = left.copy()
    failing[left] = wrong[seen.indices.to_numpy(zero_copy_only=False)]
    return failing
