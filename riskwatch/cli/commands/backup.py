"""``riskwatch backup | restore | verify``."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskwatch.cli.app import app
from riskwatch.cli.commands.common import Json, open_project
from riskwatch.cli.output import print_json

if TYPE_CHECKING:
    from riskwatch.store.archive import Manifest

ENDING = ".riskwatch-backup"


def _told(manifest: Manifest) -> str:
    events = manifest.rows.get("warning_event", 0)
    return (
        f"{manifest.dialect}, schema {manifest.schema_version}, made at {manifest.made_at}: {len(manifest.rows)} tables, "
        f"{sum(manifest.rows.values()):,} rows, {events:,} events of warnings, {manifest.size / 1e6:,.1f} MB"
    )


@app.command()
def backup(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(help=f"File to write, or a folder: then the file is named by profile and instant, {ENDING}.")],
    as_json: Json = False,
) -> None:
    """Write the whole store to one file, with a manifest; a run may be at work meanwhile.

    The file holds personal data: only its owner may read it.

    Example: riskwatch backup backups/
    """
    from riskwatch.store.backup import backup as write_backup  # noqa: PLC0415

    project = open_project(context)
    now = dt.datetime.now(dt.UTC)
    if target.is_dir() or str(target).endswith("/") or not target.suffix:
        target /= f"riskwatch-{project.definitions.profile}-{now:%Y%m%dT%H%M%SZ}{ENDING}"
    manifest = write_backup(project.definitions.database_url(), target, now=now)
    if as_json:
        print_json({"file": str(target), **manifest.model_dump()})
    else:
        sys.stdout.write(f"{target}: {_told(manifest)}\n")


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(help="File that riskwatch backup wrote.")],
    as_json: Json = False,
) -> None:
    """Check a backup: its sha256, and for SQLite the database inside, its rows and its newest events.

    Ends with 4 if it is not sound. Example: riskwatch verify backups/monday.riskwatch-backup
    """
    from riskwatch.store.backup import verify as verify_backup  # noqa: PLC0415

    manifest = verify_backup(path)
    if as_json:
        print_json({"file": str(path), **manifest.model_dump()})
    else:
        sys.stdout.write(f"{path} is sound: {_told(manifest)}\n")


@app.command()
def restore(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="File that riskwatch backup wrote.")],
    to: Annotated[
        str | None, typer.Option("--to", help="Restore to this SQLite file or database URL; default: the project's store.", metavar="URL")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a store that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Put a backup in place of the store, all at once; nothing is changed if anything is wrong with it.

    Stop the scheduler first. A SQLite store that is replaced is kept beside the new one.

    Example: riskwatch restore monday.riskwatch-backup --force
    """
    from riskwatch.store.backup import restore as restore_backup  # noqa: PLC0415

    url = open_project(context).definitions.database_url() if to is None else to if "://" in to else f"sqlite:///{Path(to).resolve()}"
    done = restore_backup(path, url, now=dt.datetime.now(dt.UTC), force=force)
    if as_json:
        print_json({"database": done.database, "kept": None if done.kept is None else str(done.kept), **done.manifest.model_dump()})
        return
    sys.stdout.write(f"restored to {done.database}: {_told(done.manifest)}\n")
    if done.kept is not None:
        sys.stdout.write(f"the store that was there is kept as {done.kept}\n")
