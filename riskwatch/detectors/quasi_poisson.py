"""Batched quasi-Poisson regression on a factor and an optional linear trend.

All series share the design, so iteratively reweighted least squares (IRLS) runs on (period, series) matrices. The design is a factor
plus one covariate: a mean is one number per part of the year times exp(slope x time), and a pass needs no more of the counts than
their sums per part. Written as Newton's step from the last iterate, with r0 and r1 the sums of (y - mean) and time (y - mean) per part,

    information = sum over parts of S2 - S1^2 / S0,    S_k = sum of mean x time^k,
    slope += sum over parts of (r1 - r0 S1 / S0) / information,    level += r0 / S0 - (S1 / S0) x change of slope,

it has the same iterates as a regression on working responses, and without a trend it costs one number per part. Times are taken from
the middle of their part, so that the differences lose no digits. There is no matrix product: sums run down the periods in one order,
which gives every series the same bits in any block.

The start values, the deviance criterion (relative change below 1e-8, at most 25 passes) and the dispersion (weights of the last
pass with residuals of the final mean) are those of McCullagh & Nelder's algorithm as statistical packages run it, so that
thresholds agree with theirs to many digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskwatch.detectors.parts import Counts, Layout, Sums, Weights, information_of, product, safe, total

__all__ = ["Fit", "fit", "pearson"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]

_TOLERANCE = 1e-8
_PASSES = 25
_WIDTH = 8  # columns are worked on in multiples of a vector register, and never alone: a lone column is summed in another order


@dataclass(frozen=True, eq=False)
class Fit:
    """Result per series (last axis); g parts of the year.

    Attributes
    ----------
    level : array, shape (g, series)
        Log mean (per exposure) of each part at its centre in time.
    slope : array, shape (series,)
        Change of the log mean per unit of time; 0 without trend.
    weight_level, weight_slope : array
        The same of the pass before: the working weights of the last pass are prior x exposure x exp(weight_level + weight_slope x time).
    first : array of bool, shape (series,)
        The first pass was the last: its weights are prior x start means instead.
    part_weight, part_time : array, shape (g, series)
        Sum of the working weights and weighted mean time (from the centre) of each part.
    information : array, shape (series,)
        Weighted sum of squares of time within parts; 0 without trend.
    freedom : array, shape (series,)
        Residual degrees of freedom.
    converged : array of bool, shape (series,)
    trend : bool
    """

    level: FloatArray
    slope: FloatArray
    weight_level: FloatArray
    weight_slope: FloatArray
    first: BoolArray
    part_weight: FloatArray
    part_time: FloatArray
    information: FloatArray
    freedom: FloatArray
    converged: BoolArray
    trend: bool


def fit(counts: Counts, weights: Weights | None = None, *, trend: bool) -> Fit:
    """Fit log mean = part of the year + slope * time (+ log exposure).

    Parameters
    ----------
    counts : Counts
    weights : Weights, optional
        Prior weights. Default: 1 where there is a count.
    trend : bool
        Fit a slope.

    Returns
    -------
    Fit
    """
    with np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore"):
        sums = counts.weighted(weights, trend=trend)
        shape = sums.cases.shape
        series = shape[1]
        out = Fit(
            level=np.zeros(shape),
            slope=np.zeros(series),
            weight_level=np.zeros(shape),
            weight_slope=np.zeros(series),
            first=np.zeros(series, np.bool_),
            part_weight=np.zeros(shape),
            part_time=np.zeros(shape),
            information=np.zeros(series),
            freedom=counts.freedom[int(trend)],
            converged=np.zeros(series, np.bool_),
            trend=trend,
        )
        means = _Means.of(counts, weights, sums, trend=trend)
        cases, cases_time = sums.cases, sums.cases_time
        usual = np.where(cases > 0, np.log(safe(cases) / safe(sums.size)), 0.0)
        constant = total(sums.surprise) - total(usual * cases)
        lean = total(cases_time)
        # A deviance near 0 made of counts near 10^9 is rounding error: it cannot settle to 1e-9.
        rounding = 1e-14 * total(cases)
        rise, score, weight = sums.work, sums.work_time, [sums.start, sums.start_time, sums.start_square]
        level, slope, deviance = np.zeros(shape), np.zeros(series), np.full(series, np.inf)
        part_time, information = np.zeros(shape), np.zeros(series)
        held = np.arange(series)  # the columns still in work; some may be done already
        open_ = np.ones(series, np.bool_)
        for turn in range(_PASSES):
            before, kept_weight = (level, slope), weight[0]
            level = level + rise / safe(weight[0])
            if trend:
                part_time, information = information_of(*weight)
                change = np.where(information > 0, total(score - part_time * rise) / np.where(information > 0, information, 1.0), 0.0)
                level -= part_time * change
                slope = slope + change
            weight = means.sums(level, slope)
            rise = cases - weight[0]
            if trend:
                score = cases_time - weight[1]
            earlier = deviance
            deviance = 2.0 * (constant - total((level - usual) * cases) - slope * lean - total(rise))
            if turn == 0:
                earlier = _start_deviance(counts, weights, deviance, total(sums.present))
            done = np.abs(deviance - earlier) < np.maximum(_TOLERANCE * (np.abs(deviance) + 0.1), rounding)
            leave = np.flatnonzero(open_ & (done | (turn == _PASSES - 1)))
            where = held[leave]
            for kept, new in (
                (out.level, level),
                (out.slope, slope),
                (out.weight_level, before[0]),
                (out.weight_slope, before[1]),
                (out.part_weight, kept_weight),
                (out.part_time, part_time),
                (out.information, information),
                (out.converged, done),
            ):
                kept[..., where] = new[..., leave]
            out.first[where] = turn == 0
            open_[leave] = False
            left = int(open_.sum())
            if not left:
                break
            if left <= len(held) // 2 and len(held) > _WIDTH:
                # Narrow the work to the open columns, to a multiple of the width so that no column is ever alone.
                room = -(-left // _WIDTH) * _WIDTH
                stay = np.concatenate([np.flatnonzero(open_), np.flatnonzero(~open_)[: room - left]])
                means = means.columns(stay)
                per_series = (held, open_, deviance, rounding, slope, constant, lean)
                held, open_, deviance, rounding, slope, constant, lean = (part[stay] for part in per_series)
                per_part = (level, cases, cases_time, usual, rise, score, *weight)
                level, cases, cases_time, usual, rise, score, *weight = (np.take(part, stay, axis=1) for part in per_part)
    return out


@dataclass(frozen=True, eq=False)
class _Means:
    """The weighted sums of the means that a pass asks for; ``base`` is prior weight x exposure but for the factors and few cells."""

    layout: Layout
    size: FloatArray
    base: FloatArray | None
    factor: FloatArray | None
    cells: tuple[IntArray, IntArray, FloatArray, FloatArray] | None  # part, column, time, base x less
    trend: bool

    @classmethod
    def of(cls, counts: Counts, weights: Weights | None, sums: Sums, *, trend: bool) -> _Means:
        if not trend:
            return cls(counts.layout, sums.size, None, None, None, trend)
        base = product(counts.present, counts.exposure)
        if weights is None:
            return cls(counts.layout, sums.size, base, None, None, trend)
        row, column = weights.row, weights.column
        less = weights.less if counts.exposure is None else weights.less * counts.exposure[row, column]
        cells = (counts.layout.part[row], column, counts.layout.column[row, 0], less)
        return cls(counts.layout, sums.size, base, weights.factor, cells, trend)

    def columns(self, which: IntArray) -> _Means:
        size = np.take(self.size, which, axis=1)
        if not self.trend:
            return _Means(self.layout, size, None, None, None, self.trend)
        cells = self.cells
        if cells is not None:
            place = np.full(self.size.shape[1], -1)
            place[which] = np.arange(which.size)
            column = place[cells[1]]
            stay = np.flatnonzero(column >= 0)
            cells = (cells[0][stay], column[stay], cells[2][stay], cells[3][stay])
        base = None if self.base is None else np.take(self.base, which, axis=1)
        return _Means(self.layout, size, base, None if self.factor is None else self.factor[which], cells, self.trend)

    def sums(self, level: FloatArray, slope: FloatArray) -> list[FloatArray]:
        """Return the weighted sums per part of the means, and with a trend those times time and time squared."""
        scale = np.exp(level)
        if not self.trend:
            return [self.size * scale]
        if self.base is None:
            found = self.layout.growth_sums(slope)
        else:
            growth = np.multiply(slope, self.layout.column)
            np.exp(growth, out=growth)
            growth *= self.base
            found = self.layout.moments(growth, 2)
        if self.cells is not None and self.factor is not None:
            part, column, time, less = self.cells
            key = part * level.shape[1] + column
            extra = less * np.exp(slope[column] * time)
            for power in range(3):
                found[power] += np.bincount(key, extra, minlength=level.size).reshape(level.shape)
                extra *= time
            scale *= self.factor
        return [moment * scale for moment in found]


def _start_deviance(counts: Counts, weights: Weights | None, deviance: FloatArray, present: FloatArray) -> FloatArray:
    """Return the deviance of the start means; only where the first pass came near, for elsewhere it decides nothing."""
    near = np.flatnonzero(~(deviance > 0.21 * present))  # a start mean is off by a tenth of a case: at most 0.2 a period
    earlier = np.full(deviance.shape, -np.inf)
    if near.size:
        y = np.take(counts.y, near, axis=1)
        away = y * np.log1p(-0.1 / (y + 0.1)) + 0.1
        earlier[near] = 2.0 * _weighted_total(counts, weights, near, away)
    return earlier


def _weighted_total(counts: Counts, weights: Weights | None, which: IntArray, values: FloatArray) -> FloatArray:
    """Return prior-weighted sums of (n, which) values over the periods."""
    if counts.present is not None:
        values = values * np.take(counts.present, which, axis=1)
    total = np.add.accumulate(values, axis=0)[-1]  # in one order, be it one column or many
    if weights is None:
        return np.asarray(total)
    place = np.full(counts.y.shape[1], -1)
    place[which] = np.arange(which.size)
    column = place[weights.column]
    stay = np.flatnonzero(column >= 0)
    cells = weights.less[stay] * values[weights.row[stay], column[stay]]
    return np.asarray(weights.factor[which] * (total + np.bincount(column[stay], cells, minlength=which.size)))


def pearson(counts: Counts, fitted: Fit, weights: Weights | None = None) -> tuple[FloatArray, FloatArray]:
    """Return the Pearson dispersion, and the same with the prior weights in place of the working weights.

    Weights of the last pass, residuals of the final mean; NaN without degrees of freedom.

    Parameters
    ----------
    counts, weights
        As they were fitted.
    fitted : Fit

    Returns
    -------
    pair of array, shape (series,)
    """
    with np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore"):
        by_part = _squares if fitted.trend or counts.spread is None else _squares_flat
        plain, working = by_part(counts, fitted, weights)
        factor = 1.0 if weights is None else weights.factor
        plain = factor * total(plain)
        weighted = factor * total(np.exp(fitted.weight_level) * working)
        first = np.flatnonzero(fitted.first)
        if first.size:
            y = np.take(counts.y, first, axis=1)
            mean = np.exp(fitted.level[:, first])[counts.layout.part] * np.exp(fitted.slope[first] * counts.layout.column)
            mean *= 1.0 if counts.exposure is None else np.take(counts.exposure, first, axis=1)
            weighted[first] = _weighted_total(counts, weights, first, (y + 0.1) * (y / mean - 1.0) ** 2)
        freedom = np.where(fitted.freedom > 0, fitted.freedom, np.nan)
        return weighted / freedom, plain / freedom


def _squares_flat(counts: Counts, fitted: Fit, weights: Weights | None) -> tuple[FloatArray, FloatArray]:
    """Return per part the sums of ((y - mean) / mean)^2, twice: a part has one mean and one working weight."""
    mean = np.exp(fitted.level)
    size = counts.sums.size
    square = (counts.spread if counts.spread is not None else 0.0) + size * (counts.sums.cases / safe(size) - mean) ** 2
    if weights is not None:
        row, column = weights.row, weights.column
        away = counts.y[row, column] - mean[counts.layout.part[row], column]
        square += counts.at_parts(row, column, weights.less * away**2)
    square /= mean**2
    return square, square


def _squares(counts: Counts, fitted: Fit, weights: Weights | None) -> tuple[FloatArray, FloatArray]:
    """Return per part the sums of ((y - mean) / mean)^2, and of these times exposure and growth of the working weights."""
    layout = counts.layout
    square = counts.y.copy() if counts.exposure is None else counts.y / counts.exposure
    if fitted.trend:
        growth = np.multiply(-fitted.slope, layout.column)
        square *= np.exp(growth, out=growth)
    layout.scale(square, np.exp(-fitted.level))
    square -= 1.0
    square *= square
    found = []
    for working in (False, True):
        if working:
            if fitted.trend:
                growth = np.multiply(fitted.weight_slope, layout.column)
                square *= np.exp(growth, out=growth)
            if counts.exposure is not None:
                square *= counts.exposure
        elif counts.present is not None:
            square *= counts.present
        total = layout.sums(square)
        if weights is not None:
            total += counts.at_parts(weights.row, weights.column, weights.less * square[weights.row, weights.column])
        found.append(total)
    return found[0], found[1]
