"""Rules about lying upstream of a zone, judged along a river network.

A point that is on the network is compared with the zones that are points on it, by the bounds of the distance
along the river that the errors of both and of the lines leave (`gis.kernel.downstream`): conflict when the
largest is below the limit, clear when the least is above it, else edge. So what may lie on either side of
an intake is edge, and what surely lies below it is clear. Where the water gets lost before (a line that ends)
and the zone may be reached from there in a straight line, the verdict is unknown with "network" missing.

A subject that cannot be placed keeps the verdict of straight distance; so does the pair of a placed subject
and a zone that cannot be. Either is noted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from gis.kernel import CLEAR, CONFLICT, EDGE, UNKNOWN
from gis.kernel.arrays import TOUCH_M, Floats, Geometries, Indices
from gis.kernel.downstream import downstream, ways
from gis.kernel.network import Network
from gis.kernel.places import Places, find_places
from gis.screening.filters import Flags
from gis.screening.findings import NO_ACCURACY, NO_NETWORK, NOT_COVERED, NOT_ON_IT, ZONE_NOT_ON_IT
from gis.screening.ground import Answer, Codes, Missing, Question, near_pairs, note_missing
from gis.screening.hits import Hits, drawable
from gis.screening.inputs import PreparedLayer, Subjects

__all__ = ["Traced", "trace"]


@dataclass(frozen=True, eq=False)
class Traced:
    """What a network says of some subjects.

    Attributes
    ----------
    rows : int64[k]
        Those that are on the network.
    answer : Answer
        Over ``rows``.
    hits : Hits
        The pairs behind it; ``subject`` counts over all subjects.
    straight : int8[n]
        For each subject the place in `findings.STRAIGHT`, -1 where the network alone decides.
    """

    rows: Indices
    answer: Answer
    hits: Hits
    straight: Codes


def trace(
    subjects: Subjects,
    rows: Indices,
    depth_m: Floats,
    rivers: PreparedLayer | None,
    river_depth_m: Floats,
    question: Question,
) -> Traced:
    """Judge those of ``rows`` that can be placed on the network.

    Parameters
    ----------
    subjects : Subjects
        All n, metres in the measuring plane.
    rows : int64[]
        The subjects asked, with usable geometry.
    depth_m, river_depth_m : float64[n]
        How deep each subject lies in the coverage of the zones and of the rivers; negative outside.
    rivers : PreparedLayer or None
        The network's layer.
    question : Question
        With a limit along the river.
    """
    straight = np.full(len(subjects), NO_NETWORK, dtype=np.int8)
    network = None if rivers is None else rivers.network
    if rivers is None or network is None or rivers.source.network is None:
        return Traced(rows[:0], Answer.blank(0), Hits.none(), straight)
    snap_m = rivers.source.network.snap_m
    points = rows[shapely.get_type_id(subjects.geoms[rows]) == 0]
    own = subjects.accuracy_m[points].astype(np.float64)
    # The way down to the limit must be known, and it may begin and end a bank's width off the line.
    far = question.reach_m + 2 * snap_m
    covered = river_depth_m[points] > np.nan_to_num(own) + far
    straight[points] = NOT_COVERED
    asked, own = points[covered], own[covered]
    zones = question.selection.both
    s, z, gap = near_pairs(subjects.geoms[asked], own, zones, far, question.threads)
    # Only what a zone is near to need be placed; the others are clear on any river and on none.
    near = np.zeros(len(asked), dtype=bool)
    near[s] = True
    spots = subjects.geoms[asked].copy()
    spots[~near] = shapely.Point()
    places = find_places(network, spots, own, snap_m)
    straight[asked] = np.where(places.unbounded, NO_ACCURACY, NOT_ON_IT)
    on = np.flatnonzero(places.on | (~near & ~np.isnan(own)))
    kept = asked[on]
    straight[kept] = -1
    placed = places.on[s]
    number = np.full(len(asked), -1, dtype=np.int64)
    number[on] = np.arange(len(on))
    found = number[s[placed]], z[placed], gap[placed]
    pairs = _Pairs.measured(own[on], found, places, on, network, snap_m, question)
    answer = pairs.answer(depth_m[kept] > subjects.accuracy_m[kept] + far)
    off = np.unique(pairs.s[~pairs.on & (pairs.code > CLEAR)])
    straight[kept[off]] = ZONE_NOT_ON_IT
    return Traced(kept, answer, pairs.hits(subjects, kept, answer), straight)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs of a placed subject and a zone near it; ``s`` counts the placed subjects, ``z`` the selection."""

    question: Question
    network: Network
    count: int
    s: Indices
    z: Indices
    gap: Floats
    on: Flags
    code: Codes
    lost: Flags
    along: Floats
    error: Floats
    start: Floats
    end: Floats

    @classmethod
    def measured(
        cls,
        own: Floats,
        found: tuple[Indices, Indices, Floats],
        places: Places,
        on: Indices,
        network: Network,
        snap_m: float,
        question: Question,
    ) -> _Pairs:
        """Judge pairs of a subject (``own`` its error, ``on`` its number in ``places``) and a zone."""
        zones, limit = question.selection.both, question.reach_m
        s, z, gap = found
        error = own[s] + zones.accuracy_m[z]
        code = np.where(gap + error < limit, CONFLICT, np.where(gap - error > limit, CLEAR, EDGE)).astype(
            np.int8
        )
        named, place = np.unique(z, return_inverse=True)
        below = _zone_places(network, zones.geoms[named], zones.accuracy_m[named], snap_m)
        along, lost = np.full(len(s), np.nan), np.zeros(len(s), dtype=bool)
        start, end = places.at[on[s]], below.at[place]
        both = below.on[place]
        at = np.flatnonzero(both)
        if len(at):
            way = downstream(network, places, below, (on[s[at]], place[at].astype(np.int64)), limit + TOUCH_M)
            met = (way.least <= limit + TOUCH_M) | (way.most <= limit)
            code[at] = np.where(way.most < limit - TOUCH_M, CONFLICT, np.where(met, EDGE, CLEAR))
            lost[at] = (code[at] == CLEAR) & (way.open_m <= limit + error[at])
            along[at] = np.where(np.isfinite(way.nearest), way.nearest, np.nan)
            lines = (
                network.accuracy_m[network.line_at(start[at])] + network.accuracy_m[network.line_at(end[at])]
            )
            error[at] += lines
        code[lost] = UNKNOWN
        maybe = (z >= len(question.selection.yes)) & (code > CLEAR)
        code[maybe | np.isnan(error)] = UNKNOWN
        return cls(question, network, len(on), s, z, gap, both, code, lost, along, error, start, end)

    def answer(self, covered: Flags) -> Answer:
        """The worst of each subject's pairs, and what the coverage of the zones leaves open."""
        answer = Answer.blank(self.count)
        selection = self.question.selection
        answer.code[:] = self._worst(np.ones(len(self.s), dtype=bool))
        official = self._worst(~selection.is_indicative[self.z])
        answer.capped[:] = official < answer.code
        self._name_missing(answer.missing)
        if np.isnan(selection.both.accuracy_m).any():
            open_ = answer.code != CONFLICT
            answer.code[open_] = UNKNOWN
            note_missing(answer.missing, self.question.zone_accuracy_name, open_, self.count)
        margin = np.where(self.on, self.question.reach_m - self.along, self.question.reach_m - self.gap)
        # The pair that decides comes last, and the last one written stays.
        order = np.lexsort((np.nan_to_num(margin, nan=-np.inf), self.code))
        answer.margin_m[self.s[order]] = margin[order]
        answer.error_m[self.s[order]] = self.error[order]
        answer.on_boundary[self.s[order]] = (np.abs(margin) <= TOUCH_M)[order]
        bare = (answer.code != CONFLICT) & ~covered
        answer.code[bare] = UNKNOWN
        note_missing(answer.missing, "coverage", bare, self.count)
        return answer

    def _worst(self, which: Flags) -> Codes:
        code = np.full(self.count, CLEAR, dtype=np.int8)
        np.maximum.at(code, self.s[which], self.code[which])
        return code

    def _name_missing(self, missing: Missing) -> None:
        selection = self.question.selection
        settled = self._worst(self.code == CONFLICT) == CONFLICT
        asked = (self.code == UNKNOWN) & ~settled[self.s]
        note_missing(missing, "network", self.s[self.lost & asked], self.count)
        unbounded = asked & np.isnan(selection.both.accuracy_m[self.z])
        note_missing(missing, self.question.zone_accuracy_name, self.s[unbounded], self.count)
        maybe = asked & (self.z >= len(selection.yes))
        for name, lacks in self.question.lacking(np.where(maybe, selection.both_index[self.z], -1)).items():
            note_missing(missing, name, self.s[lacks], self.count)

    def hits(self, subjects: Subjects, rows: Indices, answer: Answer) -> Hits:
        """The pairs that are not clear, of subjects that are not."""
        kept = np.flatnonzero((self.code > CLEAR) & (answer.code[self.s] > CLEAR))
        s, z, gap = rows[self.s[kept]], self.z[kept], self.gap[kept]
        zones, limit = self.question.selection.both, self.question.reach_m
        on, along = self.on[kept], self.along[kept]
        shown = np.asarray(shapely.shortest_line(subjects.geoms[s], zones.geoms[z]), dtype=object)
        ends = shapely.get_coordinates(shown).reshape(-1, 2, 2)
        east, north = (ends[:, 1] - ends[:, 0]).T
        drawn = np.flatnonzero(on & np.isfinite(along))
        for place, way in zip(
            drawn, ways(self.network, self.start[kept[drawn]], self.end[kept[drawn]]), strict=True
        ):
            shown[place] = way or shown[place]
        same = gap <= 0
        shown[same] = subjects.geoms[s[same]]
        reach = np.full(len(kept), -1, dtype=np.int64)
        reach[on] = self.network.reach[self.network.line_at(self.end[kept[on]])]
        nothing = np.zeros(len(kept))
        return Hits(
            subject=s,
            zone=self.question.selection.both_index[z],
            code=self.code[kept],
            is_indicative=self.question.selection.is_indicative[z],
            overlap=nothing,
            share=np.full(len(kept), np.nan),
            distance_m=gap,
            bearing_deg=np.where(same, np.nan, np.degrees(np.arctan2(east, north)) % 360.0),
            margin_m=limit - np.where(on, along, gap),
            error_m=self.error[kept],
            limit_m=np.full(len(kept), limit),
            on_boundary=np.abs(limit - np.where(on, along, gap)) <= TOUCH_M,
            witness=drawable(shown),
            dimension=nothing.astype(np.int64),
            along_m=along,
            reach=reach,
        )


def _zone_places(network: Network, geoms: Geometries, accuracy_m: Floats, snap_m: float) -> Places:
    """Places of zones; those that are no points are not on the network."""
    points = geoms.copy()
    points[shapely.get_type_id(geoms) != 0] = shapely.Point()
    return find_places(network, points, accuracy_m, snap_m)
