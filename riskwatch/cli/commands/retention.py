"""``riskwatch retention show | apply``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from riskwatch.cli.app import Globals, app
from riskwatch.cli.commands.common import AsOf, Json, day, open_project
from riskwatch.cli.output import print_json, print_table, reporter

group = typer.Typer(no_args_is_help=True, help="For how long what is kept (config/retention.yaml), and deleting what is not.")
app.add_typer(group, name="retention")


@group.command()
def show(context: typer.Context, as_json: Json = False) -> None:
    """Show for how long each kind of thing is kept, and how many days of records the models need.

    Example: riskwatch retention show
    """
    from riskwatch.runner.retention import least_record_days, retention_rules  # noqa: PLC0415

    with open_project(context).context() as ctx:
        rules, least = retention_rules(ctx), least_record_days(ctx)
    kept = (
        {}
        if rules is None
        else {name: days for name, days in rules.model_dump().items() if name.endswith("_days") and name != "record_days"}
    )
    records = {} if rules is None else rules.record_days
    if as_json:
        print_json({"days": kept, "record_days": records, "least_record_days": least})
        return
    if rules is None:
        sys.stdout.write("no config/retention.yaml: everything is kept for good\n")
    print_table(("kind", "days kept"), [(name.removesuffix("_days"), "for good" if days is None else days) for name, days in kept.items()])
    print_table(
        ("stream", "days kept", "days that models need"),
        [(name, records.get(name, "for good"), least.get(name, "")) for name in sorted({*records, *least})],
    )


@group.command()
def apply(
    context: typer.Context,
    as_of: AsOf = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would go, delete nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Delete what is older than it is kept. Never: events of warnings, what an open warning rests on, what the next run reads.

    Example: riskwatch retention apply --dry-run
    """
    from riskwatch.runner.retention import retain  # noqa: PLC0415

    options: Globals = context.obj
    project = open_project(context)
    with reporter(quiet=options.quiet) as progress, project.leased(label="retention", as_of=day(as_of), reporter=progress) as ctx:
        done = retain(ctx, dry_run=dry_run)
    if as_json:
        print_json(asdict(done))
        return
    rows = [("rows", name, count) for name, count in sorted(done.rows.items())] + [
        ("files", *entry) for entry in sorted(done.files.items())
    ]
    print_table(("kind", "of", "would go" if dry_run else "deleted"), rows)
    if done.freed is not None:
        sys.stdout.write(f"{done.freed / 1e6:,.1f} MB given back to the disk\n")


@group.command()
def replays(
    context: typer.Context,
    older_than: Annotated[
        int | None, typer.Option("--older-than", min=2, help="Days without a use; default: unused_days of config/backtest.yaml.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would go, delete nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Delete files of replays (riskwatch backtest, tune budget) that none has read or written for some days.

    Results in var/<profile>/backtest/cache, composed definitions, settings that were tried, pages and tables; what killed replays left
    unfinished after one day. What is asked for again is computed again. Refused while a replay of the project is under way.

    Example: riskwatch retention replays --dry-run

    Example: riskwatch retention replays --older-than 7
    """
    from riskwatch.backtest.prune import prune, unused_days  # noqa: PLC0415

    project = open_project(context)
    done = prune(project.var / "backtest", unused_days(project.definitions) if older_than is None else older_than, dry_run=dry_run)
    if as_json:
        print_json(asdict(done))
        return
    kinds = sorted({*done.files, *done.kept_files})
    counts = (done.files, done.bytes, done.kept_files, done.kept_bytes)
    rows = [(kind, *(f"{count.get(kind, 0):,}" for count in counts)) for kind in kinds]
    verb = "would go" if dry_run else "deleted"
    print_table(("kind", f"files {verb}", f"bytes {verb}", "files kept", "bytes kept"), rows)
    total, freed = sum(done.files.values()), sum(done.bytes.values())
    sys.stdout.write(f"unused for {done.older_than_days} days: {total:,} files, {freed:,} bytes {verb}\n")
