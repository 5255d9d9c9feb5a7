"""What a rate of warnings says of the time after it: how many are to be expected, and how surely a budget is kept. Pure functions.

Warnings of the period are one draw, and those of the time after it another: both scatter. With a Poisson count of ``n`` in ``weeks`` and
Jeffreys' prior for its rate, the count in ``ahead`` further weeks is negative binomial. Warnings come in clusters (one hazard alarms in
several places and sources), so the variance is that times the dispersion of the counts of the period.

Sources
-------
Prediction limits of a Poisson count: Bejleri & Nandram (2018), Communications in Statistics - Theory and Methods 47(17), 4254-4271, with
the prior of Jeffreys, rate to the power -1/2. Dispersion as Pearson's statistic over its degrees of freedom: McCullagh & Nelder (1989),
Generalized Linear Models.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

__all__ = ["Ahead", "ahead_after", "ahead_of", "block_counts", "dispersion_of", "rate_to_keep"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is to be expected of the time after a period, if things stay as they were in it.

    Attributes
    ----------
    dispersion : float
        How much more than a Poisson count the warnings scatter.
    low, high : float
        Warnings a week between which it will lie at the level asked for.
    kept : float
        Chance that it lies within the share asked for of the budget.
    """

    dispersion: float
    low: float
    high: float
    kept: float


def block_counts(days: npt.NDArray[np.datetime64], first: np.datetime64, last: np.datetime64, weeks: int) -> IntArray:
    """Return counts of days in whole blocks of so many weeks from ``first`` to ``last``, both included; the newest block ends on ``last``.

    Parameters
    ----------
    days : array of datetime64[D], shape (n,)
    first, last : datetime64[D]
        What is left over at the beginning of the period is in no block.
    weeks : int
    """
    size = 7 * weeks
    number = (int((last - first).astype("timedelta64[D]").astype(np.int64)) + 1) // size
    back = (last - days.astype("datetime64[D]")).astype(np.int64) // size
    within = back[(back >= 0) & (back < number)]
    return np.bincount(within, minlength=number)[::-1].astype(np.int64)


def dispersion_of(counts: IntArray) -> float:
    """Return the variance of counts over their mean (divisor n - 1), at least 1; 1 where fewer than two counts or none at all tell nothing.

    Examples
    --------
    >>> float(dispersion_of(np.array([0, 4, 0, 4])))
    2.6666666666666665
    >>> dispersion_of(np.array([2, 2, 2]))
    1.0
    """
    if counts.size < 2 or not counts.sum():
        return 1.0
    return max(1.0, float(counts.var(ddof=1) / counts.mean()))


def ahead_of(count: int, weeks: float, budget: float, *, ahead: float, dispersion: float, within: float, level: float) -> Ahead:
    """Return what a count says of the weeks that follow.

    Parameters
    ----------
    count : int
        Warnings of the period.
    weeks : float
        Its length.
    budget : float
        Warnings a week that are wanted.
    ahead : float
        Weeks that follow.
    dispersion : float
        At least 1; 1 is a Poisson count.
    within : float
        Share of the budget by which it may be missed: 0.25.
    level : float
        Of the interval, equal-tailed: 0.95.

    Examples
    --------
    >>> told = ahead_of(104, 104, 1.0, ahead=26, dispersion=1.0, within=0.25, level=0.95)
    >>> round(told.low, 2), round(told.high, 2), round(told.kept, 2)
    (0.62, 1.46, 0.75)
    """
    # Mean m and variance dispersion * m * (1 + ahead / weeks): at dispersion 1 this is Jeffreys' predictive distribution.
    mean = (count + 0.5) * ahead / weeks
    chance = 1.0 / (dispersion * (1.0 + ahead / weeks))
    size = mean * chance / (1.0 - chance)
    law = stats.nbinom(size, chance)
    tail = (1.0 - level) / 2.0
    least, most = math.ceil((1.0 - within) * budget * ahead - 1e-9), math.floor((1.0 + within) * budget * ahead + 1e-9)
    kept = float(law.cdf(most) - law.cdf(least - 1)) if most >= least else 0.0
    return Ahead(dispersion, float(law.ppf(tail)) / ahead, float(law.ppf(1.0 - tail)) / ahead, max(0.0, kept))


def ahead_after(
    days: Sequence[dt.date],
    first: dt.date,
    last: dt.date,
    budget: float,
    *,
    ahead: float,
    block_weeks: int,
    within: float,
    level: float,
) -> Ahead:
    """Return what the days of the warnings of a period say of the weeks after it; parameters as :func:`ahead_of` and :func:`block_counts`.

    Examples
    --------
    >>> first, last = dt.date(2024, 1, 1), dt.date(2024, 12, 29)
    >>> ahead_after([], first, last, 1.0, ahead=26, block_weeks=4, within=0.25, level=0.95).dispersion
    1.0
    """
    begin, end = np.datetime64(first, "D"), np.datetime64(last, "D")
    counts = block_counts(np.array(days, dtype="datetime64[D]"), begin, end, block_weeks)
    weeks = ((last - first).days + 1) / 7
    return ahead_of(len(days), weeks, budget, ahead=ahead, dispersion=dispersion_of(counts), within=within, level=level)


def rate_to_keep(weeks: float, *, ahead: float, dispersion: float, within: float, sure: float) -> float:
    """Return the warnings a week from which a budget that the period met is kept in the weeks that follow, with a chance of ``sure``.

    The normal approximation of :func:`ahead_of`: counts as large as these have one, and an answer that jumps with whole numbers helps none.

    Examples
    --------
    >>> round(rate_to_keep(104, ahead=26, dispersion=1.0, within=0.25, sure=0.9), 1)
    2.1
    """
    normal = float(stats.norm.ppf(0.5 + sure / 2.0))
    return (normal / within) ** 2 * dispersion * (1.0 + ahead / weeks) / ahead
