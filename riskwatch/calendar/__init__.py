"""Periods (day, ISO week, four ISO weeks, month), working days and the moving Spring Festival."""

from __future__ import annotations

from riskwatch.calendar.holidays import FESTIVAL_WINDOW, HolidayCalendar
from riskwatch.calendar.periods import (
    FREQUENCIES,
    MISSING,
    Frequency,
    frequency_of,
    last_complete_period,
    period_bounds,
    period_index,
    period_numbers,
    period_of,
    periods_from_numbers,
    periods_per_year,
)

__all__ = [
    "FESTIVAL_WINDOW",
    "FREQUENCIES",
    "MISSING",
    "Frequency",
    "HolidayCalendar",
    "frequency_of",
    "last_complete_period",
    "period_bounds",
    "period_index",
    "period_numbers",
    "period_of",
    "periods_from_numbers",
    "periods_per_year",
]
