"""The command line. ``main`` is the program ``onemap``; each module holds one group of commands.

Commands import the engine when they run, so that the help, and a second start of the map, come at once.
Exit status: 0 done, 1 failed, 2 called wrongly.
"""

from __future__ import annotations

import sys

import typer

from api.cli import (
    audit,
    batch,
    blast,
    conflicts,
    database,
    definitions,
    demo,
    doctor,
    export,
    files,
    harvest,
    key,
    links,
    mapping,
    rejects,
    revisions,
    rules,
    screening,
    serve,
    sources,
    upstream,
    user,
    webhooks,
    worker,
)
from api.cli.console import fail, say
from gis.errors import OneMapError

__all__ = ["app", "main"]

app = typer.Typer(
    help=say("One map for environmental regulators.", "生态环境一张图。"),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("import")(files.import_)
app.command("export")(export.export)
app.command("screen")(screening.screen)
app.command("screen-batch")(batch.screen_batch)
app.command("upstream")(upstream.upstream)
app.command("health")(sources.health)
app.add_typer(doctor.app, name="doctor")
app.add_typer(database.app, name="db")
app.add_typer(definitions.layers, name="layers")
rules.rules.command("preview", help=say("Whose verdict a pack would change.", "预演规则包的影响。"))(
    blast.preview
)
app.add_typer(rules.rules, name="rules")
app.add_typer(rejects.app, name="rejects")
app.add_typer(revisions.app, name="revisions")
app.add_typer(conflicts.app, name="conflicts")
app.add_typer(links.app, name="links")
app.add_typer(sources.app, name="sources")
app.add_typer(harvest.app, name="harvest")
app.add_typer(mapping.app, name="mapping")
app.add_typer(user.app, name="user")
app.add_typer(key.app, name="key")
app.add_typer(audit.app, name="audit")
app.add_typer(webhooks.app, name="webhooks")


def main() -> None:
    """Run the command line; an error a user can be told in words ends in one line, without a trace."""
    try:
        app()
    except OneMapError as error:
        fail(error)
        sys.exit(1)
