"""How good the forecasts were: forecast from several past days, compare with what came, and widen the intervals if they held too little.

Sources
-------
Tashman (2000), Int. J. Forecasting 16(4), 437-450. Interval score: Gneiting & Raftery (2007), J. Amer. Statist. Assoc. 102, 359-378.
Widening by past errors is split conformal prediction with a scale: Lei et al. (2018), J. Amer. Statist. Assoc. 113, 1094-1111; errors of
neighbouring series and days are not exchangeable, so that the promise is approximate: it is measured, not proven.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.errors import TrendError
from riskwatch.panel import Panel
from riskwatch.trends.design import years_of
from riskwatch.trends.forecast import covered, forecast, interval, predicted, widened
from riskwatch.trends.level import LevelSettings, levels

__all__ = ["COLUMNS", "FACTORS", "rolling_origin", "widening"]

FloatArray = npt.NDArray[np.float64]

FACTORS = (1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0)
"""Widths that are tried, in units of the model's own standard deviation on the link's scale."""

COLUMNS = [
    "horizon", "origins", "forecasts", "nominal", "coverage", "below", "above", "width", "interval_score", "mean_absolute_error",
    "last_value_error", "factor", "coverage_widened",
]  # fmt: skip
_FEW = 50


def rolling_origin(
    panel: Panel,
    steps: Sequence[int],
    *,
    harmonics: int = 0,
    origins: int = 6,
    spacing: int = 1,
    min_periods: int = 24,
    level: float = 0.95,
    settings: LevelSettings | None = None,
) -> pd.DataFrame:
    """Forecast from past periods and hold the forecasts against what came.

    Parameters
    ----------
    panel : Panel
        Failures out of inspections where there is exposure, counts otherwise.
    steps : sequence of int
        Horizons in periods.
    harmonics : int
    origins : int
        Past periods to forecast from: the newest that has all horizons, and every ``spacing``-th before it.
    spacing : int
        Periods between origins.
    min_periods : int
        Periods an origin must have behind it, and known periods a series must have there.
    level : float
        Nominal coverage.
    settings : LevelSettings, optional

    Returns
    -------
    DataFrame
        One row per horizon: ``horizon``, ``origins``, ``forecasts``, ``nominal``, ``coverage`` (share within the interval), ``below``,
        ``above`` (shares beyond its limits), ``width`` (mean, in counts), ``interval_score``, ``mean_absolute_error``,
        ``last_value_error`` (the same for the mean of the newest year carried forward), ``factor`` (smallest of :data:`FACTORS` with
        nominal coverage to within its standard error, the largest if none has it, 1 with fewer than 50 forecasts),
        ``coverage_widened``. No row if no origin has enough behind it.

    Raises
    ------
    TrendError
        If origins or spacing is below 1.
    """
    if origins < 1 or spacing < 1:
        raise TrendError(f"rolling_origin: origins and spacing must be >= 1, got {origins} and {spacing}")
    ahead = np.asarray(sorted(set(steps)), np.intp)
    last = len(panel.periods) - int(ahead[-1])
    ends = [end for end in range(last, last - origins * spacing, -spacing) if end >= min_periods]
    collected: list[list[FloatArray]] = [[] for _ in ahead]
    ask = _Ask(ahead, harmonics, min_periods, level, settings)
    for end in ends:
        for at, part in enumerate(_one_origin(panel, end, ask)):
            collected[at].append(part)
    rows = []
    for at, parts in enumerate(collected):
        table = np.concatenate(parts) if parts else np.empty((0, 5 + len(FACTORS)))
        if not len(table):
            continue
        actual, mean, naive, low, high = table[:, :5].T
        covered = table[:, 5:].mean(axis=0)
        # Within its own sampling error of the nominal level a coverage tells nothing; with few forecasts it never does.
        enough = np.flatnonzero(covered >= level - np.sqrt(level * (1.0 - level) / len(table)))
        chosen = (int(enough[0]) if enough.size else len(FACTORS) - 1) if len(table) >= _FEW else 0
        beyond = np.maximum(low - actual, 0.0) + np.maximum(actual - high, 0.0)
        rows.append({
            "horizon": int(ahead[at]),
            "origins": len(parts),
            "forecasts": len(table),
            "nominal": level,
            "coverage": float(covered[0]),
            "below": float((actual < low).mean()),
            "above": float((actual > high).mean()),
            "width": float((high - low).mean()),
            "interval_score": float((high - low + 2.0 / (1.0 - level) * beyond).mean()),
            "mean_absolute_error": float(np.abs(actual - mean).mean()),
            "last_value_error": float(np.abs(actual - naive).mean()),
            "factor": FACTORS[chosen],
            "coverage_widened": float(covered[chosen]),
        })  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def widening(table: pd.DataFrame, steps: Sequence[int]) -> FloatArray:
    """Return the factor of each horizon from a table of :func:`rolling_origin`, never falling with the horizon; 1 where it has no row."""
    known = dict(zip(table["horizon"].tolist(), table["factor"].tolist(), strict=True))
    return np.maximum.accumulate(np.array([float(known.get(int(step), 1.0)) for step in steps]))


@dataclass(frozen=True, eq=False)
class _Ask:
    """What is asked at every origin."""

    ahead: npt.NDArray[np.intp]
    harmonics: int
    min_periods: int
    level: float
    settings: LevelSettings | None


def _one_origin(panel: Panel, end: int, ask: _Ask) -> list[FloatArray]:
    """Return per horizon rows of actual, mean, last-year mean, low, high, and whether each factor's interval held."""
    ahead = ask.ahead
    past, coming = slice(0, end), end - 1 + ahead
    y, exposure = panel.observed, panel.exposure
    usable = (np.isfinite(y[:, past]) & (True if exposure is None else exposure[:, past] > 0)).sum(axis=1) >= ask.min_periods
    y = y[usable]
    exposure = None if exposure is None else exposure[usable]
    actual = y[:, coming]
    future = None
    if exposure is not None:
        future = exposure[:, coming]
        actual = np.where(future > 0, actual, np.nan)
        future = np.where(np.isfinite(future) & (future > 0), future, 1.0)
    found = levels(
        y[:, past],
        years_of(panel.periods[:end]),
        family="poisson" if exposure is None else "binomial",
        exposure=None if exposure is None else exposure[:, past],
        harmonics=ask.harmonics,
        settings=ask.settings,
    )
    made = forecast(found, ahead, exposure=future)
    mean = predicted(made)
    naive = _last_year(y[:, past], None if exposure is None else exposure[:, past], panel.periods[:end], mean.shape[1])
    naive = naive if future is None else naive * future
    low, high = interval(made, ask.level)
    held = [covered(widened(made, np.full(len(ahead), factor)), actual, ask.level) for factor in FACTORS]
    out = []
    for at in range(len(ahead)):
        known = np.isfinite(actual[:, at])
        columns = [part[known, at] for part in (actual, mean, naive, low, high, *held)]
        out.append(np.column_stack(columns).astype(np.float64))
    return out


def _last_year(y: FloatArray, exposure: FloatArray | None, periods: pd.PeriodIndex, count: int) -> FloatArray:
    years = years_of(periods)
    newest = years > years[-1] - 1.0
    known = np.isfinite(y) & newest
    size = known if exposure is None else np.where(known & np.isfinite(exposure), exposure, 0.0)
    rate = np.where(known, y, 0.0).sum(axis=1) / np.maximum(size.sum(axis=1), 1)
    return np.repeat(rate[:, None], count, axis=1)
