"""What the manifest of bad files asks beyond outcome and counts, each name as one function."""

from __future__ import annotations

import csv
import os
import sys
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine, text

from gis.db import connect
from gis.export import export_layer
from gis.importing import ImportResult
from gis.importing.issues import told
from gis.settings import MapDefinition
from layers.district import load_district
from layers.registry import load_layers
from tests.gis.importing.corpus import Case

_OUTSIDE = Path(__file__).parent / "outside"
_SECRET = "root:x:0:0"  # how /etc/passwd begins


class Watch:
    """What happens around an import: connections out, memory of this process's children, files elsewhere."""

    def __init__(self, scratch: Path) -> None:
        self.outbound: list[object] = []
        self.peak_mb = 0.0
        self.disk_mb = 0.0
        self.appeared: set[str] = set()
        self._scratch = scratch
        self._ended = threading.Event()
        # What runs already is somebody else's: the browser and the servers of other tests in this process.
        self._others = set(_resident_mb())
        self._before = _elsewhere(scratch)
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        _WATCHED.append(self)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        _WATCHED.remove(self)
        self.appeared = _elsewhere(self._scratch) - self._before

    def _look(self) -> None:
        while not self._ended.wait(0.01):
            own = [size for pid, size in _resident_mb().items() if pid not in self._others]
            self.peak_mb = max(self.peak_mb, max(own, default=0.0))
            self.disk_mb = max(self.disk_mb, _disk_mb(self._scratch))


_WATCHED: list[Watch] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" and _WATCHED and isinstance(arguments[1], tuple):
        _WATCHED[-1].outbound.append(arguments[1])


sys.addaudithook(_hear)


def _resident_mb() -> dict[int, float]:
    """The resident memory of each descendant of this process that is no database, by its number."""
    parents: dict[int, int] = {}
    sizes: dict[int, float] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (folder / "stat").read_text().partition(") ")
            numbers = rest.split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(folder.name)] = int(numbers[1])
        if "postgres" not in name:
            sizes[int(folder.name)] = int(numbers[21]) * os.sysconf("SC_PAGESIZE") / 2**20
    return {pid: size for pid, size in sizes.items() if _descends(pid, os.getpid(), parents)}


def _descends(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid > 1:
        pid = parents.get(pid, 0)
        if pid == ancestor:
            return True
    return False


def _disk_mb(folder: Path) -> float:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(place, name)).st_size
            except FileNotFoundError:
                continue
    return total / 2**20


def _elsewhere(scratch: Path) -> set[str]:
    """What lies where a file that leads out of its folder could lead."""
    places = [Path("/"), Path("/tmp"), Path("/etc"), Path.home(), Path.cwd(), *scratch.parents[:3]]
    found = set()
    for place in places:
        found |= {
            entry.path
            for entry in os.scandir(place)
            if entry.is_file(follow_symlinks=False) and not entry.name.startswith((".", "onemap-"))
        }
        found |= {entry.path for entry in os.scandir(place) if entry.name.startswith("onemap-slip")}
    return found


@dataclass(frozen=True)
class Outcome:
    """How an import ended: the manifest's word, our codes, and the sentence where the file was refused."""

    name: str
    codes: list[str]
    sentence: str
    result: ImportResult | None
    seconds: float = 0.0
    path: Path = Path()
    watch: Watch | None = field(default=None, compare=False)


Check = Callable[[Engine, Case, Outcome, dict[str, Any]], None]
CHECKS: dict[str, Check] = {}


def check(*names: str) -> Callable[[Check], Check]:
    """Enter a function under the manifest's names for it."""

    def enter(function: Check) -> Check:
        CHECKS.update(dict.fromkeys(names, function))
        return function

    return enter


def _rows(store: Engine, query: str) -> list[tuple[Any, ...]]:
    with connect(store) as conn:
        return [tuple(row) for row in conn.execute(text(query))]


def _current(store: Engine, case: Case, what: str) -> list[tuple[Any, ...]]:
    return _rows(store, f'SELECT {what} FROM layer."{case.kind}" WHERE rev_to IS NULL ORDER BY uid')


