"""Negative-binomial regression of a series' own history, judged by the evidence of its newest one to three periods.

Sources
-------
Regression on the past, outbreaks down-weighted: Farrington et al. (1996), J. R. Statist. Soc. A 159(3), 547-563; Noufaily et al. (2013),
Statistics in Medicine 32(7), 1206-1222.
Windows that end now: Glaz, Naus, Wallenstein (2001), Scan Statistics; Tango, Takahashi, Kohriyama (2011), Biometrics 67(1), 106-115.
Level of the smallest of several tail probabilities: Berk & Jones (1978), Scand. J. Statist. 5(3), 158-162.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors.baselines import PERIODS_PER_YEAR, frequency_of
from riskwatch.detectors.blocks import over_blocks
from riskwatch.detectors.nb_baseline import Baseline, estimate_baseline, shrunken_dispersion
from riskwatch.detectors.nb_regression import pairs_of
from riskwatch.detectors.parameters import Parameters, check, parameter
from riskwatch.detectors.seasonal_design import seasonal_design
from riskwatch.detectors.signals import REASONS, Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.detectors.thresholds import negative_binomial_quantile, thinned
from riskwatch.detectors.windows import Windows
from riskwatch.panel import Panel

__all__ = ["SequentialNB"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]

_REASON = {text: number for number, text in enumerate(REASONS)}
# Series worked on at a time; the last block is filled up, so that every series is summed by the same instructions.
_BLOCK = 128
_LIMIT_BLOCK = 2048
# Guard in periods and history in years.
_BY_FREQUENCY = {"day": (14, 5), "week": (6, 10), "4-week": (2, 10), "month": (2, 10)}
_WEEKDAY_COST = 6.0
_DRIFT = (0.5, 1.0, 2.0)  # years over which the level may differ from that before


@dataclass(frozen=True, eq=False)
class _Now:
    """One judged period: arrays (period, series) of the newest periods, the judged one first, and the positions of the baseline."""

    newest: IntArray
    rows: IntArray
    usable: BoolArray
    share: FloatArray
    error: FloatArray


@dataclass(frozen=True)
class SequentialNB(Parameters):
    """Regression on level, trend and season; evidence over windows of one to three periods at a joint level.

    Siblings (all series of the panel) decide how far the dispersion of a series with little history is drawn to the common one: the
    result of a series depends a little on the panel it is in.

    Parameters
    ----------
    alpha : float
        One-sided level of the alarm.
    mid_p : bool
        Count half of the judged count's own probability: levels are then right on average and not at most.
    windows : int
        Longest window: 1, 2 or 3 periods.
    penalty_two, penalty_three : float
        By how much evidence of the longer windows is discounted: their tail probability is multiplied by exp(penalty).
    history_periods : int or None
        Newest periods of the baseline. None: ten years, of days five.
    half_life : float or None
        Age at which a past period counts half. None: all count alike.
    guard_periods : int or None
        Periods before the judged one that are kept out of the baseline. None: 6 weeks, 2 months, 2 blocks, 14 days.
    harmonics : int
        Most waves a year; the data say how much of each is kept.
    moving_season : bool
        Let the waves change in the course of the years.
    year_match : {"calendar", "fixed"}
        The season follows the calendar's year, or a year with a fixed number of periods.
    drift : bool
        Let the level of the newest half, one and two years differ from that before.
    trend_cost, season_cost, moving_cost, drift_cost : float
        Wald statistic that the trend, a wave (two coefficients), its change and a step of the level must exceed; above it a term keeps
        1 - cost / statistic of its estimate.
    reweight_threshold : float
        Normal score above which a past period, or a pair of them, is down-weighted as an outbreak.
    covariate_sd : float
        Standard deviation of the coefficients of the panel's covariates before any data.
    zero_floor : float
        Cases spread over the baseline, so that no expected count is 0.
    population_offset : bool
        Model the rate per exposure and not the count.
    min_share : float
        A period of which a smaller share has been reported is not judged (reason "unripe").
    """

    name: ClassVar[str] = "sequential-nb"
    version: ClassVar[int] = 3
    uses_covariates: ClassVar[bool] = True

    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")
    mid_p: bool = parameter(default=True)
    windows: int = parameter(3, minimum=1, maximum=3, unit="periods")
    penalty_two: float = parameter(1.0, above=0.0, maximum=50.0, unit="nats")
    penalty_three: float = parameter(2.0, above=0.0, maximum=50.0, unit="nats")
    history_periods: int | None = parameter(None, minimum=4, kind=int, optional=True, unit="periods")
    half_life: float | None = parameter(None, above=0.0, kind=float, optional=True, unit="years")
    guard_periods: int | None = parameter(None, minimum=2, kind=int, optional=True, unit="periods")
    harmonics: int = parameter(2, minimum=0, maximum=2, unit="waves a year")
    moving_season: bool = parameter(default=False)
    year_match: Literal["calendar", "fixed"] = parameter("calendar", choices=("calendar", "fixed"))
    trend_cost: float = parameter(1.0, minimum=0.0)
    season_cost: float = parameter(2.0, minimum=0.0)
    drift: bool = parameter(default=True)
    drift_cost: float = parameter(4.0, minimum=0.0)
    moving_cost: float = parameter(4.0, minimum=0.0)
    reweight_threshold: float = parameter(2.58, above=0.0, unit="standard deviations")
    covariate_sd: float = parameter(0.5, above=0.0, unit="log mean")
    zero_floor: float = parameter(0.5, above=0.0, maximum=10.0, unit="cases")
    population_offset: bool = parameter(default=False)
    min_share: float = parameter(0.3, above=0.0, maximum=1.0, unit="share")

    def _shape(self, frequency: str) -> tuple[int, int]:
        """Return guard and history in periods."""
        guard, years = _BY_FREQUENCY[frequency]
        return (
            guard if self.guard_periods is None else self.guard_periods,
            years * PERIODS_PER_YEAR[frequency] if self.history_periods is None else self.history_periods,
        )

    def min_periods(self, frequency: str) -> int:
        """Return how many periods, the judged one included, a panel must have; with fewer nothing is judged."""
        guard, history = self._shape(frequency)
        return min(PERIODS_PER_YEAR[frequency], history) + guard + 1

    def memory(self, frequency: str) -> int:  # noqa: ARG002 - part of the interface
        """Return how many newest periods are weighed together."""
        return self.windows

    def detect(self, panel: Panel, periods: pd.PeriodIndex | None = None) -> Signals:
        """Judge each of ``periods`` (default: the newest) with what came before it.

        Parameters
        ----------
        panel : Panel
            Its covariates, if any, enter the regression; past periods that are not complete stay out of the baseline.
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
        span = np.ones(out.observed.shape, np.int64)
        observed = np.ascontiguousarray(panel.observed.T)
        exposure = np.ascontiguousarray(panel.exposure.T) if self.population_offset and panel.exposure is not None else None
        for column, now in enumerate(judged.tolist()):
            numbers, out.reason[:, column] = self._judge(panel, observed, exposure, now)
            for target, values in zip((out.expected, out.lower, out.upper, out.p_value), numbers[:-1], strict=True):
                target[:, column] = values
            span[:, column] = np.where(np.isnan(numbers[-1]), 1, numbers[-1])
        with np.errstate(invalid="ignore"):
            out.alarm[...] = out.observed > out.upper
        return replace(out, span=span)

    def _judge(
        self, panel: Panel, observed: FloatArray, exposure: FloatArray | None, now: int
    ) -> tuple[tuple[FloatArray, ...], npt.NDArray[np.uint8]]:
        """Judge one period; return (expected, lower, upper, p, span) and the reasons."""
        frequency = frequency_of(panel.periods)
        year = PERIODS_PER_YEAR[frequency]
        guard, history = self._shape(frequency)
        at = _now(panel, observed, exposure, now, guard=guard, history=history)
        reason = np.zeros(observed.shape[1], np.uint8)
        known = np.add.reduce(at.usable[at.rows], axis=0)
        span = np.where(known > 0, len(at.rows) - at.usable[at.rows].argmax(axis=0), 0) if len(at.rows) else known
        needed = min(year, history)
        # A series may begin a little after the panel and have gaps, but not miss half of the least history.
        reason[(now + 1 < self.min_periods(frequency)) | (span < 0.97 * needed) | (known < 0.5 * needed)] = _REASON["too-short"]
        reason[at.share[0] < self.min_share] = _REASON["unripe"]
        reason[np.isnan(observed[now])] = _REASON["missing"]
        if exposure is not None:
            reason[exposure[now] == 0] = _REASON["no-exposure"]
            reason[np.isnan(exposure[now])] = _REASON["missing"]
        results = tuple(np.full(observed.shape[1], np.nan) for _ in range(5))
        todo = np.flatnonzero(reason == 0)
        if todo.size:
            found = self._estimate(panel, observed, exposure, at, todo=todo, years=span / year)
            phi = shrunken_dispersion(found.phi, found.freedom)

            def work(where: slice) -> tuple[FloatArray, ...]:
                part = Baseline(found.means[:, where], found.variance[where], phi[where], found.freedom[where])
                return self._limits(observed, at, todo[where], part)

            values = tuple(np.empty(todo.size) for _ in results)
            over_blocks(work, todo.size, values, _LIMIT_BLOCK)
            for result, value in zip(results, values, strict=True):
                result[todo] = value
        return results, reason

    def _estimate(
        self, panel: Panel, observed: FloatArray, exposure: FloatArray | None, at: _Now, *, todo: IntArray, years: FloatArray
    ) -> Baseline:
        """Return the baselines of the series ``todo``, their means in cases."""
        given = panel.covariates
        now = int(at.newest[0])
        design = seasonal_design(
            panel.periods[: now + 1],
            waves=self.harmonics,
            moving=self.moving_season,
            drift=_DRIFT if self.drift else (),
            match=self.year_match,
            covariates=None if given is None else given.values[:, : now + 1],
            covariate_sd=self.covariate_sd,
        )
        pairs = pairs_of(design.columns[at.rows])
        decay = np.ones(len(at.rows)) if self.half_life is None else 0.5 ** (-design.columns[at.rows, 1] / self.half_life)
        costs = {"trend": self.trend_cost, "wave-1": self.season_cost, "wave-2": self.season_cost, "weekday": _WEEKDAY_COST}
        costs |= {"moving-1": self.moving_cost, "moving-2": self.moving_cost} | {f"drift-{years:g}": self.drift_cost for years in _DRIFT}

        def work(where: slice) -> list[FloatArray]:
            chosen = todo[where]
            cell = np.ix_(at.rows, np.concatenate([chosen, np.full(_BLOCK - chosen.size, chosen[0])]))
            weight = at.usable[cell] * decay[:, None]
            found = estimate_baseline(
                np.where(weight > 0, observed[cell], 0.0),
                weight,
                None if exposure is None else np.where(weight > 0, exposure[cell], 1.0),
                design,
                pairs=pairs,
                newest=design.columns[at.newest],
                years=years[cell[1][0]],
                costs=costs,
                threshold=self.reweight_threshold,
                floor=self.zero_floor,
                applies=None if given is None or given.applies is None else given.applies[:, cell[1][0]],
            )
            return [part[: chosen.size] for part in (found.means.T, found.variance, found.phi, found.freedom)]

        out = [np.empty((todo.size, len(at.newest))), *np.empty((3, todo.size))]
        over_blocks(work, todo.size, out, _BLOCK)
        means = np.ascontiguousarray(out[0].T)
        if exposure is not None:
            means *= exposure[at.newest[:, None], todo]
        return Baseline(means, *out[1:])

    def _limits(self, observed: FloatArray, at: _Now, todo: IntArray, found: Baseline) -> tuple[FloatArray, ...]:
        """Return expected count, lower and upper limit, p-value and the span of an alarm; the dispersion is the shrunken one."""
        count = len(at.newest)
        there = at.usable[at.newest[:, None], todo] & (at.share[:count, todo] >= self.min_share)
        there[self.windows :] = False
        phi = found.phi
        means, y, phis = np.zeros((3, todo.size)), np.zeros((3, todo.size)), np.tile(phi, (3, 1))
        for lag in range(count):
            reported, thin = thinned(np.where(there[lag], found.means[lag], 0.0), phi, at.share[lag, todo], at.error[lag, todo])
            means[lag], phis[lag] = reported, np.where(there[lag], thin, phi)
            y[lag] = np.where(there[lag], observed[at.newest[lag], todo], 0.0)
        # Windows need one dispersion: that of their sum where periods are reported to different shares.
        alike = (phis == phi).all(axis=0)
        common = np.where(alike, phi, np.add.reduce(phis * means, axis=0) / np.add.reduce(means, axis=0))
        # The error of the expected count is common to the periods of a window; it is charged as for the middle one. The dispersion's own
        # error widens the tails like that of Student's t beside the normal near its 0.5 % point.
        common = (common + np.add.reduce(means[:2], axis=0) * found.variance) * (1.0 + 4.0 / found.freedom)
        windows = Windows((0.0, self.penalty_two, self.penalty_three), mid_p=self.mid_p)
        p = windows.p_value(y, means, common)
        upper = windows.largest_quiet(self.alpha, y[1:], means, common)
        # The search and the p-value tell the same story even where rounding makes the p-value rise with the count.
        upper = np.where(p <= self.alpha, np.minimum(upper, y[0] - 1.0), np.maximum(upper, y[0]))
        span = np.ones(todo.size)
        loud = np.flatnonzero(y[0] > upper)
        span[loud] = windows.span(y[:, loud], means[:, loud], common[loud])
        return means[0], np.minimum(negative_binomial_quantile(self.alpha, means[0], common), upper), upper, p, span


def _now(panel: Panel, observed: FloatArray, exposure: FloatArray | None, now: int, *, guard: int, history: int) -> _Now:
    rows = np.arange(max(now - guard - history, 0), max(now - guard, 0))
    newest = np.arange(now, max(now - 3, -1), -1)
    usable = np.isfinite(observed[: now + 1])
    if exposure is not None:
        usable &= exposure[: now + 1] > 0
    share, error = np.ones((3, observed.shape[1])), np.zeros((3, observed.shape[1]))
    if panel.completeness is not None:
        share[: len(newest)] = panel.completeness.share[:, newest].T
        error[: len(newest)] = panel.completeness.error[:, newest].T
        usable[rows] &= panel.completeness.share[:, rows].T >= 1.0
    return _Now(newest, rows, usable, share, error)
