"""A series' baseline: regression on its own past with past outbreaks taken out, terms shrunken by what the data say, and its dispersion.

Sources
-------
Down-weighting of past outbreaks: Farrington et al. (1996), J. R. Statist. Soc. A 159(3), 547-563.
Random-effects estimate of the spread between siblings: DerSimonian & Laird (1986), Controlled Clinical Trials 7(3), 177-188.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.detectors import nb_regression
from riskwatch.detectors.nb_regression import Fit, Pairs
from riskwatch.detectors.seasonal_design import SeasonalDesign
from riskwatch.detectors.thresholds import negative_binomial_tail

__all__ = ["Baseline", "dispersion", "estimate_baseline", "outbreak_weights", "shrunken_dispersion"]

FloatArray = npt.NDArray[np.float64]

_ABSENT = 1e12  # a precision that keeps a coefficient at 0
_ROUNDS = 1  # of reweighting and shrinkage after the first full fit
# Newton's method squares its error: a last change of 0.03 in a log mean leaves about 0.0002, a hundredth of the standard error.
_TOLERANCE = 3e-2
_STEPS, _MORE_STEPS = 8, 3
# Years of history below which a term is left out.
_SHORTEST = {"wave-1": 1.5, "wave-2": 2.0, "trend": 2.5, "moving-1": 4.0, "moving-2": 4.0, "drift-0.5": 2.0, "drift-1": 3.0, "drift-2": 6.0}
# Order of the shrinkage: finer terms first, so that a coarse one is judged without them.
_ORDER = ("drift-0.5", "drift-1", "drift-2", "moving-2", "moving-1", "wave-2", "wave-1", "weekday", "trend")
# What is believed of a dispersion before any sibling is seen, with the weight of a few siblings.
_TYPICAL, _SPREAD, _WEIGHT = math.log(1.3), 0.5, 8.0


@dataclass(frozen=True, eq=False)
class Baseline:
    """What the past says, per series.

    Attributes
    ----------
    means : array, shape (m, series)
        Expected counts (per unit of exposure) of the newest periods.
    variance : array, shape (series,)
        Squared standard error of the log mean of the judged period.
    phi : array, shape (series,)
        Variance / mean, the series' own estimate.
    freedom : array, shape (series,)
        Degrees of freedom that this estimate is worth: 2 / its squared relative error.
    """

    means: FloatArray
    variance: FloatArray
    phi: FloatArray
    freedom: FloatArray


def estimate_baseline(
    y: FloatArray,
    weight: FloatArray,
    exposure: FloatArray | None,
    design: SeasonalDesign,
    *,
    pairs: Pairs,
    newest: FloatArray,
    years: FloatArray,
    costs: dict[str, float],
    threshold: float,
    floor: float,
    applies: npt.NDArray[np.bool_] | None = None,
) -> Baseline:
    """Fit the series of a block.

    Parameters
    ----------
    y, weight : array, shape (n, series)
        Counts and prior weights; weight 0 where missing.
    exposure : array, shape (n, series), optional
        Positive; any positive number where missing.
    design, pairs : SeasonalDesign, Pairs
        ``pairs`` holds the design's rows of the n baseline periods.
    newest : array, shape (m, k)
        The design's rows of the periods to predict, the judged one first.
    years : array, shape (series,)
        Length of each series' history: it decides which terms are fitted at all.
    costs : dict of str to float
        Wald statistic that a term of each group must exceed; see :func:`nb_regression.shrinkage`.
    threshold : float
        Normal score of a count's tail probability above which it is down-weighted.
    floor : float
        Cases spread evenly over the baseline, so that no mean is 0.
    applies : array of bool, shape (covariate, series), optional
    """
    k, series = len(design.prior_sd), y.shape[1]
    size = np.ones_like(y) if exposure is None else exposure
    total = np.add.reduce(weight * size, axis=0)
    y = np.where(weight > 0, y + floor / np.add.reduce((weight > 0) * size, axis=0) * size, 0.0)
    offset = None if exposure is None else np.log(exposure)
    start = np.zeros((k, series))
    start[0] = np.log(np.add.reduce(weight * y, axis=0) / total)
    phi = np.ones(series)
    penalty = _prior_precision(design, phi, years, applies)
    fitted = nb_regression.fit(y, weight, pairs, start, penalty=penalty, offset=offset, steps=_STEPS, tolerance=_TOLERANCE)
    phi, _ = dispersion(y, weight, weight, fitted=fitted, penalty=penalty, phi=phi)
    clean = outbreak_weights(y, weight, fitted.mean, phi, threshold)
    full = fitted = nb_regression.fit(
        y, clean, pairs, fitted.coefficients, penalty=penalty, offset=offset, steps=_MORE_STEPS, tolerance=_TOLERANCE
    )
    for _ in range(_ROUNDS):
        phi, _ = dispersion(y, weight, clean, fitted=fitted, penalty=penalty, phi=phi)
        clean = outbreak_weights(y, weight, fitted.mean, phi, threshold)
        penalty, start = nb_regression.shrinkage(
            fitted.information,
            full.coefficients,
            phi,
            [(design.groups[name], np.full(series, costs[name])) for name in _ORDER if name in design.groups],
            _prior_precision(design, phi, years, applies),
        )
        fitted = nb_regression.fit(y, clean, pairs, start, penalty=penalty, offset=offset, steps=_MORE_STEPS, tolerance=_TOLERANCE)
    phi, freedom = dispersion(y, weight, clean, fitted=fitted, penalty=penalty, phi=phi)
    inverse = nb_regression.invert(fitted.information + penalty)
    variance = np.einsum("i,ijs,j->s", newest[0], inverse, newest[0]) * phi
    return Baseline(np.exp(np.clip(newest @ fitted.coefficients, -700.0, 700.0)), variance, phi, freedom)


def _prior_precision(design: SeasonalDesign, phi: FloatArray, years: FloatArray, applies: npt.NDArray[np.bool_] | None) -> FloatArray:
    """Return the weak prior as a penalty, shape (k, k, series); terms that a short history cannot bear are held at 0."""
    k = len(design.prior_sd)
    out = np.zeros((k, k, phi.size))
    for name, columns in design.groups.items():
        for at in range(columns.start, columns.stop):
            out[at, at] = np.where(years >= _SHORTEST.get(name, 0.0), phi / design.prior_sd[at] ** 2, _ABSENT)
    if applies is not None:
        for at, row in zip(range(design.groups["covariates"].start, k), applies, strict=True):
            out[at, at] = np.where(row, out[at, at], _ABSENT)
    return out


def dispersion(
    y: FloatArray, weight: FloatArray, clean: FloatArray, *, fitted: Fit, penalty: FloatArray, phi: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return variance / mean and the degrees of freedom it is worth.

    Squared Pearson residuals are averaged with the weights mean / (mean + 3 phi): where the mean is small a residual's square says little.
    Its relative variance is 2 + (6 phi^2 - 6 phi + 1) / (phi mean) for a negative binomial, which gives the degrees of freedom.

    Parameters
    ----------
    y, weight, clean : array, shape (n, series)
        Counts, prior weights, and these with past outbreaks down-weighted.
    fitted : Fit
    penalty : array, shape (k, k, series)
    phi : array, shape (series,)
        An earlier estimate, for the weights.
    """
    mean = fitted.mean
    value = mean / (mean + 3.0 * phi)
    inverse = nb_regression.invert(fitted.information + penalty)
    used = np.einsum("ijs,jis->s", inverse, fitted.information)
    shared = value * weight
    # A period's leverage is about proportional to its mean.
    taken = used * np.add.reduce(shared * mean, axis=0) / np.add.reduce(weight * mean, axis=0)
    left = np.maximum(np.add.reduce(shared, axis=0) - taken, 1e-9)
    found = np.maximum(np.add.reduce(value * clean * (y - mean) ** 2 / mean, axis=0) / left, 0.1)
    at = np.maximum(found, 1.0)
    shared *= value
    excess = (6.0 * at**2 - 6.0 * at + 1.0) / at
    relative = (2.0 * np.add.reduce(shared, axis=0) + excess * np.add.reduce(shared / mean, axis=0)) / left**2
    return found, 2.0 / relative


