"""Generalised likelihood ratio of a rise that began at an unknown time and lasts, for counts, and its in-control distribution.

Sources
-------
Hoehle & Paul (2008), Comput. Statist. Data Anal. 52(9), 4357-4368: Poisson and negative binomial regression charts.
Lai (1995), J. R. Statist. Soc. B 57(4), 613-658: window-limited schemes.
Armitage, McPherson, Rowe (1969), J. R. Statist. Soc. A 132(2), 235-244: repeated tests on accumulating data, by numerical integration.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.detectors import thresholds

__all__ = ["chart", "count_to_alarm", "joint_level", "joint_probability", "likelihood_ratios", "window_sums"]

FloatArray = npt.NDArray[np.float64]

_NEWTON = 80
_NODES = 400  # of the integration over the partial sum
_LARGEST_Z = 8.0


def likelihood_ratios(counts: FloatArray, mean: FloatArray, alpha: FloatArray) -> FloatArray:
    """Return, for each start, the log likelihood ratio of a rise from then until the last period, at its most likely size.

    The mean rises by the factor exp(kappa), kappa >= 0. Poisson (alpha 0): X log(X / M) - (X - M) with the sums X and M of counts and
    means; else kappa solves sum((y - m e^kappa) / (1 + alpha m e^kappa)) = 0 and is found by Newton's method for all starts at once.

    Parameters
    ----------
    counts, mean : array, shape (series, period)
        NaN counts are left out.
    alpha : array, shape (series,)
        Var = mean + alpha mean^2.

    Returns
    -------
    array, shape (series, period)
    """
    known = np.isfinite(counts)
    y, m = np.where(known, counts, 0.0), np.where(known, mean, 0.0)
    total, expected = (np.cumsum(part[:, ::-1], axis=1)[:, ::-1] for part in (y, m))
    up = total > expected
    with np.errstate(divide="ignore", invalid="ignore"):
        poisson = np.where(up, total * np.log(np.where(up, total / expected, 1.0)) - (total - expected), 0.0)
    if not (alpha > 0).any():
        return np.asarray(np.maximum(poisson, 0.0))
    out = np.maximum(poisson, 0.0)
    rows = np.flatnonzero(alpha > 0)
    a, yy, mm = alpha[rows, None, None], y[rows, None, :], m[rows, None, :]
    inside = np.arange(y.shape[1])[None, None, :] >= np.arange(y.shape[1])[None, :, None]
    with np.errstate(all="ignore"):
        kappa = np.where(up, np.log(np.where(up, total / expected, 1.0)), 0.0)[rows]  # that of Poisson counts is near
        rising = np.where(inside, (yy - mm) / (1.0 + a * mm), 0.0).sum(axis=2) > 0
        for _ in range(_NEWTON):
            factor = np.exp(kappa)[:, :, None]
            spread = 1.0 + a * mm * factor
            score = np.where(inside, (yy - mm * factor) / spread, 0.0).sum(axis=2)
            bend = np.where(inside, mm * factor * (1.0 + a * yy) / spread**2, 0.0).sum(axis=2)
            # Where the curve is flat a step overshoots; it is held to a factor of e. The last step is good to the last digits.
            step = np.where(rising, np.clip(score / bend, -1.0, 1.0), 0.0)
            kappa = np.maximum(kappa + step, 0.0)
            if (np.abs(step) <= 1e-11 * (1.0 + kappa)).all():
                break
        rise = mm * np.expm1(kappa)[:, :, None] / (1.0 + a * mm)
        terms = yy * kappa[:, :, None] - (yy + 1.0 / a) * np.log1p(a * rise)
        out[rows] = np.where(rising, np.maximum(np.where(inside, terms, 0.0).sum(axis=2), 0.0), 0.0)
    return out


def chart(
    counts: FloatArray, mean: FloatArray, alpha: FloatArray, limit: float, *, restart: bool
) -> tuple[FloatArray, npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Return statistic, alarm and first period looked at, for each period, of the chart that alarms where ``limit`` is reached.

    Parameters
    ----------
    counts, mean : array, shape (series, period)
    alpha : array, shape (series,)
    limit : float
        In nats.
    restart : bool
        Begin anew after each alarm.
    """
    value, alarm = np.zeros(counts.shape), np.zeros(counts.shape, np.bool_)
    first, start = np.zeros(counts.shape, np.intp), np.zeros(len(counts), np.intp)
    for at in range(counts.shape[1]):
        first[:, at] = start
        ratios = likelihood_ratios(counts[:, : at + 1], mean[:, : at + 1], alpha)
        value[:, at] = np.where(np.arange(at + 1) >= start[:, None], ratios, 0.0).max(axis=1)
        alarm[:, at] = value[:, at] >= limit
        if restart:
            start = np.where(alarm[:, at], at + 1, start)
    return value, alarm, first


