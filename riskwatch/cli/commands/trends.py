"""``riskwatch trends``."""

from __future__ import annotations

import json
import sys
from collections.abc import Hashable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from riskwatch.cli.app import app
from riskwatch.cli.commands.common import AsOf, Json, day, open_project
from riskwatch.cli.output import print_json, print_table

if TYPE_CHECKING:
    import pandas as pd


class By(StrEnum):
    """Dimensions that lists are made of."""

    PRODUCT = "product"
    INDUSTRY = "industry"
    REGION = "region"


@app.command()
def trends(
    context: typer.Context,
    model: Annotated[str | None, typer.Argument(help="One model; without it, all models that config/trends.yaml lists.")] = None,
    by: Annotated[By | None, typer.Option(help="Rank series of this dimension alone; product, if no model is named.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All series: the uncertain, the falling and those that were refused too.")] = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """List what is slowly getting worse: failure rates and injuries that rise over years, not the jumps that `run` warns of.

    Each line says how much the level changed over the last year, in per cent, with an interval that allows for chance, season and for good
    and bad months that come in runs. The list is ranked on the lower end of that interval: a rise of 30 % that may be 2 % stands below one
    of 12 % that is at least 8 %. q is the share of false lines to expect down to this one. A rate of targeted samples says where
    inspectors looked: only random samples are compared.

    level: share failed, or cases a period, now. change: since when the level is what it is, if it stepped. crossing: the probability that
    the level is above the threshold of config/trends.yaml at the last horizon. Nothing listed means that no rise is sure, not that all is
    well: see --all for what was refused, and docs/trends.md for the methods.

    Examples: riskwatch trends --by region; riskwatch trends spot-check-failures --by product --all; riskwatch trends --json | jq '.[0]'
    """
    project = open_project(context)
    when = day(as_of)
    if model is not None:
        lists = {model: project.trends(model, by=None if by is None else by.value, as_of=when)}
    else:
        lists = project.trend_lists((by or By.PRODUCT).value, as_of=when)
    shown = {name: frame if every else frame[frame["reason"] == "worse"] for name, frame in lists.items()}
    if as_json:
        rows = [{"model": name, **row} for name, frame in shown.items() for row in _records(frame)]
        print_json(rows)
        return
    for name, frame in shown.items():
        counts = lists[name]["reason"].value_counts()
        title = f"{name}: {len(lists[name])} series to {lists[name].attrs['newest']} (" + (
            ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "none"
        )
        if frame.empty:
            sys.stdout.write(f"# {title}): nothing is surely getting worse\n")
        else:
            print_table(_COLUMNS, [_line(row) for row in frame.to_dict("records")], title=f"{title})")
    if not shown:
        sys.stdout.write("no model in force is listed for this dimension in config/trends.yaml\n")


_COLUMNS = (
    "rank", "name_zh", "name_en", "stratum", "% a year", "from", "to", "q", "level", "change", "crossing", "periods", "cases", "method",
    "reason",
)  # fmt: skip


def _records(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Return rows that JSON can hold: days as text, what is missing or infinite as null."""
    found: list[dict[str, object]] = json.loads(frame.to_json(orient="records", date_format="iso", double_precision=10))
    for row in found:
        row["change_point"] = None if row["change_point"] is None else str(row["change_point"])[:10]
    return found


def _line(row: Mapping[Hashable, object]) -> tuple[object, ...]:
    def number(name: str, digits: str) -> str:
        value = row[name]
        return "" if not isinstance(value, float) or value != value else f"{value:{digits}}"  # noqa: PLR0124 - NaN

    change = row["change_point"]
    return (
        "" if str(row["rank"]) == "<NA>" else row["rank"],
        row["name_zh"],
        row["name_en"],
        row["stratum"],
        number("slope_percent_per_year", "+.1f"),
        number("lower", "+.1f"),
        number("upper", "+.1f"),
        number("q_value", ".4f"),
        number("level_now", ".3g"),
        "" if str(change) == "NaT" else str(change)[:10],
        number("probability_crossing", ".2f"),
        row["n_periods"],
        f"{row['total']:.0f}",
        row["method"],
        row["reason"],
    )
