"""``riskwatch audit verify``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from riskwatch.cli.app import app
from riskwatch.cli.commands.common import Json, open_project
from riskwatch.cli.output import print_json

group = typer.Typer(no_args_is_help=True, help="Check that no event was changed, taken out or put in.")
app.add_typer(group, name="audit")


@group.callback()
def audit() -> None:
    """Keep ``verify`` a command of its own though it is the only one."""


@group.command()
def verify(
    context: typer.Context,
    head: Annotated[str, typer.Option("--head", help="Hash of the head as it was noted elsewhere, or its first 12 or more digits.")] = "",
    as_json: Json = False,
) -> None:
    """Verify the hash chain over all events of warnings and cases; ends with code 5 if it is broken.

    Note the head that it prints where those who may write to the database have no hand: a cut-off tail is found only with it.

    Example: riskwatch audit verify --head 5f0c9a2b77d1
    """
    if head and (len(head) < 12 or set(head.lower()) - set("0123456789abcdef")):
        raise typer.BadParameter(f"--head takes 12 to 64 hexadecimal digits, got {head!r}")
    with open_project(context).store() as store:
        found = store.audit(head)
    if as_json:
        print_json({**asdict(found), "whole": not found.findings})
    else:
        for one in found.findings:
            sys.stdout.write(f"{one.kind}\t{one.link}\t{one.what}\n")
        since = "" if found.since_head is None else f", {found.since_head} since the noted head"
        sys.stdout.write(f"{found.events} events{since}, head {found.head}\n{'broken' if found.findings else 'whole'}\n")
    if found.findings:
        raise typer.Exit(5)
