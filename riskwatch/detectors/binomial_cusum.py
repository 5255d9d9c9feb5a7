"""CUSUM of log likelihood ratios of failures among inspections: a lasting rise of the odds, over all series of a panel at once.

Sources
-------
Steiner et al. (2000), Biostatistics 1(4), 441-452: the risk-adjusted chart. Hoehle (2010), in Statistical Modelling and Regression
Structures, Physica, 377-397: batches. Reynolds & Stoumbos (1999), J. Quality Technology 31(1), 87-108: the Bernoulli CUSUM.
Brook & Evans (1972), Biometrika 59(3), 539-549: in-control distribution by a Markov chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors import binomial_chain, cusum_statistics
from riskwatch.detectors.baselines import frequency_of
from riskwatch.detectors.binomial_expectation import Expectation, Settings, expectations, predictive_shape
from riskwatch.detectors.blocks import over_blocks
from riskwatch.detectors.cusum_statistics import GRID
from riskwatch.detectors.failures import checked_counts, refuse
from riskwatch.detectors.history_window import given_or_usual, history_before, shortest_findings
from riskwatch.detectors.parameters import Parameters, parameter
from riskwatch.detectors.signals import Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.panel import Panel
from riskwatch.rates import beta_binomial

__all__ = ["BinomialCusum"]

FloatArray = npt.NDArray[np.float64]

_BLOCK = 256  # series worked on at a time
# History, guard, shortest history and charted periods by frequency: five years (three of days), none, about a quarter, about a season.
_BY_FREQUENCY = {"day": (1096, 0, 91, 28), "week": (260, 0, 13, 12), "4-week": (65, 0, 4, 6), "month": (60, 0, 4, 6)}


@dataclass(frozen=True)
class BinomialCusum(Parameters):
    """Accumulate the evidence for raised odds of failing, and alarm when the sum is improbably high for the in-control share.

    The in-control share is that of ``binomial-glm``: drawn to the siblings', with the trend and season that the data ask for, and for the
    cell's own mix of laboratories where the panel is broken down by them.

    Parameters
    ----------
    odds_ratio : float
        Rise of the odds to be detected.
    limit : float or None
        Decision limit in nats: alarm where the exact chart reaches it. None: by ``arl0``, or where p <= ``alpha``.
    arl0 : float or None
        In-control average run length, in periods, from which each series' limit follows (at its median number of inspections).
    start : {"run-in", "first-judged"}
        Chart the last ``run_in`` periods before each judged period, or from the first judged period on without return to 0 (the baseline
        then ends before it: what is judged depends on which periods are asked for).
    run_in : int or None
        Charted periods, the judged one included. None: 12 weeks, 6 months, 6 blocks, 28 days.
    history_periods : int or None
        Newest periods of the baseline. None: five years (three of days).
    guard_periods : int or None
        Further periods between baseline and chart. None: none.
    min_history_periods : int or None
        Periods with inspections that a series needs in its baseline. None: about a quarter.
    min_inspected : int
        Fewer inspections in the judged period are not judged (reason "too-few-cases").
    harmonics, trend, trend_cost, season_cost, covariate_sd, reweight_threshold
        As for :class:`BinomialGlm`.
    alpha : float
        One-sided level of each judged cell.
    typical_rate, typical_strength : float
        What to believe about rates before any sibling is seen.
    """

    name: ClassVar[str] = "binomial-cusum"
    uses_covariates: ClassVar[bool] = True
    uses_breakdown: ClassVar[bool] = True

    odds_ratio: float = parameter(2.0, minimum=1.05, maximum=100.0, unit="factor of the odds")
    limit: float | None = parameter(None, above=0.0, kind=float, optional=True, unit="nats")
    arl0: float | None = parameter(None, above=1.0, kind=float, optional=True, unit="periods")
    start: Literal["run-in", "first-judged"] = parameter("run-in", choices=("run-in", "first-judged"))
    run_in: int | None = parameter(None, minimum=1, maximum=400, kind=int, optional=True, unit="periods")
    history_periods: int | None = parameter(None, minimum=2, kind=int, optional=True, unit="periods")
    guard_periods: int | None = parameter(None, minimum=0, kind=int, optional=True, unit="periods")
    min_history_periods: int | None = parameter(None, minimum=1, kind=int, optional=True, unit="periods")
    min_inspected: int = parameter(1, minimum=1, unit="inspections")
    harmonics: int = parameter(2, minimum=0, maximum=2, unit="waves a year")
    trend: bool = parameter(default=True)
    trend_cost: float = parameter(2.0, minimum=0.0)
    season_cost: float = parameter(4.0, minimum=0.0)
    covariate_sd: float = parameter(0.5, above=0.0, unit="logit")
    reweight_threshold: float = parameter(3.0, above=0.0, unit="standard deviations")
    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")
    typical_rate: float = parameter(0.05, above=0.0, below=1.0, unit="share failed")
    typical_strength: float = parameter(20.0, minimum=0.1, maximum=1e6, unit="inspections")

    def _findings(self) -> list[str]:
        found = shortest_findings(self.history_periods, self.min_history_periods)
        if self.limit is not None and self.arl0 is not None:
            found.append(f"limit and arl0 both set the limit: give one, got {self.limit!r} and {self.arl0!r}")
        return found

    def _shape(self, frequency: str) -> tuple[int, int, int, int]:
        """Return history, guard, shortest history and charted periods."""
        given = (self.history_periods, self.guard_periods, self.min_history_periods, self.run_in)
        history, guard, shortest, run_in = given_or_usual(given, _BY_FREQUENCY[frequency])
        return history, guard, min(shortest, history), run_in

    def min_periods(self, frequency: str) -> int:
        """Return how many periods, the judged one included, a panel must have; with fewer nothing is judged."""
        _, guard, shortest, run_in = self._shape(frequency)
        return shortest + guard + (1 if self.start == "first-judged" else run_in)

    def memory(self, frequency: str) -> int:
        """Return how many newest periods are weighed together for one judgement."""
        return self._shape(frequency)[3]

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
            ``upper`` is the largest number of failures of the judged period that would not have alarmed, given the periods before it: -1
            where even none would have.

        Raises
        ------
        DetectorError
            Without exposure, if a count is not a whole number, or failures exceed inspections.
        """
        history, guard, shortest, run_in = self._shape(frequency_of(panel.periods))
        x, n = checked_counts(panel, self.name)
        judged = positions_of(panel, periods, self.name)
        out = empty_signals(panel, judged, self.name, self.hash)
        settings = Settings.of(self)
        for column, now in enumerate(judged.tolist()):
            begin = int(judged.min()) if self.start == "first-judged" else max(now - run_in + 1, 0)
            base = history_before(begin, history, guard)
            looked = np.isfinite(x[:, base]) & (np.nan_to_num(n[:, base]) > 0)
            x_now, n_now = x[:, now], n[:, now]
            todo = refuse(out.reason[:, column], (x_now, n_now), looked, shortest=shortest, min_inspected=self.min_inspected)
            if not todo.size:
                continue
            span = np.arange(begin, now + 1)
            found = expectations(panel, x, n, base=base, targets=span, settings=settings)
            self._judge(found, x[:, span], n[:, span], todo, out=out, column=column)
        return out

    def _judge(self, found: Expectation, x: FloatArray, n: FloatArray, todo: npt.NDArray[np.intp], *, out: Signals, column: int) -> None:
        """Fill in the rows ``todo`` of a column."""
        seen = np.isfinite(x) & np.isfinite(n)
        x, n = (np.where(seen, part, 0.0)[todo] for part in (x, n))
        chart = Expectation(found.rate[todo], found.variance[todo], found.correlation[todo])

        def work(where: slice) -> tuple[FloatArray, ...]:
            part = Expectation(chart.rate[where], chart.variance[where], chart.correlation[where])
            return self._numbers(x[where], n[where], part)

        p, upper, alarm = (np.empty(todo.size) for _ in range(3))
        over_blocks(work, todo.size, (p, upper, alarm), _BLOCK)
        a, b = predictive_shape(chart, np.arange(todo.size))
        out.expected[todo, column] = n[:, -1] * chart.rate[:, -1]
        out.lower[todo, column] = n[:, -1] - beta_binomial.quantile(self.alpha, n[:, -1], b, a)
        out.upper[todo, column], out.p_value[todo, column], out.alarm[todo, column] = upper, p, alarm > 0

    def _numbers(self, x: FloatArray, n: FloatArray, found: Expectation) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return p-value, upper limit and alarm (1 or 0) of charted series."""
        rho = found.correlation
        chart = binomial_chain.lattice(n, found.rate, rho, self.odds_ratio)
        states = cusum_statistics.recursion(chart.increments(x))
        before = states[:, -2] if states.shape[1] > 1 else np.zeros(len(states))
        tail = binomial_chain.chain_tail(chart, n, found.rate, rho, np.sqrt(found.variance))
        p = np.take_along_axis(tail, np.minimum(states[:, -1], GRID).astype(np.intp)[:, None], axis=1)[:, 0]
        slope, cost = chart.slope[:, -1], chart.cost[:, -1]
        if self.limit is None and self.arl0 is None:
            critical = np.where(tail <= self.alpha, np.arange(GRID + 1), GRID + 1).min(axis=1)
            alarm = states[:, -1] >= critical
            needed = np.ceil((critical - before + cost - 0.5) / slope)
        else:
            limit = np.full(len(p), self.limit)
            if self.arl0 is not None:
                usual = np.maximum(np.round(np.nanmedian(np.where(n > 0, n, np.nan), axis=1)), 1.0)
                limit = binomial_chain.binomial_limit_for(self.arl0, usual, found.rate.mean(axis=1), self.odds_ratio, correlation=rho)
            design = 1.0 + np.maximum(n - 1.0, 0.0) * rho[:, None]
            exact = cusum_statistics.recursion(cusum_statistics.binomial_ratio(x, n, found.rate, self.odds_ratio) / design)
            alarm = exact[:, -1] >= limit
            spent = exact[:, -2] if exact.shape[1] > 1 else np.zeros(len(exact))
            free = cusum_statistics.binomial_ratio(np.zeros(len(n)), n[:, -1], found.rate[:, -1], self.odds_ratio) / design[:, -1]
            needed = np.ceil((limit - spent - free) * design[:, -1] / np.log(self.odds_ratio))
        # Rounding must not part the limit from the alarm.
        upper = np.maximum(np.minimum(needed - 1.0, n[:, -1]), -1.0)
        upper = np.where(alarm, np.minimum(upper, x[:, -1] - 1.0), np.maximum(upper, x[:, -1]))
        return p, upper, alarm.astype(np.float64)
