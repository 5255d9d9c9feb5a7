"""``riskwatch enterprises list | clocks | show`` and ``riskwatch items``."""

from __future__ import annotations

import math
import sys
from typing import Annotated, Any

import pandas as pd
import typer

from riskwatch.cli.app import app
from riskwatch.cli.commands.common import AsOf, Json, day, open_project
from riskwatch.cli.output import print_json, print_table

group = typer.Typer(
    no_args_is_help=True,
    help="Enterprises behind the failures: repeat failures, terms after orders, proposed credit classes. Internal: enterprise "
    "codes are shown, names never. Nothing here decides anything; rules and terms are in config/enterprises.yaml.",
)
app.add_typer(group, name="enterprises")

_LIST = [
    "enterprise", "region", "class_in", "proposed", "change", "rule", "candidacy", "failed_window", "repeat_failures", "recheck_failures",
    "follow_up_failures", "claims", "overdue", "samples", "failed", "worst_product", "shrunk", "stratum_rate", "p_value", "last_failure",
]  # fmt: skip
_TERMS = [
    "enterprise",
    "order_key",
    "product",
    "region",
    "term",
    "started_on",
    "due_on",
    "done_on",
    "days_left",
    "state",
    "result",
    "article",
    "verified",
]
Top = Annotated[int, typer.Option("--top", min=1, help="So many rows.")]


def _cell(value: Any) -> Any:
    """Return a value as printed: days as YYYY-MM-DD, figures with four digits, nothing for what is missing."""
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else str(value)
    return value.item() if hasattr(value, "item") else value


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows with plain values, ready for JSON."""
    return [{str(name): _cell(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _print(frame: pd.DataFrame, *, as_json: bool, empty: str, internal: bool = True) -> None:
    if as_json:
        print_json(_rows(frame), internal=internal)
    elif frame.empty:
        sys.stdout.write(empty + "\n")
    else:
        print_table(list(frame.columns), [list(row.values()) for row in _rows(frame)], internal=internal)


@group.command("list")
def list_enterprises(
    context: typer.Context,
    proposed: Annotated[str | None, typer.Option(help="Only proposed classes, for example D or CD.")] = None,
    change: Annotated[str | None, typer.Option(help="Only worse, better, same or first against the class in force.")] = None,
    candidates: Annotated[bool, typer.Option("--candidates", help="Only candidates for the list of serious violators.")] = False,
    region: Annotated[str | None, typer.Option(help="Only producers in this region or below it.")] = None,
    min_failed: Annotated[int, typer.Option(min=0, help="Only with at least so many failed batches in the window.")] = 0,
    top: Top = 50,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """List enterprises, worst first: history, class in force, proposed class and the rule behind it.

    `shrunk` is the failure rate in the enterprise's worst product, drawn towards that of all its producers (`stratum_rate`): one failure
    of one sample is not 100 %. `p_value` is how often a producer of that product would fail so often.

    Example: riskwatch enterprises list --proposed D --region 220100
    """
    project = open_project(context)
    frame = project.enterprises(as_of=day(as_of)).table()
    if proposed:
        unknown = sorted(set(proposed.upper()) - set("ABCD"))
        if unknown:
            raise typer.BadParameter(f"--proposed takes letters of A, B, C, D, got {proposed!r}")
        frame = frame[frame["proposed"].isin(list(proposed.upper()))]
    if change:
        if change not in {"worse", "better", "same", "first"}:
            raise typer.BadParameter(f"--change takes worse, better, same or first, got {change!r}")
        frame = frame[frame["change"] == change]
    if candidates:
        frame = frame[frame["candidacy"] != ""]
    if region:
        frame = frame[project.trees["region"].is_within(frame["region"], region)]
    frame = frame[frame["failed_window"] >= min_failed]
    _print(frame[_LIST].head(top), as_json=as_json, empty="no enterprise fits")


@group.command()
def clocks(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only overdue, due-soon, running, waiting, met or met-late.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Terms that were met too.")] = False,
    region: Annotated[str | None, typer.Option(help="Only orders from samples in this region or below it.")] = None,
    top: Top = 50,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """List the terms that orders to correct started, overdue first: correction, recheck, second recheck.

    Terms are natural days from config/enterprises.yaml; `verified` false means that the article was not read in the original. A term is
    met by what is on record only: an overdue one may have been met without being reported.

    Example: riskwatch enterprises clocks --state due-soon
    """
    project = open_project(context)
    frame = project.enterprises(as_of=day(as_of)).terms
    states = ("overdue", "due-soon", "running", "waiting", "met", "met-late")
    if state and state not in states:
        raise typer.BadParameter(f"--state takes one of {', '.join(states)}, got {state!r}")
    if state:
        frame = frame[frame["state"] == state]
    elif not every:
        frame = frame[~frame["state"].isin(["met", "met-late"])]
    if region:
        frame = frame[project.trees["region"].is_within(frame["region"], region)]
    _print(frame[_TERMS].head(top), as_json=as_json, empty="no term is open")


@group.command()
def show(
    context: typer.Context,
    code: Annotated[str, typer.Argument(help="The enterprise as `enterprises list` prints it: credit code, or source/key.")],
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Show one enterprise: its history, its terms, the class in force, the proposed one with its rule and figures, and its rate by product.

    Example: riskwatch enterprises show 91220112MN002054XG
    """
    from riskwatch.runner.enterprises import enterprise_story  # noqa: PLC0415

    story = enterprise_story(open_project(context).enterprises(as_of=day(as_of)), code)
    if as_json:
        print_json({name: _rows(frame) for name, frame in story.items()}, internal=True)
        return
    for name, frame in story.items():
        sys.stdout.write(f"{name}\n")
        if frame.empty:
            sys.stdout.write("  nothing on record\n")
        elif len(frame) == 1:
            for field, value in _rows(frame)[0].items():
                sys.stdout.write(f"  {field}: {'' if value is None else value}\n")
        else:
            print_table(list(frame.columns), [list(row.values()) for row in _rows(frame)], internal=True)


