"""Log-linear regression of counts with variance phi * mean, for many series that share a design, with group-wise shrinkage.

The normal equations of B series are one matrix product: the pairwise products of the design's columns (pairs x n) times the working
weights (n x B). Matrices of k x k per series are kept as (k, k, B) arrays and inverted together.

Sources
-------
Quasi-likelihood: McCullagh & Nelder (1989), Generalized Linear Models, ch. 9.
Shrinkage with the penalty of a g-prior whose weight is estimated: Zellner (1986); George & Foster (2000), Biometrika 87(4), 731-747.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Fit", "Pairs", "fit", "information_of", "invert", "pairs_of", "shrinkage", "solve"]

FloatArray = npt.NDArray[np.float64]

_STEP = 4.0  # largest change of a log mean in one step
_ETA_LIMIT = 700.0  # exp overflows above 709
_REGISTER = 8  # rows of a matrix product in multiples of this: every series is summed by the same instructions
DROPPED = 1e8  # a group's penalty, in units of its own information, that removes it


@dataclass(frozen=True, eq=False)
class Pairs:
    """A design and the pairwise products of its columns.

    Attributes
    ----------
    columns : array, shape (n, k)
    products : array, shape (k (k + 1) / 2 and padding, n)
    first, second : array of int
        The columns behind each product.
    """

    columns: FloatArray
    products: FloatArray
    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp]


def pairs_of(columns: FloatArray) -> Pairs:
    """Return the design with its pairwise products."""
    first, second = np.tril_indices(columns.shape[1])
    rows = -(-len(first) // _REGISTER) * _REGISTER
    products = np.zeros((rows, len(columns)))
    np.multiply(columns.T[first], columns.T[second], out=products[: len(first)])
    return Pairs(np.ascontiguousarray(columns), products, first, second)


@dataclass(frozen=True, eq=False)
class Fit:
    """Result per series (last axis).

    Attributes
    ----------
    coefficients : array, shape (k, series)
    information : array, shape (k, k, series)
        Sum of weight * mean * x x', without penalty.
    mean : array, shape (n, series)
    """

    coefficients: FloatArray
    information: FloatArray
    mean: FloatArray


def invert(matrix: FloatArray) -> FloatArray:
    """Return the inverses of positive definite matrices, shape (k, k, series), by the sweep operator on the unit diagonal scale."""
    diagonal = np.sqrt(np.einsum("iis->is", matrix))
    diagonal = np.where(diagonal > 0, diagonal, 1.0)
    scale = 1.0 / (diagonal[:, None] * diagonal[None])
    a = matrix * scale
    for k in range(len(a)):
        pivot = 1.0 / np.maximum(a[k, k], 1e-14)
        row = a[k] * pivot
        column = a[:, k].copy()
        a -= column[:, None] * row[None]
        a[k] = row
        a[:, k] = -column * pivot
        a[k, k] = pivot
    return np.asarray(a * scale)


def solve(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Return the solutions, shape (k, series), of positive definite systems (k, k, series), by elimination on the unit diagonal scale."""
    diagonal = np.sqrt(np.einsum("iis->is", matrix))
    scale = 1.0 / np.where(diagonal > 0, diagonal, 1.0)
    a = np.concatenate([matrix * scale * scale[:, None], (right * scale)[:, None]], axis=1)
    k = len(a)
    for at in range(k):
        a[at, at + 1 :] /= np.maximum(a[at, at], 1e-14)
        a[at + 1 :, at + 1 :] -= a[at + 1 :, at, None] * a[at, at + 1 :]
    out = a[:, k]
    for at in range(k - 1, 0, -1):
        out[:at] -= a[:at, at] * out[at]
    return np.asarray(out * scale)


def information_of(pairs: Pairs, weight: FloatArray) -> FloatArray:
    """Return the sums of weight * x x' per series, shape (k, k, series); ``weight`` has shape (n, series)."""
    k = pairs.columns.shape[1]
    flat = pairs.products @ weight
    out = np.empty((k, k, weight.shape[1]))
    out[pairs.first, pairs.second] = flat[: len(pairs.first)]
    out[pairs.second, pairs.first] = flat[: len(pairs.first)]
    return out


