"""Parts of the report on macro indicators: the newest figure of each, compared, and the way to its target; with their words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from riskwatch.errors import ProjectError
from riskwatch.indicators.comparison import NATION
from riskwatch.reports.inputs import COLUMNS, Input, Missing, Origin
from riskwatch.reports.model import Text
from riskwatch.runner.context import RunContext
from riskwatch.runner.indicators import catalogue_of, indicator_report, labelled_targets
from riskwatch.runner.report_scope import Scope

__all__ = ["indicators", "words"]

_ORDER = {"month": ("month", "quarter", "half", "year"), "quarter": ("quarter", "half", "year", "month"), "year": ("year",)}


def words(ctx: RunContext) -> dict[str, Any]:
    """Return names and units of indicators and which of them are better when lower, by the names of the report's inputs."""
    catalogue = catalogue_of(ctx)
    if catalogue is None:
        return {}
    known = catalogue.indicators
    return {
        "indicator_names": {code: Text(zh=item.label.zh, en=item.label.en) for code, item in known.items()},
        "indicator_units": {code: item.unit.zh if item.unit.zh in {"%", "‰"} else "" for code, item in known.items()},
        "indicator_lower_is_better": frozenset(code for code, item in known.items() if item.direction == "lower"),
    }


def _place(scope: Scope) -> str:
    """Return the region reported on: the jurisdiction, or the one region at the top of the tree.

    Raises
    ------
    ProjectError
        If there is neither.
    """
    tree = scope.ctx.trees.get("region")
    roots = [] if tree is None else tree.children("")
    if scope.region:
        return scope.region
    if len(roots) == 1:
        return str(roots[0])
    raise ProjectError("the report is on no single region, and indicators belong to one", hint="name one with --region")


def indicators(scope: Scope) -> dict[str, Input | Missing]:
    """Return one row for each indicator of the jurisdiction as known at the period's end, with its scored target."""
    place = _place(scope)
    ctx = scope.standing
    report = indicator_report(ctx, regions=[place])
    shown = report.overview[report.overview["region"].astype(str) == place]
    if shown.empty:
        return {
            "indicators": Missing(
                Text(zh="期末前没有本辖区的宏观指标", en="no indicator of this region was known by the end of the period")
            )
        }
    targets = labelled_targets(report)
    scored = targets[(targets["kind"] == "q") & (targets["region"].astype(str) == place) & (targets["state"] != "unknown")]
    # Of several targets the one due next counts, else the one passed last.
    scored = scored.assign(rank=scored["year"].astype(int).where(~scored["passed"].astype(bool), 10_000 - scored["year"].astype(int)))
    scored = scored.sort_values(["passed", "rank", "target"], kind="stable").drop_duplicates("indicator").set_index("indicator")
    rank = {name: place for place, name in enumerate(_ORDER[scope.period.kind])}
    aimed = shown["indicator"].astype(str).isin(scored.index.astype(str))
    # A figure with a target is a yearly one; the others are shown for the length of the period reported on.
    order = shown["period_type"].astype(str).map(lambda name: rank.get(name, 9)).where(~aimed, shown["period_type"].astype(str) != "year")
    rows = shown.assign(order=order.astype(int), place=range(len(shown))).sort_values(["order", "place"], kind="stable")
    rows = rows.drop_duplicates("indicator").sort_values("place", kind="stable")
    frame = rows.rename(
        columns={
            "year": "yoy", "year_lower": "yoy_lower", "year_upper": "yoy_upper", "previous": "mom", "national": "national_difference",
        }
    )  # fmt: skip
    # Differences carry no more digits than their figures, and one.
    digits = [report.catalogue.indicators[str(code)].decimals + 1 for code in frame["indicator"]]
    for name in ("yoy", "yoy_lower", "yoy_upper", "mom", "national_difference"):
        frame[name] = [round(float(value), places) for value, places in zip(frame[name], digits, strict=True)]
    match = scored.reindex(frame["indicator"].astype(str))
    yearly = (frame["period_type"].astype(str) == "year").to_numpy()
    frame["target"] = match["asked"].where(yearly).to_numpy(dtype="float64")
    frame["target_year"] = match["year"].where(yearly).to_numpy(dtype="float64")
    frame["gap"] = match["now_gap"].where(yearly).to_numpy(dtype="float64")
    frame["probability"] = match["chance"].where(yearly).to_numpy(dtype="float64")
    frame["probability_year"] = match["chance_year"].where(yearly).to_numpy(dtype="float64")
    # By the newest figure: a target missed in its year may be reached since, and the other way round.
    gaps = frame["gap"].to_numpy(dtype="float64")
    frame["attained"] = pd.array([None if pd.isna(gap) else gap >= 0 for gap in gaps], dtype="boolean")
    origin = Origin(
        room="riskwatch.indicators.overview, riskwatch.indicators.attainment",
        method=Text(
            zh="各指标最新一期；同比、环比、与全国之差及其区间按两个独立估计之差；达标概率由年度趋势外推",
            en="newest figure of each indicator; changes and the difference to the country with intervals of a difference of"
            " two independent"
            " estimates; probability of a target from the yearly trend",
        ),
        stream="indicator",
        records=report.records,
        filters={"region": place, "compared with": NATION, "as known on": scope.day.isoformat()},
        parameters={"indicators.version": report.catalogue.version},
        last=scope.day,
    )
    extra = ["target_year", "probability_year"]
    return {"indicators": Input(frame[[*COLUMNS["indicators"], *extra]].reset_index(drop=True), origin)}
