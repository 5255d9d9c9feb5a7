"""``riskwatch pull | run | digest``."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskwatch.cli.app import Globals, app
from riskwatch.cli.commands.common import AsOf, Json, day, open_project
from riskwatch.cli.output import print_json, print_table, reporter

if TYPE_CHECKING:
    from riskwatch.api import Project
    from riskwatch.backtest.reproduce import Reproduction
    from riskwatch.runner.run import RunReport


class Every(StrEnum):
    """Steps of a series of runs."""

    DAY = "day"
    WEEK = "week"
    MONTH_END = "month-end"


def run_days(first: dt.date, last: dt.date, every: Every) -> list[dt.date]:
    """Return the run days from ``first`` to ``last``; the last day is always among them."""
    days = []
    current = first
    while current < last:
        if every is Every.MONTH_END:
            after = (current.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
            current = after - dt.timedelta(days=1)
            if current < last:
                days.append(current)
            current = after
        else:
            days.append(current)
            current += dt.timedelta(days=7 if every is Every.WEEK else 1)
    return [*days, last]


def _as_json(report: RunReport) -> dict[str, object]:
    return {
        **asdict(report),
        "exit_code": report.exit_code,
        "digests": [str(path) for path in report.digests],
        "reports": [str(path) for path in report.reports],
    }


def _print(report: RunReport) -> None:
    out = sys.stdout.write
    out(f"{report.pipeline} as of {report.as_of}{' (dry run: nothing written)' if report.dry_run else ''}\n")
    out("  records   " + ", ".join(f"{count:,} {stream}" for stream, count in report.records.items()) + "\n")
    if "detect" in report.steps:
        out(f"  series    {report.series:,} ({report.tests:,} tests; {len(report.reused_models)} models unchanged, not refitted)\n")
        out(f"  signals   {report.signals:,}\n")
    if report.anomalies:
        backed, watch = report.anomalies["supporting"], report.anomalies["watch"]
        out(f"  profiles  {backed} concerns supported, {watch} to watch (riskwatch anomalies)\n")
    if "warn" in report.steps:
        out("  warnings  " + (", ".join(f"{count} {name}" for name, count in report.warnings.items()) or "none") + "\n")
        out("  changes   " + (", ".join(f"{count} {name}" for name, count in report.events.items()) or "none") + "\n")
    if report.messages:
        out("  messages  " + ", ".join(f"{count} {name}" for name, count in report.messages.items()) + "\n")
    for name, message in report.failed_models.items():
        out(f"  FAILED    model {name}: {message}\n")
    for fault in report.faults:
        out(f"  FAULT     {fault}\n")
    if report.digests:
        folder = report.digests[0].parent
        out(f"  digests   {len(report.digests)} files in {folder}\n")
        first = next((path for path in report.digests if path.suffix == ".html"), report.digests[0])
        out(f"  read      {first}\n")
    if report.deleted:
        out("  deleted   " + ", ".join(f"{count:,} of {name}" for name, count in report.deleted.items()) + "\n")
    for folder in dict.fromkeys(path.parent for path in report.reports):
        out(f"  reports   {sum(path.parent == folder for path in report.reports)} files in {folder}\n")


@app.command()
def pull(
    context: typer.Context,
    sources: Annotated[list[str] | None, typer.Argument(help="Sources to pull; default: all in force.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check, write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Pull sources into the store: land raw rows, check them, keep versioned records; bad rows go to quarantine.

    Example: riskwatch pull hospital-injury-cards --dry-run
    """
    from riskwatch.runner.pull import pull as pull_sources  # noqa: PLC0415

    options: Globals = context.obj
    project = open_project(context)
    for name in sources or []:
        project.source(name)
    with reporter(quiet=options.quiet) as progress, project.leased(dry_run=dry_run, label="pull", reporter=progress) as ctx:
        reports = pull_sources(ctx, sources or ())
    if as_json:
        print_json([asdict(entry) for entry in reports], internal=True)
    else:
        columns = ("source", "files", "rows", "new", "changed", "same", "stale", "duplicate", "items", "quarantine", "waiting", "faults")
        print_table(
            columns,
            [
                (r.source, r.files, r.rows, r.new, r.changed, r.same, r.stale, r.duplicates, r.items, r.rejected, r.waiting, len(r.faults))
                for r in reports
            ],
        )
    raise typer.Exit(1 if any(entry.faults for entry in reports) else 0)


