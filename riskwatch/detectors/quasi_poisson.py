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

__all__ = ["Counts", "Fit", "Layout", "fit", "pearson"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]

_TOLERANCE = 1e-8
_PASSES = 25
_WIDTH = 8  # columns are worked on in multiples of a vector register, and never alone: a lone column is summed in another order
_FLAT = 1e-12  # information below this share of the raw second moments is rounding: time does not vary within parts


@dataclass(frozen=True, eq=False)
class Layout:
    """Rows of a baseline, sorted by part of the year.

    Attributes
    ----------
    bounds : list of (int, int)
        First row and row after the last of each part.
    part : array of int, shape (n,)
        Part of each row.
    centre : array, shape (g,)
        Mean time of each part.
    column : array, shape (n, 1)
        Time less the centre of its part.
    low, high : array, shape (g, 1)
        Smallest and largest of ``column`` in each part.
    """

    bounds: list[tuple[int, int]]
    part: IntArray
    centre: FloatArray
    column: FloatArray
    low: FloatArray
    high: FloatArray

    @classmethod
    def of(cls, starts: IntArray, time: FloatArray) -> Layout:
        """Lay out rows at ``time``, shape (n,), whose parts begin at ``starts``, shape (g,)."""
        bounds = list(zip(starts.tolist(), [*starts[1:].tolist(), len(time)], strict=True))
        part = np.searchsorted(starts, np.arange(len(time)), side="right") - 1
        centre = np.array([time[low:high].mean() for low, high in bounds])
        column = (time - centre[part])[:, None]
        low, high = (np.array([[pick(column[a:b])] for a, b in bounds]) for pick in (np.min, np.max))
        return cls(bounds, part, centre, column, low, high)

    @property
    def rows(self) -> FloatArray:
        """Number of rows of each part."""
        return np.array([float(high - low) for low, high in self.bounds])

    def sums(self, values: FloatArray) -> FloatArray:
        """Return the sums of an (n, series) matrix per part, shape (g, series)."""
        out = np.empty((len(self.bounds), values.shape[1]))
        for at, (low, high) in enumerate(self.bounds):
            np.add.reduce(values[low:high], axis=0, out=out[at])
        return out

    def moments(self, values: FloatArray, powers: int) -> list[FloatArray]:
        """Return the sums per part of values, values x time, ... up to ``powers``; ``values`` is used up."""
        found = [self.sums(values)]
        for _ in range(powers):
            values *= self.column
            found.append(self.sums(values))
        return found

    def scale(self, values: FloatArray, factors: FloatArray) -> None:
        """Multiply the rows of each part by its factors, shape (g, series), in place."""
        for at, (low, high) in enumerate(self.bounds):
            values[low:high] *= factors[at]


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of a block of series and what all fits to them share; n periods.

    Attributes
    ----------
    y : array, shape (n, series)
        Counts, 0 where missing.
    present : array, shape (n, series), or None
        0 where missing, else 1; None if nothing is.
    exposure : array, shape (n, series), or None
        Denominators above 0; any where missing.
    start : array, shape (n, series)
        Start means.
    work : array, shape (n, series)
        Start means times working responses less the log exposure.
    surprise : array, shape (n, series)
        y (log y - log exposure), the part of the deviance that no fit changes.
    """

    y: FloatArray
    present: FloatArray | None
    exposure: FloatArray | None
    start: FloatArray
    work: FloatArray
    surprise: FloatArray

    @classmethod
    def of(cls, y: FloatArray, present: FloatArray | None = None, exposure: FloatArray | None = None) -> Counts:
        """Prepare counts for fitting."""
        start = y + 0.1
        work = np.log(start)
        surprise = np.log(np.maximum(y, 1e-300))
        if exposure is not None:
            offset = np.log(exposure)
            work -= offset
            surprise -= offset
        work *= start
        work -= 0.1
        surprise *= y
        return cls(y, present, exposure, start, work, surprise)

    def columns(self, which: IntArray) -> Counts:
        """Return some of the series."""
        parts = (self.y, self.present, self.exposure, self.start, self.work, self.surprise)
        y, present, exposure, *rest = (None if part is None else np.take(part, which, axis=1) for part in parts)
        return Counts(y, present, exposure, *rest)  # type: ignore[arg-type]  # only present and exposure are ever None


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


def _weighted(values: FloatArray, weight: FloatArray | None) -> FloatArray:
    return values.copy() if weight is None else values * weight


def _safe(values: FloatArray) -> FloatArray:
    return np.where(values > 0, values, 1.0)


def _total(per_part: FloatArray) -> FloatArray:
    return np.asarray(np.add.reduce(per_part, axis=0))


def _information(s0: FloatArray, s1: FloatArray, s2: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the weighted mean time of each part and the sum of squares about it."""
    mean = s1 / _safe(s0)
    raw = _total(s2)
    information = _total(s2 - mean * s1)
    return mean, np.where(information > _FLAT * raw, information, 0.0)


