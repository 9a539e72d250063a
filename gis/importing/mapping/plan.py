"""Which column goes to which field, decided; and a batch of rows brought into the layer's terms by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from gis.importing.issues import FILE, Issue, refused
from gis.importing.mapping.names import Heading, Match, is_system, match, targets
from gis.importing.mapping.quantities import Conversion
from gis.importing.mapping.sample import columns_of, same_values, sample_of
from gis.importing.mapping.values import read_values
from gis.importing.reading.spool import GEOM, ROW, Reading
from layers.model import Field, Layer

__all__ = ["FieldPlan", "certain", "plan"]


@dataclass(frozen=True)
class FieldPlan:
    """A decided mapping.

    Attributes
    ----------
    mapping : mapping of str to str
        Field (or accuracy_m, is_indicative, valid_from, valid_to) -> column.
    conversions : mapping of str to Conversion
        Field -> the unit that its column's heading states, where values have to be converted.
    unmapped : tuple of str
        Columns that go nowhere, in the order of the file.
    notes : tuple of Issue
        What concerns the file as a whole; none of them refuses it.
    """

    layer: Layer
    mapping: Mapping[str, str]
    conversions: Mapping[str, Conversion] = field(default_factory=dict)
    unmapped: tuple[str, ...] = ()
    notes: tuple[Issue, ...] = ()

    def apply(self, batch: pa.RecordBatch) -> tuple[dict[str, pa.Array], list[Issue]]:
        """The mapped fields of ``batch`` (one of `Reading.batches`), and an issue for each changed value.

        Values are native where every one of the batch could be read, else text, with what could not be read
        as it stands; an array for each mapped field, none for the others. Geometry is not touched.
        """
        rows = batch.column(ROW)
        values: dict[str, pa.Array] = {}
        issues: list[Issue] = []
        for target in targets(self.layer):
            column = self.mapping.get(target.name)
            if column is None:
                continue
            read = read_values(
                target,
                batch.column(_place(batch.schema, column)),
                key=target.name in self.layer.key,
                unit=self.conversions.get(target.name),
            )
            values[target.name] = read.values
            issues += [
                Issue(rows[r.position].as_py(), target.name, r.value, r.code, r.severity, r.original)
                for r in read.remarks
            ]
        return values, issues

    def as_dict(self) -> dict[str, Any]:
        """For the command line, JSON and the map."""
        return {
            "mapping": dict(self.mapping),
            "conversions": {
                name: {"from": conversion.source, "to": conversion.target}
                for name, conversion in self.conversions.items()
            },
            "unmapped": list(self.unmapped),
        }


def _place(schema: pa.Schema, column: str) -> int:
    """The place of the attribute ``column``; a column of that name may not be the row number or geometry."""
    return next(i for i in schema.get_all_field_indices(column) if i not in (ROW, GEOM))


def plan(
    layer: Layer,
    reading: Reading,
    given: Mapping[str, str] | None = None,
    saved: Mapping[str, str] | None = None,
) -> FieldPlan:
    """The mapping of ``reading`` to ``layer``.

    What the importer says comes first, then what was saved for the source, then what the columns' own names
    say beyond doubt: field name, title or alias of the layer, a synonym of the shared vocabulary. Likeness
    decides nothing; see `gis.importing.mapping.propose` for what may be offered.

    Parameters
    ----------
    given, saved : mapping of str to str, optional
        Field -> column; an empty column leaves the field out.

    Raises
    ------
    ImportRefused
        A given field or column does not exist; two columns with different values mean one field; a required
        field has no column.
    """
    columns = columns_of(reading)
    given = dict(given or {})
    _check_given(layer, given, columns)
    notes: list[Issue] = []
    chosen = dict(given)
    for name, column in (saved or {}).items():
        if name in chosen or all(name != target.name for target in targets(layer)):
            continue
        if column and column not in columns:
            notes.append(Issue(FILE, name, column, "saved_column_gone", "warning"))
        elif not column or column not in chosen.values():
            chosen[name] = column
    matches = certain(
        layer, [c for c in columns if c not in chosen.values() and not _places(reading, c)], chosen
    )
    chosen |= {name: found.column for name, found in _decided(matches, reading).items()}
    mapping = {name: column for name, column in chosen.items() if column}
    _check_required(layer, reading, mapping, columns)
    conversions: dict[str, Conversion] = {}
    for target in targets(layer):
        if target.name in mapping:
            _note_unit(target, Heading.of(mapping[target.name]), conversions, notes)
    left = [c for c in columns if c not in mapping.values() and not _places(reading, c)]
    notes += [Issue(FILE, None, c, "system_column_ignored", "warning") for c in left if is_system(layer, c)]
    return FieldPlan(layer, mapping, conversions, tuple(left), tuple(notes))


def _places(reading: Reading, column: str) -> bool:
    """Whether the geometry was made from ``column``."""
    return column in (reading.header.x, reading.header.y, reading.header.wkt)


def _check_given(layer: Layer, given: Mapping[str, str], columns: Sequence[str]) -> None:
    fields = [target.name for target in targets(layer)]
    unknown = sorted(set(given) - set(fields))
    if unknown:
        raise refused("mapped_field_unknown", value=", ".join(unknown), expected=", ".join(fields))
    absent = sorted({column for column in given.values() if column} - set(columns))
    if absent:
        raise refused("mapped_column_missing", value=", ".join(absent), expected=_listed(sorted(columns)))


def _listed(columns: Sequence[str]) -> str:
    """At most thirty names; a table of a thousand columns is not read out."""
    shown = ", ".join(columns[:30])
    return shown if len(columns) <= 30 else f"{shown}, … ({len(columns)})"


def certain(layer: Layer, columns: Sequence[str], taken: Mapping[str, str]) -> dict[str, list[Match]]:
    """Field -> the columns whose names alone say that they are it, the surest first.

    A column that is as surely another field's belongs to neither. Fields in ``taken`` are left out.
    """
    found: dict[str, list[Match]] = {}
    open_targets = [target for target in targets(layer) if target.name not in taken]
    for column in columns:
        heading = Heading.of(column)
        named = [m for m in (match(layer, target, heading) for target in open_targets) if m is not None]
        if not named:
            continue
        best = max(map(_rank, named))
        leading = [m for m in named if _rank(m) == best]
        if len(leading) == 1:
            found.setdefault(leading[0].field, []).append(leading[0])
    return {name: sorted(matches, key=_rank, reverse=True) for name, matches in found.items()}


def _rank(found: Match) -> tuple[int, bool]:
    """A name of the layer's own before one of the vocabulary, the field's own unit before a conversion."""
    return found.sure, found.factor_from is None


def _decided(matches: Mapping[str, list[Match]], reading: Reading) -> dict[str, Match]:
    """One column a field. Two that are equally sure and differ are asked about, by refusing."""
    doubtful = []
    for name, found in matches.items():
        rivals = [m.column for m in found if _rank(m) == _rank(found[0])]
        if len(rivals) > 1 and not same_values(sample_of(reading), rivals):
            doubtful.append((name, rivals))
    if doubtful:
        raise refused(
            "column_ambiguous",
            field=", ".join(name for name, _ in doubtful),
            value="; ".join(" / ".join(rivals) for _, rivals in doubtful),
            expected=" ".join(f"--map {name}={rivals[0]}" for name, rivals in doubtful),
        )
    return {name: found[0] for name, found in matches.items()}


def _check_required(
    layer: Layer, reading: Reading, mapping: Mapping[str, str], columns: Sequence[str]
) -> None:
    absent = [f for f in layer.fields if f.required and f.name not in mapping]
    if absent:
        raise refused(
            "required_column_missing",
            field="、".join(f"{f.name}（{f.title.zh}）" for f in absent),
            value=_listed([c for c in columns if not _places(reading, c)]),
            expected=" ".join(f"--map {f.name}=…" for f in absent),
        )


def _note_unit(
    target: Field, heading: Heading, conversions: dict[str, Conversion], notes: list[Issue]
) -> None:
    """The conversion that the heading of a mapped column asks for; a note where it cannot be made."""
    if target.unit is None or heading.unit_text is None or heading.whole == target.name.replace("_", ""):
        return
    if heading.unit is not None:
        try:
            conversion = Conversion.between(heading.unit, target.unit)
        except (ValueError, KeyError):
            pass
        else:
            if conversion.numerator != conversion.denominator:
                conversions[target.name] = conversion
            return
    notes.append(Issue(FILE, target.name, heading.unit_text, "unit_unknown", "warning"))
