"""What the commands share: opening the project, reading a day."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING, Annotated

import typer

from riskwatch.cli.app import Globals

if TYPE_CHECKING:
    from riskwatch.api import Project

__all__ = ["AsOf", "Json", "day", "login", "open_project"]

AsOf = Annotated[str | None, typer.Option("--as-of", help="Day as which to look, YYYY-MM-DD; default: the pinned day, else today.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


def open_project(context: typer.Context) -> Project:
    """Open the project that the global options name."""
    from riskwatch.api import Project  # noqa: PLC0415 - heavy, and --help must stay quick

    options: Globals = context.obj
    return Project(options.project, profile=options.profile, settings=options.settings)


def login() -> str:
    """Return the name of the account that this process runs under; the environment has no say in it."""
    import pwd  # noqa: PLC0415 - not on every system

    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def day(text: str | None) -> dt.date | None:
    """Read YYYY-MM-DD."""
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"a day is written YYYY-MM-DD, got {text!r}") from None
