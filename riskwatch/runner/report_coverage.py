"""Parts of the report on sampling: coverage of the key-product catalogue by region and product, its gaps, where samples tell most."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskwatch.coverage.summary import by_product, by_region
from riskwatch.errors import RiskwatchError
from riskwatch.reports.inputs import COLUMNS, Input, Missing, Origin
from riskwatch.reports.model import Text
from riskwatch.runner.coverage import Watched, catalogue_of, sampling_plan, watched_cells
from riskwatch.runner.report_scope import Scope

__all__ = ["coverage", "sampling"]


def coverage(scope: Scope) -> dict[str, Input | Missing]:
    """Return coverage of the catalogue over the window that ends with the period, by region and by product, and the cells not sampled."""
    names = ("coverage_region", "coverage_product", "gaps")
    ctx = scope.standing
    if catalogue_of(ctx) is None:
        gone = Missing(Text(zh="期末没有有效的重点产品目录", en="no key-product catalogue was in force at the end of the period"))
        return dict.fromkeys(names, gone)
    found = watched_cells(ctx)
    tree = ctx.trees.get("region")
    cells = found.frame[found.frame["level"] == found.level]
    if tree is not None and scope.region:
        cells = cells[tree.is_within(cells["region"], scope.region)]
    if tree is None or cells.empty:
        gone = Missing(
            Text(
                zh=f"重点产品目录（{found.catalogue.version}）没有本辖区的产品与地区",
                en=f"the key-product catalogue ({found.catalogue.version}) has no product and region of this jurisdiction",
            )
        )
        return dict.fromkeys(names, gone)
    at = scope.level_of("region", cells["region"], pd.Series(1.0, index=cells.index))
    regions = by_region(cells, tree, level=found.level, at=at).rename(columns={"region": "code"})
    products = by_product(cells, level=found.level).rename(columns={"product": "code"})
    gaps = cells[cells["state"] == "gap"]
    # Heaviest first: weight by people, as the room's own summary ranks them.
    heavy = gaps["weight"].to_numpy(np.float64) * gaps["population"].fillna(1.0).to_numpy(np.float64)
    gaps = gaps.assign(heavy=heavy).sort_values(["heavy", "product", "region"], ascending=[False, True, True], kind="stable")
    origins = {
        "coverage_region": _origin(scope, found, cells, "riskwatch.coverage.summary.by_region"),
        "coverage_product": _origin(scope, found, cells, "riskwatch.coverage.summary.by_product"),
        "gaps": _origin(scope, found, cells, "riskwatch.coverage.coverage"),
    }
    frames = {"coverage_region": regions, "coverage_product": products, "gaps": gaps}
    return {
        name: Input(frame[[*COLUMNS[name], *(["heavy"] if name == "gaps" else [])]].reset_index(drop=True), origins[name])
        for name, frame in frames.items()
    }


def _origin(scope: Scope, found: Watched, cells: pd.DataFrame, room: str) -> Origin:
    drafted = "" if found.catalogue.basis.verified else "（目录未核实）"
    doubt = "" if found.catalogue.basis.verified else " (catalogue not verified)"
    return Origin(
        room=room,
        method=Text(
            zh=f"目录产品 × {found.level} 格，截至期末 {found.window_days} 天内抽查一批次以上即为已抽查（复查、跟踪除外）{drafted}",
            en=f"cells of catalogue products by {found.level}, sampled at least once within the {found.window_days} days up to the period's"
            f" end (rechecks and follow-ups left out){doubt}",
        ),
        stream="spot_check",
        records=int(cells[["comparison", "other"]].to_numpy(dtype=np.float64).sum()),
        filters={"as known on": scope.day.isoformat(), "catalogue": found.catalogue.version, "cells": found.level, **scope.where},
        parameters={"catalogue.coverage.window_days": str(found.window_days), "catalogue.version": found.rules.version},
        first=(pd.Timestamp(scope.day) - pd.Timedelta(days=found.window_days - 1)).date(),
        last=scope.day,
    )


def sampling(scope: Scope) -> dict[str, Input | Missing]:
    """Return where the next samples tell most, as of the period's end."""
    ctx = scope.standing
    found = catalogue_of(ctx)
    if found is None:
        return {
            "sampling": Missing(Text(zh="期末没有有效的重点产品目录", en="no key-product catalogue was in force at the end of the period"))
        }
    rules, version = found
    samples = scope.rules.plan_samples
    try:
        plan = sampling_plan(ctx, samples=samples, objective="mixture")
    except RiskwatchError as error:
        return {"sampling": Missing(Text(zh="重点产品目录没有本辖区的产品与地区", en=error.message))}
    tree = ctx.trees.get("region")
    if tree is not None and scope.region:
        plan = plan[tree.is_within(plan["region"], scope.region)]
    origin = Origin(
        room="riskwatch.coverage.advisor.advise",
        method=Text(
            zh=f"把 {samples} 批次分给目录各格：信息量与预期查出危害各占一定比重，先补目录最低要求；后验区间 95%",
            en=f"{samples} samples handed out over the catalogue's cells by a mixture of information and hazard expected to"
            f" be found, minima of"
            " the catalogue first; posterior intervals of 95%",
        ),
        stream="spot_check",
        records=int(plan["inspected"].sum()),
        filters={"as known on": scope.day.isoformat(), "catalogue": version.version, **scope.where},
        parameters={
            "report.plan_samples": str(samples),
            "catalogue.advice.mixture": f"{rules.advice.mixture:g}",
            "catalogue.advice.minimum_share": f"{rules.advice.minimum_share:g}",
        },
        first=(pd.Timestamp(scope.day) - pd.Timedelta(days=rules.advice.history_days - 1)).date(),
        last=scope.day,
    )
    return {"sampling": Input(plan[list(COLUMNS["sampling"])].reset_index(drop=True), origin)}
