"""Parts of the report on trends: which failure rates get steadily worse, and the course of the overall rate with its forecast."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pandas as pd

from riskwatch.calendar import frequency_of, period_bounds
from riskwatch.definitions.types import Level, ModelDefinition
from riskwatch.errors import RiskwatchError
from riskwatch.panel import Panel
from riskwatch.reports.inputs import COLUMNS, Input, Missing, Origin
from riskwatch.reports.model import Text
from riskwatch.runner.context import RunContext
from riskwatch.runner.freshness import freshness_by_source
from riskwatch.runner.panels import model_panel
from riskwatch.runner.report_period import following
from riskwatch.runner.report_scope import Scope
from riskwatch.runner.trends import ripe, trend_rules
from riskwatch.trends.changepoints import stabilised
from riskwatch.trends.design import following as coming
from riskwatch.trends.design import years_of
from riskwatch.trends.forecast import forecast, interval, predicted
from riskwatch.trends.level import levels
from riskwatch.trends.ranking import comparable, worsening
from riskwatch.trends.rules import BY, TrendRules

__all__ = ["models_in_scope", "panel_in_scope", "series", "trends"]

_PERIOD_DAYS = {"day": 1.0, "week": 7.0, "4-week": 28.0, "month": 30.44}
_STALE_DAYS = 100  # a series that ended longer before the period says nothing about the next


def models_in_scope(scope: Scope, rules: TrendRules, by: str | None = None) -> Iterator[ModelDefinition]:
    """Yield the models of failure rates in force, narrowed to the jurisdiction."""
    ctx, tree = scope.ctx, scope.ctx.trees.get("region")
    names = [name for one in BY if by in {None, one} for name in rules.lists.models(one)]
    for name in dict.fromkeys(names):
        model = ctx.definitions.models.get(name)
        if model is None or model.stream != "spot_check" or not model.denominator:
            continue
        if scope.region and tree is not None:
            codes = tuple(code for code in map(str, tree.codes) if bool(tree.is_within([code], scope.region)[0]))
            model = model.model_copy(update={"where": {**model.where, "region": codes}})
        yield model


def panel_in_scope(ctx: RunContext, model: ModelDefinition, scope: Scope) -> Panel | None:
    """Return a model's ripe panel; None where it has no records or ended too long before the period."""
    try:
        panel = ripe(model_panel(ctx, model, freshness_by_source(ctx.store, ctx.as_of)).panel)
    except RiskwatchError:
        return None  # no record of this model lies within the jurisdiction
    if not len(panel.index) or not len(panel.periods):
        return None
    newest = panel.periods[-1].end_time.date()
    return None if newest < scope.period.first - dt.timedelta(days=_STALE_DAYS) else panel


def _horizon(panel: Panel, scope: Scope, horizons: tuple[int, ...]) -> int:
    """Return the horizon that comes nearest to the middle of the next period."""
    after = following(scope.period)
    middle = after.first + (after.last - after.first) / 2
    steps = (middle - panel.periods[-1].end_time.date()).days / _PERIOD_DAYS[frequency_of(panel.periods)]
    return min(horizons, key=lambda step: (abs(step - steps), step))


def trends(scope: Scope) -> dict[str, Input | Missing]:
    """Return slope, level and forecast of every series of failure rates of random samples, by product, industry and region."""
    ctx = scope.standing
    rules = trend_rules(ctx)
    parts, models, records = [], [], 0.0
    for by in BY:
        found = []
        for model in models_in_scope(scope, rules, by):
            panel = panel_in_scope(ctx, model, scope)
            chosen = None if panel is None else comparable(panel, rules, by)
            if chosen is None or not len(chosen.index):
                continue
            frame = worsening(chosen, rules, model=model.name)
            step = _horizon(chosen, scope, tuple(rules.frequencies[model.frequency].horizons))
            frame = frame.assign(
                kind=by,
                code=frame[by].astype(str),
                forecast=frame[f"forecast_{step}"],
                forecast_lower=frame[f"forecast_{step}_lower"],
                forecast_upper=frame[f"forecast_{step}_upper"],
                probability=frame["probability_crossing"],
                newest=pd.Timestamp(chosen.periods[-1].end_time.date()),
            )
            found.append(frame[frame["slope_percent_per_year"].notna()])
            models.append(model.name)
            records = max(records, float(np.nansum(chosen.exposure)) if chosen.exposure is not None else 0.0)
        if found:
            parts.append(_own_level(scope, by, pd.concat(found, ignore_index=True)))
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if frame.empty:
        return {
            "trends": Missing(
                Text(zh="没有足够长、足够多的不合格率序列", en="no series of failure rates is long enough and has enough failures")
            )
        }
    threshold = rules.thresholds.default
    origin = Origin(
        room="riskwatch.trends.ranking.worsening",
        method=Text(
            zh=f"随机抽样不合格率的年变化（占现水平的百分比），拟二项回归（含季节、自相关）或 Mann-Kendall；"
            f"{100 * rules.interval:g}% 区间；"
            "错误发现率按 Benjamini-Hochberg，单侧；概率为水平在最远预测期超过警戒水平的概率",
            en=f"yearly change of the failure rate of random samples in per cent of its level, quasi-binomial regression (season,"
            f" autocorrelation) or Mann-Kendall; {100 * rules.interval:g}% intervals; one-sided false-discovery rate after Benjamini and"
            " Hochberg; the probability is that of the level above its threshold at the longest horizon",
        ),
        stream="spot_check",
        records=int(records),
        filters={"selection": "random", "models": ", ".join(dict.fromkeys(models)), "as known on": scope.day.isoformat(), **scope.where},
        parameters={
            "trends.version": rules.version,
            "trends.interval": f"{rules.interval:g}",
            "trends.thresholds.default": str(threshold.model_dump(exclude_none=True)),
        },
        last=scope.day,
    )
    return {"trends": Input(frame[[*COLUMNS["trends"], "newest"]], origin)}