@check("coords")
def _coords(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    if outcome.result is None:
        return
    away = _rows(
        store,
        "SELECT ST_Distance(ST_SetSRID(geom, 4326)::geography, "
        f"ST_SetSRID(ST_MakePoint({wanted['lon']}, {wanted['lat']}), 4326)::geography) "
        f"FROM layer.\"{case.kind}\" WHERE rev_to IS NULL AND code = '{wanted['code']}'",
    )
    assert away or outcome.result.bad
    assert all(metres <= wanted["tol_m"] for (metres,) in away), away


@check("name_roundtrip", "name_roundtrip_or_refused", "code_roundtrip")
def _roundtrip(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    """Each stored text stands in the file, byte for byte, in one of the encodings it may be written in."""
    if outcome.result is None:
        assert "refused" in wanted["check"]
        return
    blob = _bytes(outcome.path)
    texts = [t for row in _current(store, case, "code, name") for t in row if t is not None]
    assert texts
    lost = [t for t in texts if not any(written in blob for written in _written(t))]
    assert lost == []


def _bytes(path: Path) -> bytes:
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return b"\n".join(archive.read(name) for name in archive.namelist())


def _written(said: str) -> list[bytes]:
    forms = [
        said,
        said.replace('"', '""'),
        said.replace('"', '\\"').replace("/", "\\/"),
        said.replace('"', '\\"'),
    ]
    forms.append(said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    return [form.encode(name) for form in forms for name in ("utf-8", "gb18030", "utf-16-le")]


@check("all_valid")
def _all_valid(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    assert all(valid for (valid,) in _current(store, case, "ST_IsValid(geom)"))


@check("area_positive")
def _area_positive(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    assert all(area > 0 for (area,) in _current(store, case, "ST_Area(geom)"))


@check("original_kept")
def _original_kept(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    kept = _rows(store, "SELECT original FROM core.rejects WHERE severity = 'repair' AND field = 'geom'")
    assert kept
    assert all(original for (original,) in kept)


@check("never_silently_swapped", "coords_right_if_accepted")
def _never_silently(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    """Whatever is stored lies in the service area, and there was a word about it."""
    west, south, east, north = case.params.get("region_bbox") or (118.2, 29.0, 121.0, 30.7)
    for x, y in _current(store, case, "ST_X(ST_Centroid(geom)), ST_Y(ST_Centroid(geom))"):
        assert west <= x <= east
        assert south <= y <= north
    assert outcome.codes


@check("not_more_than_xy_in_output_unless_declared")
def _only_xy(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    assert {n for (n,) in _current(store, case, "ST_NDims(geom)")} <= {2}


@check("warns", "warns_if_accepted")
def _warns(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    if outcome.result is None:
        assert "GCJ" in outcome.sentence or wanted["check"] == "warns_if_accepted"
        return
    said = [
        told(issue.code, field=issue.field or "", value=issue.value or "")[1]
        for issue in outcome.result.issues
        if issue.severity in ("warning", "repair")
    ]
    assert said
    assert "GCJ" not in wanted.get("text", "") or any("GCJ" in sentence for sentence in said), said


@check("registered_position_not_moved_silently")
def _not_moved(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    moved = _rows(
        store,
        f'SELECT count(*) FROM layer."{case.kind}" a JOIN layer."{case.kind}" b USING (uid) '
        "WHERE a.rev_to IS NULL AND b.rev_to = a.rev_from AND NOT ST_Equals(a.geom, b.geom)",
    )[0][0]
    told_of = _rows(store, "SELECT count(DISTINCT row_no) FROM core.rejects WHERE severity = 'warning'")[0][0]
    assert moved <= told_of


@check("system_fields_unchanged", "tables_intact")
def _system_fields(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    assert _rows(store, "SELECT count(*) FROM core.revisions")[0][0] == 1
    assert {name for (name,) in _rows(store, "SELECT name FROM core.sources")} == {"corpus"}
    assert all(uid == code for uid, code in _current(store, case, "uid, code"))
    columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'layer'"
    assert not {"role", "is_approved", "owner_id", "region_id"} & {name for (name,) in _rows(store, columns)}


@check("count_is")
def _count_is(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    assert outcome.result is None or len(_current(store, case, "uid")) == wanted["n"]


@check("done_within_s")
def _done_within(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    assert outcome.seconds < wanted["s"]


@check("rss_below_mb")
def _rss_below(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    assert outcome.watch is not None
    assert outcome.watch.peak_mb < wanted["mb"]


@check("disk_used_below_mb")
def _disk_below(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    assert outcome.watch is not None
    assert outcome.watch.disk_mb < wanted["mb"]


@check("no_outbound", "never_500")
def _no_outbound(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    """No unforeseen error has come this far; the child has no network (test_sandbox), and here is no call."""
    assert outcome.watch is not None
    assert outcome.watch.outbound == []


@check("no_file_outside")
def _no_file_outside(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    assert outcome.watch is not None
    assert outcome.watch.appeared == set()


@check("no_file_content_leak")
def _no_leak(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    told_of = _rows(store, "SELECT concat(value, original, row) FROM core.rejects")
    stored = _current(store, case, "concat(code, name)")
    assert not any(_SECRET in text_ for (text_,) in told_of + stored)
    assert _SECRET not in outcome.sentence


@check("never_partial_silently")
def _never_partial(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    """Taken in part only with a reason for each row that is not."""
    if outcome.result is not None and case.rows_total is not None:
        assert outcome.result.total == case.rows_total


@check("no_script_in_popup_html_or_export", "export_cells_neutralised")
def _harmless_exports(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    layers = load_layers([_OUTSIDE])
    definition = MapDefinition(
        load_district(_OUTSIDE / "districts" / "hangzhou.toml"), {case.kind: layers[case.kind]}, {}
    )
    names = [name for (name,) in _current(store, case, "name")]
    export_layer(store, definition, layers[case.kind], outcome.path.parent / "out.csv")
    with (outcome.path.parent / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        exported = [row["name"] for row in csv.DictReader(file)]
    dangerous = tuple("=+-@\t\r")
    assert len(exported) == len(names)
    assert not any(cell.startswith(dangerous) for cell in exported)
    for name in names:
        if "<" in name:
            export_layer(store, definition, layers[case.kind], outcome.path.parent / "out.html")
            page = (outcome.path.parent / "out.html").read_text("utf-8")
            assert name not in page
            break


@check("original_not_offered_for_download_as_is")
def _not_offered(store: Engine, case: Case, outcome: Outcome, wanted: dict[str, Any]) -> None:
    """The store keeps no file but what it wrote itself (reports, answers, items): none can be offered."""
    kept = (
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'core' "
        "AND data_type = 'bytea' AND table_name NOT IN "
        "('reports', 'report_faces', 'audit', 'kept_answers', 'item_rows', 'item_blocks') "
        "AND column_name NOT LIKE '%hash'"
    )
    assert _rows(store, kept)[0][0] == 0
