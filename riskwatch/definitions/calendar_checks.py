"""Checks of ``config/holidays.yaml``: no day twice, worked weekends are weekends."""

from __future__ import annotations

import datetime as dt

from riskwatch.definitions.entries import Collector, Draft
from riskwatch.definitions.types import HolidayCalendar
from riskwatch.definitions.validation import validate

__all__ = ["check_holidays"]

_SATURDAY = 5


def check_holidays(draft: Draft, collector: Collector) -> None:
    """Type the calendar and check its days against each other."""
    calendar, findings = validate(HolidayCalendar, draft.data)
    collector.findings(draft, findings)
    if calendar is None:
        return
    taken: dict[dt.date, str] = {}
    dates = {
        "holidays": [entry.date for entry in calendar.holidays],
        "adjusted_workdays": [entry.date for entry in calendar.adjusted_workdays],
    }
    for key, days in dates.items():
        for number, day in enumerate(days):
            place = f"{key}[{number}]"
            if day in taken:
                collector.add(draft, (key, number, "date"), f"{place}: {day} is already in {taken[day]}")
            taken.setdefault(day, place)
            if key == "adjusted_workdays" and day.weekday() < _SATURDAY:
                collector.add(draft, (key, number, "date"), f"{place}: {day} is not a Saturday or Sunday")
    for year, day in calendar.spring_festival.items():
        if day.year != year:
            collector.add(draft, ("spring_festival", year), f"spring_festival: {day} is not in {year}")
