"""Combinations with little or no past, judged by how new combinations have appeared and grown before: empirical Bayes.

Sources
-------
Gamma-Poisson empirical Bayes: Robbins (1956), Proc. 3rd Berkeley Symp. 1, 157-163; Good (1953), Biometrika 40, 237-264.
Marginal likelihood of a negative binomial with a beta prior (generalised Waring distribution): Irwin (1968), J. R. Statist. Soc. A
131(2), 205-225. Predictive tail as p-value: Box (1980), J. R. Statist. Soc. A 143(4), 383-430.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, special

from riskwatch.detectors import beta_negative_binomial as bnb
from riskwatch.detectors.baselines import frequency_of
from riskwatch.detectors.failures import pooled, siblings
from riskwatch.detectors.history_window import SummedWindow, history_before
from riskwatch.detectors.parameters import parameter
from riskwatch.detectors.signals import REASONS, Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.panel import Panel

__all__ = ["NewEvent", "Past", "Prior", "estimate_prior", "past_of"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_REASON = {text: number for number, text in enumerate(REASONS)}
# History, guard and shortest history by frequency: three years, a month, two months.
_BY_FREQUENCY = {"day": (1095, 28, 56), "week": (156, 4, 8), "4-week": (39, 1, 3), "month": (36, 1, 3)}
_LOWEST, _HIGHEST = (1e-9, 1e-3, 1e-3), (1e10, 1e6, 1e6)


@dataclass(frozen=True, slots=True)
class Prior:
    """How fast combinations run that have appeared: counts of a block are negative binomial with a rate of their own.

    Parameters
    ----------
    mean : float
        Typical cases per block; the mean rate is ``mean / (1 + mean / (size * shape))``.
    shape : float
        Shape of the distribution of rates: below 1 most series are far below the mean.
    size : float
        Size of the negative binomial within one series: the smaller, the more cases come in clusters. Infinite would be Poisson.
    """

    mean: float
    shape: float
    size: float

    @property
    def weight(self) -> float:
        """First parameter of the beta distribution, 2 + size * shape / mean: above 2, so that rates have a variance."""
        return 2.0 + self.size * self.shape / self.mean


@dataclass(frozen=True, eq=False)
class Past:
    """What the history of each series says once its first case is set aside; arrays of shape (series,).

    A series is there because it has had a case, so its first block with cases says nothing about its rate; what comes after does,
    and is not selected for anything: the first case is a stopping time.

    Attributes
    ----------
    blocks : array of float
        Blocks with a count after the first one with cases.
    cases : array of float
        Their sum.
    seen : array of bool
        Whether the series had a case in the history at all.
    late : array of bool
        Whether its first case came only after the quiet time at the start of the history: a newcomer.
    counts, times : array of float, shape (distinct,)
        Distinct positive counts of single blocks among these, all series together, and how often each occurs.
    """

    blocks: FloatArray
    cases: FloatArray
    seen: BoolArray
    late: BoolArray
    counts: FloatArray
    times: FloatArray


def past_of(history: FloatArray, quiet: int) -> Past:
    """Return the past of each series.

    Parameters
    ----------
    history : array, shape (series, block)
        Counts, NaN where missing.
    quiet : int
        Blocks at the start within which a first case does not make a newcomer.
    """
    positive = history > 0
    seen = positive.any(axis=1)
    early = positive[:, :quiet].any(axis=1)
    after = (np.cumsum(positive, axis=1) > positive) & np.isfinite(history)
    counts, times = np.unique(history[after & positive], return_counts=True)
    return Past(
        blocks=after.sum(axis=1).astype(np.float64),
        cases=np.where(after, history, 0.0).sum(axis=1),
        seen=np.asarray(seen),
        late=np.asarray(seen & ~early),
        counts=counts,
        times=times.astype(np.float64),
    )


def estimate_prior(past: Past, chosen: BoolArray, start: Prior | None = None) -> Prior:
    """Return the prior that makes what the chosen series did after their first cases likeliest.

    Parameters
    ----------
    past : Past
    chosen : array of bool, shape (series,)
        The series to learn from.
    start : Prior, optional
        What to believe without them; then ``size`` is taken from it. By default the pooled mean (with half a case more), a shape of
        1/2 and a size of 1. The logs of the parameters are pulled there with the weight of a normal distribution of standard
        deviation 2.

    Notes
    -----
    Sums run over the distinct pairs of cases and blocks in sorted order: the order of the series does not matter.
    """
    if start is not None and not chosen.any():
        return start
    pairs, often = np.unique(np.column_stack([past.cases[chosen], past.blocks[chosen]]), axis=0, return_counts=True)
    cases, blocks, often = pairs[:, 0], pairs[:, 1], often.astype(np.float64)
    if start is None:
        pooled = (float((often * cases).sum()) + 0.5) / (float((often * blocks).sum()) + 1.0)
        start, counts, times = Prior(pooled, 0.5, 1.0), past.counts, past.times
        bounds = list(zip(np.log(_LOWEST), np.log(_HIGHEST), strict=True))
    else:
        counts = times = np.empty(0)
        bounds = [*zip(np.log(_LOWEST[:2]), np.log(_HIGHEST[:2]), strict=True), (math.log(start.size),) * 2]
    centre = np.log([start.mean, start.shape, start.size])

    def loss(point: FloatArray) -> tuple[float, FloatArray]:
        mean, b, r = np.exp(point)
        ratio = r * b / mean
        a = 2.0 + ratio
        total = a + b + blocks * r + cases
        value = float((often * (bnb.log_beta(a + blocks * r, b + cases) - bnb.log_beta(a, b))).sum())
        value += float((times * (special.gammaln(counts + r) - special.gammaln(r))).sum())
        end = special.digamma(total)
        from_a = special.digamma(a + blocks * r) - end
        by_a = float((often * (from_a - special.digamma(a) + special.digamma(a + b))).sum())
        by_b = float((often * (special.digamma(b + cases) - end - special.digamma(b) + special.digamma(a + b))).sum())
        by_r = float((often * blocks * from_a).sum()) + float((times * (special.digamma(counts + r) - special.digamma(r))).sum())
        gradient = np.array([-by_a * ratio, by_a * ratio + by_b * b, by_a * ratio + by_r * r])
        away = (point - centre) / 2.0
        return float(away @ away) / 2.0 - value, away / 2.0 - gradient

    found = optimize.minimize(loss, centre, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200})
    mean, shape, size = np.exp(found.x).tolist()
    return Prior(mean, shape, size)


@dataclass(frozen=True)
class NewEvent(SummedWindow):
    """Test whether a series with little or no past has more cases than newcomers of its kind have had.

    Siblings are the series that are summed over the same dimensions; from what they did after their first cases two priors are
    learnt, one of series known from the start of the history and one of those that appeared later. A series' own past, if it has
    one, updates its prior. A combination that is seen for the first time is not an alarm for its first case: it is judged given that
    it has one. The result for a series depends on its siblings in the panel.

    Parameters
    ----------
    history_periods : int or None
        Newest periods of the past. None: three years.
    guard_periods : int or None
        Periods between the past and the judged window. None: 4 weeks, 1 month, 1 block, 28 days.
    min_history_periods : int or None
        Periods with counts that the past must have; also the quiet time at its start in which nothing counts as new. None: two
        months, three blocks or months.
    window_periods : int
        Periods, the judged one last, over which cases are summed before they are compared. The past is cut in blocks of this length.
    max_expected : float or None
        Series with a greater expected count per period are not judged (reason "enough-history"). None: all are.
    pool_strata : bool
        Series of all strata are siblings, not only those of the same stratum.
    alpha : float
        One-sided level of the upper limit.
    min_share : float
        Periods of which less than this share has been reported are not judged (reason "unripe").
    """

    name: ClassVar[str] = "new-event"
    usual: ClassVar[Mapping[str, tuple[int, int, int]]] = _BY_FREQUENCY

    max_expected: float | None = parameter(None, above=0.0, kind=float, optional=True, unit="cases per period")
    pool_strata: bool = parameter(default=False)
    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")
    min_share: float = parameter(0.3, above=0.0, maximum=1.0, unit="share reported")

    def detect(self, panel: Panel, periods: pd.PeriodIndex | None = None) -> Signals:
        """Judge each of ``periods`` (default: the newest) with what came before it.

        Parameters
        ----------
        panel : Panel
            ``observed`` are counts; exposure is left aside.
        periods : PeriodIndex, optional
            Periods of the panel.

        Returns
        -------
        Signals
            ``expected`` is the mean of the judged period before anything of the window was seen (of a newcomer: given that it has a
            case); ``upper`` is the largest count of the judged period that would not have alarmed, given the others of the window.
        """
        frequency_of(panel.periods)
        judged = positions_of(panel, periods, self.name)
        out = empty_signals(panel, judged, self.name, self.hash)
        groups = siblings(pooled(panel.index, strata=self.pool_strata))
        for column, now in enumerate(judged.tolist()):
            self._judge(panel, now, groups, out, column)
        return out

    def _judge(self, panel: Panel, now: int, groups: list[npt.NDArray[np.intp]], out: Signals, column: int) -> None:
        history, guard, shortest = self._shape(frequency_of(panel.periods))
        width = self.window_periods
        begin = max(now - width + 1, 0)
        complete = panel.completeness
        counts = panel.observed if complete is None else np.where(complete.share < 1.0, np.nan, panel.observed)
        base = history_before(begin, history, guard)
        many = (base.stop - base.start) // width
        blocks = counts[:, base.stop - many * width : base.stop].reshape(len(counts), many, width).sum(axis=2)
        newest, window = panel.observed[:, now], panel.observed[:, begin : now + 1].sum(axis=1)
        before = (np.nan_to_num(panel.observed[:, base.start : begin]) > 0).any(axis=1)
        size, a, b = (np.empty(len(counts)) for _ in range(3))
        for rows in groups:
            past = past_of(blocks[rows], -(-shortest // width))
            common = estimate_prior(past, past.seen)
            for learnt, judged in ((past.seen & ~past.late, past.seen & ~past.late), (past.late, past.late | ~past.seen)):
                prior = estimate_prior(past, learnt, common)
                own = rows[judged]
                size[own] = prior.size
                a[own] = prior.weight + past.blocks[judged] * prior.size
                b[own] = prior.shape + past.cases[judged]

        reason = out.reason[:, column]
        share, error = np.ones(len(counts)), np.zeros(len(counts))
        if complete is not None:
            share = complete.share[:, begin : now + 1].mean(axis=1)
            error = complete.error[:, begin : now + 1].mean(axis=1)
            reason[complete.share[:, now] < self.min_share] = _REASON["unripe"]
            # An uncertain share widens the distribution of the rate: same mean, squared coefficient of variation larger by
            # (error / share)^2.
            narrow = 1.0 / (1.0 + (error / np.maximum(share, self.min_share)) ** 2 * (b * (a - 2.0)) / (a + b - 1.0))
            rate = b / (a - 1.0)
            a = np.where(error > 0, 2.0 + (a - 2.0) * narrow, a)
            b = np.where(error > 0, rate * (a - 1.0), b)
        shift = np.log(np.maximum(share, self.min_share))
        expected = bnb.mean(size, a, b) * np.exp(shift) / width
        if self.max_expected is not None:
            reason[expected > self.max_expected] = _REASON["enough-history"]
        reason[~before & (window == 0)] = _REASON["too-few-cases"]
        reason[np.isfinite(counts[:, base]).sum(axis=1) < shortest] = _REASON["too-short"]
        reason[np.isnan(window)] = _REASON["missing"]
        for chosen, new in ((np.flatnonzero((reason == 0) & before), False), (np.flatnonzero((reason == 0) & ~before), True)):
            if not chosen.size:
                continue
            given = (size[chosen], a[chosen], b[chosen], shift[chosen])
            tail, quantile = (bnb.tail_since_first, bnb.quantile_since_first) if new else (bnb.tail, bnb.quantile)
            rest = window[chosen] - newest[chosen]
            upper = np.maximum(quantile(self.alpha, *given) - rest, 0.0)
            out.expected[chosen, column] = bnb.mean_since_first(*given) / width if new else expected[chosen]
            out.upper[chosen, column] = upper
            out.lower[chosen, column] = np.maximum(quantile(1.0 - self.alpha, *given) - rest, 0.0)
            # Without a case in the judged period itself there is nothing to tell, whatever came before it.
            out.p_value[chosen, column] = np.where(newest[chosen] > 0, tail(window[chosen], *given), 1.0)
            out.alarm[chosen, column] = newest[chosen] > upper
