"""Batched quasi-Poisson regression on a factor and an optional linear trend.

All series share the design, so one pass of iteratively reweighted least squares (IRLS) is a handful of array operations on a
(period, series) matrix. Because the design is a factor plus one covariate, the weighted normal equations are solved in closed form:
sums per part of the year, then the trend from deviations within parts. That needs no matrix library, is as accurate for parts
without a single case (weights near 1e-10) as an orthogonal decomposition, and gives every series the same bits in any block.

The start values, the deviance criterion (relative change below 1e-8, at most 25 passes) and the dispersion (weights of the last
pass with residuals of the final mean) are those of McCullagh & Nelder's algorithm as statistical packages run it, so that
thresholds agree with theirs to many digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Fit", "anscombe_weights", "dispersion", "fit"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_TOLERANCE = 1e-8
_PASSES = 25
_ETA_LIMIT = 700.0  # exp overflows above 709
_WIDTH = 8  # columns are worked on in multiples of a vector register


@dataclass(frozen=True, eq=False)
class Fit:
    """Result per series (last axis); n periods, g parts of the year.

    Attributes
    ----------
    level : array, shape (g, series)
        Log mean of each part at time 0.
    slope : array, shape (series,)
        Change of the log mean per unit of time; 0 without trend.
    mean : array, shape (n, series)
        Fitted means.
    weight : array, shape (n, series)
        Working weights of the last pass.
    part_weight, part_time : array, shape (g, series)
        Sum of the working weights and weighted mean time of each part.
    information : array, shape (series,)
        Weighted sum of squares of time within parts; 0 without trend.
    freedom : array, shape (series,)
        Residual degrees of freedom.
    converged : array of bool, shape (series,)
    """

    level: FloatArray
    slope: FloatArray
    mean: FloatArray
    weight: FloatArray
    part_weight: FloatArray
    part_time: FloatArray
    information: FloatArray
    freedom: FloatArray
    converged: BoolArray


def _sums(values: FloatArray, bounds: list[tuple[int, int]]) -> FloatArray:
    out = np.empty((len(bounds), values.shape[1]))
    for at, (low, high) in enumerate(bounds):
        np.add.reduce(values[low:high], axis=0, out=out[at])
    return out


def _spread(per_part: FloatArray, bounds: list[tuple[int, int]], out: FloatArray) -> FloatArray:
    for at, (low, high) in enumerate(bounds):
        out[low:high] = per_part[at]
    return out


def _deviance(y: FloatArray, mean: FloatArray, prior: FloatArray) -> FloatArray:
    ratio = np.where(y > 0, y, 1.0) / np.where(y > 0, mean, 1.0)
    return np.asarray(2.0 * np.add.reduce(prior * (y * np.log(ratio) - (y - mean)), axis=0))


def _step(
    weight: FloatArray, target: FloatArray, bounds: list[tuple[int, int]], column: FloatArray | None
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Solve one weighted least-squares step; return eta, level, slope, part weight, part time, information."""
    total = _sums(weight, bounds)
    safe = np.where(total > 0, total, 1.0)
    level = _sums(weight * target, bounds) / safe
    scratch = np.empty_like(weight)
    if column is None:
        nothing = np.zeros(weight.shape[1])
        return _spread(level, bounds, scratch), level, nothing, total, np.zeros_like(total), nothing
    part_time = _sums(weight * column, bounds) / safe
    away = column - _spread(part_time, bounds, scratch)
    centre = _spread(level, bounds, scratch)
    moment = weight * away
    information = np.add.reduce(moment * away, axis=0)
    product = np.add.reduce(moment * (target - centre), axis=0)
    slope = np.where(information > 0, product / np.where(information > 0, information, 1.0), 0.0)
    return centre + slope * away, level - slope * part_time, slope, total, part_time, information


