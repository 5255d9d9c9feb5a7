"""How unlikely the largest ratio is without any cluster: Monte-Carlo p-values, a Gumbel tail beyond them, and recurrence intervals.

Sources
-------
Dwass (1957), Annals of Mathematical Statistics 28(1), 181-187: p = (1 + replicates that reach it) / (1 + replicates). Gumbel tail:
Abrams, Kulldorff, Kleinman (2010), International Journal of Health Geographics 9, 61. Recurrence interval: Kleinman, Lazarus, Platt
(2004), American Journal of Epidemiology 159(3), 217-224.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["gumbel_p", "monte_carlo_p", "p_values", "recurrence_interval"]

FloatArray = npt.NDArray[np.float64]

_EULER = 0.5772156649015329
_SAME = 1e-9  # relative: ratios as close as this are ties
_ENOUGH = 10  # replicates that reach the ratio: with fewer the share itself is coarse


def _reached(statistic: FloatArray, maxima: FloatArray) -> npt.NDArray[np.int64]:
    sorted_maxima = np.sort(maxima)
    bar = statistic * (1 - _SAME)
    return np.asarray(len(maxima) - np.searchsorted(sorted_maxima, bar, side="left"), dtype=np.int64)


def monte_carlo_p(statistic: FloatArray, maxima: FloatArray) -> FloatArray:
    """Return (1 + maxima that reach the statistic) / (1 + maxima), shape of ``statistic``."""
    return np.asarray((1 + _reached(statistic, maxima)) / (1 + len(maxima)), dtype=np.float64)


def gumbel_p(statistic: FloatArray, maxima: FloatArray) -> FloatArray:
    """Return the tail of a Gumbel distribution with the mean and standard deviation of the maxima (method of moments).

    NaN where fewer than two maxima are there or all are the same.
    """
    scale = float(np.std(maxima, ddof=1)) * np.sqrt(6) / np.pi if len(maxima) > 1 else 0.0
    if not scale > 0:
        return np.full(np.shape(statistic), np.nan)
    location = float(np.mean(maxima)) - _EULER * scale
    return np.asarray(-np.expm1(-np.exp(-(np.asarray(statistic) - location) / scale)))


def p_values(statistic: FloatArray, maxima: FloatArray, *, tail: str = "gumbel") -> FloatArray:
    """Return Monte-Carlo p-values, with the Gumbel tail where fewer than ten replicates reach the statistic.

    There it is held at most at the Monte-Carlo p-value of ten replicates, so that p never rises with the statistic.

    Parameters
    ----------
    statistic : array
    maxima : array, shape (replicate,)
        Largest ratio of each replicate.
    tail : {"gumbel", "monte-carlo"}
    """
    simulated = monte_carlo_p(statistic, maxima)
    fitted = gumbel_p(statistic, maxima)
    use = (_reached(statistic, maxima) < _ENOUGH) & np.isfinite(fitted) if tail == "gumbel" else np.zeros(np.shape(statistic), np.bool_)
    return np.where(use, np.minimum(fitted, (1 + _ENOUGH) / (1 + len(maxima))), simulated)


def recurrence_interval(p_value: FloatArray, looks_apart: float = 1.0) -> FloatArray:
    """Return how long one would wait on average for a ratio as large without any cluster, if looked once every ``looks_apart``.

    In the unit of ``looks_apart``; infinite for p = 0.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(looks_apart / np.asarray(p_value, dtype=np.float64))
