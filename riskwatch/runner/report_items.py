"""Parts of the report on what fails: test items of the period's failed samples, new ones, and what a changed standard did."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from riskwatch.assessment.hazards import Classifier
from riskwatch.items import item_table, new_items, standard_effect
from riskwatch.reports.inputs import COLUMNS, Input, Missing, Origin
from riskwatch.reports.model import Text
from riskwatch.runner.report_scope import Scope
from riskwatch.runner.standards import standard_catalogue

__all__ = ["items", "standards"]

BASELINE_DAYS = 730
EFFECT_DAYS = 365
_RECORD = ("record_id", "event_date", "product", "region", "producer", "selection", "verdict", "inspected", "failed")


def _random(records: pd.DataFrame) -> pd.DataFrame:
    return records[records["selection"].astype(str) == "random"].reset_index(drop=True)


def items(scope: Scope) -> dict[str, Input | Missing]:
    """Return the failing items of the period's random samples, and which of them are new against the two years before."""
    ctx, period = scope.ctx, scope.period
    first = period.first - dt.timedelta(days=BASELINE_DAYS)
    records = _random(scope.records("spot_check", _RECORD, first, period.last))
    lines = ctx.store.read_items("spot_check", as_of=ctx.as_of)
    classifier = Classifier(ctx.hazards)

    def class_of(name: str) -> str:
        return classifier.classify("items", name)

    # Only samples that failed: where minor faults are listed too, a sample may pass and still have an item against it.
    failed = records.loc[records["failed"].to_numpy(dtype=np.float64) > 0, "record_id"]
    lines = lines[lines["record_id"].isin(failed)]
    here = records[(records["event_date"] >= pd.Timestamp(period.first)) & records["record_id"].isin(failed)]
    table = item_table(here, lines, classifier=class_of)
    if table.empty:
        return {
            "items": Missing(
                Text(zh="本期随机抽样没有登记不合格项目", en="no failing item is on record for the random samples of the period")
            )
        }
    fresh = new_items(records, lines, since=period.first, baseline_since=first, until=scope.day, classifier=class_of)
    sure = fresh[fresh["new"].fillna(value=False).astype(bool) & (fresh["q_value"] < scope.rules.q_value)]
    frame = table.rename(columns={"failed": "failing", "share_lower": "lower", "share_upper": "upper"})
    frame = frame.assign(new=frame["item"].isin(sure["item"]))
    origin = Origin(
        room="riskwatch.items.item_table, riskwatch.items.new_items",
        method=Text(
            zh="随机抽样的不合格样品中该项目不合格的样品数；占登记了不合格项目的样品之比，精确区间；"
            "“新出现”指前两年未曾不合格，且 Fisher 精确检验的错误发现率"
            f"低于 {scope.rules.q_value:g}",
            en="random samples that failed, by failing item; share of the samples with a failing item on record, exact"
            " interval; “new” never failed in the"
            f" two years before and has a false-discovery rate below {scope.rules.q_value:g} (Fisher's exact test)",
        ),
        stream="spot_check",
        records=len(here),
        filters={"selection": "random", **scope.where},
        parameters={"report.q_value": f"{scope.rules.q_value:g}", "hazards.version": str(ctx.hazards.version)},
        **scope.span,
    )
    return {"items": Input(frame[list(COLUMNS["items"])].reset_index(drop=True), origin)}


def standards(scope: Scope) -> dict[str, Input | Missing]:
    """Return how many failures of changed limits would have passed the old ones, for changes within a year before the period's end."""
    ctx = scope.ctx
    catalogue = standard_catalogue(ctx.definitions)
    since = scope.day - dt.timedelta(days=EFFECT_DAYS)
    recent = [one for one in catalogue.changes(ctx.definitions.profile) if one.item and since < one.effective_from <= scope.day]
    if not recent:
        return {
            "standard_effect": Missing(
                Text(
                    zh="截至期末一年内没有登记限值变化的标准",
                    en="no standard on record changed a limit within the year before the period's end",
                )
            )
        }
    records = _random(scope.records("spot_check", _RECORD, since - dt.timedelta(days=EFFECT_DAYS), scope.day))
    effect = standard_effect(
        ctx.store.read_items("spot_check", as_of=ctx.as_of),
        records,
        catalogue,
        ctx.trees.get("product"),
        as_of=scope.day,
        window_days=EFFECT_DAYS,
        profile=ctx.definitions.profile,
    )
    chosen = effect[effect["change"].isin([one.id for one in recent]) & (effect["failed_after"] > 0)]
    if chosen.empty:
        return {"standard_effect": Missing(Text(zh="变化的项目没有不合格样品", en="no sample fails an item whose limit changed"))}
    frame = chosen.rename(columns={"failed_after": "failed_new", "passed_old": "would_pass_old"})
    origin = Origin(
        room="riskwatch.items.standard_effect",
        method=Text(
            zh=f"标准实施后至多 {EFFECT_DAYS} 天内的随机抽样，按测定值与旧限值重新判定",
            en=f"random samples of up to {EFFECT_DAYS} days after a standard came into force, measured values scored again"
            f" at the old limit",
        ),
        stream="spot_check",
        records=int(np.nansum(chosen["n_after"].to_numpy(dtype=np.float64))),
        filters={"selection": "random", "changes": ", ".join(one.id for one in recent), **scope.where},
        parameters={"standards.version": catalogue.version},
        first=min(one.effective_from for one in recent),
        last=scope.day,
    )
    return {"standard_effect": Input(frame[list(COLUMNS["standard_effect"])].reset_index(drop=True), origin)}
