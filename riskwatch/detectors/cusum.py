"""Upper CUSUM of counts with an estimated in-control mean, over all series of a panel at once.

Sources
-------
Page (1954), Biometrika 41, 100-115. Lucas (1985), Technometrics 27(2), 129-144.
Rossi, Lampugnani, Marchi (1999), Statistics in Medicine 18, 2111-2122.
Brook & Evans (1972), Biometrika 59(3), 539-549: in-control distribution by a Markov chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from riskwatch.detectors import charts, cusum_statistics, thresholds
from riskwatch.detectors.control_chart import ControlChart
from riskwatch.detectors.cusum_statistics import GRID, UNIT
from riskwatch.detectors.parameters import parameter
from riskwatch.detectors.signals import Signals

__all__ = ["Cusum"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cusum(ControlChart):
    """Accumulate counts above a reference value, and alarm when the sum is improbably high for the in-control mean.

    Parameters
    ----------
    statistic : {"likelihood-ratio", "standard", "rossi", "anscombe", "pearson-nb"}
        What is accumulated: the negative binomial log likelihood ratio of a rise (Poisson where the baseline shows no more than Poisson
        spread), or a standardised count less ``reference``.
    shift : float
        Rise to be detected, in standard deviations of the count.
    relative_risk : float or None
        Rise to be detected as a factor of the mean; overrules ``shift``.
    reference : float or None
        Reference value k of the standardised statistics. None: half of ``shift``.
    limit : float or None
        Decision limit h in units of the statistic (nats for the likelihood ratio): alarm where it is reached. None: where p <= ``alpha``.
    start : {"run-in", "first-judged"}
        Chart the last ``run_in`` periods before each judged period, or from the first judged period on without return to 0 (the baseline
        then ends before it: what is judged depends on which periods are asked for).
    run_in : int or None
        Charted periods, the judged one included. None: 12 weeks, 6 months, 6 blocks, 28 days.
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
        Prior standard deviation of seasonal coefficients and of the trend over the baseline; None: not shrunken.
    nb_alpha : float or None
        Dispersion for "pearson-nb" (Var = m + alpha m^2). None: estimated.
    population_offset : bool
        The mean is proportional to the exposure.
    year_match : {"calendar", "fixed"}
        A year is 365.25 days, or 52, 13, 12, 365 periods.
    alpha : float
        One-sided level of each judged cell.
    min_share : float
        Cells of which less than this share is reported are refused, or left out of the chart.
    """

    name: ClassVar[str] = "cusum"
    dispersion: ClassVar[str] = "pearson"

    statistic: Literal["likelihood-ratio", "standard", "rossi", "anscombe", "pearson-nb"] = parameter(
        "likelihood-ratio", choices=("likelihood-ratio", *cusum_statistics.STATISTICS)
    )
    shift: float = parameter(2.0, minimum=0.1, maximum=10.0, unit="standard deviations")
    relative_risk: float | None = parameter(None, minimum=1.01, maximum=100.0, kind=float, optional=True, unit="factor")
    reference: float | None = parameter(None, above=0.0, kind=float, optional=True, unit="standard deviations")
    nb_alpha: float | None = parameter(None, minimum=0.0, kind=float, optional=True)

    def _judge(self, found: charts.Window, todo: npt.NDArray[np.intp], out: Signals, rows: npt.NDArray[np.intp], column: int) -> None:
        counts, mean, phi = found.counts[todo], found.mean[todo], found.phi[todo]
        steps = counts.shape[1]
        typical = sum(mean[:, at] for at in range(steps)) / steps
        jumps = np.arange(-GRID, GRID + 1) - 0.5
        if self.statistic == "likelihood-ratio":
            risk = 1.0 + self.shift * np.sqrt(phi / typical) if self.relative_risk is None else np.full(len(phi), self.relative_risk)
            slope, ratio = cusum_statistics.likelihood_ratio(typical, phi, risk)
            increments = slope[:, None] * (counts - mean * (ratio / typical)[:, None])
            unit = np.full(len(phi), UNIT)
            edge = ratio[:, None] + jumps * (UNIT / slope)[:, None]

            def inverse(total: FloatArray) -> FloatArray:
                return np.asarray(mean[:, -1] * (ratio / typical) + total / slope)

        else:
            k = self.shift / 2.0 if self.reference is None else self.reference
            with np.errstate(invalid="ignore"):
                dispersion = np.maximum((phi - 1.0) / typical, 0.0) if self.nb_alpha is None else np.full(len(phi), self.nb_alpha)
            increments = cusum_statistics.score(self.statistic, counts, mean, dispersion[:, None]) - k
            unit = np.full(len(phi), UNIT / (2.0 * k))
            edge = cusum_statistics.inverse_score(self.statistic, jumps * unit[:, None] + k, typical[:, None], dispersion[:, None])

            def inverse(total: FloatArray) -> FloatArray:
                fits = total + k > cusum_statistics.score(self.statistic, np.zeros(len(phi)), mean[:, -1], dispersion)
                return np.where(fits, cusum_statistics.inverse_score(self.statistic, total + k, mean[:, -1], dispersion), -1.0)

        whole = np.floor(increments / unit[:, None] + 0.5)
        states = cusum_statistics.recursion(whole)
        tail = cusum_statistics.in_control_tail(np.ceil(edge), typical, phi, found.error[todo], steps)
        at_state = np.minimum(states[:, -1], GRID).astype(np.intp)
        p = tail[np.arange(len(tail)), at_state]
        if self.limit is None:
            critical = np.where(tail <= self.alpha, np.arange(GRID + 1), GRID + 1).min(axis=1)
            before = states[:, -2] if steps > 1 else np.zeros(len(states))
            needed = inverse((critical - before - 0.5) * unit)
            alarm = states[:, -1] >= critical
        else:
            chart = cusum_statistics.recursion(increments)
            needed = inverse(self.limit - (chart[:, -2] if steps > 1 else np.zeros(len(chart))))
            alarm = chart[:, -1] >= self.limit
        now = counts[:, -1]
        # Rounding must not part the limit from the alarm.
        upper = np.maximum(np.ceil(needed) - 1.0, -1.0)
        upper = np.where(alarm, np.minimum(upper, now - 1.0), np.maximum(upper, now))
        out.expected[rows, column] = mean[:, -1]
        out.lower[rows, column] = thresholds.negative_binomial_quantile(self.alpha, mean[:, -1], phi)
        out.upper[rows, column] = upper
        out.p_value[rows, column] = p
        out.alarm[rows, column] = alarm
