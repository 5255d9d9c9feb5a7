"""Failures out of inspections against a regression on trend, season, known influences and the laboratories that inspected.

Sources
-------
Logit-linear model: McCullagh & Nelder (1989), Generalized Linear Models, ch. 4.
Over-dispersion and the predictive tail: Kleinman (1973), J. Amer. Statist. Assoc. 68(341), 46-54; Box (1980), JRSS A 143(4), 383-430.
Laboratories as a random effect: Breslow & Clayton (1993), J. Amer. Statist. Assoc. 88(421), 9-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors.baselines import frequency_of
from riskwatch.detectors.binomial_expectation import Expectation, Settings, expectations, logit_error, predictive_shape
from riskwatch.detectors.binomial_windows import WINDOWS, BinomialWindows, Rates, newest_counts
from riskwatch.detectors.failures import checked_counts, refuse
from riskwatch.detectors.history_window import HistoryWindow, history_before
from riskwatch.detectors.parameters import parameter
from riskwatch.detectors.signals import Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.panel import Panel
from riskwatch.rates import beta_binomial

__all__ = ["BinomialGlm"]

IntArray = npt.NDArray[np.intp]

# History, guard and shortest history by frequency: five years (three of days), about a month, about a quarter.
_BY_FREQUENCY = {"day": (1096, 28, 91), "week": (260, 4, 13), "4-week": (65, 1, 4), "month": (60, 1, 4)}


@dataclass(frozen=True)
class BinomialGlm(HistoryWindow):
    """Test whether more of the inspections failed than level, trend, season and laboratories of the series lead to expect.

    Siblings are the series of one stratum that are summed over the same dimensions: they share a trend and a season, from which a series
    departs as far as its own data say, and draw the level of a thin series to their own. With a breakdown of the panel by laboratory, a
    cell's expectation is that of its own mix of laboratories.

    Parameters
    ----------
    history_periods : int or None
        Newest periods of the baseline. None: five years (three of days).
    guard_periods : int or None
        Periods between the baseline and the judged one. None: 4 weeks, 1 month, 1 block, 28 days.
    min_history_periods : int or None
        Periods with inspections that a series needs in its baseline. None: about a quarter.
    min_inspected : int
        Fewer inspections in the judged period are not judged (reason "too-few-cases").
    harmonics : int
        Most waves a year; which of them stay, the data decide.
    trend : bool
        Let the share rise or fall steadily.
    trend_cost, season_cost : float
        Wald statistic that a term must exceed; what is left is shrunken by it.
    covariate_sd : float
        Prior standard deviation of a covariate's effect on the logit.
    reweight_threshold : float
        Past periods whose normal score exceeds this count less.
    alpha : float
        One-sided level of the upper limit.
    mid_p : bool
        Count half of P(X = x): levels are then right on average and not at most.
    window_periods : int
        Longest window: the judged period alone, or also together with the one or two before it, at one joint level. The guard is then at
        least one period less.
    penalty_two, penalty_three : float
        By how much evidence of the longer windows is discounted: their tail probability is multiplied by exp(penalty).
    typical_rate, typical_strength : float
        What to believe about rates before any sibling is seen.
    """

    name: ClassVar[str] = "binomial-glm"
    version: ClassVar[int] = 3
    usual: ClassVar[Mapping[str, tuple[int, int, int]]] = _BY_FREQUENCY
    uses_covariates: ClassVar[bool] = True
    uses_breakdown: ClassVar[bool] = True

    min_inspected: int = parameter(1, minimum=1, unit="inspections")
    harmonics: int = parameter(2, minimum=0, maximum=2, unit="waves a year")
    trend: bool = parameter(default=True)
    trend_cost: float = parameter(2.0, minimum=0.0)
    season_cost: float = parameter(4.0, minimum=0.0)
    covariate_sd: float = parameter(0.5, above=0.0, unit="logit")
    reweight_threshold: float = parameter(3.0, above=0.0, unit="standard deviations")
    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")
    mid_p: bool = parameter(default=False)
    window_periods: int = parameter(1, minimum=1, maximum=3, unit="periods")
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
            ``observed`` are failures, ``exposure`` inspections; whole numbers. Covariates and a breakdown, if any, are taken in.
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
        span = np.ones(out.observed.shape, np.int64)
        for column, now in enumerate(judged.tolist()):
            base = history_before(now, history, guard)
            looked = np.isfinite(x[:, base]) & (np.nan_to_num(n[:, base]) > 0)
            x_now, n_now = x[:, now], n[:, now]
            todo = refuse(out.reason[:, column], (x_now, n_now), looked, shortest=shortest, min_inspected=self.min_inspected)
            if not todo.size:
                continue
            targets = np.arange(max(now - self.window_periods + 1, 0), now + 1)
            found = expectations(panel, x, n, base=base, targets=targets, settings=Settings.of(self))
            a, b = predictive_shape(found, todo)
            x_now, n_now = x_now[todo], n_now[todo]
            # The largest count that leaves at most alpha below it.
            lower = n_now - beta_binomial.quantile(self.alpha, n_now, b, a, mid_p=self.mid_p)
            if self.window_periods == 1:
                p = beta_binomial.tail(x_now, n_now, a, b)
                if self.mid_p:
                    p = np.maximum(p - beta_binomial.mass(x_now, n_now, a, b) / 2.0, 0.0)
                upper = beta_binomial.quantile(self.alpha, n_now, a, b, mid_p=self.mid_p)
            else:
                windows = BinomialWindows((0.0, self.penalty_two, self.penalty_three), mid_p=self.mid_p)
                counts = newest_counts(x[todo], n[todo], now, self.window_periods)
                rates = _by_period(found, todo)
                p, upper = windows.judge(self.alpha, *counts, rates)
                loud = np.flatnonzero(x_now > upper)
                span[todo[loud], column] = windows.span(counts[0][:, loud], counts[1][:, loud], rates.at(loud))
            out.expected[todo, column] = n_now * a / (a + b)
            out.lower[todo, column] = np.minimum(lower, upper)
            out.upper[todo, column] = upper
            out.p_value[todo, column] = p
            out.alarm[todo, column] = x_now > upper
        return replace(out, span=span)


def _by_period(found: Expectation, at: IntArray) -> Rates:
    """Return what is expected of each of the newest three periods; of those before the panel as of the earliest known."""
    newest = found.rate[at][:, ::-1].T
    rate = newest[np.minimum(np.arange(WINDOWS), len(newest) - 1)]
    return Rates(rate, logit_error(found, at), found.correlation[at])
