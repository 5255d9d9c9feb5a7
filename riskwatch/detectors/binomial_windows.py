"""Evidence of failures summed over windows of one to three periods, and the joint level of the smallest of their tail probabilities.

The counterpart for shares of :mod:`riskwatch.detectors.windows`. The failures of a window are beta-binomial with the average correlation of
its pairs of inspections: within a period r + rho (1 - r), between periods r, the error of the long-run rate, which all periods share. The
score of a series is the smallest of the windows' tail probabilities, each multiplied by the window's cost; its p-value is the probability
of a score this small in a period whose own count reaches its expectation. The windows' limits have exact tails; that several are reached at
once is taken from normal scores with the same correlations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskwatch.detectors.windows import chain_probability
from riskwatch.rates import beta_binomial

__all__ = ["WINDOWS", "BinomialWindows", "Rates", "newest_counts"]

FloatArray = npt.NDArray[np.float64]

WINDOWS = 3
_LARGEST = 1e12  # a + b of a rate that is all but certain
# Most inspections of a window whose tails are tabulated, series at a time, and cells of a table at a time.
_TABLE, _BLOCK, _CELLS = 20_000.0, 512, 250_000
_ALIKE = 1.0 + 1e-9  # tails that differ by rounding are the same


@dataclass(frozen=True, eq=False)
class Rates:
    """What the baseline says of each series; arrays of shape (series,).

    Parameters
    ----------
    rate : array, shape (series,) or (3, series)
        Expected share that fails; by period, newest first, where it differs between them.
    error : array
        Correlation r between inspections of different periods, from the error of the long-run rate.
    correlation : array
        rho, between inspections of one period given the long-run rate.
    """

    rate: FloatArray
    error: FloatArray
    correlation: FloatArray

    def at(self, rows: npt.NDArray[np.intp]) -> Rates:
        """Return those of some series."""
        return Rates(self.rate[..., rows], self.error[rows], self.correlation[rows])


def newest_counts(x: FloatArray, n: FloatArray, now: int, periods: int) -> tuple[FloatArray, FloatArray]:
    """Return failures and inspections of the newest ``periods`` up to ``now``, shape (3, series); 0 where unknown or not to be used.

    Parameters
    ----------
    x, n : array, shape (series, period)
    now : int
    periods : int
    """
    failed, inspected = np.zeros((2, WINDOWS, len(x)))
    for lag in range(min(periods, now + 1)):
        known = np.isfinite(x[:, now - lag]) & np.isfinite(n[:, now - lag])
        failed[lag], inspected[lag] = (np.where(known, values[:, now - lag], 0.0) for values in (x, n))
    return failed, inspected


@dataclass(frozen=True)
class BinomialWindows:
    """The windows of one, two and three periods, and what a longer one costs.

    Attributes
    ----------
    costs : tuple of float
        Natural logarithm by which each window's tail probability is raised; 0 for the first, above 0 for the others.
    mid_p : bool
        Half of the judged count's own step counts: levels are right on average instead of at most.
    """

    costs: tuple[float, float, float]
    mid_p: bool = False

    def judge(self, alpha: float, x: FloatArray, n: FloatArray, rates: Rates) -> tuple[FloatArray, FloatArray]:
        """Return p-values of the judged counts, and the largest counts of the judged period whose p-value exceeds ``alpha``.

        A count below its expectation is no evidence, whatever came before: its p-value is that of the period alone, and at least one half;
        the largest quiet count is at least the expectation rounded up, less 1.

        Parameters
        ----------
        alpha : float
        x, n : array, shape (3, series)
            Failures and inspections of the judged period and of the two before it, newest first; both 0 where a period is missing or not
            to be used.
        rates : Rates
        """
        p, upper = np.empty(x.shape[1]), np.empty(x.shape[1])
        total = n.sum(axis=0)
        order = np.argsort(total, kind="stable")  # alike in size together: their tables are alike
        for rows in _parts(total[order], order):
            shapes = _Shapes.of(n[:, rows], rates.at(rows))
            p[rows] = self._p_value(x[:, rows], shapes)
            upper[rows] = self._largest_quiet(alpha, x[1:, rows], shapes)
        # The search and the p-value tell the same story even where rounding makes the p-value rise with the count.
        return p, np.where(p <= alpha, np.minimum(upper, x[0] - 1.0), np.maximum(upper, x[0]))

    def span(self, x: FloatArray, n: FloatArray, rates: Rates) -> npt.NDArray[np.int64]:
        """Return the periods of the window that speaks loudest, its cost reckoned in; arguments as for :meth:`judge`."""
        shapes = _Shapes.of(n, rates)
        return np.asarray(1 + self._raised(x, shapes)[1].argmin(axis=0), dtype=np.int64)

    def _p_value(self, x: FloatArray, shapes: _Shapes) -> FloatArray:
        out = self._strict(x, shapes)
        if not self.mid_p:
            return out
        # Half of the judged count's own step: the mean of the p-values of this count and of the next larger one, which is 0 beyond the
        # last.
        low = x[0] < shapes.reach
        next_ = np.minimum(x[0] + 1.0, shapes.n[0] + 1.0)
        out[low] = np.maximum((shapes.tail(0, x[0]) + shapes.tail(0, next_))[low] / 2.0, 0.5)
        after = np.zeros(out.shape)
        at = np.flatnonzero(~low & (x[0] < shapes.n[0]))
        after[at] = self._strict(np.vstack([x[:1] + 1.0, x[1:]])[:, at], shapes.at(at))
        return np.where(low, out, (out + after) / 2.0)

    def _largest_quiet(self, alpha: float, before: FloatArray, shapes: _Shapes) -> FloatArray:
        low, high = shapes.reach - 1.0, shapes.n[0].copy()  # low is quiet
        open_ = np.flatnonzero(low < high)
        while open_.size:
            # From the expectation outwards: most answers lie near it.
            middle = np.minimum(np.ceil((low[open_] + high[open_]) / 2.0), 4.0 * low[open_] + 4.0)
            quiet = self._p_value(np.vstack([middle, before[:, open_]]), shapes.at(open_)) > alpha
            low[open_] = np.where(quiet, middle, low[open_])
            high[open_] = np.where(quiet, high[open_], middle - 1.0)
            open_ = open_[low[open_] < high[open_]]
        return low

    def _raised(self, x: FloatArray, shapes: _Shapes) -> tuple[FloatArray, FloatArray]:
        """Return the tail probability of each window's sum, as it is and raised by the window's cost."""
        totals = np.cumsum(x, axis=0)
        tails = np.stack([shapes.tail(window, totals[window]) for window in range(len(self.costs))])
        return tails, tails * np.exp(np.asarray(self.costs))[:, None]

    def _strict(self, x: FloatArray, shapes: _Shapes) -> FloatArray:
        """Return the probability of a score at least as extreme."""
        tails, raised = self._raised(x, shapes)
        score, best = raised.min(axis=0), raised.argmin(axis=0)
        out = np.maximum(tails[0], 0.5)
        at = np.flatnonzero(x[0] >= shapes.reach)
        if not at.size:
            return np.asarray(out)
        part = shapes.at(at)
        reached = np.empty((len(self.costs), at.size))
        for window, cost in enumerate(self.costs):
            level = score[at] * np.exp(-cost)
            # Of many inspections, whole counts are close enough together to reach any level.
            reached[window] = np.where(
                best[at] == window, tails[window, at], level if part.tables is None else part.attained(window, level)
            )
        out[at] = chain_probability(reached, part.tail(0, part.reach), part.rho)
        return np.asarray(out)


def _parts(total: FloatArray, order: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
    """Return the series, sorted by their inspections, in parts whose tables are small; those without a table by themselves."""
    few = int(np.searchsorted(total, _TABLE, side="right"))
    parts, low = [], 0
    while low < few:
        # As many as fit a table of the width that the last of them needs.
        high = low + 1
        while high < few and high - low < _BLOCK and (high + 1 - low) * (total[high] + 2.0) <= _CELLS:
            high += 1
        parts.append(order[low:high])
        low = high
    return parts + [order[start : start + _BLOCK] for start in range(few, len(order), _BLOCK)]


@dataclass(frozen=True, eq=False)
class _Shapes:
    """The beta-binomial distributions of the windows' sums; arrays (window, series), ``rho`` between neighbouring windows."""

    n: FloatArray
    a: FloatArray
    b: FloatArray
    rho: FloatArray
    reach: FloatArray
    tables: tuple[FloatArray, ...] | None  # P(sum >= count) by window, arrays (series, count); none where there are too many counts

    @classmethod
    def of(cls, n: FloatArray, rates: Rates) -> _Shapes:
        total = np.cumsum(n, axis=0)
        within = np.cumsum(n * np.maximum(n - 1.0, 0.0), axis=0)
        pairs = total * np.maximum(total - 1.0, 0.0)
        r, joint = rates.error, rates.error + rates.correlation * (1.0 - rates.error)
        with np.errstate(divide="ignore", invalid="ignore"):
            common = np.where(pairs > 0, (within * joint + (pairs - within) * r) / pairs, joint)
        strength = np.minimum(1.0 / np.maximum(common, 1.0 / _LARGEST) - 1.0, _LARGEST)
        # In units of rate (1 - rate): the variance of each sum, and its covariance with the next longer one.
        variance = total + pairs * common
        shared = variance[:-1] + total[:-1] * n[1:] * r
        with np.errstate(divide="ignore", invalid="ignore"):
            rho = np.where(variance[:-1] > 0, shared / np.sqrt(variance[:-1] * variance[1:]), 0.0)
        # The share of a window is that of its inspections.
        first, share = rates.rate, rates.rate
        if share.ndim > 1:
            first = share[0]
            share = np.where(total > 0, np.cumsum(n * share, axis=0) / np.maximum(total, 1.0), first)
        a, b = share * strength, (1.0 - share) * strength
        tables = None
        if total[-1].max(initial=0.0) <= _TABLE:
            tables = tuple(_tails(*(part[:, None] for part in shape)) for shape in zip(total, a, b, strict=True))
        return cls(total, a, b, np.minimum(rho, 1.0), np.maximum(np.ceil(n[0] * first), 1.0), tables)

    def at(self, rows: npt.NDArray[np.intp]) -> _Shapes:
        tables = None if self.tables is None else tuple(table[rows] for table in self.tables)
        return _Shapes(self.n[:, rows], self.a[:, rows], self.b[:, rows], self.rho[:, rows], self.reach[rows], tables)

    def tail(self, window: int, count: FloatArray) -> FloatArray:
        """Return the probability that a window's sum reaches ``count``, at most one more than inspected."""
        if self.tables is None:
            return beta_binomial.tail(np.minimum(count, self.n[window] + 1.0), self.n[window], self.a[window], self.b[window])
        return np.asarray(
            np.take_along_axis(self.tables[window], np.minimum(count, self.n[window] + 1.0).astype(np.intp)[:, None], axis=1)[:, 0]
        )

    def attained(self, window: int, level: FloatArray) -> FloatArray:
        """Return the tail probability of the smallest count at which it is at most ``level``; only with tables."""
        table = self.tables[window] if self.tables is not None else np.empty((0, 0))
        limit = (table > (level * _ALIKE)[:, None]).sum(axis=1)
        return np.asarray(np.take_along_axis(table, limit[:, None], axis=1)[:, 0])


def _tails(n: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Return P(X >= 0), P(X >= 1), ... to one more than the largest n, where it is 0."""
    count = np.arange(n.max(initial=0.0) + 2.0)
    # Summed from the largest count down: small tails keep their digits, and what lies beyond n adds exact zeros.
    tails = np.cumsum(beta_binomial.mass(count, n, a, b)[:, ::-1], axis=1)[:, ::-1]
    return np.where(count == 0, 1.0, np.minimum(tails, 1.0))
