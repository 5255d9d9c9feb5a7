"""Failures out of inspections against a shrunken baseline: a beta-binomial predictive test.

Sources
-------
Beta-binomial model and moment estimator of the correlation: Kleinman (1973), J. Amer. Statist. Assoc. 68(341), 46-54.
Empirical Bayes by marginal likelihood: Griffiths (1973), Biometrics 29(4), 637-648.
Predictive tail as p-value: Box (1980), J. R. Statist. Soc. A 143(4), 383-430.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors.baselines import frequency_of
from riskwatch.detectors.binomial_prior import Prior, effective, estimate_priors, predictive
from riskwatch.detectors.binomial_scatter import estimate_correlation, group_correlations
from riskwatch.detectors.binomial_windows import WINDOWS, BinomialWindows, Rates, newest_counts
from riskwatch.detectors.crossed_prior import named_levels, prior_by_labels
from riskwatch.detectors.failures import checked_counts, families_of, pooled, refuse, siblings
from riskwatch.detectors.history_window import HistoryWindow, history_before
from riskwatch.detectors.label_mix import label_factors
from riskwatch.detectors.parameters import parameter
from riskwatch.detectors.signals import REASONS, Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.panel import Panel
from riskwatch.rates import beta_binomial

__all__ = ["BinomialBaseline"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_HIGHEST = 0.99  # share expected to fail, at most


def _mixed(rate: FloatArray, mix: FloatArray | None, now: int, periods: int) -> FloatArray:
    """Return the rate of the judged period and those before it, newest first, shape (3, series); one for all without a mix of labels."""
    if mix is None:
        return rate
    factor = np.ones((WINDOWS, len(rate)))
    for lag in range(min(periods, now + 1)):
        factor[lag] = mix[:, now - lag]
    return np.asarray(np.minimum(rate * factor, _HIGHEST))


@dataclass(frozen=True)
class BinomialBaseline(HistoryWindow):
    """Test whether more of the inspections failed than the series, shrunk towards its siblings, leads to expect.

    Siblings are the series of one stratum that are summed over the same dimensions; their spread decides how far a series with
    little history is drawn to the common rate. The result for a series therefore depends on its siblings in the panel.

    With a breakdown (of the kind of sampling, say) the expected share of each cell follows from the labels of its inspections, whose
    effects all series share (:mod:`riskwatch.detectors.label_mix`).

    Parameters
    ----------
    history_periods : int or None
        Newest periods of the baseline. None: two years.
    guard_periods : int or None
        Periods between the baseline and the judged one. None: 4 weeks, 1 month, 1 block, 28 days.
    min_history_periods : int or None
        Periods with inspections that a series needs in its baseline. None: about a quarter. 0: a series without a past is judged on
        what its siblings lead to expect, if any of them has one.
    min_inspected : int
        Fewer inspections in the judged period are not judged (reason "too-few-cases").
    alpha : float
        One-sided level of the upper limit.
    mid_p : bool
        Count half of P(X = x): levels are then right on average and not at most.
    window_periods : int
        Longest window: the judged period alone, or also together with the one or two before it, at one joint level. The guard is then at
        least one period less.
    crossed_prior : bool
        Draw each series to what its labels lead to expect, effects of product and place that add up on the log odds, instead of to one
        rate of all siblings. Where siblings differ in one dimension only there is nothing to add up.
    pool_strata : bool
        Series of all strata are siblings (strata that are terms); else those of one stratum.
    pool_correlation : bool
        Draw the correlation of a stratum's series to that of all strata by what it rests on, without periods that stand out
        (:mod:`riskwatch.detectors.binomial_scatter`): the result of a series then depends on the other strata of its panel.
    outlier_tail : float
        With ``pool_correlation``: periods with a smaller tail are left out of the estimate of the correlation. 0: none.
    penalty_two, penalty_three : float
        By how much evidence of the longer windows is discounted: their tail probability is multiplied by exp(penalty).
    typical_rate, typical_strength : float
        What to believe about rates before any sibling is seen.
    """

    name: ClassVar[str] = "binomial-baseline"
    version: ClassVar[int] = 4
    uses_breakdown: ClassVar[bool] = True

    min_history_periods: int | None = parameter(None, minimum=0, kind=int, optional=True, unit="periods")
    min_inspected: int = parameter(1, minimum=1, unit="inspections")
    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")
    mid_p: bool = parameter(default=False)
    window_periods: int = parameter(1, minimum=1, maximum=3, unit="periods")
    crossed_prior: bool = parameter(default=False)
    pool_strata: bool = parameter(default=False)
    pool_correlation: bool = parameter(default=False)
    outlier_tail: float = parameter(0.001, minimum=0.0, below=0.5, unit="probability")
    penalty_two: float = parameter(1.0, above=0.0, maximum=50.0, unit="nats")
    penalty_three: float = parameter(2.0, above=0.0, maximum=50.0, unit="nats")
    typical_rate: float = parameter(0.05, above=0.0, below=1.0, unit="share failed")
    typical_strength: float = parameter(20.0, minimum=0.1, maximum=1e6, unit="inspections")

    def _shape(self, frequency: str) -> tuple[int, int, int]:
        """Return history, guard and shortest history in periods; the baseline ends before the longest window begins."""
        history, guard, shortest = super()._shape(frequency)
        return history, max(guard, self.window_periods - 1), shortest

    def memory(self, frequency: str) -> int:  # noqa: ARG002 - part of the interface
        """Return how many newest periods are weighed together for one judgement."""
        return self.window_periods

    def detect(self, panel: Panel, periods: pd.PeriodIndex | None = None) -> Signals:
        """Judge each of ``periods`` (default: the newest) with what came before it.

        Parameters
        ----------
        panel : Panel
            ``observed`` are failures, ``exposure`` inspections; whole numbers.
        periods : PeriodIndex, optional
            Periods of the panel.

        Returns
        -------
        Signals

        Raises
        ------
        DetectorError
            Without exposure, if a count is not a whole number, or failures exceed inspections.
        """
        history, guard, shortest = self._shape(frequency_of(panel.periods))
        x, n = checked_counts(panel, self.name)
        judged = positions_of(panel, periods, self.name)
        out = empty_signals(panel, judged, self.name, self.hash)
        if self.window_periods > 1 and judged.size:
            weighed = [newest_counts(x, n, now, self.window_periods)[0].sum(axis=0) for now in judged.tolist()]
            out = dataclasses.replace(out, weighed=np.where(np.isnan(out.observed), np.nan, np.stack(weighed, axis=1)))
        span = np.ones(out.observed.shape, np.int64)
        groups = [(rows, named_levels(panel.index[rows]) if self.crossed_prior else ()) for rows in self._siblings(panel.index)]
        families = families_of(panel.index, [rows for rows, _ in groups])
        for column, now in enumerate(judged.tolist()):
            past = history_before(now, history, guard)
            looked = np.isfinite(x[:, past]) & np.isfinite(n[:, past])
            x_past, n_past = np.where(looked, x[:, past], 0.0), np.where(looked, n[:, past], 0.0)
            mix = None if panel.breakdown is None else label_factors(panel.breakdown, past, [rows for rows, _ in groups])
            # A rate is that of inspections of average labels: a raised inspection counts as more than one.
            like = n_past if mix is None else np.maximum(n_past * mix[:, past], x_past)
            a, b, error, correlation = (np.full(len(panel.index), np.nan) for _ in range(4))
            scatter = self._scatter(x_past, like, [rows for rows, _ in groups], families)
            for (rows, _), rho in zip(groups, scatter, strict=True):
                correlation[rows] = rho
            failed, total = effective(x_past, like, correlation)
            for (rows, _), prior in zip(groups, self._priors(failed, total, scatter, groups), strict=True):
                a[rows], b[rows] = predictive(failed[rows], total[rows], prior)
                error[rows] = 1.0 / (prior.strength + total[rows] + 1.0)
                if not n_past[rows].any():
                    a[rows] = np.nan
            x_now, n_now = x[:, now], n[:, now]
            todo = refuse(out.reason[:, column], (x_now, n_now), n_past > 0, shortest=shortest, min_inspected=self.min_inspected)
            # With min_history_periods 0 a series may have no past, but not all of its siblings.
            blind = np.isnan(a[todo])
            out.reason[todo[blind], column] = REASONS.index("too-short")
            todo = todo[~blind]
            if todo.size:
                rates = Rates(_mixed(a / (a + b), mix, now, self.window_periods), error, correlation).at(todo)
                share = rates.rate if rates.rate.ndim == 1 else rates.rate[0]
                a, b = share * (a + b)[todo], (1.0 - share) * (a + b)[todo]
                x_now, n_now = x_now[todo], n_now[todo]
                counts = newest_counts(x[todo], n[todo], now, self.window_periods)
                # Most series of a sparse panel look like another one: what they come to is worked out once.
                kinds = (x_now, n_now, a, b, *counts[0], *counts[1], *np.atleast_2d(rates.rate), rates.error, rates.correlation)
                first, place = distinct(*kinds)
                few = (counts[0][:, first], counts[1][:, first], rates.at(first))
                once = self._judge(x_now[first], n_now[first], a[first], b[first], few)
                lower, upper, p, reaches = (part[place] for part in once)
                out.expected[todo, column] = n_now * share
                out.lower[todo, column] = np.minimum(lower, upper)
                out.upper[todo, column] = upper
                out.p_value[todo, column] = p
                out.alarm[todo, column] = x_now > upper
                span[todo, column] = reaches
        return dataclasses.replace(out, span=span)

    def _siblings(self, index: pd.Index[str]) -> list[IntArray]:
        return siblings(pooled(index, strata=self.pool_strata))

    def _scatter(self, x: FloatArray, n: FloatArray, groups: list[IntArray], families: list[int]) -> list[float]:
        """Return the correlation of each group: its own estimate, or one drawn to that of all groups summed over the same dimensions."""
        if not self.pool_correlation:
            return [estimate_correlation(x[rows], n[rows]) for rows in groups]
        typical = (self.typical_rate, self.typical_strength)
        found: list[float] = group_correlations(x, n, groups, families, outlier_tail=self.outlier_tail, typical=typical).tolist()
        return found

    def _priors(
        self, failed: FloatArray, total: FloatArray, scatter: list[float], groups: list[tuple[IntArray, tuple[IntArray, ...]]]
    ) -> list[Prior]:
        """Return each group's common prior, or one for each of its series where they differ in two dimensions at least."""
        typical = {"rate": self.typical_rate, "strength": self.typical_strength}
        if not self.crossed_prior:
            return estimate_priors(failed, total, [rows for rows, _ in groups], scatter, **typical)
        out = []
        for (rows, levels), rho in zip(groups, scatter, strict=True):
            if len(levels) < 2:
                out += estimate_priors(failed, total, [rows], [rho], **typical)
            else:
                out.append(Prior(*prior_by_labels(failed[rows], total[rows], levels, **typical), rho))
        return out

    def _judge(
        self, x: FloatArray, n: FloatArray, a: FloatArray, b: FloatArray, newest: tuple[FloatArray, FloatArray, Rates]
    ) -> tuple[FloatArray, FloatArray, FloatArray, IntArray]:
        """Return lower and upper limit, p-value and span of series judged on their own: each rests on its own figures alone."""
        # The largest count that leaves at most alpha below it.
        lower = n - beta_binomial.quantile(self.alpha, n, b, a, mid_p=self.mid_p)
        span = np.ones(len(x), np.int64)
        if self.window_periods == 1:
            p = beta_binomial.tail(x, n, a, b)
            if self.mid_p:
                p = np.maximum(p - beta_binomial.mass(x, n, a, b) / 2.0, 0.0)
            return lower, beta_binomial.quantile(self.alpha, n, a, b, mid_p=self.mid_p), p, span
        windows = BinomialWindows((0.0, self.penalty_two, self.penalty_three), mid_p=self.mid_p)
        p, upper = windows.judge(self.alpha, *newest)
        loud = np.flatnonzero(x > upper)
        failed, inspected, rates = newest
        span[loud] = windows.span(failed[:, loud], inspected[:, loud], rates.at(loud))
        return lower, upper, p, span


def distinct(*figures: FloatArray) -> tuple[IntArray, IntArray]:
    """Return the first of each kind of series that are alike in all ``figures``, bit by bit, and the number of each series' kind.

    Parameters
    ----------
    figures : array, shape (series,)
        Several.
    """
    table = np.ascontiguousarray(np.column_stack(figures).astype(np.float64, copy=False))
    rows = table.view(np.dtype((np.void, table.dtype.itemsize * table.shape[1])))[:, 0]
    _, first, place = np.unique(rows, return_index=True, return_inverse=True)
    return first, place
