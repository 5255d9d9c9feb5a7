"""``riskwatch tune power`` and ``riskwatch tune budget``."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskwatch.cli.app import Globals, app
from riskwatch.cli.commands.backtest import Language, Step
from riskwatch.cli.commands.common import AsOf, Json, day, open_project
from riskwatch.cli.output import plain_rows, print_json, print_table, print_text, reporter
from riskwatch.errors import ProjectError, RiskwatchError

if TYPE_CHECKING:
    from riskwatch.backtest.power import PowerMap
    from riskwatch.backtest.tuned import TuneOutcome

group = typer.Typer(no_args_is_help=True, help="See what thresholds can and cannot see, before they go live.")
app.add_typer(group, name="tune")


@group.command()
def power(
    context: typer.Context,
    effect: Annotated[str, typer.Option(help="How many times the usual number of cases, or share of failures: 1.5x.")] = "2x",
    days: Annotated[int, typer.Option(min=1, help="How long the outbreak lasts, in days.")] = 14,
    model: Annotated[list[str] | None, typer.Option(help="Only this model; may be repeated.")] = None,
    product: Annotated[str, typer.Option(help="Only goods of this code, with all below it.")] = "",
    region: Annotated[str, typer.Option(help="Only places of this code, with all below it.")] = "",
    onsets: Annotated[int, typer.Option(min=1, max=100, help="Outbreaks for each series, at random in the last two years.")] = 6,
    seed: Annotated[int, typer.Option(help="Same seed, same outbreaks.")] = 1,
    lang: Annotated[Language, typer.Option(help="Language of the page.")] = Language.ZH,
    out: Annotated[Path | None, typer.Option(help="Folder for the page and the table; default: below var/<profile>/tune.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Put outbreaks of a stated size and length into real history, and say how many each model finds, and when.

    Nothing of the project is changed. A centre learns what it cannot see: a model that finds one outbreak in five of rare goods is no
    reason to call them safe.

    Example: riskwatch tune power --effect 1.5x --days 14 --model injury-counts --region 220200
    """
    from riskwatch.backtest.injection import Outbreak  # noqa: PLC0415 - heavy, and --help must stay quick
    from riskwatch.backtest.power import power_map  # noqa: PLC0415
    from riskwatch.backtest.power_page import write_power  # noqa: PLC0415

    options: Globals = context.obj
    outbreak = Outbreak(_times(effect), days)
    project = open_project(context)
    with reporter(quiet=options.quiet) as progress, project.context(as_of=day(as_of), dry_run=True, reporter=progress) as ctx:
        found = power_map(ctx, outbreak, models=tuple(model or ()), product=product, region=region, onsets=onsets, seed=seed)
        files = write_power(ctx, found, out or ctx.definitions.var / "tune", lang.value)
    if as_json:
        print_json({"rows": plain_rows(found.table), "left_out": dict(found.left_out), "files": [str(path) for path in files]})
        return
    _print(found)
    for path in files:
        sys.stdout.write(f"{path}\n")


def _times(text: str) -> float:
    """Read 1.5x or 1.5."""
    if not re.fullmatch(r"\d+(\.\d+)?x?", text):
        raise typer.BadParameter(f"--effect is a number of times, as 1.5x; got {text!r}")
    return float(text.removesuffix("x"))


def _print(found: PowerMap) -> None:
    told = found.table.drop(columns=["stream"])
    for name in ("judged_share", "power", "power_low", "power_high", "anyway_share"):
        told[name] = ["" if share != share else f"{share:.0%}" for share in told[name]]  # noqa: PLR0124 - NaN
    told["days_median"] = ["" if value != value else f"{value:.0f}" for value in told["days_median"]]  # noqa: PLR0124 - NaN
    print_table(list(told.columns), told.to_numpy().tolist())
    for name, why in found.left_out.items():
        sys.stdout.write(f"left out: {name} ({why})\n")


