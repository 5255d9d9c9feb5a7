"""Terms whose share of the records has risen: weighted log-odds with an exact conditional tail as a detector.

Sources: see :mod:`riskwatch.detectors.log_odds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors.baselines import frequency_of
from riskwatch.detectors.failures import checked_counts, pooled, siblings
from riskwatch.detectors.history_window import TWO_YEARS, given_or_usual, history_before
from riskwatch.detectors.log_odds import conditional_tail, dispersion, limits, posterior_share
from riskwatch.detectors.parameters import Parameters, parameter
from riskwatch.detectors.signals import REASONS, Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.panel import Panel

__all__ = ["Compared", "LogOddsDirichlet"]

FloatArray = npt.NDArray[np.float64]

_REASON = {text: number for number, text in enumerate(REASONS)}


@dataclass(frozen=True, eq=False)
class Compared:
    """Window against baseline, arrays of shape (series,): records with the term, all records, and the correlation of blocks of time."""

    now: FloatArray
    before: FloatArray
    n_now: FloatArray
    n_before: FloatArray
    rho: FloatArray
    seen: npt.NDArray[np.int64]  # baseline periods with records


@dataclass(frozen=True)
class LogOddsDirichlet(Parameters):
    """Judge whether a larger share of the newest records holds a term than of earlier ones.

    Parameters
    ----------
    window_periods : int
        Newest periods that are summed up, the judged one included.
    history_periods : int or None
        Newest periods of the baseline. None: two years.
    guard_periods : int or None
        Periods between baseline and window: a growing term is not its own past. None: 4 weeks, 1 month, 1 block, 28 days.
    min_history_periods : int or None
        Periods with records that the baseline must have. None: about a quarter.
    prior_records : float
        Weight of the informative prior, in records, by which the expected share is drawn to that of window and baseline together.
    min_total : int
        Terms with fewer records in window and baseline together are not judged (reason "too-few-cases").
    pool_strata : bool
        Learn from the series of all strata how unevenly terms come (strata that are terms); else from those of one stratum.
    alpha : float
        One-sided level of the upper limit.
    """

    name: ClassVar[str] = "log-odds-dirichlet"

    window_periods: int = parameter(1, minimum=1, maximum=400, unit="periods")
    history_periods: int | None = parameter(None, minimum=1, kind=int, optional=True, unit="periods")
    guard_periods: int | None = parameter(None, minimum=0, kind=int, optional=True, unit="periods")
    min_history_periods: int | None = parameter(None, minimum=1, kind=int, optional=True, unit="periods")
    prior_records: float = parameter(500.0, above=0.0, unit="records")
    min_total: int = parameter(3, minimum=1, unit="records")
    pool_strata: bool = parameter(default=False)
    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")

    def _shape(self, frequency: str) -> tuple[int, int, int]:
        """Return history, guard and shortest history in periods."""
        given = (self.history_periods, self.guard_periods, self.min_history_periods)
        history, guard, shortest = given_or_usual(given, TWO_YEARS[frequency])
        return history, guard, min(shortest, history)

    def min_periods(self, frequency: str) -> int:
        """Return how many periods, the judged one included, a panel must have; with fewer nothing is judged."""
        _, guard, shortest = self._shape(frequency)
        return shortest + guard + self.window_periods

    def memory(self, frequency: str) -> int:  # noqa: ARG002 - part of the interface
        """Return how many newest periods are weighed together for one judgement."""
        return self.window_periods

    def detect(self, panel: Panel, periods: pd.PeriodIndex | None = None) -> Signals:
        """Judge each of ``periods`` (default: the newest) with what came before it.

        Parameters
        ----------
        panel : Panel
            ``observed`` are records that hold the term, ``exposure`` all records; whole numbers.
        periods : PeriodIndex, optional
            Periods of the panel.

        Returns
        -------
        Signals
            ``expected`` is the baseline's share of the judged period's records; ``upper`` is the largest count of the judged period that
            would not have alarmed, given the periods before it in the window.

        Raises
        ------
        DetectorError
            Without exposure, if a count is not a whole number, or records with the term exceed all records.
        """
        frequency = frequency_of(panel.periods)
        x, n = checked_counts(panel, self.name)
        judged = positions_of(panel, periods, self.name)
        out = empty_signals(panel, judged, self.name, self.hash)
        shortest = self._shape(frequency)[2]
        for column, now in enumerate(judged.tolist()):
            found = self.compare(panel, now)
            reason = out.reason[:, column]
            reason[found.now + found.before < self.min_total] = _REASON["too-few-cases"]
            reason[found.seen < shortest] = _REASON["too-short"]
            reason[np.isnan(x[:, now]) | np.isnan(n[:, now])] = _REASON["missing"]
            reason[n[:, now] == 0] = _REASON["no-exposure"]
            rows = np.flatnonzero(reason == 0)
            if rows.size:
                self._judge(out, column, rows, found, (x[rows, now], n[rows, now]))
        return out

    def compare(self, panel: Panel, now: int) -> Compared:
        """Return window and baseline of the period at position ``now``; periods that are not known count as empty."""
        history, guard, _ = self._shape(frequency_of(panel.periods))
        x, n = checked_counts(panel, self.name)
        known = np.isfinite(x) & np.isfinite(n)
        x, n = np.where(known, x, 0.0), np.where(known, n, 0.0)
        begin = max(now - self.window_periods + 1, 0)
        past = history_before(begin, history, guard)
        rho = np.zeros(len(x))
        # Blocks as long as the window, counted back from the newest; what is left at the far end is in no block.
        many = (past.stop - past.start) // self.window_periods
        first = past.stop - many * self.window_periods
        cut = [values[:, first : past.stop].reshape(len(x), many, self.window_periods).sum(axis=2) for values in (x, n)]
        for rows in self._siblings(panel.index):
            rho[rows] = dispersion(cut[0][rows], cut[1][rows])
        return Compared(
            now=x[:, begin : now + 1].sum(axis=1),
            before=x[:, past].sum(axis=1),
            n_now=n[:, begin : now + 1].sum(axis=1),
            n_before=n[:, past].sum(axis=1),
            rho=rho,
            seen=(n[:, past] > 0).sum(axis=1),
        )

    def _siblings(self, index: pd.Index[str]) -> list[npt.NDArray[np.intp]]:
        return siblings(pooled(index, strata=self.pool_strata))

    def _judge(self, out: Signals, column: int, rows: npt.NDArray[np.intp], found: Compared, newest: tuple[FloatArray, FloatArray]) -> None:
        """Fill in the judgement of some series; ``newest`` are records with the term and all records of the judged period."""
        now, before, n_now, n_before, rho = (values[rows] for values in (found.now, found.before, found.n_now, found.n_before, found.rho))
        count, size = newest
        rest = now - count
        share = posterior_share(before, n_before, (now + before) / (n_now + n_before), self.prior_records)
        low, high = limits(self.alpha, before, n_now=n_now, n_before=n_before, rho=rho)
        tail = conditional_tail(now, before, n_now=n_now, n_before=n_before, rho=rho)
        upper = np.maximum(high - rest, 0.0)
        out.expected[rows, column] = size * share
        out.upper[rows, column] = upper
        out.lower[rows, column] = np.maximum(low - rest, 0.0)
        # Without a record in the judged period itself there is nothing to tell, whatever came before it.
        out.p_value[rows, column] = np.where(count > 0, tail, 1.0)
        out.alarm[rows, column] = count > upper
