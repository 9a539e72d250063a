"""The table of requirements is sound, and what follows from it is current."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from tests.conformance.table import claimed, conformance_page, conformance_record, functions_in, requirements

ROOT = Path(__file__).parents[2]


def test_every_requirement_names_tests_that_exist_or_says_what_is_missing() -> None:
    for found in requirements():
        assert bool(found.tests) != bool(found.gap), found.id
        for name in found.tests:
            path, _, function = name.partition("::")
            assert function in functions_in(path), f"{found.id}: there is no test {name}"


def test_no_requirement_stands_twice_in_a_class() -> None:
    counted = Counter((found.uri, found.id) for found in requirements())
    assert [key for key, count in counted.items() if count > 1] == []


def test_what_follows_from_the_table_is_current() -> None:
    record = json.loads((ROOT / "api" / "conformance.json").read_text(encoding="utf-8"))
    assert record == conformance_record()
    assert (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8") == conformance_page()
    assert set(claimed()) < {found.uri for found in requirements()}
