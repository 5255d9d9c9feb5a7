"""Robust quasi-Poisson regression of many series on a level and harmonics of the year, with a weak prior on the harmonics.

A series without cases, or with all of its cases in one season, has no finite maximum of the likelihood: half a case is spread over
the periods, and each harmonic coefficient has a normal prior with mean 0 and standard deviation 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["HarmonicMean", "fit", "means"]

FloatArray = npt.NDArray[np.float64]

_PASSES = 25
_TOLERANCE = 1e-9
_STEP = 2.0  # largest change of a log mean's coefficient in one pass
_EXTRA_CASES = 0.5
_ROUNDS = 3  # of weights: a large outbreak hides behind the dispersion it makes until it has lost some weight


@dataclass(frozen=True, eq=False)
class HarmonicMean:
    """Fitted log means, k columns.

    Attributes
    ----------
    coefficients : array, shape (k, series)
    covariance : array, shape (series, k, k)
        Of the coefficients, for a dispersion of 1.
    phi : array, shape (series,)
        Pearson statistic over its degrees of freedom, outlying counts held back.
    freedom : array, shape (series,)
    inverse_mean : array, shape (series,)
        Average of 1 / mean.
    converged : array of bool, shape (series,)
    """

    coefficients: FloatArray
    covariance: FloatArray
    phi: FloatArray
    freedom: FloatArray
    inverse_mean: FloatArray
    converged: npt.NDArray[np.bool_]


def fit(y: FloatArray, exposure: FloatArray, design: FloatArray, *, threshold: float) -> HarmonicMean:
    """Fit log E(y) = log(exposure) + design @ coefficients.

    Counts whose standardised Anscombe residual s exceeds ``threshold`` have weight (threshold / s)^2 in three further fits, so
    that no past outbreak counts for more than a residual of that size.

    Parameters
    ----------
    y, exposure : array, shape (period, series)
        Exposure 0: the period is not used.
    design : array, shape (period, k)
        The first column is 1.
    threshold : float
    """
    used = (exposure > 0).astype(np.float64)
    spread_out = _EXTRA_CASES / np.maximum(np.add.reduce(exposure, axis=0), 1e-300)
    raised = np.where(used > 0, y, 0.0) + exposure * spread_out
    freedom = np.add.reduce(used, axis=0) - design.shape[1]
    weight, beta = used, _start(raised, exposure, design)
    for round_ in range(_ROUNDS + 1):
        beta, mean, covariance, converged = _newton(raised, exposure, weight, design, beta)
        with np.errstate(divide="ignore", invalid="ignore"):
            square = np.where(used > 0, weight * (y - mean) ** 2 / mean, 0.0)
            phi = np.add.reduce(square, axis=0) / freedom
            if round_ < _ROUNDS:
                residual = 1.5 * (np.cbrt(y) ** 2 / np.sqrt(np.cbrt(mean)) - np.sqrt(mean)) / np.sqrt(np.fmax(phi, 1.0))
                weight = np.where((used > 0) & (residual > threshold), (threshold / residual) ** 2, used)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.add.reduce(np.where(used > 0, 1.0 / mean, 0.0), axis=0) / np.add.reduce(used, axis=0)
    return HarmonicMean(beta, covariance, phi, freedom, inverse, converged)


def _start(y: FloatArray, exposure: FloatArray, design: FloatArray) -> FloatArray:
    beta = np.zeros((design.shape[1], y.shape[1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        beta[0] = np.log(np.add.reduce(y, axis=0) / np.add.reduce(exposure, axis=0))
    return np.where(np.isfinite(beta), beta, 0.0)


def _newton(
    y: FloatArray, exposure: FloatArray, weight: FloatArray, design: FloatArray, beta: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Return coefficients, means, covariance, and which series settled; a settled series is not touched again."""
    k, series = beta.shape
    prior = np.zeros(k)
    prior[1:] = 1.0
    beta, settled = beta.copy(), np.zeros(series, np.bool_)
    information = np.empty((series, k, k))
    for _ in range(_PASSES):
        mean = exposure * means(design, beta)
        for a in range(k):
            for b in range(a + 1):
                information[:, a, b] = information[:, b, a] = np.add.reduce(weight * mean * (design[:, a] * design[:, b])[:, None], axis=0)
        gradient = np.stack([np.add.reduce(weight * (y - mean) * design[:, [a]], axis=0) for a in range(k)], axis=1)
        information[:, range(k), range(k)] += prior + 1e-300
        if settled.all():
            break
        step = np.linalg.solve(information, (gradient - prior * beta.T)[:, :, None])[:, :, 0].T
        step = np.where(settled, 0.0, np.clip(step, -_STEP, _STEP))
        beta += step
        settled |= np.abs(step).max(axis=0) < _TOLERANCE
    return beta, mean, np.asarray(np.linalg.inv(information), dtype=np.float64), settled


def means(design: FloatArray, coefficients: FloatArray) -> FloatArray:
    """Return exp(design @ coefficients), shape (period, series)."""
    eta = np.zeros((len(design), coefficients.shape[1]))
    for column, coefficient in zip(design.T, coefficients, strict=True):
        eta += column[:, None] * coefficient
    return np.asarray(np.exp(np.clip(eta, -700.0, 700.0)))
