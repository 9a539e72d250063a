"""A drawn world for both sides: as arrays for the judge and as tables for the oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import shapely

from gis.screening.inputs import Subjects, ZoneLayer
from gis.screening.rows import LayerRows
from layers.model import Layer
from tests.screening.making import objects
from tests.screening.oracle.asking import Oracle
from tests.screening.oracle.drawing import DrawnLayer, attributes, blob, draw_subjects, draw_zones
from tests.screening.oracle.words import RULES

__all__ = ["World", "draw_world"]

EVERYWHERE = shapely.box(300_000, 3_000_000, 800_000, 3_500_000)


@dataclass(frozen=True)
class World:
    """Zones and subjects by layer."""

    zones: Mapping[str, DrawnLayer]
    subjects: Mapping[str, DrawnLayer]

    def for_judge(self, layer: str) -> ZoneLayer:
        """The zones of a layer for the judge."""
        drawn = self.zones[layer]
        return ZoneLayer(
            layer_id=layer, uids=_uids("z", drawn), names=_uids("z", drawn), geoms=objects(drawn.places),
            accuracy_m=np.array(drawn.accuracy, dtype=float),
            is_indicative=np.arange(len(drawn)) % 3 == 0,
            attributes={name: objects(values) for name, values in drawn.attributes.items()},
            coverage=drawn.coverage,
        )  # fmt: skip

    def subjects_for_judge(self, layer: str) -> Subjects:
        """The subjects of a layer for the judge; a project is also the land it takes up."""
        drawn = self.subjects[layer]
        return Subjects(
            layer_id=layer, kinds=kinds_of(layer), uids=_uids("s", drawn), geoms=objects(drawn.places),
            accuracy_m=np.array(drawn.accuracy, dtype=float),
            attributes={name: objects(values) for name, values in drawn.attributes.items()},
        )  # fmt: skip

    def tell(self, oracle: Oracle) -> None:
        """Put all into the tables of the oracle."""
        for name, drawn in self.zones.items():
            oracle.make_zones(name, _rows("z", drawn), None if drawn.coverage is None else drawn.coverage.wkb)
        for name, drawn in self.subjects.items():
            oracle.make_subjects(name, _rows("s", drawn))


def kinds_of(layer: str) -> frozenset[str]:
    return frozenset({layer, "parcel"} if layer == "projects" else {layer})


def _uids(mark: str, drawn: DrawnLayer) -> Any:
    return objects([f"{mark}{number}" for number in range(len(drawn))])


def _rows(mark: str, drawn: DrawnLayer) -> list[dict[str, Any]]:
    return [
        {
            "uid": f"{mark}{number}", "place": place.wkb, "accuracy": None if np.isnan(error) else error,
            **{name: values[number] for name, values in drawn.attributes.items()},
        }
        for number, (place, error) in enumerate(zip(drawn.places, drawn.accuracy, strict=True))
    ]  # fmt: skip


def draw_world(
    seed: int, count: int, held: Mapping[str, LayerRows], subjects: Sequence[Layer], law_date: date
) -> World:
    """Zones on top of those ``held``, and ``count`` subjects or a few more, most where most rules ask."""
    rng = np.random.default_rng(seed)
    every = [place for rows in held.values() for place in rows.geoms]
    zones = {name: _zones(rng, rows, every, law_date) for name, rows in held.items()}
    near = {name: [p for p in drawn.places if not p.is_empty] for name, drawn in zones.items()}
    near = {name: places for name, places in near.items() if places}
    rims = [drawn.coverage for drawn in zones.values() if drawn.coverage is not None]
    shares = np.array([sum(layer.id in ask.subjects for ask in RULES) for layer in subjects])
    layers = list(near.values())
    drawn = {}
    for layer, share in zip(subjects, np.ceil(count * shares / shares.sum()).astype(int), strict=True):
        # Each layer of zones alike, however many zones it has.
        chosen = [layers[i][int(rng.integers(len(layers[i])))] for i in rng.integers(len(layers), size=200)]
        drawn[layer.id] = draw_subjects(rng, int(share), chosen, rims, layer, law_date)
    return World(zones, drawn)


def _zones(rng: np.random.Generator, rows: LayerRows, every: Sequence[Any], law_date: date) -> DrawnLayer:
    new = draw_zones(rng, list(rows.geoms) or every, 6)
    drawn = attributes(rng, rows.layer, len(new), law_date)
    accuracy = [*rows.accuracy_m, *rng.choice([0.0, 0.0, 10.0, 30.0, 80.0], len(new))]
    if rng.random() < 0.5:  # one accuracy for all
        accuracy = [float(rng.choice([0.0, 12.0, 30.0]))] * len(accuracy)
    if rng.random() < 0.04:
        accuracy[int(rng.integers(len(accuracy)))] = float("nan")
    return DrawnLayer(
        [*rows.geoms, *new],
        [float(error) for error in accuracy],
        {name: [*rows.attributes[name], *values] for name, values in drawn.items()},
        _coverage(rng, rows.coverage, new),
    )


def _coverage(rng: np.random.Generator, stated: Any, new: Sequence[Any]) -> Any:
    kind = rng.random()
    if kind < 0.05:
        return None
    if kind < 0.6:
        return EVERYWHERE
    if kind < 0.7 or stated is None:
        middle = new[0].centroid.coords[0]
        return blob(rng, middle, 20_000.0)
    return stated
