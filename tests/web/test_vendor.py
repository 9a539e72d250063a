"""What is shipped of other people's code is what the lock file says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).parents[2] / "web"


def check(web: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, web / "vendor.py", "--check"], capture_output=True, text=True)


def test_vendored_files_are_those_of_the_lock() -> None:
    done = check(WEB)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_changed_or_additional_file_is_noticed(tmp_path: Path) -> None:
    web = tmp_path / "web"
    shutil.copytree(WEB / "vendor", web / "vendor")
    for name in ("vendor.py", "vendor.toml"):
        shutil.copy(WEB / name, web / name)
    with next((web / "vendor").rglob("*.css")).open("a") as sheet:
        sheet.write("/* */")
    (web / "vendor" / "extra.js").write_text("")
    done = check(web)
    assert done.returncode == 1
    assert "was changed" in done.stdout and "extra.js is not in vendor.lock" in done.stdout


def test_every_package_brings_its_licence() -> None:
    for package in json.loads((WEB / "vendor" / "vendor.lock").read_text("utf-8"))["packages"]:
        assert package["licence"]
        assert any(Path(name).name.startswith("LICENSE") for name in package["files"]), package["name"]


def test_the_page_names_only_files_that_are_there() -> None:
    page = (WEB / "index.html").read_text("utf-8")
    named = re.findall(r'(?:src|href)="(web/[^"]+)"|"\./(web/[^"]+)"', page)
    paths = [first or second for first, second in named]
    assert len(paths) > 8
    assert [path for path in paths if not (WEB.parent / path).is_file()] == []


def test_the_page_has_no_inline_code_but_the_import_map() -> None:
    page = (WEB / "index.html").read_text("utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", page) == ['<script type="importmap">']
    assert "<style" not in page and " style=" not in page and " on" not in re.sub(r">[^<]*<", "><", page)
