"""``riskwatch pairs``."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from riskwatch.cli.app import app
from riskwatch.cli.commands.common import AsOf, Json, day, open_project
from riskwatch.cli.output import print_json, print_table

_COLUMNS = ("left", "right", "observed", "expected", "EBGM", "EB05", "IC025", "PRR", "ROR", "q", "first")


@app.command()
def pairs(
    context: typer.Context,
    stream: Annotated[str, typer.Option(help="injury, external_notice or spot_check (failures).")] = "injury",
    by: Annotated[str, typer.Option(help="Two sides; + joins fields of one side: product,hazard+origin.")] = "product,diagnosis",
    level: Annotated[str | None, typer.Option(help="Lift products to this level of their tree, e.g. category.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only this source; may be given several times.")] = None,
    since: Annotated[str | None, typer.Option(help="First day; default: all that is stored.")] = None,
    until: Annotated[str | None, typer.Option(help="Last day; default: the as-of day.")] = None,
    strata: Annotated[str, typer.Option(help="Expect independence only within these: year, sex, age, or fields; empty: none.")] = "year",
    min_cases: Annotated[int, typer.Option("--min-cases", min=1, help="List pairs with at least so many cases.")] = 3,
    threshold: Annotated[float, typer.Option(min=0.1, help="A pair stands out when EB05 is above this.")] = 2.0,
    every: Annotated[bool, typer.Option("--all", help="All pairs, not only those that stand out.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many lines; --json prints all.")] = 40,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """List which injuries go with which products, or hazards with products and origins, more often than chance would pair them.

    expected: what the frequencies of both labels alone lead to, within strata. EBGM: observed over expected, drawn to what the ratios of
    all pairs are like, so that 2 cases against 0.01 do not read as 200. EB05: the ratio is above this with 95 % probability; pairs above
    --threshold are listed, the surest first. IC025: lower end of log2 of the ratio; above 0 is more than chance. PRR, ROR: the plain ratio
    of shares and of odds, without strata and without shrinkage. q: share of false lines to expect down to this one. first: end of the
    month after which EB05 was above the threshold for the first time, from the records up to then.

    A pair that stands out is no cause: many are trivial (knives and cuts). Ask what is new: sort by "first", or see the warnings of
    models with the detector gamma-poisson-shrinker, which compare each pair with its own past. docs/detectors/gamma-poisson-shrinker.md.

    Example: riskwatch pairs --by product,diagnosis --strata year,sex,age

    Example: riskwatch pairs --stream external_notice --by product,hazard+origin --since 2020-01-01 --json
    """
    project = open_project(context)
    for name in source or []:
        project.source(name)
    found = project.pairs(
        stream, by=by, level=level, sources=source or (), since=day(since), until=day(until), as_of=day(as_of),
        strata=[name.strip() for name in strata.split(",") if name.strip()], min_cases=min_cases, threshold=threshold,
    )  # fmt: skip
    shown = found if every else found[found["eb05"] > threshold]
    told = found.attrs
    if as_json:
        print_json({**told, "rows": json.loads(shown.to_json(orient="records", date_format="iso"))})
        return
    language = "en" if project.definitions.settings.languages[0] == "en" else "zh"
    title = f"{by} of {stream}, {told['since']} to {told['until']}: {told['reports']:,.0f} reports, {told['pairs']:,} pairs, "
    title += f"{len(shown):,} listed"
    print_table(_COLUMNS, [_line(row, language) for row in shown.head(limit).to_dict("records")], title=title)
    if len(shown) > limit:
        sys.stdout.write(f"{len(shown) - limit:,} more: --limit, or --json for all\n")


def _line(row: dict[Any, Any], language: str) -> list[object]:
    first = str(row["first"])
    return [
        row[f"left_{language}"], row[f"right_{language}"], f"{row['observed']:.0f}", f"{row['expected']:.2f}",
        *(f"{row[name]:.2f}" for name in ("ebgm", "eb05", "ic025", "prr", "ror")), f"{row['q_value']:.2g}",
        "" if first == "NaT" else first[:10],
    ]  # fmt: skip
