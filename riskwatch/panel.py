"""Aligned period x series matrices, the only thing a detector sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.errors import PanelError

__all__ = ["Panel"]


@dataclass(frozen=True, eq=False)
class Panel:
    """Counts of many series over common periods.

    Parameters
    ----------
    observed : array of float, shape (series, period)
        Counts; NaN is missing, which is not zero.
    index : pandas.Index
        One key per series, unique; a MultiIndex with the dimensions as level names when built from records.
    periods : pandas.PeriodIndex
        Consecutive periods, oldest first.
    exposure : array of float, shape (series, period), optional
        Denominator (samples inspected, hospital days, population), same units along a series; NaN is missing.

    Raises
    ------
    PanelError
        If shapes do not fit, keys repeat, periods have gaps, or counts are negative or infinite.
    """

    observed: npt.NDArray[np.float64]
    index: pd.Index
    periods: pd.PeriodIndex
    exposure: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        observed = np.asarray(self.observed, dtype=np.float64)
        if observed.shape != (len(self.index), len(self.periods)):
            raise PanelError(
                f"Panel: observed must have shape (series, period) = ({len(self.index)}, {len(self.periods)}), got {observed.shape}"
            )
        object.__setattr__(self, "observed", observed)
