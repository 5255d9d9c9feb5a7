"""The improved Farrington algorithm for counts (Noufaily et al. 2013), over all series of a panel at once.

Sources
-------
Farrington, Andrews, Beale, Catchpole (1996), J. R. Statist. Soc. A 159(3), 547-563.
Noufaily, Enki, Farrington, Garthwaite, Andrews, Charlett (2013), Statistics in Medicine 32(7), 1206-1222.
Numbers agree with ``farringtonFlexible`` of the R package surveillance 1.20.3; see docs/detectors/farrington-flexible.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from riskwatch.detectors import baselines, quasi_poisson, thresholds
from riskwatch.detectors.baselines import BaselineDesign
from riskwatch.detectors.parameters import check, fingerprint, parameter
from riskwatch.detectors.signals import REASONS, Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.panel import Panel

__all__ = ["FarringtonFlexible"]

FloatArray = npt.NDArray[np.float64]

_REASON = {text: number for number, text in enumerate(REASONS)}
# Half window, guard and parts of the year by frequency: about a week in ten, half a year, and what the paper uses for weeks.
_BY_FREQUENCY = {"day": (10, 182, 10), "week": (3, 26, 10), "4-week": (1, 6, 4), "month": (1, 6, 4)}
_BLOCK = 256  # series worked on at a time: the matrices of a block stay in the processor's cache


@dataclass(frozen=True)
class FarringtonFlexible:
    """Quasi-Poisson baseline on the same season of past years, with past outbreaks down-weighted.

    Parameters
    ----------
    years_back : int
        Years of history used; fewer if the panel is shorter.
    min_years : int or None
        Anniversaries that must lie within a series' history. None: the smaller of 3 and ``years_back``.
    half_window : int or None
        Periods on either side of an anniversary that count as the same season. None: 3 weeks, 1 month, 1 block, 10 days.
    guard_periods : int or None
        Newest periods before the judged one that are kept out of the baseline. None: about half a year.
    seasonal_levels : int or None
        Parts of the year; 1 uses only the windows around the anniversaries. None: 10 for weeks and days, else 4.
    reweight : bool
        Down-weight past outbreaks.
    reweight_threshold : float
        Standardised Anscombe residual above which a past period is down-weighted.
    alpha : float
        One-sided level of the upper limit.
    trend : bool
        Allow a linear trend of the log mean.
    trend_alpha : float
        Level at which the trend must differ from 0 to be kept.
    threshold_method : {"nb-plugin", "muan", "delta", "nb-predictive"}
        Negative binomial quantile at the expected count; the same at its upper confidence limit; 2/3-power normal approximation;
        negative binomial whose variance also holds the error of the expected count (not in R; best for short or thin history).
    standard_errors : {"surveillance", "pearson"} or None
        Variance behind the trend's test and the error of the expected count: as the R package computes it after reweighting (see the
        page), or the Pearson dispersion. None: "pearson" for nb-predictive, else "surveillance".
    limit_cases, limit_periods : int
        A cell is judged only if the newest ``limit_periods`` periods, itself included, hold ``limit_cases`` cases.
    population_offset : bool
        Model the rate per exposure and not the count.
    zero_floor : float
        Cases that a season with fewer in all past years is taken to have had, spread over its periods. With 0, as in R, a season
        without a past case makes any case all but impossible.
    year_match : {"calendar", "fixed"}
        Anniversaries by date, or a fixed number of periods back.
    """

    name: ClassVar[str] = "farrington-flexible"

    years_back: int = parameter(5, minimum=1, maximum=30, unit="years")
    min_years: int | None = parameter(None, minimum=1, maximum=30, kind=int, optional=True, unit="years")
    half_window: int | None = parameter(None, minimum=0, kind=int, optional=True, unit="periods")
    guard_periods: int | None = parameter(None, minimum=0, kind=int, optional=True, unit="periods")
    seasonal_levels: int | None = parameter(None, minimum=1, maximum=52, kind=int, optional=True, unit="parts of the year")
    reweight: bool = parameter(default=True)
    reweight_threshold: float = parameter(2.58, above=0.0, unit="standard deviations")
    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")
    trend: bool = parameter(default=True)
    trend_alpha: float = parameter(0.05, minimum=0.0, maximum=1.0, unit="probability")
    threshold_method: Literal["nb-plugin", "muan", "delta", "nb-predictive"] = parameter(
        "nb-plugin", choices=("nb-plugin", "muan", "delta", "nb-predictive")
    )
    standard_errors: Literal["surveillance", "pearson"] | None = parameter(
        None, kind=str, optional=True, choices=("surveillance", "pearson")
    )
    limit_cases: int = parameter(5, minimum=0, unit="cases")
    limit_periods: int = parameter(4, minimum=1, unit="periods")
    population_offset: bool = parameter(default=False)
    zero_floor: float = parameter(0.5, minimum=0.0, maximum=10.0, unit="cases")
    year_match: Literal["calendar", "fixed"] = parameter("calendar", choices=("calendar", "fixed"))

    def __post_init__(self) -> None:
        check(self)
        if self.min_years is not None and self.min_years > self.years_back:
            check(self, [f"min_years must be <= years_back ({self.years_back}), got {self.min_years}"])

    @property
    def hash(self) -> str:
        """Fingerprint of method and parameters."""
        return fingerprint(self, version=1)

    def min_periods(self, frequency: str) -> int:
        """Return how many periods, the judged one included, a panel must have; with fewer nothing is judged."""
        return self._years() * baselines.PERIODS_PER_YEAR[frequency] + 1

    def _pearson(self) -> bool:
        return self.standard_errors == "pearson" or (self.standard_errors is None and self.threshold_method == "nb-predictive")

    def _years(self) -> int:
        return min(3, self.years_back) if self.min_years is None else self.min_years

    def _shape(self, frequency: str) -> tuple[int, int, int]:
        """Return half window, guard and parts of the year for a frequency, checked against its year."""
        half, guard, levels = (
            default if given is None else given
            for given, default in zip((self.half_window, self.guard_periods, self.seasonal_levels), _BY_FREQUENCY[frequency], strict=True)
        )
        gap = baselines.PERIODS_PER_YEAR[frequency] - 2 * half - 1
        found = []
        if gap < max(levels - 1, 0):
            found.append(
                f"half_window {half} and seasonal_levels {levels} leave {gap} periods of a {frequency} year for {levels - 1} other parts"
            )
        if found:
            check(self, found)
        return half, guard, levels

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
        half, guard, levels = self._shape(baselines.frequency_of(panel.periods))
        if self.population_offset and panel.exposure is None:
            check(self, ["population_offset needs a panel with exposure, got none"])
        judged = positions_of(panel, periods, self.name)
        out = empty_signals(panel, judged, self.name, self.hash)
        time = baselines.time_axis(panel.periods, self.year_match)
        observed = np.ascontiguousarray(panel.observed.T)
        exposure = np.ascontiguousarray(panel.exposure.T) if self.population_offset and panel.exposure is not None else None
        for column, now in enumerate(judged.tolist()):
            anniversaries = baselines.reference_positions(panel.periods, now, self.years_back, self.year_match)
            design = baselines.seasonal_baseline(now, anniversaries, half_window=half, guard=guard, levels=levels)
            numbers, out.reason[:, column] = self._judge(observed, exposure, design, time - time[now])
            for target, values in zip((out.expected, out.lower, out.upper, out.p_value), numbers, strict=True):
                target[:, column] = values
        with np.errstate(invalid="ignore"):
            out.alarm[...] = out.observed > out.upper
        return out

    def _judge(
        self, observed: FloatArray, exposure: FloatArray | None, design: BaselineDesign, time: FloatArray
    ) -> tuple[tuple[FloatArray, ...], npt.NDArray[np.uint8]]:
        """Judge one period, arrays (period, series); return (expected, lower, upper, p) and the reasons."""
        now, rows = design.now, design.rows
        y_now = observed[now]
        # Only the past and the judged period: a panel's future has no say.
        observed = observed[: now + 1]
        usable = np.isfinite(observed)
        reason = np.zeros(observed.shape[1], np.uint8)
        if exposure is not None:
            exposure = exposure[: now + 1]
            usable &= exposure > 0
            reason[exposure[now] == 0] = _REASON["no-exposure"]
            reason[np.isnan(exposure[now])] = _REASON["missing"]
        reason[np.isnan(y_now) & (reason == 0)] = _REASON["missing"]
        recent = np.nansum(observed[max(now - self.limit_periods + 1, 0) : now + 1], axis=0)
        reason[(recent < self.limit_cases) & (reason == 0)] = _REASON["too-few-cases"]
        years = np.zeros(observed.shape[1], np.int64)
        for window in design.windows:
            years += usable[window].any(axis=0)
        season = usable[rows[design.starts[-1] :]].any(axis=0) if len(rows) else np.zeros(observed.shape[1], np.bool_)
        # Too short a history outranks too few cases: it says what will not change by waiting for the next case.
        reason[((years < self._years()) | ~season) & ((reason == 0) | (reason == _REASON["too-few-cases"]))] = _REASON["too-short"]

        results = tuple(np.full(observed.shape[1], np.nan) for _ in range(4))
        judgeable = np.flatnonzero(reason == 0)
        for start in range(0, len(judgeable), _BLOCK):
            todo = judgeable[start : start + _BLOCK]
            todo = np.concatenate([todo, np.full(-todo.size % 8, todo[0], dtype=todo.dtype)])
            prior = usable[np.ix_(rows, todo)].astype(np.float64)
            y = np.where(prior > 0, observed[np.ix_(rows, todo)], 0.0)
            offset = offset_now = None
            if exposure is not None:
                offset = np.log(np.where(prior > 0, exposure[np.ix_(rows, todo)], 1.0))
                offset_now = np.log(exposure[now, todo])
            judgement, failed = self._predict(
                y, prior, design.starts, time=time[rows], offset=offset, offset_now=offset_now, y_now=y_now[todo], years=years[todo]
            )
            reason[todo[failed]] = _REASON["no-convergence"]
            for result, values in zip(results, judgement, strict=True):
                result[todo] = np.where(failed, np.nan, values)
        return results, reason

    def _predict(
        self,
        y: FloatArray,
        prior: FloatArray,
        starts: npt.NDArray[np.intp],
        *,
        time: FloatArray,
        offset: FloatArray | None,
        offset_now: FloatArray | None,
        y_now: FloatArray,
        years: npt.NDArray[np.int64],
    ) -> tuple[tuple[FloatArray, ...], npt.NDArray[np.bool_]]:
        """Return (expected, lower, upper, p) per series, and where no fit was found."""
        series = y.shape[1]
        eta, error, phi = (np.full(series, np.nan) for _ in range(3))
        flat = np.arange(series)
        if self.trend:
            found = self._fit(y, prior, starts, time, offset)
            link = self._link(found, offset_now, time_now=0.0)
            with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
                statistic = np.abs(found.fit.slope) / np.sqrt(found.variance / found.fit.information)
                p = 2.0 * stats.t.sf(statistic, found.fit.freedom)
                highest = np.where(prior > 0, y, -np.inf).max(axis=0)
                keep = found.ok & (p < self.trend_alpha) & (years >= 3) & (np.exp(link[0]) <= highest) & (found.fit.information > 0)
            for target, values in zip((eta, error, phi), (*link, found.phi), strict=True):
                target[keep] = values[keep]
            flat = np.flatnonzero(~keep)
        if flat.size:
            chosen = np.concatenate([flat, np.full(-flat.size % 8, flat[0], dtype=flat.dtype)])
            found = self._fit(
                np.ascontiguousarray(y[:, chosen]),
                np.ascontiguousarray(prior[:, chosen]),
                starts,
                None,
                None if offset is None else np.ascontiguousarray(offset[:, chosen]),
            )
            link = self._link(found, None if offset_now is None else offset_now[chosen], time_now=None)
            for target, values in zip((eta, error, phi), (*link, found.phi), strict=True):
                target[chosen] = np.where(found.ok, values, np.nan)
        failed = ~np.isfinite(eta + error + phi)
        with np.errstate(invalid="ignore", over="ignore", under="ignore"):
            expected = np.exp(np.minimum(eta, 700.0))
            if self.zero_floor:
                part = prior[starts[-1] :]
                size = np.add.reduce(part, axis=0)
                if offset is not None and offset_now is not None:
                    size = np.add.reduce(part * np.exp(offset[starts[-1] :]), axis=0) / np.exp(offset_now)
                thin = expected < self.zero_floor / size
                expected = np.where(thin, self.zero_floor / size, expected)
                # A season without cases has an unbounded error of its log mean; that of the floor's cases stands in for it.
                error = np.where(thin, np.fmin(error, np.sqrt(phi / self.zero_floor)), error)
            limits = self._limits(y_now, expected, phi, error)
        failed |= ~np.isfinite(limits[1] + limits[2])
        return (expected, *limits), failed

    def _limits(self, y: FloatArray, expected: FloatArray, phi: FloatArray, error: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return lower limit, upper limit and p-value; ``error`` is the standard error of the log mean."""
        if self.threshold_method == "delta":
            return thresholds.two_thirds_power(y, expected, phi, expected * error, self.alpha)
        mean = expected
        if self.threshold_method == "muan":
            mean = expected * np.exp(stats.norm.isf(self.alpha) * error)
        elif self.threshold_method == "nb-predictive":
            phi = phi + expected * error**2
        lower = thresholds.negative_binomial_quantile(self.alpha, mean, phi)
        upper = thresholds.negative_binomial_quantile(1.0 - self.alpha, mean, phi)
        return lower, upper, thresholds.negative_binomial_tail(y, mean, phi)

    def _fit(
        self, y: FloatArray, prior: FloatArray, starts: npt.NDArray[np.intp], time: FloatArray | None, offset: FloatArray | None
    ) -> _Fitted:
        """Fit, down-weight past outbreaks, fit again."""
        fitted = quasi_poisson.fit(y, prior, starts, time, offset)
        with np.errstate(invalid="ignore"):
            phi = np.fmax(quasi_poisson.dispersion(y, fitted), 1.0)
        ok = fitted.converged & (fitted.freedom > 0)
        if not self.reweight:
            return _Fitted(fitted, phi, phi if self._pearson() else quasi_poisson.dispersion(y, fitted), ok)
        omega = quasi_poisson.anscombe_weights(y, prior, starts, time, fitted=fitted, phi=phi, threshold=self.reweight_threshold)
        fitted = quasi_poisson.fit(y, np.where(np.isfinite(omega), omega, prior), starts, time, offset)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
            phi = np.fmax(quasi_poisson.dispersion(y, fitted), 1.0)
            if self._pearson():
                return _Fitted(fitted, phi, phi, ok & fitted.converged)
            # R takes the reweighting weights, not the working weights, for the trend's test and the prediction's error.
            variance = np.add.reduce(np.where(prior > 0, omega * ((y - fitted.mean) / fitted.mean) ** 2, 0.0), axis=0) / fitted.freedom
        return _Fitted(fitted, phi, variance, ok & fitted.converged)

    @staticmethod
    def _link(found: _Fitted, offset_now: FloatArray | None, time_now: float | None) -> tuple[FloatArray, FloatArray]:
        """Return the log mean now and its standard error."""
        fitted = found.fit
        eta = fitted.level[-1].copy()
        with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
            variance = 1.0 / fitted.part_weight[-1]
            if time_now is not None:
                eta += fitted.slope * time_now
                variance = variance + np.where(fitted.information > 0, (time_now - fitted.part_time[-1]) ** 2 / fitted.information, 0.0)
            if offset_now is not None:
                eta += offset_now
            return eta, np.sqrt(found.variance * variance)


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A fit with its dispersion (at least 1), the dispersion used for standard errors, and whether it may be used."""

    fit: quasi_poisson.Fit
    phi: FloatArray
    variance: FloatArray
    ok: npt.NDArray[np.bool_]
