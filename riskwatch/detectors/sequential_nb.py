"""Negative-binomial regression of a series' own history, judged by the evidence of its newest one to three periods.

Sources
-------
Quasi-likelihood regression with past outbreaks down-weighted: Farrington et al. (1996), J. R. Statist. Soc. A 159(3), 547-563; Noufaily
et al. (2013), Statistics in Medicine 32(7), 1206-1222.
Scan of the newest periods: Glaz, Naus, Wallenstein (2001), Scan Statistics; Tango, Takahashi, Kohriyama (2011), Biometrics 67(1), 106-115.
Empirical Bayes of the dispersion: DerSimonian & Laird (1986), Controlled Clinical Trials 7(3), 177-188.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from riskwatch.detectors import nb_regression
from riskwatch.detectors.baselines import PERIODS_PER_YEAR, frequency_of
from riskwatch.detectors.nb_regression import Pairs, pairs_of
from riskwatch.detectors.parameters import check, fingerprint, parameter
from riskwatch.detectors.seasonal_design import SeasonalDesign, seasonal_design
from riskwatch.detectors.signals import REASONS, Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.detectors.thresholds import negative_binomial_quantile, negative_binomial_tail, thinned
from riskwatch.detectors.windows import Windows
from riskwatch.panel import Panel

__all__ = ["SequentialNB"]

FloatArray = npt.NDArray[np.float64]

_REASON = {text: number for number, text in enumerate(REASONS)}
_BLOCK = 256  # series worked on at a time, always: every series is summed by the same instructions whatever its neighbours
# Guard, and history in years.
_BY_FREQUENCY = {"day": (14, 5), "week": (6, 10), "4-week": (2, 10), "month": (2, 10)}


@dataclass(frozen=True, eq=False)
class _Baseline:
    """What the history says, per series: means of the newest periods, squared error of their log, dispersion and its freedom."""

    means: FloatArray
    variance: FloatArray
    phi: FloatArray
    freedom: FloatArray


@dataclass(frozen=True)
class SequentialNB:
    name: ClassVar[str] = "sequential-nb"

    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")
    history_periods: int | None = parameter(None, minimum=2, kind=int, optional=True, unit="periods")
    guard_periods: int | None = parameter(None, minimum=2, kind=int, optional=True, unit="periods")
    harmonics: int = parameter(2, minimum=0, maximum=2)
    penalty_two: float = parameter(0.7, minimum=0.0, maximum=50.0, unit="nats")
    penalty_three: float = parameter(1.4, minimum=0.0, maximum=50.0, unit="nats")
    windows: int = parameter(3, minimum=1, maximum=3)
    reweight_threshold: float = parameter(2.58, above=0.0, unit="standard deviations")
    trend_cost: float = parameter(1.0, minimum=0.0)
    season_cost: float = parameter(2.0, minimum=0.0)
    half_life: float | None = parameter(None, above=0.0, kind=float, optional=True, unit="years")
    covariate_sd: float = parameter(0.5, above=0.0, unit="log mean")
    zero_floor: float = parameter(0.5, above=0.0, maximum=10.0, unit="cases")
    min_share: float = parameter(0.3, minimum=0.0, maximum=1.0, unit="share")
    population_offset: bool = parameter(default=False)

    def __post_init__(self) -> None:
        check(self)

    @property
    def hash(self) -> str:
        """Fingerprint of method and parameters."""
        return fingerprint(self, version=1)

    def _shape(self, frequency: str) -> tuple[int, int]:
        guard, years = _BY_FREQUENCY[frequency]
        guard = guard if self.guard_periods is None else self.guard_periods
        return guard, years * PERIODS_PER_YEAR[frequency] if self.history_periods is None else self.history_periods

    def min_periods(self, frequency: str) -> int:
        """Return how many periods, the judged one included, a panel must have; with fewer nothing is judged."""
        guard, history = self._shape(frequency)
        return min(PERIODS_PER_YEAR[frequency], history) + guard + 1

    def detect(self, panel: Panel, periods: pd.PeriodIndex | None = None) -> Signals:
        judged = positions_of(panel, periods, self.name)
        frequency_of(panel.periods)
        if self.population_offset and panel.exposure is None:
            check(self, ["population_offset needs a panel with exposure, got none"])
        out = empty_signals(panel, judged, self.name, self.hash)
        observed = np.ascontiguousarray(panel.observed.T)
        exposure = np.ascontiguousarray(panel.exposure.T) if self.population_offset and panel.exposure is not None else None
        for column, now in enumerate(judged.tolist()):
            numbers, out.reason[:, column] = self._judge(panel, observed, exposure, now)
            for target, values in zip((out.expected, out.lower, out.upper, out.p_value), numbers, strict=True):
                target[:, column] = values
        with np.errstate(invalid="ignore"):
            out.alarm[...] = out.observed > out.upper
        return out

    def _judge(self, panel, observed, exposure, now):
        frequency = frequency_of(panel.periods)
        guard, history = self._shape(frequency)
        series = observed.shape[1]
        year = PERIODS_PER_YEAR[frequency]
        reason = np.zeros(series, np.uint8)
        share, error = np.ones((3, series)), np.zeros((3, series))
        rows = np.arange(max(now - guard - history, 0), max(now - guard, 0))
        newest = np.arange(now, max(now - 3, -1), -1)
        usable = np.isfinite(observed[: now + 1])
        if exposure is not None:
            usable &= exposure[: now + 1] > 0
            reason[exposure[now] == 0] = _REASON["no-exposure"]
            reason[np.isnan(exposure[now])] = _REASON["missing"]
        if panel.completeness is not None:
            share[: len(newest)] = panel.completeness.share[:, newest].T
            error[: len(newest)] = panel.completeness.error[:, newest].T
            usable[rows] &= panel.completeness.share[:, rows].T >= 1.0
            reason[(share[0] < self.min_share) & (reason == 0)] = _REASON["unripe"]
        reason[np.isnan(observed[now]) & (reason == 0)] = _REASON["missing"]
        history_usable = usable[rows]
        known = history_usable.sum(axis=0)
        span = np.where(known > 0, len(rows) - history_usable.argmax(axis=0), 0) if len(rows) else np.zeros(series)
        needed = min(year, history)
        reason[((now + 1 < self.min_periods(frequency)) | (span < 0.97 * needed) | (known < 0.5 * needed)) & (reason == 0)] = _REASON["too-short"]
        results = tuple(np.full(series, np.nan) for _ in range(4))
        todo = np.flatnonzero(reason == 0)
        if not todo.size:
            return results, reason
        given = panel.covariates
        design = seasonal_design(
            panel.periods, now, harmonics=self.harmonics, covariates=None if given is None else given.values, covariate_sd=self.covariate_sd
        )
        pairs = pairs_of(design.columns[rows])
        time = design.columns[rows, 1]
        decay = np.ones(len(rows)) if self.half_life is None else 0.5 ** (-time / self.half_life)
        parts = []
        for start in range(0, len(todo), _BLOCK):
            chosen = todo[start : start + _BLOCK]
            padded = np.concatenate([chosen, np.full(_BLOCK - chosen.size, chosen[0], dtype=chosen.dtype)])
            prior = history_usable[:, padded] * decay[:, None]
            y = np.where(prior > 0, observed[rows[:, None], padded], 0.0)
            size = None if exposure is None else np.where(prior > 0, exposure[rows[:, None], padded], 1.0)
            applies = None if given is None or given.applies is None else given.applies[:, padded]
            found = self._baseline(y, prior, size, design, pairs, design.columns[newest], span[padded] / year, applies)
            parts.append([part[..., : chosen.size] for part in (found.means, found.variance, found.phi, found.freedom)])
        means, variance, phi, freedom = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
        if exposure is not None:
            means = means * exposure[newest[:, None], todo]
        numbers = self._limits(observed, usable, newest, todo, means, variance, phi, freedom, share[:, todo], error[:, todo])
        for result, values in zip(results, numbers, strict=True):
            result[todo] = values
        return results, reason

    def _baseline(self, y, prior, size, design: SeasonalDesign, pairs: Pairs, newest, years, applies) -> _Baseline:
        k, series = len(design.prior_sd), y.shape[1]
        total = (prior * (1.0 if size is None else size)).sum(axis=0)
        spread = self.zero_floor / total * (1.0 if size is None else size)
        y = y + np.where(prior > 0, spread, 0.0)
        offset = None if size is None else np.log(size)
        start = np.zeros((k, series))
        start[0] = np.log((prior * y).sum(axis=0) / total)
        phi = np.ones(series)
        robust = prior
        penalty = self._base_penalty(design, phi, years, applies)
        fitted = nb_regression.fit(y, robust, pairs, start, penalty=penalty, offset=offset, steps=5, tolerance=1e-3)
        for turn in range(3):
            phi, freedom = self._dispersion(y, prior, robust, fitted, penalty, phi)
            robust = self._weights(y, prior, fitted.mean, phi)
            base = self._base_penalty(design, phi, years, applies)
            penalty = base
            if turn:
                penalty, begin = nb_regression.shrinkage(fitted.information, full.coefficients, phi, self._groups(design, series), base)
                fitted = nb_regression.fit(y, robust, pairs, begin, penalty=penalty, offset=offset, steps=2, tolerance=1e-4)
            else:
                fitted = full = nb_regression.fit(y, robust, pairs, fitted.coefficients, penalty=penalty, offset=offset, steps=2, tolerance=1e-4)
        phi, freedom = self._dispersion(y, prior, robust, fitted, penalty, phi)
        inverse = nb_regression.invert(fitted.information + penalty)
        variance = np.einsum("i,ijs,j->s", newest[0], inverse, newest[0]) * phi
        means = np.exp(np.clip(newest @ fitted.coefficients, -700.0, 700.0))
        return _Baseline(means, variance, phi, freedom)

    def _base_penalty(self, design, phi, years, applies):
        k = len(design.prior_sd)
        out = np.zeros((k, k, phi.size))
        for name, columns in design.groups:
            shortest = {"trend": 2.5, "harmonic-1": 1.5, "harmonic-2": 2.0}.get(name, 0.0)
            for at in range(columns.start, columns.stop):
                out[at, at] = np.where(years >= shortest, phi / design.prior_sd[at] ** 2, 1e12)
        if applies is not None:
            columns = dict(design.groups)["covariates"]
            for at, row in zip(range(columns.start, columns.stop), applies, strict=True):
                out[at, at] = np.where(row, out[at, at], 1e12)
        return out

    def _groups(self, design, series):
        cost = {"trend": self.trend_cost, "harmonic-2": self.season_cost, "harmonic-1": self.season_cost, "weekday": 6.0}
        named = dict(design.groups)
        return [(named[name], np.full(series, cost[name])) for name in ("harmonic-2", "harmonic-1", "weekday", "trend") if name in named]

    def _dispersion(self, y, prior, robust, fitted, penalty, phi):
        mean = fitted.mean
        value = mean / (mean + 3.0 * phi)
        inverse = nb_regression.invert(fitted.information + penalty)
        used = np.einsum("ijs,jis->s", inverse, fitted.information)
        clean = value * prior
        whole = (prior * mean).sum(axis=0)
        leverage = used * (clean * mean).sum(axis=0) / whole
        top = (value * robust * (y - mean) ** 2 / mean).sum(axis=0)
        bottom = clean.sum(axis=0) - leverage
        phi = np.maximum(top / np.maximum(bottom, 1e-9), 0.1)
        at = np.maximum(phi, 1.0)
        relative = (clean * value * (2.0 + (6.0 * at**2 - 6.0 * at + 1.0) / (at * mean))).sum(axis=0) / np.maximum(bottom, 1e-9) ** 2
        return phi, 2.0 / relative

    def _weights(self, y, prior, mean, phi):
        at = np.maximum(phi, 1.0)
        rows, columns = np.nonzero((y > mean + 2.0 * np.sqrt(at * mean)) & (prior > 0))
        tail = negative_binomial_tail(np.round(y[rows, columns]), mean[rows, columns], at[columns])
        z = -special.ndtri(np.maximum(tail, 1e-300))
        out = prior.copy()
        out[rows, columns] *= np.minimum(1.0, (self.reweight_threshold / np.maximum(z, 1e-9)) ** 2)
        return out

    def _limits(self, observed, usable, newest, todo, means, variance, phi, freedom, share, error):
        phi = np.maximum(self._shrunken(phi, freedom), 1.0)
        y = np.where(usable[newest[:, None], todo], observed[newest[:, None], todo], 0.0)
        there = usable[newest[:, None], todo] & (share[: len(newest)] >= self.min_share)
        there[0] = True
        full, y_all = np.zeros((3, todo.size)), np.zeros((3, todo.size))
        phis = np.broadcast_to(phi, (3, todo.size)).copy()
        for at in range(len(newest)):
            reported, phis[at] = thinned(means[at], phi, share[at], error[at])
            full[at] = np.where(there[at], reported, 0.0)
            y_all[at] = np.where(there[at], y[at], 0.0)
        ripe = ((share == 1) & (error == 0) | (full == 0)).all(axis=0)
        common = np.where(ripe, phi, (phis * full).sum(axis=0) / full.sum(axis=0))
        common = common + full[: min(2, self.windows)].sum(axis=0) * variance
        common = common * (1.0 + 4.0 / freedom)
        windows = Windows((0.0, self.penalty_two if self.windows > 1 else math.inf, self.penalty_three if self.windows > 2 else math.inf))
        p = windows.p_value(y_all[0], y_all[1:], full, common)
        upper = windows.largest_quiet(self.alpha, y_all[1:], full, common)
        upper = np.where(p <= self.alpha, np.minimum(upper, y_all[0] - 1.0), np.maximum(upper, y_all[0]))
        lower = negative_binomial_quantile(self.alpha, full[0], common)
        return full[0], lower, upper, p

    def _shrunken(self, phi, freedom):
        """Return dispersions drawn to that of the siblings, on the log scale; sums are exact, the order of series plays no part."""
        value, precision = np.log(phi), freedom / 2.0
        # Two pseudo-siblings of dispersion 1.3 and spread 0.5 stand in where there are few.
        weight = precision / (1.0 + precision * 0.25)
        centre = (math.fsum((weight * value).tolist()) + 8.0 * math.log(1.3)) / (math.fsum(weight.tolist()) + 8.0)
        between = (math.fsum((weight * ((value - centre) ** 2 - 1.0 / precision)).tolist()) + 8.0 * 0.25) / (math.fsum(weight.tolist()) + 8.0)
        between = max(between, 1e-4)
        return np.exp((value * precision + centre / between) / (precision + 1.0 / between))
