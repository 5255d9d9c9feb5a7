"""Parts of the report that compare failure rates: by region, product and industry, now, against last year, and like for like overall."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from scipy import stats

from riskwatch.errors import RateError
from riskwatch.rates import RECORD_COLUMNS, RateRules, change, compare, period_levels
from riskwatch.rates.strata import UNKNOWN
from riskwatch.reports.inputs import COLUMNS, Input, Missing, Origin
from riskwatch.reports.model import Text
from riskwatch.reports.sections.rates import UNCODED
from riskwatch.runner.rates import rate_rules
from riskwatch.runner.report_period import before, year_before
from riskwatch.runner.report_records import spot_checks
from riskwatch.runner.report_scope import Scope

__all__ = ["changes", "like_for_like", "rates"]

DIMENSIONS = ("region", "product", "industry")
_OVER = {
    "region": Text(zh="同样的产品与抽样方式构成", en="the same mix of products and strata"),
    "product": Text(zh="同样的地区与抽样方式构成", en="the same mix of regions and strata"),
    "industry": Text(zh="同样的地区与抽样方式构成", en="the same mix of regions and strata"),
}


def _parameters(rules: RateRules) -> dict[str, str]:
    return {
        "rates.version": rules.version,
        "rates.strata": ", ".join(rules.strata),
        "rates.interval_level": f"{rules.interval_level:g}",
        "rates.min_inspected": str(rules.min_inspected),
        "rates.correlation.typical": f"{rules.correlation.typical:g}",
        "rates.shrinkage.strength": f"{rules.shrinkage.strength:g}",
    }


def _chosen(scope: Scope, records: pd.DataFrame, dimension: str) -> str:
    """Return the level at which a dimension is compared.

    Raises
    ------
    RateError
        If fewer than two units of the dimension have samples.
    """
    own = records[records["selection"].astype(str) == "random"]
    level = scope.level_of(dimension, own[dimension], own["inspected"])
    if level is None:
        raise RateError(f"fewer than two units of the {dimension} tree have random samples, so there is nothing to compare")
    return level


def _why(error: RateError, dimension: str) -> Missing:
    words = {"region": "地区", "product": "产品", "industry": "行业"}[dimension]
    return Missing(Text(zh=f"本期可比的随机抽样中有{words}代码的单位不足两个，或样本不足", en=error.message))


def rates(scope: Scope) -> dict[str, Input | Missing]:
    """Return raw and standardised failure rates by region, product and industry, of random samples of the period."""
    rules = rate_rules(scope.ctx)
    records = scope.records("spot_check", RECORD_COLUMNS, scope.period.first, scope.period.last)
    made: dict[str, Input | Missing] = {}
    for dimension in DIMENSIONS:
        name = f"rates_{dimension}"
        try:
            level = _chosen(scope, records, dimension)
            table = compare(records, scope.ctx.trees, rules, by=dimension, level=level)
        except RateError as error:
            made[name] = _why(error, dimension)
            continue
        coded = table[table["code"] != UNKNOWN]
        lost = int(table["inspected"].sum() - coded["inspected"].sum())
        origin = Origin(
            room="riskwatch.rates.compare",
            method=Text(
                zh=f"随机抽样不合格率，按{_OVER[dimension].zh}直接标准化；格内率沿代码树收缩（贝塔-二项，经验贝叶斯），"
                f"计入同一企业样品的相关；{100 * rules.interval_level:g}% 区间；少于 {rules.min_inspected} 批次不给出率",
                en=f"failure rates of random samples, directly standardised to {_OVER[dimension].en}; cell rates shrunken along the tree"
                f" (beta-binomial, empirical Bayes), samples of one firm allowed to be alike; {100 * rules.interval_level:g}% intervals;"
                f" no rate on fewer than {rules.min_inspected} samples",
            ),
            stream="spot_check",
            records=int(table.attrs["samples"]),
            filters={"selection": "random", "level": level, UNCODED: str(lost), **scope.where},
            parameters=_parameters(rules),
            **scope.span,
        )
        made[name] = Input(coded[list(COLUMNS[name])].reset_index(drop=True), origin)
    return made


def changes(scope: Scope) -> dict[str, Input | Missing]:
    """Return the change against the same period of last year, like for like and by mix, of units with enough samples in both.

    Last year's records are read as they were known when as old as this period's are now.
    """
    rules = rate_rules(scope.ctx)
    past = year_before(scope.period)
    now = scope.records("spot_check", RECORD_COLUMNS, scope.period.first, scope.period.last)
    then = scope.compared("spot_check", RECORD_COLUMNS, past)
    records = pd.concat([frame.astype(dict.fromkeys(DIMENSIONS, object)) for frame in (then, now)], ignore_index=True)
    least = scope.rules.small.min_inspected
    made: dict[str, Input | Missing] = {}
    for dimension in DIMENSIONS:
        name = f"change_{dimension}"
        try:
            level = _chosen(scope, now, dimension)
            windows = (past.first, past.last), (scope.period.first, scope.period.last)
            table = change(records, scope.ctx.trees, rules, before=windows[0], after=windows[1], by=dimension, level=level)
        except RateError as error:
            made[name] = Missing(Text(zh="本期或上年同期没有可比的随机抽样记录", en=error.message))
            continue
        units = table[~table["code"].isin(["", UNKNOWN])]
        enough = units[(units[["inspected_before", "inspected_after"]].min(axis=1) >= least) & units["within"].notna()]
        if enough.empty:
            made[name] = Missing(
                Text(zh=f"没有一个单位在两期都抽查了 {least} 批次以上", en=f"no unit has {least} samples or more in both periods")
            )
            continue
        frame = enough.assign(change=enough["within"], change_lower=enough["within_lower"], change_upper=enough["within_upper"])
        frame = frame.assign(q_value=_false_discovery(frame, rules.interval_level))
        origin = Origin(
            room="riskwatch.rates.change",
            method=Text(
                zh="不合格率同比变化的 Kitagawa 分解：同口径部分（各格率的变化）与抽样结构部分（产品、地区、抽样方式构成的变化）；"
                f"{100 * rules.interval_level:g}% 区间；错误发现率按 Benjamini-Hochberg；两期各不少于 {least} 批次的单位",
                en="change of the failure rate over a year after Kitagawa: like for like (rates within cells) and mix (what was sampled);"
                f" {100 * rules.interval_level:g}% intervals; false-discovery rate after Benjamini and Hochberg; units with {least} samples"
                " or more in both periods",
            ),
            stream="spot_check",
            records=int(units[["inspected_before", "inspected_after"]].to_numpy().sum()),
            filters={"selection": "random", "level": level, "compared with": past.key, "too few samples": str(len(units) - len(enough))}
            | scope.where,
            parameters=_parameters(rules) | {"report.small.min_inspected": str(least)},
            **scope.span,
        )
        made[name] = Input(frame[list(COLUMNS[name])].reset_index(drop=True), origin)
    return made


def _false_discovery(frame: pd.DataFrame, level: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the false-discovery rate of each change, from its interval."""
    half = (frame["change_upper"] - frame["change_lower"]).to_numpy(np.float64) / 2.0
    z = frame["change"].to_numpy(np.float64) * float(stats.norm.isf((1.0 - level) / 2.0)) / np.maximum(half, 1e-12)
    return np.asarray(stats.false_discovery_control(2.0 * stats.norm.sf(np.abs(z))), dtype=np.float64)