@app.command()
def run(
    context: typer.Context,
    pipeline: Annotated[str, typer.Argument(help="Pipeline to run (see pipelines/).")] = "daily",
    as_of: AsOf = None,
    since: Annotated[str | None, typer.Option("--from", help="First day of a series of runs that ends at --as-of.")] = None,
    every: Annotated[Every, typer.Option(help="With --from: how far apart the runs lie.")] = Every.DAY,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing to the store; digests and reports go to var/<profile>/dry-run.")
    ] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for another run to end.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Run a pipeline: pull, detect, assess, warn, digest, report, retain.

    Example: riskwatch run daily (as of today, or of the pinned day of a demonstration).

    Example: riskwatch run daily --as-of 2015-11-30 --from 2015-01-31 --every month-end

    Example: riskwatch run daily --dry-run --json

    Example: riskwatch run monthly (the report of the last full month, and of the quarter or year that ends with it).
    """
    options: Globals = context.obj
    project = open_project(context)
    last = project.day(day(as_of))
    first = day(since)
    if first is not None and first > last:
        raise typer.BadParameter(f"--from {first} lies after --as-of {last}")
    reports = []
    with reporter(quiet=options.quiet) as progress:
        for current in run_days(first or last, last, every):
            report = project.run(pipeline, as_of=current, dry_run=dry_run, wait_seconds=wait, reporter=progress)
            reports.append(report)
            if not as_json:
                _print(report)
    if as_json:
        print_json([_as_json(report) for report in reports] if since else _as_json(reports[-1]), internal=True)
    raise typer.Exit(max(report.exit_code for report in reports))


@app.command()
def digest(
    context: typer.Context,
    centre: Annotated[str | None, typer.Argument(help="Centre; default: all in force.")] = None,
    as_of: AsOf = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: var/<profile>/digests.")] = None,
    to_stdout: Annotated[
        str | None, typer.Option("--print", help="Print one form instead: zh.md, en.md, zh.html, en.html or json.")
    ] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--reproduce", help="Make them again from what the store held then, compare every form byte for byte, and say what differs."
        ),
    ] = False,
    pipeline: Annotated[str, typer.Option(help="With --reproduce: the pipeline whose run made them.")] = "daily",
    as_json: Json = False,
) -> None:
    """Render again the digests that a run has stored, for one centre or all; or make them again and compare.

    Example: riskwatch digest changchun --print en.md

    Example: riskwatch digest --as-of 2025-12-24 --reproduce (ends with 1 if a digest comes out otherwise).
    """
    from riskwatch.runner.digests import render_stored  # noqa: PLC0415

    project = open_project(context)
    if centre is not None:
        project.centre(centre)
    if again:
        _reproduce(context, project, centre, as_of, pipeline, as_json=as_json)
        return
    with project.context(as_of=day(as_of)) as ctx:
        rendered = render_stored(ctx, [centre] if centre else list(ctx.definitions.centres))
    if to_stdout:
        forms = sorted({form for files in rendered.values() for form in files})
        if to_stdout not in forms:
            raise typer.BadParameter(f"--print takes one of {', '.join(forms)}, got {to_stdout!r}")
        for files in rendered.values():
            sys.stdout.write(files[to_stdout] + "\n")
        return
    folder = out or project.var / "digests" / project.day(day(as_of)).isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    for name, files in rendered.items():
        for form, text in files.items():
            path = folder / f"{name}.{form}"
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path}\n")


def _reproduce(context: typer.Context, project: Project, centre: str | None, as_of: str | None, pipeline: str, *, as_json: bool) -> None:
    from riskwatch.backtest.reproduce import reproduce  # noqa: PLC0415

    options: Globals = context.obj
    with reporter(quiet=options.quiet) as progress, project.context(as_of=day(as_of), dry_run=True, reporter=progress) as ctx:
        found = reproduce(ctx, pipeline, [centre] if centre else ())
    if as_json:
        told = {name: getattr(found, name) for name in ("run_id", "identical", "definitions", "code", "records", "differences")}
        forms = {name: {form: asdict(one) for form, one in compared.items()} for name, compared in found.forms.items()}
        print_json({**told, "same": found.same, "forms": forms})
    else:
        _print_reproduction(found)
    raise typer.Exit(0 if found.same else 1)


def _print_reproduction(found: Reproduction) -> None:
    out = sys.stdout.write
    compared = [(name, form, one) for name, forms in found.forms.items() for form, one in forms.items()]
    count = f" ({sum(one.identical for _, _, one in compared)} of {len(compared)} forms)" if compared else ""
    out(f"{found.run_id}: {sum(found.identical.values())} of {len(found.identical)} digests identical{count}\n")
    for name in found.definitions:
        out(f"  definition  {name}\n")
    if found.code:
        out(f"  code        {found.code}\n")
    for text in found.records:
        out(f"  records     {text} came after the run and count as known on its day (left out)\n")
    for name in found.identical:
        if name not in found.forms:
            out(f"  {name}: forms not recorded by this run; JSON alone compared\n")
    for name, places in found.differences.items():
        out(f"  {name}: differs at {', '.join(places)}\n")
    for name, form, one in compared:
        if not one.identical:
            out(f"  {name}.{form}: {one.made}{f', {one.line}' if one.line else ''}\n")
    for name, form, one in compared:
        if one.file != "as published":
            out(f"  {name}.{form}: file {one.file} (no difference of the digest)\n")