def fit(y: FloatArray, prior: FloatArray, starts: npt.NDArray[np.intp], time: FloatArray | None, offset: FloatArray | None = None) -> Fit:
    """Fit log mean = part of the year + slope * time (+ offset).

    Parameters
    ----------
    y : array, shape (n, series)
        Counts; any finite number where ``prior`` is 0. Several series (a lone column would be summed in another order).
    prior : array, shape (n, series)
        Prior weights; 0 for missing periods.
    starts : array of int, shape (g,)
        First row of each part of the year.
    time : array, shape (n,), or None
        Trend covariate; ``None`` fits none.
    offset : array, shape (n, series), optional
        Log exposure; any finite number where ``prior`` is 0.

    Returns
    -------
    Fit
    """
    n, series = y.shape
    bounds = list(zip(starts.tolist(), [*starts[1:].tolist(), n], strict=True))
    column = None if time is None else np.ascontiguousarray(time[:, None])
    shape = (len(bounds), series)
    out = Fit(
        level=np.zeros(shape),
        slope=np.zeros(series),
        mean=np.zeros((n, series)),
        weight=np.zeros((n, series)),
        part_weight=np.zeros(shape),
        part_time=np.zeros(shape),
        information=np.zeros(series),
        freedom=_freedom((prior > 0).astype(np.float64), bounds, column),
        converged=np.zeros(series, np.bool_),
    )
    held = np.arange(series)  # the columns still in work; some may be done already
    open_ = np.ones(series, np.bool_)
    mean = y + 0.1
    with np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore"):
        eta = np.log(mean)
        deviance = _deviance(y, mean, prior)
        # A deviance near 0 made of counts near 10^9 is rounding error: it cannot settle to 1e-9.
        rounding = 1e-14 * np.add.reduce(prior * y, axis=0)
        for turn in range(_PASSES):
            weight = prior * mean
            target = eta + (y - mean) / mean
            if offset is not None:
                target -= offset
            eta, level, slope, total, part_time, information = _step(weight, target, bounds, column)
            if offset is not None:
                eta += offset
            np.clip(eta, -_ETA_LIMIT, _ETA_LIMIT, out=eta)
            mean = np.exp(eta)
            earlier, deviance = deviance, _deviance(y, mean, prior)
            done = np.abs(deviance - earlier) < np.maximum(_TOLERANCE * (np.abs(deviance) + 0.1), rounding)
            leave = np.flatnonzero(open_ & (done | (turn == _PASSES - 1)))
            where = held[leave]
            for kept, new in (
                (out.level, level),
                (out.slope, slope),
                (out.mean, mean),
                (out.weight, weight),
                (out.part_weight, total),
                (out.part_time, part_time),
                (out.information, information),
                (out.converged, done),
            ):
                kept[..., where] = new[..., leave]
            open_[leave] = False
            left = int(open_.sum())
            if not left:
                break
            if left <= len(held) // 2 and len(held) > _WIDTH:
                # Narrow the work to the open columns, to a multiple of the width so that no column is ever alone.
                room = -(-left // _WIDTH) * _WIDTH
                stay = np.concatenate([np.flatnonzero(open_), np.flatnonzero(~open_)[: room - left]])
                held, open_, deviance, rounding = held[stay], open_[stay], deviance[stay], rounding[stay]
                y, prior, mean, eta = (np.ascontiguousarray(part[:, stay]) for part in (y, prior, mean, eta))
                offset = None if offset is None else np.ascontiguousarray(offset[:, stay])
    return out


def _freedom(present: FloatArray, bounds: list[tuple[int, int]], column: FloatArray | None) -> FloatArray:
    """Return observations less estimable parameters."""
    counts = _sums(present, bounds)
    freedom = np.asarray(np.add.reduce(counts, axis=0) - np.add.reduce((counts > 0).astype(np.float64), axis=0))
    if column is not None:
        centre = _spread(_sums(present * column, bounds) / np.maximum(counts, 1.0), bounds, np.empty_like(present))
        freedom -= np.add.reduce(present * (column - centre) ** 2, axis=0) > 0
    return freedom


def dispersion(y: FloatArray, fitted: Fit) -> FloatArray:
    """Return the Pearson dispersion: weights of the last pass, residuals of the final mean; NaN without degrees of freedom.

    Parameters
    ----------
    y : array, shape (n, series)
    fitted : Fit

    Returns
    -------
    array, shape (series,)
    """
    with np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore"):
        total = np.add.reduce(np.where(fitted.weight > 0, fitted.weight * ((y - fitted.mean) / fitted.mean) ** 2, 0.0), axis=0)
        return np.asarray(np.where(fitted.freedom > 0, total / np.where(fitted.freedom > 0, fitted.freedom, 1.0), np.nan))


def anscombe_weights(
    y: FloatArray,
    prior: FloatArray,
    starts: npt.NDArray[np.intp],
    time: FloatArray | None,
    *,
    fitted: Fit,
    phi: FloatArray,
    threshold: float,
) -> FloatArray:
    """Return weights that take past outbreaks out of the baseline (Farrington et al. 1996).

    The standardised Anscombe residual is s = 1.5 (y^(2/3) mean^(-1/6) - mean^(1/2)) / sqrt(phi (1 - h)) with leverage h; the weight is
    proportional to s^-2 above ``threshold`` and to 1 below, and the weights of a series sum to its number of periods.
    """
    n = y.shape[0]
    bounds = list(zip(starts.tolist(), [*starts[1:].tolist(), n], strict=True))
    present = prior > 0
    with np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore"):
        leverage = 1.0 / _spread(fitted.part_weight, bounds, np.empty_like(y))
        if time is not None:
            away = time[:, None] - _spread(fitted.part_time, bounds, np.empty_like(y))
            leverage += np.where(fitted.information > 0, away**2 / fitted.information, 0.0)
        leverage *= fitted.weight
        root = np.sqrt(fitted.mean)
        residual = 1.5 * (np.cbrt(y) ** 2 / np.cbrt(root) - root) / np.sqrt(phi * (1.0 - leverage))
        # A period that alone carries its part has leverage 1 and no residual: full weight.
        high = present & (residual > threshold) & (leverage < 1.0)
        raw = np.where(high, residual**-2.0, 1.0) * present
        return np.asarray(raw * (np.add.reduce(present, axis=0) / np.add.reduce(raw, axis=0)))
