"""``riskwatch warnings list | show``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from riskwatch.cli.app import app
from riskwatch.cli.commands.common import AsOf, Json, day, open_project
from riskwatch.cli.output import print_json, print_table, print_text

CASE = ("stage", "standing", "owner", "due_on", "overdue", "closed_as")

group = typer.Typer(no_args_is_help=True, help="Look at early warnings and how they came about.")
app.add_typer(group, name="warnings")


@group.command("list")
def list_warnings(
    context: typer.Context,
    as_of: AsOf = None,
    every: Annotated[bool, typer.Option("--all", help="Those that recovered, or that another speaks for, too.")] = False,
    as_json: Json = False,
) -> None:
    """List open warnings, most urgent first, with where people stand with each.

    Example: riskwatch warnings list --json | jq '.[] | select(.grade == "II")'
    """
    project = open_project(context)
    frame = project.warnings(as_of=day(as_of), open_only=not every)
    cases = bool(project.definitions.catalogue("lifecycle"))
    if cases:
        # The names of the frames are their own: a case has a grade too.
        frame = frame.merge(project.cases(as_of=day(as_of))[["warning_id", *CASE]], on="warning_id", how="left")
    if as_json:
        print_json(frame.to_dict("records"))
    elif frame.empty:
        sys.stdout.write("no open warnings\n")
    else:
        columns = ["warning_id", "grade", "state", "scope", "kind", "name_zh", "name_en", "region", "first_seen", "last_seen"]
        columns += [*CASE] if cases else []
        print_table(columns, frame[columns].to_numpy().tolist())


@group.command()
def show(
    context: typer.Context,
    warning_id: Annotated[str, typer.Argument(help="The id, or an unambiguous start of it.")],
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Show one warning: its evidence, each rule that led to its grade, its actions and its history.

    Example: riskwatch warnings show 3f2a
    """
    from riskwatch.runner.explain import explain_warning  # noqa: PLC0415

    project = open_project(context)
    with project.context(as_of=day(as_of)) as ctx:
        story = explain_warning(ctx, warning_id)
    if as_json:
        print_json(story.data)
    else:
        print_text(story.text())
