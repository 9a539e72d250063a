"""``onemap rules``: what the judgements are made of, whether it holds, and what differs between two packs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.console import AsJson, emit_json, grid, say, tell, title

if TYPE_CHECKING:
    from gis.screening.fixtures import RuleCheck
    from layers.rulediff import Change, Changes, PackDiff
    from layers.rulemodel import RulePack

__all__ = ["rules"]

rules = typer.Typer(help=say("Rule packs.", "规则包。"), no_args_is_help=True)


@rules.command("list", help=say("All rules that are on.", "列出启用的规则。"))
def list_rules(
    group: Annotated[str | None, typer.Option(help=say("Of this group only.", "仅此组。"))] = None,
    as_json: AsJson = False,
) -> None:
    """By pack and group."""
    from gis.settings import load_settings

    packs = load_settings().load_map().packs.values()
    chosen = [rule for pack in packs for rule in pack.rules if group in (None, rule.group)]
    if as_json:
        emit_json([rule.model_dump(mode="json", by_alias=True) for rule in chosen])
        return
    columns = [
        say("rule", "规则"),
        say("matter", "事项"),
        say("severity", "严重程度"),
        say("subjects", "对象"),
        say("zones", "区域"),
        say("legal", "依据"),
    ]
    rows = (
        (r.id, title(r.title), r.severity, " ".join(r.subjects), r.zone_layer or "—", " ".join(r.legal))
        for r in chosen
    )
    grid(say("Rules", "规则"), columns, rows)


@rules.command("check", help=say("Run the fixtures of all rule packs.", "运行规则包的样例。"))
def check_rules(as_json: AsJson = False) -> None:
    """Every fixture must get its verdict and every rule must show a hit and a clear; status 1 when not."""
    from gis.screening.fixtures import check_pack
    from gis.settings import load_settings

    packs = list(load_settings().load_map().packs.values())
    checks = [(pack, check) for pack in packs for check in check_pack(pack)]
    numbers = _numbers(packs, checks)
    wrong = [entry for _, check in checks for entry in check.wrong]
    if as_json:
        emit_json(
            {**numbers, "wrong": [_wrong(entry) for entry in wrong], "rules": [_told(*c) for c in checks]}
        )
    else:
        _show_checks(checks)
        for entry in wrong:
            expected, got = entry.fixture.expect, entry.found
            tell(f"✗ {entry.fixture.rule} {entry.fixture.note}: {got} ≠ {expected}")
        _show_numbers(numbers)
    if wrong or numbers["covered"] < numbers["total"]:
        raise typer.Exit(1)


def _numbers(packs: list[RulePack], checks: list[tuple[RulePack, RuleCheck]]) -> dict[str, int]:
    articles = [reference for pack in packs for reference in pack.references.values()]
    return {
        "total": len(checks),
        "covered": sum(not check.lacking and not check.wrong for _, check in checks),
        "enabled": sum(check.rule.enabled for _, check in checks),
        "unconfirmed": sum(pack.is_unconfirmed(check.rule) for pack, check in checks),
        "fixtures": sum(check.fixtures for _, check in checks),
        "articles": len(articles),
        "articles_undated": sum(not article.dates_confirmed for article in articles),
    }


def _wrong(entry: Any) -> dict[str, Any]:
    fixture = entry.fixture
    return {
        "rule": fixture.rule, "note": fixture.note, "expected": fixture.expect.model_dump(),
        "found": entry.found.model_dump(),
    }  # fmt: skip


def _told(pack: RulePack, check: RuleCheck) -> dict[str, Any]:
    return {
        "rule": check.rule.id, "pack": pack.id, "enabled": check.rule.enabled,
        "unconfirmed": pack.is_unconfirmed(check.rule), "fixtures": check.fixtures,
        "shown": list(check.shown), "lacking": list(check.lacking),
    }  # fmt: skip


def _show_checks(checks: list[tuple[RulePack, RuleCheck]]) -> None:
    verdicts = {
        "conflict": say("hit", "命中"), "clear": say("clear", "无冲突"), "edge": say("edge", "临界"),
        "unknown": say("unknown", "未知"),
    }  # fmt: skip
    rows = (
        (
            check.rule.id,
            title(check.rule.title),
            "" if check.rule.enabled else say("off", "关闭"),
            say("unconfirmed", "待确认") if pack.is_unconfirmed(check.rule) else "",
            *(
                "✓" if verdict in check.shown else "✗" if verdict in check.lacking else "–"
                for verdict in verdicts
            ),
        )
        for pack, check in checks
    )
    columns = [say("rule", "规则"), say("matter", "事项"), "", "", *verdicts.values()]
    grid(say("What the fixtures show", "样例所示"), columns, rows)


def _show_numbers(n: dict[str, int]) -> None:
    tell(
        say(
            f"{n['covered']} of {n['total']} rules show a hit and a clear; {n['enabled']} are on, "
            f"{n['unconfirmed']} unconfirmed. {n['fixtures']} fixtures. {n['articles']} articles, "
            f"{n['articles_undated']} with dates to be confirmed.",
            f"{n['total']} 条规则中 {n['covered']} 条的样例既有命中又有无冲突；启用 {n['enabled']} 条，"
            f"待确认 {n['unconfirmed']} 条。样例 {n['fixtures']} 个。法律条文 {n['articles']} 条，"
            f"其中 {n['articles_undated']} 条的有效期待核对。",
        )
    )


@rules.command("save", help=say("Write a rule pack to one file.", "把规则包存为一个文件。"))
def save_rules(
    pack: Annotated[str, typer.Argument(help=say("A pack, as in `diff`.", "规则包，写法同 diff。"))],
    file: Annotated[Path, typer.Argument(help=say("The file, ending in .json.", "文件，以 .json 结尾。"))],
) -> None:
    """All of it, with version and hash, to be compared with later."""
    chosen = _pack(pack)
    file.write_text(chosen.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")
    tell(f"{chosen.id} {chosen.version} {chosen.hash[:12]} → {file}")


@rules.command("diff", help=say("What differs between two rule packs.", "比较两个规则包。"))
def diff_rules(
    before: Annotated[
        str,
        typer.Argument(
            help=say(
                "A pack's id, its folder (or pack.toml), or a file of `rules save`.",
                "规则包的编号、文件夹（或 pack.toml）、或 rules save 存下的文件。",
            )
        ),
    ],
    after: Annotated[str, typer.Argument(help=say("Likewise.", "同上。"))],
    as_json: AsJson = False,
) -> None:
    """Rules, articles, tables and fixtures that are added, removed or changed, field by field."""
    from layers.rulediff import compare_packs

    one, other = _pack(before), _pack(after)
    found = compare_packs(one, other)
    if as_json:
        heads = [{"id": p.id, "version": p.version, "hash": p.hash} for p in (one, other)]
        emit_json({"before": heads[0], "after": heads[1], **found.as_dict()})
        return
    for mark, pack in (("−", one), ("+", other)):
        tell(f"{mark} {pack.id} {pack.version} {pack.hash[:12]} {title(pack.title)}")
    _show_diff(found)


def _pack(name: str) -> RulePack:
    from gis.settings import load_settings

    return load_settings().load_pack(name)


def _show_diff(found: PackDiff) -> None:
    if not found:
        tell(say("Nothing differs.", "没有差异。"))
        return
    _show_changes(say("pack", "规则包"), found.pack)
    for name, changes in (
        (say("rule", "规则"), found.rules),
        (say("article", "条文"), found.references),
        (say("table", "查找表"), found.tables),
        (say("fixture", "样例"), found.fixtures),
    ):
        _show_part(name, changes)
    for rule, names in found.through.items():
        tell(say(f"~ rule {rule} through {', '.join(names)}", f"~ 规则 {rule} 因 {'、'.join(names)} 而变"))


def _show_part(name: str, changes: Changes) -> None:
    for mark, keys in (("+", changes.added), ("−", changes.removed)):
        for key in keys:
            tell(f"{mark} {name} {key}")
    for key, each in changes.changed.items():
        _show_changes(f"{name} {key}", each)


def _show_changes(name: str, changes: Iterable[Change]) -> None:
    for change in changes:
        tell(f"~ {name} · {change.field}: {change.before} → {change.after}")
