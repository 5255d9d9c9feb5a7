"""Distribution of the sum of the excesses over 1 of a few correlated standard normal values: the reference of EARS C3.

Given a common factor the values are independent, and the tail of their sum follows by convolution; the factor is integrated out by
Gauss-Hermite quadrature. Nothing is simulated.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
from scipy import special

__all__ = ["critical_value", "tail"]

FloatArray = npt.NDArray[np.float64]

_STEP = 0.01
_GRID = np.arange(0.0, 16.0, _STEP)
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(24)


@functools.lru_cache(maxsize=64)
def _log_tail(terms: int, correlation: float) -> FloatArray:
    """Return log10 P(sum >= c) on the grid of c; at c = 0 the limit from above."""
    own, total = np.sqrt(1.0 - correlation), np.zeros(len(_GRID))
    for node, weight in zip(_NODES, _WEIGHTS / _WEIGHTS.sum(), strict=True):
        above = special.ndtr((np.sqrt(correlation) * node - 1.0 - _GRID) / own)
        density = np.exp(-0.5 * ((1.0 + _GRID - np.sqrt(correlation) * node) / own) ** 2) / (np.sqrt(2.0 * np.pi) * own)
        tail_of_sum = above
        for _ in range(terms - 1):
            inner = np.convolve(density, tail_of_sum)[: len(_GRID)] - 0.5 * (density[0] * tail_of_sum + density * tail_of_sum[0])
            tail_of_sum = (1.0 - above[0]) * tail_of_sum + _STEP * inner + above
        total += weight * tail_of_sum
    return np.log10(total)


def tail(excess: FloatArray, terms: npt.NDArray[np.int64], correlation: float) -> FloatArray:
    """Return the probability that the excesses over 1 of ``terms`` standard normal values add up to at least ``excess``.

    Parameters
    ----------
    excess : array
        At least 0; beyond 16 the probability of 16 (under 1e-40) is returned.
    terms : array of int
        1, 2 or 3.
    correlation : float
        Between any two of the values, in [0, 1).
    """
    out = np.full(excess.shape, np.nan)
    for number in (1, 2, 3):
        chosen = (terms == number) & ~np.isnan(excess)
        out[chosen] = special.exp10(np.interp(excess[chosen], _GRID, _log_tail(number, correlation)))
    return np.where(excess <= 0, 1.0, np.minimum(out, 1.0))


def critical_value(alpha: float, terms: npt.NDArray[np.int64], correlation: float) -> FloatArray:
    """Return the smallest sum whose tail probability is at most ``alpha``; 0 where the smallest positive sum is rarer than that."""
    out = np.full(terms.shape, np.nan)
    for number in (1, 2, 3):
        values = _log_tail(number, correlation)
        out[terms == number] = np.interp(-np.log10(alpha), -values, _GRID)
    return out
