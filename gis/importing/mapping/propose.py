"""Which column may be which field, ranked, with the reasons: what the command line and the map offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rapidfuzz import fuzz

from gis.importing.mapping.codes import code_of, translations
from gis.importing.mapping.evidence import Evidence, Sampled, evidence_of, sampled
from gis.importing.mapping.heading import Heading
from gis.importing.mapping.names import Match, certain
from gis.importing.mapping.sample import columns_of, placing_columns, sample_of
from gis.importing.mapping.wording import NAME, OWN, Book, is_system, targets
from gis.importing.reading.spool import Reading
from layers.headings import fold
from layers.model import Field, Layer

__all__ = ["LISTED", "FieldProposal", "propose"]

LISTED = 0.5  # a score below is not worth a person's look
_LIKELY = 0.9  # the most that likeness can reach; above are names that leave no doubt
_SCORE = {NAME: 1.0, OWN: 1.0}
_SHARED_SCORE = 0.97
_HINT = 0.6  # less alike is hardly alike: any two words share some letters
_TELLING = 0.8  # for values of the field's very form under a name that says nothing
_MOST_COLUMNS = 100  # columns beyond are judged by their names alone


@dataclass(frozen=True)
class FieldProposal:
    """What is offered for one field.

    Attributes
    ----------
    column : str or None
        The best column; None when there is none worth a look.
    score : float
        1 for a name that leaves no doubt, down to 0; what is below `certain` is never taken unasked.
    certain : bool
        Whether `plan` takes it without being told.
    unit_from : str or None
        The unit in the heading that the values will be converted from.
    code_table : mapping of str to (str or None)
        For an enum: each distinct word of the sample and the code it stands for; None: it stands for none.
    others : tuple of (str, float)
        The next best columns with their scores.
    """

    field: str
    column: str | None
    score: float
    why_zh: str
    why_en: str
    certain: bool = False
    unit_from: str | None = None
    code_table: Mapping[str, str | None] | None = None
    others: tuple[tuple[str, float], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For the command line, JSON and the map."""
        return asdict(self)


@dataclass(frozen=True)
class _Pair:
    field: str
    column: str
    score: float
    why_zh: str
    why_en: str


def propose(layer: Layer, reading: Reading, saved: Mapping[str, str] | None = None) -> list[FieldProposal]:
    """A proposal for each field of ``layer`` in its order, then for what a row may state of itself.

    Names are compared with the field's name, titles, aliases and the vocabulary; the values of a few thousand
    rows with its type, form, code list and range. One column is proposed for one field. Pairs are taken from
    the best score down: one that leaves no doubt is never given up for a better sum, as an optimal assignment
    would. The same whatever the order of the columns.
    """
    placed = placing_columns(reading)
    columns = [c for c in columns_of(reading) if c not in placed and not is_system(layer, c)]
    sample = sample_of(reading)
    samples = {c: sampled(sample.column(c)) for c in columns[:_MOST_COLUMNS]} if sample.num_columns else {}
    pairs = _pairs(Book(layer), columns, samples, saved or {}, reading)
    chosen: dict[str, _Pair] = {}
    order = {target.name: i for i, target in enumerate(targets(layer))}
    taken: set[str] = set()
    for pair in sorted(pairs, key=lambda p: (-p.score, order[p.field], p.column)):
        if pair.score >= LISTED and pair.field not in chosen and pair.column not in taken:
            chosen[pair.field] = pair
            taken.add(pair.column)
    own = {field.name for field in layer.fields}
    return [
        _proposal(target, chosen.get(target.name), pairs, samples, taken)
        for target in targets(layer)
        if target.name in own or target.name in chosen
    ]


def _proposal(
    target: Field, pair: _Pair | None, pairs: Sequence[_Pair], samples: Mapping[str, Sampled], taken: set[str]
) -> FieldProposal:
    if pair is None:
        return FieldProposal(target.name, None, 0.0, "没有相像的列", "no column is like it")
    others = sorted(
        ((p.column, p.score) for p in pairs if p.field == target.name and p.column != pair.column),
        key=lambda other: (-other[1], other[0]),
    )
    unit = Heading.of(pair.column).unit
    words = translations(target)
    table = None
    if target.type == "enum" and pair.column in samples:
        table = {word: code_of(word, words) for word in samples[pair.column].words}
    return FieldProposal(
        target.name, pair.column, round(pair.score, 3), pair.why_zh, pair.why_en,
        certain=pair.score > _LIKELY,
        unit_from=unit.id if unit is not None and target.unit not in (None, unit.id) else None,
        code_table=table,
        others=tuple((c, round(s, 3)) for c, s in others if s >= LISTED)[:3],
    )  # fmt: skip


