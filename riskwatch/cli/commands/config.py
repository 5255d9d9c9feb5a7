"""``riskwatch config diff``."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import typer

from riskwatch.cli.app import Globals, app
from riskwatch.cli.commands.common import Json
from riskwatch.cli.output import print_json

group = typer.Typer(no_args_is_help=True, help="Compare what two folders of definitions say.")
app.add_typer(group, name="config")


@group.command()
def diff(
    context: typer.Context,
    before: Annotated[Path, typer.Argument(help="A project's folder.")],
    after: Annotated[Path, typer.Argument(help="Another one: a copy with other thresholds, say.")],
    as_json: Json = False,
) -> None:
    """Say in words which values in force differ, what each means, and where it stands.

    Layout, comments and order are no differences, nor is writing down a default. Ends with 1 if anything differs, like diff.

    Example: cp -r . ../tried && riskwatch config diff . ../tried
    """
    from riskwatch.definitions import load_definitions  # noqa: PLC0415 - heavy, and --help must stay quick
    from riskwatch.definitions.difference import differences  # noqa: PLC0415
    from riskwatch.project import find_project  # noqa: PLC0415
    from riskwatch.sources import ADAPTERS  # noqa: PLC0415

    options: Globals = context.obj
    one, other = (
        load_definitions(find_project(folder), profile=options.profile, overrides=options.settings, adapters=ADAPTERS)
        for folder in (before, after)
    )
    found = differences(one, other)
    if as_json:
        print_json([{**dataclasses.asdict(change), "words": change.words} for change in found], internal=True)
    else:
        sys.stdout.write("".join(f"{change}\n" for change in found) or "no value in force differs\n")
        if found:
            sys.stdout.write(f"{len(found)} {'value differs' if len(found) == 1 else 'values differ'}\n")
    raise typer.Exit(1 if found else 0)
