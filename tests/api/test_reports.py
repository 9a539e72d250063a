"""Reports: one number for one answer, kept as it was, and told when it no longer holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
from fastapi.testclient import TestClient
from sqlalchemy import text

from gis.db import connect
from gis.errors import DatabaseError
from gis.importing.checks import check_field
from gis.importing.issues import Issue
from gis.reports import current_page, current_state, keep_report, report_face
from gis.reports.deciding import rule_filters, trial_values
from gis.reports.record import canonical, make_record, report_id
from gis.reports.store import Report
from gis.screening import snapshot
from gis.screening.filters import Attributes, evaluate
from gis.screening.request import ScreenRequest
from gis.screening.snapshot import enabled_rules
from gis.settings import MapDefinition, Settings
from layers.predicates import DWithin
from layers.rulemodel import PARCEL, Unless
from tests.api.conftest import BASE, PADS, SmallMap, client_of
from tests.api.test_errors import SCREEN, shape

CUT = "POLYGON((120.008 28.904,120.0115 28.904,120.0115 28.9055,120.008 28.9055,120.008 28.904))"
"""A site of which some four sevenths lie on the pad."""
FAR = 'FAR,true,"POLYGON((120.3 28.9,120.31 28.9,120.31 28.91,120.3 28.9))"\n'


def asked(wkt: str = CUT, **more: Any) -> ScreenRequest:
    return ScreenRequest(**{"geometry": shapely.from_wkt(wkt), "accuracy_m": 1.0, **more})


def keep(small: SmallMap, request: ScreenRequest | None = None) -> Report:
    return keep_report(small.engine, small.definition, small.settings, request or asked(), who="tester")


def with_rule(definition: MapDefinition, **changed: Any) -> MapDefinition:
    """The small map with its only rule changed, under another hash."""
    pack = definition.packs["wells"]
    rule = pack.rules[0].model_copy(update={"hash": "other", **changed})
    return replace(definition, packs={"wells": pack.model_copy(update={"rules": (rule,), "hash": "other"})})


def test_the_same_question_has_one_number(shared_map: SmallMap) -> None:
    def number(**more: Any) -> str:
        return report_id(make_record(shared_map.engine, shared_map.definition, asked(**more)))

    one = number(attributes={"kind": "dug", "depth": 3.5})
    snapshot._PREPARED.clear()
    snapshot._SNAPSHOTS.clear()
    assert number(attributes={"depth": 3.5, "kind": "dug"}) == one
    others = [
        number(attributes={"kind": "bored", "depth": 3.5}), number(attributes={"kind": "dug"}),
        number(attributes={"kind": "dug", "depth": 3.5}, accuracy_m=2.0), number(as_of="1"),
        number(attributes={"kind": "dug", "depth": 3.5}, law_date=date(2020, 1, 1)),
    ]  # fmt: skip
    assert len({one, *others}) == 6


def test_the_number_is_the_hash_of_the_record_and_of_nothing_that_varies(own_map: SmallMap) -> None:
    first = keep(own_map)
    assert hashlib.sha256(first.body).hexdigest() == first.report_id
    assert canonical(first.record) == first.body
    assert "head" not in first.record["as_of"] and first.created.isoformat() not in first.body.decode()
    again = keep(own_map)
    assert (again.report_id, again.created, again.expires) == (first.report_id, first.created, first.expires)
    assert first.expires - first.created == timedelta(days=180)
    record = first.record
    assert record["access_scope"] == "public" and record["engine"].startswith("onemap ")
    assert record["packs"][0]["hash"] and record["district"]["hash"] and record["rules"][0]["hash"]
    assert record["layers"][0]["changed"]["source"] == "survey"


@pytest.mark.parametrize("table", ["reports", "report_faces"])
@pytest.mark.parametrize(
    "change", ["UPDATE core.{} SET at = now()", "DELETE FROM core.{}", "TRUNCATE core.{} CASCADE"]
)
def test_the_database_refuses_to_change_a_report(shared_map: SmallMap, table: str, change: str) -> None:
    keep(shared_map)
    with pytest.raises(DatabaseError, match="never changed"), connect(shared_map.engine, write=True) as conn:
        conn.execute(text(change.format(table)))


def test_a_report_tells_which_revision_changed_it(own_map: SmallMap) -> None:
    report = keep(own_map)
    now = current_state(own_map.engine, own_map.definition, own_map.settings, report)
    assert now["valid"] and now["because"] == [] and now["moved"] == []
    own_map.load("pads", PADS + FAR)
    still = current_state(own_map.engine, own_map.definition, own_map.settings, report)
    assert still["valid"] and still["moved"][0]["layer"] == "pads"
    changing = own_map.load("pads", PADS.replace("120.01 ", "120.009 "))
    own_map.load(
        "pads", 'code,strict,wkt\nFAR2,true,"POLYGON((120.4 28.9,120.41 28.9,120.41 28.91,120.4 28.9))"\n'
    )
    after = current_state(own_map.engine, own_map.definition, own_map.settings, report)
    assert not after["valid"] and not after["expired"]
    (cause,) = after["because"]
    assert (cause["cause"], cause["revision"]) == ("revision", changing.change.rev)
    assert (cause["source"], cause["rules"]) == ("survey", ["WL-01"]) and cause["who"] and cause["at"]
    (rule,) = after["changed"]["rules"]
    assert rule["before"]["parts"]["conflict"] > rule["now"]["parts"]["conflict"] > 0
    own_map.load("pads", PADS.replace("120.0", "119.6"))
    gone = current_state(own_map.engine, own_map.definition, own_map.settings, report)
    assert gone["verdict"] == {
        "before": {"verdict": "conflict", "severity": "prohibited"},
        "now": {"verdict": "clear", "severity": None},
    }
    assert [theme["theme"] for theme in gone["changed"]["themes"]] == ["WL"]
    page = current_page(gone, "en")
    assert "no longer holds" in page and "Revision " in page and "rules WL-01" in page


def test_a_report_tells_that_rules_or_the_law_changed_it(shared_map: SmallMap) -> None:
    report = keep(shared_map)
    milder = with_rule(shared_map.definition, severity="review")
    now = current_state(shared_map.engine, milder, shared_map.settings, report)
    (cause,) = now["because"]
    assert "Rule pack wells" in current_page(now, "en")
    assert cause["cause"] == "rules" and cause["now"]["hash"] == "other" and not now["valid"]
    old = keep(shared_map, asked(law_date=date(1990, 1, 1)))
    (cause,) = current_state(shared_map.engine, shared_map.definition, shared_map.settings, old)["because"]
    assert (cause["cause"], cause["before"]) == ("law_date", "1990-01-01")
    expired = Report(report.report_id, report.body, report.created, datetime(2026, 1, 1, tzinfo=UTC))
    ended = current_state(shared_map.engine, shared_map.definition, shared_map.settings, expired)
    assert ended["unchanged"] and ended["expired"] and not ended["valid"]


# --- what would pass --------------------------------------------------------------------------------------


def test_the_smallest_shift_clears_the_site_and_no_shorter_one_does(shared_map: SmallMap) -> None:
    record = make_record(shared_map.engine, shared_map.definition, asked())
    shift = record["passing"]["shift"]
    assert shift["found"] and shift["verdict"] == "clear" and shift["open_rules"] == []
    pad, site = (
        shapely.geometry.shape(g) for g in (record["map"]["zones"][0]["geometry"], record["map"]["site"])
    )
    error = record["themes"][0]["findings"][0]["error_m"]
    moved = shapely.affinity.translate(site, shift["dx_m"], shift["dy_m"])
    # The oracle is plain geometry: a site is clear when the pad is farther away than the errors of both.
    assert shapely.distance(pad, moved) >= error
    assert shift["bearing_deg"] == pytest.approx(90, abs=5)
    shorter = shift["distance_m"] - 0.5
    for turn in np.radians(np.arange(0, 360, 1)):
        there = shapely.affinity.translate(site, shorter * np.sin(turn), shorter * np.cos(turn))
        assert shapely.distance(pad, there) < error


def test_no_shift_is_told_where_none_is_near(shared_map: SmallMap) -> None:
    middle = asked("POINT(120.005 28.905)")
    shift = make_record(shared_map.engine, shared_map.definition, middle, search_m=300.0)["passing"]["shift"]
    assert (shift["wanted"], shift["found"], shift["search_m"]) == (True, False, 300.0)
    far = make_record(shared_map.engine, shared_map.definition, asked("POINT(120.2 28.905)"))["passing"]
    assert far["shift"]["wanted"] is False and far["free"] is None


def test_the_part_without_conflict_has_its_shape_and_share(shared_map: SmallMap) -> None:
    record = make_record(shared_map.engine, shared_map.definition, asked())
    free, parts = record["passing"]["free"], record["parts"]
    assert free["share"] == parts["clear"]["share"] and 0.3 < free["share"] < 0.5
    assert free["without_conflict"]["share"] == pytest.approx(1 - parts["conflict"]["share"])
    drawn = shapely.geometry.shape(record["map"]["parts"]["clear"])
    assert drawn.area == pytest.approx(free["area_m2"], rel=1e-4)


@pytest.mark.parametrize(
    ("where", "attributes", "options"),
    [
        ({"kind": "dug"}, {}, {"Dug well": "conflict", "Bored well": "clear"}),
        ({"kind": "dug"}, {"kind": "dug"}, {"Dug well": "conflict", "Bored well": "clear"}),
        ({"name": "里井"}, {}, {"里井": "conflict", "any other value": "clear"}),
    ],
)
def test_the_attribute_that_decides_is_named_with_what_it_leads_to(
    shared_map: SmallMap, where: dict[str, Any], attributes: dict[str, Any], options: dict[str, str]
) -> None:
    definition = with_rule(shared_map.definition, subject_where=where)
    record = make_record(shared_map.engine, definition, asked(attributes=attributes))
    (entry,) = record["passing"]["deciding"]
    assert entry["rule"] == "WL-01" and entry["value"] == attributes.get("kind")
    assert {o["when"]["en"]: o["verdict"] for o in entry["options"]} == options
    for option in entry["options"]:  # and it is so when it is stated
        value = {"Dug well": "dug", "Bored well": "bored", "any other value": "else"}.get(
            option["when"]["en"], "里井"
        )
        then = make_record(shared_map.engine, definition, asked(attributes={entry["attribute"]: value}))
        assert then["verdict"] == option["verdict"]


def test_an_exception_and_a_better_survey_may_decide_too(shared_map: SmallMap) -> None:
    note = {"zh": "浅井除外。", "en": "Not shallow wells."}
    unless = Unless.model_validate({"where": {"depth": {"<=": 5}}, "note": note})
    definition = with_rule(shared_map.definition, unless=(unless,))
    (entry,) = make_record(shared_map.engine, definition, asked())["passing"]["deciding"]
    assert {o["when"]["en"]: o["verdict"] for o in entry["options"]} == {
        "≤ 5 m": "clear",
        "> 5 m": "conflict",
    }
    near = DWithin(op="dwithin", distance_m=100.0, statutory=True)
    definition = with_rule(shared_map.definition, predicate=near)
    record = make_record(shared_map.engine, definition, asked("POINT(120.0111 28.905)", accuracy_m=20.0))
    assert record["verdict"] == "edge"
    (entry,) = record["passing"]["deciding"]
    assert entry["attribute"] == "accuracy_m" and "better than" in entry["options"][0]["when"]["en"]


# --- over HTTP --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored(shared_map: SmallMap) -> Iterator[tuple[TestClient, dict[str, Any]]]:
    client = client_of(shared_map.app(public_url="https://map.example.gov.cn"))
    inputs = {"site": {"wkt": CUT}, "accuracy_m": 1, "attributes": {"kind": "dug"}, "report": True}
    yield client, client.post(SCREEN, json={"inputs": inputs}).json()


def test_an_answer_is_stored_only_when_it_is_asked_for(stored: tuple[TestClient, dict[str, Any]]) -> None:
    client, answer = stored
    assert answer["verdict"] == "conflict" and answer["report"]["href"].startswith(f"{BASE}/reports/")
    plain = client.post(SCREEN, json={"inputs": {"site": {"wkt": CUT}}}).json()
    assert "report" not in plain and "passing" not in plain
    for link in answer["report"]["links"]:
        if link.get("format") in ("pdf", "docx", "gpkg"):
            continue  # each is opened by a reader of its own in test_report_faces
        given = client.get(link["href"])
        assert given.status_code == 200 and given.headers["content-type"] == link["type"]


@pytest.mark.parametrize(
    ("accept", "query", "media"),
    [
        ("*/*", "", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "", "text/html; charset=utf-8"),
        ("application/pdf", "?f=xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ],
)
def test_the_form_is_negotiated(
    stored: tuple[TestClient, dict[str, Any]], accept: str, query: str, media: str
) -> None:
    client, answer = stored
    path = f"/reports/{answer['report']['id']}{query}"
    given = client.get(path, headers={"Accept": accept, "Accept-Language": "en"})
    assert given.headers["content-type"] == media and "Accept-Language" in given.headers["vary"]
    assert given.headers["cache-control"] == "private, no-cache"
    again = client.get(
        path, headers={"Accept": accept, "Accept-Language": "en", "If-None-Match": given.headers["etag"]}
    )
    assert again.status_code == 304


def test_a_named_form_may_be_kept_for_ever_by_its_reader(stored: tuple[TestClient, dict[str, Any]]) -> None:
    client, answer = stored
    own = f"/reports/{answer['report']['id']}"
    page = client.get(own, params={"f": "html", "lang": "en"})
    assert page.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert '<html lang="en">' in page.text and f"https://map.example.gov.cn{own}" in page.text
    record = client.get(own, params={"f": "json"})
    assert hashlib.sha256(record.content).hexdigest() == answer["report"]["id"]
    assert client.get(f"{own}/current").json()["valid"] is True
    told = client.get(f"{own}/current", params={"lang": "en"}, headers={"Accept": "text/html"})
    assert "Still valid" in told.text and "<script" not in told.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nothing", 404),
        ("0" * 64, 404),
        ("0" * 64 + "/current", 404),
        ("{id}?f=exe", 400),
        ("{id}?lang=fr", 400),
    ],
)
def test_what_is_no_report_is_refused(
    stored: tuple[TestClient, dict[str, Any]], path: str, status: int
) -> None:
    client, answer = stored
    shape(client.get("/reports/" + path.format(id=answer["report"]["id"])), status)


def test_a_foreign_page_stores_no_report(shared_map: SmallMap) -> None:
    client = client_of(shared_map.app())
    body = {"inputs": {"site": {"wkt": CUT}, "report": True}}
    shape(client.post(SCREEN, json=body, headers={"Origin": "https://evil.example"}), 403)
    assert client.post(SCREEN, json=body, headers={"Origin": BASE}).status_code == 200


def test_a_print_without_chinese_letters_is_refused(
    shared_map: SmallMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = keep(shared_map, asked(law_date=date(2025, 1, 1)))
    monkeypatch.setattr("gis.reports.pages.has_chinese_font", lambda: False)
    told = shape(client_of(shared_map.app()).get(f"/reports/{report.report_id}?f=pdf"), 501)
    assert "fonts-noto-cjk" in told["remedy_en"]


def test_equal_questions_at_once_make_one_report(shared_map: SmallMap) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: keep(shared_map, asked(law_date=date(2025, 2, 2))), range(4)))
    assert len({(r.report_id, r.created) for r in made}) == 1
    with ThreadPoolExecutor(4) as pool:
        pages = set(pool.map(lambda r: report_face(shared_map.engine, r, "html", "zh", address=None), made))
    assert len(pages) == 1


def test_every_value_that_is_tried_may_be_stated() -> None:
    """For each rule that is shipped: what is tried of an attribute is a value that its field accepts."""
    definition = Settings().load_map()
    tried = 0
    for rule in enabled_rules(definition):
        fields = {f.name: f for s in rule.subjects if s != PARCEL for f in definition.layers[s].fields}
        filters = rule_filters(rule, definition)
        for name in {name for where in filters for name in where} & fields.keys():
            conditions = [where[name] for where in filters if name in where]
            trials = trial_values(fields[name], conditions, date(2026, 9, 1))
            column = pd.Series([value for value, _ in trials], dtype=object)
            issues: list[Issue] = []
            if fields[name].type != "text":  # a beginning stands for all texts that begin so
                check_field(fields[name].model_copy(update={"required": False}), column, issues)
            assert issues == [], (rule.id, name, issues)
            values = Attributes({name: column.to_numpy()}, len(column))
            for condition in conditions:
                assert evaluate({name: condition}, values, date(2026, 9, 1)).yes.any(), (rule.id, name)
            tried += len(trials)
    assert tried > 100


def test_the_public_address_is_an_address_and_its_host_is_ours(shared_map: SmallMap) -> None:
    assert (
        Settings(public_url="https://map.example.gov.cn/one/").public_url == "https://map.example.gov.cn/one"
    )
    for wrong in ("map.example.gov.cn", "ftp://map.example", "https://", "https://x/?a=1"):
        with pytest.raises(ValueError, match="ONEMAP_PUBLIC_URL"):
            Settings(public_url=wrong)
    host = {"Host": "map.example.gov.cn"}
    shape(client_of(shared_map.app()).get("/healthz", headers=host), 421)
    public = client_of(shared_map.app(public_url="https://map.example.gov.cn"))
    assert public.get("/healthz", headers=host).status_code == 200