def fit(
    y: FloatArray,
    weight: FloatArray,
    pairs: Pairs,
    start: FloatArray,
    *,
    penalty: FloatArray | None = None,
    offset: FloatArray | None = None,
    steps: int = 25,
    tolerance: float = 1e-10,
) -> Fit:
    """Fit log mean = x' b (+ offset) by Newton's method (Fisher scoring: the log link is canonical).

    Parameters
    ----------
    y : array, shape (n, series)
        Counts; any finite number where ``weight`` is 0.
    weight : array, shape (n, series)
        Prior weights; 0 for missing periods.
    pairs : Pairs
    start : array, shape (k, series)
        First coefficients.
    penalty : array, shape (k, k, series), optional
        Half of b' P b is taken off the quasi-likelihood (at dispersion 1).
    offset : array, shape (n, series), optional
        Log exposure.
    steps : int
        At most so many.
    tolerance : float
        Largest change of a log mean at which to stop.

    Returns
    -------
    Fit
        The information is that before the last step.
    """
    beta = start
    columns = pairs.columns
    mean = _mean(columns, beta, offset)
    information = np.zeros((len(beta), *beta.shape))
    # A series that has settled stays as it is, however long its neighbours take.
    live = np.ones(beta.shape[1], np.bool_)
    for _ in range(steps):
        information = np.where(live, information_of(pairs, weight * mean), information)
        gradient = columns.T @ (weight * (y - mean))
        hessian = information
        if penalty is not None:
            hessian = information + penalty
            gradient -= np.einsum("ijs,js->is", penalty, beta)
        step = solve(hessian, gradient)
        change = np.abs(columns @ step).max(axis=0, initial=0.0)
        beta = beta + step * np.where(live, np.minimum(1.0, _STEP / np.maximum(change, _STEP)), 0.0)
        mean = _mean(columns, beta, offset)
        live &= change >= tolerance
        if not live.any():
            break
    return Fit(beta, information, mean)


def _mean(columns: FloatArray, beta: FloatArray, offset: FloatArray | None) -> FloatArray:
    eta = columns @ beta
    if offset is not None:
        eta += offset
    np.clip(eta, -_ETA_LIMIT, _ETA_LIMIT, out=eta)
    return np.exp(eta, out=eta)


def shrinkage(
    information: FloatArray, beta: FloatArray, phi: FloatArray, groups: Sequence[tuple[slice, FloatArray]], base: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the penalty that shrinks groups of coefficients by what their own size says, and the coefficients after it.

    A group's Wald statistic Q = b' V^-1 b / phi, V its block of the inverse information, gives the factor B = max(0, 1 - c / Q); the
    penalty V^-1 (1 - B) / B turns the estimate b into B b. Groups are taken in turn, each with those before it shrunken.

    Parameters
    ----------
    information : array, shape (k, k, series)
    beta : array, shape (k, series)
        Estimate under the penalty ``base``.
    phi : array, shape (series,)
    groups : sequence of (slice, cost)
        Columns and c per series; an infinite c drops the group.
    base : array, shape (k, k, series)
        Penalty that stays.
    """
    penalty = base.copy()
    inverse = invert(information + base)
    for columns, cost in groups:
        inner = invert(inverse[columns, columns])
        pull = np.einsum("ijs,js->is", inner, beta[columns])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            wald = np.add.reduce(beta[columns] * pull, axis=0) / phi
            kept = np.where(wald > cost, 1.0 - cost / wald, 0.0)
            penalty[columns, columns] += inner * np.minimum((1.0 - kept) / kept, DROPPED)
        # With the penalty V^-1 (1 - B) / B the inverse loses (1 - B) of what goes through the group.
        block = inverse[:, columns] * (1.0 - kept)
        beta = beta - np.einsum("ijs,js->is", block, pull)
        inverse = inverse - np.einsum("ijs,jks,kls->ils", block, inner, inverse[columns])
    return penalty, beta
