"""Prediction limits of a count given its expected value and dispersion, and the tail probability that goes with them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

__all__ = ["Power", "negative_binomial_quantile", "negative_binomial_tail", "power_limits", "thinned"]

FloatArray = npt.NDArray[np.float64]
Power = Literal["2/3", "1/2", "none"]

# Closer to 1 than this, the negative binomial is a Poisson distribution to the last digits and its size overflows.
_POISSON_BELOW = 1.0 + 1e-9
_STEPS = 120  # doubling and halving cover every count a float can tell from the next


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
    mean, phi = (np.ascontiguousarray(part, dtype=np.float64) for part in np.broadcast_arrays(mean, phi))
    out = np.full(mean.shape, np.nan)
    known = np.flatnonzero(np.isfinite(mean + phi) & (mean >= 0) & (phi > 0))
    mean, phi = mean.ravel()[known], np.maximum(phi.ravel()[known], 1.0)
    level = (1.0 - probability) * (1 + 1e-12)  # a tail that differs from the level by rounding has reached it
    q = _cornish_fisher(probability, mean, phi)
    # Bracket the quantile: beyond ``high`` the tail is small enough, beyond ``low`` it is not. Steps double until both ends are known.
    low, high = np.full(q.shape, -1.0), np.full(q.shape, np.inf)
    open_ = np.arange(q.size)
    for turn in range(_STEPS):
        at = q[open_]
        enough = negative_binomial_tail(at + 1.0, mean[open_], phi[open_]) <= level
        high[open_[enough]] = at[enough]
        low[open_[~enough]] = at[~enough]
        open_ = open_[high[open_] - low[open_] > 1.0]
        if not open_.size:
            break
        below, above = low[open_], high[open_]
        middle = np.floor(0.5 * (below + np.where(np.isinf(above), below, above)))
        q[open_] = np.where(np.isinf(above), below + 2.0**turn, np.maximum(above - 2.0**turn, middle))
    out.ravel()[known] = np.where(np.isinf(high), np.nan, high)
    return out


def _cornish_fisher(probability: float, mean: FloatArray, phi: FloatArray) -> FloatArray:
    """Return a count near the quantile, from the first four moments."""
    z = float(special.ndtri(probability))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore"):
        deviation = np.sqrt(phi * mean)
        skewness = (2.0 * phi - 1.0) / deviation
        excess = (6.0 * (phi - 1.0) * phi + 1.0) / (phi * mean)
        shift = z + (z * z - 1.0) * skewness / 6.0 + (z**3 - 3.0 * z) * excess / 24.0 - (2.0 * z**3 - 5.0 * z) * skewness**2 / 36.0
        return np.maximum(np.floor(np.nan_to_num(mean + deviation * shift, nan=0.0, posinf=0.0, neginf=0.0)), 0.0)


def power_limits(
    y: FloatArray, mean: FloatArray, phi: FloatArray, error: FloatArray, alpha: float, *, power: Power = "2/3"
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return lower limit, upper limit and P(Y >= y) from the normal approximation to a power of Y (Farrington et al. 1996).

    With tau = phi + error^2 / mean, the variance of Y - mean is tau mean, that of Y^(1/2) about tau / 4, that of Y^(2/3) about
    4/9 mean^(1/3) tau.

    Parameters
    ----------
    y, mean, phi : array
        Count, expected count, dispersion.
    error : array
        Standard error of the expected count.
    alpha : float
        One-sided level.
    power : {"2/3", "1/2", "none"}
        Power whose distribution is taken as normal; the first removes the skewness of a Poisson variable.
    """
    with np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore"):
        tau = phi + error**2 / mean
        if power == "none":
            spread, centre, value, back = np.sqrt(mean * tau), mean, y, 1.0
        elif power == "1/2":
            spread, centre, value, back = 0.5 * np.sqrt(tau), np.sqrt(mean), np.sqrt(y), 2.0
        else:
            spread, centre, value, back = np.sqrt(4.0 / 9.0 * np.cbrt(mean) * tau), np.cbrt(mean) ** 2, np.cbrt(y) ** 2, 1.5
        reach = float(special.ndtri(1.0 - alpha)) * spread
        lower = np.maximum(centre - reach, 0.0) ** back
        return lower, (centre + reach) ** back, special.ndtr((centre - value) / spread)
