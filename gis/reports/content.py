"""A record in words: what all faces of a report say, in one language, ready to be laid out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import shapely
import shapely.geometry

from gis.reports.words import Words, plain
from gis.screening.answer import Record
from gis.screening.findings import WORST_FIRST

__all__ = ["Beside", "Content", "write_content"]

# A site that is cut by the limit has no margin to it worth telling.
_MEASURABLE_M = 0.05

Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class Beside:
    """What is kept beside a record and belongs on its faces: its name, its dates, and its public address."""

    report_id: str
    created: datetime
    expires: datetime
    address: str | None = None


@dataclass(frozen=True)
class Content:
    """What a report says, in the order in which it says it; texts are plain, never markup.

    ``record`` is the record with each of its texts fit for a page; ``json`` is the record untouched. Dicts
    hold what tables show: see the functions that make them.
    """

    words: Words
    record: Record
    json: str
    beside: Beside
    headline: dict[str, str]
    warning: str | None
    site: Rows
    attributes: Rows
    parts: list[dict[str, Any]]
    themes: list[dict[str, Any]]
    laws: list[dict[str, Any]]
    clear_themes: str
    passing: list[str]
    deciding: list[dict[str, Any]]
    unknown: list[str]
    clear: list[dict[str, str]]
    sources: list[dict[str, str]]
    packs: list[dict[str, str]]
    proof: Rows

    @property
    def title(self) -> str:
        """The report's title with its district."""
        return f"{self.words.pick(self.record['district']['name'])} · {self.words('title')}"


def write_content(record: Record, beside: Beside, lang: str) -> Content:
    """The content of a report in ``lang`` ("zh" or "en"), from its record alone."""
    json = orjson.dumps(record, option=orjson.OPT_SORT_KEYS).decode()
    record, words = plain(record), Words(lang)
    themes = [_theme(words, theme) for theme in record["themes"]]
    laws = _laws(words, themes)
    clear = [t["title"] for t in themes if t["verdict"] == "clear" and not t["findings"]]
    return Content(
        words=words,
        record=record,
        json=json,
        beside=beside,
        headline=_verdict(words, record) | {"means": words(f"means.{record['verdict']}")},
        warning=words("phrase.rests_on_demonstration") if record["demonstration"] else None,
        site=_site(words, record),
        attributes=[_attribute(words, each) for each in record["asked"]["attributes"]],
        parts=_parts(words, record, record["parts"]),
        themes=[theme for theme in themes if theme["findings"]],
        laws=laws,
        clear_themes=words("phrase.clear_themes", names=words.listed(clear)) if clear else "",
        passing=_passing(words, record),
        deciding=_deciding(words, record),
        unknown=_unknown(words, record),
        clear=[_cleared(words, each) for each in record["clear"]],
        sources=_sources(words, record),
        packs=[_pack(words, pack) for pack in record["packs"]],
        proof=_proof(words, record, beside),
    )


def _verdict(words: Words, of: Record) -> dict[str, str]:
    severity = of.get("severity")
    return {
        "verdict": of["verdict"],
        "word": words(f"verdict.{of['verdict']}"),
        "severity": words(f"severity.{severity}") if severity else "",
    }


def _site(words: Words, record: Record) -> Rows:
    site, local = record["site"], record["site"]["area_local"]
    bound = words.metres(site["accuracy_m"])
    rows = [(words("label.kind"), words.pick(site["kind_title"]))]
    if site["area_m2"] is not None:
        mu = f" = {local['value']:,.2f} {words.pick(local['unit'])}" if local else ""
        rows.append((words("label.area"), words.area(site["area_m2"]) + mu))
        rows.append((words("label.ellipsoidal"), words.area(site["area_ellipsoidal_m2"])))
    if site["length_m"] is not None:
        rows.append((words("label.length"), words.metres(site["length_m"])))
    rows += [
        (words("label.center"), _center(site["geometry"])),
        (words("label.accuracy"), words(f"phrase.accuracy_{site['accuracy_source']}", accuracy=bound)),
        (words("label.crs"), site["crs"]),
        (words("label.measured"), record["district"]["measuring_crs"]),
        (words("label.law_date"), record["law_date"]),
        (words("label.revision"), words("phrase.revision", number=record["as_of"]["revision"])),
    ]
    return rows


