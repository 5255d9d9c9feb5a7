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
import pandas as pd

from riskwatch.detectors import charts, glr_statistics, thresholds
from riskwatch.detectors.parameters import check, fingerprint, parameter
from riskwatch.detectors.signals import Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.panel import Panel

__all__ = ["GlrNegativeBinomial", "GlrPoisson"]

FloatArray = npt.NDArray[np.float64]

_BLOCK = 256  # series worked on at a time
_WINDOW = {"day": 14, "week": 6, "4-week": 3, "month": 3}


@dataclass(frozen=True)
class GlrPoisson:
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
    dispersion: ClassVar[str] = "poisson"
    nb_alpha: ClassVar[float | None] = None

    limit: float | None = parameter(None, above=0.0, kind=float, optional=True, unit="nats")
    start: Literal["run-in", "first-judged"] = parameter("run-in", choices=("run-in", "first-judged"))
    run_in: int | None = parameter(None, minimum=1, maximum=104, kind=int, optional=True, unit="periods")
    guard_periods: int = parameter(0, minimum=0, unit="periods")
    baseline_periods: int | None = parameter(None, minimum=4, kind=int, optional=True, unit="periods")
    min_baseline: int | None = parameter(None, minimum=4, kind=int, optional=True, unit="periods")
    harmonics: int = parameter(2, minimum=0, maximum=4)
    trend: bool = parameter(default=True)
    coefficient_sd: float | None = parameter(1.0, above=0.0, kind=float, optional=True, unit="log mean")
    population_offset: bool = parameter(default=False)
    year_match: Literal["calendar", "fixed"] = parameter("calendar", choices=("calendar", "fixed"))
    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")
    min_share: float = parameter(0.3, above=0.0, maximum=1.0, unit="share reported")

    def __post_init__(self) -> None:
        check(self)

    @property
    def hash(self) -> str:
        """Fingerprint of method and parameters."""
        return fingerprint(self, version=1)

    def min_periods(self, frequency: str) -> int:
        """Return how many periods, the judged one included, a panel must have; with fewer nothing is judged."""
        _, shortest, run_in = charts.settings(self, frequency, _WINDOW)
        return shortest + (1 if self.start == "first-judged" else self.guard_periods + run_in)

    def memory(self, frequency: str) -> int:
        """Return how many newest periods are weighed together for one judgement."""
        return charts.settings(self, frequency, _WINDOW)[2]

    def detect(self, panel: Panel, periods: pd.PeriodIndex | None = None) -> Signals:
        """Judge each of ``periods`` (default: the newest) with what came before it.

        Parameters
        ----------
        panel : Panel
            Counts, and exposure if ``population_offset``.
        periods : PeriodIndex, optional
            Periods of the panel.

        Returns
        -------
        Signals
            ``upper`` is the largest count of the judged period that would not have alarmed, given the counts before it: -1 where even
            no case would have.
        """
        judged = positions_of(panel, periods, self.name)
        out = empty_signals(panel, judged, self.name, self.hash)
        if not judged.size:
            return out
        for low in range(0, len(panel.index), _BLOCK):
            rows = slice(low, min(low + _BLOCK, len(panel.index)))
            for column, now in enumerate(judged.tolist()):
                found = charts.window(self, panel, rows, now, first=int(judged.min()), run_ins=_WINDOW)
                out.reason[rows, column] = found.reason
                todo = np.flatnonzero(found.reason == 0)
                if todo.size:
                    self._judge(found, todo, out, low + todo, column)
        return out

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

    def __post_init__(self) -> None:
        check(self)
        if (self.dispersion == "given") != (self.nb_alpha is not None):
            check(self, [f"nb_alpha must be set where dispersion is 'given', and only there, got {self.nb_alpha!r}"])