@group.command()
def budget(
    context: typer.Context,
    per_week: Annotated[float, typer.Option(help="Warnings a week that the centre can read.")],
    centre: Annotated[str, typer.Option(help="Centre, by name or by the code of its jurisdiction.")],
    grade: Annotated[str, typer.Option(help="Level from which on a warning counts: IV+, III+, II+ or I.")] = "III+",
    knob: Annotated[str, typer.Option(help="What is turned, of config/backtest.yaml; default: the first there.")] = "",
    first: Annotated[
        str | None, typer.Option("--from", help="First day that counts; default: two years back, or as records allow.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day; default: the pinned day, else today.")] = None,
    every: Annotated[Step, typer.Option(help="How far apart the replayed days lie.")] = Step.WEEK,
    pipeline: Annotated[str, typer.Option(help="Pipeline to replay.")] = "daily",
    hazards: Annotated[
        Path | None, typer.Option(help="Hazards that are known to have been, CSV or YAML; default: the ledger of a simulated province.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: as many as cores.")] = None,
    lang: Annotated[Language, typer.Option(help="Language of the page and of what is printed.")] = Language.ZH,
    out: Annotated[Path | None, typer.Option(help="Folder for the page and the tables; default: below var/<profile>/tune.")] = None,
    write: Annotated[Path | None, typer.Option(help="Also write the proposed change to this file, as a diff for review.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write the change into config/grading.yaml after printing it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be replayed; replay nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Find the thresholds with which a centre reads so many warnings a week, and say what the past would have gained and lost.

    Past run days are replayed, each as it was known then, at some settings of one knob, from strict to loose: thresholds of
    config/grading.yaml that are a matter of workload. Each setting is a replay; what does not change is taken from earlier ones.
    Counted are warnings that are opened at the level or above, or raised to it.

    Floors, severity and caps are never moved: a death stays a warning, and the answer says how much of the budget such events take.
    Where the budget cannot be met it says what can be had, and ends with 2. It also says how many warnings are to be expected in the half
    year that follows, and with what chance they stay near the budget: small budgets scatter, whatever the thresholds.

    Nothing is applied unasked. The change is a unified diff of config/grading.yaml that keeps comments and order: review it, then
    `git apply` it or give --apply.

    Example: riskwatch tune budget --grade III+ --per-week 5 --centre 220000 --lang en

    Example: riskwatch tune budget --per-week 2 --centre changchun --from 2025-01-01 --knob windows --write budget.diff
    """
    from riskwatch.backtest.budget_page import conclusion, expected, write_budget  # noqa: PLC0415 - heavy, and --help must stay quick
    from riskwatch.backtest.tune import apply_budget, tune_budget  # noqa: PLC0415
    from riskwatch.backtest.tuned import Budget  # noqa: PLC0415

    options: Globals = context.obj
    project = open_project(context)
    asked = Budget(
        project=project.root,
        grade=grade,
        per_week=per_week,
        centre=centre,
        today=project.day(),
        knob=knob,
        first=day(first),
        last=day(last),
        step=7 if every is Step.WEEK else 1,
        pipeline=pipeline,
        profile=options.profile,
        overrides=dict(options.settings),
        hazards=hazards,
        workers=workers or os.cpu_count() or 1,
        dry_run=dry_run,
    )
    with reporter(quiet=options.quiet) as progress:
        found = tune_budget(asked, progress)
        if not dry_run:
            found.files = write_budget(found, out or project.definitions.var / "tune", lang.value)
    if write is not None and found.diff:
        _write(write, found.diff)
        found.files.append(write)
    if as_json:
        print_json(found.as_json(plain_rows))
    elif dry_run:
        _print_plan(found)
    else:
        _print_budget(found, [*conclusion(found, lang.value), *expected(found, lang.value)], lang.value)
    if apply and not dry_run and (path := apply_budget(found)) is not None:
        sys.stderr.write(f"applied to {path}\n")
    if found.met in {"too low", "too high"}:
        ends = found.trials["per_week"]
        what = f"the least is {ends.min():.2f}" if found.met == "too low" else f"the most is {ends.max():.2f}"
        raise ProjectError(
            f"tune budget: {per_week:g} warnings a week at {grade} cannot be had with {found.knob}: {what}",
            hint="another --knob, or another level; floors are a matter of law and severity, not of workload",
        )
    raise typer.Exit(1 if found.failed else 0)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise RiskwatchError(f"tune budget: cannot write {path}: {error.strerror or error}") from error


def _print_plan(found: TuneOutcome) -> None:
    out = sys.stdout.write
    out(f"{found.centre}: {len(found.days)} days, {found.days[0]} to {found.days[-1]}; counted from {found.first} on\n")
    out(f"  {found.knob}: {len(found.settings)} settings, at most {_most(len(found.settings))} of them replayed\n")
    for name, counts in found.counted:
        days = "all or some" if counts.new_assessments is None else f"{counts.new_assessments:,}"
        new = sum(counts.new_detections.values())
        out(f"  {name:<10} detections {counts.detections:,} ({new:,} to compute), assessments {counts.assessments:,} ({days} to compute)\n")


def _most(size: int) -> int:
    """Return how many settings a search tries at most: both ends, today's, and halving between two of them."""
    return min(size, 3 + max(size - 2, 0).bit_length())


def _print_budget(found: TuneOutcome, said: list[str], language: str) -> None:
    from riskwatch.backtest.budget_page import setting_label  # noqa: PLC0415
    from riskwatch.backtest.page import VALUES  # noqa: PLC0415

    rows = [
        [
            setting_label(found, row["setting"]), row["warnings"], f"{row['per_week']:.2f}",
            f"{row['per_week_low']:.2f}-{row['per_week_high']:.2f}", row["events_alone"],
            f"{row['ahead_low']:.2f}-{row['ahead_high']:.2f}", f"{row['kept']:.0%}",
            f"{row['in_time']}/{row['hazards']}",
            ", ".join(name for name in ("today", "chosen") if row[name]),
        ]
        for row in found.trials.to_dict("records")
    ]  # fmt: skip
    print_table(
        ["setting", "warnings", "per_week", "interval", "events_alone", "ahead", "kept", "in_time", "which"], rows,
        title=f"{found.knob}, {found.centre}",
    )  # fmt: skip
    if found.changes is not None:
        words = VALUES[language]
        columns = ["change", f"name_{language}", f"place_{language}", "grade_before", "grade_after", "first_day_before", "first_day_after"]
        changes = found.changes.assign(change=[words.get(one, one) for one in found.changes["change"]])[columns]
        print_table(columns, changes.astype(object).where(changes.notna(), "").to_numpy().tolist(), title="changes")
    print_text("\n".join(said))
    sys.stdout.write(found.diff)
    for path in found.files:
        sys.stdout.write(f"{path}\n")
