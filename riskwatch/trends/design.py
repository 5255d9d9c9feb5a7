"""The columns that all series of a panel share: a level, a straight line in years, harmonics of the year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.calendar import frequency_of, period_bounds, period_numbers, periods_from_numbers

__all__ = ["YEAR_DAYS", "Design", "design_of", "following", "years_of"]

FloatArray = npt.NDArray[np.float64]

YEAR_DAYS = 365.25
_EPOCH = 1970.0


def years_of(periods: pd.PeriodIndex) -> FloatArray:
    """Return the middle of each period in years (2020.5 is about the middle of 2020), shape (period,)."""
    first, last = (part.astype("datetime64[D]").astype(np.float64) for part in period_bounds(periods))
    return np.asarray(_EPOCH + (first + last + 1.0) / 2.0 / YEAR_DAYS)


def following(periods: pd.PeriodIndex, count: int) -> pd.PeriodIndex:
    """Return the ``count`` periods after the last."""
    last = int(period_numbers(periods[-1:])[0])
    return periods_from_numbers(np.arange(last + 1, last + 1 + count), frequency_of(periods))


@dataclass(frozen=True, eq=False)
class Design:
    """Columns of a regression on time.

    Attributes
    ----------
    columns : array, shape (period, k)
        1; years from ``centre`` (absent without trend); cosine and sine of each harmonic.
    years : array, shape (period,)
    centre : float
        Year at which the line's column is 0.
    harmonics : int
    trend : bool
    """

    columns: FloatArray
    years: FloatArray
    centre: float
    harmonics: int
    trend: bool

    @property
    def season(self) -> slice:
        """Where the harmonics' columns are."""
        return slice(1 + int(self.trend), self.columns.shape[1])

    def at(self, years: FloatArray) -> FloatArray:
        """Return the columns at other times, shape (time, k)."""
        return _columns(years, self.centre, self.harmonics, trend=self.trend)


def design_of(years: FloatArray, *, harmonics: int, trend: bool = True) -> Design:
    """Return the design of these periods.

    Parameters
    ----------
    years : array, shape (period,)
    harmonics : int
        Waves a year: 0 is no season.
    trend : bool
    """
    centre = float((years[0] + years[-1]) / 2.0)
    return Design(_columns(years, centre, harmonics, trend=trend), years, centre, harmonics, trend)


def _columns(years: FloatArray, centre: float, harmonics: int, *, trend: bool) -> FloatArray:
    angle = 2.0 * np.pi * years
    parts = [np.ones_like(years), *([years - centre] if trend else [])]
    for wave in range(1, harmonics + 1):
        parts += [np.cos(wave * angle), np.sin(wave * angle)]
    return np.stack(parts, axis=1)
