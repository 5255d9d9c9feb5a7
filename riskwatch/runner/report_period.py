"""``2025-11``, ``2025Q4`` or ``2025``: the period of a report, the one before it, and the same one a year ago."""

from __future__ import annotations

import calendar
import datetime as dt
import re

from riskwatch.errors import CalendarError
from riskwatch.reports.inputs import ReportPeriod
from riskwatch.reports.model import Text

__all__ = ["before", "following", "parse_period", "year_before"]

_QUARTERS = {1: ("一", "first"), 2: ("二", "second"), 3: ("三", "third"), 4: ("四", "fourth")}


def parse_period(text: str) -> ReportPeriod:
    """Return the period that a text names.

    Raises
    ------
    CalendarError
        If it is none of ``2025-11``, ``2025Q4``, ``2025``.
    """
    found = re.fullmatch(r"(\d{4})(?:-(\d{2})|Q([1-4]))?", text.strip())
    month = int(found.group(2)) if found and found.group(2) else 0
    if not found or int(found.group(1)) < 1900 or (found.group(2) and not 1 <= month <= 12):
        raise CalendarError(f"report period: must be a month, quarter or year, got {text!r}", hint="write 2025-11, 2025Q4 or 2025")
    year = int(found.group(1))
    if found.group(2):
        return _period(year, month, 1)
    if found.group(3):
        return _period(year, 3 * int(found.group(3)) - 2, 3)
    return _period(year, 1, 12)


def _period(year: int, month: int, months: int) -> ReportPeriod:
    last_month = month + months - 1
    first, last = dt.date(year, month, 1), dt.date(year, last_month, calendar.monthrange(year, last_month)[1])
    if months == 1:
        name = Text(zh=f"{year}年{month}月", en=f"{calendar.month_name[month]} {year}")
        return ReportPeriod(f"{year}-{month:02d}", "month", first, last, name)
    if months == 3:
        quarter = (month + 2) // 3
        zh, en = _QUARTERS[quarter]
        return ReportPeriod(f"{year}Q{quarter}", "quarter", first, last, Text(zh=f"{year}年第{zh}季度", en=f"the {en} quarter of {year}"))
    return ReportPeriod(str(year), "year", first, last, Text(zh=f"{year}年", en=str(year)))


def _months(period: ReportPeriod) -> int:
    return {"month": 1, "quarter": 3}.get(period.kind, 12)


def _shift(period: ReportPeriod, months: int) -> ReportPeriod:
    number = period.first.year * 12 + period.first.month - 1 + months
    return _period(number // 12, number % 12 + 1, _months(period))


def before(period: ReportPeriod) -> ReportPeriod:
    """Return the period right before."""
    return _shift(period, -_months(period))


def following(period: ReportPeriod) -> ReportPeriod:
    """Return the period right after."""
    return _shift(period, _months(period))


def year_before(period: ReportPeriod) -> ReportPeriod:
    """Return the same period of the year before."""
    return _shift(period, -12)
