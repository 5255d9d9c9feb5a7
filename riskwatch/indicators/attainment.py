"""Targets: attained or not, the gap, the trend of few yearly values, and the chance of reaching the target in its year.

A target whose year has passed is judged on the value of that year where there is one; where there is none nothing is claimed about it,
and the newest value is shown beside it. Economic scale (kind x) is context and never scored; a target without a figure (kind n) has a
trend only. "=" is scored as "reaches", within the rounding of the figure: no share that is estimated is ever exactly 100%.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.indicators.periods import last_day, middle
from riskwatch.indicators.rules import Indicator, IndicatorCatalogue, Methods, Target
from riskwatch.trends.values import probability_reaching, values_trend

__all__ = ["TARGET_COLUMNS", "aim_of", "attainment", "chances"]

FloatArray = npt.NDArray[np.float64]

TARGET_COLUMNS = [
    "target", "indicator", "domain", "kind", "region", "op", "aim", "year", "passed", "state", "basis", "period", "value", "lower", "upper",
    "gap", "certain", "now_period", "now_value", "now_lower", "now_upper", "now_gap", "slope", "slope_lower", "slope_upper", "slope_p",
    "trend", "points", "trend_method", "chance", "chance_year", "risk",
]  # fmt: skip


def aim_of(target: Target, indicator: Indicator) -> float:
    """Return the figure that counts as reached: the target's, less half a unit of the last digit where the text says "="."""
    if target.value is None:
        return float("nan")
    if target.op != "=":
        return target.value
    slack = 0.5 * 10.0**-indicator.decimals
    return target.value + slack if indicator.direction == "lower" else target.value - slack


def chances(
    values: FloatArray,
    errors: FloatArray,
    times: FloatArray,
    *,
    aim: FloatArray,
    at: float,
    indicator: Indicator,
) -> dict[str, npt.NDArray[Any]]:
    """Return trends and the chance that each series reaches its aim at one time.

    Parameters
    ----------
    values, errors : array, shape (series, period)
        Yearly values and their standard errors, NaN where missing; one indicator.
    times : array, shape (period,)
        Middles of the years.
    aim : array, shape (series,)
        NaN: no chance.
    at : float
        Middle of the year in question.
    indicator : Indicator
        Direction and bounds.

    Returns
    -------
    dict of array, shape (series,)
        ``slope, slope_lower, slope_upper`` a year, ``slope_p``, ``chance`` and ``trend_method`` (the scale of the fit).
    """
    bounds = _trend_bounds(indicator)
    # On a logit or log scale a bound lies infinitely far away: a target of "all" (or none) is asked on the scale of the figure itself.
    if bounds is not None and any(abs(end - value) <= 10.0**-indicator.decimals for end in bounds for value in aim[np.isfinite(aim)]):
        bounds = None
    trend = values_trend(values, errors, times, np.array([at]), bounds=bounds)
    chance = probability_reaching(trend, aim, higher_is_better=np.full(len(values), indicator.direction != "lower"))[:, 0]
    chance = np.where(np.isfinite(aim) & np.isfinite(trend.slope), chance, np.nan)
    return {
        "slope": trend.slope,
        "slope_lower": trend.slope_lower,
        "slope_upper": trend.slope_upper,
        "slope_p": trend.p_value,
        "chance": chance,
        "trend_method": np.asarray(trend.method, dtype=object),
    }


def _blank(series: int) -> dict[str, npt.NDArray[Any]]:
    """Return what :func:`chances` does, for series with too few values."""
    empty: dict[str, npt.NDArray[Any]] = {
        key: np.full(series, np.nan) for key in ("slope", "slope_lower", "slope_upper", "slope_p", "chance")
    }
    return empty | {"trend_method": np.full(series, "", dtype=object)}


def _trend_bounds(indicator: Indicator) -> tuple[float, float] | None:
    """Return the bounds on which trends are fitted: two ends give a logit scale, a low end alone a log scale."""
    low, high = indicator.bounds
    if low is None:
        return None
    return (low, np.inf if high is None else high)


