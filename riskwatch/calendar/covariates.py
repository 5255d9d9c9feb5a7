"""Regressors of the calendar: phases of the Spring Festival, worked days, dated level shifts.

Each is a share of the period's days minus what an ordinary period has, so it is 0 when nothing is special, comparable between weeks
and months, and does not depend on where a history begins or ends.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.calendar.holidays import FESTIVAL_WINDOW, HolidayCalendar
from riskwatch.calendar.periods import period_bounds
from riskwatch.errors import CalendarError

__all__ = ["FESTIVAL_PHASES", "level_shift", "spring_festival", "workdays"]

FloatArray = npt.NDArray[np.float64]

FESTIVAL_PHASES = {"before": (FESTIVAL_WINDOW[0], -2), "holiday": (-1, 6), "after": (7, FESTIVAL_WINDOW[1])}
"""First and last day of each phase, relative to the first day of the lunar year: the rush and the journeys home; the eve and the
holiday week; the return and the Lantern Festival (day 14)."""

_ORDINARY = 5.0 / 7.0


def _days(periods: pd.PeriodIndex) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """Return every day of the periods, where each period begins among them, and the periods' lengths in days."""
    start, end = period_bounds(periods)
    length = (end - start).astype(np.int64) + 1
    days = np.arange(start[0], end[-1] + np.timedelta64(1, "D"))
    return days, np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.intp), length


def spring_festival(periods: pd.PeriodIndex, calendar: HolidayCalendar) -> tuple[tuple[str, ...], FloatArray]:
    """Return one regressor per phase of the festival: the share of the period's days that lie in it.

    Parameters
    ----------
    periods : PeriodIndex
        Consecutive periods, oldest first.
    calendar : HolidayCalendar

    Returns
    -------
    names : tuple of str
    values : array, shape (phase, period)

    Raises
    ------
    CalendarError
        If the festival of a year is not known.
    """
    days, starts, length = _days(periods)
    offset = calendar.spring_festival_offset(days)
    values = []
    for first, last in FESTIVAL_PHASES.values():
        with np.errstate(invalid="ignore"):
            inside = (offset >= first) & (offset <= last)
        values.append(np.add.reduceat(inside.astype(np.float64), starts) / length)
    return tuple(f"spring-festival-{name}" for name in FESTIVAL_PHASES), np.array(values)


def workdays(periods: pd.PeriodIndex, calendar: HolidayCalendar) -> tuple[tuple[str, ...], FloatArray]:
    """Return the share of the period's days that are worked, adjusted weekends (调休) included, minus five sevenths.

    Raises
    ------
    CalendarError
        If a year has no holiday data, or only days that were not checked against the published arrangement.
    """
    days, starts, length = _days(periods)
    worked = calendar.is_workday(days)
    years = np.unique(days.astype("datetime64[Y]").astype(np.int64)) + 1970
    guessed = sorted({day.year for day in calendar.unverified} & set(years.tolist()))
    if guessed:
        raise CalendarError(
            f"worked days of {', '.join(map(str, guessed))}: config/holidays.yaml marks days of the year as not verified",
            hint="enter the State Council's arrangement of the year (国务院办公厅关于部分节假日安排的通知), or leave the covariate out",
        )
    return ("workdays",), np.array([np.add.reduceat(worked.astype(np.float64), starts) / length - _ORDINARY])


def level_shift(periods: pd.PeriodIndex, since: dt.date) -> FloatArray:
    """Return the share of each period's days from ``since`` on, shape (period,): 0 before, 1 after, a part in the period that holds it."""
    start, end = period_bounds(periods)
    length = (end - start).astype(np.int64) + 1
    after = (end - np.datetime64(since, "D")).astype(np.int64) + 1
    return np.asarray(np.clip(after / length, 0.0, 1.0), dtype=np.float64)