def outbreak_weights(y: FloatArray, weight: FloatArray, mean: FloatArray, phi: FloatArray, threshold: float) -> FloatArray:
    """Return ``weight`` times min(1, threshold / z)^4, z the normal score of a period's upper tail probability.

    The probability is that of the negative binomial, so that a clean count far in a long tail is not taken for an outbreak as often as a
    residual on any symmetric scale would have it. Two neighbouring periods are also taken together; the score of such a pair counts for
    those of the two that lie above their mean.
    """
    phi = np.maximum(phi, 1.0)
    excess = np.where(weight > 0, y - mean, 0.0)
    high = _scores(y, mean, excess, phi, threshold)
    pair = _scores(y[1:] + y[:-1], mean[1:] + mean[:-1], excess[1:] + excess[:-1], phi, threshold)
    pair *= (weight[1:] > 0) & (weight[:-1] > 0)
    np.maximum(high[1:], pair * (excess[1:] > 0), out=high[1:])
    np.maximum(high[:-1], pair * (excess[:-1] > 0), out=high[:-1])
    out = weight.copy()
    rows, columns = np.nonzero(high > threshold)
    out[rows, columns] *= (threshold / high[rows, columns]) ** 4
    return out


def _scores(y: FloatArray, mean: FloatArray, excess: FloatArray, phi: FloatArray, threshold: float) -> FloatArray:
    """Return normal scores of the upper tails, 0 below the threshold: right-skewed counts reach it only beyond as many deviations."""
    out = np.zeros_like(y)
    rows, columns = np.nonzero(excess > threshold * np.sqrt(phi * mean))
    tail = negative_binomial_tail(np.round(y[rows, columns]), mean[rows, columns], phi[columns])
    out[rows, columns] = -special.ndtri(np.maximum(tail, 1e-300))
    return out


def shrunken_dispersion(phi: FloatArray, freedom: FloatArray) -> FloatArray:
    """Return dispersions drawn to that of the siblings on the log scale, at least 1.

    A series keeps its own estimate to the extent that the siblings differ and its history is informative. Sums are exact: the order of the
    series plays no part. Without siblings a typical value stands in for them.

    Parameters
    ----------
    phi, freedom : array, shape (series,)
    """
    value, precision = np.log(phi), freedom / 2.0
    weight = precision / (1.0 + precision * _SPREAD**2)
    total = math.fsum(weight.tolist()) + _WEIGHT
    centre = (math.fsum((weight * value).tolist()) + _WEIGHT * _TYPICAL) / total
    between = (math.fsum((weight * ((value - centre) ** 2 - 1.0 / precision)).tolist()) + _WEIGHT * _SPREAD**2) / total
    between = max(between, 1e-4)
    return np.maximum(np.exp((value * precision + centre / between) / (precision + 1.0 / between)), 1.0)
