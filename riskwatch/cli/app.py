"""The typer application: global options, error handling, exit codes; the commands live beside it."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from riskwatch import __version__
from riskwatch.errors import RiskwatchError
from riskwatch.redaction import redacted

__all__ = ["Globals", "app", "main"]

EPILOG = """
Exit codes: 0 well; 1 a source, a model or a delivery failed and the rest went on (the digest says which); 2 a wrong definition, option or
day; 3 another run holds the lease; 4 the database or a backup cannot be used; 5 anything else.
"""

app = typer.Typer(
    name="riskwatch",
    help="Quality-risk early warning: pull spot checks and injury records, find what gets worse, grade it, and write the daily digest.\n\n"
    "Start with: riskwatch init demo && cd demo && riskwatch check && riskwatch run daily",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


@dataclass
class Globals:
    """Options before the command."""

    project: Path = Path()
    profile: str | None = None
    settings: dict[str, str] = field(default_factory=dict)
    quiet: bool = False


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"riskwatch {__version__}\n")
        raise typer.Exit


@app.callback()
def globals_callback(
    context: typer.Context,
    project: Annotated[
        Path, typer.Option("--project", "-p", help="Project folder (or one below it).", envvar="RISKWATCH_PROJECT")
    ] = Path(),
    profile: Annotated[str | None, typer.Option(help="Profile in force, for example demo or real.", envvar="RISKWATCH_PROFILE")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder that {data} in source paths stands for.", envvar="RISKWATCH_DATA")] = None,
    override: Annotated[list[str] | None, typer.Option("--set", help="Override one value: --set settings.var=/srv/riskwatch.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")] = False,  # noqa: ARG001
) -> None:
    """Take the options that all commands share."""
    settings: dict[str, str] = {}
    for entry in override or []:
        name, separator, value = entry.partition("=")
        if not separator or not name:
            raise typer.BadParameter(f"--set takes PATH=VALUE, got {entry!r}")
        settings[name] = value
    if data is not None:
        settings["settings.data"] = str(data.resolve())
    context.obj = Globals(project=project, profile=profile, settings=settings, quiet=quiet)


def main() -> None:
    """Run the command line; a riskwatch error ends with its message, its hint and its own exit code."""
    from riskwatch.cli import commands  # noqa: F401, PLC0415 - registers the commands; heavy imports wait until here

    try:
        app()
    except RiskwatchError as error:
        sys.stderr.write(f"riskwatch: {redacted(str(error))}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(0)
    except KeyboardInterrupt:
        sys.stderr.write("riskwatch: stopped by the keyboard; run the same command again to go on\n")
        sys.exit(130)
    except Exception:  # noqa: BLE001 - the interpreter would end with 1, which says that the rest went on; and tell secrets
        told = "riskwatch: an error that nobody foresaw; what was committed is kept. Please report the lines above\n"
        sys.stderr.write(redacted(traceback.format_exc()) + told)
        sys.exit(RiskwatchError.exit_code)
