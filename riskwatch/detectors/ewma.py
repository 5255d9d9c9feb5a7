"""Exponentially weighted moving average of counts against a baseline that ends before it begins: slow and lasting rises.

Sources
-------
Roberts (1959), Technometrics 1(3), 239-250. Lucas & Saccucci (1990), Technometrics 32(1), 1-12.
Counts: Borror, Champ, Rigdon (1998), J. Quality Technology 30(4), 352-361.
Error of an estimated mean: Jones, Champ, Rigdon (2001), Technometrics 43(2), 156-167.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from riskwatch.detectors import harmonic_mean, thresholds, weighted_sum
from riskwatch.detectors.baselines import frequency_of
from riskwatch.detectors.parameters import Parameters, check, parameter
from riskwatch.detectors.signals import REASONS, Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.detectors.uncertain_dispersion import WEIGHTS, Dispersion, largest_not_significant
from riskwatch.detectors.weighted_sum import Cumulants
from riskwatch.panel import Panel

__all__ = ["Ewma"]

FloatArray = npt.NDArray[np.float64]

_REASON = {text: number for number, text in enumerate(REASONS)}
# Baseline, shortest baseline with and without season, by frequency: five years (three of days), a year, about half a year.
_BY_FREQUENCY = {"day": (1095, 364, 91), "week": (260, 52, 26), "4-week": (65, 13, 12), "month": (60, 12, 11)}
_BLOCK = 256  # series worked on at a time
_WIDTH = 8  # columns are worked on in multiples of a vector register
_DAYS_PER_YEAR = 365.2425
_TREND_PER_YEAR = 0.3  # prior standard deviation of the log mean's change in a year


@dataclass(frozen=True)
class Ewma(Parameters):
    """Weighted sum of the last counts, newest heaviest, against what a baseline before them leads to expect.

    Parameters
    ----------
    smoothing : float
        Weight of the judged period; each earlier one weighs 1 - ``smoothing`` times the next. Small for slow shifts.
    run_in : int or None
        Periods in the sum, the judged one included. None: until the weights left out add up to 5 %.
    guard_periods : int
        Periods between the baseline and the sum.
    baseline_periods : int or None
        Length of the baseline. None: five years, three of days.
    min_baseline : int or None
        Periods with data that a baseline needs. None: a year with harmonics, else about half a year (91 days).
    harmonics : int
        Pairs of sine and cosine of the year in the log mean.
    trend : bool
        Linear trend of the log mean, learnt from the baseline and carried on to the sum; drawn to none as by a normal prior with a
        standard deviation of 30 % a year.
    reweight_threshold : float
        Standardised Anscombe residual that no baseline count may exceed in influence.
    typical_dispersion, typical_strength : float
        Variance over mean to believe in without data, and as how many degrees of freedom it counts.
    alpha : float
        One-sided level per judged cell.
    min_share : float
        Periods less complete than this are neither judged nor used.
    population_offset : bool
        Model the rate per exposure and not the count.
    """

    name: ClassVar[str] = "ewma"

    smoothing: float = parameter(0.4, minimum=0.01, maximum=1.0, unit="weight of the judged period")
    run_in: int | None = parameter(None, minimum=1, maximum=400, kind=int, optional=True, unit="periods")
    guard_periods: int = parameter(0, minimum=0, unit="periods")
    baseline_periods: int | None = parameter(None, minimum=8, kind=int, optional=True, unit="periods")
    min_baseline: int | None = parameter(None, minimum=8, kind=int, optional=True, unit="periods")
    harmonics: int = parameter(2, minimum=0, maximum=3, unit="pairs")
    trend: bool = parameter(default=True)
    reweight_threshold: float = parameter(2.58, above=0.0, unit="standard deviations")
    typical_dispersion: float = parameter(1.5, minimum=1.0, maximum=100.0, unit="variance / mean")
    typical_strength: float = parameter(4.0, minimum=2.0, maximum=1000.0, unit="degrees of freedom")
    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")
    min_share: float = parameter(0.3, above=0.0, maximum=1.0, unit="share of records")
    population_offset: bool = parameter(default=False)

    def _findings(self) -> list[str]:
        if self.min_baseline is not None and self.baseline_periods is not None and self.min_baseline > self.baseline_periods:
            return [f"min_baseline must be <= baseline_periods ({self.baseline_periods}), got {self.min_baseline}"]
        return []

    def _terms(self) -> int:
        if self.run_in is not None:
            return self.run_in
        return max(math.ceil(math.log(0.05) / math.log1p(-self.smoothing)), 1) if self.smoothing < 1.0 else 1

    def _shape(self, frequency: str) -> tuple[int, int]:
        """Return length and shortest length of the baseline."""
        usual, year, shortest = _BY_FREQUENCY[frequency]
        length = usual if self.baseline_periods is None else self.baseline_periods
        least = (year if self.harmonics else shortest) if self.min_baseline is None else self.min_baseline
        return length, min(least, length)

    def min_periods(self, frequency: str) -> int:
        """Return how many periods, the judged one included, a panel must have; with fewer nothing is judged."""
        return self._shape(frequency)[1] + self.guard_periods + self._terms()

    def memory(self, frequency: str) -> int:  # noqa: ARG002  # the same for all frequencies
        """Return how many newest periods are weighed together for one judgement."""
        return self._terms()

    def detect(self, panel: Panel, periods: pd.PeriodIndex | None = None) -> Signals:
        """Judge each of ``periods`` (default: the newest) with what came before it.

        Parameters
        ----------
        panel : Panel
        periods : PeriodIndex, optional
            Periods of the panel.

        Returns
        -------
        Signals

        Raises
        ------
        DetectorError
            If a period is not in the panel, its frequency is not supported, or an offset is asked for and there is no exposure.
        """
        length, shortest = self._shape(frequency_of(panel.periods))
        if self.population_offset and panel.exposure is None:
            check(self, ["population_offset needs a panel with exposure, got none"])
        judged = positions_of(panel, periods, self.name)
        out = empty_signals(panel, judged, self.name, self.hash)
        design = _design(panel.periods, self.harmonics, trend=self.trend)
        for column, now in enumerate(judged.tolist()):
            first = now + 1 - self._terms()
            past = slice(max(first - self.guard_periods - length, 0), max(first - self.guard_periods, 0))
            local = design.copy()
            local[:, 1 + 2 * self.harmonics :] -= design[now, 1 + 2 * self.harmonics :]
            for start in range(0, len(panel.index), _BLOCK):
                rows = np.arange(start, min(start + _BLOCK, len(panel.index)))
                rows = np.concatenate([rows, np.full(-rows.size % _WIDTH, rows[0], dtype=rows.dtype)])
                self._judge(panel, local, out, column, rows=rows, now=now, past=past, shortest=shortest)
        return out

    def _judge(
        self,
        panel: Panel,
        design: FloatArray,
        out: Signals,
        column: int,
        *,
        rows: npt.NDArray[np.intp],
        now: int,
        past: slice,
        shortest: int,
    ) -> None:
        """Judge one period of some series."""
        recent = slice(max(now + 1 - self._terms(), 0), now + 1)
        count, exposure, share, _ = _cut(panel, rows, past, offset=self.population_offset)
        known = np.isfinite(count) & (exposure > 0) & (share >= self.min_share)
        exposure = exposure * share
        y, e, share, error = _cut(panel, rows, recent, offset=self.population_offset)
        usable = np.isfinite(y) & (e > 0) & (share >= self.min_share)

        reason = np.zeros(rows.size, np.uint8)
        reason[np.add.reduce(known, axis=0) < shortest] = _REASON["too-short"]
        reason[share[-1] < self.min_share] = _REASON["unripe"]
        reason[np.isnan(y[-1]) | np.isnan(e[-1])] = _REASON["missing"]
        reason[e[-1] == 0] = _REASON["no-exposure"]
        out.reason[rows, column] = reason
        if not (reason == 0).any():
            return
        fitted = harmonic_mean.fit(
            np.where(known, count, 0.0), np.where(known, exposure, 0.0), design[past], threshold=self.reweight_threshold
        )
        reason[~fitted.converged & (reason == 0)] = _REASON["no-convergence"]
        phi = _dispersion(fitted, self.typical_dispersion, self.typical_strength).nodes()
        with np.errstate(under="ignore", invalid="ignore", divide="ignore", over="ignore"):
            numbers, alarm = self._limits(
                np.where(usable, y, 0.0), design[recent], fitted, phi, e=np.where(usable, e, 0.0), share=share, error=error
            )
        reason[~np.isfinite(numbers[-1]) & (reason == 0)] = _REASON["no-convergence"]
        for target, values in zip((out.expected, out.lower, out.upper, out.p_value), numbers, strict=True):
            target[rows, column] = np.where(reason == 0, values, np.nan)
        out.alarm[rows, column] = alarm & (reason == 0)
        out.reason[rows, column] = reason

    def _limits(
        self,
        y: FloatArray,
        design: FloatArray,
        fitted: harmonic_mean.HarmonicMean,
        phi: FloatArray,
        *,
        e: FloatArray,
        share: FloatArray,
        error: FloatArray,
    ) -> tuple[tuple[FloatArray, FloatArray, FloatArray, FloatArray], npt.NDArray[np.bool_]]:
        """Return (expected, lower, upper, p) and the alarms; exposure is 0 where a period is not summed."""
        whole = e * harmonic_mean.means(design, fitted.coefficients)
        portion = np.where(e > 0, share, 1.0)
        steps = np.arange(len(y) - 1, -1, -1)
        weight = np.where(e > 0, self.smoothing * (1.0 - self.smoothing) ** steps[:, None], 0.0)
        # By how much the expected sum moves with the coefficients, and what their error adds.
        slopes = np.stack([_sum(weight * design[:, [a]], portion * whole) for a in range(design.shape[1])])
        variance = _form(slopes, fitted.covariance) / _sum(weight, portion * whole) ** 2
        given = []
        for one in phi:
            mean, phis = thresholds.thinned(whole, one, portion, error)
            given.append(weighted_sum.with_uncertain_mean(weighted_sum.cumulants(weight, mean, phis), one * variance))

        def p_value(newest: FloatArray, cells: npt.NDArray[np.bool_]) -> FloatArray:
            value, p = rest[cells] + weight[-1, cells] * newest, np.zeros(newest.shape)
            for part, of in zip(WEIGHTS, given, strict=True):
                p += part * weighted_sum.tail(value, Cumulants(of.mean[cells], of.variance[cells], of.third[cells]))
            return p

        rest, expected = _sum(weight[:-1], y[:-1]), mean[-1]
        p = p_value(y[-1], np.ones(y.shape[1], np.bool_))
        guess = (weighted_sum.critical_value(self.alpha, given[len(given) // 2]) - rest) / self.smoothing
        upper = largest_not_significant(
            lambda newest, cells: p_value(newest, cells) <= self.alpha, np.where(np.isfinite(p) & (weight[-1] > 0), guess, np.nan)
        )
        middle = phi[len(phi) // 2]
        own = np.broadcast_to(design[-1][:, None], slopes.shape)
        single = thresholds.thinned(whole[-1], middle, portion[-1], error[-1])[1] + middle * expected * _form(own, fitted.covariance)
        return (expected, thresholds.negative_binomial_quantile(self.alpha, expected, single), upper, p), p <= self.alpha


def _dispersion(fitted: harmonic_mean.HarmonicMean, phi: float, strength: float) -> Dispersion:
    """Return the dispersion, drawn to its typical value ``phi`` the more the thinner the counts are.

    The variance of the Pearson statistic of a negative binomial count is 2 phi^2 + phi (6 phi^2 - 6 phi + 1) / mean; the second part
    is what makes thin counts say little.
    """
    with np.errstate(divide="ignore"):
        freedom = fitted.freedom / (1.0 + (6.0 * phi * phi - 6.0 * phi + 1.0) / (2.0 * phi) * fitted.inverse_mean)
    return Dispersion((strength * phi + freedom * fitted.phi) / (strength + freedom), strength + freedom)


def _sum(weight: FloatArray, values: FloatArray) -> FloatArray:
    """Return the sum over periods of weight x value, term by term so that a series has the same bits in any company."""
    out = np.zeros(values.shape[1])
    for w, v in zip(weight, values, strict=True):
        out += w * v
    return out


def _form(x: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return x' covariance x per series; ``x`` has shape (k, series)."""
    out = np.zeros(len(covariance))
    for a, left in enumerate(x):
        for b, right in enumerate(x):
            out += left * right * covariance[:, a, b]
    return np.maximum(out, 0.0)


