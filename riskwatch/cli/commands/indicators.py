"""``riskwatch indicators``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any

import pandas as pd
import typer

from riskwatch.cli.app import app
from riskwatch.cli.commands.common import AsOf, Json, day, open_project
from riskwatch.cli.output import print_json, print_table, print_text
from riskwatch.digest.numbers import chance


class Domain(StrEnum):
    """Domains of indicators."""

    MACRO = "macro"
    PRODUCT = "product"
    ENGINEERING = "engineering"
    SERVICE = "service"
    ENVIRONMENT = "environment"


@app.command()
def indicators(
    context: typer.Context,
    domain: Annotated[Domain | None, typer.Option(help="Only this domain.")] = None,
    region: Annotated[str | None, typer.Option(help="Region code; default: the first centre's. 'all' for every region.")] = None,
    targets: Annotated[bool, typer.Option("--targets", help="One line for each target instead: attained, gap, trend, chance.")] = False,
    explain: Annotated[
        str | None, typer.Option(metavar="ID", help="Trace one indicator or target: formula, inputs, method, file:line.")
    ] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """List quality indicators: newest value with interval, change on last year (同比) and on the period before (环比), nation, targets.

    How to read it: a value is printed with the interval that its kind of figure allows (binomial from n, or the stated standard error);
    "no interval" means that nobody said how sure it is. A change whose interval holds zero is called unchanged, however large it looks.
    A chance is the probability that the figure of the target year will reach the target if the trend of the years so far goes on.

    Figures marked "derived" are worked out from this system's own records (the spot-check pass rate of random samples, say) and are
    never to be quoted as survey figures: the pass rate of manufactured products comes from a designed survey of 29 industries.

    Examples: riskwatch indicators --domain macro; riskwatch indicators --targets --region 220100;
    riskwatch indicators --explain manufacturing-pass-rate; riskwatch indicators --json | jq '.[] | select(.lost)'
    """
    project = open_project(context)
    place = region if region is not None else next((centre.region for centre in project.definitions.centres.values()), "")
    chosen = None if place in {"", "all"} else place
    if explain is not None:
        story = project.explain_indicator(explain, region=chosen, as_of=day(as_of))
        if as_json:
            print_json(story)
        else:
            print_text("\n".join(_story(story)))
        return
    if targets:
        frame = project.targets(region=chosen, domain=None if domain is None else domain.value, as_of=day(as_of))
    else:
        frame = project.indicators(region=chosen, domain=None if domain is None else domain.value, as_of=day(as_of))
    if as_json:
        print_json(_records(frame))
    elif frame.empty:
        sys.stdout.write("no indicator records known on that day (riskwatch pull reads them)\n")
    else:
        columns, rows = _target_rows(frame) if targets else _indicator_rows(frame)
        print_table(columns, rows)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows = frame.astype("object").where(frame.notna(), None).to_dict("records")
    return [{str(key): value.date() if isinstance(value, pd.Timestamp) else value for key, value in row.items()} for row in rows]


def _known(value: Any) -> bool:
    return value is not None and value == value  # noqa: PLR0124 - NaN differs from itself


def _number(value: Any, decimals: int, *, signed: bool = False) -> str:
    return f"{value:{'+' if signed else ''}.{decimals}f}" if _known(value) else ""


def _with_interval(row: Mapping[Any, Any], decimals: int, name: str = "") -> str:
    value, lower, upper = (row[f"{name}{part}"] for part in ("value", "lower", "upper"))
    if not _known(value):
        return ""
    return f"{value:.{decimals}f} " + (f"[{lower:.{decimals}f}, {upper:.{decimals}f}]" if _known(lower) else "(no interval)")


def _change(row: Mapping[Any, Any], name: str, decimals: int) -> str:
    if not _known(row[name]):
        return ""
    verdict = str(row[f"{name}_verdict"])
    if verdict == "unchanged":
        return f"{'no difference' if name == 'national' else 'unchanged'} ({_number(row[name], decimals, signed=True)})"
    return _number(row[name], decimals, signed=True) + (" (no interval)" if verdict == "no-interval" else "")


def _indicator_rows(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    columns = ["indicator", "name", "region", "period", "value", "unit", "on last year", "on period before", "to the nation", "target",
               "gap", "chance", "notes"]  # fmt: skip
    return columns, [_indicator_row(row) for row in frame.to_dict("records")]


def _indicator_row(row: Mapping[Any, Any]) -> list[str]:
    decimals = int(row["decimals"])
    reasons = (
        ("derived", row["derived"]),
        (f"lost since {row['missing_since']}", row["lost"]),
        ("preliminary", row["status"] == "preliminary"),
        (str(row["flag"]), row["flag"]),
    )
    return [
        str(row["indicator"]),
        str(row["label_zh"]),
        str(row["region"]),
        str(row["period"]),
        _with_interval(row, decimals),
        str(row["unit"]),
        *(_change(row, name, decimals) for name in ("year", "previous", "national")),
        str(row["target"]) if _known(row["target"]) else "",
        _number(row["gap"], decimals, signed=True),
        f"{chance(row['chance'])} in {int(row['chance_year'])}" if _known(row["chance"]) else "",
        ", ".join(word for word, holds in reasons if holds),
    ]


def _target_rows(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    columns = ["target", "name", "region", "asked", "by", "state", "value", "gap", "now", "trend a year", "chance"]
    rows = []
    for row in frame.to_dict("records"):
        decimals = int(row["decimals"])
        asked = f"{row['op']} {row['asked']:g} {row['unit']}" if _known(row["asked"]) else "no figure"
        state = str(row["state"]) + (", target year passed" if row["passed"] else "")
        trend = "" if not _known(row["slope"]) else f"{row['slope']:+.{decimals + 1}f} ({row['trend']})"
        odds = f"{chance(row['chance'])} in {int(row['chance_year'])}" if _known(row["chance"]) else ""
        now = f"{row['now_value']:.{decimals}f} ({row['now_period']})" if _known(row["now_value"]) else "no value"
        value = f"{_with_interval(row, decimals)} ({row['period']})" if _known(row["value"]) else ""
        rows.append([str(row["target"]), str(row["label_zh"]), str(row["region"]), asked, str(row["year"]), state, value,
                     _number(row["gap"], decimals, signed=True), now, trend, odds])  # fmt: skip
    return columns, rows


def _story(story: Mapping[str, Any]) -> Iterator[str]:
    """Yield the trace of one number as plain text in English."""
    definition = story["definition"]
    yield f"{story['id']}  {definition['label']['zh']} / {definition['label']['en']}, as of {story['as_of']}"
    yield f"formula     {definition['formula']['zh']}"
    yield f"            {definition['formula']['en']}"
    yield f"defined     {definition['where']}; {_basis(definition['basis']['source'], definition['basis']['verified'])}"
    if definition["note"]:
        yield f"note        {definition['note']['en']}"
    for name, target in story["targets"].items():
        asked = "no figure" if target["value"] is None else f"{target['op']} {target['value']:g} by {target['year']}"
        yield f"target      {name}: {asked}; {target['where']}; {_basis(target['source'], target['verified'])}"
        if target["note"]:
            yield f"            {target['note']['en']}"
    methods = story["methods"]
    yield f"method      intervals at {methods['level']:g} ({methods['where']})"
    yield "            changes by combining intervals (MOVER); trends of yearly figures"
    if not story["figures"]:
        yield "figures     none known on that day"
    for figure in story["figures"]:
        yield from _figure_lines(figure, int(definition["decimals"]), str(definition["unit"]["en"]))
    for row in story["attainment"]:
        odds = (
            f"; chance {chance(row['chance'])} in {int(row['chance_year'])} (trend {row['trend_method']}, {row['points']} years)"
            if row["chance"] is not None
            else ""
        )
        passed = "; target year passed" if row["passed"] else ""
        yield f"judged      {row['target']} in {row['region']}: {row['state']}{passed}{odds}"


def _figure_lines(figure: Mapping[str, Any], decimals: int, unit: str) -> Iterator[str]:
    inputs = figure["inputs"]
    status = figure["status"] or "worked out here"
    yield f"figure      {figure['region']} {figure['period']}: {_with_interval(figure, decimals)} {unit}; {status}"
    counts = [
        f"{inputs['records']:,} records" if inputs["records"] is not None else "",
        f"n {inputs['n']:,.0f}" if inputs["n"] is not None else "",
    ]
    yield f"  made from {inputs['stream']} ({inputs['source']}): {', '.join(counts)}; newest known {inputs['newest_known']}"
    yield f"  interval  {figure['method']}"
    for name, label in (("year", "on last year"), ("previous", "on the period before"), ("national", "to the nation")):
        if figure[name] is not None:
            limits = (
                f" [{figure[f'{name}_lower']:+.{decimals}f}, {figure[f'{name}_upper']:+.{decimals}f}]"
                if figure[f"{name}_lower"] is not None
                else ""
            )
            source = f" ({figure['national_source']})" if name == "national" else ""
            yield f"  {label}: {figure[name]:+.{decimals}f}{limits}, {figure[f'{name}_verdict']}{source}"
    for scheme, label in figure["bands"].items():
        yield f"  band      {label['zh']} / {label['en']} ({scheme}{'' if label['verified'] else ', not verified'})"


def _basis(source: str, verified: bool) -> str:
    return f"source: {source}" + ("" if verified else " (not verified)")