def _freedom(counts: Counts, layout: Layout, *, trend: bool) -> FloatArray:
    """Return observations less estimable parameters."""
    present = np.ones((len(layout.part), 1)) if counts.present is None else counts.present.copy()
    size, first, second = layout.moments(np.repeat(present, 2, axis=1) if counts.present is None else present, 2)
    freedom = _total(size) - _total((size > 0).astype(np.float64))
    if trend:
        freedom -= _total(second - first**2 / _safe(size)) > _FLAT * _total(second)
    return freedom if counts.present is not None else np.full(counts.y.shape[1], freedom[0])


def fit(counts: Counts, layout: Layout, prior: FloatArray | None = None, *, trend: bool) -> Fit:
    """Fit log mean = part of the year + slope * time (+ log exposure).

    Parameters
    ----------
    counts : Counts
    layout : Layout
    prior : array, shape (n, series), optional
        Prior weights, 0 where missing. Default: 1 where there is a count.
    trend : bool
        Fit a slope.

    Returns
    -------
    Fit
    """
    prior = counts.present if prior is None else prior
    series = counts.y.shape[1]
    shape = (len(layout.bounds), series)
    nothing, empty = np.zeros(series), np.zeros(shape)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore"):
        out = Fit(
            level=np.zeros(shape),
            slope=np.zeros(series),
            weight_level=np.zeros(shape),
            weight_slope=np.zeros(series),
            first=np.zeros(series, np.bool_),
            part_weight=np.zeros(shape),
            part_time=np.zeros(shape),
            information=np.zeros(series),
            freedom=_freedom(counts, layout, trend=trend),
            converged=np.zeros(series, np.bool_),
        )
        powers = int(trend)
        cases, *cases_time = layout.moments(_weighted(counts.y, prior), powers)
        weight = layout.moments(_weighted(counts.start, prior), 2 * powers)
        target = layout.moments(_weighted(counts.work, prior), powers)
        base = _base(prior, counts.exposure)
        size = np.broadcast_to(layout.rows[:, None], shape) if base is None else layout.sums(base)
        usual = np.where(cases > 0, np.log(_safe(cases) / _safe(size)), 0.0)
        constant = np.add.reduce(_weighted(counts.surprise, prior), axis=0) - _total(usual * cases)
        lean = _total(cases_time[0]) if trend else nothing
        # A deviance near 0 made of counts near 10^9 is rounding error: it cannot settle to 1e-9.
        rounding = 1e-14 * _total(cases)
        level, slope, deviance = empty, nothing, np.full(series, np.inf)
        held = np.arange(series)  # the columns still in work; some may be done already
        open_ = np.ones(series, np.bool_)
        for turn in range(_PASSES):
            before = level, slope
            rise = target[0] if turn == 0 else cases - weight[0]
            total = _safe(weight[0])
            part_time, information = _information(*weight) if trend else (np.zeros_like(level), np.zeros_like(slope))
            if trend:
                score = target[1] if turn == 0 else cases_time[0] - weight[1]
                change = np.where(information > 0, _total(score - part_time * rise) / np.where(information > 0, information, 1.0), 0.0)
                level = level + rise / total - part_time * change
                slope = slope + change
            else:
                level = level + rise / total
            kept_weight = weight[0]
            scale = np.exp(level)
            if trend:
                spread = np.multiply(slope, layout.column)
                np.exp(spread, out=spread)
                if base is not None:
                    spread *= base
                weight = [moment * scale for moment in layout.moments(spread, 2)]
            else:
                weight = [size * scale]
            earlier = deviance
            deviance = 2.0 * (constant - _total((level - usual) * cases) - slope * lean - _total(cases - weight[0]))
            if turn == 0:
                earlier = _start_deviance(counts, prior, deviance)
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
                held, open_, deviance, rounding, slope, constant, lean = (
                    part[stay] for part in (held, open_, deviance, rounding, slope, constant, lean)
                )
                level, cases, size, usual, *rest = (
                    np.take(part, stay, axis=1) for part in (level, cases, size, usual, *cases_time, *weight)
                )
                cases_time, weight = rest[:powers], rest[powers:]
                base = None if base is None or not trend else np.take(base, stay, axis=1)
    return out