def _design(periods: pd.PeriodIndex, harmonics: int, *, trend: bool) -> FloatArray:
    """Return 1, the harmonics of the year at the middle of each period, and time in units of its prior."""
    start, end = (np.asarray(time.to_numpy()).astype("datetime64[h]").astype(np.float64) for time in (periods.start_time, periods.end_time))
    degrees = 360.0 * (start + end) / 48.0 / _DAYS_PER_YEAR
    columns = [np.ones(len(periods))]
    for number in range(1, harmonics + 1):
        columns += [special.cosdg(number * degrees), special.sindg(number * degrees)]
    if trend:
        columns.append(_TREND_PER_YEAR * degrees / 360.0)
    return np.stack(columns, axis=1)


def _cut(panel: Panel, rows: npt.NDArray[np.intp], at: slice, *, offset: bool) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return counts, exposure, share and its error, arrays (period, series)."""
    count = np.ascontiguousarray(panel.observed[rows, at].T)
    exposure, share, error = np.ones(count.shape), np.ones(count.shape), np.zeros(count.shape)
    if offset and panel.exposure is not None:
        exposure = np.ascontiguousarray(panel.exposure[rows, at].T)
    if panel.completeness is not None:
        share = np.ascontiguousarray(panel.completeness.share[rows, at].T)
        error = np.ascontiguousarray(panel.completeness.error[rows, at].T)
    return count, exposure, share, error
