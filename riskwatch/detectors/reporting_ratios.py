"""Proportional reporting ratio and reporting odds ratio of 2 x 2 tables, with intervals and tests, all pairs at once.

Sources
-------
PRR: Evans, Waller & Davis (2001), Pharmacoepidemiol. Drug Saf. 10, 483-486. ROR: Rothman, Lanes & Sacks (2004), ibid. 13, 519-523.
Intervals on the log scale: Katz et al. (1978), Biometrics 34, 469-474; Woolf (1955), Ann. Hum. Genet. 19, 251-253. Exact test:
Fisher (1935), J. R. Statist. Soc. 98, 39-82. Correction for continuity: Yates (1934), J. R. Statist. Soc. Suppl. 1, 217-235.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.errors import DetectorError

__all__ = ["FourFold", "Ratio", "chi_square", "fisher_tail", "four_fold", "odds_ratio", "proportional_ratio"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FourFold:
    """One table per pair, arrays of shape (pair,): ``a`` both labels, ``b`` the left alone, ``c`` the right alone, ``d`` neither."""

    a: FloatArray
    b: FloatArray
    c: FloatArray
    d: FloatArray


@dataclass(frozen=True, eq=False)
class Ratio:
    """A ratio with its interval. Infinite where only the pair has the right label, 0 where the pair never occurs: then without interval."""

    value: FloatArray
    lower: FloatArray
    upper: FloatArray


def four_fold(observed: FloatArray, row: FloatArray, column: FloatArray, total: FloatArray | float) -> FourFold:
    """Return the tables of pairs from their counts and margins.

    Raises
    ------
    DetectorError
        If a pair has more reports than one of its margins, or margins exceed the total.
    """
    b, c = row - observed, column - observed
    d = total - observed - b - c
    if (observed < 0).any() or (b < 0).any() or (c < 0).any() or (d < 0).any():
        at = int(np.flatnonzero((observed < 0) | (b < 0) | (c < 0) | (d < 0))[0])
        raise DetectorError(f"four_fold: counts must fit their margins; table {at} is {observed[at]:g}, {b[at]:g}, {c[at]:g}, {d[at]:g}")
    return FourFold(observed, b, c, d)


def _interval(value: FloatArray, variance: FloatArray, level: float) -> Ratio:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        reach = special.ndtri(0.5 + level / 2.0) * np.sqrt(variance)
        known = np.isfinite(reach) & np.isfinite(value)
        lower = np.where(known, value * np.exp(-reach), np.nan)
        upper = np.where(known, value * np.exp(reach), np.nan)
    return Ratio(value, lower, upper)


def proportional_ratio(table: FourFold, *, level: float = 0.95) -> Ratio:
    """Return the share of the right label among reports with the left one, over that among all other reports: PRR."""
    a, b, c, d = table.a, table.b, table.c, table.d
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (a / (a + b)) / (c / (c + d))
        variance = 1.0 / a - 1.0 / (a + b) + 1.0 / c - 1.0 / (c + d)
    return _interval(value, variance, level)


def odds_ratio(table: FourFold, *, level: float = 0.95) -> Ratio:
    """Return the odds of the right label with the left one over those without: ROR."""
    a, b, c, d = table.a, table.b, table.c, table.d
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (a * d) / (b * c)
        variance = 1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d
    return _interval(value, variance, level)


def chi_square(table: FourFold, *, correct: bool = True) -> FloatArray:
    """Return Pearson's statistic with one degree of freedom, by default with Yates' correction; 0 where a margin is empty."""
    a, b, c, d = table.a, table.b, table.c, table.d
    whole = a + b + c + d
    gap = np.abs(a * d - b * c)
    if correct:
        gap = np.maximum(gap - whole / 2.0, 0.0)
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    return np.asarray(np.divide(whole * gap**2, margins, out=np.zeros(len(a)), where=margins > 0))


def fisher_tail(table: FourFold) -> FloatArray:
    """Return the one-sided exact p-value: the probability of at least ``a`` given the margins.

    Counts are whole; fractions (weighted reports) are rounded. The mass function is summed by its recurrence away from its mode, from
    ``a`` up where ``a`` is above the mean and from below it down otherwise, until what follows no longer matters.
    """
    a, b, c, d = (np.round(part) for part in (table.a, table.b, table.c, table.d))
    upward = a * d >= b * c
    # Below the mean the complement P(A <= a - 1) is summed: one step down first. A table without a case has p = 1.
    step = np.where(upward, 0.0, 1.0)
    x = np.stack([a - step, b + step, c + step, d - step])
    out = np.where(upward, 0.0, 1.0)
    todo = np.flatnonzero((x >= 0).all(axis=0))
    x, up = x[:, todo], upward[todo]
    margins = (a + b, c + d, a + c, b + d)
    log_mass = sum(special.gammaln(part[todo] + 1.0) for part in margins) - special.gammaln((a + b + c + d)[todo] + 1.0)
    term = np.exp(log_mass - special.gammaln(x + 1.0).sum(axis=0))
    total = term.copy()
    live = np.arange(len(todo))
    while live.size:
        a_, b_, c_, d_ = x[:, live]
        rises = up[live]
        factor = np.where(rises, b_ * c_ / ((a_ + 1.0) * (d_ + 1.0)), a_ * d_ / ((b_ + 1.0) * (c_ + 1.0)))
        move = np.where(rises, 1.0, -1.0)
        x[:, live] += np.stack([move, -move, -move, move])
        term[live] *= factor
        total[live] += term[live]
        live = live[(term[live] > 1e-17 * total[live]) & (factor > 0)]
    out[todo] = np.where(up, total, 1.0 - total)
    return np.clip(out, 0.0, 1.0)
