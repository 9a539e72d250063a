"""Run benchmarks by name (all without one): print a table and write build/bench.json.

A join, or the ledger, may be run on a share of its subjects for a quick look: ``points-in-zones:10%``.
Figures count in full.
"""

from __future__ import annotations

import os
import re
import sys
from functools import partial
from pathlib import Path

from bench.distance_join import DISTANCE_JOIN
from bench.ending import end_in_order
from bench.export import export
from bench.import_points import import_points
from bench.items import items
from bench.joins import measured
from bench.ledger_update import ledger_update
from bench.one_parcel import one_parcel
from bench.parcel_overlap import PARCEL_OVERLAP
from bench.points_in_zones import POINTS_IN_ZONES
from bench.report import Row, show, write
from bench.report_faces import report_faces
from bench.screen_batch import screen_batch_bench
from bench.tiles import tiles, tiles_cached

JOINS = {join.name: partial(measured, join) for join in (POINTS_IN_ZONES, PARCEL_OVERLAP, DISTANCE_JOIN)}
BENCHMARKS = {
    **JOINS,
    "import-points": lambda share: import_points(),
    "export": export,
    "items": items,
    "report-faces": lambda share: report_faces(),
    "ledger-update": ledger_update,
    "one-parcel": lambda share: one_parcel(),
    "screen-batch": lambda share: screen_batch_bench(),
    "tiles": tiles,
    "tiles-cached": tiles_cached,
}


def main(words: list[str]) -> int:
    """Run the benchmarks ``words`` name; 2 for an unknown one."""
    asked = [re.fullmatch(r"([a-z-]+)(?::(\d+)%)?", word) for word in words or BENCHMARKS]
    unknown = [
        word for word, match in zip(words, asked, strict=False) if not match or match[1] not in BENCHMARKS
    ]
    if unknown:
        print(f"No benchmark {', '.join(unknown)}; there is: {', '.join(BENCHMARKS)}.", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for match in filter(None, asked):
        print(f"{match[1]}: load {os.getloadavg()[0]:.1f} at the start", flush=True)
        found = BENCHMARKS[match[1]](int(match[2] or 100) / 100)
        show(match[1], found)
        rows += found
    write(rows, Path(__file__).parents[1] / "build" / "bench.json")
    return 0


end_in_order()
sys.exit(main(sys.argv[1:]))
