"""Signing in on the map, and a session that ends in the middle of work."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine, create_engine, text

from gis.access import Role
from gis.accounts import register
from gis.accounts.passwords import Passwords
from gis.db import connect
from tests.conftest import Databases, PageLog
from tests.web.conftest import build_demonstration, eventually, serving, settled
from tests.web.looking import panel
from tests.web.test_judgement import drop

WORD = "three quiet herons"
SITE = "POLYGON((120.01 28.87,120.02 28.87,120.02 28.88,120.01 28.87))"


@dataclass(frozen=True)
class Served:
    """A service with an account, and its database."""

    address: str
    engine: Engine


@pytest.fixture(scope="module")
def served(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The demonstration with the planner wang and the regulator zhao."""
    name = databases.create(databases.template("demonstration", build_demonstration))
    engine = create_engine(databases.url(name))
    with connect(engine, write=True) as conn:
        costs = Passwords(1, 8, 1)
        register.add(
            conn,
            "wang",
            WORD,
            costs,
            role=Role.PLANNER,
            areas=["330784", "department:水利局"],
            display_name="王芳",
        )
        register.add(conn, "zhao", WORD, costs, role=Role.REGULATOR)
    with serving(databases.url(name), tmp_path_factory.mktemp("accounts")) as address:
        yield Served(address, engine)
    engine.dispose()
    databases.drop(name)


def type_password(page: Page, password: str) -> None:
    page.keyboard.type(password)
    page.keyboard.press("Enter")


def test_one_signs_in_works_on_after_the_session_ends_and_signs_out(
    served: Served, new_page: Callable[..., Page], page_log: PageLog
) -> None:
    page = new_page()
    page.goto(f"{served.address}/#lang=zh&layers=")
    settled(page)
    button = page.locator(".account-button")
    dialog = page.locator("dialog.sign-in")

    # With the keyboard alone: a wrong password is told, the name stays.
    button.focus()
    page.keyboard.press("Enter")
    page.keyboard.type("Wang")
    page.keyboard.press("Tab")
    type_password(page, "wrong wrong")
    expect(dialog.get_by_role("alert")).to_contain_text("账号或密码不正确")
    expect(dialog.get_by_label("账号")).to_have_value("Wang")
    with page.expect_response("**/app/config") as renewed:
        type_password(page, WORD)
    expect(dialog).to_have_count(0)
    assert renewed.value.request.all_headers()["cookie"].startswith("onemap_session_")
    expect(button).to_contain_text("王芳")

    # The session ends while a site is looked at: what was stated stays, and is asked about again.
    drop(page, "site.wkt", SITE)
    side = panel(page)
    expect(side.locator(".headline")).to_be_visible()
    with connect(served.engine, write=True) as conn:
        conn.execute(text("DELETE FROM core.sessions"))
    side.get_by_text("项目情况").click()
    day = side.get_by_label(re.compile("法律日期"))
    day.fill("2024-06-01")
    expect(dialog).to_contain_text("登录已失效")
    expect(dialog.get_by_label("账号")).to_have_value("wang")
    eventually(
        page,
        lambda: bool(dialog.get_by_label("密码").evaluate("it => it === document.activeElement")),
        "focus",
    )
    with page.expect_response("**/processes/screen/execution") as asked:
        type_password(page, WORD)
    assert asked.value.ok and asked.value.request.post_data_json["inputs"]["law_date"] == "2024-06-01"
    expect(day).to_have_value("2024-06-01")
    expect(side.locator(".headline")).to_be_visible()

    button.click()
    menu = page.locator("dialog.account-menu")
    for words in ("王芳", "wang", "规划人员", "330784", "水利局提供的数据"):
        expect(menu).to_contain_text(words)
    menu.get_by_role("button", name="退出登录").click()
    expect(button).to_contain_text("登录")
    side.get_by_label(re.compile("法律日期")).fill("")
    expect(side.locator(".headline")).to_be_visible()
    assert page.context.cookies() == []
    assert len(page_log.errors) >= 2 and all("401" in each for each in page_log.errors)
    page_log.errors.clear()


@pytest.mark.parametrize("width", [pytest.param(1280, marks=pytest.mark.long), 390])
def test_a_conflict_is_marked_by_whoever_signs_in_for_it(
    served: Served, new_page: Callable[..., Page], page_log: PageLog, width: int
) -> None:
    with connect(served.engine) as conn:
        one = "SELECT uid FROM layer.conflicts WHERE rev_to IS NULL ORDER BY uid OFFSET :n LIMIT 1"
        uid = str(conn.scalar(text(one), {"n": width // 10}))
    page = new_page(viewport={"width": width, "height": 800})
    page.goto(f"{served.address}/#lang=zh&layers=&sel=conflicts/{quote(uid, safe='')}")
    settled(page)
    side = panel(page)
    side.get_by_role("button", name="标记…").click()
    dialog = page.locator("dialog").filter(has_text="标记此冲突")
    send = dialog.get_by_role("button", name="标记", exact=True)
    send.click()  # without a reason nothing is sent
    expect(dialog).to_be_visible()
    dialog.get_by_label("理由").fill("5月已复测 <b>边界</b>")
    dialog.get_by_label("有效期至（可不填）").fill("2199-12-31")
    send.click()
    asking = page.locator("dialog.sign-in")
    asking.get_by_label("账号").fill("zhao")
    asking.get_by_label("密码").focus()
    type_password(page, WORD)
    expect(dialog).to_have_count(0)
    expect(side.locator(".marks")).to_contain_text("有异议 · zhao")
    expect(side.locator(".marks")).to_contain_text("5月已复测 <b>边界</b>")
    with connect(served.engine) as conn:
        marks = conn.execute(
            text("SELECT mark, who, until::text FROM core.conflict_marks WHERE uid = :u"), {"u": uid}
        )
        assert marks.all() == [("challenged", "zhao", "2199-12-31")]
    assert all("401" in each for each in page_log.errors)
    page_log.errors.clear()