def count_to_alarm(counts: FloatArray, mean: FloatArray, alpha: FloatArray, limit: float, first: npt.NDArray[np.intp]) -> FloatArray:
    """Return the smallest count of the last period whose statistic over starts from ``first`` (per series) on reaches ``limit``."""
    trial = counts.copy()
    allowed = np.arange(counts.shape[1]) >= first[:, None]

    def reaches(count: FloatArray) -> npt.NDArray[np.bool_]:
        trial[:, -1] = count
        return np.asarray(np.where(allowed, likelihood_ratios(trial, mean, alpha), 0.0).max(axis=1) >= limit)

    low, high = np.full(len(counts), -1.0), np.ceil(mean[:, -1]) + 1.0
    with np.errstate(over="ignore"):
        while True:
            short = ~reaches(high)
            if not short.any() or (high > 1e15).any():
                break
            low, high = np.where(short, high, low), np.where(short, high * 2.0, high)
    while (high - low > 1.0).any():
        middle = np.floor((low + high) / 2.0)
        above = reaches(middle)
        high, low = np.where(above, middle, high), np.where(above, low, middle)
    return high


def window_sums(
    counts: FloatArray, mean: FloatArray, phi: FloatArray, error: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return counts, means and dispersions of the last L = 1 ... periods, and P(sum >= seen), each of shape (series, period).

    Sums are negative binomial; their variance is that of the counts (``phi``, shape (series, period)) and that of the mean's estimate
    (``error``: standard error of the log mean, common to all periods).
    """
    known = np.isfinite(counts)
    y, m = np.where(known, counts, 0.0)[:, ::-1], np.where(known, mean, 0.0)[:, ::-1]
    total, expected, variance = (np.cumsum(part, axis=1) for part in (y, m, m * phi[:, ::-1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(expected > 0, variance / np.where(expected > 0, expected, 1.0), 1.0) + expected * error[:, None] ** 2
    positive = np.maximum(expected, 1e-9)
    return total, positive, spread, thresholds.negative_binomial_tail(total, positive, spread)


@functools.cache
def _joint(windows: int) -> tuple[FloatArray, FloatArray]:
    """Return z values and log P(some of the first ``windows`` partial sums of standard normals exceeds z sqrt(L)).

    The density of the partial sum without a crossing is carried from one period to the next on Gauss-Legendre nodes.
    """
    levels = np.linspace(-1.0, _LARGEST_Z, 73)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    out = np.empty(len(levels))
    for number, z in enumerate(levels):
        crossed = special.ndtr(-z)
        low, high = -9.0, z
        x = low + (high - low) * (nodes + 1.0) / 2.0
        density = np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi) * weights * (high - low) / 2.0
        for length in range(2, windows + 1):
            low, high = -9.0 * np.sqrt(length), z * np.sqrt(length)
            crossed += (density * special.ndtr(x - high)).sum()
            if length < windows:
                new = low + (high - low) * (nodes + 1.0) / 2.0
                moved = np.exp(-0.5 * (new[:, None] - x) ** 2) / np.sqrt(2.0 * np.pi)
                density, x = (moved * density).sum(axis=1) * weights * (high - low) / 2.0, new
        out[number] = crossed
    return levels, np.log(out)


def joint_probability(p: FloatArray, windows: int) -> FloatArray:
    """Return the in-control probability that the smallest of the tail probabilities of windows of 1 ... ``windows`` periods is <= p.

    The joint distribution is that of partial sums of normal variables, whatever their variance; each window's own tail is exact.
    """
    if windows == 1:
        return p
    levels, logs = _joint(windows)
    z = -special.ndtri(np.clip(p, 1e-300, 1.0 - 1e-16))
    # The ratio to the single probability is smooth; beyond the table it stays.
    ratio = np.interp(z, levels, logs - special.log_ndtr(-levels))
    return np.asarray(np.minimum(np.where(z < levels[0], 1.0, p * np.exp(ratio)), 1.0))


def joint_level(alpha: float, windows: int) -> float:
    """Return the probability p of a single window at which :func:`joint_probability` is ``alpha``."""
    low, high = alpha / windows / 2.0, alpha
    for _ in range(200):
        middle = (low + high) / 2.0
        low, high = (middle, high) if joint_probability(np.array(middle), windows) <= alpha else (low, middle)
    return low
