"""Exact intervals and tests for counts of samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special, stats

__all__ = ["adjusted", "exact_interval", "fisher_greater"]

FloatArray = npt.NDArray[np.float64]


def exact_interval(x: object, n: object, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Return the exact interval of a proportion (Clopper & Pearson 1934): at least ``level`` coverage whatever n.

    Parameters
    ----------
    x, n : array-like, shape (k,)
        Counts, 0 <= x <= n; where n is 0 or NaN the interval is NaN.
    level : float
        Coverage, as 0.95.
    """
    count, size = np.asarray(x, dtype=np.float64), np.asarray(n, dtype=np.float64)
    tail = (1.0 - level) / 2.0
    with np.errstate(invalid="ignore"):
        low = np.where(count > 0, special.betaincinv(np.maximum(count, 1e-300), size - count + 1.0, tail), 0.0)
        high = np.where(count < size, special.betaincinv(count + 1.0, np.maximum(size - count, 1e-300), 1.0 - tail), 1.0)
        known = size > 0
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def fisher_greater(x1: object, n1: object, x0: object, n0: object) -> FloatArray:
    """Return the one-sided p-value of Fisher's exact test that the first proportion is larger; NaN where a sample is empty.

    Given x1 + x0 events in n1 + n0 samples, the number among the n1 is hypergeometric if the proportions are equal.
    """
    parts = [np.asarray(part, dtype=np.float64) for part in (x1, n1, x0, n0)]
    a, b, c, d = np.broadcast_arrays(*parts)
    p = np.asarray(stats.hypergeom.sf(a - 1.0, b + d, a + c, b), dtype=np.float64)
    return np.where((b > 0) & (d > 0), np.minimum(p, 1.0), np.nan)


def adjusted(p: FloatArray, tests: int = 0) -> FloatArray:
    """Return false-discovery rates by Benjamini & Hochberg (1995); NaN stay NaN and count as no test.

    ``tests`` counts those whose p-value is 1 and that are not in ``p``, besides those that are: leaving them out would select the rest.
    """
    out = np.full(p.shape, np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * max(known.size, tests) / np.arange(1, known.size + 1)
    out[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0) if known.size else steps
    return out
