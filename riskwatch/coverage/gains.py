"""What the n-th further sample of a cell is worth, in closed form; and the exact best way to hand out N of them.

A cell's failure rate has the posterior Beta(a, b), s = a + b. Two worths are stated:

* **information**: the expected fall of the posterior variance. With X failures in n samples, E Var(rate | X) = V s / (s + n), V = ab /
  (s^2 (s + 1)) (the law of total variance; Raiffa and Schlaifer 1961, ch. 5). The n-th sample adds V s / ((s + n)(s + n - 1)).
* **hazard**: failures found, of which the k-th in one cell counts r^(k-1) (r = 1: all alike; r = 0: only the first). The n-th sample
  adds E[rate (1 - (1 - r) rate)^(n-1)] = a/s G(n - 1), where G(m) is the generating function at r of a beta-binomial count of m trials
  under Beta(a + 1, b): 2F1(-m, a + 1; s + 1; 1 - r), by its three-term recurrence in m (Abramowitz and Stegun 1964, 15.2.10).

Both fall with n, so taking the best next sample again and again is exactly optimal (Fox 1966), and so is taking the N largest entries of
the whole table of gains: that is what :func:`allocate` does, without a loop over samples.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riskwatch.errors import RecordError

__all__ = ["allocate", "hazard_gains", "information_gains", "totals", "variance"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def variance(a: Floats, b: Floats) -> Floats:
    """Return the variance of Beta(a, b)."""
    s = a + b
    return np.asarray(a * b / (s * s * (s + 1.0)))


def information_gains(a: Floats, b: Floats, most: int) -> Floats:
    """Return the expected fall of the posterior variance by the 1st, 2nd, ... sample.

    Parameters
    ----------
    a, b : array, shape (cells,)
        Parameters of the posterior, positive.
    most : int
        Samples looked at.

    Returns
    -------
    array, shape (cells, most)
        Rows fall strictly.
    """
    s, n = (a + b)[:, None], np.arange(1.0, most + 1.0)
    return np.asarray(variance(a, b)[:, None] * s / ((s + n) * (s + n - 1.0)))


def hazard_gains(a: Floats, b: Floats, most: int, *, repeat_value: float) -> Floats:
    """Return the expected worth of failures found by the 1st, 2nd, ... sample.

    Parameters
    ----------
    a, b : array, shape (cells,)
        Parameters of the posterior, positive.
    most : int
        Samples looked at.
    repeat_value : float
        r in [0, 1]: worth of a further failure in a cell against the one before.

    Returns
    -------
    array, shape (cells, most)
        Rows do not rise; with r = 1 they are level at the posterior mean.
    """
    s, r = a + b, repeat_value
    out = np.empty((a.size, most))
    before, now = np.zeros(a.size), np.ones(a.size)
    for m in range(most):
        out[:, m] = now
        # (s + 1 + m) G(m+1) = (2m + s + 1 - (a + 1 + m)(1 - r)) G(m) - m r G(m-1): G is the dominant solution, so upwards is stable.
        ahead = ((2.0 * m + s + 1.0 - (a + 1.0 + m) * (1.0 - r)) * now - m * r * before) / (s + 1.0 + m)
        before, now = now, ahead
    # Rounding must not make a later sample look better than an earlier one.
    return np.asarray(np.minimum.accumulate(out, axis=1) * (a / s)[:, None])


def allocate(gains: Floats, samples: int, *, lower: Ints | None = None, upper: Ints | None = None) -> Ints:
    """Hand out samples so that the sum of gains is largest.

    Parameters
    ----------
    gains : array, shape (cells, most)
        Gain of each cell's n-th sample; no row may rise.
    samples : int
        N, at least 0.
    lower, upper : array of int, shape (cells,), optional
        Bounds; ``upper`` defaults to ``most``. Where the lower bounds alone ask for more than N, the N best among them are taken.

    Returns
    -------
    array of int, shape (cells,)
        Never more than N in all; fewer only where the upper bounds are met. Ties go to the cell with fewer samples, then to the one that
        stands first: sort cells by a key, and the answer does not depend on the order of the data.

    Raises
    ------
    RecordError
        If N is negative, a bound is out of range, or a row of gains rises.
    """
    cells, most = gains.shape
    low = np.zeros(cells, np.int64) if lower is None else np.asarray(lower, np.int64)
    high = np.full(cells, most, np.int64) if upper is None else np.asarray(upper, np.int64)
    if samples < 0:
        raise RecordError(f"allocate: samples must be >= 0, got {samples}")
    if (low < 0).any() or (low > high).any() or (high > most).any():
        raise RecordError(f"allocate: bounds must satisfy 0 <= lower <= upper <= {most}")
    if most > 1 and (np.diff(gains, axis=1) > 0).any():
        raise RecordError("allocate: the gain of a further sample must not rise")
    if low.sum() > samples:
        return _largest(gains, samples, np.zeros(cells, np.int64), low)
    return low + _largest(gains, samples - int(low.sum()), low, high)


def _largest(gains: Floats, samples: int, first: Ints, last: Ints) -> Ints:
    """Return how many of the ``samples`` largest gains with first <= n < last lie in each cell."""
    cells, most = gains.shape
    number = np.arange(most)
    open_ = (number >= first[:, None]) & (number < last[:, None])
    cell, n = np.nonzero(open_)
    if samples >= cell.size:
        return np.asarray(last - first)
    if samples == 0:
        return np.zeros(cells, np.int64)
    gain = gains[cell, n]
    cut = np.partition(gain, gain.size - samples)[gain.size - samples]
    sure, tied = gain > cut, np.flatnonzero(gain == cut)
    # Ties: fewer samples first, then the first cell. Within a row n rises, so no sample is taken before its predecessor.
    tied = tied[np.lexsort((cell[tied], n[tied]))][: samples - int(sure.sum())]
    taken = np.concatenate([cell[sure], cell[tied]])
    return np.asarray(np.bincount(taken, minlength=cells).astype(np.int64))


def totals(gains: Floats, n: Ints) -> Floats:
    """Return each cell's gain of its first n samples, shape (cells,)."""
    summed = np.concatenate([np.zeros((gains.shape[0], 1)), np.cumsum(gains, axis=1)], axis=1)
    return np.asarray(summed[np.arange(gains.shape[0]), n])
