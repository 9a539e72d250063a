"""Columns of text made into rows with points or other geometry; shared by delimited text and workbooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gis.importing.issues import Issue
from gis.importing.reading.formats.coordinates import (
    Axis,
    Numbers,
    parse_axis,
    parse_pairs,
    point_wkb,
)
from gis.importing.reading.formats.paste import GeometryTexts, parse_geometries
from gis.importing.reading.formats.roles import Roles
from gis.importing.reading.spool import Header

__all__ = ["Placed"]


@dataclass
class Placed:
    """Makes the geometry of a table from its columns of coordinates, batch by batch.

    Parameters
    ----------
    names : sequence of str
        All columns.
    roles : Roles
        Which of them hold the place.
    """

    names: Sequence[str]
    roles: Roles
    dms: bool = False
    srids: set[int] = field(default_factory=set)

    def geometry(
        self, columns: Sequence[pa.Array], first: int, unread: set[int] | None = None
    ) -> tuple[pa.Array, list[Issue]]:
        """WKB of each row or null, and what was found in the coordinates.

        Parameters
        ----------
        columns : sequence of pa.Array
            All columns of the table; those of coordinates are strings.
        first : int
            The number of the first row.
        unread : set of int
            Places of rows that are refused already: no geometry, no further issue.
        """
        count = len(columns[0]) if columns else 0
        if self.roles.wkt is not None:
            return self._from_texts(columns[self.roles.wkt], first, unread or set())
        if self.roles.pair is not None:
            texts, name = columns[self.roles.pair], self.names[self.roles.pair]
            x, y = parse_pairs(texts, y_first=self.roles.y_first)
            issues = x.issues(name, texts, first)
        elif self.roles.x:
            x, y, issues = self._axes(columns, first)
        else:
            return pa.nulls(count, pa.binary()), []
        self.dms = self.dms or x.dms or y.dms
        if unread:
            x.values[list(unread)] = np.nan
            issues = [issue for issue in issues if issue.row - first not in unread]
        return point_wkb(x.values, y.values), issues

    def _axes(self, columns: Sequence[pa.Array], first: int) -> tuple[Numbers, Numbers, list[Issue]]:
        """Both columns; a row where both had to be parsed has one issue, not two."""
        (x, x_name, x_texts), (y, y_name, y_texts) = (self._axis(columns, axis) for axis in ("x", "y"))
        both = {at: (text, y.parsed[at]) for at, text in x.parsed.items() if at in y.parsed}
        name = f"{x_name}, {y_name}"
        issues = [
            Issue(
                first + at,
                name,
                f"{float(x.values[at])!r}, {float(y.values[at])!r}",
                "coordinate_parsed",
                "repair",
                f"{one}, {two}",
            )
            for at, (one, two) in both.items()
        ]
        for numbers, each, texts in ((x, x_name, x_texts), (y, y_name, y_texts)):
            numbers.parsed = {at: text for at, text in numbers.parsed.items() if at not in both}
            issues += numbers.issues(each, texts, first)
        return x, y, issues

    def _axis(self, columns: Sequence[pa.Array], axis: Axis) -> tuple[Numbers, str, pa.Array]:
        places = self.roles.x if axis == "x" else self.roles.y
        texts = columns[places[0]]
        if len(places) > 1:
            texts = _joined([columns[place] for place in places])
        return parse_axis(texts, axis, geographic=self.roles.geographic), self.names[places[0]], texts

    def _from_texts(self, texts: pa.Array, first: int, unread: set[int]) -> tuple[pa.Array, list[Issue]]:
        held = texts.to_pylist()
        for at in unread:
            held[at] = None
        found = parse_geometries(held)
        self.srids |= found.srids
        return pa.array(found.wkb, pa.binary()), found.issues(self._wkt, first)

    @property
    def _wkt(self) -> str | None:
        return None if self.roles.wkt is None else self.names[self.roles.wkt]

    def attributes(self) -> list[int]:
        """The columns that go on as attributes: all but the one of geometry text.

        Columns of coordinates stay, as they were written: a refused row must be given back whole.
        """
        return [at for at in range(len(self.names)) if at != self.roles.wkt]

    def header(self, format: str, **known: object) -> Header:
        """The header, with the columns that the geometry came from."""
        pair = self.names[self.roles.pair] if self.roles.pair is not None else None
        return Header(
            format,
            declared_crs=GeometryTexts([], srids=self.srids).crs(),
            columns=tuple(self.names[at] for at in self.attributes()),
            x=self.names[self.roles.x[0]] if self.roles.x else pair,
            y=self.names[self.roles.y[0]] if self.roles.y else pair,
            wkt=self._wkt,
            coordinate_unit="dms" if self.dms else "native",
            **known,  # type: ignore[arg-type]
        )


def _joined(parts: Sequence[pa.Array]) -> pa.Array:
    """Columns of degrees, minutes and seconds as one text; null where there are no degrees."""
    signs = ("°", "′", "″")
    marked = [
        pc.if_else(pc.equal(pc.utf8_length(trimmed), 0), None, pc.binary_join_element_wise(trimmed, sign, ""))
        for trimmed, sign in (
            (pc.utf8_trim_whitespace(part), sign) for part, sign in zip(parts, signs, strict=False)
        )
    ]
    rest = [pc.fill_null(part, "") for part in marked[1:]]
    return pc.binary_join_element_wise(marked[0], *rest, "")
