"""The requirements of standards, each with the tests that show that it is met: ``requirements/*.toml``.

A file holds one standard: ``title``, ``base`` and ``classes``, each with ``requirements`` of ``id``,
``text``, ``tests`` ("folder/file.py::function" under tests/) and, where there is no test, the ``gap``. What
the service claims to conform to, and docs/conformance.md, follow from them.
"""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["Requirement", "claimed", "conformance_page", "conformance_record", "functions_in", "requirements"]

TESTS = Path(__file__).parents[1]
FOLDER = Path(__file__).parent / "requirements"


@dataclass(frozen=True)
class Requirement:
    """A requirement of the class ``uri`` in the ``standard``; ``gap`` says why it has no test."""

    standard: str
    uri: str
    id: str
    text: str
    tests: tuple[str, ...]
    gap: str | None


@cache
def requirements() -> tuple[Requirement, ...]:
    """All requirements, in the order of the files."""
    found: list[Requirement] = []
    for path in sorted(FOLDER.glob("*.toml")):
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        for group in content["classes"]:
            uri = f"{group.get('base', content['base'])}/conf/{group['id']}"
            found += [
                Requirement(
                    content["title"], uri, entry["id"], entry["text"], tuple(entry["tests"]), entry.get("gap")
                )
                for entry in group["requirements"]
            ]
    return tuple(found)


def claimed() -> list[str]:
    """The conformance classes all of whose requirements have a test, in order."""
    uris = dict.fromkeys(found.uri for found in requirements())
    lacking = {found.uri for found in requirements() if not found.tests}
    return [uri for uri in uris if uri not in lacking]


@cache
def functions_in(path: str) -> frozenset[str]:
    """The test functions in a file under tests/; empty when there is no such file."""
    file = TESTS / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def conformance_record() -> dict[str, Any]:
    """What the service reads: ``api/conformance.json``."""
    return {"conformsTo": claimed()}


def conformance_page() -> str:
    """The text of docs/conformance.md."""
    claims = claimed()
    total, met = len(requirements()), sum(bool(found.tests) for found in requirements())
    lines = [
        "# Conformance",
        "",
        "Generated from `tests/conformance/requirements/*.toml` (`make docs`). The service claims",
        f"exactly the classes all of whose requirements have a test here: {len(claims)} classes. "
        f"{met} of {total} requirements have one.",
        "Requirements are in our own words; the standards hold.",
    ]
    standard = uri = ""
    for found in requirements():
        if found.standard != standard:
            standard = found.standard
            lines += ["", f"## {standard}"]
        if found.uri != uri:
            uri = found.uri
            lines += ["", f"### `{uri}`: {'claimed' if uri in claims else 'not claimed'}", ""]
            lines += ["| requirement | in short | shown by |", "|---|---|---|"]
        shown = "<br>".join(f"`{name}`" for name in found.tests) or f"not met: {found.gap}"
        lines.append(f"| `{found.id}` | {found.text.replace('|', chr(92) + '|')} | {shown} |")
    return "\n".join(lines) + "\n"
