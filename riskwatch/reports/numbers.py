"""Numbers as the report prints them: one way for each kind, the same in both languages."""

from __future__ import annotations

import math
import numbers
from typing import Literal, assert_never

import pandas as pd

from riskwatch.digest.numbers import amount, probability
from riskwatch.errors import RiskwatchError

__all__ = ["KINDS", "Kind", "interval", "is_missing", "number_in", "printed", "unit_of"]

Kind = Literal["count", "persons", "share", "points", "ratio", "yearly", "probability", "q", "plain", "days"]
KINDS: tuple[Kind, ...] = ("count", "persons", "share", "points", "ratio", "yearly", "probability", "q", "plain", "days")
MISSING = "–"


def is_missing(cell: object) -> bool:
    """Return whether a cell of a frame holds nothing: None, NaN, NA or NaT."""
    return cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, numbers.Real) and math.isnan(cell))


def number_in(cell: object) -> float | None:
    """Return the number in a cell of a frame; None where it holds nothing.

    Raises
    ------
    RiskwatchError
        If the cell holds something else than a number.
    """
    if is_missing(cell):
        return None
    if not isinstance(cell, numbers.Real):
        raise RiskwatchError(f"report: a figure must be a number, got {cell!r} of type {type(cell).__name__}")
    return float(cell)


def _signed(value: float, digits: int) -> str:
    text = f"{value:+.{digits}f}"
    # "-0.0" and "+0.0" say more than the figure does.
    return text.replace("-", "−") if float(text) else text.lstrip("+-")


def printed(value: float | None, kind: Kind, *, small: int = 5, unit: str = "") -> str:
    """Return ``value`` as printed; "–" if missing.

    Parameters
    ----------
    value : float or None
    kind : str
        ``count``: whole or one decimal; ``persons``: as count, but "<5" from 1 to below ``small``; ``share``: 0.071 -> "7.1%";
        ``points``: 0.012 -> "+1.2"; ``ratio``; ``yearly``: percent per year with its sign; ``probability``: 0.93 -> "93%";
        ``q``: "<0.001"; ``plain``: up to four digits and the unit; ``days``: whole.
    small : int
        See ``persons``.
    unit : str
        Written after ``plain`` numbers.
    """
    if value is None or not math.isfinite(value):
        return MISSING
    match kind:
        case "count":
            return amount(value)
        case "persons":
            return f"<{small}" if 0 < value < small else amount(value)
        case "share":
            percent = 100 * value
            return f"{percent:.1f}%" if percent >= 0.1 or percent == 0 else f"{percent:.2g}%"
        case "points":
            return _signed(100 * value, 1 if abs(value) >= 0.001 else 2)
        case "ratio":
            return f"{value:.2f}" if abs(value) < 10 else f"{value:,.0f}"
        case "yearly":
            return f"{_signed(value, 1)}%"
        case "probability":
            return f"{100 * min(max(value, 0.01), 0.99):.0f}%" if 0.01 <= value <= 0.99 else ("<1%" if value < 0.01 else ">99%")
        case "q":
            return probability(value).removeprefix("=")
        case "plain":
            text = f"{value:,.4g}{unit}" if abs(value) < 10_000 else f"{value:,.0f}{unit}"
            return text.replace("-", "−", 1) if value < 0 else text
        case "days":
            return f"{value:.0f}"
        case _:
            assert_never(kind)


def interval(lower: float | None, upper: float | None, kind: Kind, *, unit: str = "") -> str:
    """Return "5.1–8.3%", "+0.2 to +2.1" as "+0.2 ~ +2.1"; "–" if either end is missing."""
    low, high = printed(lower, kind, unit=unit), printed(upper, kind, unit=unit)
    if MISSING in {low, high}:
        return MISSING
    if kind in {"points", "yearly"} or "−" in low + high:
        return f"{low} ~ {high}"
    if low.endswith("%") and high.endswith("%"):
        low = low.removesuffix("%")
    return f"{low}–{high}"


def unit_of(kind: Kind, unit: str = "") -> str:
    """Return the unit that a trace of this kind states."""
    return {
        "share": "%",
        "points": "percentage points",
        "yearly": "% per year",
        "probability": "probability",
        "days": "days",
        "persons": "persons",
        "ratio": "ratio",
        "q": "false-discovery rate",
        "count": "count",
    }.get(kind, unit)
