"""Answers of the engine in the shape that clients read, over HTTP and from the command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

__all__ = ["conflict_numbers"]


def conflict_numbers(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The conflicts in numbers: a row for each rule (or rules asked together), one for each township."""
    townships: Counter[tuple[str | None, str | None]] = Counter()
    for row in summary["by_township"]:
        townships[row["county"], row["township"]] += row["count"]
    # Names of columns are a kind of text of their own, which the JSON writer refuses as keys.
    rules = [{str(name): value for name, value in row.items()} for row in summary["by_rule"]]
    return dict(summary) | {
        "by_rule": rules,
        "by_township": [
            {"county": county, "township": township, "count": count}
            for (county, township), count in townships.most_common()
        ],
    }
