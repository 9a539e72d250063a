"""The oracle: verdicts by PostGIS alone, from rules written in SQL.

Nothing of the judge, the kernel or the rule pack is used. Layers lie in schema ``oracle``, one table each,
with their attributes, ``place`` in the measuring plane and ``accuracy`` in metres (NULL: not known).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from tests.screening.oracle.words import NOWHERE, Ask

__all__ = ["PLANE", "TOLERANCE_M", "Oracle"]

PLANE = 4549
TOLERANCE_M = 0.001
"""Metres. So near to where a verdict changes either side may be right: arcs are drawn with corners."""

Row = Mapping[str, Any]

_MACROS = Path(__file__).with_name("ground.sql")
_HOLD = """
    INSERT INTO oracle.held
    SELECT :zones, z.uid, z.place, ST_Boundary(ST_CollectionExtract(z.place, 3)), z.accuracy,
           ({which}) IS TRUE
    FROM oracle.zones_{layer} AS z WHERE ({which}) IS NOT FALSE AND NOT ST_IsEmpty(z.place)"""

# The boundary of the union is split by owner: a line belongs to the zone whose outline it is, where several
# share it to the most accurate. Neighbours drawn with different vertices leave cracks of a rounding step: a
# line with the union a millimetre off on both sides is a seam.
_WHOLE = """
    WITH area AS (
        SELECT ST_Union(z.place) AS area FROM oracle.held AS z
        WHERE z.zones = :zones AND z.counts AND z.accuracy IS NOT NULL AND ST_Dimension(z.place) = 2
    ),
    line AS (
        SELECT each.path, each.geom, ST_LineInterpolatePoint(each.geom, 0.5) AS middle
        FROM area, ST_DumpSegments(ST_Boundary(area.area)) AS each,
             LATERAL (SELECT ST_Azimuth(ST_StartPoint(each.geom), ST_EndPoint(each.geom)) AS way) AS w,
             LATERAL (SELECT 0.001 * cos(way) AS dx, -0.001 * sin(way) AS dy) AS off
        WHERE NOT (
            ST_Intersects(area.area, ST_Translate(ST_LineInterpolatePoint(each.geom, 0.5), dx, dy))
            AND ST_Intersects(area.area, ST_Translate(ST_LineInterpolatePoint(each.geom, 0.5), -dx, -dy))
        )
    ),
    owned AS (
        SELECT line.path, line.geom, min(z.accuracy) AS accuracy FROM line
        JOIN oracle.held AS z ON z.zones = :zones AND z.counts AND z.accuracy IS NOT NULL
          AND z.place && ST_Expand(line.middle, 0.001) AND ST_DWithin(z.outline, line.middle, 0.001)
        GROUP BY line.path, line.geom
    ),
    rim AS (SELECT ST_Collect(geom) AS rim, accuracy FROM owned GROUP BY accuracy)
    INSERT INTO oracle.whole
    SELECT :zones, area.area, (SELECT array_agg(rim ORDER BY accuracy) FROM rim),
           (SELECT array_agg(accuracy ORDER BY accuracy) FROM rim),
           EXISTS (SELECT FROM oracle.held AS z WHERE z.zones = :zones AND z.accuracy IS NULL),
           cover, cover_rim
    FROM area LEFT JOIN oracle.coverage AS c (layer, cover, cover_rim) ON c.layer = :layer"""

_VERDICTS = """
    SELECT s.uid, CASE
        WHEN verdict <> 'clear' AND ({whom}) IS NULL THEN 'unknown' ELSE verdict
    END
    FROM oracle.subjects_{subjects} AS s,
         LATERAL (SELECT s.accuracy + :slack AS error) AS e,
         LATERAL (SELECT {ground} AS verdict) AS g
    WHERE ({whom}) IS NOT FALSE AND ({excused}) IS NOT TRUE"""

# The zones behind a verdict. One has the verdict it gives by itself, never a worse one than the subject;
# where no zone alone is surely met, at a seam, all that hold the subject are.
_PAIRS = """
    SELECT s.uid, z.uid, CASE
        WHEN ({whom}) IS NULL THEN 'unknown'
        WHEN NOT z.counts OR z.accuracy IS NULL OR error IS NULL THEN 'unknown'
        WHEN verdict <> 'conflict' THEN verdict
        WHEN oracle.surely_near_one(z, s.place, error, {reach}) THEN 'conflict'
        WHEN NOT alone AND ST_Intersects(z.place, s.place) THEN 'conflict'
        ELSE 'edge'
    END
    FROM oracle.subjects_{subjects} AS s
    JOIN LATERAL (SELECT s.accuracy AS error) AS e ON true
    JOIN LATERAL (SELECT {ground} AS verdict) AS g ON verdict <> 'clear'
    JOIN LATERAL (SELECT EXISTS (
        SELECT FROM oracle.held AS o
        WHERE o.zones = :zones AND o.counts AND oracle.surely_near_one(o, s.place, error, {reach})
    ) AS alone) AS a ON true
    JOIN oracle.held AS z
      ON z.zones = :zones
     AND ST_Distance(z.place, s.place) <= {reach} + coalesce(error, 0) + coalesce(z.accuracy, 0)
    WHERE ({whom}) IS NOT FALSE AND ({excused}) IS NOT TRUE"""

_IN_FORCE = """
    rev_to IS NULL AND geom IS NOT NULL
    AND coalesce(valid_from <= :law_date, true) AND coalesce(valid_to >= :law_date, true)"""

_WORST_LAST = ("clear", "edge", "unknown", "conflict")


def worse(one: str, other: str) -> str:
    """The worse of two verdicts."""
    return max(one, other, key=_WORST_LAST.index)


class Oracle:
    """Answers rules over the tables of schema ``oracle``; one for each transaction."""

    def __init__(self, conn: Connection, law_date: date) -> None:
        self._conn = conn
        self._law_date = law_date
        self._zones: dict[tuple[str, str], int] = {}
        conn.exec_driver_sql(_MACROS.read_text(encoding="utf-8"))

    def take_zones(self, layer: str) -> None:
        """Copy a layer's zones in force into schema ``oracle``, with its coverage."""
        self._table(f"zones_{layer}", layer, _IN_FORCE)
        self._run(
            f"""INSERT INTO oracle.coverage
            SELECT :layer, place, ST_Boundary(place) FROM (
                SELECT ST_Union(ST_Transform(ST_SetSRID(geom, 4490), {PLANE})) AS place FROM core.coverage
                WHERE layer = :layer AND rev_to IS NULL
            ) AS c WHERE place IS NOT NULL""",
            layer=layer,
        )

    def take_subjects(self, layer: str) -> None:
        """Copy a layer's subjects in force into schema ``oracle``."""
        self._table(f"subjects_{layer}", layer, _IN_FORCE)

    def take_rivers(self, layer: str, coarsest_m: float) -> None:
        """Copy the lines of a layer that are exact enough to be followed, in the direction of flow."""
        self._run(
            f"""INSERT INTO oracle.river
            SELECT row_number() OVER (),
                   CASE WHEN flow = 'against' THEN ST_Reverse(line) ELSE line END, accuracy_m
            FROM layer.{layer}, LATERAL ST_Dump(ST_Transform(geom, {PLANE})) AS part (path, line)
            WHERE {_IN_FORCE} AND accuracy_m <= :coarsest""",
            law_date=self._law_date, coarsest=coarsest_m,
        )  # fmt: skip
        self._run(
            f"""INSERT INTO oracle.river_cover SELECT place, ST_Boundary(place) FROM (
                SELECT ST_Union(ST_Transform(ST_SetSRID(geom, 4490), {PLANE})) AS place FROM core.coverage
                WHERE layer = :layer AND rev_to IS NULL
            ) AS c WHERE place IS NOT NULL""",
            layer=layer,
        )

    def make_rivers(self, lines: Sequence[bytes], accuracy_m: float, coverage: bytes) -> None:
        """Make a network of ``lines`` (WKB, in the direction of flow), complete in ``coverage``."""
        for number, line in enumerate(lines):
            self._run(
                f"INSERT INTO oracle.river VALUES (:id, ST_GeomFromWKB(:line, {PLANE}), :accuracy)",
                id=number, line=line, accuracy=accuracy_m,
            )  # fmt: skip
        self._run(
            f"""INSERT INTO oracle.river_cover
            SELECT place, ST_Boundary(place) FROM ST_GeomFromWKB(:coverage, {PLANE}) AS place""",
            coverage=coverage,
        )

    def make_zones(self, layer: str, rows: Sequence[Row], coverage: bytes | None = None) -> None:
        """Make the zones of a layer of ``rows`` (uid, place as WKB, accuracy, attributes), covered there."""
        self._table(f"zones_{layer}", layer, "false")
        self._fill(f"zones_{layer}", rows)
        if coverage is not None:
            self._run(
                f"""INSERT INTO oracle.coverage
                SELECT :layer, place, ST_Boundary(place) FROM ST_GeomFromWKB(:coverage, {PLANE}) AS place""",
                layer=layer, coverage=coverage,
            )  # fmt: skip

    def make_subjects(self, layer: str, rows: Sequence[Row]) -> None:
        """Make the subjects of a layer of ``rows``."""
        self._table(f"subjects_{layer}", layer, "false")
        self._fill(f"subjects_{layer}", rows)

    def verdicts(
        self, asks: Sequence[Ask], subjects: str, slack_m: float = 0.0, cover_slack_m: float = 0.0
    ) -> dict[str, str]:
        """The verdict of one rule, given with all its parts, on each subject of a layer that is not clear.

        By uid. ``slack_m`` is added to every error, ``cover_slack_m`` to what the coverage must hold.
        """
        found: dict[str, str] = {}
        self._run("SELECT set_config('oracle.cover_slack', :slack, true)", slack=str(cover_slack_m - slack_m))
        for ask in asks:
            for uid, verdict in self._answers(_VERDICTS, ask, subjects, slack=slack_m):
                found[uid] = worse(verdict, found.get(uid, "clear"))
        return {uid: verdict for uid, verdict in found.items() if verdict != "clear"}

    def pairs(self, asks: Sequence[Ask], subjects: str) -> dict[tuple[str, str], str]:
        """The zones behind the verdicts of one rule, each with its own, by the uids of subject and zone.

        A zone near a subject that does not state how near is too near is none.
        """
        found: dict[tuple[str, str], str] = {}
        self._run("SELECT set_config('oracle.cover_slack', '0', true)")
        for ask in (ask for ask in asks if ask.ground.is_met):
            for subject, zone, verdict in self._answers(_PAIRS, ask, subjects):
                found[subject, zone] = worse(verdict, found.get((subject, zone), "clear"))
        return found

    def _answers(self, query: str, ask: Ask, subjects: str, **values: Any) -> Iterable[Any]:
        ground = ask.ground
        filled = query.format(
            subjects=subjects, whom=ask.whom, excused=ask.excused, ground=ground.sql, reach=ground.reach
        )
        return self._run(filled, zones=self._hold(ask), law_date=self._law_date, **values)

    def _hold(self, ask: Ask) -> int:
        """The number of the zones that a rule is about."""
        if ask.zones == NOWHERE:
            return -1
        key = ask.zones, ask.which
        if key not in self._zones:
            self._zones[key] = number = len(self._zones)
            self._run(_HOLD.format(layer=ask.zones, which=ask.which), zones=number)
            self._run(_WHOLE, zones=number, layer=ask.zones)
        return self._zones[key]

    def _table(self, table: str, layer: str, where: str) -> None:
        self._run(
            f"""CREATE TABLE oracle.{table} AS
            SELECT *, ST_Transform(geom, {PLANE}) AS place, accuracy_m AS accuracy
            FROM layer.{layer} WHERE {where}""",
            law_date=self._law_date,
        )

    def _fill(self, table: str, rows: Sequence[Row]) -> None:
        if rows:
            names = list(rows[0])
            values = ", ".join(f"ST_GeomFromWKB(:{n}, {PLANE})" if n == "place" else f":{n}" for n in names)
            statement = f"INSERT INTO oracle.{table} ({', '.join(names)}) VALUES ({values})"
            self._conn.execute(text(statement), list(rows))

    def _run(self, query: str, **values: Any) -> Iterable[Any]:
        result = self._conn.execute(text(query), values)
        return result.all() if result.returns_rows else ()
