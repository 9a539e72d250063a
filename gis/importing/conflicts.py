"""Rows whose words name one county and whose place lies in another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from gis.crs import LONLAT, Transformation, transformation
from gis.importing.detective import Evidence
from gis.importing.issues import Issue
from gis.importing.values import texts
from gis.settings import MapDefinition
from layers.model import Layer
from layers.vocabulary import load_romanised

__all__ = ["NamedPlaces"]

# A county's boundary in the store may be this far off where it states nothing itself.
_UNSTATED_M = 500.0
_DEGREE_M = 111_000.0
_ENDINGS = "市县区"


@dataclass(frozen=True)
class NamedPlaces:
    """The counties by the words that name them, and where they lie.

    ``pattern`` takes the words that a label or address begins with; it is None where the store has no
    counties.
    """

    layer: Layer
    pattern: str | None
    words: Mapping[str, int]
    names: tuple[str, ...]
    shapes: NDArray[np.object_]
    slack_m: NDArray[np.float64]
    to_lonlat: Transformation

    @classmethod
    def of(cls, definition: MapDefinition, layer: Layer, evidence: Evidence) -> NamedPlaces:
        """The counties among the areas of ``evidence``: those whose names end as a county's do."""
        district = definition.district
        counties = [a for a in evidence.areas if len(a.name) >= 2 and a.name[-1] in _ENDINGS]
        merged = {
            name: [a for a in counties if a.name == name] for name in dict.fromkeys(a.name for a in counties)
        }
        words: dict[str, int] = {}
        romanised = load_romanised()
        for number, name in enumerate(merged):
            stem = name[:-1] if len(name) > 2 else name
            for word in (name, stem, romanised.get(stem, "").lower()):
                if word and words.setdefault(word, number) != number:
                    words[word] = -1  # two counties are called so
        words = {word: number for word, number in words.items() if number >= 0}
        listed = "|".join(re.escape(word) for word in sorted(words, key=lambda w: (-len(w), w)))
        # A province and a prefecture may stand before the county.
        here = re.escape(district.name.zh.rstrip(_ENDINGS)), re.escape(district.name.en.lower())
        before = rf"(?:\p{{Han}}{{2,3}}省|浙江)?(?:\p{{Han}}{{2,3}}市|{here[0]})?|(?:zhejiang |{here[1]} )+"
        shapes = np.array(
            [shapely.union_all([a.shape for a in group]) for group in merged.values()], dtype=object
        )
        slack = [max((a.accuracy_m or _UNSTATED_M) for a in group) for group in merged.values()]
        shapely.prepare(shapes)
        pattern = rf"^(?:{before})?(?P<word>{listed})(?:\P{{Latin}}|$)" if words else None
        return cls(
            layer, pattern, words, tuple(merged), shapes, np.array(slack),
            transformation(district.storage_crs, LONLAT, district.extent),
        )  # fmt: skip

    def conflicts(
        self, rows: NDArray[np.int64], values: Mapping[str, pa.Array], middle: NDArray[np.float64]
    ) -> list[Issue]:
        """A warning for each row that lies outside the county its words name by more than both errors.

        ``middle`` is the place of each row in the storage CRS. County field, label and address are asked in
        this order; the first that names another county is told.
        """
        if self.pattern is None or self.layer.role == "context" or not len(rows):
            return []
        names = self.layer.names
        lonlat = self.to_lonlat.xy(middle)
        accuracy = values["accuracy_m"].fill_null(0.0).to_numpy(zero_copy_only=False)
        told: NDArray[np.bool_] = np.asarray(~np.isfinite(lonlat).all(axis=1))
        issues: list[Issue] = []
        said = (names.county, names.label, names.address)
        for field in dict.fromkeys(n for n in said if n is not None and n in values):
            named = self._named(values[field])
            asked = np.flatnonzero((named >= 0) & ~told)
            outside = asked[self._outside(named[asked], lonlat[asked], accuracy[asked])]
            told[outside] = True
            for i in outside.tolist():
                value = f"{self.names[named[i]]} → {self._where(lonlat[i])}"
                issues.append(Issue(int(rows[i]), field, value, "name_place_conflict", "warning"))
        return issues

    def _named(self, column: pa.Array) -> NDArray[np.int64]:
        words = pc.utf8_lower(texts(column))
        found = pc.struct_field(pc.extract_regex(words, self.pattern), "word").dictionary_encode()
        numbers = np.array([self.words[w] for w in found.dictionary.to_pylist()] or [-1], dtype=np.int64)
        places = found.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return np.where(places >= 0, numbers[np.maximum(places, 0)], -1)

    def _outside(
        self, named: NDArray[np.int64], lonlat: NDArray[np.float64], accuracy: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        outside = np.zeros(len(named), dtype=bool)
        for number in np.unique(named):
            at = named == number
            outside[at] = ~shapely.contains_xy(self.shapes[number], lonlat[at])
        doubtful = np.flatnonzero(outside)
        points = shapely.points(lonlat[doubtful])
        reach = (self.slack_m[named[doubtful]] + accuracy[doubtful]) / _DEGREE_M
        outside[doubtful] = ~shapely.dwithin(self.shapes[named[doubtful]], points, reach)  # type: ignore[call-overload]  # an array of distances is taken
        return outside

    def _where(self, point: NDArray[np.float64]) -> str:
        """The county that holds a place, or the place itself."""
        holding = np.flatnonzero(shapely.contains_xy(self.shapes, point[0], point[1]))
        return self.names[holding[0]] if len(holding) else f"{point[0]:.5f} {point[1]:.5f}"
