"""Run benchmarks by name (all without one): print a table and write build/bench.json."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from bench.import_points import import_points
from bench.points_in_zones import points_in_zones
from bench.report import Row, show, write

BENCHMARKS: dict[str, Callable[[], list[Row]]] = {
    "points-in-zones": points_in_zones,
    "import-points": import_points,
}


def main(names: list[str]) -> int:
    """Run ``names``; 2 for an unknown one."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"No benchmark {', '.join(unknown)}; there is: {', '.join(BENCHMARKS)}.", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name in names or BENCHMARKS:
        found = BENCHMARKS[name]()
        show(name, found)
        rows += found
    write(rows, Path(__file__).parents[1] / "build" / "bench.json")
    return 0


sys.exit(main(sys.argv[1:]))
