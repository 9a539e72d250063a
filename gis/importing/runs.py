"""The record of an import run, and whether the very same one was made before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, func, insert, select

from gis import tables
from gis.importing.findings import Findings
from gis.importing.options import ImportOptions, ImportResult
from gis.importing.reading.spool import Header
from gis.revisions import last_touch
from gis.settings import MapDefinition
from layers.model import Layer

__all__ = ["FileFacts", "file_facts", "fingerprint", "record_run", "same_run_before"]


class FileFacts:
    """Size in bytes and SHA-256 of a file, or of all parts of one that has several."""

    def __init__(self, path: Path) -> None:
        self.size, total = 0, hashlib.sha256()
        for part in _parts(path):
            with part.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256")
            self.size += part.stat().st_size
            total = digest if part == path else _joined(total, part.name, digest.digest())
        self.sha256 = total.hexdigest()


def _joined(total: Any, name: str, digest: bytes) -> Any:
    total.update(name.encode() + b"\0" + digest)
    return total


def _parts(path: Path) -> Iterator[Path]:
    """The files that make up ``path``: itself, all of a folder, or a Shapefile's with the same name."""
    if path.is_dir():
        yield from sorted(p for p in path.rglob("*") if p.is_file())
    elif path.suffix.lower() == ".shp":
        yield from sorted(p for p in path.parent.glob(f"{path.stem}.*") if p.is_file())
    elif path.is_file():
        yield path


def file_facts(path: Path) -> FileFacts | None:
    """Size and hash; None when there is no such file any more."""
    try:
        return FileFacts(path)
    except OSError:
        return None


@cache
def _program() -> str:
    """A hash of the code that an import goes through."""
    here = Path(__file__).parent
    total = hashlib.sha256()
    for path in sorted([*here.rglob("*.py"), here.parent / "crs.py", here.parent / "datums.py"]):
        if path.is_file():
            total.update(path.read_bytes())
    return total.hexdigest()


def fingerprint(
    conn: Connection,
    definition: MapDefinition,
    layer: Layer,
    path: Path,
    facts: FileFacts | None,
    options: ImportOptions,
    saved: dict[str, str],
) -> str | None:
    """A hash of all that decides what an import of the file does, but for the rows of the layer itself."""
    if facts is None:
        return None
    coverage = file_facts(options.coverage).sha256 if options.coverage is not None else None  # type: ignore[union-attr]
    context = [name for name, other in definition.layers.items() if other.role in ("context", "register")]
    said = [
        facts.sha256, path.name, options_as_json(options), saved, coverage, layer.model_dump_json(),
        definition.district.model_dump_json(), last_touch(conn, [n for n in context if n != layer.id]),
        _program(),
    ]  # fmt: skip
    return hashlib.sha256(orjson.dumps(said, default=str)).hexdigest()


def options_as_json(options: ImportOptions) -> dict[str, Any]:
    """The options but for who asks, and whether it is only a rehearsal."""
    read, source = options.read, options.source
    return {
        "crs": options.crs,
        "crs_groups": {str(k): v for k, v in options.crs_groups.items()},
        "mapping": dict(options.mapping),
        "mode": options.mode,
        "outside": options.outside,
        "accept_offer": options.accept_offer,
        "coverage": options.coverage.name if options.coverage else None,
        "read": {n: getattr(read, n) for n in read.__dataclass_fields__},
        "source": {n: getattr(source, n) for n in source.__dataclass_fields__},
    }


def _as_read(header: Header | None) -> dict[str, Any] | None:
    """The columns of the file in their order, and those that its places came from, to give rows back by."""
    if header is None:
        return None
    return {"columns": list(header.columns), "x": header.x, "y": header.y, "wkt": header.wkt}


def same_run_before(
    conn: Connection, layer: Layer, source_id: int, mark: str | None
) -> dict[str, Any] | None:
    """The last run of the source into the layer, when it was this very one and nothing came after it."""
    runs = tables.import_runs
    if mark is None:
        return None
    last = (
        conn.execute(
            select(runs)
            .where(runs.c.layer == layer.id, runs.c.source_id == source_id)
            .order_by(runs.c.run_id.desc())
            .limit(1)
        )
        .mappings()
        .first()
    )
    if last is None or last["fingerprint"] != mark or last["seen"] != last_touch(conn, [layer.id]):
        return None
    return dict(last)


def record_run(
    conn: Connection,
    result: ImportResult,
    source_id: int,
    options: ImportOptions,
    *,
    facts: FileFacts | None,
    mark: str | None,
    started: datetime,
    findings: Findings | None,
) -> int:
    """Write the run and all its findings; the number of the run."""
    header = result.header
    values = {
        "layer": result.layer, "source_id": source_id, "file": result.file, "total": result.total,
        "good": result.good, "bad": result.bad, "rev": result.change.rev, "repaired": result.repaired,
        "warned": result.warned, "who": options.who, "started": started, "finished": func.clock_timestamp(),
        "used_crs": result.used_crs, "operation": result.transformation, "fingerprint": mark,
        "sha256": facts.sha256 if facts else None, "size": facts.size if facts else None,
        "options": options_as_json(options) | {"columns": dict(result.mapping), "header": _as_read(header)},
        "proposal": result.proposal, "seen": last_touch(conn, [result.layer]),
        "rows_claimed": header.rows_claimed if header else None,
        "format": header.format if header else None,
        "member": header.member if header else None,
        "encoding": header.encoding if header else None,
        "declared_crs": header.declared_crs if header else None,
    }  # fmt: skip
    runs = tables.import_runs
    run_id = int(conn.execute(insert(runs).values(values).returning(runs.c.run_id)).scalar_one())
    if findings is not None:
        findings.keep(run_id)
    return run_id