def _center(geometry: Record) -> str:
    at = shapely.centroid(shapely.geometry.shape(geometry))
    return f"{at.x:.6f}°, {at.y:.6f}°"


def _attribute(words: Words, each: Record) -> tuple[str, str]:
    return words.pick(each["title"]), _value(words, each["value"], each["meaning"], each["unit"])


def _value(words: Words, value: Any, meaning: Record | None = None, unit: str | None = None) -> str:
    if value is None:
        return words("label.none_stated")
    if isinstance(value, bool):
        return {"zh": "是" if value else "否", "en": "yes" if value else "no"}[words.lang]
    told = words.pick(meaning) or str(value)
    return f"{told} {unit}" if unit else told


def _amount(words: Words, part: Record) -> tuple[float, str]:
    """How much a part is: m² of an area, m of a line, or points."""
    if "area_m2" in part:
        return part["area_m2"], words.area(part["area_m2"])
    if "length_m" in part:
        return part["length_m"], words.metres(part["length_m"])
    return part["count"], f"{part['count']:.0f}"


def _parts(words: Words, record: Record, parts: Record | None) -> list[dict[str, Any]]:
    unit = record["district"]["area_unit_local"]
    rows = []
    for name in WORST_FIRST if parts else ():
        part = (parts or {})[name]
        size, amount = _amount(words, part)
        local = size / unit["m2"] if unit and "area_m2" in part else None
        told = f"{local:,.2f} {words.pick(unit['name'])}" if local is not None else ""
        rows.append(
            {
                "verdict": name, "word": words(f"verdict.{name}"), "means": words(f"means.{name}"),
                "size": size, "amount": amount, "local_size": local, "local": told,
                "part": part["share"], "share": words.share(part["share"]),
            }
        )  # fmt: skip
    return rows


def _theme(words: Words, theme: Record) -> dict[str, Any]:
    worst = theme["parts"][theme["verdict"]] if theme["parts"] else None
    share = f"{_amount(words, worst)[1]} ({words.share(worst['share'])})" if worst else ""
    return _verdict(words, theme) | {
        "id": theme["id"],
        "title": words.pick(theme["title"]),
        "share": share,
        "findings": [_finding(words, finding) for finding in theme["findings"]],
    }


def _finding(words: Words, finding: Record) -> dict[str, Any]:
    official = finding["severity_if_official"]
    marks = []
    if official and official != finding["severity"]:
        marks.append(words("phrase.official", severity=words(f"severity.{official}")))
    if finding["statutory"] is not None:
        marks.append(words("phrase.statutory" if finding["statutory"] else "phrase.operational"))
    if finding["confidence"] == "M":
        marks.append(words("phrase.rule_unconfirmed"))
    if not finding["has_basis"]:
        marks.append(words("phrase.no_basis"))
    notes = [
        (words(f"label.{name}"), words.pick(finding[name])) for name in ("exceptions", "disposal", "penalty")
    ]
    remark = " ".join(words.pick(each) for each in [finding["note"], *finding["notes"]] if each)
    return _verdict(words, finding) | {
        "rule": finding["rule"],
        "title": words.pick(finding["title"]),
        "sentence": words.pick(finding["sentence"]),
        "marks": marks,
        "missing": words.listed([words.pick(each["title"]) for each in finding["missing"]]),
        "zones": [_zone(words, zone) for zone in finding["zones"]],
        "laws": [_law(words, law) for law in finding["legal"]],
        "notes": [(label, text) for label, text in [*notes, (words("label.note"), remark)] if text],
    }


