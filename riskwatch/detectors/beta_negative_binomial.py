"""Tail probabilities and quantiles of the beta-negative-binomial distribution, for arrays of any size of count.

Y given q is negative binomial with size ``r`` and mean ``r q / (1 - q)``, and q is Beta(b, a): in other words the rate is ``r`` times a
beta-prime variable. With r and a large and a / r fixed this is the gamma-Poisson (negative binomial) distribution. Two exact forms are
used: the sum of the mass function from 0 by its recurrence, and, where the complement would cancel, the mixture integral

    P(Y >= y) = E[I_q(y, r)],  I the regularised incomplete beta function,

by the trapezoid rule on the logit of q, where the integrand is analytic and log-concave.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import special

__all__ = [
    "log_beta",
    "mass",
    "mean",
    "mean_since_first",
    "mixed",
    "quantile",
    "quantile_since_first",
    "tail",
    "tail_since_first",
]

FloatArray = npt.NDArray[np.float64]

_SUM_LIMIT = 2000  # counts up to which the mass is summed
_CANCELLED = 1e-6  # below this the complement of a sum has lost digits that matter
_DEPTH = 45.0  # the integrand is followed to e^-45 of its peak
_ROWS = 512


def log_beta(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the log of the beta function without the cancellation of log gammas, which costs six digits at a = 10^8.

    By Stirling's series where the larger argument is at least 10, as Didonato & Morris (1992, ACM TOMS 18(3), 360-373).
    """
    big, small = np.maximum(a, b), np.minimum(a, b)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        gap = _stirling(np.maximum(big, 10.0)) - _stirling(np.maximum(big + small, 10.0))
        one = special.gammaln(small) + gap - (big + small - 0.5) * np.log1p(small / big) - small * (np.log(big) - 1.0)
        both = (
            gap + _stirling(np.maximum(small, 10.0)) + 0.5 * (np.log(2.0 * np.pi) - np.log(small))
            - (big - 0.5) * np.log1p(small / big) - small * np.log1p(big / small)
        )  # fmt: skip
    return np.asarray(np.where(big < 10.0, special.betaln(a, b), np.where(small < 10.0, one, both)))


def _stirling(x: FloatArray) -> FloatArray:
    """Return log gamma(x) - [(x - 1/2) log x - x + log(2 pi) / 2], for x >= 10."""
    t = 1.0 / (x * x)
    series = 1 / 12 - t * (1 / 360 - t * (1 / 1260 - t * (1 / 1680 - t * (1 / 1188 - t * (691 / 360360 - t / 156)))))
    return np.asarray(series / x)


