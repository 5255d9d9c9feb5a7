"""Shewhart charts of shares and of counts per exposure, with limits that follow the size of each sample, over all series at once.

Sources
-------
p and u chart: Shewhart (1931), Economic Control of Quality of Manufactured Product; Montgomery (2013), Introduction to Statistical Quality
Control, 7th ed., chapter 7. p' chart: Laney (2002), Quality Engineering 14(4), 531-537.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from riskwatch.detectors.baselines import frequency_of
from riskwatch.detectors.failures import checked_counts
from riskwatch.detectors.history_window import HistoryWindow, history_before
from riskwatch.detectors.parameters import parameter
from riskwatch.detectors.proportions import widened_quantile, widened_tail
from riskwatch.detectors.signals import REASONS, Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.detectors.thresholds import negative_binomial_quantile, negative_binomial_tail
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel

__all__ = ["LaneyP", "PChart", "UChart", "sigma_z"]

FloatArray = npt.NDArray[np.float64]

_REASON = {text: number for number, text in enumerate(REASONS)}
_RANGE = 1.128  # mean range of two standard normal variables, to the digits in which it is published with the chart


def sigma_z(x: FloatArray, n: FloatArray, rate: FloatArray) -> FloatArray:
    """Return Laney's sigma of the standardised shares of each series: their mean moving range over 1.128.

    z = (x / n - rate) / sqrt(rate (1 - rate) / n); ranges are between one inspected period and the next one that was. 1 where there is
    none.

    Parameters
    ----------
    x, n : array, shape (series, period)
        Failures and inspections; n = 0 where there were none.
    rate : array, shape (series,)
        Strictly between 0 and 1.
    """
    total, ranges, last = np.zeros(len(x)), np.zeros(len(x)), np.full(len(x), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (x - n * rate[:, None]) / np.sqrt(n * (rate * (1.0 - rate))[:, None])
    for column in range(x.shape[1]):
        here = n[:, column] > 0
        both = here & np.isfinite(last)
        total += np.where(both, np.abs(z[:, column] - np.where(both, last, 0.0)), 0.0)
        ranges += both
        last = np.where(here, z[:, column], last)
    return np.where(ranges > 0, total / np.maximum(ranges, 1.0) / _RANGE, 1.0)


@dataclass(frozen=True)
class AttributeChart(HistoryWindow, ABC):
    """What the charts share: the baseline, and the way from a panel to signals; see the charts for what each parameter means there."""

    name: ClassVar[str]

    limits: Literal["exact", "normal"] = parameter("exact", choices=("exact", "normal"))
    zero_floor: float = parameter(0.5, above=0.0, maximum=10.0, unit="failures")
    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")

    def detect(self, panel: Panel, periods: pd.PeriodIndex | None = None) -> Signals:
        """Judge each of ``periods`` (default: the newest) against the limits of the periods before it.

        Parameters
        ----------
        panel : Panel
            Counts and what they are out of.
        periods : PeriodIndex, optional
            Periods of the panel.

        Returns
        -------
        Signals
            Limits are in counts of the judged period; with normal limits they are no whole numbers.

        Raises
        ------
        DetectorError
            Without exposure, or if the counts cannot be what the chart is for.
        """
        history, guard, shortest = self._shape(frequency_of(panel.periods))
        x, n = self._counts(panel)
        judged = positions_of(panel, periods, self.name)
        out = empty_signals(panel, judged, self.name, self.hash)
        for column, now in enumerate(judged.tolist()):
            past = history_before(now, history, guard)
            looked = np.isfinite(x[:, past]) & np.isfinite(n[:, past])
            x_past, n_past = (np.ascontiguousarray(np.where(looked, part[:, past], 0.0)) for part in (x, n))
            x_now, n_now, reason = x[:, now], n[:, now], out.reason[:, column]
            reason[(n_past > 0).sum(axis=1) < shortest] = _REASON["too-short"]
            reason[np.isnan(x_now) | np.isnan(n_now)] = _REASON["missing"]
            reason[n_now == 0] = _REASON["no-exposure"]
            todo = np.flatnonzero(reason == 0)
            if not todo.size:
                continue
            x_now, n_now = x_now[todo], n_now[todo]
            rate, sigma = self._baseline(x_past[todo], n_past[todo])
            p, lower, upper = self._judge(x_now, n_now, rate, sigma)
            alarm = p <= self.alpha
            out.expected[todo, column] = n_now * rate
            out.lower[todo, column] = lower
            # Rounding must not part the limit from the p-value.
            out.upper[todo, column] = np.where(alarm & (upper >= x_now), x_now - 1.0, np.where(alarm, upper, np.maximum(upper, x_now)))
            out.p_value[todo, column] = p
            out.alarm[todo, column] = alarm
        return out

    @abstractmethod
    def _counts(self, panel: Panel) -> tuple[FloatArray, FloatArray]:
        """Return counts and what they are out of, checked."""

    @abstractmethod
    def _baseline(self, x: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the centre line and by how much the limits are wider than chance alone makes them."""

    @abstractmethod
    def _judge(self, x: FloatArray, n: FloatArray, rate: FloatArray, sigma: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return p-value, lower and upper limit of the judged counts."""

    def _normal(self, x: FloatArray, mean: FloatArray, deviation: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        reach = -float(special.ndtri(self.alpha)) * deviation
        with np.errstate(divide="ignore", invalid="ignore"):
            score = np.where(x == mean, 0.0, (x - mean) / deviation)
        return special.ndtr(-score), np.maximum(mean - reach, 0.0), mean + reach


@dataclass(frozen=True)
class PChart(AttributeChart):
    """Share that failed against the share of the series' own past: p-bar and limits by chance alone.

    Parameters
    ----------
    history_periods : int or None
        Newest periods of the baseline. None: two years.
    guard_periods : int or None
        Periods between the baseline and the judged one. None: 4 weeks, 1 month, 1 block, 28 days.
    min_history_periods : int or None
        Periods with inspections that a series needs in its baseline. None: about a quarter.
    limits : {"exact", "normal"}
        Binomial quantiles, or p-bar plus and minus as many standard deviations as ``alpha`` says (0.00135: three).
    zero_floor : float
        Failures (or passes) to assume where the baseline has none: no limit is 0.
    alpha : float
        One-sided level of the upper limit.
    """

    name: ClassVar[str] = "p-chart"

    def _counts(self, panel: Panel) -> tuple[FloatArray, FloatArray]:
        return checked_counts(panel, self.name)

    def _baseline(self, x: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
        failed, total = x.sum(axis=1), n.sum(axis=1)
        floor = np.minimum(self.zero_floor, total / 2.0)
        return np.where(failed == 0, floor, np.where(failed == total, total - floor, failed)) / total, np.ones(len(x))

    def _judge(self, x: FloatArray, n: FloatArray, rate: FloatArray, sigma: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        if self.limits == "normal":
            p, lower, upper = self._normal(x, n * rate, sigma * np.sqrt(n * rate * (1.0 - rate)))
            return p, lower, np.minimum(upper, n)
        lower = n - widened_quantile(self.alpha, n, 1.0 - rate, sigma)
        return widened_tail(x, n, rate, sigma), lower, widened_quantile(self.alpha, n, rate, sigma)


@dataclass(frozen=True)
class LaneyP(PChart):
    """The p chart with limits as wide as the shares really scatter from period to period (Laney's p').

    Parameters
    ----------
    history_periods, guard_periods, min_history_periods, zero_floor, alpha
        As for the p chart.
    limits : {"exact", "normal"}
        ``normal`` is Laney's own; ``exact`` divides the normal score of the binomial tail by sigma-z.
    min_sigma_z : float
        Least value of sigma-z. 0 is Laney's own: limits may then be narrower than chance alone makes them, and moving ranges of few
        inspections are too short by far.
    """

    name: ClassVar[str] = "laney-p"

    min_sigma_z: float = parameter(1.0, minimum=0.0, maximum=100.0, unit="standard deviations")

    def _baseline(self, x: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
        rate, _ = super()._baseline(x, n)
        # A series without any variation has no width; the least float keeps it a number.
        return rate, np.maximum(sigma_z(x, n, rate), max(self.min_sigma_z, 1e-9))


@dataclass(frozen=True)
class UChart(AttributeChart):
    """Counts per exposure against those of the series' own past: u-bar and Poisson limits.

    Parameters
    ----------
    history_periods, guard_periods, min_history_periods, zero_floor, alpha
        As for the p chart, with cases in place of failures.
    limits : {"exact", "normal"}
        Poisson quantiles, or u-bar plus and minus as many standard deviations as ``alpha`` says (0.00135: three).
    """

    name: ClassVar[str] = "u-chart"

    def _counts(self, panel: Panel) -> tuple[FloatArray, FloatArray]:
        if panel.exposure is None:
            raise DetectorError(f"{self.name}: the panel needs exposure, got none", hint="build_panel(..., denominator=...)")
        whole = np.isnan(panel.observed) | (panel.observed == np.floor(panel.observed))
        if not whole.all():
            row, column = np.argwhere(~whole)[0]
            raise DetectorError(
                f"{self.name}: counts must be whole numbers; {int((~whole).sum())} cells are not, first {panel.observed[row, column]:g} "
                f"for series {panel.index[row]!r} in {panel.periods[column]}"
            )
        return panel.observed, panel.exposure

    def _baseline(self, x: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
        failed = x.sum(axis=1)
        # Exposures need not be whole numbers: sorted, so that their sum does not depend on how the panel was cut.
        return np.where(failed == 0, self.zero_floor, failed) / np.sort(n, axis=1).sum(axis=1), np.ones(len(x))

    def _judge(self, x: FloatArray, n: FloatArray, rate: FloatArray, sigma: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        mean = n * rate
        if self.limits == "normal":
            return self._normal(x, mean, np.sqrt(mean))
        lower, upper = (negative_binomial_quantile(level, mean, sigma) for level in (self.alpha, 1.0 - self.alpha))
        return negative_binomial_tail(x, mean, sigma), lower, upper