def attainment(
    values: pd.DataFrame,
    catalogue: IndicatorCatalogue,
    *,
    as_of: dt.date,
    regions: Iterable[str],
    targets: Mapping[str, Target] | None = None,
) -> pd.DataFrame:
    """Judge every target in every region.

    Parameters
    ----------
    values : DataFrame
        From :func:`riskwatch.indicators.values.prepare`.
    catalogue : IndicatorCatalogue
        ``config/indicators.yaml``.
    as_of : date
        The day as which to look; a target year has passed once its last day lies before it.
    regions : iterable of str
        Regions to judge; one without any value of an indicator gets a row that says so.
    targets : mapping, optional
        Default: all of the catalogue.

    Returns
    -------
    DataFrame
        :data:`TARGET_COLUMNS`, in the order of the targets, then of the regions.

        ``aim`` is the figure that counts as reached (:func:`aim_of`). ``state``: "attained" or "missed" by the value of the target year
        (``basis`` "target-year"), "reached" or "short" by the newest value while the year lies ahead (``basis`` "newest"), "unknown",
        "context" (kind x) or "no-figure" (kind n). ``gap`` is how far the value lies beyond the figure of the text, negative where it
        falls short, whichever direction is better; ``certain`` is True where the interval lies on one side of the aim, None without one.
        ``now_*`` is the newest value of any year up to now. ``slope`` is per year; ``trend``: "improving", "worsening", "no-trend" or ""
        (too few). ``chance`` is the probability that the true value, as next measured, reaches the aim in ``chance_year``: the target
        year, or, where that has passed, ``outlook_years`` after the day. ``risk``: "at-risk", "on-track", "lost" (the figures have
        stopped: no chance is given) or "".
    """
    chosen = catalogue.all_targets if targets is None else dict(targets)
    places = list(dict.fromkeys(regions))
    yearly = values.loc[(values["period_type"] == "year").to_numpy()] if len(values) else values
    if not places or not chosen:
        return pd.DataFrame(columns=TARGET_COLUMNS)
    parts = [_judge(name, target, yearly, places, catalogue=catalogue, as_of=as_of) for name, target in chosen.items()]
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True, eq=False)
class _Grid:
    """Yearly figures of one indicator, arrays of shape (region, year); NaN where missing. ``sound``: within the indicator's bounds."""

    regions: list[str]
    years: npt.NDArray[np.int64]
    value: FloatArray
    lower: FloatArray
    upper: FloatArray
    error: FloatArray
    sound: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, rows: pd.DataFrame, regions: list[str], *, first: int, last: int) -> _Grid:
        """Lay out the rows of one indicator; the years reach from ``first`` to ``last`` at least."""
        numbers = rows["number"].to_numpy(dtype=np.int64)
        years = np.arange(min([first, *numbers.tolist()]), max([last, *numbers.tolist()]) + 1)
        order = {region: number for number, region in enumerate(regions)}
        cells = (np.array([order[region] for region in rows["region"]], dtype=np.int64), numbers - years[0])

        def grid(column: npt.NDArray[Any]) -> FloatArray:
            laid = np.full((len(regions), len(years)), np.nan)
            laid[cells] = column
            return laid

        value, lower, upper, error = (grid(rows[name].to_numpy(dtype=np.float64)) for name in ("value", "lower", "upper", "error"))
        sound = grid((rows["flag"] != "out-of-bounds").to_numpy(dtype=np.float64)) == 1.0
        return cls(regions, years, value, lower, upper, error, sound)

    @property
    def last(self) -> npt.NDArray[np.int64]:
        """Column of each region's newest figure, -1 for none."""
        known = np.isfinite(self.value)
        return np.where(known.any(axis=1), known.shape[1] - 1 - known[:, ::-1].argmax(axis=1), -1)

    def at(self, place: npt.NDArray[np.int64], target: Target, aim: float, sign: float) -> dict[str, npt.NDArray[Any]]:
        """Return period, value, interval and gap at one column of each region; ``certain`` where all of it lies on one side of the aim."""
        row = np.arange(len(place))
        value, lower, upper = (np.where(place >= 0, part[row, place], np.nan) for part in (self.value, self.lower, self.upper))
        near, far = (lower, upper) if sign > 0 else (upper, lower)
        sure = (sign * (near - aim) >= 0) | (sign * (far - aim) < 0)
        period = np.array([str(self.years[column]) if column >= 0 else "" for column in place.tolist()], dtype=object)
        # A gap of the last bit is none.
        gap = np.round(sign * (value - (np.nan if target.value is None else target.value)), 9)
        certain = sure.astype(object)
        certain[~np.isfinite(lower + upper + aim)] = None
        return {"period": period, "value": value, "lower": lower, "upper": upper, "gap": gap, "certain": certain}


