"""Exact binomial tails and limits for arrays, also of shares that scatter further than by chance.

``scipy.stats.binom`` checks and broadcasts anew at each call; here the tail is one incomplete beta function, and the limits of all cells
are bisected together.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

__all__ = ["binomial_quantile", "binomial_tail", "interpolated_limits", "widened_quantile", "widened_tail"]

FloatArray = npt.NDArray[np.float64]

_TINY, _FAR = 1e-300, 37.0


def binomial_tail(x: FloatArray, n: FloatArray, rate: FloatArray) -> FloatArray:
    """Return P(X >= x) for X ~ Binomial(n, rate); NaN where an argument is.

    Parameters
    ----------
    x, n : array
        Whole numbers, 0 <= x <= n + 1.
    rate : array
        In [0, 1].
    """
    x, n, rate = (np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(x, n, rate))
    inner = (x > 0) & (x <= n)
    # P(X >= x) is the distribution function of Beta(x, n - x + 1) at the rate.
    tail = special.betainc(np.where(inner, x, 1.0), np.where(inner, n - x + 1.0, 1.0), rate)
    tail = np.where(x <= 0, 1.0, np.where(inner, tail, 0.0))
    return np.where(np.isfinite(x + n + rate), tail, np.nan)


def binomial_quantile(level: FloatArray | float, n: FloatArray, rate: FloatArray) -> FloatArray:
    """Return the largest count whose tail probability exceeds ``level``: any greater count is significant at ``level``.

    Parameters
    ----------
    level : array or float
        In [0, 1).
    n, rate : array
    """
    level, n, rate = (np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(level, n, rate))
    known = np.isfinite(level + n + rate)
    low, high = np.zeros(n.shape), np.where(known, n, 0.0)  # invariant: low is not significant; the answer is in [low, high]
    while (low < high).any():
        open_ = low < high
        middle = np.ceil((low[open_] + high[open_]) / 2.0)
        above = binomial_tail(middle, n[open_], rate[open_]) > level[open_]
        low[open_] = np.where(above, middle, low[open_])
        high[open_] = np.where(above, high[open_], middle - 1.0)
    return np.where(known, low, np.nan)


def widened_tail(x: FloatArray, n: FloatArray, rate: FloatArray, sigma: FloatArray | float) -> FloatArray:
    """Return the binomial tail with its normal score divided by ``sigma``: shares that scatter ``sigma`` times as far as by chance.

    Beyond the reach of floats (37 standard deviations) the score is that of the normal approximation.
    """
    x, n, rate, sigma = (np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(x, n, rate, sigma))
    p = binomial_tail(x, n, rate)
    with np.errstate(divide="ignore", invalid="ignore"):
        normal = (x - n * rate) / np.sqrt(n * rate * (1.0 - rate))
        score = np.where(p < _TINY, np.maximum(normal, _FAR), -special.ndtri(p))
        return np.where(sigma == 1.0, p, special.ndtr(-score / sigma))


def widened_quantile(alpha: float, n: FloatArray, rate: FloatArray, sigma: FloatArray | float) -> FloatArray:
    """Return the largest count whose :func:`widened_tail` exceeds ``alpha``."""
    n, rate, sigma = (np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(n, rate, sigma))
    reach = -float(special.ndtri(alpha)) * sigma
    level = np.where(sigma == 1.0, alpha, special.ndtr(-reach))
    normal = np.floor(np.minimum(n * rate + reach * np.sqrt(n * rate * (1.0 - rate)), n))
    return np.where(level < _TINY, normal, binomial_quantile(np.maximum(level, _TINY), n, rate))


def interpolated_limits(level: FloatArray | float, n: FloatArray, rate: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return lower and upper limits in counts, between whole numbers as far as the level lies between two tails.

    With r the smallest count with P(X <= r) >= q and a = (P(X <= r) - q) / P(X = r), the q-limit is r - a: it is smooth in n, as a plotted
    line should (Spiegelhalter 2005, appendix A.1.1). q is ``level`` for the lower and 1 - ``level`` for the upper limit; below 0 is 0.
    """
    level, n, rate = (np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(level, n, rate))

    def above(count: FloatArray) -> FloatArray:
        return 1.0 - binomial_tail(count + 1.0, n, rate)

    def limit(r: FloatArray, past: FloatArray) -> FloatArray:
        step = binomial_tail(r, n, rate) - binomial_tail(r + 1.0, n, rate)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(step > 0, r - past / step, r)

    upper = binomial_quantile(level, n, rate)  # P(X > r) <= level < P(X >= r)
    lower = n - binomial_quantile(level, n, 1.0 - rate)
    lower_counts = limit(lower, above(lower) - level)
    return np.clip(lower_counts, 0.0, n), np.clip(limit(upper, level - binomial_tail(upper + 1.0, n, rate)), 0.0, n)
