"""``riskwatch backtest``."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskwatch.cli.app import Globals, app
from riskwatch.cli.commands.common import Json, day, open_project
from riskwatch.cli.output import plain_rows, print_json, print_table, reporter

if TYPE_CHECKING:
    from riskwatch.backtest.outcome import Outcome


class Step(StrEnum):
    """How far apart the replayed days lie."""

    DAY = "day"
    WEEK = "week"


class Language(StrEnum):
    """Language of the page."""

    ZH = "zh"
    EN = "en"


@app.command()
def backtest(
    context: typer.Context,
    first: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD: it begins with no warnings.")],
    last: Annotated[str, typer.Option("--to", help="Last day.")],
    pipeline: Annotated[str, typer.Argument(help="Pipeline to replay (see pipelines/).")] = "daily",
    every: Annotated[Step, typer.Option(help="How far apart the days lie.")] = Step.WEEK,
    config: Annotated[
        Path | None,
        typer.Option(help="Definitions to replay: a project, or a folder with the files of config/, models/, pipelines/ that differ."),
    ] = None,
    against: Annotated[Path | None, typer.Option(help="Other definitions to compare with: `project` for the project's own.")] = None,
    hazards: Annotated[
        Path | None, typer.Option(help="Hazards that are known to have been, CSV or YAML; default: the ledger of a simulated province.")
    ] = None,
    digests: Annotated[bool, typer.Option("--digests", help="Also write what every centre would have read.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: as many as cores.")] = None,
    lang: Annotated[Language, typer.Option(help="Language of the page and the table.")] = Language.ZH,
    out: Annotated[Path | None, typer.Option(help="Folder for the page and the tables; default: below var/<profile>/backtest.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be computed and what is there; compute nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Replay past run days, each as it was known then, and say what the warnings were worth.

    Nothing of the project is changed: results lie in var/<profile>/backtest, by what they rest on. What is there is not computed again:
    a replay that was killed goes on where it was, a change of one model judges that model alone, one of config/grading.yaml none.
    What no replay uses any more goes with `riskwatch retention replays`.

    Example: riskwatch backtest --from 2024-01-03 --to 2025-12-31

    Example: riskwatch backtest --from 2025-01-01 --to 2025-12-31 --config trial --against project --lang en
    """
    from riskwatch.backtest.outcome import Wanted, run_backtest  # noqa: PLC0415 - heavy, and --help must stay quick

    options: Globals = context.obj
    project = open_project(context)
    days = day(first), day(last)
    assert days[0] is not None  # noqa: S101 - both options are required
    assert days[1] is not None  # noqa: S101
    wanted = Wanted(
        project=project.root,
        pipeline=pipeline,
        first=days[0],
        last=days[1],
        step=7 if every is Step.WEEK else 1,
        today=project.day(),
        profile=options.profile,
        overrides=dict(options.settings),
        config=config,
        against=None if against is None else project.root if str(against) == "project" else against,
        hazards=hazards,
        digests=digests,
        workers=workers or os.cpu_count() or 1,
        language=lang.value,
        out=out,
        dry_run=dry_run,
    )
    with reporter(quiet=options.quiet) as progress:
        outcome = run_backtest(wanted, progress)
    if as_json:
        print_json(outcome.as_json(plain_rows), internal=False)
    else:
        _print(outcome, lang.value)
    raise typer.Exit(1 if outcome.failed else 0)


def _print(outcome: Outcome, language: str) -> None:
    out = sys.stdout.write
    for label, replayed in outcome.replays():
        counts = replayed.counts
        new = sum(counts.new_detections.values())
        out(f"{label}: {len(replayed.days)} days, {replayed.days[0]} to {replayed.days[-1]}, {replayed.pipeline}, {replayed.name}\n")
        verb = "to compute" if outcome.dry_run else "computed"
        days = "all or some" if counts.new_assessments is None else f"{counts.new_assessments:,}"
        out(f"  detections   {counts.detections:,} ({new:,} {verb})\n")
        out(f"  assessments  {counts.assessments:,} days ({days} {verb})\n")
        for name, number in counts.new_detections.items():
            out(f"    {name}: {number}\n")
        if not outcome.dry_run:
            out("  seconds      " + ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in counts.seconds.items()) + "\n")
        for failed_on, models in replayed.failed.items():
            for name, why in models.items():
                out(f"  FAILED       {failed_on} {name}: {why}\n")
    for title, columns, rows in outcome.tables(language):
        print_table(columns, rows, title=title)
    for path in outcome.files:
        out(f"{path}\n")
