"""Mann-Kendall on sums of periods: for series with too few periods for a regression, or with too many in which nothing happened.

The value of a block of periods is its cases over the cases that season and exposure alone give: the season, gaps and changing numbers of
inspections are out of it, and its mean is about 1, so that a slope of 0.1 a year is 10 % of the mean level a year.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskwatch.trends.mann_kendall import Treatment, mann_kendall

__all__ = ["Pooled", "block_values", "pooled_trend"]

FloatArray = npt.NDArray[np.float64]

_LEAST = -100.0  # a level cannot fall by more than itself
_EXACT = 10  # blocks up to which runs are left alone and the exact distribution is used


@dataclass(frozen=True, eq=False)
class Pooled:
    """Result per series; NaN with fewer than four blocks.

    Attributes
    ----------
    percent, lower, upper : array, shape (series,)
        Sen's slope with its interval, per cent of the mean level a year.
    p_value : array, shape (series,)
        Two-sided.
    blocks, length : array, shape (series,)
        Blocks with a value, and periods in each.
    """

    percent: FloatArray
    lower: FloatArray
    upper: FloatArray
    p_value: FloatArray
    blocks: FloatArray
    length: FloatArray


def block_values(y: FloatArray, mean: FloatArray, length: int) -> tuple[FloatArray, FloatArray]:
    """Return cases over expected cases, and cases, of blocks counted back from the newest period, shape (series, block); NaN without any.

    A rest at the beginning that does not fill a block is left out.
    """
    blocks = y.shape[1] // length
    start = y.shape[1] - blocks * length
    known = np.isfinite(y) & np.isfinite(mean)
    sums = [np.where(known, part, 0.0)[:, start:].reshape(len(y), blocks, length).sum(axis=2) for part in (y, mean)]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(sums[1] > 0, sums[0] / sums[1], np.nan)
    return value, np.where(sums[1] > 0, sums[0], np.nan)


def pooled_trend(
    y: FloatArray,
    mean: FloatArray,
    *,
    step: float,
    pool: Sequence[int],
    max_zero_share: float,
    treatment: Treatment,
    level: float,
) -> Pooled:
    """Test each series on sums of periods.

    Parameters
    ----------
    y, mean : array, shape (series, period)
        Cases, and what season and exposure alone give (:func:`riskwatch.trends.changepoints.stabilised`); NaN is missing.
    step : float
        Length of a period in years.
    pool : sequence of int
        Lengths of blocks, rising: the first is taken at which at most ``max_zero_share`` of the blocks hold no case, else the longest that
        leaves four blocks.
    max_zero_share : float
    treatment : str
        As for :func:`riskwatch.trends.mann_kendall.mann_kendall`; with at most ten blocks "none", whose small-sample distribution is exact.
    level : float
        Coverage of the interval.

    Returns
    -------
    Pooled
    """
    series, periods = y.shape
    out = Pooled(*(np.full(series, np.nan) for _ in range(6)))
    open_ = np.ones(series, np.bool_)
    fitting = [length for length in pool if periods // length >= 4] or [min(pool)]
    for length in fitting:
        value, cases = block_values(y, mean, length)
        known = np.isfinite(cases)
        zero = np.where(known, cases == 0, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        chosen = np.flatnonzero(open_ & ((zero <= max_zero_share) | (length == fitting[-1])))
        open_[chosen] = False
        few = known.sum(axis=1) <= _EXACT
        for rows, how in ((chosen[few[chosen]], "none"), (chosen[~few[chosen]], treatment)):
            if not rows.size:
                continue
            found = mann_kendall(value[rows], treatment="none" if how == "none" else treatment, level=level, exact_up_to=_EXACT)
            year = 100.0 / (length * step)
            out.p_value[rows] = found.p_value
            for target, part in ((out.percent, found.slope), (out.lower, found.lower), (out.upper, found.upper)):
                target[rows] = np.maximum(part * year, _LEAST)
            out.blocks[rows], out.length[rows] = found.count, length
    return out
