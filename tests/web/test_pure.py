"""The unit tests of the front end's pure modules, run by node."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NODE = Path(sys.executable).with_name("node")


@pytest.mark.parametrize("path", sorted((HERE / "pure").glob("*.test.js")), ids=lambda path: path.name)
def test_pure_module_passes_its_unit_tests(path: Path) -> None:
    done = subprocess.run(
        [NODE, "--test", "--test-reporter=tap", str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout and "# skipped 0" in done.stdout