def mass(y: FloatArray, r: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Return P(Y = y) for whole y >= 0."""
    with np.errstate(under="ignore"):
        choose = -np.log(y + r) - log_beta(y + 1.0, r)
        return np.asarray(np.exp(choose + log_beta(a + r, b + y) - log_beta(a, b)))


def mean(r: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Return E(Y), for a above 1."""
    return np.asarray(r * b / (a - 1.0))


def tail(y: FloatArray, r: FloatArray, a: FloatArray, b: FloatArray, shift: FloatArray | float = 0.0) -> FloatArray:
    """Return P(Y >= y).

    Parameters
    ----------
    y : array
        Counts; a fraction is rounded up, as no count lies between.
    r, a, b : array
        Positive.
    shift : array
        Log of the share of cases that are counted: a thinned negative binomial keeps its size and has its mean times the share.
    """
    y, r, a, b, shift = (np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(np.ceil(y), r, a, b, shift))
    out = np.ones(y.shape)
    out[np.isnan(y + r + a + b)] = np.nan
    todo = np.flatnonzero(y.ravel() > 0)
    y, r, a, b, shift = (part.ravel()[todo] for part in (y, r, a, b, shift))
    found = np.zeros(len(todo))
    summed = (y <= _SUM_LIMIT) & (shift == 0.0)
    found[summed] = _complement(y[summed], r[summed], a[summed], b[summed])
    rest = np.flatnonzero(found < _CANCELLED)
    y, r, shift = y[rest], r[rest], shift[rest]
    integral = mixed(lambda z, at: _log_incomplete(z + shift[at, None], y[at, None], r[at, None]), a[rest], b[rest])
    found[rest] = np.minimum(integral, 1.0)
    out.ravel()[todo] = found
    return out


def tail_since_first(y: FloatArray, r: FloatArray, a: FloatArray, b: FloatArray, shift: FloatArray | float = 0.0) -> FloatArray:
    """Return P(Y >= y | Y >= 1) where the rate is drawn from the beta-prime distribution *after* it is known that Y >= 1.

    A series that is watched because of its first case has at least this case: what is uncertain is how many came with it.
    """
    y, r, a, b, shift = (np.asarray(part, dtype=np.float64).ravel() for part in np.broadcast_arrays(np.ceil(y), r, a, b, shift))
    out = np.ones(len(y))
    rest = np.flatnonzero(y > 1)
    y, r, shift = y[rest], r[rest], shift[rest]

    def log_weight(z: FloatArray, at: npt.NDArray[np.intp]) -> FloatArray:
        moved, size = z + shift[at, None], r[at, None]
        return _log_incomplete(moved, y[at, None], size) - _log_incomplete(moved, np.ones(1), size)

    out[rest] = np.minimum(mixed(log_weight, a[rest], b[rest]), 1.0)
    return out


def mean_since_first(r: FloatArray, a: FloatArray, b: FloatArray, shift: FloatArray | float = 0.0) -> FloatArray:
    """Return E(Y | Y >= 1), with the rate drawn as in :func:`tail_since_first`; for a above 1."""
    r, a, b, shift = (np.asarray(part, dtype=np.float64).ravel() for part in np.broadcast_arrays(r, a, b, shift))

    def log_weight(z: FloatArray, at: npt.NDArray[np.intp]) -> FloatArray:
        moved, size = z + shift[at, None], r[at, None]
        odds = np.exp(np.minimum(moved, 40.0))
        # E(Y | Y >= 1, q) - 1 with E(Y | q) = r odds and P(Y = 0 | q) = exp(-none); by its leading term where this would cancel.
        none = size * np.log1p(odds)
        with np.errstate(divide="ignore", invalid="ignore", under="ignore"):
            excess = np.where(none + odds < 1e-5, (none + odds) / 2.0, size * odds / -np.expm1(-none) - 1.0)
            return np.asarray(np.log(excess) + np.maximum(moved - 40.0, 0.0))

    return 1.0 + mixed(log_weight, a, b)


def mixed(log_weight: Callable[[FloatArray, npt.NDArray[np.intp]], FloatArray], a: FloatArray, b: FloatArray) -> FloatArray:
    """Return E[exp(log_weight(logit q))], q ~ Beta(b, a), for each element.

    Parameters
    ----------
    log_weight : callable
        Takes logits, shape (n, node), and the n elements they belong to. Its sum with the log density must have one peak.
    a, b : array, shape (element,)
    """
    out = np.zeros(len(a))
    for start in range(0, len(a), _ROWS):
        at = np.arange(start, min(start + _ROWS, len(a)))
        p, s = a[at, None], b[at, None]
        normal = log_beta(p, s)

        def log_integrand(
            z: FloatArray, at: npt.NDArray[np.intp] = at, p: FloatArray = p, s: FloatArray = s, normal: FloatArray = normal
        ) -> FloatArray:
            return np.asarray(log_weight(z, at) - s * np.logaddexp(0.0, -z) - p * np.logaddexp(0.0, z) - normal)

        low, high = np.full(p.shape, -700.0), np.full(p.shape, 700.0)
        steps, rows = np.linspace(0.0, 1.0, 65), np.arange(len(at))
        narrow = np.zeros(p.shape, np.bool_)
        for _ in range(12):  # close in on the part that matters, by a factor of up to 32 each time, each element by itself
            z = low + (high - low) * steps
            value = log_integrand(z)
            keep = value >= value.max(axis=1, keepdims=True) - _DEPTH
            first, last = keep.argmax(axis=1), 64 - keep[:, ::-1].argmax(axis=1)
            low = np.where(narrow, low, z[rows, np.maximum(first - 1, 0)][:, None])
            high = np.where(narrow, high, z[rows, np.minimum(last + 1, 64)][:, None])
            narrow |= (last - first >= 24)[:, None]
            if narrow.all():
                break
        z = low + (high - low) * np.linspace(0.0, 1.0, 513)
        with np.errstate(under="ignore"):
            out[at] = np.exp(log_integrand(z)).sum(axis=1) * (high - low)[:, 0] / 512.0
    return out


def _log_incomplete(z: FloatArray, y: FloatArray, r: FloatArray) -> FloatArray:
    """Return log I_q(y, r) at q = expit(z); far to the left, where it underflows, by the first terms of its series."""
    with np.errstate(divide="ignore", under="ignore"):
        log_q, q = -np.logaddexp(0.0, -z), special.expit(z)
        value = np.log(special.betainc(y, r, q))
        # 1 + (y + r) / (y + 1) q + ... is close to a geometric series there.
        ratio = np.minimum(q * (y + r) / (y + 1.0), 0.999)
        series = y * log_q - r * np.logaddexp(0.0, z) - np.log(y) - log_beta(y, r) - np.log1p(-ratio)
    return np.asarray(np.where(value > -600.0, value, np.minimum(series, -600.0)))


def _complement(y: FloatArray, r: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Return 1 - P(Y < y) by summing the mass upwards; good to about 1e-15."""
    term = np.exp(log_beta(a + r, b) - log_beta(a, b))
    below = np.zeros(len(y))
    k, open_ = 0.0, np.arange(len(y))
    while open_.size:
        below[open_] += term
        term = term * ((k + r) * (k + b) / ((k + 1.0) * (k + r + a + b)))
        k += 1.0
        more = k < y[open_]
        open_ = open_[more]
        term, r, a, b = (part[more] for part in (term, r, a, b))
    return np.clip(1.0 - below, 0.0, 1.0)


def quantile(level: float, r: FloatArray, a: FloatArray, b: FloatArray, shift: FloatArray | float = 0.0) -> FloatArray:
    """Return the largest count whose tail probability exceeds ``level``: any greater count is significant at ``level``."""
    r, a, b, shift = (np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(r, a, b, shift))
    return _largest(lambda y, at: tail(y, r[at], a[at], b[at], shift[at]), level, np.zeros(len(r)))


def _largest(tail_of: Callable[[FloatArray, npt.NDArray[np.intp]], FloatArray], level: float, least: FloatArray) -> FloatArray:
    """Return the largest y >= ``least`` with tail_of(y) > level: double, then bisect."""
    low, step = least.copy(), np.ones(len(least))
    high = least + 1.0
    open_ = np.arange(len(least))
    while open_.size:
        above = tail_of(high[open_], open_) > level
        open_ = open_[above]
        low[open_] = high[open_]
        step[open_] *= 2.0
        high[open_] += step[open_]
    while True:
        open_ = np.flatnonzero(high - low > 1.0)
        if not open_.size:
            return low
        middle = np.floor((low[open_] + high[open_]) / 2.0)
        above = tail_of(middle, open_) > level
        low[open_] = np.where(above, middle, low[open_])
        high[open_] = np.where(above, high[open_], middle)


def quantile_since_first(level: float, r: FloatArray, a: FloatArray, b: FloatArray, shift: FloatArray | float = 0.0) -> FloatArray:
    """Return the largest count whose :func:`tail_since_first` exceeds ``level``; at least 1."""
    r, a, b, shift = (np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(r, a, b, shift))
    return _largest(lambda y, at: tail_since_first(y, r[at], a[at], b[at], shift[at]), level, np.ones(len(r)))
