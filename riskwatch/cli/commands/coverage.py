"""``riskwatch coverage | advise``."""

from __future__ import annotations

import math
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from riskwatch.cli.app import app
from riskwatch.cli.commands.common import AsOf, Json, day, open_project
from riskwatch.cli.output import plain_rows, print_json, print_table

SHOWN = 15


class By(StrEnum):
    """What coverage is added up by."""

    PRODUCT = "product"
    REGION = "region"


class Aim(StrEnum):
    """What a plan is made for."""

    INFORMATION = "information"
    HAZARD = "hazard"
    MIXTURE = "mixture"


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.1f}%"


@app.command()
def coverage(
    context: typer.Context,
    as_of: AsOf = None,
    by: Annotated[By | None, typer.Option(help="Add up by product or by region instead of listing the worst gaps.")] = None,
    level: Annotated[str | None, typer.Option(help="Level of the region tree whose cells are counted; default: the finest.")] = None,
    window: Annotated[int | None, typer.Option(min=7, help="Days that are looked at; default: config/catalogue.yaml.")] = None,
    region: Annotated[str, typer.Option(help="Only this region and what lies below it.")] = "",
    as_json: Json = False,
) -> None:
    """Show what of the key-product catalogue (重点监管产品目录) was NOT sampled, cell by cell (product x region).

    A cell is "sampled" when it reached the catalogue's minimum over the window, "thin" when it has fewer samples, "gap" when it has none.
    A gap is no sign of safety: it has no failure rate. `higher` counts samples that higher levels took of the product in the region above:
    lower levels may not repeat those (Product Quality Law art. 15), which often explains the gap.

    Examples: riskwatch coverage; riskwatch coverage --by region; riskwatch coverage --region 220100 --window 90 --json
    """
    from riskwatch.coverage import by_product, by_region, summarise  # noqa: PLC0415
    from riskwatch.coverage.gaps import CHANNEL  # noqa: PLC0415
    from riskwatch.errors import DimensionError  # noqa: PLC0415
    from riskwatch.runner.coverage import watched_cells  # noqa: PLC0415

    project = open_project(context)
    tree = project.trees["region"]
    if region and region not in tree:
        raise DimensionError(f"the region tree has no code {region!r}", hint="--region takes a code of the region tree")
    with project.context(as_of=day(as_of)) as ctx:
        found = watched_cells(ctx, window_days=window)
    if found.unknown:
        sys.stderr.write(f"catalogue {found.catalogue.version}: unknown product codes left out: {', '.join(found.unknown)}\n")
    chosen = level or found.level
    known = sorted(set(found.frame["level"]) - {CHANNEL})
    if known and chosen not in known:
        raise typer.BadParameter(f"--level takes one of {', '.join(known)}, got {chosen!r}")
    frame = found.frame if not region else found.frame[tree.is_within(found.frame["region"].to_numpy(dtype=object), region)]
    if by is not None:
        table = by_product(frame, level=chosen) if by is By.PRODUCT else by_region(frame, tree, level=chosen)
        names = project.trees[by.value]
        table.insert(1, "name_zh", [names.name(code, "zh") for code in table[by.value]])
        table.insert(2, "name_en", [names.name(code, "en") for code in table[by.value]])
        if as_json:
            print_json(plain_rows(table))
            return
        shares = ["share", "lower", "population_share", "weight_share"]
        table[shares] = table[shares].map(_percent)
        print_table([str(name) for name in table.columns], table.to_numpy().tolist())
        return
    summary = summarise(
        frame,
        project.trees,
        found.catalogue,
        as_of=project.day(day(as_of)),
        window_days=found.window_days,
        level=chosen,
        region=region,
        top=SHOWN,
    )
    if as_json:
        print_json({"summary": summary, "unknown_codes": found.unknown, "cells": plain_rows(frame)})
        return
    if summary is None:
        sys.stdout.write("no cell of the catalogue lies in this profile's trees\n")
        return
    doubt = "" if summary.verified else " (entries not verified)"
    sys.stdout.write(
        f"catalogue {summary.catalogue}{doubt}, {summary.window_days} days to {summary.as_of}\n"
        f"  cells     {summary.cells:,} (key products x {summary.level})\n"
        f"  covered   {summary.covered:,} ({_percent(summary.share)}); at plan {_percent(summary.plan_share)}; "
        f"by population {_percent(float('nan') if summary.population_share is None else summary.population_share)}\n"
        f"  thin      {summary.thin:,}\n"
        f"  gaps      {summary.gaps:,}: no sample, no rate, and no sign of safety\n"
    )
    if summary.top:
        columns = ("product", "name_zh", "name_en", "region", "place_zh", "place_en", "weight", "expected", "higher")
        rows = [
            (
                gap.product,
                gap.product_name["zh"],
                gap.product_name["en"],
                gap.region,
                gap.region_name["zh"],
                gap.region_name["en"],
                f"{gap.weight:g}",
                f"{gap.expected:g}",
                gap.higher_level,
            )
            for gap in summary.top
        ]
        print_table(columns, rows, title=f"heaviest gaps ({len(rows)} of {summary.gaps})")


@app.command("advise")
def advise_command(
    context: typer.Context,
    samples: Annotated[int, typer.Option(min=1, help="How many samples there are to place.")] = 200,
    objective: Annotated[Aim, typer.Option(help="What they are placed for.")] = Aim.MIXTURE,
    mixture: Annotated[float | None, typer.Option(min=0, max=1, help="With --objective mixture: share of information.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the plan to this .csv or .xlsx instead of printing it.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Say where the next samples tell most: a sampling plan by key product and region.

    Objectives: "information" lowers the doubt about failure rates most (expected fall of their posterior variance, by the catalogue's
    weight and population); "hazard" finds most failing goods (expected failures by harm; a further one in the same cell counts less);
    "mixture" weighs both. Minima of the catalogue come first, up to a share of the plan; the rest is the exact optimum. All numbers are in
    config/catalogue.yaml, block advice.

    Examples: riskwatch advise --samples 200; riskwatch advise --samples 80 --objective hazard --out plan.xlsx
    """
    from riskwatch.store.export import write_table  # noqa: PLC0415

    project = open_project(context)
    plan = project.sampling_plan(samples, objective=objective.value, mixture=mixture, as_of=day(as_of))
    unmet, unplaced = int(plan.attrs["unmet_minimum"]), int(plan.attrs["unplaced"])
    if out is not None:
        table = plan.copy()
        table["last_sampled"] = table["last_sampled"].dt.strftime("%Y-%m-%d")
        write_table(table, out, sheet="plan")
        sys.stdout.write(f"{int(plan['n'].sum())} samples in {len(plan)} cells: {out}\n")
    elif as_json:
        print_json(
            {"objective": objective.value, "samples": samples, "unmet_minimum": unmet, "unplaced": unplaced, "plan": plain_rows(plan)}
        )
        return
    else:
        columns = [
            "product",
            "product_zh",
            "product_en",
            "region",
            "region_zh",
            "region_en",
            "n",
            "minimum",
            "expected_failures",
            "reason_zh",
        ]
        shown = plan[columns].assign(expected_failures=plan["expected_failures"].map("{:.2f}".format))
        print_table(columns, shown.to_numpy().tolist())
    if unmet:
        sys.stderr.write(f"{unmet} samples of the catalogue's minima are still missing after this plan\n")
    if unplaced:
        sys.stderr.write(f"{unplaced} samples found no room: every cell is at advice.cell_maximum\n")
