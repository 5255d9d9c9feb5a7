"""``riskwatch tune power``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskwatch.cli.app import Globals, app
from riskwatch.cli.commands.backtest import Language
from riskwatch.cli.commands.common import AsOf, Json, day, open_project
from riskwatch.cli.output import plain_rows, print_json, print_table, reporter

if TYPE_CHECKING:
    from riskwatch.backtest.power import PowerMap

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
