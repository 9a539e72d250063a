"""Make the demonstration data of the map from the open data.

    python data/make_demo.py OPEN_DATA [--out FOLDER]

OPEN_DATA is the folder with the open files that data/README.md lists; without it, ONEMAP_OPEN_DATA names it.
The files are written next to this script unless --out says otherwise. The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from making.frame import read_base
from making.further import further_zones
from making.open_layers import write_open_layers
from making.plan import write_plan
from making.subjects import write_subjects
from making.zones import make_zones, write_zones


def make(folder: Path, out: Path) -> None:
    """Write all data files from the open data in ``folder`` to ``out``."""
    base = read_base(folder)
    zones = make_zones(base)
    zones = {**zones, **further_zones(base, zones)}
    write_open_layers(base, out)
    write_plan(base, out)
    write_zones(base, zones, out)
    write_subjects(base, zones, out)


def main() -> None:
    """Read the command line and make the files."""
    parser = argparse.ArgumentParser(description="Make the demonstration data from the open data.")
    default = os.environ.get("ONEMAP_OPEN_DATA")
    parser.add_argument("open_data", type=Path, nargs="?", default=Path(default) if default else None)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    given = parser.parse_args()
    if given.open_data is None or not given.open_data.is_dir():
        parser.error("name the folder of the open data, or set ONEMAP_OPEN_DATA")
    make(given.open_data, given.out)


if __name__ == "__main__":
    main()
