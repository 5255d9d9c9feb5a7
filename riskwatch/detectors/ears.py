"""EARS C1, C2 and C3: a count against the mean of the few periods before it, for series without a past.

Sources
-------
Hutwagner, Thompson, Seeman, Treadwell (2003), J. Urban Health 80(2, suppl. 1), i89-i96.
Fricker, Hegler, Dunfee (2008), Statistics in Medicine 27(17), 3407-3429.
Salmon, Schumacher, Hoehle (2016), J. Stat. Softw. 70(10), 1-35.
With ``distribution="normal"`` numbers agree with ``earsC`` of the R package surveillance 1.20.3; see docs/detectors/ears.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

from riskwatch.detectors import excess_sum, short_history
from riskwatch.detectors.baselines import frequency_of
from riskwatch.detectors.parameters import Parameters, check, parameter
from riskwatch.detectors.short_history import Predictive, Window
from riskwatch.detectors.signals import REASONS, Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.panel import Panel

__all__ = ["EarsC1", "EarsC2", "EarsC3"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_REASON = {text: number for number, text in enumerate(REASONS)}
_BLOCK = 512  # series worked on at a time


@dataclass(frozen=True, eq=False)
class _Slice:
    """Some series of a panel, arrays (period, series) up to the last judged period."""

    count: FloatArray  # NaN where missing
    exposure: FloatArray  # 1 without offset; NaN missing
    share: FloatArray
    error: FloatArray


@dataclass(frozen=True, eq=False)
class _Baseline:
    """What the baselines say of the judged periods, arrays (judged, series)."""

    window: Window
    mean: FloatArray
    spread: FloatArray  # standard deviation, normal and t
    given: Predictive | None  # negative binomial


@dataclass(frozen=True)
class _Ears(Parameters):
    """Parameters and steps that the three methods share.

    Parameters
    ----------
    baseline : int
        Periods of the moving baseline.
    lag : int
        Periods between the baseline and the judged period.
    min_baseline : int or None
        Periods with data that the baseline needs. None: more than half.
    alpha : float
        One-sided level per judged cell.
    distribution : {"negative-binomial", "t", "normal"}
        Predictive distribution of a count; Student's t, exact for normal data; the plain normal limits of the original method and of
        R, which alarm several times too often.
    mid_p : bool
        Negative binomial: count half of P(Y = y), so that levels are right on average; else P(Y >= y), never above the level.
    dispersion_windows : int
        Negative binomial: how many windows of the baseline's length, the baseline included, the dispersion is learnt from.
    typical_dispersion, typical_strength : float
        Negative binomial: variance over mean to believe in without data, and as how many degrees of freedom it counts.
    min_sigma : float
        Normal and t: smallest standard deviation.
    min_share : float
        Periods less complete than this are neither judged nor used.
    population_offset : bool
        Model the rate per exposure and not the count.
    """

    name: ClassVar[str] = ""
    _terms: ClassVar[int] = 1

    baseline: int = parameter(7, minimum=3, maximum=60, unit="periods")
    lag: int = parameter(0, minimum=0, maximum=60, unit="periods")
    min_baseline: int | None = parameter(None, minimum=2, kind=int, optional=True, unit="periods")
    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")
    distribution: Literal["negative-binomial", "t", "normal"] = parameter("negative-binomial", choices=("negative-binomial", "t", "normal"))
    mid_p: bool = parameter(default=True)
    dispersion_windows: int = parameter(12, minimum=1, maximum=60, unit="windows of the baseline's length")
    typical_dispersion: float = parameter(1.3, minimum=1.0, maximum=100.0, unit="variance / mean")
    typical_strength: float = parameter(4.0, minimum=2.0, maximum=1000.0, unit="degrees of freedom")
    min_sigma: float = parameter(0.0, minimum=0.0, unit="cases")
    min_share: float = parameter(0.3, above=0.0, maximum=1.0, unit="share of records")
    population_offset: bool = parameter(default=False)

    def __init_subclass__(cls) -> None:
        """Complete the docstring of a method by the shared parameters."""
        header = "    Parameters\n    ----------\n"
        own = (cls.__doc__ or "").rstrip()
        cls.__doc__ = own + "\n" + ("" if header in own else "\n" + header) + (_Ears.__doc__ or "").partition(header)[2]

    def _findings(self) -> list[str]:
        if self.min_baseline is not None and self.min_baseline > self.baseline:
            return [f"min_baseline must be <= baseline ({self.baseline}), got {self.min_baseline}"]
        return []

    def min_periods(self, frequency: str) -> int:  # noqa: ARG002  # the same for all frequencies
        """Return how many periods, the judged one included, a panel must have; with fewer nothing is judged."""
        return self.baseline + self.lag + self._terms

    def memory(self, frequency: str) -> int:  # noqa: ARG002  # the same for all frequencies
        """Return how many newest periods are weighed together for one judgement."""
        return self._terms

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
        frequency_of(panel.periods)
        if self.population_offset and panel.exposure is None:
            check(self, ["population_offset needs a panel with exposure, got none"])
        judged = positions_of(panel, periods, self.name)
        out = empty_signals(panel, judged, self.name, self.hash)
        if not judged.size:
            return out
        for start in range(0, len(panel.index), _BLOCK):
            rows = slice(start, start + _BLOCK)
            numbers, alarm, reason = self._judge(self._slice(panel, rows, int(judged.max()) + 1), judged)
            kept = reason == 0
            for target, values in zip((out.expected, out.lower, out.upper, out.p_value), numbers, strict=True):
                target[rows] = np.where(kept, values, np.nan).T
            out.alarm[rows] = (alarm & kept).T
            out.reason[rows] = reason.T
        return out

    def _slice(self, panel: Panel, rows: slice, until: int) -> _Slice:
        count = np.ascontiguousarray(panel.observed[rows, :until].T)
        ones = np.ones(count.shape)
        exposure, share, error = ones, ones, np.zeros(count.shape)
        if self.population_offset and panel.exposure is not None:
            exposure = np.ascontiguousarray(panel.exposure[rows, :until].T)
        if panel.completeness is not None:
            share = np.ascontiguousarray(panel.completeness.share[rows, :until].T)
            error = np.ascontiguousarray(panel.completeness.error[rows, :until].T)
        return _Slice(count, exposure, share, error)

    def _judge(
        self, data: _Slice, judged: npt.NDArray[np.intp]
    ) -> tuple[tuple[FloatArray, FloatArray, FloatArray, FloatArray], BoolArray, npt.NDArray[np.uint8]]:
        """Return (expected, lower, upper, p), alarms and reasons, arrays (judged, series)."""
        base = self._baselines(data, judged)
        reason = self._reasons(data, judged, base)
        with np.errstate(invalid="ignore", divide="ignore", under="ignore", over="ignore"):
            upper, p = self._limit(data, judged, base)
            lower = np.maximum(self._quantile(np.full(base.mean.shape, 1.0 - self.alpha), base), 0.0)
            alarm = p <= self.alpha
        return (base.mean, lower, upper, p), alarm, reason

    def _baselines(self, data: _Slice, judged: npt.NDArray[np.intp]) -> _Baseline:
        usable = np.isfinite(data.count) & (data.exposure > 0) & (data.share >= self.min_share)
        weight = np.where(usable, data.exposure * data.share, 0.0)
        y = np.where(usable, data.count, 0.0)
        last = judged - 1 - self.lag
        backs = range(self.dispersion_windows if self.distribution == "negative-binomial" else 1)
        ends = np.unique(np.concatenate([last - back * self.baseline for back in backs]))
        windows = short_history.moving_window(y, weight, ends, self.baseline)

        def at(back: int) -> Window:
            where = np.searchsorted(ends, last - back * self.baseline)
            return Window(windows.periods[where], windows.cases[where], windows.weight[where], windows.pearson[where])

        window, exposure, share, error = at(0), data.exposure[judged], data.share[judged], data.error[judged]
        with np.errstate(invalid="ignore", divide="ignore"):
            if self.distribution == "negative-binomial":
                known = short_history.dispersion((at(back) for back in backs), self.typical_dispersion, self.typical_strength)
                given = short_history.predict(window, known, exposure, share, error)
                return _Baseline(window, given.mean, np.full(given.mean.shape, np.nan), given)
            mean = exposure * share * (window.cases / window.weight)
            spread = np.maximum(np.sqrt(window.pearson / (window.periods - 1.0) * mean + (mean * (error / share)) ** 2), self.min_sigma)
            if self.distribution == "t":
                spread = spread * np.sqrt(1.0 + exposure * share / window.weight)
        return _Baseline(window, mean, spread, None)

    def _reasons(self, data: _Slice, judged: npt.NDArray[np.intp], base: _Baseline) -> npt.NDArray[np.uint8]:
        reason = np.zeros(base.mean.shape, np.uint8)
        shortest = self.baseline // 2 + 1 if self.min_baseline is None else self.min_baseline
        if self.distribution == "t":
            reason[base.spread == 0] = _REASON["no-variation"]
        reason[data.share[judged] < self.min_share] = _REASON["unripe"]
        reason[base.window.periods < shortest] = _REASON["too-short"]
        reason[judged < self.baseline + self.lag] = _REASON["too-short"]
        reason[np.isnan(data.count[judged]) | np.isnan(data.exposure[judged])] = _REASON["missing"]
        reason[data.exposure[judged] == 0] = _REASON["no-exposure"]
        return reason

    def _limit(self, data: _Slice, judged: npt.NDArray[np.intp], base: _Baseline) -> tuple[FloatArray, FloatArray]:
        """Return the upper limit and the p-value."""
        return self._quantile(np.full(base.mean.shape, self.alpha), base), self._tail(data.count[judged], base)

    def _tail(self, y: FloatArray, base: _Baseline) -> FloatArray:
        """Return the probability of at least ``y`` in a single period."""
        if base.given is not None:
            at, above = short_history.tail(y, base.given)
            return 0.5 * (at + above) if self.mid_p else at
        # A constant baseline allows nothing but its own value.
        z = np.where(base.spread > 0, (y - base.mean) / base.spread, np.where(y > base.mean, np.inf, -np.inf))
        freedom = np.maximum(base.window.periods - 1.0, 1.0)
        return np.asarray(special.ndtr(-z) if self.distribution == "normal" else special.stdtr(freedom, -z))

    def _quantile(self, level: FloatArray, base: _Baseline) -> FloatArray:
        """Return the limit that a single period exceeds with probability ``level``."""
        if base.given is not None:
            return short_history.quantile(level, base.given, mid_p=self.mid_p)
        freedom = np.maximum(base.window.periods - 1.0, 1.0)
        reach = stats.norm.isf(level) if self.distribution == "normal" else -special.stdtrit(freedom, level)
        return np.asarray(base.mean + reach * base.spread)


@dataclass(frozen=True)
class EarsC1(_Ears):
    """A count against the periods right before it."""

    name: ClassVar[str] = "ears-c1"


@dataclass(frozen=True)
class EarsC2(_Ears):
    """A count against a baseline that ends two periods earlier."""

    name: ClassVar[str] = "ears-c2"

    lag: int = parameter(2, minimum=0, maximum=60, unit="periods")


@dataclass(frozen=True)
class EarsC3(_Ears):
    """The excesses over one standard deviation of the last three periods, each against its lagged baseline, added up.

    Parameters
    ----------
    c3_formula : {"published", "surveillance"}
        The sum over the judged and the two earlier periods, or, as R computes it (normal only), over the two earlier periods.
    """

    name: ClassVar[str] = "ears-c3"
    _terms: ClassVar[int] = 3

    lag: int = parameter(2, minimum=2, maximum=60, unit="periods")
    c3_formula: Literal["published", "surveillance"] = parameter("published", choices=("published", "surveillance"))

    def _findings(self) -> list[str]:
        found = super()._findings()
        if self.c3_formula == "surveillance" and self.distribution != "normal":
            found.append(f"c3_formula surveillance needs distribution normal, got {self.distribution}")
        return found

    def _reasons(self, data: _Slice, judged: npt.NDArray[np.intp], base: _Baseline) -> npt.NDArray[np.uint8]:
        reason = super()._reasons(data, judged, base)
        young = (judged < self.min_periods("") - 1)[:, None] & (reason != _REASON["missing"]) & (reason != _REASON["no-exposure"])
        reason[young] = _REASON["too-short"]
        if self.distribution == "normal":
            with np.errstate(invalid="ignore", divide="ignore"):
                upper, p = self._limit(data, judged, base)
            reason[np.isnan(upper + p) & (reason == 0)] = _REASON["no-variation"]
        return reason

    def _limit(self, data: _Slice, judged: npt.NDArray[np.intp], base: _Baseline) -> tuple[FloatArray, FloatArray]:
        carried, terms = np.zeros(base.mean.shape), np.ones(base.mean.shape, np.int64)
        for back in (1, 2):
            at = np.maximum(judged - back, 0)
            earlier = self._baselines(data, at)
            known = super()._reasons(data, at, earlier) == 0
            carried += np.where(known, self._excess(data.count[at], earlier), 0.0)
            terms += known
        y, z = data.count[judged], float(stats.norm.isf(self.alpha))
        if self.c3_formula == "surveillance":
            upper = np.maximum(y + base.spread * (z - carried), 0.0)
            return upper, np.where((y > 0) & (base.spread > 0), special.ndtr(-carried), 1.0)
        total = carried + self._excess(y, base)
        if self.distribution == "normal":
            return np.where(carried >= z, -1.0, base.mean + base.spread * (1.0 + z - carried)), special.ndtr(-total)
        correlation = (3.0 * self.baseline - 4.0) / (3.0 * self.baseline * (self.baseline + 1.0))
        critical = excess_sum.critical_value(self.alpha, terms, correlation)
        upper = self._quantile(special.ndtr(carried - critical - 1.0), base)
        return np.where((carried > 0) & (carried >= critical), -1.0, upper), excess_sum.tail(total, terms, correlation)

    def _excess(self, y: FloatArray, base: _Baseline) -> FloatArray:
        """Return by how much the standardised counts exceed 1."""
        if self.c3_formula == "surveillance":
            score = (y - base.mean) / base.spread
        elif self.distribution == "normal":
            score = np.where(base.spread > 0, (y - base.mean) / base.spread, np.nan)
        else:
            score = -special.ndtri(self._tail(y, base))
        return np.maximum(score - 1.0, 0.0)
