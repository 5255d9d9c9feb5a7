"""Forecasts of counts with intervals, and the probability of crossing a threshold.

The linear predictor of a coming period is a normal mixture over the grid of :mod:`riskwatch.trends.level`, taken by its mean and variance.
A count is then negative binomial, and failures of n inspections beta-binomial, with the exact mean and variance that this uncertainty and
the series' over-dispersion give together: limits are whole numbers, never negative, never above n.

Sources
-------
West & Harrison (1997), Bayesian Forecasting and Dynamic Models, ch. 14 (conjugate forms by moments). Beta-binomial: Kleinman (1973),
J. Amer. Statist. Assoc. 68(341), 46-54.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from riskwatch.errors import TrendError
from riskwatch.rates import beta_binomial
from riskwatch.trends.glm import Family
from riskwatch.trends.level import Levels

__all__ = ["Forecast", "covered", "forecast", "interval", "predicted", "probability_of_count", "probability_of_level", "widened"]

FloatArray = npt.NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
_LEAST = 0.05
_MOST = 4.0  # a variance of the log mean beyond this (a factor of 50 either way) has moments that mean nothing


@dataclass(frozen=True, eq=False)
class Forecast:
    """What is believed of coming periods; h horizons.

    Attributes
    ----------
    mean, variance : array, shape (series, h)
        Of the linear predictor of a period, season and all, per exposure.
    level_mean, level_variance : array, shape (series, h)
        Of the level without season, on the link's scale.
    exposure : array, shape (series, h)
        Assumed exposure (inspections, whole numbers, for binomial).
    dispersion, correlation : array, shape (series,)
        Over-dispersion of counts; correlation between inspections of one period, for binomial.
    family : str
    steps : array of int, shape (h,)
        Periods ahead.
    """

    mean: FloatArray
    variance: FloatArray
    level_mean: FloatArray
    level_variance: FloatArray
    exposure: FloatArray
    dispersion: FloatArray
    correlation: FloatArray
    family: Family
    steps: npt.NDArray[np.intp]


def forecast(levels: Levels, steps: npt.ArrayLike, *, exposure: FloatArray | None = None) -> Forecast:
    """Carry the levels forward.

    Parameters
    ----------
    levels : Levels
    steps : array of int, shape (h,)
        Periods ahead, rising, from 1.
    exposure : array, shape (series, h), optional
        Of the coming periods. Default: the series' mean, rounded up to a whole number for binomial.

    Returns
    -------
    Forecast

    Raises
    ------
    TrendError
        If the steps are not rising whole numbers from 1 on.
    """
    ahead = np.asarray(steps)
    if ahead.ndim != 1 or not len(ahead) or ahead.dtype.kind not in "iu" or ahead[0] < 1 or (np.diff(ahead) <= 0).any():
        raise TrendError(f"forecast: steps must be rising whole numbers >= 1, got {steps!r}")
    series, width = len(levels.value), len(levels.system.observe)
    transition, observe = levels.system.transition, levels.system.observe
    moved = np.eye(width)
    added = np.zeros((levels.disturbance.shape[0], width, width))
    out = [np.empty((series, len(ahead))) for _ in range(4)]
    place = {int(step): at for at, step in enumerate(ahead)}
    for step in range(1, int(ahead[-1]) + 1):
        moved = transition @ moved
        added = transition @ added @ transition.T + levels.disturbance[:, :, None] * np.eye(width)
        if step not in place:
            continue
        for target, look in ((0, observe), (2, np.eye(width)[0])):
            row = look @ moved
            mean = levels.state @ row
            variance = np.einsum("i,sgij,j->sg", row, levels.covariance, row) + np.einsum("i,gij,j->g", look, added, look)
            middle = (levels.weight * mean).sum(axis=1)
            out[target][:, place[step]] = middle
            out[target + 1][:, place[step]] = (levels.weight * (variance + (mean - middle[:, None]) ** 2)).sum(axis=1)
    blank = np.where(np.isfinite(levels.value), 0.0, np.nan)[:, None]
    typical = levels.typical_size if levels.family == "poisson" else np.ceil(levels.typical_size)
    coming = np.repeat(typical[:, None], len(ahead), axis=1) if exposure is None else np.asarray(exposure, np.float64)
    correlation = np.clip((levels.dispersion - 1.0) / np.maximum(levels.typical_size - 1.0, 1.0), 0.0, 0.9)
    return Forecast(
        out[0] + blank, out[1] + blank, out[2] + blank, out[3] + blank, coming, levels.dispersion, correlation, levels.family,
        np.asarray(ahead, np.intp),
    )  # fmt: skip


def widened(made: Forecast, factor: FloatArray) -> Forecast:
    """Return the forecast with standard deviations on the link's scale times ``factor``, shape (h,), at least 1.

    A model that is sure of everything cannot be scaled: beyond 1, a standard deviation of 0.05 is scaled and added too.
    """
    more = (factor**2 - 1.0) * _LEAST**2
    return replace(made, variance=made.variance * factor**2 + more, level_variance=made.level_variance * factor**2 + more)


def predicted(made: Forecast) -> FloatArray:
    """Return the expected counts, shape (series, h)."""
    if made.family == "poisson":
        return np.asarray(made.exposure * np.exp(made.mean + np.minimum(made.variance, _MOST) / 2.0))
    return np.asarray(made.exposure * _rate_moments(made)[0])


def interval(made: Forecast, level: float) -> tuple[FloatArray, FloatArray]:
    """Return limits of the counts, each side with at most (1 - level) / 2 beyond it, shape (series, h)."""
    tail = (1.0 - level) / 2.0
    if made.family == "binomial":
        a, b = _beta(made)
        n = made.exposure
        return n - beta_binomial.quantile(tail, n, b, a), beta_binomial.quantile(tail, n, a, b)
    size, share = _negative_binomial(made)
    return np.asarray(stats.nbinom.ppf(tail, size, share)), np.asarray(stats.nbinom.ppf(1.0 - tail, size, share))


def covered(made: Forecast, actual: FloatArray, level: float) -> npt.NDArray[np.bool_]:
    """Tell which counts lie within the limits of :func:`interval`, without looking for the limits; shape (series, h), False for NaN."""
    tail = (1.0 - level) / 2.0
    with np.errstate(invalid="ignore"):
        return np.asarray((probability_of_count(made, actual) > tail) & (1.0 - probability_of_count(made, actual + 1.0) >= tail))


def probability_of_count(made: Forecast, threshold: FloatArray) -> FloatArray:
    """Return the probability that a period's count is at or above a threshold, shape (series, h).

    Parameters
    ----------
    made : Forecast
    threshold : array, shape (series, h) or (series, 1)
        Counts; a fraction is rounded up.
    """
    aim = np.ceil(threshold - 1e-9)
    if made.family == "binomial":
        a, b = _beta(made)
        return beta_binomial.tail(np.clip(aim, 0.0, made.exposure + 1.0), made.exposure, a, b)
    size, share = _negative_binomial(made)
    return np.asarray(np.where(aim <= 0, 1.0, stats.nbinom.sf(aim - 1.0, size, share)))


def probability_of_level(made: Forecast, threshold: FloatArray) -> FloatArray:
    """Return the probability that the level (season and the chance of one period left out) is at or above a threshold, shape (series, h).

    Parameters
    ----------
    made : Forecast
    threshold : array, shape (series, h) or (series, 1)
        Counts per exposure, or rates.
    """
    with np.errstate(divide="ignore"):
        aim = special.logit(np.clip(threshold, 0.0, 1.0)) if made.family == "binomial" else np.log(np.maximum(threshold, 0.0))
    return np.asarray(special.ndtr((made.level_mean - aim) / np.sqrt(made.level_variance)))


def _negative_binomial(made: Forecast) -> tuple[FloatArray, FloatArray]:
    """Return size and success probability with the mixture's mean and variance; nearly Poisson where that is all there is."""
    mean = np.maximum(predicted(made), 1e-12)
    excess = (made.dispersion[:, None] - 1.0) * mean + mean**2 * np.expm1(np.minimum(made.variance, _MOST))
    size = mean**2 / np.maximum(excess, 1e-9 * mean**2)
    return size, size / (size + mean)


def _rate_moments(made: Forecast) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance of a rate whose logit is normal, by Gauss-Hermite quadrature."""
    sd = np.sqrt(made.variance)
    weight = _WEIGHTS / _WEIGHTS.sum()
    mean, square = np.zeros_like(sd), np.zeros_like(sd)
    for node, share in zip(_NODES.tolist(), weight.tolist(), strict=True):
        rate = special.expit(made.mean + node * sd)
        mean += share * rate
        square += share * rate**2
    return mean, np.maximum(square - mean**2, 0.0)


def _beta(made: Forecast) -> tuple[FloatArray, FloatArray]:
    """Return a, b of a period's rate: uncertainty of the rate and correlation within the period together."""
    mean, variance = _rate_moments(made)
    mean = np.clip(mean, 1e-9, 1.0 - 1e-9)
    own = np.clip(variance / (mean * (1.0 - mean)), 1e-9, 0.999)
    joint = own + made.correlation[:, None] * (1.0 - own)
    strength = 1.0 / joint - 1.0
    return mean * strength, (1.0 - mean) * strength