def like_for_like(scope: Scope) -> dict[str, Input | Missing]:
    """Return the overall rate again, with what it would be at one common mix, and each change split into like for like and mix."""
    plain = spot_checks(scope)["overall"]
    if isinstance(plain, Missing):
        return {}
    rules, ctx, period = rate_rules(scope.ctx), scope.ctx, scope.period
    compared = {"last-year": year_before(period)} | ({} if period.kind == "year" else {"before": before(period)})
    frames = {"now": scope.records("spot_check", RECORD_COLUMNS, period.first, period.last)}
    frames |= {name: scope.compared("spot_check", RECORD_COLUMNS, past) for name, past in compared.items()}
    own = frames["now"][frames["now"]["selection"].astype(str) == "random"]
    level = scope.level_of("region", own["region"], own["inspected"])
    levels = period_levels(frames, ctx.trees, rules, level=level).set_index("period")
    frame = plain.frame.copy()
    # A level that is mostly borrowed is the model's and not the records'.
    sampled = levels["rate"].where(levels["borrowed"] <= 0.5)
    frame["standardised"] = sampled.reindex(frame["period"]).to_numpy()
    parts = {"mix": "mix", "within": "within", "within_lower": "within_lower", "within_upper": "within_upper"}
    for name, past in compared.items():
        rows = frame["period"].astype(str) == name
        if not rows.any() or frames[name].empty:
            continue
        both = pd.concat([one.astype(dict.fromkeys(DIMENSIONS, object)) for one in (frames[name], frames["now"])], ignore_index=True)
        windows = (past.first, past.last), (period.first, period.last)
        try:
            whole = change(both, ctx.trees, rules, before=windows[0], after=windows[1], by="region", level=level).iloc[0]
        except RateError:
            continue  # that period has no sample for comparison: its row keeps the plain change
        for target, source in parts.items():
            frame.loc[rows, target] = float(whole[source])
    origin = dataclasses.replace(
        plain.origin,
        room="riskwatch.reports.counting.overall_frame, riskwatch.rates.change, riskwatch.rates.period_levels",
        method=Text(
            zh=plain.origin.method.zh + "；变化按 Kitagawa 分解为同口径与抽样结构；标准化率按各期合并的产品、地区、抽样方式构成",
            en=plain.origin.method.en
            + "; changes split after Kitagawa into like for like and mix; standardised to the mix of products, regions and"
            " strata of all periods",
        ),
        parameters={**plain.origin.parameters, **_parameters(rules)},
    )
    return {"overall": Input(frame, origin)}
