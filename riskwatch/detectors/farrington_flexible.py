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
from scipy import special

from riskwatch.detectors import baselines, thresholds
from riskwatch.detectors.farrington_fit import Rules
from riskwatch.detectors.farrington_judge import Method, judge
from riskwatch.detectors.history_window import given_or_usual
from riskwatch.detectors.parameters import Parameters, check, parameter
from riskwatch.detectors.signals import Signals
from riskwatch.panel import Panel

__all__ = ["FarringtonFlexible"]

FloatArray = npt.NDArray[np.float64]

# Half window, guard and parts of the year by frequency: about a week in ten, half a year, and what the paper uses for weeks.
_BY_FREQUENCY = {"day": (10, 182, 10), "week": (3, 26, 10), "4-week": (1, 6, 4), "month": (1, 6, 4)}


@dataclass(frozen=True)
class FarringtonFlexible(Parameters):
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
    min_share : float
        Where the panel says how complete its periods are: a judged cell with a smaller share reported is refused as unripe. The others
        are compared with what should have been reported by now; baseline periods that are not complete are left out.
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
    min_share: float = parameter(0.3, above=0.0, maximum=1.0, unit="share of the records")

    def _findings(self) -> list[str]:
        if self.min_years is not None and self.min_years > self.years_back:
            return [f"min_years must be <= years_back ({self.years_back}), got {self.min_years}"]
        return []

    def min_periods(self, frequency: str) -> int:
        """Return how many periods, the judged one included, a panel must have; with fewer nothing is judged."""
        return self._years() * baselines.PERIODS_PER_YEAR[frequency] + 1

    def _pearson(self) -> bool:
        return self.standard_errors == "pearson" or (self.standard_errors is None and self.threshold_method == "nb-predictive")

    def _years(self) -> int:
        return min(3, self.years_back) if self.min_years is None else self.min_years

    def _shape(self, frequency: str) -> tuple[int, int, int]:
        """Return half window, guard and parts of the year for a frequency, checked against its year."""
        half, guard, levels = given_or_usual((self.half_window, self.guard_periods, self.seasonal_levels), _BY_FREQUENCY[frequency])
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
        method = Method(
            years=self.years_back,
            min_years=self._years(),
            half_window=half,
            guard=guard,
            levels=levels,
            year_match=self.year_match,
            time_match=self.year_match,
            rules=Rules(self.reweight_threshold if self.reweight else None, self.trend, self.trend_alpha, self._pearson()),
            limits=self._limits,
            limit_cases=self.limit_cases,
            limit_periods=self.limit_periods,
            zero_floor=self.zero_floor,
            min_share=self.min_share,
            population_offset=self.population_offset,
        )
        return judge(panel, periods, self.name, self.hash, method)

    def _limits(self, y: FloatArray, expected: FloatArray, phi: FloatArray, error: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return lower limit, upper limit and p-value; ``error`` is the standard error of the log mean."""
        if self.threshold_method == "delta":
            return thresholds.power_limits(y, expected, phi, expected * error, self.alpha)
        mean = expected
        if self.threshold_method == "muan":
            mean = expected * np.exp(special.ndtri(1.0 - self.alpha) * error)
        elif self.threshold_method == "nb-predictive":
            phi = phi + expected * error**2
        lower = thresholds.negative_binomial_quantile(self.alpha, mean, phi)
        upper = thresholds.negative_binomial_quantile(1.0 - self.alpha, mean, phi)
        return lower, upper, thresholds.negative_binomial_tail(y, mean, phi)
