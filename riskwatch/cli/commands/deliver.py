"""``riskwatch deliver`` and ``riskwatch outbox list | show | retry | drop``."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from riskwatch.cli.app import Globals, app
from riskwatch.cli.commands.common import Json, open_project
from riskwatch.cli.output import print_json, print_table, reporter

group = typer.Typer(no_args_is_help=True, help="Messages that runs have written: what waits, what was sent, what could not be delivered.")
app.add_typer(group, name="outbox")

Keys = Annotated[list[str], typer.Argument(help="Keys of messages, as `riskwatch outbox list` shows them.")]
COLUMNS = ("message_key", "state", "grade", "attempts", "reason", "due_at", "finished_at")


@app.command()
def deliver(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is due, send nothing.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many messages.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Go on for so many seconds with what becomes due meanwhile.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Send what waits in the outbox and is due; what fails is tried again later, and ends as a dead letter.

    Safe to run at any time, also twice at once and beside a run: every message is claimed before it is sent.

    Example: riskwatch deliver --dry-run

    Example: riskwatch deliver --wait 600
    """
    from riskwatch.runner.deliver import deliver as send  # noqa: PLC0415

    options: Globals = context.obj
    project = open_project(context)
    with reporter(quiet=options.quiet) as progress, project.context(reporter=progress) as ctx:
        report = send(ctx, limit=limit, dry_run=dry_run, wait_seconds=wait)
    if as_json:
        print_json(asdict(report))
    elif dry_run:
        for key in report.would_send:
            sys.stdout.write(f"{key}\n")
        sys.stdout.write(f"{len(report.would_send)} due, {report.waiting} waiting in all\n")
    else:
        for failure in report.failures:
            sys.stdout.write(f"  FAULT     {failure}\n")
        counts = f"{report.sent} sent, {report.retry} to be tried again, {report.dead} given up, {report.withdrawn} withdrawn"
        sys.stdout.write(f"{counts}; {report.waiting} waiting\n")
    raise typer.Exit(1 if report.failures else 0)


@group.command("list")
def list_messages(
    context: typer.Context,
    state: Annotated[
        list[str] | None, typer.Option("--state", help="pending, sending, sent, dead or dropped; default: all but sent and dropped.")
    ] = None,
    centre: Annotated[str | None, typer.Option(help="Only messages to this centre.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many messages.")] = 100,
    as_json: Json = False,
) -> None:
    """List messages, newest day first. Neither addresses nor contents are shown: groups and channels are named.

    Example: riskwatch outbox list --state dead
    """
    from riskwatch.store import outbox  # noqa: PLC0415

    for name in state or ():
        if name not in outbox.STATES:
            raise typer.BadParameter(f"--state takes one of {', '.join(outbox.STATES)}, got {name!r}")
    project = open_project(context)
    if centre is not None:
        project.centre(centre)
    with project.store() as store:
        found = outbox.read_messages(store.database, state or (*outbox.OPEN, "dead"), centre=centre, limit=limit)
        counts = outbox.count_messages(store.database)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    print_table(COLUMNS, [[getattr(one, name) for name in COLUMNS] for one in found])
    sys.stdout.write(", ".join(f"{count} {name}" for name, count in counts.items()) + "\n")


@group.command()
def show(context: typer.Context, key: Annotated[str, typer.Argument(help="Key of a message.")], as_json: Json = False) -> None:
    """Show one message and every attempt to deliver it.

    Example: riskwatch outbox show digest/2025-12-31/changchun/mail/centre/zh
    """
    from riskwatch.store import outbox  # noqa: PLC0415

    project = open_project(context)
    with project.store() as store:
        found, attempts = outbox.read_message(store.database, key), outbox.attempts_of(store.database, key)
    if as_json:
        print_json({**asdict(found), "tries": attempts})
        return
    for name, value in asdict(found).items():
        sys.stdout.write(f"{name:16}{'' if value is None else value}\n")
    if attempts:
        columns = ("attempt", "outcome", "code", "detail", "started_at", "finished_at")
        print_table(columns, [[attempt[name] for name in columns] for attempt in attempts])


@group.command()
def retry(
    context: typer.Context,
    keys: Annotated[list[str] | None, typer.Argument(help="Keys of messages.")] = None,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="All dead letters.")] = False,
) -> None:
    """Put dead letters, dropped or waiting messages at the head of the queue; `riskwatch deliver` sends them.

    Example: riskwatch outbox retry --all-dead && riskwatch deliver
    """
    from riskwatch.store import outbox  # noqa: PLC0415

    if bool(keys) == all_dead:
        raise typer.BadParameter("name the messages, or give --all-dead")
    project = open_project(context)
    with project.store() as store:
        chosen = list(keys or ()) or [one.message_key for one in outbox.read_messages(store.database, ("dead",))]
        outbox.requeue(store.database, chosen, now=dt.datetime.now(dt.UTC))
    sys.stdout.write(f"{len(chosen)} put back\n")


@group.command()
def drop(
    context: typer.Context,
    keys: Keys,
    reason: Annotated[str, typer.Option(help="Why they need not be delivered; kept with the message.")],
) -> None:
    """Give messages up: they are not sent, and no digest mentions them any more.

    Example: riskwatch outbox drop digest/2025-12-31/changchun/mail/centre/zh --reason "told by telephone"
    """
    from riskwatch.store import outbox  # noqa: PLC0415

    if not reason.strip():
        raise typer.BadParameter("--reason must not be empty")
    project = open_project(context)
    with project.store() as store:
        outbox.drop(store.database, keys, reason=reason.strip(), now=dt.datetime.now(dt.UTC))
    sys.stdout.write(f"{len(keys)} dropped\n")
