"""Which subjects have to be judged again, and by which rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["WHOLE", "Scope", "holds", "part_of", "parted"]

WHOLE = "*"
"""Stands for all rules."""


def part_of(zone_layer: str, rules: Iterable[str]) -> str:
    """Names some of the rules on a zone layer as what is judged together."""
    return f"{zone_layer}|{' '.join(sorted(rules))}"


def parted(part: str) -> tuple[str, tuple[str, ...]]:
    """The zone layer that a part names, and the rules; none stands for all on that layer."""
    zone_layer, _, rules = part.partition("|")
    return zone_layer, tuple(rules.split())


def holds(parts: Collection[str], rule: str, zone_layer: str) -> bool:
    """Whether a rule on a zone layer is in any of the parts."""
    if WHOLE in parts or zone_layer in parts:
        return True
    return any(layer == zone_layer and rule in rules for layer, rules in map(parted, parts))


class Scope:
    """Subjects whose rows in the ledger may no longer be right, with the parts of the rules that wrote them.

    A part is a zone layer, for all rules on it; or, by `part_of`, some of them that share no zone with the
    others: what is open between a subject and a zone is one row for all rules about that zone. For a coarsely
    placed subject the rows of all rules are one.

    Attributes
    ----------
    everything : bool
        All subjects of all layers.
    reweighed : set of (subject layer, rule)
        Rules that find what they found, with another severity or group. What they alone stand behind is not
        judged but written anew; what several rules stand behind is in the scope.
    other_zones : set of (zone layer, uid)
        Zones with another outline all around: hardly a row about them stays as it is.
    other_limits : set of str
        Rules with another distance: nor does a row of theirs.
    """

    def __init__(self, *, everything: bool = False) -> None:
        self.everything = everything
        self.reweighed: set[tuple[str, str]] = set()
        self.other_zones: set[tuple[str, str]] = set()
        self.other_limits: set[str] = set()
        self._every: dict[str, set[str]] = {}
        self._some: dict[str, list[tuple[str, NDArray[np.object_]]]] = {}

    def add(self, subject_layer: str, zone_layer: str, uids: Iterable[str]) -> None:
        """Add some subjects of a layer."""
        array = np.array(list(uids), dtype=object)
        if len(array):
            self._some.setdefault(subject_layer, []).append((zone_layer, array))

    def add_every(self, subject_layer: str, zone_layer: str) -> None:
        """Add all subjects of a layer."""
        self._every.setdefault(subject_layer, set()).add(zone_layer)

    @property
    def is_empty(self) -> bool:
        """Whether nothing has to be judged."""
        return not (self.everything or self._every or self._some or self.reweighed)

    @property
    def is_apart(self) -> bool:
        """Whether it names each subject, so that what is found of some of them can be written by itself."""
        return not (self.everything or self._every or self.reweighed)

    def layers(self) -> list[str]:
        """The subject layers with anything to judge; all that there are where it is everything."""
        return sorted(self._every.keys() | self._some.keys())

    def every(self, subject_layer: str) -> frozenset[str]:
        """The zone layers for which all subjects of a layer are to be judged."""
        return frozenset({WHOLE}) if self.everything else frozenset(self._every.get(subject_layer, ()))

    def uids(self, subject_layer: str) -> NDArray[np.object_]:
        """The subjects of a layer that were added one by one, each once."""
        parts = [uids for _, uids in self._some.get(subject_layer, ())]
        return np.asarray(pd.unique(np.concatenate(parts)), dtype=object) if parts else np.empty(0, object)

    def groups(
        self, subject_layer: str, uids: NDArray[np.object_], coarse: NDArray[np.bool_]
    ) -> Iterator[tuple[frozenset[str], NDArray[np.int64]]]:
        """Which of ``uids`` (unique) are to be judged by the same zone layers, with those layers.

        ``coarse`` marks those that can only be judged as a whole, if at all.
        """
        base = self.every(subject_layer)
        place = pd.Index(uids)
        known = sorted(base | {zone for zone, _ in self._some.get(subject_layer, ())})
        flags = np.zeros((len(uids), len(known)), dtype=bool)
        flags[:, [known.index(zone) for zone in base]] = True
        for zone, some in self._some.get(subject_layer, ()):
            at = place.get_indexer(pd.Index(some))
            flags[at[at >= 0], known.index(zone)] = True
        whole = coarse & flags.any(axis=1)
        if WHOLE in known:
            whole |= flags[:, known.index(WHOLE)]
        flags[whole] = False
        if whole.any():
            yield frozenset({WHOLE}), np.flatnonzero(whole)
        kinds, kind = np.unique(flags, axis=0, return_inverse=True)
        for number, row in enumerate(kinds):
            if row.any():
                zones = frozenset(zone for zone, flag in zip(known, row, strict=True) if flag)
                yield zones, np.flatnonzero(kind.reshape(-1) == number)