@app.command("items")
def list_items(
    context: typer.Context,
    by: Annotated[list[str] | None, typer.Option("--by", help="Split by product, region, selection or source; may be given again.")] = None,
    days: Annotated[int, typer.Option(min=1, help="Samples of so many days up to the as-of day.")] = 365,
    selection: Annotated[list[str] | None, typer.Option(help="Only samples drawn so: random, targeted, follow-up, complaint-led.")] = None,
    product: Annotated[str, typer.Option(help="Only this product code and those below it.")] = "",
    region: Annotated[str, typer.Option(help="Only samples taken in this region or below it.")] = "",
    new: Annotated[bool, typer.Option("--new", help="Items that newly fail against the two years before, by an exact test.")] = False,
    effect: Annotated[bool, typer.Option("--standard-effect", help="How much of a rise is a new standard, by measured values.")] = False,
    top: Top = 50,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Show which test items fail. Samples are counted, not rows: one sample may fail several items, so shares add up to more than 1.

    `tested` and `rate` are empty where a list names failing items only. With --standard-effect, measured values are judged by the old limit
    again (config/standards.yaml): `share` of the rise would not be there without the new one.

    Example: riskwatch items --by product --new --selection random
    """
    from riskwatch.runner.enterprises import items, standard_effects  # noqa: PLC0415

    if new and effect:
        raise typer.BadParameter("--new and --standard-effect are two questions: ask one")
    known = ("product", "region", "selection", "source")
    wrong = [name for name in by or [] if name not in known]
    if wrong:
        raise typer.BadParameter(f"--by takes {', '.join(known)}, got {wrong[0]!r}")
    with open_project(context).context(as_of=day(as_of)) as ctx:
        if effect:
            frame = standard_effects(ctx, days=days)
        else:
            chosen = tuple(selection or ())
            frame = items(ctx, by=tuple(by or ()), days=days, selections=chosen, within=(product, region), new=new)
    _print(frame.head(top), as_json=as_json, empty="no standard changed" if effect else "no item failed", internal=False)
