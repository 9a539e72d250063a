"""The faces of a report, each opened by a reader that is not ours, with names that mean harm in them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pyogrio
import pypdf
import pytest
import shapely
from playwright.sync_api import Page

from gis.db import connect
from gis.reports import FACES, LANGUAGES, open_report, report_face
from gis.reports.store import Report
from tests.api.conftest import PADS, SmallMap
from tests.api.test_reports import asked, keep

HOSTILE = "=cmd|' /C calc'!A0<img src=https://evil.example/x onerror=alert(1)><script>alert(2)</script>"
ADDRESS = "https://map.example.gov.cn/reports/x"

Bodies = dict[tuple[str, str], bytes]


def rendered(small: SmallMap, report: Report) -> Bodies:
    """Every face in every language, as it is given out."""
    return {
        (face, lang): report_face(small.engine, report, face, lang, address=ADDRESS)
        for face in ("json", *FACES)
        for lang in LANGUAGES
    }


@pytest.fixture(scope="module")
def hostile_map(make_map: Callable[[], SmallMap]) -> SmallMap:
    """A small map with a second pad of an evil name; for this module alone."""
    small = make_map()
    name = '"' + HOSTILE.replace('"', '""') + '"'
    small.load("pads", "code,strict,wkt\n" + PADS.partition("\n")[2].replace("A,", f"{name},", 1))
    return small


@pytest.fixture(scope="module")
def report(hostile_map: SmallMap) -> Report:
    return keep(hostile_map, asked(attributes={"kind": "dug", "name": HOSTILE + "\u202egnp"}))


@pytest.fixture(scope="module")
def bodies(hostile_map: SmallMap, report: Report) -> Bodies:
    return rendered(hostile_map, report)


@pytest.mark.parametrize(
    ("lang", "words"), [("zh", ("空间准入审查报告", "冲突", "禁止")), ("en", ("Conflict", "Prohibited"))]
)
def test_the_print_is_a4_and_has_its_words_as_text(bodies: Bodies, lang: str, words: tuple[str, ...]) -> None:
    pdf = pypdf.PdfReader(io.BytesIO(bodies["pdf", lang]))
    text = "".join(page.extract_text() for page in pdf.pages)
    for word in (*words, "WL-01", "<script>alert(2)</script>"):
        assert word in text
    for page in pdf.pages:
        assert [round(float(v) * 25.4 / 72) for v in page.mediabox[2:]] == [210, 297]
        fonts = page["/Resources"]["/Font"].values()
        assert all(
            "/FontFile" in str(font.get_object()["/DescendantFonts"][0]["/FontDescriptor"]) for font in fonts
        )


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_document_has_tables_map_and_code(bodies: Bodies, report: Report, lang: str) -> None:
    document = docx.Document(io.BytesIO(bodies["docx", lang]))
    text = "\n".join(paragraph.text for paragraph in document.paragraphs)
    assert report.report_id in text and HOSTILE in text and "\u202e" not in text
    assert len(document.inline_shapes) == 2 and len(document.tables) >= 5
    assert document.sections[0].page_width.mm == pytest.approx(210, abs=0.1)
    headings = [p.text for p in document.paragraphs if p.style.name == "Heading 1"]
    assert len(headings) == 11


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_cell_of_the_workbook_is_a_formula(bodies: Bodies, report: Report, lang: str) -> None:
    book = openpyxl.load_workbook(io.BytesIO(bodies["xlsx", lang]))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert len(book.sheetnames) == 8 and not [cell for cell in cells if cell.data_type == "f"]
    texts = {str(cell.value) for cell in cells}
    assert "'" + HOSTILE in texts and report.report_id in texts
    parts = book.worksheets[1]
    sizes = [row[1].value for row in parts.iter_rows(min_row=2)]
    assert sum(sizes) == pytest.approx(report.record["site"]["area_m2"], rel=1e-6)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_geopackage_has_the_shapes_and_the_record(
    bodies: Bodies, report: Report, tmp_path: Path, lang: str
) -> None:
    path = tmp_path / "r.gpkg"
    path.write_bytes(bodies["gpkg", lang])
    names = {name for name, _ in pyogrio.list_layers(path)}
    assert names == {"site", "parts", "zones", "passing", "findings", "record"}
    parts = pyogrio.read_dataframe(path, layer="parts")
    record = report.record
    assert parts.crs.to_epsg() == 4549
    for verdict, area in zip(parts["verdict"], parts.geometry.area, strict=True):
        assert area == pytest.approx(record["parts"][verdict]["area_m2"], rel=1e-4, abs=0.1)
    zones = pyogrio.read_dataframe(path, layer="zones")
    assert HOSTILE in set(zones["name"]) and set(pyogrio.read_dataframe(path, layer="passing")["kind"]) == {
        "free",
        "moved",
    }
    stored = pyogrio.read_dataframe(path, layer="record")["json"][0]
    assert hashlib.sha256(stored.encode()).hexdigest() == report.report_id


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_works_alone_by_keyboard_and_on_paper(
    bodies: Bodies, new_page: Callable[..., Page], tmp_path: Path, lang: str
) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(bodies["html", lang])
    page = new_page(offline=True)  # it fails at its end if the page had errors or asked another host
    page.goto(path.as_uri())
    assert page.locator("html").get_attribute("lang") == {"zh": "zh-CN", "en": "en"}[lang]
    assert page.evaluate("document.scripts.length + document.images.length") == 0
    assert page.get_by_text("<script>alert(2)</script>").count() > 0
    assert page.locator("svg[role=img]").count() == 1 and page.locator(".qr svg").count() == 1
    # Styles are applied, so their hash in the policy is right.
    assert page.evaluate("getComputedStyle(document.querySelector('.skip')).position") == "absolute"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id || location.hash") in ("verdict", "#verdict")
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    printed = pypdf.PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))
    assert [round(float(v) * 25.4 / 72) for v in printed.pages[0].mediabox[2:]] == [210, 297]


@pytest.mark.parametrize(
    ("wkt", "verdict"),
    [
        ("POINT(120.01 28.905)", "edge"),
        ("LINESTRING(120.008 28.905,120.012 28.905)", "conflict"),
        ("POINT(120.2 28.905)", "clear"),
    ],
)
def test_points_lines_and_clear_places_have_faces_too(shared_map: SmallMap, wkt: str, verdict: str) -> None:
    kept = keep(shared_map, asked(wkt))
    made = {
        face: report_face(shared_map.engine, kept, face, "en", address=None)
        for face in ("html", "docx", "xlsx", "gpkg")
    }
    page = made["html"].decode()
    assert kept.record["verdict"] == verdict
    assert f'class="banner {verdict}"' in page and 'class="qr"' not in page
    book = openpyxl.load_workbook(io.BytesIO(made["xlsx"]))
    assert book.worksheets[0]["B3"].value == verdict.capitalize()
    assert made["gpkg"].startswith(b"SQLite format 3")
    assert len(docx.Document(io.BytesIO(made["docx"])).inline_shapes) == 1


def test_each_part_is_told_by_a_pattern_of_its_own(bodies: Bodies) -> None:
    html = bodies["html", "en"].decode()
    for verdict in ("conflict", "unknown", "edge", "clear"):
        assert f'<pattern id="map-{verdict}"' in html
    words = {"conflict": "Conflict", "unknown": "Unknown", "edge": "Edge", "clear": "Clear"}
    assert all(f">{word}</text>" in html for verdict, word in words.items() if _drawn(bodies, verdict))


def _drawn(bodies: Bodies, verdict: str) -> bool:
    return json.loads(bodies["json", "en"])["map"]["parts"][verdict] is not None


def test_the_map_lies_north_up_to_scale(bodies: Bodies) -> None:
    """The outline of the site in the picture has the shape and size that the window's scale gives it."""
    record: dict[str, Any] = json.loads(bodies["json", "en"])
    west, _, east, north = record["map"]["window"]
    scale = 720 / (east - west)
    site = shapely.geometry.shape(record["map"]["site"])
    x0, y0, x1, y1 = site.bounds
    html = bodies["html", "en"].decode()
    corner = f"{(x0 - west) * scale:.1f}"
    assert corner in html and f"{(north - y1) * scale:.1f}" in html and f"{(north - y0) * scale:.1f}" in html
    assert f"{(x1 - west) * scale:.1f}" in html


def test_every_face_stays_as_it_was(
    hostile_map: SmallMap, report: Report, bodies: Bodies, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(bodies) == 12 and all(bodies.values())
    hostile_map.load("wells", "code,name,lon,lat\nN1,新井,120.02,28.9\n")
    hostile_map.load("pads", PADS.replace("120.01", "120.02"))
    hostile_map.load("pads", PADS.replace("120.01", "120.03"), source="other")
    monkeypatch.setattr("gis.screening.answer._ENGINE", "onemap 9.9.9")
    monkeypatch.setattr("gis.reports.store.version", lambda _name: "9.9.9")
    monkeypatch.setattr("gis.reports.words.Words.__call__", lambda *_, **__: "changed")
    with connect(hostile_map.engine) as conn:
        opened = open_report(conn, report.report_id)
    assert opened.body == report.body
    assert rendered(hostile_map, opened) == bodies
    again = keep(hostile_map, asked(attributes={"kind": "dug", "name": HOSTILE + "\u202egnp"}))
    assert again.report_id != report.report_id and again.record["engine"] == "onemap 9.9.9"
