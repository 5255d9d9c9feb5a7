"""Counts of a block of series as a regression on parts of the year needs them: sums per part, weighted sparsely."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

__all__ = ["Counts", "Layout", "Sums", "Weights", "information_of", "product", "safe", "total"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

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
    step : float
        Time between the neighbours of a run. The rows of a part fall into runs, one or more a year.
    lengths : tuple of int
        Lengths of runs that occur, first 0.
    run_length : array of int, shape (g, runs)
        Index into ``lengths``; parts with fewer runs than others are filled up with runs of length 0.
    run_time : array, shape (g, runs, 1)
        Time of a run's first row, less the centre of its part.
    """

    bounds: list[tuple[int, int]]
    part: IntArray
    centre: FloatArray
    column: FloatArray
    low: FloatArray
    high: FloatArray
    step: float
    lengths: tuple[int, ...]
    run_length: IntArray
    run_time: FloatArray

    @classmethod
    def of(cls, starts: IntArray, time: FloatArray) -> Layout:
        """Lay out rows at ``time``, shape (n,), whose parts begin at ``starts``, shape (g,)."""
        bounds = list(itertools.pairwise([*starts.tolist(), len(time)]))
        part = np.searchsorted(starts, np.arange(len(time)), side="right") - 1
        centre = np.array([time[low:high].mean() for low, high in bounds])
        column = (time - centre[part])[:, None]
        low, high = (np.array([[pick(column[a:b])] for a, b in bounds]) for pick in (np.min, np.max))
        return cls(bounds, part, centre, column, low, high, *_runs(bounds, column[:, 0]))

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

    def shift(self, values: FloatArray, amounts: FloatArray) -> None:
        """Subtract from the rows of each part its amounts, shape (g, series), in place."""
        for at, (low, high) in enumerate(self.bounds):
            values[low:high] -= amounts[at]

    def scale(self, values: FloatArray, factors: FloatArray) -> None:
        """Multiply the rows of each part by its factors, shape (g, series), in place."""
        for at, (low, high) in enumerate(self.bounds):
            values[low:high] *= factors[at]

    def growth_sums(self, slope: FloatArray) -> list[FloatArray]:
        """Return the sums per part of exp(slope x time), and of these times time and time squared; one exponential a run."""
        ratio = np.exp(self.step * slope)
        power = np.ones_like(slope)
        sums = np.zeros((3, slope.size))
        table = np.zeros((3, len(self.lengths), slope.size))
        for at in range(self.lengths[-1]):
            for order in range(3 if at else 1):
                sums[order] += (at * self.step) ** order * power
            if at + 1 in self.lengths:
                table[:, self.lengths.index(at + 1)] = sums
            power *= ratio
        growth = slope * self.run_time
        np.exp(growth, out=growth)
        zeroth, first, second = (np.take(moment, self.run_length, axis=0) for moment in table)
        for moment in (zeroth, first, second):
            np.multiply(moment, growth, out=moment)
        # (start + within)^k, by the binomial formula; ``growth`` is scratch now.
        second += np.multiply(self.run_time, first, out=growth)
        first += np.multiply(self.run_time, zeroth, out=growth)
        second += np.multiply(self.run_time, first, out=growth)
        return [np.add.reduce(moment, axis=1) for moment in (zeroth, first, second)]


def _runs(bounds: list[tuple[int, int]], time: FloatArray) -> tuple[float, tuple[int, ...], IntArray, FloatArray]:
    """Return step, lengths, and length and first time of the runs of each part."""
    gaps = np.concatenate([np.empty(0), *(np.diff(time[low:high]) for low, high in bounds)])
    step = float(gaps.min()) if gaps.size else 1.0
    runs: list[list[tuple[int, float]]] = []
    for low, high in bounds:
        cuts = [low, *(low + 1 + np.flatnonzero(np.abs(np.diff(time[low:high]) - step) > 1e-9)).tolist(), high]
        runs.append([(end - start, float(time[start])) for start, end in itertools.pairwise(cuts)])
    lengths = tuple(sorted({0, *(length for part in runs for length, _ in part)}))
    shape = (len(runs), max(map(len, runs), default=0))
    index, first = np.zeros(shape, np.intp), np.zeros((*shape, 1))
    for at, part in enumerate(runs):
        index[at, : len(part)] = [lengths.index(length) for length, _ in part]
        first[at, : len(part), 0] = [start for _, start in part]
    return step, lengths, index, first


@dataclass(frozen=True, eq=False)
class Weights:
    """Prior weights of a block: one factor per series, and few cells that differ.

    Attributes
    ----------
    factor : array, shape (series,)
    row, column : array of int, shape (cells,)
        Cells with a weight of their own, in order of rows; none is missing.
    less : array, shape (cells,)
        Their weight is factor x (1 + less).
    """

    factor: FloatArray
    row: IntArray
    column: IntArray
    less: FloatArray


