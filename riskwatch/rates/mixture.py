"""Mixtures of a few beta distributions: distribution function, intervals, and the tail of a new count.

What is known of a cell's rate when the strength of its prior is uncertain is such a mixture. A single beta distribution with its mean and
variance has too high a lower quantile: over simulated truth 7 % of rates lay below the 2.5 % quantile, and 2 to 4 % with the mixture.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.rates import beta_binomial
from riskwatch.rates.blocks import over_blocks
from riskwatch.rates.polygamma import both

__all__ = ["beta_from_moments", "cumulative", "interval", "moments", "tail"]

FloatArray = npt.NDArray[np.float64]

_BLOCK = 16_384
_SMALL_BLOCK = 512
_POINTS = 56
_REACH = 5.0
_COARSE = 1.6


def beta_from_moments(mean: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return a and b of the beta distribution with a mean and a variance; the variance is held below mean (1 - mean)."""
    mean = np.clip(mean, 1e-12, 1.0 - 1e-12)
    size = np.maximum(mean * (1.0 - mean) / np.maximum(variance, 1e-300) - 1.0, 1e-3)
    return mean * size, (1.0 - mean) * size


def moments(a: FloatArray, b: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance of mixtures.

    Parameters
    ----------
    a, b : array, shape (component, cell)
    weights : array, shape (component,)
        Sum to 1.
    """
    size = a + b
    rate = a / size
    mean = weights @ rate
    second = weights @ (rate * (a + 1.0) / (size + 1.0))
    return mean, np.maximum(second - mean * mean, 1e-300)


def cumulative(theta: FloatArray, a: FloatArray, b: FloatArray, weights: FloatArray, *, upper: bool = False) -> FloatArray:
    """Return P(rate <= theta), or P(rate > theta) if ``upper``; shapes as in :func:`moments`, theta (cell,)."""
    function = special.betaincc if upper else special.betainc
    return np.asarray(weights @ np.stack([function(p, q, theta) for p, q in zip(a, b, strict=True)]))


def interval(a: FloatArray, b: FloatArray, weights: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Return the equal-tailed interval of mixtures that holds ``level``; tail probabilities are right to about 0.5 % of themselves.

    The density on the logit scale is summed by the trapezoid rule with end corrections, the tails beyond the grid by their slope: many
    times
    as fast as inverting incomplete beta functions.

    Parameters
    ----------
    a, b : array, shape (component, cell)
    weights : array, shape (component,)
    level : float
        In (0, 1).
    """
    alpha = (1.0 - level) / 2.0
    out = np.empty(a.shape[1]), np.empty(a.shape[1])
    over_blocks(lambda at: _quantiles(a[:, at], b[:, at], weights, alpha), a.shape[1], out, _SMALL_BLOCK)
    return out


def _quantiles(a: FloatArray, b: FloatArray, weights: FloatArray, alpha: float) -> tuple[FloatArray, FloatArray]:
    shape = a.shape
    d_a, t_a = (part.reshape(shape) for part in both(a.ravel()))
    d_b, t_b = (part.reshape(shape) for part in both(b.ravel()))
    centre = weights @ (d_a - d_b)  # mean and variance of logit(rate)
    spread = np.sqrt(weights @ (t_a + t_b + (d_a - d_b - centre) ** 2))
    step = 2.0 * _REACH * spread / (_POINTS - 1)
    z = (centre - _REACH * spread)[:, None] + step[:, None] * np.arange(_POINTS)
    log1p = np.logaddexp(0.0, z)
    theta = np.exp(z - log1p)
    density, steep = np.zeros(z.shape), np.zeros(z.shape)
    first, last = np.zeros(shape[1]), np.zeros(shape[1])
    with np.errstate(under="ignore", over="ignore"):
        for p, q, w, constant in zip(a[:, :, None], b[:, :, None], weights.tolist(), special.betaln(a, b), strict=True):
            f = p * z
            f -= (p + q) * log1p
            f -= constant[:, None]
            np.exp(f, out=f)
            f *= w
            slope = p - (p + q) * theta
            first += np.where(slope[:, 0] > 0, f[:, 0] / np.maximum(slope[:, 0], 1e-300), 0.0)
            last += np.where(slope[:, -1] < 0, f[:, -1] / np.maximum(-slope[:, -1], 1e-300), 0.0)
            density += f
            slope *= f
            steep += slope
        h = step[:, None]
        below = np.empty(z.shape)
        below[:, 0] = first
        below[:, 1:] = h / 2.0 * (density[:, 1:] + density[:, :-1]) + h * h / 12.0 * (steep[:, :-1] - steep[:, 1:])
        np.cumsum(below, axis=1, out=below)
        total = below[:, -1] + last  # one, but for what the grid left out
        below /= total[:, None]
        density /= total[:, None]
    low = _cross(z, below, density, alpha)
    high = _cross(-z[:, ::-1], 1.0 - below[:, ::-1], density[:, ::-1], alpha, flip=True)
    coarse = np.flatnonzero(step > _COARSE)
    if coarse.size:
        for out, upper in ((low, False), (high, True)):
            out[coarse] = _bisect(a[:, coarse], b[:, coarse], weights, alpha, upper=upper)
    return low, high


def _bisect(a: FloatArray, b: FloatArray, weights: FloatArray, alpha: float, *, upper: bool) -> FloatArray:
    """Halve the logit scale: for mixtures with a spike at zero or one, that no grid of moderate size follows."""
    low, high = np.full(a.shape[1], -700.0), np.full(a.shape[1], 36.0)
    for _ in range(40):
        middle = (low + high) / 2.0
        value = cumulative(special.expit(middle), a, b, weights, upper=upper)
        right = value > alpha if upper else value < alpha
        low, high = np.where(right, middle, low), np.where(right, high, middle)
    return np.asarray(special.expit((low + high) / 2.0))


def _cross(z: FloatArray, tail_: FloatArray, density: FloatArray, alpha: float, *, flip: bool = False) -> FloatArray:
    """Return the rate at which a rising tail probability reaches alpha: from the node before it, by the logarithm's slope at both ends."""
    rows = np.arange(len(z))
    at = np.clip((tail_ < alpha).sum(axis=1) - 1, 0, z.shape[1] - 2)
    low, high = np.log(np.maximum(tail_[rows, at], 1e-300)), np.log(np.maximum(tail_[rows, at + 1], 1e-300))
    h = z[rows, at + 1] - z[rows, at]
    share = np.clip((np.log(alpha) - low) / np.maximum(high - low, 1e-12), -50.0, 1.0)
    # Curvature of log(tail) within the step, from the slopes at its ends.
    first, second = (density[rows, at + k] / np.maximum(tail_[rows, at + k], 1e-300) * h for k in (0, 1))
    bend = np.where((share > 0.0) & (share < 1.0), share * (1.0 - share) * (second - first) / 2.0 / np.maximum(high - low, 1e-12), 0.0)
    found = z[rows, at] + h * (share + bend)
    return np.asarray(special.expit(-found if flip else found))


def tail(x: FloatArray, n: FloatArray, a: FloatArray, b: FloatArray, weights: FloatArray, *, mid_p: bool = False) -> FloatArray:
    """Return P(X >= x) of a new count out of n whose rate is drawn from the mixture; with ``mid_p`` half of P(X = x) is left out.

    Parameters
    ----------
    x, n : array, shape (cell,)
        Whole numbers.
    a, b : array, shape (component, cell)
    weights : array, shape (component,)
    """
    out = np.empty(len(x))

    def work(at: slice) -> tuple[FloatArray]:
        total = np.zeros(len(x[at]))
        for p, q, w in zip(a[:, at], b[:, at], weights.tolist(), strict=True):
            part = beta_binomial.tail(x[at], n[at], p, q)
            if mid_p:
                part = part - beta_binomial.mass(x[at], n[at], p, q) / 2.0
            total += w * part
        return (np.clip(total, 0.0, 1.0),)

    over_blocks(work, len(x), (out,), _BLOCK)
    return out
