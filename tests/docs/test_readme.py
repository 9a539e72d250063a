"""Every command of the README does what it says, on what `make demo` filled; settings and links are real."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gis.cluster import Cluster
from gis.settings import Settings

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh-CN.md")


def _commands(name: str) -> list[str]:
    """The indented lines of a README, without the remark behind them."""
    lines = re.findall(r"^ {4}(\S.*)$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    return [line.partition("  #")[0].strip() for line in lines]


@dataclass(frozen=True)
class Demonstration:
    """A demonstration that runs: its environment, its folder for files, and its port."""

    environment: dict[str, str]
    folder: Path
    port: int

    def run(self, command: str, *, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command of the README from a folder of its own, with this demonstration's port."""
        words = shlex.split(command.replace(":8000", f":{self.port}"))
        if words[0].startswith(".venv/"):
            words[0] = str(ROOT / words[0])
        folder = ROOT if words[0] == "make" else self.folder
        return subprocess.run(
            words, cwd=folder, env=self.environment, capture_output=True, text=True, timeout=timeout
        )


@pytest.fixture(scope="module")
def demonstration() -> Iterator[Demonstration]:
    """What `make demo` starts, on a home and a port of its own."""
    folder = Path(tempfile.mkdtemp(prefix="onemap-readme-", dir="/tmp"))
    folder.chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("ONEMAP_", "MAKE", "MFLAGS"))}
    environment |= {"ONEMAP_HOME": str(folder / "home"), "LANG": "C.UTF-8"}
    log = folder / "log"
    words = ["make", "demo", f"ARGS=--port {port}"]
    with log.open("w") as output:
        served = subprocess.Popen(
            words, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait(port, served, log)
        yield Demonstration(environment, folder, port)
    finally:
        os.killpg(served.pid, signal.SIGINT)
        served.wait(30)
        Cluster(folder / "home").stop()
        shutil.rmtree(folder)


def _wait(port: int, served: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 150
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except OSError:
            assert served.poll() is None, log.read_text()
            time.sleep(0.3)
    pytest.fail(f"make demo did not serve within 150 s:\n{log.read_text()}")


def test_both_readmes_show_the_same_commands() -> None:
    english, chinese = (_commands(name) for name in READMES)
    assert english == chinese
    assert english[:2] == ["make demo", "make test"]


def test_every_command_of_the_api_page_works(demonstration: Demonstration) -> None:
    for command in _commands("docs/api.md"):
        done = demonstration.run(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if " -X " in command:
            assert re.match(r"HTTP/\S+ 2\d\d ", done.stdout), f"{command}\n{done.stdout}"
        elif command.startswith("curl") and "/items" in command and " -o " not in command:
            assert '"numberReturned":0' not in done.stdout, command
            assert '"type":"FeatureCollection"' in done.stdout, f"{command}\n{done.stdout}"
    for name in ("townships.gpkg", "lanxi.csv", "counties.parquet"):
        assert (demonstration.folder / name).stat().st_size > 500


@pytest.mark.parametrize("page", ["docs/feeds.md", "docs/processes.md"])
def test_every_command_of_the_feeds_and_processes_works(demonstration: Demonstration, page: str) -> None:
    commands = _commands(page)
    assert len(commands) > 3
    for command in commands:
        done = demonstration.run(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if command.startswith("curl"):
            assert "urn:onemap:problem" not in done.stdout, f"{command}\n{done.stdout}"


def test_every_command_of_the_readme_works(demonstration: Demonstration) -> None:
    # `make demo` is what the fixture runs; `make test` runs this very test; the stop comes last.
    commands = [c for c in _commands("README.md") if c not in ("make demo", "make test")]
    assert commands[-1].startswith("ogrinfo") and any(c.endswith("db stop") for c in commands)
    for command in sorted(commands, key=lambda c: c.endswith("db stop")):
        done = demonstration.run(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if command.startswith("ogrinfo"):
            assert re.search(r"^\d+: counties", done.stdout, re.MULTILINE), done.stdout
    for name in ("answer.json", "conflicts.html", "counties.gpkg"):
        assert (demonstration.folder / name).stat().st_size > 1000


def test_every_setting_is_in_both_readmes_and_no_other() -> None:
    settings = {f"ONEMAP_{name.upper()}" for name in Settings.model_fields} | {"ONEMAP_LANG"}
    for name in READMES:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert set(re.findall(r"`(ONEMAP_[A-Z_]+)`", text)) == settings
        rows = [
            said
            for row in re.findall(r"^\| (`ONEMAP_.*?) \|", text, re.M)
            for said in re.findall(r"`(\w+)`", row)
        ]
        assert sorted(rows) == sorted(settings), "each setting has one row"


@pytest.mark.parametrize("page", sorted(path.name for path in ROOT.glob("*.md")))
def test_links_between_pages_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), f"{page} links to {target}"