def _judge(
    name: str, target: Target, yearly: pd.DataFrame, regions: list[str], *, catalogue: IndicatorCatalogue, as_of: dt.date
) -> pd.DataFrame:
    indicator, methods = catalogue.indicators[target.indicator], catalogue.methods
    mine = yearly.loc[(yearly["indicator"] == target.indicator).to_numpy() & yearly["region"].isin(regions).to_numpy()]
    mine = mine.loc[(pd.to_datetime(mine["event_date"]) <= pd.Timestamp(as_of)).to_numpy()]
    passed = last_day(target.year, "year") < as_of
    aim, sign = aim_of(target, indicator), -1.0 if indicator.direction == "lower" else 1.0
    grid = _Grid.of(mine, regions, first=min(target.year, as_of.year), last=max(target.year, as_of.year))
    last, due = grid.last, int(target.year - grid.years[0])
    there = np.isfinite(grid.value[:, due])
    basis = np.where(there, "target-year", np.where((last >= 0) & (not passed), "newest", "")).astype(object)
    judged = grid.at(np.where(there, due, np.where(basis == "newest", last, -1)), target, aim, sign)
    now = grid.at(last, target, aim, sign)

    gone = [
        column >= 0 and (as_of - last_day(int(grid.years[column]) + 1, "year")).days > methods.lost_after["year"]
        for column in last.tolist()
    ]
    lost = np.array(gone, dtype=np.bool_)
    ahead = as_of.year + methods.outlook_years if passed else target.year
    # No chance where the figure of the target year is there already; nor where figures have stopped: silence must not look on track.
    asked = np.where((there & (not passed)) | lost, np.nan, aim if target.kind == "q" else np.nan)
    outlook, points = _outlook(grid, asked, ahead, indicator, methods)
    slope, chance = outlook["slope"], outlook["chance"]
    drawn = np.isfinite(slope)
    clear = drawn & (outlook["slope_p"] < 1.0 - methods.level) & (indicator.direction != "none")
    risk = np.where(np.isfinite(chance), np.where(chance < methods.at_risk_below, "at-risk", "on-track"), "")
    table = {
        "target": name,
        "indicator": target.indicator,
        "domain": target.domain,
        "kind": target.kind,
        "region": regions,
        "op": target.op or "",
        "aim": aim,
        "year": target.year,
        "passed": passed,
        "state": _states(target, np.round(sign * (judged["value"] - aim), 9), basis),
        "basis": basis,
        **judged,
        **{f"now_{key}": column for key, column in now.items() if key != "certain"},
        **outlook,
        "trend": np.where(clear, np.where(sign * slope > 0, "improving", "worsening"), np.where(drawn, "no-trend", "")),
        "points": points,
        "chance_year": np.where(np.isfinite(chance), float(ahead), np.nan),
        "risk": "" if passed or target.kind != "q" else np.where(lost, "lost", risk),
    }
    return pd.DataFrame(table)[TARGET_COLUMNS]


def _outlook(
    grid: _Grid, asked: FloatArray, ahead: int, indicator: Indicator, methods: Methods
) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.int64]]:
    """Return :func:`chances` of every region, from the last years of its own figures, and how many figures there were."""
    newest = grid.years[grid.last][:, None]
    use = np.isfinite(grid.value) & grid.sound & (grid.years > newest - methods.trend_periods)
    points = use.sum(axis=1)
    enough = points >= methods.trend_min_points
    outlook = _blank(len(points))
    if enough.any():
        span = use[enough].any(axis=0)
        values = np.where(use, grid.value, np.nan)[enough][:, span]
        errors = np.where(use, grid.error, np.nan)[enough][:, span]
        times = middle(grid.years[span], "year")
        for key, column in chances(values, errors, times, aim=asked[enough], at=ahead + 0.5, indicator=indicator).items():
            outlook[key][enough] = column
    return outlook, points


def _states(target: Target, beyond: FloatArray, basis: npt.NDArray[np.object_]) -> npt.NDArray[Any] | str:
    if target.kind != "q":
        return "context" if target.kind == "x" else "no-figure"
    done = basis == "target-year"
    return np.where(
        np.isnan(beyond), "unknown", np.where(beyond >= 0, np.where(done, "attained", "reached"), np.where(done, "missed", "short"))
    )
