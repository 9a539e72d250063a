"""Fetch the third-party browser code named in vendor.toml, or check what is there.

Usage::

    python web/vendor.py            # npm pack each package, copy its files, write vendor.lock
    python web/vendor.py --check    # compare vendor/ with vendor.lock; exit status 1 on a difference
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

WEB = Path(__file__).resolve().parent
VENDOR = WEB / "vendor"
LOCK = VENDOR / "vendor.lock"


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def unpack(name: str, version: str, into: Path) -> tuple[Path, str]:
    """Download one npm package; returns its unpacked root and the registry's integrity string."""
    done = subprocess.run(
        ["npm", "pack", f"{name}@{version}", "--json", "--pack-destination", str(into)],
        check=True,
        capture_output=True,
        text=True,
    )
    packed = json.loads(done.stdout)
    entry = packed[0] if isinstance(packed, list) else next(iter(packed.values()))
    with tarfile.open(into / entry["filename"].replace("@", "").replace("/", "-")) as archive:
        archive.extractall(into / "unpacked", filter="data")
    return into / "unpacked" / "package", entry["integrity"]


def bundled_licences(packages: list[str]) -> str:
    """Licence texts of ``packages`` ("name@version"), each once, under the names that share it."""
    texts: dict[str, list[str]] = {}
    for package in packages:
        name, _, version = package.rpartition("@")
        with tempfile.TemporaryDirectory() as scratch:
            root, _integrity = unpack(name, version, Path(scratch))
            declared = json.loads((root / "package.json").read_text("utf-8"))["license"]
            found = sorted(
                path for path in root.iterdir() if path.name.upper().startswith(("LICENSE", "LICENCE"))
            )
            text = (
                found[0].read_text("utf-8") if found else f"The package states {declared} and brings no text."
            )
        texts.setdefault(text.strip(), []).append(f"{name} {version} ({declared})")
    return "\n\n".join("\n".join(names) + "\n\n" + text for text, names in texts.items()) + "\n"


def copy(root: Path, files: dict[str, str], folder: Path) -> None:
    """Copy the named files and folders of an unpacked package, replacing what ``folder`` holds."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source, target in files.items():
        if (root / source).is_dir():
            shutil.copytree(root / source, folder / target)
        else:
            shutil.copy2(root / source, folder / target)


def fetch() -> None:
    """Fill vendor/ from vendor.toml and write vendor.lock."""
    wanted = tomllib.loads((WEB / "vendor.toml").read_text("utf-8"))["packages"]
    locked = []
    for package in wanted:
        with tempfile.TemporaryDirectory() as scratch:
            root, integrity = unpack(package["name"], package["version"], Path(scratch))
            copy(root, package["files"], VENDOR / package["folder"])
        if "bundles" in package:
            licences = bundled_licences(package["bundles"])
            (VENDOR / package["folder"] / "BUNDLED-LICENSES.txt").write_text(licences, "utf-8")
        files = sorted(path for path in (VENDOR / package["folder"]).rglob("*") if path.is_file())
        locked.append(
            {key: package[key] for key in ("name", "version", "licence", "purpose", "folder")}
            | {"integrity": integrity}
            | {"files": {path.relative_to(VENDOR).as_posix(): sha256(path) for path in files}}
        )
    LOCK.write_text(json.dumps({"packages": locked}, indent=2, ensure_ascii=False) + "\n", "utf-8")


def differences() -> list[str]:
    """What in vendor/ differs from vendor.lock, one line each; empty when all agree."""
    wanted = tomllib.loads((WEB / "vendor.toml").read_text("utf-8"))["packages"]
    locked = json.loads(LOCK.read_text("utf-8"))["packages"]
    found = []
    if [(p["name"], p["version"]) for p in wanted] != [(p["name"], p["version"]) for p in locked]:
        found.append("vendor.lock does not list the packages of vendor.toml: run python web/vendor.py")
    hashes = {name: digest for package in locked for name, digest in package["files"].items()}
    present = {path.relative_to(VENDOR).as_posix(): path for path in VENDOR.rglob("*") if path.is_file()}
    present.pop(LOCK.name)
    found += [f"{name} is missing" for name in sorted(hashes.keys() - present.keys())]
    found += [f"{name} is not in vendor.lock" for name in sorted(present.keys() - hashes.keys())]
    common = sorted(hashes.keys() & present.keys())
    return found + [f"{name} was changed" for name in common if sha256(present[name]) != hashes[name]]


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Fetch or check the third-party browser code.")
    parser.add_argument("--check", action="store_true", help="only compare vendor/ with vendor.lock")
    if not parser.parse_args().check:
        fetch()
    found = differences()
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
