"""Sums by group."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["sums"]

FloatArray = npt.NDArray[np.float64]


def sums(group: npt.NDArray[np.int64], values: npt.NDArray[Any], groups: int) -> FloatArray:
    """Return the sum of the values of each group, shape (groups,); added in the order in which they stand, 0 where there are none.

    ``numpy.bincount`` with weights, whose type says whole numbers.
    """
    return np.asarray(np.bincount(group, values, groups), dtype=np.float64)
