"""Which column goes to which field, decided; and a batch of rows brought into the layer's terms by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from gis.importing.issues import FILE, Issue, refused
from gis.importing.mapping.heading import Heading
from gis.importing.mapping.names import Match, certain
from gis.importing.mapping.propose import FieldProposal, propose
from gis.importing.mapping.quantities import Conversion
from gis.importing.mapping.sample import columns_of, placing_columns, same_values
from gis.importing.mapping.values import read_values
from gis.importing.mapping.wording import Book, is_system, targets
from gis.importing.reading.spool import GEOM, ROW, Reading
from layers.model import Field, Layer

__all__ = ["FieldPlan", "plan"]


@dataclass(frozen=True)
class FieldPlan:
    """A decided mapping.

    Attributes
    ----------
    mapping : mapping of str to str
        Field (or accuracy_m, is_indicative, valid_from, valid_to) -> column.
    conversions : mapping of str to Conversion
        Field -> the unit that its column's heading states, where values have to be converted.
    left_out : tuple of str
        Fields that take no column because the importer said so, now or before.
    unmapped : tuple of str
        Columns that go nowhere, in the order of the file.
    notes : tuple of Issue
        What concerns the file as a whole; none of them refuses it.
    offers : tuple of FieldProposal
        Columns that may be fields that have none, to be confirmed by a person; they are not applied.
    """

    layer: Layer
    mapping: Mapping[str, str]
    conversions: Mapping[str, Conversion] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()
    notes: tuple[Issue, ...] = ()
    offers: tuple[FieldProposal, ...] = ()

    @property
    def kept(self) -> dict[str, str]:
        """What to save for the source's next file: field -> column, empty for a field that is left out."""
        return {**self.mapping, **dict.fromkeys(self.left_out, "")}

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
            "offers": [offer.as_dict() for offer in self.offers],
        }


def _place(schema: pa.Schema, column: str) -> int:
    """The place of the attribute ``column``; a column of that name may not be the row number or geometry."""
    return next(i for i, name in enumerate(schema.names) if name == column and i not in (ROW, GEOM))


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
    book = Book(layer)
    columns, placing = columns_of(reading), placing_columns(reading)
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
    free = [c for c in columns if c not in chosen.values() and c not in placing]
    matches = certain(book, free, chosen, cut=reading.header.format == "shapefile")
    chosen |= {name: found.column for name, found in _decided(matches, reading).items()}
    mapping = {name: column for name, column in chosen.items() if column}
    left = [c for c in columns if c not in mapping.values() and c not in placing]
    offers = _offers(layer, reading, chosen, left)
    _check_required(layer, mapping, left, offers)
    conversions: dict[str, Conversion] = {}
    for target in targets(layer):
        if target.name in mapping:
            _note_unit(book, target, Heading.of(mapping[target.name]), conversions, notes)
    # Without a key a row is known by the uid that an export wrote beside it; that column is used, not set.
    ignored = [c for c in left if is_system(layer, c) and (layer.key or c != "uid")]
    if ignored:
        notes.append(Issue(FILE, None, _listed(ignored), "system_column_ignored", "warning"))
    notes += [Issue(FILE, o.field, o.column, "column_offered", "warning") for o in offers]
    left_out = tuple(name for name, column in chosen.items() if not column)
    return FieldPlan(layer, mapping, conversions, left_out, tuple(left), tuple(notes), tuple(offers))


def _offers(
    layer: Layer, reading: Reading, chosen: Mapping[str, str], left: Sequence[str]
) -> list[FieldProposal]:
    """For fields without a column, the columns that may be theirs; they are told, not taken."""
    if not left or all(f.name in chosen for f in layer.fields):
        return []
    return [p for p in propose(layer, reading) if p.field not in chosen and p.column in left]


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


def _decided(matches: Mapping[str, list[Match]], reading: Reading) -> dict[str, Match]:
    """One column a field. Two that are equally sure and differ are asked about, by refusing."""
    doubtful = []
    for name, found in matches.items():
        rivals = [m.column for m in found if m.standing == found[0].standing]
        if len(rivals) > 1 and not same_values(reading, rivals):
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
    layer: Layer, mapping: Mapping[str, str], left: Sequence[str], offers: Sequence[FieldProposal]
) -> None:
    absent = [f for f in layer.fields if f.required and f.name not in mapping]
    if absent:
        guess = {offer.field: offer.column for offer in offers}
        raise refused(
            "required_column_missing",
            field="、".join(f"{f.name}（{f.title.zh}）" for f in absent),
            value=_listed(left),
            expected=" ".join(f"--map {f.name}={guess.get(f.name) or '…'}" for f in absent),
        )


def _note_unit(
    book: Book, target: Field, heading: Heading, conversions: dict[str, Conversion], notes: list[Issue]
) -> None:
    """The conversion that the heading of a mapped column asks for; a note where it cannot be made."""
    stated = heading.unit_text or heading.remark
    if target.unit is None or stated is None or book.in_full(target, heading):
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
    notes.append(Issue(FILE, target.name, stated, "unit_unknown", "warning"))
