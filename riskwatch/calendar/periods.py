"""Periods of a panel: which one a day is in, where each begins and ends.

Every period has a *number*: consecutive integers, one apart, so that ``number - first`` is a column of a panel. Numbers come
from ``datetime64[D]`` arithmetic alone and are fast for millions of days.

=========  ==============  =====================================================================
frequency  pandas freq     number
=========  ==============  =====================================================================
day        ``D``           days since 1970-01-01
week       ``W-SUN``       ISO weeks, Monday to Sunday; 1 is the week of 1970-01-01 (as in pandas)
4-week     ``4W-SUN``      blocks of four ISO weeks; 0 begins on Monday 1970-01-05
month      ``M``           months since January 1970
=========  ==============  =====================================================================

The 4-week grid is fixed: a block does not depend on where a history starts or on the year, so series of different length line
up. (Thirteen blocks are 364 days, so blocks drift by a day or two against the year.)

Traps of ``4W-SUN`` in pandas, each held by a test: a value *is* the ordinal of its first week, so ordinals step by four;
``pd.PeriodIndex(days, freq="4W-SUN")`` does not snap days to any grid; ``str(period)`` shows the first week only, while
``end_time`` is right. Make such periods with :func:`period_index` or :func:`periods_from_numbers` and nothing else.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.errors import CalendarError

__all__ = [
    "FREQUENCIES",
    "MISSING",
    "Frequency",
    "frequency_of",
    "last_complete_period",
    "period_bounds",
    "period_index",
    "period_numbers",
    "period_of",
    "periods_from_numbers",
    "periods_per_year",
]

Frequency = Literal["day", "week", "4-week", "month"]
Days = npt.NDArray[np.datetime64]

FREQUENCIES: dict[str, str] = {"day": "D", "week": "W-SUN", "4-week": "4W-SUN", "month": "M"}
MISSING = int(np.iinfo(np.int64).min)
"""Number of the period of a missing day (NaT)."""

_PER_YEAR = {"day": 365, "week": 52, "4-week": 13, "month": 12}
# 1970-01-05, a Monday, is day 4; its week has pandas ordinal 2.
_ANCHOR_DAY = 4
_ANCHOR_WEEK = 2


def _known(frequency: str) -> str:
    if frequency not in FREQUENCIES:
        raise CalendarError(f"frequency {frequency!r} is unknown", hint=f"use one of {', '.join(FREQUENCIES)}")
    return FREQUENCIES[frequency]


def _days(dates: object) -> Days:
    """Return ``datetime64[D]``; times of day are cut off."""
    values = np.asarray(cast("Any", dates))
    return values if values.dtype == np.dtype("datetime64[D]") else values.astype("datetime64[D]")


def _from_ordinals(ordinals: npt.NDArray[np.int64], freq: str) -> pd.PeriodIndex:
    # Present in pandas since 2.2, absent from its stubs.
    return cast("pd.PeriodIndex", pd.PeriodIndex.from_ordinals(ordinals, freq=freq))  # type: ignore[attr-defined]


def periods_per_year(frequency: str) -> int:
    """Return the whole number of periods in an ordinary year: 365, 52, 13 or 12."""
    _known(frequency)
    return _PER_YEAR[frequency]


def period_of(dates: object, frequency: str) -> npt.NDArray[np.int64]:
    """Return the number of the period that each day is in.

    Parameters
    ----------
    dates : array-like of datetime64 or date, shape (n,)
        Days; NaT is allowed.
    frequency : {"day", "week", "4-week", "month"}
        Kind of period.

    Returns
    -------
    array of int64, shape (n,)
        Consecutive numbers (see the module's table); :data:`MISSING` for NaT.

    Raises
    ------
    CalendarError
        If the frequency is unknown.
    """
    _known(frequency)
    days = _days(dates)
    if frequency == "month":
        numbers = days.astype("datetime64[M]").astype(np.int64)
    else:
        numbers = days.astype(np.int64)
        if frequency == "week":
            numbers = (numbers - _ANCHOR_DAY) // 7 + _ANCHOR_WEEK
        elif frequency == "4-week":
            numbers = (numbers - _ANCHOR_DAY) // 28
    missing = np.isnat(days)
    if missing.any():
        numbers = np.where(missing, MISSING, numbers)
    return np.asarray(numbers, dtype=np.int64)


def periods_from_numbers(numbers: object, frequency: str) -> pd.PeriodIndex:
    """Turn numbers of :func:`period_of` into periods; :data:`MISSING` becomes NaT."""
    freq = _known(frequency)
    ordinals = np.asarray(cast("Any", numbers), dtype=np.int64)
    if frequency == "4-week":
        ordinals = np.where(ordinals == MISSING, MISSING, ordinals * 4 + _ANCHOR_WEEK)
    return _from_ordinals(ordinals, freq)


def frequency_of(periods: pd.PeriodIndex) -> Frequency:
    """Name the frequency of periods made here.

    Raises
    ------
    CalendarError
        If pandas' frequency is not one of ours, or 4-week periods lie off the grid.
    """
    name = {freq: name for name, freq in FREQUENCIES.items()}.get(periods.freqstr)
    if name is None:
        raise CalendarError(
            f"periods have the pandas frequency {periods.freqstr!r}, which is none of {', '.join(FREQUENCIES.values())}",
            hint="make periods with riskwatch.calendar.period_index",
        )
    if name == "4-week":
        ordinals = periods.asi8[~np.asarray(periods.isna())]
        off = (ordinals - _ANCHOR_WEEK) % 4 != 0
        if off.any():
            first = _from_ordinals(ordinals[off][:1], "4W-SUN")[0]
            raise CalendarError(
                f"4-week period starting {first.start_time.date()} is off the grid that is anchored at Monday 1970-01-05",
                hint="make periods with riskwatch.calendar.period_index; pandas does not snap to a grid",
            )
    return cast("Frequency", name)


def period_numbers(periods: pd.PeriodIndex) -> npt.NDArray[np.int64]:
    """Return the numbers of periods; the inverse of :func:`periods_from_numbers`."""
    ordinals = np.asarray(periods.asi8, dtype=np.int64)
    if frequency_of(periods) != "4-week":
        return ordinals
    return np.where(ordinals == MISSING, MISSING, (ordinals - _ANCHOR_WEEK) // 4)


def period_index(frequency: str, start: dt.date | str, end: dt.date | str) -> pd.PeriodIndex:
    """Return all periods that hold at least one day of ``start`` to ``end``, both inclusive.

    Raises
    ------
    CalendarError
        If the frequency is unknown, a date is missing, or ``end`` is before ``start``.
    """
    edges = np.array([np.datetime64(start, "D"), np.datetime64(end, "D")])
    if np.isnat(edges).any() or edges[1] < edges[0]:
        raise CalendarError(f"periods from {start} to {end}: the start must be a day that is not after the end")
    first, last = period_of(edges, frequency)
    return periods_from_numbers(np.arange(first, last + 1), frequency)


def period_bounds(periods: pd.PeriodIndex) -> tuple[Days, Days]:
    """Return the first and the last day (inclusive) of each period, as ``datetime64[D]`` arrays of shape (n,)."""
    frequency = frequency_of(periods)
    numbers = period_numbers(periods)
    if frequency == "month":
        months = numbers.astype("datetime64[M]")
        ends = (months + np.timedelta64(1, "M")).astype("datetime64[D]") - np.timedelta64(1, "D")
        return months.astype("datetime64[D]"), cast("Days", ends)
    length = {"day": 1, "week": 7, "4-week": 28}[frequency]
    offset = {"day": 0, "week": _ANCHOR_DAY - 7 * _ANCHOR_WEEK, "4-week": _ANCHOR_DAY}[frequency]
    missing = numbers == MISSING
    starts = (np.where(missing, 0, numbers) * length + offset).astype("datetime64[D]")
    starts[missing] = np.datetime64("NaT")
    return starts, cast("Days", starts + np.timedelta64(length - 1, "D"))


def last_complete_period(as_of: dt.date | str, frequency: str, ripe_after_days: int = 0) -> pd.Period:
    """Return the newest period whose last day lies at least ``ripe_after_days`` days before the end of ``as_of``.

    A period that ends on ``as_of`` itself is complete, since a run knows what was known at the last instant of that day.
    """
    if ripe_after_days < 0:
        raise CalendarError(f"ripe_after_days must be >= 0, got {ripe_after_days}")
    # The period of the day after the last ripe day is the first unripe one.
    edge = np.array([np.datetime64(as_of, "D") - np.timedelta64(ripe_after_days, "D") + np.timedelta64(1, "D")])
    return periods_from_numbers(period_of(edge, frequency) - 1, frequency)[0]
