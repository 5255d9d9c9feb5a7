"""How long an EWMA chart of independent normal values runs before it alarms, with known mean and standard deviation.

The average run length satisfies a linear integral equation in the chart's present value (Crowder 1987, Technometrics 29(4), 401-407),
solved at Gauss-Legendre nodes; Lucas & Saccucci (1990), Technometrics 32(1), 1-12, give tables by the equivalent Markov chain.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, special

from riskwatch.errors import DetectorError

__all__ = ["average_run_length", "level_for_run_length"]

_NODES = 96
_FAR_BELOW = 9.0  # standard deviations of the chart that stand for minus infinity


def average_run_length(smoothing: float, limit: float, shift: float = 0.0, *, two_sided: bool = False) -> float:
    """Return the average number of periods until the chart exceeds its limit, started at the in-control mean.

    Parameters
    ----------
    smoothing : float
        Weight of the newest value, in (0, 1].
    limit : float
        In standard deviations of the chart in the long run, sqrt(smoothing / (2 - smoothing)) of a value's.
    shift : float
        Of the mean, in standard deviations of a value.
    two_sided : bool
        Alarm below the mirrored limit too.

    Raises
    ------
    DetectorError
        If a parameter is out of range.
    """
    if not (0.0 < smoothing <= 1.0 and limit > 0.0 and math.isfinite(shift)):
        raise DetectorError(
            f"average_run_length: needs 0 < smoothing <= 1, limit > 0 and a finite shift, got {smoothing}, {limit}, {shift}",
            hint="limit is in standard deviations of the chart, 2 to 4 as a rule",
        )
    deviation = math.sqrt(smoothing / (2.0 - smoothing))
    high = limit * deviation
    low = -high if two_sided else min(shift, 0.0) - _FAR_BELOW * deviation
    points, weights = np.polynomial.legendre.leggauss(_NODES)
    at, weight = low + (high - low) * (points + 1.0) / 2.0, weights * (high - low) / 2.0

    def density(start: float | np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.asarray(
            np.exp(-0.5 * ((at - (1.0 - smoothing) * start) / smoothing - shift) ** 2) / (math.sqrt(2.0 * math.pi) * smoothing)
        )

    lengths = np.linalg.solve(np.eye(_NODES) - density(at[:, None]) * weight, np.ones(_NODES))
    return float(1.0 + (density(0.0) * weight * lengths).sum())


def level_for_run_length(smoothing: float, run_length: float) -> float:
    """Return the ``alpha`` of the upper chart that alarms once in ``run_length`` periods on average while nothing happens.

    Parameters
    ----------
    smoothing : float
    run_length : float
        From 20 to 100,000 periods.

    Raises
    ------
    DetectorError
        If a parameter is out of range.
    """
    if not 20.0 <= run_length <= 1e5:
        raise DetectorError(f"level_for_run_length: run_length must be 20 to 100000 periods, got {run_length}")
    limit = optimize.brentq(lambda at: math.log(average_run_length(smoothing, at) / run_length), 1e-3, 5.0, xtol=1e-8)
    return float(special.ndtr(-limit))