def _own_level(scope: Scope, by: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the finest level that the models judge: those above it would tell the same twice."""
    tree = scope.ctx.trees.get(by)
    if tree is None:
        return frame
    depth = pd.Series([tree.levels.index(str(tree.level_of(code))) if code in tree else -1 for code in frame["code"]], index=frame.index)
    within = frame["code"] != scope.region
    return frame[(depth == depth.max()) & within]


def series(scope: Scope) -> dict[str, Input | Missing]:
    """Return the overall failure rate of random samples by the period of its model, its trend, and the forecast."""
    ctx = scope.standing
    rules = trend_rules(ctx)
    best: tuple[float, ModelDefinition, Panel] | None = None
    for model in models_in_scope(scope, rules):
        panel = panel_in_scope(ctx, model.model_copy(update={"levels": (Level(),)}), scope)
        if panel is None or panel.exposure is None:
            continue
        chosen = panel.select(np.array([str(key).endswith("selection=random") or not str(key) for key in _strata(panel)], dtype=np.bool_))
        size = float(np.nansum(chosen.exposure[:, -12:])) if chosen.exposure is not None and len(chosen.index) else 0.0
        if size > 0 and (best is None or size > best[0]):
            best = (size, model, chosen)
    shape = None if best is None else rules.frequencies[best[1].frequency]
    if best is None or shape is None or len(best[2].periods) < shape.min_periods:
        return {"trend_series": Missing(Text(zh="总体序列不够长", en="the overall series is too short"))}
    _, model, panel = best
    frame = _course(panel, rules, model)
    origin = Origin(
        room="riskwatch.trends.level.levels, riskwatch.trends.forecast.forecast",
        method=Text(
            zh=f"各期随机抽样不合格率；趋势线为平均水平加季节；预测由当前水平、斜率与季节外推，{100 * rules.interval:g}% 预测区间",
            en=f"failure rate of random samples by period; the line is mean level and season; the forecast extends present level, slope and"
            f" season, {100 * rules.interval:g}% prediction intervals",
        ),
        stream="spot_check",
        records=int(np.nansum(panel.exposure if panel.exposure is not None else 0.0)),
        filters={"selection": "random", "model": model.name, "as known on": scope.day.isoformat(), **scope.where},
        parameters={"trends.version": rules.version, "trends.interval": f"{rules.interval:g}"},
        last=scope.day,
    )
    return {"trend_series": Input(frame, origin)}


def _strata(panel: Panel) -> list[str]:
    return panel.index.get_level_values("stratum").astype(str).tolist()


def _course(panel: Panel, rules: TrendRules, model: ModelDefinition) -> pd.DataFrame:
    """Return observed, fitted and forecast rates; the panel has one series."""
    shape = rules.frequencies[model.frequency]
    y, size = panel.observed[:1], panel.exposure[:1] if panel.exposure is not None else np.ones_like(panel.observed[:1])
    years = years_of(panel.periods)
    harmonics = shape.harmonics if years[-1] - years[0] >= rules.series.season_years - 0.1 else 0
    known = np.isfinite(y) & (size > 0)
    counts = np.where(known, y, np.nan)
    _, mean = stabilised(counts, years, family="binomial", exposure=size, harmonics=harmonics)
    now = levels(
        counts, years, family="binomial", exposure=size, harmonics=harmonics, level=rules.interval, settings=rules.level.settings()
    )
    ahead = max(shape.horizons) if len(shape.horizons) < _FEW else shape.horizons[1]
    made = forecast(now, np.arange(1, ahead + 1))
    low, high = interval(made, rules.interval)
    unit = np.maximum(made.exposure, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        past = pd.DataFrame(
            {
                "period_start": pd.DatetimeIndex(period_bounds(panel.periods)[0]),
                "observed": np.where(known[0], y[0] / size[0], np.nan),
                "fitted": np.where(known[0], mean[0] / size[0], np.nan),
                "forecast": np.nan,
                "lower": np.nan,
                "upper": np.nan,
            }
        )
    future = pd.DataFrame(
        {
            "period_start": pd.DatetimeIndex(period_bounds(coming(panel.periods, ahead))[0]),
            "observed": np.nan,
            "fitted": np.nan,
            "forecast": (predicted(made) / unit)[0],
            "lower": (low / unit)[0],
            "upper": (high / unit)[0],
        }
    )
    return pd.concat([past, future], ignore_index=True)


_FEW = 3  # horizons; where a frequency names three or more, the second is far enough for a chart