def _zone(words: Words, zone: Record) -> dict[str, Any]:
    facts = []
    if zone["overlap_m2"]:
        facts.append(words("phrase.overlap", amount=words.area(zone["overlap_m2"])))
    elif zone["overlap_m"]:
        facts.append(words("phrase.overlap", amount=words.metres(zone["overlap_m"])))
    if zone["share"]:
        facts.append(words("phrase.of_site", share=words.share(zone["share"])))
    if zone["distance_m"] > 0 and zone["bearing_deg"] is not None:
        far, where = words.metres(zone["distance_m"]), words.bearing(zone["bearing_deg"])
        facts.append(words("phrase.distance", distance=far, bearing=where))
    if zone["margin_m"] is not None and abs(zone["margin_m"]) >= _MEASURABLE_M:
        side = "in" if zone["margin_m"] >= 0 else "out"
        facts.append(words(f"phrase.margin_{side}", margin=words.metres(abs(zone["margin_m"]))))
    if zone["error_m"] is not None:
        facts.append(words("phrase.error", error=words.metres(zone["error_m"])))
    if zone["on_boundary"]:
        facts.append(words("phrase.touch"))
    source = zone["source"] or {}
    return _verdict(words, zone) | {
        "name": zone["name"],
        "layer": words.pick(zone["layer_title"]),
        "facts": words.listed(facts),
        "source": words.pick(source.get("title")) or str(source.get("name") or ""),
        "bureau": source.get("bureau") or "",
        "marks": words.listed(_data_marks(words, zone)),
        "overlap": zone["overlap_m2"] if zone["overlap_m2"] is not None else zone["overlap_m"],
        "distance_m": zone["distance_m"],
    }


def _data_marks(words: Words, of: Record) -> list[str]:
    marks = [words("phrase.demonstration")] if of["is_demonstration"] else []
    return marks + ([words("phrase.indicative")] if of["is_indicative"] else [])


def _law(words: Words, law: Record) -> dict[str, Any]:
    since, until = law["valid_from"], law["valid_to"]
    force = words("phrase.between", since=since, until=until) if until else words("phrase.since", since=since)
    marks = [words("phrase.unconfirmed")] if law["confidence"] == "M" else []
    if not law["dates_confirmed"]:
        marks.append(words("phrase.dates_unconfirmed"))
    if law["ancillary"]:
        marks.append(words("phrase.ancillary"))
    return {
        "citation": words.pick(law["citation"]),
        "text": words.pick(law["text"]),
        "force": force,
        "marks": words.listed(marks),
    }


