"""What siblings' shares have in common: trend, season and known influences, and how far shares scatter between periods."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.detectors import binomial_regression, nb_regression
from riskwatch.detectors.nb_regression import pairs_of
from riskwatch.detectors.seasonal_design import SeasonalDesign

__all__ = ["ABSENT", "ORDER", "Pattern", "common_pattern", "correlation_parts", "prior_precision", "scatter"]

FloatArray = npt.NDArray[np.float64]

ABSENT = 1e12  # a precision that keeps a coefficient at 0
# Years of history below which a term is left out.
_SHORTEST = {"wave-1": 1.5, "wave-2": 2.0, "trend": 2.0}
# Order of the shrinkage: finer terms first, so that a coarse one is judged without them.
ORDER = ("wave-2", "wave-1", "weekday", "trend")


@dataclass(frozen=True, eq=False)
class Pattern:
    """Coefficients that all siblings share (that of the level is 0), shape (k,), and their covariance, shape (k, k)."""

    coefficients: FloatArray
    covariance: FloatArray


def prior_precision(
    design: SeasonalDesign, years: FloatArray, applies: npt.NDArray[np.bool_] | None = None, covariate_factor: float = 1.0
) -> FloatArray:
    """Return the weak prior as a penalty, shape (k, k, series); terms that a short history cannot bear are held at 0.

    Parameters
    ----------
    design : SeasonalDesign
    years : array, shape (series,)
        Length of each series' history.
    applies : array of bool, shape (covariate, series), optional
    covariate_factor : float
        By which the standard deviations of the covariates' coefficients are multiplied.
    """
    k = len(design.prior_sd)
    out = np.zeros((k, k, years.size))
    for name, columns in design.groups.items():
        factor = covariate_factor if name == "covariates" else 1.0
        for at in range(columns.start, columns.stop):
            out[at, at] = np.where(years >= _SHORTEST.get(name, 0.0), (design.prior_sd[at] * factor) ** -2.0, ABSENT)
    if applies is not None:
        for at, row in zip(range(design.groups["covariates"].start, k), applies, strict=True):
            out[at, at] = np.where(row, out[at, at], ABSENT)
    return out


def common_pattern(
    failed: FloatArray,
    inspected: FloatArray,
    level: FloatArray,
    design: SeasonalDesign,
    *,
    rows: npt.NDArray[np.intp],
    offset: FloatArray,
    years: float,
    costs: dict[str, float],
    threshold: float,
    applies: npt.NDArray[np.bool_] | None,
) -> Pattern:
    """Fit the siblings' failures by period, given what their own levels and laboratories lead to expect of that period's samples.

    So a period in which much was sampled of a bad product is no bad period.

    Parameters
    ----------
    failed, inspected, offset : array, shape (n, series)
        Counts (0 where missing) and known parts of the logit.
    level : array, shape (series,)
        Logit of each series' own share.
    design : SeasonalDesign
    rows : array of int, shape (n,)
        The design's rows of these periods.
    years : float
        Length of the history.
    costs : dict of str to float
        Wald statistic that a term of each group must exceed; see :func:`nb_regression.shrinkage`.
    threshold : float
        Pearson residual above which a period is down-weighted.
    applies : array of bool, shape (covariate, series), optional
    """
    k = len(design.prior_sd)
    expected_cells = inspected * special.expit(level + offset)
    x, n, expected = (part.sum(axis=1) for part in (failed, inspected, expected_cells))
    use = (n > 0) & (expected > 0) & (expected < n)
    if not use.any() or not x.sum():
        return Pattern(np.zeros(k), np.zeros((k, k)))
    columns = design.columns[rows].copy()
    if applies is not None:
        columns[:, design.groups["covariates"]] *= expected_cells @ applies.T / np.where(use, expected, 1.0)[:, None]
    pairs = pairs_of(columns)
    known = np.where(use, special.logit(np.where(use, expected / np.where(use, n, 1.0), 0.5)), 0.0)[:, None]
    x, n, trust = (np.where(use, part, 0.0)[:, None] for part in (x, n, np.ones(len(n))))
    base = prior_precision(design, np.array([years]))
    prior = (np.array([0.5]), np.array([1.0]))  # of the factor that all levels are off by
    left = max(float(use.sum()) - k, 1.0)
    start, phi = np.zeros((k, 1)), 1.0
    for _ in range(2):
        fitted = binomial_regression.fit(x, n, trust / phi, pairs, start, penalty=base, offset=known, prior=prior, tolerance=1e-8)
        start = fitted.coefficients
        residual = (x - n * fitted.rate) / np.sqrt(np.maximum(n * fitted.rate * (1.0 - fitted.rate), 1e-12))
        phi = max(float((trust * residual**2).sum()) / left, 1.0)
        trust = use[:, None] * np.minimum(1.0, threshold / np.maximum(residual / math.sqrt(phi), threshold)) ** 4
    weight, one = trust / phi, np.ones(1)
    fitted = binomial_regression.fit(x, n, weight, pairs, start, penalty=base, offset=known, prior=prior, tolerance=1e-8)
    groups = [(design.groups[name], np.full(1, costs[name])) for name in ORDER if name in design.groups]
    penalty, start = nb_regression.shrinkage(fitted.information, fitted.coefficients, one, groups, base)
    fitted = binomial_regression.fit(x, n, weight, pairs, start, penalty=penalty, offset=known, prior=prior, tolerance=1e-8)
    coefficients, covariance = fitted.coefficients[:, 0].copy(), nb_regression.invert(fitted.information + penalty)[:, :, 0]
    coefficients[0] = covariance[0] = covariance[:, 0] = 0.0
    return Pattern(coefficients, covariance)


def correlation_parts(
    failed: FloatArray, inspected: FloatArray, weight: FloatArray, rate: FloatArray, used: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return, per series, numerator and denominator of the correlation between inspections of one period.

    The sum over periods of weight (x - n p)^2 / n is set equal to its expectation under Var(x) = n p (1 - p) (1 + (n - 1) rho).

    Parameters
    ----------
    failed, inspected, weight, rate : array, shape (n, series)
        ``weight`` is 1, less where a period stood out, 0 where nothing was inspected.
    used : array, shape (series,)
        Degrees of freedom that the fit took.
    """
    size = np.where(inspected > 0, inspected, 1.0)
    variance = rate * (1.0 - rate) * weight
    share = inspected * variance
    total = np.add.reduce(share, axis=0)
    # A period's leverage is about proportional to its information.
    left = 1.0 - np.minimum(used * share / np.where(total > 0, total, 1.0), 1.0)
    spread = np.add.reduce(weight * (failed - inspected * rate) ** 2 / size, axis=0)
    return spread - np.add.reduce(variance * left, axis=0), np.add.reduce(variance * left * np.maximum(inspected - 1.0, 0.0), axis=0)


def scatter(above: FloatArray, below: FloatArray) -> float:
    """Return the siblings' common correlation from the parts of each, in [0, 0.99]; exactly rounded sums."""
    bottom = math.fsum(below.tolist())
    return min(max(math.fsum(above.tolist()) / bottom, 0.0), 0.99) if bottom > 0.0 else 0.0
