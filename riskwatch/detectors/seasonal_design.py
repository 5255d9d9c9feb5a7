"""Columns of a regression on calendar time: level, trend, yearly harmonics, days of the week, known influences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors.baselines import frequency_of

__all__ = ["SeasonalDesign", "seasonal_design", "year_phase"]

FloatArray = npt.NDArray[np.float64]

_DAYS_PER_YEAR = 365.2425


@dataclass(frozen=True, eq=False)
class SeasonalDesign:
    """Columns for all periods of a panel up to the judged one.

    Attributes
    ----------
    columns : array, shape (period, k)
        The first is 1.
    groups : tuple of (name, slice)
        "trend", "harmonic-2", "harmonic-1", "weekday", "covariates"; those that are absent are left out.
    prior_sd : array, shape (k,)
        Standard deviation of the coefficients before any data, on the log scale (trend: per year); infinite for the level.
    """

    columns: FloatArray
    groups: tuple[tuple[str, slice], ...]
    prior_sd: FloatArray


def year_phase(periods: pd.PeriodIndex) -> FloatArray:
    """Return where in its calendar year the middle of each period lies, in [0, 1): 53-week years do not shift the season."""
    middle = periods.start_time + (periods.end_time - periods.start_time) / 2
    length = np.where(middle.is_leap_year, 366.0, 365.0)
    return np.asarray((middle.day_of_year.to_numpy() - 0.5) / length, dtype=np.float64)


def seasonal_design(periods: pd.PeriodIndex, now: int, *, harmonics: int, covariates: FloatArray | None, covariate_sd: float) -> SeasonalDesign:
    """Build the columns for the periods up to position ``now``.

    Parameters
    ----------
    periods : PeriodIndex
    now : int
        Position of the judged period, where the trend is 0.
    harmonics : int
        0, 1 or 2 waves a year.
    covariates : array, shape (covariate, period), or None
    covariate_sd : float
        Prior standard deviation of their coefficients.
    """
    past = periods[: now + 1]
    day = np.asarray(past.start_time.to_numpy()).astype("datetime64[D]").astype(np.float64)
    parts: list[FloatArray] = [np.ones((1, now + 1)), (day - day[-1])[None] / _DAYS_PER_YEAR]
    names, sds = ["level", "trend"], [np.inf, 0.5]
    angle = 2.0 * np.pi * year_phase(past)
    for wave in range(1, harmonics + 1):
        parts.append(np.stack([np.cos(wave * angle), np.sin(wave * angle)]))
        names.append(f"harmonic-{wave}")
        sds.append(1.0)
    if frequency_of(periods) == "day":
        weekday = past.day_of_week.to_numpy()
        parts.append(np.stack([(weekday == at).astype(np.float64) - 1.0 / 7.0 for at in range(6)]))
        names.append("weekday")
        sds.append(1.0)
    if covariates is not None and len(covariates):
        parts.append(covariates[:, : now + 1])
        names.append("covariates")
        sds.append(covariate_sd)
    ends = np.cumsum([len(part) for part in parts])
    groups = [(name, slice(int(end) - len(part), int(end))) for name, end, part in zip(names, ends, parts, strict=True)]
    prior = np.concatenate([np.full(len(part), sd) for part, sd in zip(parts, sds, strict=True)])
    return SeasonalDesign(np.ascontiguousarray(np.vstack(parts).T), tuple(groups[1:]), prior)
