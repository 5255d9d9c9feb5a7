"""Pairs of product and injury, or product and hazard, that have become more frequent together than their margins explain.

Sources
-------
Ratios and their prior: DuMouchel (1999), Amer. Statist. 53(3), 177-190. Comparison with the past: :mod:`riskwatch.detectors.pair_change`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors.baselines import frequency_of
from riskwatch.detectors.gamma_poisson import Posterior, posterior
from riskwatch.detectors.history_window import SummedWindow, history_before
from riskwatch.detectors.pair_change import discounted, largest_quiet, learn_memory, poisson_tail, predictive_tail
from riskwatch.detectors.pair_panel import Pairs, blocks_of, expected_of_blocks, learn_prior, tables_of
from riskwatch.detectors.parameters import parameter
from riskwatch.detectors.signals import REASONS, Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.panel import Panel

__all__ = ["GammaPoissonShrinker"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_REASON = {text: number for number, text in enumerate(REASONS)}
# History, guard and shortest history by frequency: three years, a month, half a year.
_BY_FREQUENCY = {"day": (1095, 28, 182), "week": (156, 4, 26), "4-week": (39, 1, 6), "month": (36, 1, 6)}


@dataclass(frozen=True)
class GammaPoissonShrinker(SummedWindow):
    """Test whether a pair is disproportionate now and was less so before.

    The expected count of a pair follows from how many cases its product has and how many its hazard has, in the same weeks: a product
    that becomes popular, or a hazard that is looked for everywhere, makes no signal. The pair's own past tells how its ratio to that
    expectation has been; a pair that was always high is known, not new. The ratios of all pairs of the table give the prior.

    A series must have a stratum: it is the right label of the pair. Without strata, series are compared with equal shares of their sum.

    Parameters
    ----------
    history_periods : int or None
        Newest periods of the past. None: three years.
    guard_periods : int or None
        Periods between the past and the judged window. None: 4 weeks, 1 month, 1 block, 28 days.
    min_history_periods : int or None
        Periods with counts that the past must have. None: half a year.
    window_periods : int
        Periods, the judged one last, over which cases are summed before they are compared. The past is cut in blocks of this length.
    min_ratio : float
        A ratio to independence up to this is no disproportion, whatever the past was.
    alpha : float
        One-sided level of the upper limit.
    min_share : float
        Periods of which less than this share has been reported are not judged (reason "unripe").
    """

    name: ClassVar[str] = "gamma-poisson-shrinker"
    usual: ClassVar[Mapping[str, tuple[int, int, int]]] = _BY_FREQUENCY

    min_ratio: float = parameter(1.0, minimum=1.0, unit="observed over independence")
    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")
    min_share: float = parameter(0.3, above=0.0, maximum=1.0, unit="share reported")

    def detect(self, panel: Panel, periods: pd.PeriodIndex | None = None) -> Signals:
        """Judge each of ``periods`` (default: the newest) with what came before it.

        Parameters
        ----------
        panel : Panel
            ``observed`` are counts; exposure is left aside. Margins are sums over the panel's series, so thin series must not be left
            out or rolled up (``sparse: {min_total: 1, min_active_periods: 1, roll_up: []}``).
        periods : PeriodIndex, optional
            Periods of the panel.

        Returns
        -------
        Signals
            ``expected`` is the count of the judged period under independence, times the ratio that the past leads to expect (at least
            ``min_ratio``); ``upper`` is the largest count of the judged period that would not have alarmed with these margins, given
            the others of the window. ``p_value`` is the larger of two: that of the window's count given the pair's past, and that under
            ``min_ratio``; a pair without a past is judged given that it has a case.
        """
        frequency_of(panel.periods)
        judged = positions_of(panel, periods, self.name)
        out = empty_signals(panel, judged, self.name, self.hash)
        tables = tables_of(panel)
        for column, now in enumerate(judged.tolist()):
            for pairs in tables:
                self._judge(panel, now, pairs, out, column)
        return out

    def _judge(self, panel: Panel, now: int, pairs: Pairs, out: Signals, column: int) -> None:
        history, guard, shortest = self._shape(frequency_of(panel.periods))
        rows, complete = pairs.rows, panel.completeness
        observed = panel.observed[rows]
        counts = observed if complete is None else np.where(complete.share[rows] < 1.0, np.nan, observed)
        begin = max(now - self.window_periods + 1, 0)
        past = counts[:, history_before(begin, history, guard)]
        window = observed[:, begin : now + 1].sum(axis=1)
        seen = np.asarray((np.nan_to_num(observed[:, :begin]) > 0).any(axis=1), np.bool_)

        reason = np.zeros(len(rows), np.uint8)
        if complete is not None:
            reason[complete.share[rows, now] < self.min_share] = _REASON["unripe"]
        reason[~seen & (window == 0)] = _REASON["too-few-cases"]
        reason[np.isfinite(past).sum(axis=1) < shortest] = _REASON["too-short"]
        reason[np.isnan(window)] = _REASON["missing"]
        out.reason[rows, column] = reason
        chosen = np.flatnonzero(reason == 0)
        if not chosen.size:
            return
        known = self._known(pairs, blocks_of(past, self.window_periods), chosen)
        expected = expected_of_blocks(pairs, window[:, None])[chosen, 0]
        newest = observed[chosen, now]
        newly = expected_of_blocks(pairs, observed[:, now, None])[chosen, 0]
        tail = _Tail(known, expected, self.min_ratio, ~seen[chosen])
        centre = expected * np.maximum(known.mean, self.min_ratio)
        rest = window[chosen] - newest
        mean = newly * np.maximum(known.mean, self.min_ratio)
        upper = np.maximum(largest_quiet(tail, self.alpha, centre) - rest, 0.0)
        # Without a case in the judged period itself there is nothing to tell, whatever came before it.
        p = np.where(newest > 0, tail(window[chosen], np.arange(len(chosen))), 1.0)
        at = rows[chosen]
        out.expected[at, column] = mean
        out.upper[at, column] = upper
        out.lower[at, column] = np.minimum(np.maximum(largest_quiet(tail, 1.0 - self.alpha, centre) - rest, 0.0), np.floor(mean))
        out.p_value[at, column] = p
        out.alarm[at, column] = newest > upper

    def _known(self, pairs: Pairs, blocks: FloatArray, chosen: npt.NDArray[np.intp]) -> Posterior:
        """Return what the past says of the chosen pairs' ratios."""
        e = expected_of_blocks(pairs, blocks)
        n = np.nan_to_num(blocks)
        whole, expected = n.sum(axis=1), e.sum(axis=1)
        prior = learn_prior(pairs, blocks, whole, expected)
        memory = learn_memory(prior, n, e)
        return discounted(posterior(prior, whole[chosen], expected[chosen]), memory)


class _Tail:
    """P-value of a window's count as a function of the count: not as before, and not explained by independence either."""

    def __init__(self, known: Posterior, expected: FloatArray, min_ratio: float, new: BoolArray) -> None:
        self._known, self._expected, self._usual = known, expected, expected * min_ratio
        one = np.ones(len(expected))
        # A pair is listed because of its first case: what is uncertain is how many came with it.
        self._new = new
        self._first = [np.where(new, first, 1.0) for first in (predictive_tail(one, known, expected), poisson_tail(one, self._usual))]

    def __call__(self, y: FloatArray, rows: npt.NDArray[np.intp]) -> FloatArray:
        tails = (predictive_tail(y, self._known.take(rows), self._expected[rows]), poisson_tail(y, self._usual[rows]))
        both = [
            np.divide(tail, first[rows], out=np.ones_like(tail), where=first[rows] > 0)
            for tail, first in zip(tails, self._first, strict=True)
        ]
        return np.where((y > 1) | ~self._new[rows], np.minimum(np.maximum(*both), 1.0), 1.0)
