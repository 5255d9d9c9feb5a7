"""Generalised linear models of many series that share a design: counts with a log link, failures of inspections with a logit link.

Iteratively reweighted least squares on (period, series) matrices. The normal equations of a block of series are one matrix product.
Every block is filled up to the same width, and a series is left alone once it has converged: its bits depend on no neighbour.

Sources
-------
McCullagh & Nelder (1989), Generalized Linear Models, ch. 2 and 9.
Negative binomial with variance mean + alpha mean^2 and alpha from Pearson's statistic: Breslow (1984), Applied Statistics 33(1), 38-44.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.detectors.nb_regression import invert, pairs_of, solve
from riskwatch.errors import TrendError

__all__ = ["Family", "GlmFit", "fit", "moment_alpha"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Family = Literal["poisson", "negative-binomial", "binomial"]

_WIDTH = 256
_STEPS = 40
_TOLERANCE = 1e-10
_NEWTON_TOLERANCE = 1e-7  # canonical links: the step that was smaller than this has left an error of its square
_LARGEST = 3.0  # largest change of a linear predictor in one step
_ETA = 30.0
_RIDGE = 1e-10  # relative: a season of fewer periods than columns must not stop the batch


@dataclass(frozen=True, eq=False)
class GlmFit:
    """Result per series.

    Attributes
    ----------
    coefficients : array, shape (series, k)
    covariance : array, shape (series, k, k)
        Inverse information at dispersion 1.
    mean : array, shape (series, period)
        Expected count (of the trials, for binomial).
    variance : array, shape (series, period)
        Variance of a count at dispersion 1.
    ratio : array, shape (series, period)
        Derivative of the mean over the variance: the score is ratio x (y - mean); 1 for canonical links.
    pearson : array, shape (series, period)
        (y - mean) / sqrt(variance), NaN where missing.
    dispersion : array, shape (series,)
        Pearson's statistic over the degrees of freedom; NaN without any.
    freedom : array, shape (series,)
    converged : array of bool, shape (series,)
        False where the maximum lies at infinity (no case, nothing but failures).
    """

    coefficients: FloatArray
    covariance: FloatArray
    mean: FloatArray
    variance: FloatArray
    ratio: FloatArray
    pearson: FloatArray
    dispersion: FloatArray
    freedom: FloatArray
    converged: BoolArray


def fit(
    y: FloatArray, columns: FloatArray, *, family: Family, exposure: FloatArray | None = None, alpha: FloatArray | None = None
) -> GlmFit:
    """Fit all series.

    Parameters
    ----------
    y : array, shape (series, period)
        Counts; NaN is missing.
    columns : array, shape (period, k)
        The first is all ones.
    family : {"poisson", "negative-binomial", "binomial"}
    exposure : array, shape (series, period), optional
        Offset of the log link, or the trials of "binomial" (needed there). A period without exposure counts as missing.
    alpha : array, shape (series,), optional
        Of "negative-binomial": variance = mean + alpha mean^2.

    Returns
    -------
    GlmFit

    Raises
    ------
    TrendError
        If the family is unknown or lacks what it needs, or shapes do not fit.
    """
    if family not in get_args(Family):
        raise TrendError(f"glm: family must be one of {', '.join(get_args(Family))}, got {family!r}")
    if family == "binomial" and exposure is None:
        raise TrendError("glm: binomial needs exposure (the inspections), got none")
    if y.ndim != 2 or y.shape[1] != len(columns) or (exposure is not None and exposure.shape != y.shape):
        raise TrendError(f"glm: y, exposure and columns must share the periods, got {y.shape} and {columns.shape}")
    series, periods = y.shape
    k = columns.shape[1]
    empty = [np.empty((series, periods)) for _ in range(4)]
    out = GlmFit(
        coefficients=np.empty((series, k)),
        covariance=np.empty((series, k, k)),
        mean=empty[0],
        variance=empty[1],
        ratio=empty[2],
        pearson=empty[3],
        dispersion=np.empty(series),
        freedom=np.empty(series),
        converged=np.zeros(series, np.bool_),
    )
    for start in range(0, series, _WIDTH):
        rows = slice(start, min(start + _WIDTH, series))
        block = _Block.of(y[rows], None if exposure is None else exposure[rows], family, None if alpha is None else alpha[rows])
        _fit_block(block, columns, out, rows)
    return out


@dataclass(frozen=True, eq=False)
class _Block:
    """A block of exactly ``_WIDTH`` series, periods first."""

    y: FloatArray
    size: FloatArray
    known: FloatArray
    family: Family
    alpha: FloatArray

    @classmethod
    def of(cls, y: FloatArray, exposure: FloatArray | None, family: Family, alpha: FloatArray | None) -> _Block:
        size = np.ones_like(y) if exposure is None else exposure
        known = np.isfinite(y) & np.isfinite(size) & (size > 0)
        parts = [np.zeros((y.shape[1], _WIDTH)) for _ in range(3)]
        parts[1][:] = 1.0
        for part, values in zip(parts, (np.where(known, y, 0.0), np.where(known, size, 1.0), known), strict=True):
            part[:, : len(y)] = values.T
        spread = np.zeros(_WIDTH)
        if alpha is not None:
            spread[: len(y)] = np.where(np.isfinite(alpha), alpha, 0.0)
        return cls(parts[0], parts[1], parts[2], family, spread)

    def moments(self, eta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return mean, its derivative to the linear predictor, and the variance at dispersion 1."""
        if self.family == "binomial":
            share = special.expit(eta)
            slope = self.size * share * special.expit(-eta)
            return self.size * share, slope, slope
        mean = self.size * np.exp(eta)
        if self.family == "poisson":
            return mean, mean, mean
        return mean, mean, mean + self.alpha * mean**2


