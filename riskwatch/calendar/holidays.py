"""Working days of China, with its adjusted weekends, and days relative to the Spring Festival.

The dates are data (``config/holidays.yaml``), published each autumn by the General Office of the State Council (国务院办公厅)
for the year ahead. A year without data is an error, never a guess.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from riskwatch.errors import CalendarError

__all__ = ["FESTIVAL_WINDOW", "HolidayCalendar", "Unit"]

Unit = Literal["natural-day", "working-day", "hour"]
Days = npt.NDArray[np.datetime64]

FESTIVAL_WINDOW = (-14, 21)
"""Days before and after the first day of the lunar year within which its effect is modelled."""

_FILE = "config/holidays.yaml"


def _days(dates: object) -> Days:
    values = np.asarray(cast("Any", dates))
    return values.astype("datetime64[D]")


def _day(value: object, where: str) -> dt.date:
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        raise CalendarError(f"{_FILE}: {where}: {value!r} is not a date", hint="write dates as 2025-01-29") from None


@dataclass(frozen=True, eq=False)
class HolidayCalendar:
    """Public holidays, adjusted workdays (调休) and the Spring Festival by year.

    Parameters
    ----------
    holidays : sequence of date
        Days off, weekend days within a holiday included or not.
    workdays : sequence of date
        Saturdays and Sundays that are worked.
    festivals : mapping of int to date
        First day of the lunar year by calendar year.
    unverified : frozenset of date
        Days whose entry says ``verified: false``.

    Notes
    -----
    A year counts as known for working days once it has a holiday, and for the festival once it has one.
    """

    holidays: Days
    workdays: Days
    festivals: Mapping[int, dt.date]
    unverified: frozenset[dt.date] = frozenset()
    years: frozenset[int] = field(init=False)
    _worked: dict[dt.date, bool] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        holidays, workdays = np.unique(_days(self.holidays)), np.unique(_days(self.workdays))
        both = np.intersect1d(holidays, workdays)
        if both.size:
            raise CalendarError(f"{_FILE}: {both[0]} is both a holiday and an adjusted workday")
        weekdays = workdays[np.is_busday(workdays)]
        if weekdays.size:
            raise CalendarError(f"{_FILE}: adjusted workday {weekdays[0]} is not a Saturday or Sunday")
        for year, day in self.festivals.items():
            if day.year != year or not dt.date(year, 1, 21) <= day <= dt.date(year, 2, 21):
                raise CalendarError(
                    f"{_FILE}: spring_festival {year}: {day} is not between 21 January and 21 February of that year",
                    hint="give the first day of the first lunar month",
                )
        object.__setattr__(self, "holidays", holidays)
        object.__setattr__(self, "workdays", workdays)
        object.__setattr__(self, "years", frozenset(int(year) + 1970 for year in holidays.astype("datetime64[Y]").astype(np.int64)))

    @classmethod
    def from_config(cls, content: Mapping[str, Any]) -> HolidayCalendar:
        """Build the calendar from the content of ``config/holidays.yaml``.

        Parameters
        ----------
        content : mapping
            ``spring_festival: {2015: date}``, ``holidays: [{date, name, verified}]``, ``adjusted_workdays: [{date, verified}]``;
            dates as ``datetime.date`` or ISO text; ``verified`` is true unless said otherwise.

        Raises
        ------
        CalendarError
            If a key is unknown, a date is not one, or the entries contradict each other.
        """
        unknown = sorted(set(content) - {"spring_festival", "holidays", "adjusted_workdays"})
        if unknown:
            raise CalendarError(f"{_FILE}: unknown key {unknown[0]!r}", hint="known: spring_festival, holidays, adjusted_workdays")
        unverified: set[dt.date] = set()

        def listed(key: str) -> list[dt.date]:
            days = []
            for number, entry in enumerate(cast("Iterable[Mapping[str, Any]]", content.get(key) or ()), start=1):
                day = _day(entry.get("date"), f"{key} entry {number}")
                days.append(day)
                if not entry.get("verified", True):
                    unverified.add(day)
            return days

        festivals = {int(year): _day(day, f"spring_festival {year}") for year, day in (content.get("spring_festival") or {}).items()}
        holidays, workdays = listed("holidays"), listed("adjusted_workdays")
        return cls(np.array(holidays, dtype="datetime64[D]"), np.array(workdays, dtype="datetime64[D]"), festivals, frozenset(unverified))

    def _require(self, days: Days, known: Iterable[int], what: str) -> None:
        asked = np.unique(days[~np.isnat(days)].astype("datetime64[Y]").astype(np.int64)) + 1970
        have = sorted(known)
        lacking = sorted(set(asked.tolist()) - set(have))
        if lacking:
            span = f"{have[0]} to {have[-1]}" if have else "none"
            raise CalendarError(
                f"{what} of {', '.join(map(str, lacking))}: no data in {_FILE} (years known: {span})",
                hint="add the year from the State Council's notice (国务院办公厅关于部分节假日安排的通知)",
            )

    def is_workday(self, dates: object) -> npt.NDArray[np.bool_]:
        """Tell which days are worked: weekdays but holidays, and adjusted weekends; False for NaT.

        Raises
        ------
        CalendarError
            If a year has no holiday data.
        """
        days = _days(dates)
        flat = np.atleast_1d(days)
        self._require(flat, self.years, "working days")
        known = ~np.isnat(flat)
        result = np.zeros(flat.shape, dtype=np.bool_)
        result[known] = np.is_busday(flat[known], holidays=self.holidays) | np.isin(flat[known], self.workdays)
        return result.reshape(days.shape)

    def add_working_days(self, start: dt.date, n: int) -> dt.date:
        """Return the ``n``-th working day after ``start`` (the day itself is not counted; negative ``n`` counts back).

        ``n = 0`` gives ``start`` if it is worked, else the next working day.

        Raises
        ------
        CalendarError
            If the way leads through a year without holiday data.
        """
        step, left, day = (1, n, start) if n >= 0 else (-1, -n, start)
        if n == 0:
            while not self._is_worked(day):
                day += dt.timedelta(days=1)
            return day
        while left:
            day += dt.timedelta(days=step)
            left -= int(self._is_worked(day))
        return day

    def _is_worked(self, day: dt.date) -> bool:
        """Return :meth:`is_workday` of one day; the ways to most deadlines lead over the same days."""
        known = self._worked.get(day)
        if known is None:
            known = self._worked[day] = bool(self.is_workday([day])[0])
        return known

    def due_date(self, start: dt.date | dt.datetime, amount: int, unit: str, *, to_workday: bool = False) -> dt.date | dt.datetime:
        """Return when a deadline ends.

        Parameters
        ----------
        start : date or datetime
            Day (or instant, for hours) of the event that starts the clock; that day is not counted.
        amount : int
            Length, at least 0.
        unit : {"natural-day", "working-day", "hour"}
            自然日, 工作日, 小时. Hours need no holiday data; a ``date`` starts at its midnight.
        to_workday : bool
            For natural days: a last day that is a day off moves to the next working day (Civil Code 民法典 art. 203).

        Returns
        -------
        date, or datetime for hours

        Raises
        ------
        CalendarError
            If the unit is unknown, the amount negative, or a year has no holiday data.
        """
        if amount < 0:
            raise CalendarError(f"a deadline must be >= 0 {unit}s, got {amount}")
        if unit == "hour":
            instant = start if isinstance(start, dt.datetime) else dt.datetime.combine(start, dt.time())
            return instant + dt.timedelta(hours=amount)
        day = start.date() if isinstance(start, dt.datetime) else start
        if unit == "working-day":
            return self.add_working_days(day, amount)
        if unit == "natural-day":
            last = day + dt.timedelta(days=amount)
            return self.add_working_days(last, 0) if to_workday else last
        raise CalendarError(f"deadline unit {unit!r} is unknown", hint="use natural-day, working-day or hour")

    def spring_festival_offset(self, dates: object) -> npt.NDArray[np.float64]:
        """Return days since the first day of the lunar year, NaN outside :data:`FESTIVAL_WINDOW` and for NaT.

        Raises
        ------
        CalendarError
            If the festival of a year is not known.
        """
        days = _days(dates)
        flat = np.atleast_1d(days)
        self._require(flat, self.festivals, "Spring Festival")
        offset = np.full(flat.shape, np.nan)
        years = flat.astype("datetime64[Y]").astype(np.int64) + 1970
        for year in np.unique(years[~np.isnat(flat)]).tolist():
            rows = years == year
            offset[rows] = (flat[rows] - np.datetime64(self.festivals[year])).astype(np.int64)
        low, high = FESTIVAL_WINDOW
        with np.errstate(invalid="ignore"):
            offset[(offset < low) | (offset > high)] = np.nan
        return offset.reshape(days.shape)
