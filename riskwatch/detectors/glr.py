"""Generalised likelihood ratio charts for counts: a rise of unknown size since an unknown period, over all series of a panel at once.

Sources
-------
Hoehle & Paul (2008), Comput. Statist. Data Anal. 52(9), 4357-4368.
Lai (1995), J. R. Statist. Soc. B 57(4), 613-658.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from riskwatch.detectors import charts, glr_statistics, thresholds
from riskwatch.detectors.control_chart import ControlChart
from riskwatch.detectors.parameters import parameter
from riskwatch.detectors.signals import Signals

__all__ = ["GlrNegativeBinomial", "GlrPoisson"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GlrPoisson(ControlChart):
    """Look for a rise since any of the last periods, at its most likely size, against Poisson counts around a regression.

    Parameters
    ----------
    limit : float or None
        Alarm where the statistic reaches it, in nats. None: where p <= ``alpha``.
    start : {"run-in", "first-judged"}
        Look back ``run_in`` periods from each judged period, or to the first judged one, beginning anew after an alarm by ``limit`` (the
        baseline then ends before it: what is judged depends on which periods are asked for).
    run_in : int or None
        Longest rise looked for, the judged period included. None: 6 weeks, 3 months, 3 blocks, 14 days.
    guard_periods : int
        Further periods between baseline and chart.
    baseline_periods : int or None
        Newest periods of the baseline. None: five years (two of days); with start="first-judged" all there is.
    min_baseline : int or None
        Periods with data that the baseline needs. None: two years (one of days).
    harmonics : int
        Of the yearly season of the log mean.
    trend : bool
        Linear trend of the log mean.
    coefficient_sd : float or None
        Prior standard deviation of seasonal coefficients and of the trend over the baseline; None, or a dispersion by maximum
        likelihood: not shrunken.
    population_offset : bool
        The mean is proportional to the exposure.
    year_match : {"calendar", "fixed"}
        A year is 365.25 days, or 52, 13, 12, 365 periods.
    alpha : float
        One-sided level of each judged cell.
    min_share : float
        Cells of which less than this share is reported are refused, or left out of the chart.
    """

    name: ClassVar[str] = "glr-poisson"
    run_ins: ClassVar[dict[str, int] | None] = {"day": 14, "week": 6, "4-week": 3, "month": 3}
    dispersion: ClassVar[str] = "poisson"
    nb_alpha: ClassVar[float | None] = None

    limit: float | None = parameter(None, above=0.0, kind=float, optional=True, unit="nats")
    run_in: int | None = parameter(None, minimum=1, maximum=104, kind=int, optional=True, unit="periods")

    def _judge(self, found: charts.Window, todo: npt.NDArray[np.intp], out: Signals, rows: npt.NDArray[np.intp], column: int) -> None:
        counts, mean, error = found.counts[todo], found.mean[todo], found.error[todo]
        now, windows = counts[:, -1], counts.shape[1]
        phi = np.repeat(found.phi[todo, None], windows, axis=1)
        alpha = np.maximum(phi[:, -1] - 1.0, 0.0) / mean[:, -1]
        if np.isfinite(found.alpha[todo]).all():
            alpha = found.alpha[todo]
            phi = 1.0 + alpha[:, None] * mean
        first = np.zeros(len(todo), np.intp)
        if self.limit is not None:
            _, alarms, firsts = glr_statistics.chart(counts, mean, alpha, self.limit, restart=self.start == "first-judged")
            first = firsts[:, -1]
        shortened = np.where(np.arange(windows) >= first[:, None], counts, np.nan)
        total, expected, spread, tail = glr_statistics.window_sums(shortened, mean, phi, error)
        p = glr_statistics.joint_probability(tail.min(axis=1), windows)
        if self.limit is None:
            alarm = p <= self.alpha
            level = glr_statistics.joint_level(self.alpha, windows)
            room = thresholds.negative_binomial_quantile(1.0 - level, expected, spread) - (total - now[:, None])
            upper = room.min(axis=1)
        else:
            alarm = alarms[:, -1]
            upper = glr_statistics.count_to_alarm(counts, mean, alpha, self.limit, first) - 1.0
        upper = np.maximum(upper, -1.0)
        out.expected[rows, column] = mean[:, -1]
        out.lower[rows, column] = thresholds.negative_binomial_quantile(self.alpha, mean[:, -1], phi[:, -1])
        # Rounding must not part the limit from the alarm.
        out.upper[rows, column] = np.where(alarm, np.minimum(upper, now - 1.0), np.maximum(upper, now))
        out.p_value[rows, column] = p
        out.alarm[rows, column] = alarm


@dataclass(frozen=True)
class GlrNegativeBinomial(GlrPoisson):
    """The same against negative binomial counts.

    Parameters
    ----------
    dispersion : {"pearson", "ml", "given"}
        Pearson's with Var = phi mean; maximum likelihood with Var = mean + alpha mean^2, together with the regression (as R does); or
        ``nb_alpha``.
    nb_alpha : float or None
        Dispersion alpha where it is given.
    limit, start, run_in, guard_periods, baseline_periods, min_baseline
        As for :class:`GlrPoisson`.
    harmonics, trend, coefficient_sd, population_offset, year_match, alpha, min_share
        As for :class:`GlrPoisson`.
    """

    name: ClassVar[str] = "glr-nb"

    dispersion: Literal["pearson", "ml", "given"] = parameter("pearson", choices=("pearson", "ml", "given"))  # type: ignore[misc]  # a constant of the Poisson chart
    nb_alpha: float | None = parameter(None, minimum=0.0, kind=float, optional=True)  # type: ignore[misc]  # likewise

    def _findings(self) -> list[str]:
        found = super()._findings()
        if (self.dispersion == "given") != (self.nb_alpha is not None):
            found.append(f"nb_alpha must be set where dispersion is 'given', and only there, got {self.nb_alpha!r}")
        return found
