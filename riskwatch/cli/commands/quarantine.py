"""``riskwatch quarantine list | retry | export``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskwatch.cli.app import Globals, app
from riskwatch.cli.commands.common import Json, open_project
from riskwatch.cli.output import print_json, print_table, reporter

if TYPE_CHECKING:
    from riskwatch.api import Project

group = typer.Typer(
    no_args_is_help=True, help="Rows that broke a rule: kept with field, rule and value until the mapping or the row is mended."
)
app.add_typer(group, name="quarantine")

Source = Annotated[str | None, typer.Option("--source", help="Only this source.")]


def _project(context: typer.Context, source: str | None) -> Project:
    """Open the project and refuse a source that is not in force: a slip of the pen must not look like an empty quarantine."""
    project = open_project(context)
    if source is not None:
        project.source(source)
    return project


@group.command("list")
def list_rows(
    context: typer.Context,
    source: Source = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 50,
    as_json: Json = False,
) -> None:
    """List quarantined rows with what is wrong in each.

    Example: riskwatch quarantine list --source hospital-injury-cards
    """
    project = _project(context, source)
    with project.store() as store:
        frame = store.list_quarantine(source)
    if as_json:
        print_json(frame.head(limit).astype(object).where(frame.head(limit).notna(), None).to_dict("records"), internal=True)
        return
    columns = ["id", "source", "file", "row_no", "field", "rule", "value"]
    print_table(columns, frame[columns].head(limit).to_numpy().tolist(), internal=True)
    sys.stdout.write(f"{len(frame)} open" + (f", {limit} shown\n" if len(frame) > limit else "\n"))


@group.command()
def retry(context: typer.Context, source: Source = None, as_json: Json = False) -> None:
    """Judge quarantined rows again with the definitions of today: after a mapping was mended, they become records.

    Example: riskwatch quarantine retry --source provincial-spot-checks
    """
    from riskwatch.runner.retry import retry_quarantine  # noqa: PLC0415

    options: Globals = context.obj
    project = _project(context, source)
    with reporter(quiet=options.quiet) as progress, project.leased(label="quarantine retry", reporter=progress) as ctx:
        counts = retry_quarantine(ctx, source)
    if as_json:
        print_json(counts, internal=True)
    else:
        print_table(("source", "tried", "resolved", "still open"), [(name, *figures.values()) for name, figures in counts.items()])


@group.command()
def export(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="File to write: .csv or .xlsx.")],
    source: Source = None,
) -> None:
    """Write quarantined rows to CSV or XLSX for the people who sent them; cells that a spreadsheet would run are made harmless.

    Example: riskwatch quarantine export bad-rows.xlsx --source hospital-injury-cards
    """
    project = _project(context, source)
    with project.store() as store:
        count = store.export_quarantine(path, source)
    sys.stdout.write(f"{count} rows written to {path}\n")
