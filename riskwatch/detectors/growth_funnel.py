"""Which series grew more than its siblings did: a window against the same window of years before, for what rises slowly.

A year's count against the two years before it, say, given how all siblings together went on. What moves everything (hospitals that join or
leave, a falling total) is in the siblings' share and makes no alarm; how differently siblings grow anyway is measured and allowed for.

Sources
-------
Conditional comparison of two counts: Przyborowski & Wilenski (1940), Biometrika 31(3/4), 313-323.
Over-dispersion of siblings: Spiegelhalter (2005), Statistics in Medicine 24(8), 1185-1202; see
:mod:`riskwatch.detectors.funnel_limits`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.calendar import periods_per_year
from riskwatch.detectors.baselines import frequency_of
from riskwatch.detectors.failures import siblings
from riskwatch.detectors.funnel_limits import Spread, p_values, scores, spread_of
from riskwatch.detectors.parameters import Parameters, parameter
from riskwatch.detectors.signals import REASONS, Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel

__all__ = ["GrowthFunnel"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

_REASON = {text: number for number, text in enumerate(REASONS)}
_LARGEST = 2.0**40  # counts beyond are not searched for a limit


@dataclass(frozen=True)
class GrowthFunnel(Parameters):
    """Test whether a series' newest window holds a larger share of its own years than its siblings' windows do of theirs.

    Siblings are the series of one stratum that are summed over the same dimensions.

    Parameters
    ----------
    window_periods : int
        Newest periods that are summed up, the judged one included: 1 compares with the same period of the years before, a year's number
        of them years with years. In a longer window than 1, a judged count below its own expectation is no evidence, whatever came before
        (its p-value is at least one half).
    years_back : int
        Years before of which the same window is compared with. Windows never overlap: one of more than a year is compared with those
        two, four, ... years before.
    adjustment : {"additive", "multiplicative", "none"}
        How siblings that grow differently anyway are allowed for: a variance tau2 between their shares (counts of cases), or scores divided
        by sqrt(phi) (estimates, each person of which stands for many).
    winsorise : float
        Share of the siblings' scores at each end that is drawn in before their spread is measured.
    limits : {"exact", "normal"}
        Binomial (beta-binomial with tau2), or normal: for counts in the thousands.
    min_siblings : int
        With fewer siblings that have ``min_total`` nothing is judged (reason "too-few-cases").
    min_total : int
        Fewer cases of a series in all its windows together are not judged (reason "too-short"). The test is conditional on this total, so
        leaving thin series out chooses none for having risen, and they are no tests of the run.
    min_known : float
        Share of the window's periods that must be known in every year (reason "too-short"); the others are left out of all years.
    alpha : float
        One-sided level of the upper limit.
    """

    name: ClassVar[str] = "growth-funnel"

    window_periods: int = parameter(1, minimum=1, maximum=800, unit="periods")
    years_back: int = parameter(2, minimum=1, maximum=20, unit="years")
    adjustment: Literal["additive", "multiplicative", "none"] = parameter("additive", choices=("additive", "multiplicative", "none"))
    winsorise: float = parameter(0.1, minimum=0.0, below=0.5, unit="share")
    limits: Literal["exact", "normal"] = parameter("exact", choices=("exact", "normal"))
    min_siblings: int = parameter(10, minimum=2, unit="series")
    min_total: int = parameter(10, minimum=1, unit="cases")
    min_known: float = parameter(0.7, above=0.0, maximum=1.0, unit="share of the window")
    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")

    def _step(self, frequency: str) -> int:
        """Return how many periods lie between the ends of two windows: whole years, at least one window."""
        year = periods_per_year(frequency)
        return -(-self.window_periods // year) * year

    def min_periods(self, frequency: str) -> int:
        """Return how many periods, the judged one included, a panel must have; with fewer nothing is judged."""
        return self.years_back * self._step(frequency) + self.window_periods

    def memory(self, frequency: str) -> int:  # noqa: ARG002 - part of the interface
        """Return how many newest periods are weighed together for one judgement."""
        return self.window_periods

    def detect(self, panel: Panel, periods: pd.PeriodIndex | None = None) -> Signals:
        """Compare each series' growth with its siblings' in each of ``periods`` (default: the newest).

        Parameters
        ----------
        panel : Panel
            ``observed`` are counts, whole numbers; exposure is not used.
        periods : PeriodIndex, optional
            Periods of the panel.

        Returns
        -------
        Signals
            ``expected`` is what the siblings' growth makes of the judged period's own anniversaries; ``upper`` is the largest count of the
            judged period that would not have alarmed after the periods before it in the window, -1 where even no case would.

        Raises
        ------
        DetectorError
            If a count is not a whole number, or a period is not in the panel.
        """
        frequency = frequency_of(panel.periods)
        with np.errstate(invalid="ignore"):
            odd = np.isfinite(panel.observed) & (panel.observed != np.floor(panel.observed))
        if odd.any():
            row, column = np.argwhere(odd)[0]
            raise DetectorError(
                f"{self.name}: counts must be whole numbers, got {panel.observed[row, column]:g} for series {panel.index[row]!r} "
                f"in {panel.periods[column]}"
            )
        judged = positions_of(panel, periods, self.name)
        out = empty_signals(panel, judged, self.name, self.hash)
        groups = siblings(panel.index)
        for column, now in enumerate(judged.tolist()):
            reason = out.reason[:, column]
            if now + 1 < self.min_periods(frequency):
                reason[:] = _REASON["too-short"]
            else:
                for rows in groups:
                    self._judge(out, panel.observed[rows], rows, at=(column, now), frequency=frequency)
            reason[np.isnan(panel.observed[:, now])] = _REASON["missing"]
            if panel.exposure is not None:
                reason[panel.exposure[:, now] == 0] = _REASON["no-exposure"]
            for values in (out.expected, out.lower, out.upper, out.p_value):
                values[reason != 0, column] = np.nan
            out.alarm[reason != 0, column] = False
        return out

    def _judge(self, out: Signals, counts: FloatArray, rows: IntArray, *, at: tuple[int, int], frequency: str) -> None:
        """Judge one group of siblings in one period and fill in its signals; ``at`` is the column and the period."""
        column, now = at
        window, step = self.window_periods, self._step(frequency)
        ends = now + 1 - step * np.arange(self.years_back + 1)
        years = np.stack([counts[:, end - window : end] for end in ends])  # year (newest first) x series x period of the window
        known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(years).all(axis=0))
        years = np.where(known, years, 0.0)
        x_now = years[0, :, -1]
        before, past = years[0].sum(axis=1) - x_now, years[1:].sum(axis=(0, 2))
        total = before + x_now + past
        use = (total >= self.min_total) & (known.mean(axis=1) >= self.min_known) & known[:, -1]
        reason = np.where(use, 0, _REASON["too-short"])
        if use.sum() < self.min_siblings or not 0 < (before + x_now)[use].sum() < total[use].sum():
            reason[use] = _REASON["too-few-cases"]
            out.reason[rows, column] = reason
            return
        out.reason[rows, column] = reason
        x_now, before, past, own_past = x_now[use], before[use], past[use], years[1:, use, -1].sum(axis=0)
        share = float((before + x_now).sum() / (before + x_now + past).sum())
        spread = self._spread(before + x_now, before + x_now + past, share)
        expected = own_past * share / (1.0 - share)

        def tail(x: FloatArray) -> FloatArray:
            newest = before + x
            p = p_values(newest, newest + past, np.full(x.shape, share), spread, self.limits)
            return np.where(x < expected, np.maximum(p, 0.5), p) if window > 1 else p

        where = (rows[use], column)
        out.expected[where], out.p_value[where] = expected, tail(x_now)
        out.upper[where] = _largest(tail, self.alpha, expected)
        # What the same margin below would be: the count that siblings' growth reaches in all but alpha of cases.
        out.lower[where] = np.minimum(np.maximum(_largest(tail, 1.0 - self.alpha, expected) + 1.0, 0.0), expected)
        out.alarm[where] = x_now > out.upper[where]

    def _spread(self, newest: FloatArray, total: FloatArray, share: float) -> Spread:
        """Return how differently the siblings grew, as far as it is to be used."""
        if self.adjustment == "none":
            return Spread()
        both = spread_of(scores(newest, total, share), total, share, winsorise=self.winsorise, consistent=True)
        return Spread(both.phi, 0.0) if self.adjustment == "multiplicative" else Spread(1.0, both.tau2)


def _largest(tail: Callable[[FloatArray], FloatArray], level: float, expected: FloatArray) -> FloatArray:
    """Return the largest whole count of each series whose p-value is above ``level``: -1 where that of 0 is not, infinite where all are.

    ``tail`` falls as the count rises, so the interval between a count that is above and one that is not is halved until they meet.
    """
    low, high = np.full(expected.shape, -1.0), np.ceil(4.0 * expected) + 8.0
    while (open_ended := (tail(high) > level) & (high < _LARGEST)).any():
        low, high = np.where(open_ended, high, low), np.where(open_ended, 4.0 * high, high)
    beyond = tail(high) > level
    while (high - low > 1.0).any():
        middle = np.floor((low + high) / 2.0)
        above = tail(middle) > level
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(beyond, np.inf, low)
