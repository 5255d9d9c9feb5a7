"""What a detector returns: one judgement per series and judged period."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["REASONS", "Signals"]

FloatArray = npt.NDArray[np.float64]

# Why a cell was not judged; index 0 means that it was.
REASONS = ("", "missing", "too-short", "too-few-cases", "no-exposure", "no-convergence", "unripe")


@dataclass(frozen=True, eq=False)
class Signals:
    """Judgements, all arrays of shape (series, judged period), NaN where refused.

    ``p_value`` is the one-sided probability of at least ``observed`` under the baseline; ``lower`` and ``upper`` are the
    limits of the central (or one-sided) prediction interval; ``reason`` indexes :data:`REASONS`.
    """

    index: pd.Index
    periods: pd.PeriodIndex
    observed: FloatArray
    expected: FloatArray
    lower: FloatArray
    upper: FloatArray
    p_value: FloatArray
    alarm: npt.NDArray[np.bool_]
    reason: npt.NDArray[np.uint8]
    exposure: FloatArray | None = None
    detector: str = ""
    detector_hash: str = ""
