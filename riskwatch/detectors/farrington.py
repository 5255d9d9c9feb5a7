"""The Farrington method for counts (1996): windows around the anniversaries, over all series of a panel at once.

Source
------
Farrington, Andrews, Beale, Catchpole (1996), J. R. Statist. Soc. A 159(3), 547-563.
Numbers agree with ``algo.farrington`` of the R package surveillance 1.20.3; see docs/detectors/farrington.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors import baselines, thresholds
from riskwatch.detectors.farrington_fit import Rules
from riskwatch.detectors.farrington_judge import Method, judge
from riskwatch.detectors.parameters import Parameters, check, parameter
from riskwatch.detectors.signals import Signals
from riskwatch.panel import Panel

__all__ = ["Farrington"]

FloatArray = npt.NDArray[np.float64]

_HALF_WINDOW = {"day": 10, "week": 3, "4-week": 1, "month": 1}


@dataclass(frozen=True)
class Farrington(Parameters):
    """Quasi-Poisson baseline on windows around the anniversaries, past outbreaks down-weighted, normal limits of a power of the count.

    Parameters
    ----------
    years_back : int
        Years of history used; fewer if the panel is shorter.
    min_years : int or None
        Anniversaries that must lie within a series' history. None: the smaller of 3 and ``years_back``.
    half_window : int or None
        Periods on either side of an anniversary that count as the same season. None: 3 weeks, 1 month, 1 block, 10 days.
    reweight : bool
        Down-weight past outbreaks.
    reweight_threshold : float
        Standardised Anscombe residual above which a past period is down-weighted.
    alpha : float
        One-sided level of the upper limit: half of R's ``alpha``.
    trend : bool
        Allow a linear trend of the log mean.
    trend_alpha : float
        Level at which the trend must differ from 0 to be kept.
    power : {"2/3", "1/2", "none"}
        Power of the count whose distribution is taken as normal.
    limit_cases, limit_periods : int
        A cell is judged only if the newest ``limit_periods`` periods, itself included, hold ``limit_cases`` cases.
    zero_floor : float
        Cases that a season with fewer in all past years is taken to have had, spread over its periods.
    year_match : {"calendar", "fixed"}
        Anniversaries by date, or a fixed number of periods back.
    min_share : float
        Where the panel says how complete its periods are: a judged cell with a smaller share reported is refused as unripe. The others
        are compared with what should have been reported by now; baseline periods that are not complete are left out.
    """

    name: ClassVar[str] = "farrington"

    years_back: int = parameter(5, minimum=1, maximum=30, unit="years")
    min_years: int | None = parameter(None, minimum=1, maximum=30, kind=int, optional=True, unit="years")
    half_window: int | None = parameter(None, minimum=0, kind=int, optional=True, unit="periods")
    reweight: bool = parameter(default=True)
    reweight_threshold: float = parameter(1.0, above=0.0, unit="standard deviations")
    alpha: float = parameter(0.005, above=0.0, below=0.5, unit="probability")
    trend: bool = parameter(default=True)
    trend_alpha: float = parameter(0.05, minimum=0.0, maximum=1.0, unit="probability")
    power: Literal["2/3", "1/2", "none"] = parameter("2/3", choices=("2/3", "1/2", "none"))
    limit_cases: int = parameter(5, minimum=0, unit="cases")
    limit_periods: int = parameter(4, minimum=1, unit="periods")
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

    def _years(self) -> int:
        return min(3, self.years_back) if self.min_years is None else self.min_years

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
            If a period is not in the panel, its frequency is not supported, or the windows of neighbouring years overlap.
        """
        frequency = baselines.frequency_of(panel.periods)
        half = _HALF_WINDOW[frequency] if self.half_window is None else self.half_window
        year = baselines.PERIODS_PER_YEAR[frequency]
        if 2 * half + 1 > year:
            check(self, [f"half_window must be <= {(year - 1) // 2} for a {frequency} year of {year} periods, got {half}"])
        method = Method(
            years=self.years_back,
            min_years=self._years(),
            half_window=half,
            guard=0,
            levels=1,
            year_match=self.year_match,
            time_match="fixed",  # every period counts the same, months too
            rules=Rules(
                self.reweight_threshold if self.reweight else None, self.trend, self.trend_alpha, pearson=True, trend_phi_below_1=True
            ),
            limits=self._limits,
            limit_cases=self.limit_cases,
            limit_periods=self.limit_periods,
            zero_floor=self.zero_floor,
            min_share=self.min_share,
            population_offset=False,
        )
        return judge(panel, periods, self.name, self.hash, method)

    def _limits(self, y: FloatArray, expected: FloatArray, phi: FloatArray, error: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return lower limit, upper limit and p-value; ``error`` is the standard error of the log mean."""
        return thresholds.power_limits(y, expected, phi, expected * error, self.alpha, power=self.power)
