"""Periods (day, ISO week, four ISO weeks, month), working days, the moving Spring Festival, reporting delay."""

from __future__ import annotations

from riskwatch.calendar.covariates import FESTIVAL_PHASES, level_shift, spring_festival, workdays
from riskwatch.calendar.delay import (
    ReportingTriangle,
    completeness,
    concentration,
    delay_distribution,
    nowcast,
    period_scatter,
    reporting_triangle,
)
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
    "FESTIVAL_PHASES",
    "FESTIVAL_WINDOW",
    "FREQUENCIES",
    "MISSING",
    "Frequency",
    "HolidayCalendar",
    "ReportingTriangle",
    "completeness",
    "concentration",
    "delay_distribution",
    "frequency_of",
    "last_complete_period",
    "level_shift",
    "nowcast",
    "period_bounds",
    "period_index",
    "period_numbers",
    "period_of",
    "period_scatter",
    "periods_from_numbers",
    "periods_per_year",
    "reporting_triangle",
    "spring_festival",
    "workdays",
]
