"""Prediction limits of a count given its expected value and dispersion, and the tail probability that goes with them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special, stats

__all__ = ["negative_binomial_quantile", "negative_binomial_tail", "thinned", "two_thirds_power"]

FloatArray = npt.NDArray[np.float64]

# Closer to 1 than this, the negative binomial is a Poisson distribution to the last digits and its size overflows.
_POISSON_BELOW = 1.0 + 1e-9


def thinned(mean: FloatArray, phi: FloatArray, share: FloatArray, error: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and dispersion of what has been reported of a count, when each case is reported by now with probability ``share``.

    With E(Y) = mean, Var(Y) = phi mean and reported | Y binomial, E = share mean and Var = E (1 + share (phi - 1)); an uncertain share
    with standard error ``error`` adds mean^2 error^2. At share 1 and error 0 both come back as they were, to the last bit.

    Parameters
    ----------
    mean, phi : array
        Of the complete count.
    share, error : array
        Expected share reported, above 0, and its standard error.
    """
    return share * mean, np.asarray(np.where((share == 1) & (error == 0), phi, 1.0 + share * (phi - 1.0) + mean * error**2 / share))


def negative_binomial_tail(y: FloatArray, mean: FloatArray, phi: FloatArray) -> FloatArray:
    """Return P(Y >= y) for a negative binomial with this mean and variance ``phi * mean`` (Poisson where ``phi`` is 1)."""
    y, mean, phi = np.broadcast_arrays(y, mean, phi)
    poisson = phi <= _POISSON_BELOW
    with np.errstate(under="ignore", over="ignore", invalid="ignore", divide="ignore"):
        size = np.where(poisson, 1.0, mean / np.where(poisson, 1.0, phi - 1.0))
        # P(Y >= y) = I_{1-p}(y, size) with success probability p = 1 / phi.
        count = np.maximum(y, 1e-300)
        tail = np.where(poisson, special.gammainc(count, mean), special.betainc(count, size, (phi - 1.0) / phi))
    return np.where(y <= 0, np.where(np.isnan(mean + phi), np.nan, 1.0), tail)


def negative_binomial_quantile(probability: float, mean: FloatArray, phi: FloatArray) -> FloatArray:
    """Return the smallest count q with P(Y <= q) >= ``probability``, exact with respect to :func:`negative_binomial_tail`."""
    mean, phi = np.broadcast_arrays(mean, phi)
    poisson = phi <= _POISSON_BELOW
    with np.errstate(under="ignore", over="ignore", invalid="ignore", divide="ignore"):
        size = np.where(poisson, 1.0, mean / np.where(poisson, 1.0, phi - 1.0))
        q = np.where(
            poisson,
            stats.poisson.ppf(probability, np.where(poisson, mean, 1.0)),
            stats.nbinom.ppf(probability, size, np.where(poisson, 0.5, 1.0 / phi)),
        )
    q = np.asarray(np.where(np.isfinite(mean + phi), np.maximum(q, 0.0), np.nan))
    # Library quantiles can be one off where the tail is within rounding of the level; settle it with our own tail.
    level = 1.0 - probability
    for _ in range(3):
        too_low = negative_binomial_tail(q + 1.0, mean, phi) > level * (1 + 1e-12)
        too_high = (q > 0) & (negative_binomial_tail(q, mean, phi) <= level * (1 + 1e-12))
        if not (too_low.any() or too_high.any()):
            break
        q = np.asarray(q + too_low - (too_high & ~too_low))
    return q


def two_thirds_power(
    y: FloatArray, mean: FloatArray, phi: FloatArray, error: FloatArray, alpha: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return lower limit, upper limit and P(Y >= y) from the normal approximation to Y^(2/3) (Farrington et al. 1996).

    Parameters
    ----------
    y, mean, phi : array
        Count, expected count, dispersion.
    error : array
        Standard error of the expected count.
    alpha : float
        One-sided level.
    """
    with np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore"):
        tau = phi + error**2 / mean
        spread = np.sqrt(4.0 / 9.0 * np.cbrt(mean) * tau)
        centre = np.cbrt(mean) ** 2
        reach = stats.norm.isf(alpha) * spread
        lower = np.maximum(centre - reach, 0.0) ** 1.5
        return lower, (centre + reach) ** 1.5, stats.norm.sf((np.cbrt(y) ** 2 - centre) / spread)