def _fit_block(block: _Block, columns: FloatArray, out: GlmFit, rows: slice) -> None:
    count = rows.stop - rows.start
    k = columns.shape[1]
    pairs = pairs_of(columns)
    transposed = np.zeros((-(-k // 8) * 8, len(columns)))
    transposed[:k] = columns.T
    cases, size = block.y.sum(axis=0), (block.size * block.known).sum(axis=0)
    share = (cases + 0.1) / np.maximum(size + 0.2, 0.2)
    beta = np.zeros((k, _WIDTH))
    beta[0] = special.logit(np.clip(share, 1e-6, 1 - 1e-6)) if block.family == "binomial" else np.log(share)
    open_ = np.ones(_WIDTH, np.bool_)
    enough = _TOLERANCE if block.family == "negative-binomial" else _NEWTON_TOLERANCE

    def information(weight: FloatArray) -> FloatArray:
        flat = pairs.products @ weight
        found = np.empty((k, k, _WIDTH))
        found[pairs.first, pairs.second] = flat[: len(pairs.first)]
        found[pairs.second, pairs.first] = flat[: len(pairs.first)]
        at = np.arange(k)
        found[at, at] += _RIDGE * (np.abs(found[at, at]).max(axis=0) + 1e-300)
        return found

    # An empty column's or a runaway's information is all but 0: its step is nonsense, is never accepted, and disturbs nobody.
    with np.errstate(all="ignore"):
        for _ in range(_STEPS):
            eta = np.clip(_times(columns, beta), -_ETA, _ETA)
            mean, slope, variance = block.moments(eta)
            ratio = slope / variance * block.known
            step = solve(information(ratio * slope), (transposed @ (ratio * (block.y - mean)))[:k])
            change = np.abs(_times(columns, step) * block.known).max(axis=0)
            step *= np.where(change > _LARGEST, _LARGEST / change, 1.0)
            beta = np.where(open_ & np.isfinite(step).all(axis=0), beta + step, beta)
            open_ &= ~(change < enough)
            if not open_[:count].any():
                break
        eta = np.clip(_times(columns, beta), -_ETA, _ETA)
        mean, slope, variance = block.moments(eta)
        covariance = invert(information(slope**2 / variance * block.known))
        pearson = np.where(block.known > 0, (block.y - mean) / np.sqrt(variance), np.nan)
        freedom = block.known.sum(axis=0) - k
        dispersion = np.nansum(pearson**2, axis=0) / np.where(freedom > 0, freedom, np.nan)
    inner = (cases > 0) & ((cases < size) if block.family == "binomial" else True)
    edge = np.abs(eta * block.known).max(axis=0) >= _ETA
    with np.errstate(all="ignore"):
        ratio = slope / variance
    done = ((out.mean, mean), (out.variance, variance), (out.ratio, ratio), (out.pearson, pearson), (out.coefficients, beta))
    for target, values in done:
        target[rows] = values.T[:count]
    out.covariance[rows] = covariance.transpose(2, 0, 1)[:count]
    out.dispersion[rows], out.freedom[rows] = dispersion[:count], freedom[:count]
    out.converged[rows] = (~open_ & inner & ~edge & (freedom > 0))[:count]


def _times(columns: FloatArray, beta: FloatArray) -> FloatArray:
    """Return columns @ beta, summed in one order whatever the number of series."""
    total = columns[:, :1] * beta[:1]
    for at in range(1, columns.shape[1]):
        total = total + columns[:, at : at + 1] * beta[at : at + 1]
    return np.asarray(total)


def moment_alpha(fitted: GlmFit) -> FloatArray:
    """Return alpha >= 0 at which Pearson's statistic of the fitted means equals its degrees of freedom, shape (series,).

    Newton's method from 0: the statistic is convex and falls in alpha, so that every step stays below the solution.
    """
    with np.errstate(all="ignore"):
        mean = fitted.mean
        square = np.where(np.isfinite(fitted.pearson), fitted.pearson**2 * fitted.variance, 0.0)
        alpha = np.zeros(len(mean))
        for _ in range(60):
            spread = mean + alpha[:, None] * mean**2
            value = (square / spread).sum(axis=1) - fitted.freedom
            steep = -(square * mean**2 / spread**2).sum(axis=1)
            step = np.where((value > 0) & (steep < 0), -value / steep, 0.0)
            alpha = alpha + step
            if (step <= 1e-12 * (alpha + 1e-12)).all():
                break
    return np.asarray(np.where(np.isfinite(alpha), alpha, 0.0))
