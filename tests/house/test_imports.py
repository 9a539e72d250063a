"""What the lower rooms may import from outside; import-linter can only forbid names it is told."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def roots_imported(folder: Path) -> dict[str, str]:
    """Each top-level name imported under ``folder``, with one file that does."""
    found: dict[str, str] = {}
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file}: relative imports hide the order of the rooms"
                names = [node.module or ""]
            found |= {name.split(".")[0]: str(file) for name in names}
    return found


@pytest.mark.parametrize(
    ("room", "allowed"),
    [
        ("layers", {"layers", "pydantic", "pydantic_core"}),
        ("gis/kernel", {"gis", "numpy", "scipy", "shapely"}),
        ("gis/cluster", {"gis", "psycopg", "sqlalchemy"}),
    ],
)
def test_a_lower_room_imports_only_what_it_may(room: str, allowed: set[str]) -> None:
    found = roots_imported(ROOT / room)
    assert found, f"{room} is empty"
    assert {name: file for name, file in found.items() if name not in allowed | sys.stdlib_module_names} == {}
