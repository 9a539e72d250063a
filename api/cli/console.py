"""What commands say, and in which language."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from gis.errors import OneMapError
from layers.model import Text

__all__ = [
    "LANGUAGE",
    "AsJson",
    "AsOf",
    "LawDate",
    "day",
    "emit_json",
    "fail",
    "grid",
    "progress",
    "say",
    "stage",
    "tell",
    "title",
]


def _language() -> str:
    names = ("ONEMAP_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    chosen = next((os.environ[name] for name in names if os.environ.get(name)), "")
    return "zh" if chosen.lower().startswith("zh") else "en"


LANGUAGE = _language()
# Where nobody sets a width, a table may be as wide as it needs.
_out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
_err = Console(stderr=True, highlight=False)


def say(en: str, zh: str) -> str:
    """The one of two texts that is in the user's language (ONEMAP_LANG, else that of the terminal)."""
    return zh if LANGUAGE == "zh" else en


AsJson = Annotated[bool, typer.Option("--json", help=say("Write JSON for a program.", "输出 JSON。"))]
AsOf = Annotated[str | None, typer.Option(help=say("Revision or time.", "修订号或时间。"))]
LawDate = Annotated[
    str | None, typer.Option(metavar="YYYY-MM-DD", help=say("The day whose law counts.", "适用法律的日期。"))
]


def day(text: str | None) -> date | None:
    """The day that an option names; a usage error when it is none."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(say(f"{text} is no day.", f"{text} 不是日期。")) from error


def title(text: Text) -> str:
    """A text of a definition in the user's language."""
    return text.text(LANGUAGE)


def tell(text: str) -> None:
    """One line for the user, on standard output."""
    _out.print(text, markup=False, soft_wrap=True)


def fail(error: OneMapError) -> None:
    """What went wrong and what to do, in one line on standard error."""
    _err.print(" ".join(error.text(LANGUAGE).split()), style="red", markup=False, soft_wrap=True)


def emit_json(content: Any) -> None:
    """``content`` for a program, on standard output."""
    _out.file.write(orjson.dumps(content, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")


def grid(heading: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """A table; columns whose name ends in "#" hold numbers and are set to the right."""
    table = Table(title=heading, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column.removesuffix("#"), justify="right" if column.endswith("#") else "left")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    _out.print(table, markup=False)


@contextmanager
def stage(en: str, zh: str) -> Iterator[None]:
    """Shows that something is under way, and that it is done."""
    with _err.status(say(en, zh)):
        yield


def progress() -> Progress:
    """A progress bar on standard error where that is a terminal; a context manager."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=_err,
        transient=True,
        disable=not _err.is_terminal,
    )
