"""Logit-linear regression of failures among inspections, for many series that share a design.

Sources
-------
McCullagh & Nelder (1989), Generalized Linear Models, ch. 4: iteratively reweighted least squares.
Clogg et al. (1991), J. Amer. Statist. Assoc. 86(413), 68-78: a prior as failures and inspections that were not made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.detectors.nb_regression import Pairs, information_of, solve

__all__ = ["BinomialFit", "fit"]

FloatArray = npt.NDArray[np.float64]

_STEP = 3.0  # largest change of a logit in one step
_ETA_LIMIT = 36.0  # beyond, 1 - p is 0


@dataclass(frozen=True, eq=False)
class BinomialFit:
    """Result per series (last axis).

    Attributes
    ----------
    coefficients : array, shape (k, series)
    information : array, shape (k, k, series)
        Sum of weight * n p (1 - p) x x', with that of the prior of the level, without penalty.
    prior_information : array, shape (series,)
        What the prior of the level has of it.
    rate : array, shape (n, series)
        Fitted share failed.
    """

    coefficients: FloatArray
    information: FloatArray
    prior_information: FloatArray
    rate: FloatArray


def fit(
    failed: FloatArray,
    inspected: FloatArray,
    weight: FloatArray,
    pairs: Pairs,
    start: FloatArray,
    *,
    penalty: FloatArray | None = None,
    offset: FloatArray | None = None,
    prior: tuple[FloatArray, FloatArray] | None = None,
    steps: int = 25,
    tolerance: float = 1e-10,
) -> BinomialFit:
    """Fit logit rate = x' b (+ offset) by Newton's method (the logit link is canonical).

    Parameters
    ----------
    failed, inspected : array, shape (n, series)
        0 where ``weight`` is 0.
    weight : array, shape (n, series)
        Prior weights; 0 for missing periods.
    pairs : Pairs
        The first column of the design is 1.
    start : array, shape (k, series)
        First coefficients.
    penalty : array, shape (k, k, series), optional
        Half of b' P b is taken off the log likelihood.
    offset : array, shape (n, series), optional
        Known part of the logit.
    prior : (rate, strength), arrays of shape (series,), optional
        The level counts as seen in so many further inspections of which that share failed (at design 1, 0, ..., 0 and offset 0).
    steps : int
        At most so many.
    tolerance : float
        Largest change of a logit at which to stop.

    Returns
    -------
    BinomialFit
        The information is that before the last step.
    """
    beta = start
    columns = pairs.columns
    rate = _rate(columns, beta, offset)
    information, believed = np.zeros((len(beta), *beta.shape)), np.zeros(beta.shape[1])
    # A series that has settled stays as it is, however long its neighbours take.
    live = np.ones(beta.shape[1], np.bool_)
    for _ in range(steps):
        found = information_of(pairs, weight * inspected * rate * (1.0 - rate))
        gradient = columns.T @ (weight * (failed - inspected * rate))
        if prior is not None:
            level = special.expit(beta[0])
            believed = np.where(live, prior[1] * level * (1.0 - level), believed)
            found[0, 0] += believed
            gradient[0] += prior[1] * (prior[0] - level)
        information = np.where(live, found, information)
        hessian = information
        if penalty is not None:
            hessian = information + penalty
            gradient -= np.einsum("ijs,js->is", penalty, beta)
        step = solve(hessian, gradient)
        change = np.abs(columns @ step).max(axis=0, initial=0.0)
        beta = beta + step * np.where(live, np.minimum(1.0, _STEP / np.maximum(change, _STEP)), 0.0)
        rate = _rate(columns, beta, offset)
        live &= change >= tolerance
        if not live.any():
            break
    return BinomialFit(beta, information, believed, rate)


def _rate(columns: FloatArray, beta: FloatArray, offset: FloatArray | None) -> FloatArray:
    eta = columns @ beta
    if offset is not None:
        eta += offset
    np.clip(eta, -_ETA_LIMIT, _ETA_LIMIT, out=eta)
    return np.asarray(special.expit(eta))
