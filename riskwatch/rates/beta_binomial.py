"""Tail probabilities and quantiles of the beta-binomial distribution, for arrays, from n = 1 to 10^9.

``scipy.stats.betabinom`` sums its mass function anew for each value; here all cells advance together. Two exact forms are used:

* up to ``_SUM_LIMIT`` trials, the sum of the mass function by its two-term recurrence;
* beyond, P(X >= x) = E[S(Q)] with Q ~ Beta(x, n - x + 1) and S the survival function of Beta(a, b): the binomial tail is the
  distribution function of Q, integrated by parts. The trapezoid rule on the logit scale converges geometrically.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

__all__ = ["mass", "quantile", "tail"]

FloatArray = npt.NDArray[np.float64]

_SUM_LIMIT = 2000.0
_FEW = 64.0
_CANCELS = 1e-4  # 1 less a sum has a relative error of some 1e-16 over the tail
_NODES = np.linspace(-1.0, 1.0, 1249)  # 12 nodes per spread at the longest reach
_ROWS = 256


def mass(x: FloatArray, n: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Return P(X = x) for X ~ BetaBinomial(n, a, b)."""
    with np.errstate(invalid="ignore", divide="ignore", under="ignore"):
        choose = -np.log1p(n) - special.betaln(n - x + 1.0, x + 1.0)
        return np.asarray(np.where((x >= 0) & (x <= n), np.exp(choose + special.betaln(x + a, n - x + b) - special.betaln(a, b)), 0.0))