def _pairs(
    book: Book,
    columns: Sequence[str],
    samples: Mapping[str, Sampled],
    saved: Mapping[str, str],
    reading: Reading,
) -> list[_Pair]:
    pairs = [
        _Pair(name, column, 1.0, "与此来源上次导入时相同", "as at this source's last import")
        for name, column in saved.items()
        if column in columns and any(target.name == name for target in book.targets)
    ]
    sure = certain(
        book, columns, {p.field: p.column for p in pairs}, cut=reading.header.format == "shapefile"
    )
    for matches in sure.values():
        rivals = [m for m in matches if m.standing == matches[0].standing]
        for found in matches:
            pairs.append(_named(found, doubtful=len(rivals) > 1 and found in rivals))
    done = {(p.field, p.column) for p in pairs}
    for target in book.targets:
        for column in columns:
            if (target.name, column) not in done:
                pairs.append(_alike(book, target, column, samples.get(column)))
    return pairs


def _named(found: Match, *, doubtful: bool) -> _Pair:
    """A pair by name; two columns of the same name in two spellings are a question, not an answer."""
    score = _SCORE.get(found.wording.sure, _SHARED_SCORE)
    zh, en = f"列名即{found.wording.why_zh}“{found.wording.text}”", f"named as {found.wording.why_en}"
    if found.factor_from is not None:
        zh, en = f"{zh}，单位 {found.factor_from.id} 将换算", f"{en}; converted from {found.factor_from.id}"
    if doubtful:
        score, zh, en = _LIKELY, f"{zh}，但另有同名的列", f"{en}, and so is another column"
    return _Pair(found.field, found.column, score, zh, en)


def _alike(book: Book, target: Field, column: str, sample: Sampled | None) -> _Pair:
    """How alike name and values are to the field's, at most `_LIKELY`."""
    likeness, zh, en = _likeness(book, target, Heading.of(column))
    evidence = None
    if sample is not None and (
        likeness > 0.2 or target.format is not None or target.type in ("enum", "date")
    ):
        evidence = evidence_of(target, sample, key=target.name in book.layer.key)
    score = _weighed(likeness, evidence)
    if evidence is not None:
        zh, en = f"{zh}；{evidence.why_zh}", f"{en}; {evidence.why_en}"
    return _Pair(target.name, column, score, zh, en)


def _weighed(likeness: float, evidence: Evidence | None) -> float:
    """Values of the wrong kind spoil a likeness; values of a telling form carry a name that says nothing."""
    if evidence is None:
        return min(likeness, _LIKELY)
    if evidence.fit < 0.5:
        return likeness * evidence.fit
    score = 0.8 * likeness + 0.2 * evidence.fit if likeness >= _HINT else likeness
    if evidence.telling and evidence.fit >= 0.8:
        score = max(score, _TELLING * evidence.fit + 0.1 * likeness)
    return min(score, _LIKELY)


def _likeness(book: Book, target: Field, heading: Heading) -> tuple[float, str, str]:
    """How like the column's name is to the names of the field, and to which."""
    core = heading.core or heading.whole
    best, nearest = 0.0, target.name
    for wording in book.wordings(target):
        word = wording.whole
        score = fuzz.ratio(core, word) / 100
        shorter, longer = sorted((core, word), key=len)
        # Two Chinese characters are a word; two Latin letters are in every other word.
        if len(shorter) >= (4 if shorter.isascii() else 2) and shorter in longer:
            score = max(score, 0.5 + 0.35 * len(shorter) / len(longer))
        if score > best:
            best, nearest = score, wording.text
    for hint in book.hints(target):
        if fold(hint) == core and best < _HINT:
            best, nearest = _HINT, hint
    best = min(best, _LIKELY)
    return (
        (best if best >= _HINT else best * best),
        f"列名与“{nearest}”相像度 {best:.0%}",
        f"its name is {best:.0%} like {nearest!r}",
    )
