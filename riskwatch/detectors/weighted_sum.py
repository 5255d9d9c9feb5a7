"""Tail of a weighted sum of independent negative binomial counts from its exact cumulants.

The sum is matched by a shifted gamma (Pearson type III) distribution with the same mean, variance and skewness: Johnson, Kotz,
Balakrishnan (1994), Continuous Univariate Distributions 1, chapter 17. Weighted sums of counts are skewed to the right as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

__all__ = ["Cumulants", "critical_value", "cumulants", "tail", "with_uncertain_mean"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cumulants:
    """First three cumulants, arrays of one shape."""

    mean: FloatArray
    variance: FloatArray
    third: FloatArray


def cumulants(weight: FloatArray, mean: FloatArray, phi: FloatArray) -> Cumulants:
    """Return the cumulants of sum over the first axis of weight x count, variance of a count = phi x mean.

    Parameters
    ----------
    weight, mean, phi : array, shape (term, ...)
    """
    first, second, third = (np.zeros(np.broadcast_shapes(weight.shape, mean.shape)[1:]) for _ in range(3))
    for w, m, f in zip(weight, mean, phi, strict=True):  # term by term: the same bits for a series in any company
        first += w * m
        second += w * w * (m * f)
        third += w * w * w * (m * f * (2.0 * f - 1.0))
    return Cumulants(first, second, third)


def with_uncertain_mean(known: Cumulants, relative_variance: FloatArray) -> Cumulants:
    """Return the cumulants when all means share a gamma distributed factor with mean 1 and this variance."""
    v = relative_variance
    return Cumulants(
        known.mean,
        known.variance + v * known.mean**2,
        known.third + 3.0 * v * known.mean * known.variance + 2.0 * v * v * known.mean**3,
    )


def tail(value: FloatArray, of: Cumulants) -> FloatArray:
    """Return the probability of at least ``value``."""
    shape = 4.0 * of.variance**3 / of.third**2
    with np.errstate(under="ignore"):
        return np.asarray(special.gammaincc(shape, np.maximum(shape + (value - of.mean) * np.sqrt(shape / of.variance), 0.0)))


def critical_value(alpha: float, of: Cumulants) -> FloatArray:
    """Return the value that is exceeded with probability ``alpha``."""
    shape = 4.0 * of.variance**3 / of.third**2
    return np.asarray(of.mean + (special.gammainccinv(shape, alpha) - shape) * np.sqrt(of.variance / shape))
