"""Write the files that follow from the code, or check that they are current.

Usage::

    python tools/generate.py            # write them
    python tools/generate.py --check    # exit status 1 and their names when some are not current
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from layers.registry import layer_schema
from layers.rulepacks import rulepack_schema
from tests.conformance.table import conformance_page, conformance_record

ROOT = Path(__file__).resolve().parent.parent
GENERATED: Mapping[str, Callable[[], dict[str, Any] | str]] = {
    "layers/layer.schema.json": layer_schema,
    "layers/rulepack.schema.json": rulepack_schema,
    "api/conformance.json": conformance_record,
    "docs/conformance.md": conformance_page,
}


def text_of(make: Callable[[], dict[str, Any] | str]) -> str:
    """The text of a generated file, JSON when it is made from an object."""
    made = make()
    return made if isinstance(made, str) else json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def stale() -> list[str]:
    """The names of generated files that are missing or not what the code makes now."""
    return [
        name
        for name, make in GENERATED.items()
        if not (ROOT / name).is_file() or (ROOT / name).read_text(encoding="utf-8") != text_of(make)
    ]


def main(arguments: list[str]) -> int:
    """Run the script; returns its exit status."""
    names = stale()
    if arguments == ["--check"]:
        if names:
            print(f"Not current: {', '.join(names)}. Run: make docs")
        return 1 if names else 0
    for name in names:
        (ROOT / name).write_text(text_of(GENERATED[name]), encoding="utf-8")
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