def _base(prior: FloatArray | None, exposure: FloatArray | None) -> FloatArray | None:
    if prior is None or exposure is None:
        return exposure if prior is None else prior
    return prior * exposure


def _start_deviance(counts: Counts, prior: FloatArray | None, deviance: FloatArray) -> FloatArray:
    """Return the deviance of the start means; only where the first pass came near, for elsewhere it decides nothing."""
    present = np.full(deviance.shape, float(len(counts.y))) if prior is None else np.add.reduce(prior, axis=0)
    near = np.flatnonzero(~(deviance > 0.21 * present))  # a start mean is off by a tenth of a case: at most 0.2 a period
    earlier = np.full(deviance.shape, -np.inf)
    if near.size:
        near = np.concatenate([near, np.full(-near.size % _WIDTH, near[0], dtype=near.dtype)])
        y = np.take(counts.y, near, axis=1)
        away = y * np.log1p(-0.1 / (y + 0.1)) + 0.1
        if prior is not None:
            away *= np.take(prior, near, axis=1)
        earlier[near] = 2.0 * np.add.reduce(away, axis=0)
    return earlier


def pearson(counts: Counts, layout: Layout, fitted: Fit, prior: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Return the Pearson dispersion, and the same with the prior weights in place of the working weights.

    Weights of the last pass, residuals of the final mean; NaN without degrees of freedom.

    Parameters
    ----------
    counts, layout, prior
        As they were fitted.
    fitted : Fit

    Returns
    -------
    pair of array, shape (series,)
    """
    prior = counts.present if prior is None else prior
    with np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore"):
        trend = bool(fitted.slope.any() or fitted.weight_slope.any())
        square = counts.y.copy() if counts.exposure is None else counts.y / counts.exposure
        if trend:
            away = np.multiply(-fitted.slope, layout.column)
            square *= np.exp(away, out=away)
        layout.scale(square, np.exp(-fitted.level))
        square -= 1.0
        square *= square
        if prior is not None:
            square *= prior
        plain = np.add.reduce(square, axis=0)
        first = np.flatnonzero(fitted.first)
        special = np.take(square, first, axis=1) * np.take(counts.start, first, axis=1) if first.size else None
        if trend:
            away = np.multiply(fitted.weight_slope, layout.column)
            square *= np.exp(away, out=away)
        if counts.exposure is not None:
            square *= counts.exposure
        weighted = _total(np.exp(fitted.weight_level) * layout.sums(square))
        if special is not None:
            weighted[first] = np.add.accumulate(special, axis=0)[-1]
        freedom = np.where(fitted.freedom > 0, fitted.freedom, np.nan)
        return weighted / freedom, plain / freedom