def tail(x: FloatArray, n: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Return P(X >= x) for X ~ BetaBinomial(n, a, b); NaN where an argument is.

    Parameters
    ----------
    x, n : array
        Whole numbers, 0 <= x <= n + 1.
    a, b : array
        Positive.
    """
    x, n, a, b = (np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(x, n, a, b))
    out = np.full(x.shape, np.nan)
    known = np.isfinite(x + n + a + b)
    out[known & (x <= 0)] = 1.0
    out[known & (x > n)] = 0.0
    inner = known & (x > 0) & (x <= n)
    for chosen, method in ((inner & (n <= _SUM_LIMIT), _by_sum), (inner & (n > _SUM_LIMIT), _by_integral)):
        if chosen.any():
            out[chosen] = method(x[chosen], n[chosen], a[chosen], b[chosen])
    return out


def _by_sum(x: FloatArray, n: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Sum the mass from x away from the mean, so that nothing cancels: upwards above it, else the complement downwards.

    The few terms at either end are soon summed: those from x up to n wherever x lies, those below x where little cancels in 1 less them.
    """
    up = (x > n * a / (a + b)) | (n - x <= _FEW)
    few = up & (x <= _FEW) & (x < n - x)
    out = _summed(x, n, a, b, up=up & ~few)
    small = np.flatnonzero(few & (out < _CANCELS))
    if small.size:
        out[small] = _summed(x[small], n[small], a[small], b[small], up=np.ones(small.size, dtype=np.bool_))
    return out


def _summed(x: FloatArray, n: FloatArray, a: FloatArray, b: FloatArray, *, up: npt.NDArray[np.bool_]) -> FloatArray:
    """Return the tail, its terms summed upwards or 1 less the sum of those below."""
    first = np.where(up, x, x - 1.0)
    total = term = mass(first, n, a, b)
    total = total.copy()
    k, open_ = first.copy(), np.arange(len(x))
    steps_up, nn, aa, bb = up, n, a, b
    with np.errstate(divide="ignore", invalid="ignore", under="ignore"):
        while open_.size:
            rise = (nn - k) * (k + aa) / ((k + 1.0) * (nn - k - 1.0 + bb))
            fall = k * (nn - k + bb) / ((nn - k + 1.0) * (k - 1.0 + aa))
            ratio = np.where(steps_up, rise, fall)
            term = term * ratio
            k = k + np.where(steps_up, 1.0, -1.0)
            inside = np.where(steps_up, k <= nn, k >= 0.0)
            term = np.where(inside, term, 0.0)
            total[open_] += term
            # Past the mode of a bell the terms fall ever faster; with a or b below 1 the mass may rise again at the edge.
            bell = (aa >= 1.0) & (bb >= 1.0) & (ratio < 1.0)
            left = np.where(steps_up, nn - k, k)
            more = inside & ~(bell & (term * np.minimum(left, 1.0 / (1.0 - np.minimum(ratio, 1.0 - 1e-9))) < 1e-17 * total[open_]))
            open_, steps_up = open_[more], steps_up[more]
            k, term, nn, aa, bb = (part[more] for part in (k, term, nn, aa, bb))
    return np.asarray(np.clip(np.where(up, total, 1.0 - total), 0.0, 1.0))


def _spread(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the standard deviation of logit(Q), Q ~ Beta(a, b)."""
    return np.asarray(np.sqrt(special.polygamma(1, a) + special.polygamma(1, b)), dtype=np.float64)


def _by_integral(x: FloatArray, n: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Integrate over the narrower of the two beta distributions: Q above, or the rate itself with the binomial tail as integrand."""
    over_q = _spread(x, n - x + 1.0) <= _spread(a, b)
    first, second = np.where(over_q, x, a), np.where(over_q, n - x + 1.0, b)
    other, another = np.where(over_q, b, x), np.where(over_q, a, n - x + 1.0)
    out = np.empty(len(x))
    for start in range(0, len(x), _ROWS):
        at = slice(start, start + _ROWS)
        f, s, o, p = (part[at, None] for part in (first, second, other, another))
        spread = _spread(f, s)
        # The integrand shifts the bulk by up to 40 spreads times the ratio of the two spreads.
        reach = (12.0 + 40.0 * np.minimum(spread / _spread(o, p), 1.0)) * spread
        z = np.log(f) - np.log(s) + reach * _NODES
        density = _log_density(z, f, s)
        with np.errstate(under="ignore"):
            weight = np.exp(density - density.max(axis=1, keepdims=True))
            value = special.betainc(o, p, special.expit(np.where(over_q[at, None], -z, z)))
            out[at] = (weight * value).sum(axis=1) / weight.sum(axis=1)
    return np.minimum(out, 1.0)


def _log_density(z: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the log density of logit(Q) up to a constant, Q ~ Beta(a, b), stable for large a and b."""
    centre = np.log(a) - np.log(b)
    return np.asarray(a * (z - centre) - (a + b) * (np.logaddexp(0.0, z) - np.logaddexp(0.0, centre)))


def quantile(level: float, n: FloatArray, a: FloatArray, b: FloatArray, *, mid_p: bool = False) -> FloatArray:
    """Return the largest count whose tail probability exceeds ``level``: any greater count is significant at ``level``.

    Parameters
    ----------
    level : float
        In (0, 1).
    n, a, b : array
    mid_p : bool
        Take P(X > x) + P(X = x) / 2 for the tail.
    """
    n, a, b = (np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(n, a, b))
    low, high = np.zeros(n.shape), np.where(np.isfinite(n + a + b), n, 0.0)  # invariant: low not significant; answer in [low, high]
    # From near the mean outwards: most answers lie there, and sums over few counts are quick.
    mean = n * a / (a + b)
    near, far = np.ceil(4.0 * mean) + 4.0, np.ceil(4.0 * (n - mean)) + 4.0
    while (low < high).any():
        open_ = low < high
        half = np.ceil((low[open_] + high[open_]) / 2.0)
        middle = np.where(
            near[open_] <= far[open_],
            np.minimum(half, np.maximum(4.0 * low[open_], near[open_])),
            np.maximum(half, n[open_] - np.maximum(4.0 * (n[open_] - high[open_]), far[open_])),
        )
        probability = tail(middle, n[open_], a[open_], b[open_])
        if mid_p:
            probability = probability - mass(middle, n[open_], a[open_], b[open_]) / 2.0
        above = probability > level
        low[open_] = np.where(above, middle, low[open_])
        high[open_] = np.where(above, high[open_], middle - 1.0)
    return np.asarray(np.where(np.isfinite(n + a + b), low, np.nan))
