"""Columns of a regression on calendar time: level, trend, yearly waves, days of the week, known influences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors.baselines import PERIODS_PER_YEAR, frequency_of

__all__ = ["SeasonalDesign", "seasonal_design", "year_phase"]

FloatArray = npt.NDArray[np.float64]

_DAYS_PER_YEAR = 365.2425


@dataclass(frozen=True, eq=False)
class SeasonalDesign:
    """Columns for the periods of a panel up to the judged one.

    Attributes
    ----------
    columns : array, shape (period, k)
        The first is 1, the second the time in years before the judged period, at most 0.
    groups : dict of str to slice
        Columns of "trend", "wave-1", "wave-2", "drift-..." (years), "moving-1", "moving-2", "weekday" and "covariates"; those that are
        absent are left out.
    prior_sd : array, shape (k,)
        Standard deviation of the coefficients before any data, on the log scale (trend and moving waves: per year); infinite for the level.
    """

    columns: FloatArray
    groups: dict[str, slice]
    prior_sd: FloatArray


def year_phase(periods: pd.PeriodIndex, match: str) -> FloatArray:
    """Return where in its year the middle of each period lies.

    With ``match="calendar"`` the year is the calendar's, so that 53-week years do not shift the season; with ``"fixed"`` it has a fixed
    number of periods (52, 13, 12, 365).
    """
    if match == "fixed":
        return np.arange(len(periods)) / PERIODS_PER_YEAR[frequency_of(periods)]
    middle = periods.start_time + (periods.end_time - periods.start_time) / 2
    length = np.where(middle.is_leap_year, 366.0, 365.0)
    return np.asarray((middle.day_of_year.to_numpy() - 0.5) / length, dtype=np.float64)


def seasonal_design(
    periods: pd.PeriodIndex,
    *,
    waves: int,
    moving: bool = False,
    drift: tuple[float, ...] = (),
    match: str = "calendar",
    covariates: FloatArray | None = None,
    covariate_sd: float = 0.5,
) -> SeasonalDesign:
    """Build the columns; the last period is the judged one.

    Parameters
    ----------
    periods : PeriodIndex
    waves : int
        0, 1 or 2 waves a year.
    moving : bool
        Let the waves change linearly in time.
    drift : tuple of float
        Years: for each a ramp that is 1 over so many newest years and falls to 0 over as many before.
    match : {"calendar", "fixed"}
    covariates : array, shape (covariate, period), optional
    covariate_sd : float
        Prior standard deviation of their coefficients.
    """
    day = np.asarray(periods.start_time.to_numpy()).astype("datetime64[D]").astype(np.float64)
    years = (day - day[-1]) / _DAYS_PER_YEAR
    parts: list[tuple[str, FloatArray, float]] = [("level", np.ones((1, len(day))), np.inf), ("trend", years[None], 0.5)]
    angle = 2.0 * np.pi * year_phase(periods, match)
    circles = [(wave, np.stack([np.cos(wave * angle), np.sin(wave * angle)])) for wave in range(1, waves + 1)]
    parts += [(f"wave-{wave}", circle, 1.0) for wave, circle in circles]
    parts += [(f"drift-{length:g}", np.clip(2.0 + years / length, 0.0, 1.0)[None], 0.5) for length in drift]
    if moving:
        parts += [(f"moving-{wave}", circle * years, 0.1) for wave, circle in circles]
    if frequency_of(periods) == "day":
        weekday = periods.day_of_week.to_numpy()
        parts.append(("weekday", np.stack([(weekday == at) - 1.0 / 7.0 for at in range(6)]), 1.0))
    if covariates is not None and len(covariates):
        parts.append(("covariates", covariates, covariate_sd))
    ends = np.cumsum([len(part) for _, part, _ in parts]).tolist()
    groups = {name: slice(end - len(part), end) for (name, part, _), end in zip(parts, ends, strict=True) if name != "level"}
    prior = np.concatenate([np.full(len(part), sd) for _, part, sd in parts])
    return SeasonalDesign(np.ascontiguousarray(np.vstack([part for _, part, _ in parts]).T), groups, prior)
