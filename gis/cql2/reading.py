"""A filter as it is sent, text or JSON, read into the tree of the JSON encoding; every size bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cql2

from gis.axes import CRS84, NamedCrs
from gis.cql2.errors import refused
from gis.errors import QueryError

__all__ = [
    "LANGUAGES",
    "MAX_DEPTH",
    "MAX_LENGTH",
    "MAX_NODES",
    "MAX_VERTICES",
    "Filter",
    "check_language",
    "parse_filter",
]

LANGUAGES = ("cql2-text", "cql2-json")
MAX_LENGTH = 64 * 2**10
MAX_DEPTH = 24
MAX_NODES = 2000
MAX_VERTICES = 10_000
# The parser takes twice as long for each group around something it cannot read, and recurses with operators:
# measured, the product below costs at most some 0.3 s, and 1,000 operators a fifth of the stack.
_MAX_COST = 2**21
_MAX_OPERATORS = 1000
_GEOMETRY_KEYS = ("coordinates", "geometries", "bbox")


@dataclass(frozen=True)
class Filter:
    """A filter: its ``tree`` as CQL2 JSON has it, and the CRS of its geometries, with the axes of that."""

    tree: Any
    crs: NamedCrs = CRS84

    @property
    def canonical(self) -> str:
        """The same for filters that are written differently but read the same."""
        return json.dumps([self.crs.uri, self.tree], sort_keys=True)


def parse_filter(text: str, language: str = "cql2-text", crs: NamedCrs = CRS84) -> Filter:
    """The filter that ``text`` writes in ``language``.

    Raises
    ------
    QueryError
        For an unknown language, what cannot be read, and what is longer, deeper or larger than is allowed.
    """
    check_language(language)
    if len(text) > MAX_LENGTH:
        raise _too_large(f"{len(text):,} characters", f"{len(text)} 个字符", f"{MAX_LENGTH:,}")
    tree = _from_text(text) if language == "cql2-text" else _from_json(text)
    _check_size(tree)
    return Filter(tree, crs)


def check_language(language: str) -> None:
    """Raise QueryError for a ``filter-lang`` that there is not."""
    if language not in LANGUAGES:
        raise QueryError(
            f"There is no filter-lang {language[:40]!r}.",
            f"没有 filter-lang“{language[:40]}”。",
            remedy_en=f"Known: {', '.join(LANGUAGES)}.",
            remedy_zh=f"可用：{'、'.join(LANGUAGES)}。",
        )


def _from_json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise refused(
            f"it is no JSON: {error}.",
            f"不是有效的 JSON：{error}。",
            "Write CQL2 JSON, or say filter-lang=cql2-text.",
            "请写成 CQL2 JSON，或指定 filter-lang=cql2-text。",
        ) from error


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def _from_text(text: str) -> Any:
    plain = _plain(text)
    try:
        return cql2.parse_text(plain).to_json()
    except (cql2.ParseError, cql2.ValidationError, ValueError) as error:
        raise _unreadable(plain, error) from error


def _unreadable(text: str, error: Exception) -> QueryError:
    """Where the text stops making sense."""
    place = re.search(r"--> (\d+):(\d+)", str(error))
    if place is None:
        reason = str(error).splitlines()[0][:200]
        return refused(f"it cannot be read: {reason}", f"无法解析：{reason}")
    line, column = int(place[1]), int(place[2])
    rest = (text.splitlines() or [""])[line - 1][column - 1 :][:30] if text else ""
    return refused(
        f"it cannot be read from line {line}, character {column} on: {rest!r}.",
        f"从第 {line} 行第 {column} 个字符起无法解析：“{rest}”。",
        "Write CQL2 text such as: name LIKE 'A%' AND depth > 10.",
        "请写成 CQL2 文本，例如 name LIKE 'A%' AND depth > 10。",
    )


_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<string>'(?:[^'\\]|''|\\.)*')
    | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
    | (?P<word>[^\W\d][\w.:]*)
    | (?P<open>\()
    | (?P<close>\))
    | (?P<comma>,)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_CONTROL = {"a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "'": "''"}
# Words in front of a bracket that open no call.
_NO_CALLS = {"AND", "OR", "NOT", "IN", "LIKE", "BETWEEN", "DIV"}
_OPERATORS = {"NOT", "AND", "OR", "DIV", "BETWEEN", "LIKE", "IN", "IS"}


def _plain(text: str) -> str:
    r"""The text with the escapes in its strings resolved, which the parser does not; its cost is checked.

    A backslash before a quote or a letter of a control character (21-065, /req/cql2-text/escaping) stands for
    that; in a pattern, ``\%``, ``\_`` and ``\\`` are left for LIKE, elsewhere ``\\`` is one backslash.
    """
    parts: list[str] = []
    depth = deepest = operators = 0
    calls: list[bool] = []
    last, in_pattern = "", False
    for kind, token in _tokens(text):
        if kind == "string":
            token = _unescaped(token, in_pattern=in_pattern)
            in_pattern = False
        elif kind == "number":
            _check_exact(token)
        elif kind == "word":
            word = token.upper()
            operators += word in _OPERATORS
            in_pattern = word == "LIKE" or (in_pattern and word in ("CASEI", "ACCENTI"))
        elif kind == "open":
            is_call = last == "quoted" or (last == "word" and word not in _NO_CALLS)
            calls.append(is_call)
            depth += not is_call
            deepest = max(deepest, depth)
        elif kind == "close" and calls:
            depth -= not calls.pop()
        elif kind == "other":
            operators += 1
        if kind != "space":
            last = kind
        if len(calls) > MAX_DEPTH:
            raise _too_deep()
        parts.append(token)
    if operators > _MAX_OPERATORS:
        raise _too_large(f"{operators:,} operators", f"{operators} 个运算符", f"{_MAX_OPERATORS:,}")
    if len(text) << deepest > _MAX_COST:
        raise _too_deep()
    return "".join(parts)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(text):
        yield str(match.lastgroup), match[0]


def _unescaped(literal: str, *, in_pattern: bool) -> str:
    def resolve(match: re.Match[str]) -> str:
        letter = match[1]
        if letter in _CONTROL:
            return _CONTROL[letter]
        return "\\" if letter == "\\" and not in_pattern else match[0]

    return re.sub(r"\\(.)", resolve, literal, flags=re.DOTALL)


def _check_exact(number: str) -> None:
    """The parser holds numbers as doubles, so a larger whole number would silently become another one."""
    if number.isdigit() and (len(number) > 300 or int(number) > 2**53):
        raise refused(
            f"the whole number {number[:40]} is beyond 2^53.",
            f"整数 {number[:40]} 大于 2^53。",
            "Write the filter as cql2-json, which holds it exactly.",
            "请改用 cql2-json，可精确表示该数。",
        )


def _check_size(tree: Any) -> None:
    """Walk the tree without recursion, counting nodes, levels and the numbers of its geometries."""
    nodes = numbers = 0
    stack: list[tuple[Any, int]] = [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        nodes += 1
        if depth > MAX_DEPTH * 2:  # an operation and its arguments are two levels of JSON
            raise _too_deep()
        if isinstance(node, dict):
            for key, value in node.items():
                if key in _GEOMETRY_KEYS:
                    numbers += _count_numbers(value)
                else:
                    stack.append((value, depth + 1))
        elif isinstance(node, list):
            stack.extend((entry, depth + 1) for entry in node)
        if nodes > MAX_NODES:
            raise _too_large(
                f"more than {MAX_NODES:,} parts", f"超过 {MAX_NODES} 个组成部分", f"{MAX_NODES:,}"
            )
    if numbers > 2 * MAX_VERTICES:
        raise _too_large("too many coordinates", "坐标过多", f"{MAX_VERTICES:,}")


def _count_numbers(value: Any) -> int:
    """How many numbers a geometry holds; stops when they are too many, or too deep to be coordinates."""
    count = 0
    stack = [(value, 0)]
    while stack and count <= 2 * MAX_VERTICES:
        node, depth = stack.pop()
        if depth > 2 * MAX_DEPTH:
            raise _too_deep()
        if isinstance(node, dict):
            stack.extend((entry, depth + 1) for entry in node.values())
        elif isinstance(node, list):
            stack.extend((entry, depth + 1) for entry in node)
        else:
            count += 1
    return count


def _too_deep() -> QueryError:
    return refused(
        "it is nested too deeply for its length.",
        "嵌套过深。",
        "Remove brackets, or write it as cql2-json.",
        "请减少括号，或改用 cql2-json。",
    )


def _too_large(found_en: str, found_zh: str, allowed: str) -> QueryError:
    return refused(
        f"it has {found_en}; {allowed} are allowed.",
        f"含有{found_zh}，上限为 {allowed}。",
        "Ask for less at once.",
        "请缩小条件。",
    )
