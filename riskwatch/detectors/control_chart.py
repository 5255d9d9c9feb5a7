"""What every control chart is: its baseline's parameters, and the way from a panel to signals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors import charts
from riskwatch.detectors.parameters import Parameters, parameter
from riskwatch.detectors.signals import Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.panel import Panel

__all__ = ["ControlChart"]

_BLOCK = 256  # series worked on at a time


@dataclass(frozen=True)
class ControlChart(Parameters, ABC):
    """A chart of the last periods against a mean estimated before them; see the charts for what each parameter means there."""

    name: ClassVar[str]
    run_ins: ClassVar[dict[str, int] | None] = None  # charted periods by frequency, if not those of charts.DEFAULTS

    limit: float | None = parameter(None, above=0.0, kind=float, optional=True, unit="units of the statistic")
    start: Literal["run-in", "first-judged"] = parameter("run-in", choices=("run-in", "first-judged"))
    run_in: int | None = parameter(None, minimum=1, maximum=400, kind=int, optional=True, unit="periods")
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

    def min_periods(self, frequency: str) -> int:
        """Return how many periods, the judged one included, a panel must have; with fewer nothing is judged."""
        _, shortest, run_in = charts.settings(self, frequency, self.run_ins)
        return shortest + (1 if self.start == "first-judged" else self.guard_periods + run_in)

    def memory(self, frequency: str) -> int:
        """Return how many newest periods are weighed together for one judgement."""
        return charts.settings(self, frequency, self.run_ins)[2]

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
            ``upper`` is the largest count of the judged period that would not have alarmed, given the periods before it: -1 where even no
            case would have.
        """
        judged = positions_of(panel, periods, self.name)
        out = empty_signals(panel, judged, self.name, self.hash)
        if not judged.size:
            return out
        for low in range(0, len(panel.index), _BLOCK):
            rows = slice(low, min(low + _BLOCK, len(panel.index)))
            for column, now in enumerate(judged.tolist()):
                found = charts.window(self, panel, rows, now, first=int(judged.min()), run_ins=self.run_ins)
                out.reason[rows, column] = found.reason
                todo = np.flatnonzero(found.reason == 0)
                if todo.size:
                    self._judge(found, todo, out, low + todo, column)
        return out

    @abstractmethod
    def _judge(self, found: charts.Window, todo: npt.NDArray[np.intp], out: Signals, rows: npt.NDArray[np.intp], column: int) -> None:
        """Judge the series ``todo`` of a window and fill in their ``rows`` of the signals."""
