"""When a clock ends, and how it was counted: natural days, hours, or China's working days with adjusted weekends."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from riskwatch.assessment.protocols import WorkCalendar
from riskwatch.errors import RiskwatchError

__all__ = ["HOW", "Count", "DayCalendar", "count", "due_day"]

HOW: dict[str, dict[str, str]] = {
    "hours": {"zh": "按小时计", "en": "counted in hours"},
    "natural-days": {"zh": "按自然日计", "en": "counted in natural days"},
    "working-days": {"zh": "按工作日计（含调休）", "en": "counted in working days, adjusted weekends included"},
    "natural-days-no-calendar": {
        "zh": "节假日安排未知，暂按自然日计（只会偏早）",
        "en": "holidays of that year are not known: counted in natural days, which can only be too early",
    },
}
"""How a due day was counted, as shown."""


@runtime_checkable
class DayCalendar(WorkCalendar, Protocol):
    """A calendar that can also say of each day whether it is worked."""

    def is_workday(self, dates: object) -> Any:
        """Return whether each day is worked. RiskwatchError for an unknown year."""


@dataclass(frozen=True, slots=True)
class Count:
    """How a deadline was counted.

    Attributes
    ----------
    due_on : datetime.date
        Last day.
    how : str
        Key of :data:`HOW`.
    holidays : tuple of date
        Weekdays on the way that were skipped as holidays; empty unless counted in working days by a calendar that knows each day.
    worked : tuple of date
        Saturdays and Sundays on the way that count, because they are worked.
    """

    due_on: dt.date
    how: str
    holidays: tuple[dt.date, ...] = ()
    worked: tuple[dt.date, ...] = ()


def due_day(start: dt.date, amount: int, unit: str, calendar: WorkCalendar | None) -> tuple[dt.date, str]:
    """Return the last day of a deadline and how it was counted.

    The start day itself is not counted (民法典 art. 201, unverified). Working days follow ``calendar`` with its adjusted workdays;
    without one they are counted as natural days, which can only be earlier, and the answer says so. Hours fall on the
    day that holds the same time of day: less than 24 hours is due on the start day itself, so that no clock is read too late.
    """
    if unit == "hour":
        return start + dt.timedelta(days=amount // 24), "hours"
    if unit == "working-day" and calendar is not None:
        try:
            return calendar.add_working_days(start, amount), "working-days"
        except RiskwatchError:
            # The calendar does not know the year (holidays are announced late in the year before): count as without one, and say so.
            pass
    how = "natural-days" if unit == "natural-day" else "natural-days-no-calendar"
    return start + dt.timedelta(days=amount), how


def count(start: dt.date, amount: int, unit: str, calendar: WorkCalendar | None) -> Count:
    """Return :func:`due_day` with the holidays that were skipped and the weekend days that were worked on the way."""
    due, how = due_day(start, amount, unit, calendar)
    if how != "working-days" or not isinstance(calendar, DayCalendar):
        return Count(due, how)
    days = [start + dt.timedelta(days=step) for step in range(1, (due - start).days + 1)]
    worked = [bool(one) for one in calendar.is_workday(days)] if days else []
    pairs = list(zip(days, worked, strict=True))
    return Count(
        due,
        how,
        holidays=tuple(day for day, is_worked in pairs if not is_worked and day.weekday() < 5),
        worked=tuple(day for day, is_worked in pairs if is_worked and day.weekday() >= 5),
    )
