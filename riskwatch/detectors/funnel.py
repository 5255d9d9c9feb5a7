"""Each series against the total of its siblings in the same period: a funnel plot as a detector.

Sources
-------
Spiegelhalter (2005), Statistics in Medicine 24(8), 1185-1202; see :mod:`riskwatch.detectors.funnel_limits`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors.baselines import frequency_of
from riskwatch.detectors.failures import checked_counts, siblings
from riskwatch.detectors.funnel_limits import Spread, count_limits, p_values, scores, spread_of
from riskwatch.detectors.history_window import TWO_YEARS, given_or_usual
from riskwatch.detectors.parameters import Parameters, parameter
from riskwatch.detectors.signals import REASONS, Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.panel import Panel

__all__ = ["Funnel"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

_REASON = {text: number for number, text in enumerate(REASONS)}


@dataclass(frozen=True)
class Funnel(Parameters):
    """Test whether a series fails more often than its siblings in the same time, at limits that follow the number inspected.

    Siblings are the series of one stratum that are summed over the same dimensions.

    Parameters
    ----------
    window_periods : int
        Newest periods that are summed up for the comparison, the judged one included. In a longer window than 1, a judged count below its
        own expectation is no evidence, whatever came before (its p-value is at least one half).
    within : {"", "product", "industry", "region"}
        Compare only siblings that share this dimension: "product" compares the regions of each product.
    adjustment : {"multiplicative", "additive", "none"}
        How siblings that always differ by more than chance are allowed for: scores divided by sqrt(phi), or a variance tau2 between rates.
    dispersion_from : {"history", "window"}
        Where that is measured: in the windows before (more data, and what is looked for cannot hide itself), or in the judged one
        (Spiegelhalter).
    history_periods : int or None
        Newest periods in which it is measured. None: two years.
    guard_periods : int or None
        Periods between these and the judged window. None: 4 weeks, 1 month, 1 block, 28 days.
    min_history_periods : int or None
        Periods before the judged window that the panel must have. None: about a quarter.
    winsorise : float
        Share of the scores at each end that is drawn in.
    consistent : bool
        Make good for what winsorising takes off the over-dispersion of normal scores (the paper does not).
    limits : {"exact", "normal"}
        Binomial (beta-binomial with tau2), or normal.
    min_siblings : int
        With fewer inspected siblings nothing is judged (reason "too-few-cases").
    min_inspected : int
        Fewer inspections of a series in the window are not judged (reason "too-few-cases").
    alpha : float
        One-sided level of the upper limit.
    """

    name: ClassVar[str] = "funnel"

    window_periods: int = parameter(1, minimum=1, maximum=400, unit="periods")
    within: Literal["", "product", "industry", "region"] = parameter("", choices=("", "product", "industry", "region"))
    adjustment: Literal["multiplicative", "additive", "none"] = parameter("multiplicative", choices=("multiplicative", "additive", "none"))
    dispersion_from: Literal["history", "window"] = parameter("history", choices=("history", "window"))
    history_periods: int | None = parameter(None, minimum=1, kind=int, optional=True, unit="periods")
    guard_periods: int | None = parameter(None, minimum=0, kind=int, optional=True, unit="periods")
    min_history_periods: int | None = parameter(None, minimum=1, kind=int, optional=True, unit="periods")
    winsorise: float = parameter(0.1, minimum=0.0, below=0.5, unit="share")
    consistent: bool = parameter(default=False)
    limits: Literal["exact", "normal"] = parameter("exact", choices=("exact", "normal"))
    min_siblings: int = parameter(3, minimum=2, unit="series")
    min_inspected: int = parameter(1, minimum=1, unit="inspections")
    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")

    def _shape(self, frequency: str) -> tuple[int, int, int]:
        """Return history, guard and shortest history in periods."""
        given = (self.history_periods, self.guard_periods, self.min_history_periods)
        history, guard, shortest = given_or_usual(given, TWO_YEARS[frequency])
        return max(history, self.window_periods), guard, max(min(shortest, history), self.window_periods)

    @property
    def _looks_back(self) -> bool:
        return self.adjustment != "none" and self.dispersion_from == "history"

    def min_periods(self, frequency: str) -> int:
        """Return how many periods, the judged one included, a panel must have; with fewer nothing is judged."""
        _, guard, shortest = self._shape(frequency)
        return self.window_periods + (guard + shortest if self._looks_back else 0)

    def memory(self, frequency: str) -> int:  # noqa: ARG002 - part of the interface
        """Return how many newest periods are weighed together for one judgement."""
        return self.window_periods

    def detect(self, panel: Panel, periods: pd.PeriodIndex | None = None) -> Signals:
        """Compare each series with its siblings in each of ``periods`` (default: the newest).

        Parameters
        ----------
        panel : Panel
            ``observed`` are failures, ``exposure`` inspections; whole numbers.
        periods : PeriodIndex, optional
            Periods of the panel.

        Returns
        -------
        Signals
            ``expected`` is what the siblings' common rate makes of the judged period's inspections; ``upper`` is the largest count of the
            judged period that would not have alarmed, given the periods before it in the window.

        Raises
        ------
        DetectorError
            Without exposure, if a count is not a whole number, or failures exceed inspections.
        """
        frequency = frequency_of(panel.periods)
        x, n = checked_counts(panel, self.name)
        judged = positions_of(panel, periods, self.name)
        out = empty_signals(panel, judged, self.name, self.hash)
        known = np.isfinite(x) & np.isfinite(n)
        failed, inspected = np.where(known, x, 0.0), np.where(known, n, 0.0)
        for column, now in enumerate(judged.tolist()):
            reason = out.reason[:, column]
            seen = np.zeros(len(panel.index))
            for rows in _groups(panel.index, self.within):
                self._judge(out, failed, inspected, rows, at=(column, now), frequency=frequency)
                seen[rows] = (inspected[rows, now] > 0).sum()
            reason[(seen < self.min_siblings) | (self._window(inspected, now) < self.min_inspected)] = _REASON["too-few-cases"]
            reason[now + 1 < self.min_periods(frequency)] = _REASON["too-short"]
            reason[~known[:, now]] = _REASON["missing"]
            reason[n[:, now] == 0] = _REASON["no-exposure"]
            for values in (out.expected, out.lower, out.upper, out.p_value):
                values[reason != 0, column] = np.nan
            out.alarm[reason != 0, column] = False
        return out

    def _window(self, values: FloatArray, now: int) -> FloatArray:
        return np.asarray(values[:, max(now - self.window_periods + 1, 0) : now + 1].sum(axis=1))

    def _judge(
        self, out: Signals, failed: FloatArray, inspected: FloatArray, rows: IntArray, *, at: tuple[int, int], frequency: str
    ) -> None:
        """Judge one group of siblings in one period and fill in its signals; ``at`` is the column and the period."""
        column, now = at
        x, n = self._window(failed[rows], now), self._window(inspected[rows], now)
        if not n.sum():
            return
        rate = x.sum() / n.sum()
        spread = self._spread(failed[rows], inspected[rows], now, frequency)
        rates = np.full(n.shape, rate)
        p = p_values(x, n, rates, spread, self.limits)
        lower, upper = count_limits(self.alpha, n, rates, spread, self.limits)
        x_now, expected = failed[rows, now], inspected[rows, now] * rate
        before = x - x_now
        lower, upper = np.clip(lower - before, 0.0, expected), upper - before
        if self.window_periods > 1:
            p = np.where(x_now < expected, np.maximum(p, 0.5), p)
            upper = np.maximum(upper, np.ceil(expected) - 1.0)
        alarm = p <= self.alpha
        out.expected[rows, column], out.lower[rows, column], out.p_value[rows, column] = expected, lower, p
        # Rounding must not part the limit from the p-value.
        out.upper[rows, column] = np.where(alarm & (upper >= x_now), x_now - 1.0, np.where(alarm, upper, np.maximum(upper, x_now)))
        out.alarm[rows, column] = alarm

    def _spread(self, failed: FloatArray, inspected: FloatArray, now: int, frequency: str) -> Spread:
        """Return the over-dispersion as far as it is to be used."""
        if self.adjustment == "none":
            return Spread()
        history, guard, _ = self._shape(frequency)
        ends = [now]
        if self._looks_back:
            last = now - self.window_periods - guard
            ends = list(range(last, max(last - history, -1) + self.window_periods - 1, -self.window_periods))
        parts: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        for end in ends:
            x, n = self._window(failed, end), self._window(inspected, end)
            use = n > 0
            if use.sum() < 2:
                continue
            rates = np.full(int(use.sum()), x.sum() / n.sum())
            parts.append((scores(x[use], n[use], rates), n[use], rates))
        if not parts:
            return Spread()
        z, n, rates = (np.concatenate(part) for part in zip(*parts, strict=True))
        both = spread_of(z, n, rates, winsorise=self.winsorise, consistent=self.consistent)
        return Spread(both.phi, 0.0) if self.adjustment == "multiplicative" else Spread(1.0, both.tau2)


def _groups(index: pd.Index[Any], within: str) -> list[IntArray]:
    """Return the rows of each group of siblings, parted further by the codes of one dimension if it is named and in the index."""
    groups = siblings(index)
    if not within or not isinstance(index, pd.MultiIndex) or within not in index.names:
        return groups
    codes = np.asarray(index.codes[list(index.names).index(within)])
    return [rows[codes[rows] == one] for rows in groups for one in np.unique(codes[rows])]
