"""Figures as a reader wants them: few digits, the same rounding everywhere, dates as 2025-12-31."""

from __future__ import annotations

import datetime as dt
import math

__all__ = ["amount", "chance", "date", "one_in", "pair", "percent", "probability", "ratio", "significant"]


def significant(value: float | None, digits: int = 6) -> float | None:
    """Round to ``digits`` significant digits; NaN becomes None, infinity too (the JSON has no such number)."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")


def amount(value: float | None) -> str:
    """Return a count or an expected count: whole from 100, one decimal below, two digits below 0.1; "–" if missing."""
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if float(value).is_integer() or size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}".removesuffix(".0") if size >= 0.1 else f"{value:.2g}"


def percent(part: float | None, whole: float | None) -> str:
    """Return ``part`` of ``whole`` in percent with one decimal; "–" without a denominator."""
    if part is None or whole is None or not math.isfinite(part) or not math.isfinite(whole) or whole <= 0:
        return "–"
    share = 100 * part / whole
    return f"{share:.1f}%" if share >= 0.1 else f"{share:.2g}%"


def pair(observed: float | None, expected: float | None, exposure: float | None) -> str:
    """Return "18 / 6.2", or for rates "8/60 (13.3% / 4.1%)"."""
    if exposure is None:
        return f"{amount(observed)} / {amount(expected)}"
    return f"{amount(observed)}/{amount(exposure)} ({percent(observed, exposure)} / {percent(expected, exposure)})"


def ratio(value: float | None) -> str:
    """Return observed over expected: one decimal below 10, whole above; "–" where nothing was expected."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def probability(value: float | None) -> str:
    """Return a p or q value with its relation: "=0.012", "<0.001", or "=–" if missing."""
    if value is None or not math.isfinite(value):
        return "=–"
    if value < 0.001:
        return "<0.001"
    return f"={value:.3f}" if value < 0.1 else f"={value:.2f}"


def one_in(value: float) -> str:
    """Return a probability the way the matrix is read: "1/2,300", or percent from a tenth."""
    if value >= 0.1:
        return f"{100 * value:.0f}%"
    if value <= 0:
        return "0"
    inverse = 1 / value
    magnitude = 10 ** (math.floor(math.log10(inverse)) - 1)
    return f"1/{round(inverse / magnitude) * magnitude:,.0f}"


def chance(value: float) -> str:
    """Return a probability as a whole percentage; never 0% or 100%, which no forecast is."""
    return "<1%" if value < 0.01 else ">99%" if value > 0.99 else f"{100 * value:.0f}%"


def date(value: dt.date | None) -> str:
    """Return an ISO date, or "–"."""
    return "–" if value is None else value.isoformat()
