"""Years, halves, quarters and months as consecutive numbers, so that 'a period before' is a subtraction."""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["PER_YEAR", "labels", "last_day", "middle", "numbers"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

PER_YEAR = {"year": 1, "half": 2, "quarter": 4, "month": 12}
_MARK = {"half": "H", "quarter": "Q"}


def numbers(dates: pd.Series, period_type: pd.Series) -> IntArray:
    """Return the number of the period that each day lies in: ``year * periods a year + place in the year``, from 0.

    Parameters
    ----------
    dates : Series of datetime64
    period_type : Series of str
        Keys of :data:`PER_YEAR`.
    """
    per_year = period_type.astype("object").map(PER_YEAR).to_numpy(dtype=np.int64)
    days = pd.to_datetime(dates)
    year, month = days.dt.year.to_numpy(dtype=np.int64), days.dt.month.to_numpy(dtype=np.int64)
    return np.asarray(year * per_year + (month - 1) * per_year // 12, dtype=np.int64)


def labels(number: IntArray, period_type: pd.Series) -> list[str]:
    """Return how periods are written: ``2024``, ``2024H1``, ``2024Q3``, ``2024-07``."""
    found = []
    for value, kind in zip(number.tolist(), period_type.astype("object"), strict=True):
        year, place = divmod(value, PER_YEAR[kind])
        found.append(f"{year}" if kind == "year" else f"{year}-{place + 1:02d}" if kind == "month" else f"{year}{_MARK[kind]}{place + 1}")
    return found


def middle(number: IntArray, period_type: str) -> FloatArray:
    """Return the middle of each period in years: 2024.5 for the year 2024."""
    return np.asarray((number + 0.5) / PER_YEAR[period_type], dtype=np.float64)


def last_day(number: int, period_type: str) -> dt.date:
    """Return the last day of a period."""
    year, place = divmod(number + 1, PER_YEAR[period_type])
    return dt.date(year, 1 + place * 12 // PER_YEAR[period_type], 1) - dt.timedelta(days=1)