@dataclass(frozen=True, eq=False)
class Sums:
    """What a fit needs of the counts: prior-weighted sums per part, shape (g, series); ``_time`` and ``_square`` are times time, time^2."""

    size: FloatArray  # of the exposure
    cases: FloatArray
    cases_time: FloatArray
    start: FloatArray  # start means
    start_time: FloatArray
    start_square: FloatArray
    work: FloatArray  # start means times working responses less the log exposure
    work_time: FloatArray
    surprise: FloatArray  # y (log y - log exposure), the part of the deviance that no fit changes
    present: FloatArray  # weights

    def each(self) -> list[FloatArray]:
        """Return all of them, in order."""
        return [getattr(self, item.name) for item in fields(self)]


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of a block of series and what all fits to them share; n periods.

    Attributes
    ----------
    layout : Layout
    y : array, shape (n, series)
        Counts, 0 where missing.
    present : array, shape (n, series), or None
        0 where missing, else 1; None if nothing is.
    exposure : array, shape (n, series), or None
        Denominators above 0; any where missing.
    sums : Sums
        With prior weight 1 for every count.
    freedom : array, shape (2, series)
        Residual degrees of freedom without and with a trend.
    spread : array, shape (g, series), or None
        Sum of squares about the mean of each part; None with exposure.
    """

    layout: Layout
    y: FloatArray
    present: FloatArray | None
    exposure: FloatArray | None
    sums: Sums
    freedom: FloatArray
    spread: FloatArray | None

    @classmethod
    def of(cls, layout: Layout, y: FloatArray, present: FloatArray | None = None, exposure: FloatArray | None = None) -> Counts:
        """Prepare counts for fitting."""
        shape = (len(layout.bounds), y.shape[1])
        base = product(present, exposure)
        size = np.broadcast_to(layout.rows[:, None], shape) if base is None else layout.sums(base)
        found = size
        if exposure is not None:
            found = np.broadcast_to(layout.rows[:, None], shape) if present is None else layout.sums(present)
        cells = (_masked(part, present) for part in _per_cell(y, exposure))
        moments = [layout.moments(part, power) for part, power in zip(cells, (1, 2, 1, 0), strict=True)]
        cases, start, work, surprise = moments
        sums = Sums(size, cases[0], cases[1], start[0], start[1], start[2], work[0], work[1], surprise[0], found)
        spread = None
        if exposure is None:
            away = y.copy()
            layout.shift(away, sums.cases / safe(size))
            away *= away
            spread = layout.sums(_masked(away, present, copy=False))
        return cls(layout, y, present, exposure, sums, _freedom(found, present, layout), spread)

    def columns(self, which: IntArray) -> Counts:
        """Return some of the series."""

        def take(part: FloatArray) -> FloatArray:
            return np.take(part, which, axis=-1)

        def maybe(part: FloatArray | None) -> FloatArray | None:
            return None if part is None else take(part)

        sums = Sums(*(take(part) for part in self.sums.each()))
        return Counts(self.layout, take(self.y), maybe(self.present), maybe(self.exposure), sums, take(self.freedom), maybe(self.spread))

    def weighted(self, weights: Weights | None) -> Sums:
        """Return the sums with prior weights."""
        if weights is None:
            return self.sums
        row, column, less = weights.row, weights.column, weights.less
        exposure = None if self.exposure is None else self.exposure[row, column]
        time = self.layout.column[row, 0]
        y, start, work, surprise = _per_cell(self.y[row, column], exposure)
        one = np.ones(y.shape)
        cells = (one if exposure is None else exposure, y, y * time, start, start * time, start * time**2, work, work * time, surprise, one)
        changes = (self.at_parts(row, column, less * cell) for cell in cells)
        return Sums(*(weights.factor * (part + change) for part, change in zip(self.sums.each(), changes, strict=True)))

    def at_parts(self, row: IntArray, column: IntArray, values: FloatArray) -> FloatArray:
        """Return the sums per part, shape (g, series), of values at some cells."""
        shape = self.sums.cases.shape
        key = self.layout.part[row] * shape[1] + column
        return np.asarray(np.bincount(key, values, minlength=shape[0] * shape[1]), dtype=np.float64).reshape(shape)


def _per_cell(y: FloatArray, exposure: FloatArray | None) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return counts, start means, start means x working responses less the log exposure, and y (log y - log exposure)."""
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
    return y, start, work, surprise


def _masked(values: FloatArray, present: FloatArray | None, *, copy: bool = True) -> FloatArray:
    if present is None:
        return values.copy() if copy else values
    return values * present


def product(present: FloatArray | None, exposure: FloatArray | None) -> FloatArray | None:
    """Return present x exposure, where None stands for 1."""
    if present is None or exposure is None:
        return exposure if present is None else present
    return present * exposure


def safe(values: FloatArray) -> FloatArray:
    """Return a divisor: 1 in place of 0."""
    return np.where(values > 0, values, 1.0)


def total(per_part: FloatArray) -> FloatArray:
    """Return the sums over parts."""
    return np.asarray(np.add.reduce(per_part, axis=0))


def information_of(s0: FloatArray, s1: FloatArray, s2: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the weighted mean time of each part and the sum of squares about it."""
    mean = s1 / safe(s0)
    information = total(s2 - mean * s1)
    return mean, np.where(information > _FLAT * total(s2), information, 0.0)


def _freedom(found: FloatArray, present: FloatArray | None, layout: Layout) -> FloatArray:
    """Return observations less estimable parameters, without and with a trend."""
    freedom = total(found) - total((found > 0).astype(np.float64))
    cells = np.ones((len(layout.part), 2)) if present is None else present.copy()
    information = information_of(*layout.moments(cells, 2))[1]
    return np.array([freedom, freedom - np.broadcast_to(information[:1] if present is None else information, freedom.shape).astype(bool)])
