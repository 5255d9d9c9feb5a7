"""``riskwatch rates``."""

from __future__ import annotations

import datetime as dt
import json
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from riskwatch.cli.app import app
from riskwatch.cli.commands.common import AsOf, Json, day, open_project
from riskwatch.cli.output import print_json, print_table


class By(StrEnum):
    """What failure rates are compared between."""

    REGION = "region"
    PRODUCER_REGION = "producer-region"
    PRODUCT = "product"
    INDUSTRY = "industry"


def _window(text: str | None) -> str | tuple[dt.date, dt.date] | None:
    if text is None or text in {"previous", "year-ago"}:
        return text
    first, separator, last = text.partition(":")
    start, end = (day(first), day(last)) if separator else (None, None)
    if start is None or end is None:
        raise typer.BadParameter(f"--compare-with takes previous, year-ago or FIRST:LAST, got {text!r}")
    return start, end


def _percent(value: Any) -> str:
    return "–" if value is None or value != value else f"{100 * value:.1f} %"  # noqa: PLR0124 - NaN differs from itself


def _points(value: Any) -> str:
    return "–" if value is None or value != value else f"{100 * value:+.1f}"  # noqa: PLR0124 - NaN differs from itself


@app.command()
def rates(
    context: typer.Context,
    by: Annotated[By, typer.Option(help="What to compare. region: place of sampling; producer-region: place of production.")] = By.REGION,
    level: Annotated[
        str | None, typer.Option(help="Level of the tree, e.g. prefecture, category; default: the highest with two codes.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="First day of sampling; default: so many months as config/rates.yaml says.")] = None,
    until: Annotated[str | None, typer.Option(help="Last day of sampling; default: the as-of day.")] = None,
    compare_with: Annotated[
        str | None, typer.Option("--compare-with", help="Show the change since an earlier window: previous, year-ago or FIRST:LAST.")
    ] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only this source; may be given several times.")] = None,
    product: Annotated[str | None, typer.Option(help="Only this product code and what is below it.")] = None,
    region: Annotated[str | None, typer.Option(help="Only this region code and what is below it.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Compare spot-check failure rates fairly: raw, and as if everyone had sampled the same mix.

    Only random samples count: targeted ones, follow-ups and rechecks fail more often by design, and are left out (the last line says how
    many). "raw" is failed / inspected. "rate" is standardised: each region's own rates, weighted by the mix of products and strata
    of all regions together (products and industries: by the mix of regions), with a 95 % interval. "borrowed" is the share of that mix
    of which this row has no samples; its rates there come from the same product elsewhere. Two rows differ if their intervals hardly
    overlap; a row with much borrowed says little about itself. Rows with very few samples show no rate.

    With --compare-with, the raw change in percentage points is split: "within" is what changed in the same products and strata, "mix" what
    changed because other things were sampled. A rise that is all mix is no worsening. "change" is the change of the standardised rate.

    Example: riskwatch rates --by region

    Example: riskwatch rates --by product --level category --since 2025-01-01 --until 2025-12-31 --json

    Example: riskwatch rates --by region --compare-with year-ago
    """
    project = open_project(context)
    for name in source or []:
        project.source(name)
    within = {key: code for key, code in (("product", product), ("region", region)) if code}
    key = by.value.replace("-", "_")
    table = project.rates(
        by=key, level=level, since=day(since), until=day(until), as_of=day(as_of), compare_with=_window(compare_with), sources=source or (),
        within=within,
    )  # fmt: skip
    told = table.attrs
    if as_json:
        print_json({**told, "rows": json.loads(table.to_json(orient="records"))})
        return
    name = "name_en" if project.definitions.settings.languages[0] == "en" else "name_zh"
    span = f"{told['since']} to {told['until']}"
    if told["before"] is None:
        columns = ["code", "name", "inspected", "failed", "producers", "raw", "rate", "lower", "upper", "borrowed"]
        rows = [
            [r["code"], r[name], r["inspected"], r["failed"], r["producers"], *(_percent(r[c]) for c in columns[5:])]
            for r in table.to_dict("records")
        ]
        print_table(columns, rows, title=f"failure rates by {by.value} ({told['level']}), {span}")
    else:
        parts = ["raw_change", "within", "mix", "change", "lower", "upper"]
        columns = ["code", "name", "inspected_before", "inspected_after", "raw_before", "raw_after", *parts, "unmatched"]
        rows = [
            [r["code"], r[name], r["inspected_before"], r["inspected_after"], _percent(r["raw_before"]), _percent(r["raw_after"])]
            + [_points(r[c]) for c in parts]
            + [_percent(r["unmatched"])]
            for r in table.to_dict("records")
        ]
        earlier = f"{told['before'][0]} to {told['before'][1]}"
        print_table(
            columns, rows, title=f"change of failure rates by {by.value} ({told['level']}), {earlier} against {span}, percentage points"
        )
    left = ", ".join(f"{count:,} {purpose}" for purpose, count in told["left_out"].items() if count)
    sys.stdout.write(f"left out, not random: {left or 'none'}\n")
