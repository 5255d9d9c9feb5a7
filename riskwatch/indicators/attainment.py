"""Targets: attained or not, the gap, the trend of few yearly values, and the chance of reaching the target in its year.

A target whose year has passed is judged on the value of that year where there is one; where there is none nothing is claimed about it,
and the newest value is shown beside it. Economic scale (kind x) is context and never scored; a target without a figure (kind n) has a
trend only. "=" is scored as "reaches", within the rounding of the figure: no share that is estimated is ever exactly 100%.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True, eq=False)
class _Outlook:
    """Trend of each series and its chance at one year; arrays of shape (series,)."""

    slope: FloatArray
    slope_lower: FloatArray
    slope_upper: FloatArray
    p_value: FloatArray
    chance: FloatArray
    method: npt.NDArray[np.object_]


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
) -> _Outlook:
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
    """
    bounds = _trend_bounds(indicator)
    lower = indicator.direction == "lower"
    trend = values_trend(values, errors, times, np.array([at]), bounds=bounds)
    chance = probability_reaching(trend, aim, higher_is_better=np.full(len(values), not lower))[:, 0]
    chance = np.where(np.isfinite(aim) & np.isfinite(trend.slope), chance, np.nan)
    method = np.asarray(trend.method, dtype=object)
    return _Outlook(trend.slope, trend.slope_lower, trend.slope_upper, trend.p_value, chance, method)


def _trend_bounds(indicator: Indicator) -> tuple[float, float] | None:
    """Return the bounds on which trends are fitted: two ends give a logit scale, a low end alone a log scale."""
    low, high = indicator.bounds
    if low is None:
        return None
    return (low, np.inf if high is None else high)