def _laws(words: Words, themes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each article once, numbered as the findings cite it, with the rules that do."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for finding in [finding for theme in themes for finding in theme["findings"]]:
        for law in finding["laws"]:
            kept = found.setdefault(
                (law["citation"], law["force"]), law | {"number": len(found) + 1, "of": []}
            )
            law["number"] = kept["number"]
            kept["of"].append(finding["rule"])
    return [law | {"rules": words.listed(law["of"])} for law in found.values()]


def _passing(words: Words, record: Record) -> list[str]:
    free, shift = record["passing"]["free"], record["passing"]["shift"]
    told = []
    if free is not None:
        amount = _amount(words, free)[1]
        whole = "all" if free["share"] >= 1 - 1e-9 else "some" if free["share"] > 0 else "none"
        told.append(words(f"phrase.free_{whole}", amount=amount, share=words.share(free["share"])))
        rest = free["without_conflict"]
        if free["share"] + 1e-9 < rest["share"]:
            amount, share = _amount(words, rest)[1], words.share(rest["share"])
            told.append(words("phrase.free_doubt", amount=amount, share=share))
    if not shift["wanted"]:
        told.append(words("phrase.shift_unwanted"))
    elif not shift["found"]:
        told.append(words("phrase.shift_none", search=words.metres(shift["search_m"])))
    else:
        told.append(_shift(words, shift))
        if shift["open_rules"]:
            told.append(words("phrase.shift_open", rules=words.listed(shift["open_rules"])))
    return told


def _shift(words: Words, shift: Record) -> str:
    return words(
        "phrase.shift_found",
        compass=words.compass(shift["bearing_deg"]), bearing=f"{shift['bearing_deg']:.0f}°",
        distance=f"{shift['distance_m']:.1f} m", dx=f"{shift['dx_m']:+.1f} m", dy=f"{shift['dy_m']:+.1f} m",
        verdict=words(f"verdict.{shift['verdict']}"),
    )  # fmt: skip


def _deciding(words: Words, record: Record) -> list[dict[str, Any]]:
    """What would have to be stated, by attribute: rules that it decides in the same way stand together."""
    grouped: dict[tuple[str, str, str, tuple[str, ...]], list[str]] = {}
    for each in record["passing"]["deciding"]:
        options = tuple(
            words("phrase.option", when=words.pick(o["when"]), verdict=words(f"verdict.{o['verdict']}"))
            for o in each["options"]
        )
        known: Record = next((a for a in record["asked"]["attributes"] if a["name"] == each["attribute"]), {})
        now = _value(words, each["value"], known.get("meaning"), known.get("unit"))
        if each["attribute"] == "accuracy_m":
            now = words.metres(each["value"])
        key = each["attribute"], words.pick(each["title"]), now, options
        grouped.setdefault(key, []).append(each["rule"])
    return [
        {"title": title, "now": now, "options": list(options), "rules": words.listed(rules)}
        for (_, title, now, options), rules in grouped.items()
    ]


def _unknown(words: Words, record: Record) -> list[str]:
    findings = [finding for theme in record["themes"] for finding in theme["findings"]]
    names = [words.pick(each["title"]) for finding in findings for each in finding["missing"]]
    told = [words("phrase.attributes_missing", names=words.listed(names))] if names else []
    for layer in record["layers"]:
        if layer["coverage"] != "full":
            told.append(words(f"phrase.layer_{layer['coverage']}", layer=words.pick(layer["title"])))
    return told


def _cleared(words: Words, cleared: Record) -> dict[str, str]:
    return {
        "rule": cleared["rule"],
        "title": words.pick(cleared["title"]),
        "reason": words.pick(cleared["reason"]),
    }


def _sources(words: Words, record: Record) -> list[dict[str, str]]:
    rows = []
    for layer in record["layers"]:
        changed = layer["changed"]
        sources = layer["sources"]
        rows.append(
            {
                "layer": words.pick(layer["title"]),
                "revision": str(layer["revision"]) if changed else words("phrase.never_changed"),
                "date": changed["at"][:10] if changed else "",
                "source": words.listed([words.pick(s["title"]) or s["name"] for s in sources]),
                "bureau": words.listed([s["bureau"] or "" for s in sources]),
                "coverage": words(f"phrase.coverage_{layer['coverage']}"),
                "marks": words.listed(_data_marks(words, layer)),
            }
        )
    return rows


def _pack(words: Words, pack: Record) -> dict[str, str]:
    return {
        "title": words.pick(pack["title"]),
        "id": pack["id"],
        "version": pack["version"],
        "hash": pack["hash"],
    }


def _proof(words: Words, record: Record, beside: Beside) -> Rows:
    rows = [
        (words("label.report_id"), beside.report_id),
        (words("label.created"), words.moment(beside.created)),
        (words("label.expires"), words.moment(beside.expires)),
        (words("label.engine"), record["engine"]),
        (words("label.district"), f"{record['district']['id']} ({record['district']['hash'][:12]})"),
        (words("label.scope"), record["access_scope"]),
    ]
    return [*rows, (words("label.address"), beside.address)] if beside.address else rows
