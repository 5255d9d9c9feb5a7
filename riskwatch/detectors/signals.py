"""What a detector returns: one judgement per series and judged period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.errors import DetectorError
from riskwatch.panel.matrix import key_frame

__all__ = ["REASONS", "Signals"]

FloatArray = npt.NDArray[np.float64]

# Why a cell was not judged; index 0 means that it was.
REASONS = (
    "",
    "missing",
    "too-short",
    "too-few-cases",
    "no-exposure",
    "no-convergence",
    "unripe",
    "no-variation",
    "enough-history",
    "no-geography",
)


@dataclass(frozen=True, eq=False)
class Signals:
    """Judgements, all arrays of shape (series, judged period), NaN where refused.

    Parameters
    ----------
    index : pandas.Index
        Keys of the series.
    periods : pandas.PeriodIndex
        The judged periods.
    observed : array
        Counts, NaN where missing.
    expected, lower, upper : array
        Expected count under the baseline, and the limits of the prediction interval: ``lower`` and ``upper`` are the alpha and
        1 - alpha quantiles; a count above ``upper`` is an alarm.
    p_value : array
        One-sided probability of at least ``observed`` under the baseline.
    alarm : array of bool
    reason : array of uint8
        Index into :data:`REASONS`; 0 where the cell was judged.
    exposure : array, optional
        Denominator of the judged periods.
    weighed : array, optional
        Counts of all periods that a judgement weighed together, where they are more than the judged one.
    span : array of int, optional
        In how many newest periods, the judged one included, the evidence of an alarm lies; 1 where there is none.
    detector, detector_hash : str
        Registry name and fingerprint of the detector's parameters.

    Raises
    ------
    DetectorError
        If the shapes do not fit.
    """

    index: pd.Index[Any]
    periods: pd.PeriodIndex
    observed: FloatArray
    expected: FloatArray
    lower: FloatArray
    upper: FloatArray
    p_value: FloatArray
    alarm: npt.NDArray[np.bool_]
    reason: npt.NDArray[np.uint8]
    exposure: FloatArray | None = None
    weighed: FloatArray | None = None
    span: npt.NDArray[np.int64] | None = None
    detector: str = ""
    detector_hash: str = ""

    def __post_init__(self) -> None:
        shape = (len(self.index), len(self.periods))
        names = ("observed", "expected", "lower", "upper", "p_value", "alarm", "reason", "exposure", "weighed", "span")
        wrong = [name for name in names if getattr(self, name) is not None and getattr(self, name).shape != shape]
        if wrong:
            raise DetectorError(f"Signals: arrays must have shape (series, judged period) = {shape}; not so: {', '.join(wrong)}")

    @property
    def support(self) -> FloatArray:
        """Cases that a judgement rests on: those of the periods weighed together, NaN where the judged one is missing."""
        return self.observed if self.weighed is None else self.weighed

    @property
    def spans(self) -> npt.NDArray[np.int64]:
        """In how many newest periods the evidence lies; 1 for a method that judges each period by itself."""
        return np.ones(self.observed.shape, np.int64) if self.span is None else self.span

    @property
    def excess(self) -> FloatArray:
        """Observed minus expected, in cases; NaN where refused."""
        return self.observed - self.expected

    @property
    def relative_risk(self) -> FloatArray:
        """Observed over expected; inf where cases were seen and none expected, NaN where neither or refused."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.observed / self.expected)

    @property
    def reason_text(self) -> npt.NDArray[np.str_]:
        """The reasons as text, "" where the cell was judged."""
        return np.asarray(REASONS, dtype=np.str_)[self.reason]

    def to_frame(self) -> pd.DataFrame:
        """Return a long frame, one row per series and judged period.

        Columns: the index's levels, period, observed, exposure (NaN without one), expected, lower, upper, p_value, alarm, reason (text).
        """
        series, periods = len(self.index), len(self.periods)
        frame = key_frame(self.index, periods)
        frame["period"] = self.periods[np.tile(np.arange(periods), series)]
        frame["observed"] = self.observed.ravel()
        frame["exposure"] = np.full(series * periods, np.nan) if self.exposure is None else self.exposure.ravel()
        for name in ("expected", "lower", "upper", "p_value", "alarm"):
            frame[name] = getattr(self, name).ravel()
        frame["reason"] = self.reason_text.ravel()
        return frame