def attainment(
    values: pd.DataFrame, catalogue: IndicatorCatalogue, *, as_of: dt.date, regions: Iterable[str], targets: Mapping[str, Target] | None = None
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
        "context" (kind x) or "no-figure" (kind n). ``gap`` is how far the value lies beyond the aim, negative where it falls short,
        whichever direction is better; ``certain`` is True where the interval lies on one side of the aim, None where none is known.
        ``now_*`` is the newest value of any year up to now. ``slope`` is per year; ``trend``: "improving", "worsening", "no-trend" or ""
        (too few). ``chance`` is the probability that the true value, as next measured, reaches the aim in ``chance_year``: the target
        year, or, where that has passed, ``outlook_years`` from the newest value. ``risk``: "at-risk", "on-track" or "".
    """
    chosen = catalogue.all_targets if targets is None else dict(targets)
    places = list(dict.fromkeys(regions))
    yearly = values.loc[(values["period_type"] == "year").to_numpy()] if len(values) else values
    rows = [
        row
        for name, target in chosen.items()
        for row in _judge(name, target, catalogue.indicators[target.indicator], yearly, places, as_of, catalogue.methods)
    ]
    return pd.DataFrame(rows, columns=TARGET_COLUMNS)


def _judge(
    name: str, target: Target, indicator: Indicator, yearly: pd.DataFrame, places: list[str], as_of: dt.date, methods: Methods
) -> list[dict[str, object]]:
    mine = yearly.loc[(yearly["indicator"] == target.indicator).to_numpy()]
    mine = mine.loc[mine["region"].isin(places).to_numpy() & (pd.to_datetime(mine["event_date"]) <= pd.Timestamp(as_of)).to_numpy()]
    passed = last_day(target.year, "year") < as_of
    aim = aim_of(target, indicator)
    sign = -1.0 if indicator.direction == "lower" else 1.0
    newest_year = int(mine["number"].max()) if len(mine) else as_of.year
    ahead = newest_year + methods.outlook_years if passed else target.year
    grid = {column: _grid(mine, places, column, newest_year, methods.trend_periods) for column in ("value", "lower", "upper", "error")}
    flagged = _grid(mine.assign(out=(mine["flag"] == "out-of-bounds").astype(np.float64)), places, "out", newest_year, methods.trend_periods)
    points = np.isfinite(grid["value"]) & ~(flagged > 0)
    enough = points.sum(axis=1) >= methods.trend_min_points
    times = middle(np.arange(newest_year - methods.trend_periods + 1, newest_year + 1), "year")
    usable = np.where(points & enough[:, None], grid["value"], np.nan)
    aims = np.full(len(places), aim if target.kind == "q" else np.nan)
    outlook = chances(usable, grid["error"], times, aim=aims, at=ahead + 0.5, indicator=indicator) if enough.any() else None
    rows: list[dict[str, object]] = []
    for place, region in enumerate(places):
        own = mine.loc[(mine["region"] == region).to_numpy()].set_index("number").sort_index()
        now = _figures(own, int(own.index[-1])) if len(own) else None
        then = _figures(own, target.year) if target.year in own.index else None
        judged = (then if then is not None else now) if not passed or then is not None else None
        basis = "" if judged is None else "target-year" if then is not None else "newest"
        row: dict[str, object] = {
            "target": name, "indicator": target.indicator, "domain": target.domain, "kind": target.kind, "region": region,
            "op": target.op or "", "aim": aim, "year": target.year, "passed": passed, "basis": basis, "points": int(points[place].sum()),
        }  # fmt: skip
        row |= _position(judged, aim, sign, prefix="")
        row |= {f"now_{key}": value for key, value in _position(now, aim, sign, prefix="").items() if key != "certain"}
        row["state"] = _state(target, row, basis)
        row |= _trend_of(outlook, place, methods, sign if indicator.direction != "none" else 0.0)
        chance = row["chance"]
        done = basis == "target-year"
        if done or target.kind != "q":
            row["chance"] = float("nan") if not passed or target.kind != "q" else chance
        row["chance_year"] = ahead if np.isfinite(_number(row["chance"])) else None
        row["risk"] = _risk(row, passed=passed, below=methods.at_risk_below)
        rows.append(row)
    return rows


def _grid(mine: pd.DataFrame, places: list[str], column: str, newest: int, periods: int) -> FloatArray:
    """Return one column as [region x year], the last ``periods`` years; NaN where missing."""
    grid = np.full((len(places), periods), np.nan)
    at = mine["number"].to_numpy(dtype=np.int64) - (newest - periods + 1)
    row = mine["region"].map({region: number for number, region in enumerate(places)}).to_numpy(dtype=np.int64)
    inside = at >= 0
    grid[row[inside], at[inside]] = mine[column].to_numpy(dtype=np.float64)[inside]
    return grid


def _figures(own: pd.DataFrame, number: int) -> dict[str, object]:
    found = own.loc[number]
    return {"period": str(found["period"]), **{name: float(found[name]) for name in ("value", "lower", "upper")}}


def _position(figures: dict[str, object] | None, aim: float, sign: float, *, prefix: str) -> dict[str, object]:
    """Return value, interval and gap; ``certain`` where the whole interval lies on one side of the aim."""
    nothing: dict[str, object] = {"period": "", "value": np.nan, "lower": np.nan, "upper": np.nan}
    shown = nothing if figures is None else figures
    value, lower, upper = (_number(shown[name]) for name in ("value", "lower", "upper"))
    certain = bool(lower >= aim or upper < aim) if np.isfinite(lower + upper + aim) else None
    if certain is not None and sign < 0:
        certain = bool(upper <= aim or lower > aim)
    return {**shown, "gap": sign * (value - aim), "certain": certain}


def _state(target: Target, row: Mapping[str, object], basis: str) -> str:
    if target.kind == "x":
        return "context"
    if target.kind == "n":
        return "no-figure"
    gap = _number(row["gap"])
    if not np.isfinite(gap):
        return "unknown"
    if basis == "target-year":
        return "attained" if gap >= 0 else "missed"
    return "reached" if gap >= 0 else "short"


def _trend_of(outlook: _Outlook | None, place: int, methods: Methods, sign: float) -> dict[str, object]:
    if outlook is None or not np.isfinite(outlook.slope[place]):
        blank = dict.fromkeys(("slope", "slope_lower", "slope_upper", "slope_p", "chance"), float("nan"))
        return {**blank, "trend": "", "trend_method": ""}
    slope, p_value = float(outlook.slope[place]), float(outlook.p_value[place])
    clear = p_value < 1.0 - methods.level and sign != 0.0
    return {
        "slope": slope,
        "slope_lower": float(outlook.slope_lower[place]),
        "slope_upper": float(outlook.slope_upper[place]),
        "slope_p": p_value,
        "trend": ("improving" if sign * slope > 0 else "worsening") if clear else "no-trend",
        "trend_method": str(outlook.method[place]),
        "chance": float(outlook.chance[place]),
    }


def _risk(row: Mapping[str, object], *, passed: bool, below: float) -> str:
    chance = _number(row["chance"])
    if passed or not np.isfinite(chance):
        return ""
    return "at-risk" if chance < below else "on-track"


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float, np.floating, np.integer)) else float("nan")
