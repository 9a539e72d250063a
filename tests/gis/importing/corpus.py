"""The cases of bad files: a manifest of what each file is and what must become of it.

The corpus lies in ``ONEMAP_BADINPUTS`` (default ``../shared/badinputs``). A clone without it runs the
project's own smaller set, which `tests.gis.importing.faults` writes in the same form.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.gis.importing import faults

ROOT = Path(__file__).parents[3]
KINDS = ("stations", "parcels")
# Nothing takes these in yet: readings and photos come with the monitoring, rasters and HJ 212 after it.
LATER = {"readings", "photo", "raster", "hj212"}


@dataclass(frozen=True)
class Case:
    """One file and its expected outcome; the fields are those of the manifest."""

    id: str
    kind: str
    outcome: str
    file: str = ""
    also_ok: list[str] = field(default_factory=list)
    rows_total: int | None = None
    rows_good: int = 0
    rows_bad: int = 0
    also_rows_bad: int | None = None
    rows_repaired: int = 0
    reasons: list[str] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    on_demand: str | None = None
    corpus: Path | None = None

    def path(self, folder: Path) -> Path:
        """The file itself; one that is made on demand is made in ``folder``."""
        if self.on_demand is not None:
            return _on_demand(self.on_demand, folder)
        if self.corpus is None:
            return faults.make(self.id, folder)
        return in_corpus(self.corpus, self.file)


def in_corpus(corpus: Path, file: str) -> Path:
    """Where ``file`` of the manifest lies: under its own name, or without the half's folder before it."""
    direct = corpus / file
    return direct if direct.exists() else corpus / file.partition("/")[2]


def folder() -> Path | None:
    """The corpus on this machine; None where there is none."""
    stated = os.environ.get("ONEMAP_BADINPUTS")
    found = Path(stated) if stated else ROOT.parent / "shared" / "badinputs"
    if stated and not (found / "manifest.json").is_file():
        raise FileNotFoundError(f"ONEMAP_BADINPUTS names {found}, which has no manifest.json.")
    return found if (found / "manifest.json").is_file() else None


def cases() -> list[Case]:
    """Those of the project, and those of the corpus that an importer of tables and features answers for."""
    own = [Case(**case) for case in faults.MANIFEST]
    corpus = folder()
    return own if corpus is None else own + [case for case in manifest(corpus) if case.kind in KINDS]


def manifest(corpus: Path) -> list[Case]:
    """Every case of the corpus, those of later packages too."""
    held = json.loads((corpus / "manifest.json").read_text("utf-8"))
    known = {name for name in Case.__dataclass_fields__ if name != "corpus"}
    return [
        Case(**{k: v for k, v in case.items() if k in known and v is not None}, corpus=corpus)
        for case in held["cases"]
    ]


def _on_demand(how: str, folder: Path) -> Path:
    """The large file that the manifest describes instead of carrying it, such as "--big vertices-1200000"."""
    what, _, number = how.split()[2].partition("-")
    if what != "vertices":
        raise ValueError(f"The manifest asks for {how!r}, which this runner cannot make.")
    angle = np.linspace(0, 2 * np.pi, int(number), endpoint=False)
    ring = np.column_stack([120.1 + 0.1 * np.cos(angle), 30.2 + 0.1 * np.sin(angle)]).round(9).tolist()
    made = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"code": "HZBIG", "name": "大地块"},
                "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
            }
        ],
    }
    path = folder / "vertices.geojson"
    path.write_text(json.dumps(made), encoding="utf-8")
    return path
