"""All that is said of each series of a panel: slope by the method that suits it, level, change, forecast, probability of crossing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.calendar import frequency_of, period_bounds
from riskwatch.panel import Panel
from riskwatch.trends.changepoints import changepoints, stabilised
from riskwatch.trends.design import years_of
from riskwatch.trends.forecast import forecast, interval, predicted, probability_of_level, widened
from riskwatch.trends.glm import Family
from riskwatch.trends.level import Levels, levels
from riskwatch.trends.pooled import pooled_trend
from riskwatch.trends.rolling import COLUMNS, rolling_origin, widening
from riskwatch.trends.rules import FrequencyRules, Threshold, TrendRules
from riskwatch.trends.slope import slopes

__all__ = ["Judged", "judge"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_NEGLIGIBLE = 1e-9


@dataclass(frozen=True, eq=False)
class Judged:
    """Columns by name, each of shape (series,), and how the forecasts have done (:func:`riskwatch.trends.rolling.rolling_origin`).

    ``refusal`` is "" where a series was judged, else why it was not.
    """

    columns: dict[str, npt.NDArray[np.generic]]
    refusal: npt.NDArray[np.str_]
    rolling: pd.DataFrame


@dataclass(frozen=True, eq=False)
class _Work:
    """The series that are judged."""

    y: FloatArray
    exposure: FloatArray | None
    known: BoolArray
    years: FloatArray
    family: Family
    harmonics: int

    @property
    def step(self) -> float:
        """Length of a period in years."""
        return float((self.years[-1] - self.years[0]) / (len(self.years) - 1))

    def rows(self, which: npt.NDArray[np.intp]) -> _Work:
        """Return some of the series."""
        exposure = None if self.exposure is None else self.exposure[which]
        return _Work(self.y[which], exposure, self.known[which], self.years, self.family, self.harmonics)


def judge(panel: Panel, rules: TrendRules, threshold: Threshold) -> Judged:
    """Judge each series of a panel.

    Parameters
    ----------
    panel : Panel
        Failures out of inspections where there is exposure, counts otherwise.
    rules : TrendRules
    threshold : Threshold

    Returns
    -------
    Judged
    """
    shape = rules.frequencies[frequency_of(panel.periods)]
    exposure = panel.exposure
    known = np.isfinite(panel.observed) & (True if exposure is None else np.isfinite(exposure) & (exposure > 0))
    total, count = np.where(known, panel.observed, 0.0).sum(axis=1), known.sum(axis=1)
    refusal = np.where(total < rules.series.min_total, "too-few-cases", np.where(count < shape.min_periods, "too-short", ""))
    chosen = np.flatnonzero(refusal == "")
    names = ["slope_percent_per_year", "lower", "upper", "p_value", "level_now", "level_now_lower", "level_now_upper", "change_ratio"]
    ahead = [name for step in shape.horizons for name in (f"forecast_{step}", f"forecast_{step}_lower", f"forecast_{step}_upper")]
    columns: dict[str, npt.NDArray[np.generic]] = {name: np.full(len(total), np.nan) for name in [*names, *ahead]}
    columns["method"] = np.full(len(total), "", dtype="U14")
    columns["change_point"] = np.full(len(total), np.datetime64("NaT"), dtype="datetime64[ns]")
    columns |= {name: np.full(len(total), np.nan) for name in ("threshold", "probability_crossing")}
    columns |= {"n_periods": count.astype(np.int64), "total": total}
    if not chosen.size or len(panel.periods) < 2:
        return Judged(columns, refusal, pd.DataFrame(columns=COLUMNS))
    years = years_of(panel.periods)
    harmonics = shape.harmonics if years[-1] - years[0] >= rules.series.season_years - 0.1 else 0
    family: Family = "poisson" if exposure is None else "binomial"
    whole = _Work(panel.observed, exposure, known, years, family, harmonics)
    work = whole.rows(chosen)
    rolling = _rolling(panel, work, chosen, rules, shape)
    found = _slopes(work, rules, shape)
    found |= _levels_and_forecasts(work, rules, shape, threshold, rolling)
    found |= _changes(work, rules, shape, panel.periods)
    for name, values in found.items():
        columns[name][chosen] = values
    return Judged(columns, refusal, rolling)


def _rolling(panel: Panel, work: _Work, chosen: npt.NDArray[np.intp], rules: TrendRules, shape: FrequencyRules) -> pd.DataFrame:
    mask = np.zeros(len(panel.index), np.bool_)
    mask[chosen] = rules.rolling.origins > 0
    return rolling_origin(
        panel.select(mask),
        shape.horizons,
        harmonics=work.harmonics,
        origins=max(rules.rolling.origins, 1),
        spacing=rules.rolling.spacing[frequency_of(panel.periods)],
        min_periods=shape.regression_periods,
        level=rules.interval,
        settings=rules.level.settings(),
    )


def _slopes(work: _Work, rules: TrendRules, shape: FrequencyRules) -> dict[str, npt.NDArray[np.generic]]:
    """Regression for series that are long and full enough, Mann-Kendall on sums of periods for the others and where that has no fit."""
    count = work.known.sum(axis=1)
    zero = (work.known & (work.y == 0)).sum(axis=1) / np.maximum(count, 1)
    fitted = slopes(work.y, work.years, family=work.family, exposure=work.exposure, harmonics=work.harmonics, level=rules.interval)
    regression = (count >= shape.regression_periods) & (zero <= rules.series.max_zero_share) & np.isfinite(fitted.error)
    names = ("slope_percent_per_year", "lower", "upper", "p_value")
    values = [part.copy() for part in (fitted.percent, fitted.percent_lower, fitted.percent_upper, fitted.p_value)]
    rest = np.flatnonzero(~regression)
    if rest.size:
        ugly = work.rows(rest)
        # Two years hold a season; a shorter past would take a trend for one.
        long_enough = (count[rest] * work.step >= rules.series.season_years)[:, None]
        means = [
            stabilised(ugly.y, ugly.years, family=ugly.family, exposure=ugly.exposure, harmonics=waves)[1] for waves in (work.harmonics, 0)
        ]
        pooled = pooled_trend(
            ugly.y,
            np.where(long_enough, means[0], means[1]),
            step=work.step,
            pool=shape.pool,
            max_zero_share=rules.series.max_zero_blocks,
            treatment=rules.series.treatment,
            level=rules.interval,
        )
        for target, part in zip(values, (pooled.percent, pooled.lower, pooled.upper, pooled.p_value), strict=True):
            target[rest] = part
    slope, p = values[0], values[3]
    out: dict[str, npt.NDArray[np.generic]] = dict(zip(names, values, strict=True))
    out["p_value"] = np.where(slope > 0, p / 2.0, np.where(slope < 0, 1.0 - p / 2.0, np.where(np.isfinite(p), 0.5, np.nan)))
    out["method"] = np.where(regression, f"glm-{work.family}", "mann-kendall")
    return out


def _levels_and_forecasts(
    work: _Work, rules: TrendRules, shape: FrequencyRules, threshold: Threshold, rolling: pd.DataFrame
) -> dict[str, npt.NDArray[np.generic]]:
    now = levels(
        work.y,
        work.years,
        family=work.family,
        exposure=work.exposure,
        harmonics=work.harmonics,
        level=rules.interval,
        settings=rules.level.settings(),
    )
    made = widened(forecast(now, shape.horizons), widening(rolling, shape.horizons))
    unit = 1.0 if work.exposure is None else np.maximum(made.exposure, 1.0)
    middle, (low, high) = predicted(made) / unit, (part / unit for part in interval(made, rules.interval))
    out: dict[str, npt.NDArray[np.generic]] = {"level_now": now.value, "level_now_lower": now.lower, "level_now_upper": now.upper}
    for at, step in enumerate(shape.horizons):
        out |= {f"forecast_{step}": middle[:, at], f"forecast_{step}_lower": low[:, at], f"forecast_{step}_upper": high[:, at]}
    aim = _threshold(work, now, threshold)
    out["threshold"] = aim
    out["probability_crossing"] = np.where(np.isfinite(aim), probability_of_level(made, aim[:, None])[:, -1], np.nan)
    return out


def _threshold(work: _Work, now: Levels, threshold: Threshold) -> FloatArray:
    """Return the level that must not be reached; ``times`` is of the mean level in the year around a year ago, season divided out."""
    if threshold.rate is not None or threshold.count is not None:
        fits = (threshold.rate is not None) == (work.exposure is not None)
        value = threshold.rate if threshold.rate is not None else threshold.count
        return np.full(len(work.y), value if fits else np.nan, np.float64)
    _, mean = stabilised(work.y, work.years, family=work.family, exposure=work.exposure, harmonics=work.harmonics)
    use = work.known & (np.abs(work.years - (work.years[-1] - 1.0)) <= 0.5)
    use = np.where(use.any(axis=1)[:, None], use, work.known)
    size = np.ones_like(work.y) if work.exposure is None else work.exposure
    all_mean, all_size = (np.where(work.known, part, 0.0).sum(axis=1) for part in (mean, size))
    cases, expected = (np.where(use, part, 0.0).sum(axis=1) for part in (work.y, mean))
    level = cases / np.maximum(expected, _NEGLIGIBLE) * all_mean / np.maximum(all_size, _NEGLIGIBLE)
    # A level of nothing has no multiple: half a case in that year stands for it.
    level = np.maximum(level, 0.5 / np.maximum(np.where(use, size, 0.0).sum(axis=1), 1.0))
    aim = level * (threshold.times or 1.0)
    return np.where(np.isfinite(now.value), aim if work.exposure is None else np.minimum(aim, 1.0), np.nan)


def _changes(work: _Work, rules: TrendRules, shape: FrequencyRules, periods: pd.PeriodIndex) -> dict[str, npt.NDArray[np.generic]]:
    found = changepoints(
        work.y,
        work.years,
        family=work.family,
        exposure=work.exposure,
        harmonics=work.harmonics,
        penalty=rules.changes.penalty,
        most=rules.changes.most,
        min_length=shape.change_length,
        alpha=rules.changes.alpha,
        permutations=rules.changes.permutations,
        seed=rules.changes.seed,
    )
    starts = period_bounds(periods)[0].astype("datetime64[ns]")
    day, ratio = np.full(len(work.y), np.datetime64("NaT"), dtype="datetime64[ns]"), np.full(len(work.y), np.nan)
    for at in range(len(found.series)):  # ordered by period: the newest change of a series stays
        row = found.series[at]
        day[row] = starts[found.period[at]]
        ratio[row] = found.after[at] / found.before[at] if found.before[at] > 0 else np.inf
    return {"change_point": day, "change_ratio": ratio}
