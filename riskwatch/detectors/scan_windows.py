"""Windows of time, and the sums of each place over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Windows", "prospective_windows", "retrospective_windows", "window_sums"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Windows:
    """Runs of periods.

    Attributes
    ----------
    first, last : array of int, shape (window,)
        Positions of the first and the last period, both within.
    """

    first: IntArray
    last: IntArray

    @property
    def span(self) -> slice:
        """Periods that lie in any window."""
        return slice(int(self.first.min()), int(self.last.max()) + 1)


def prospective_windows(periods: int, longest: int) -> Windows:
    """Return the windows that end with the last period, shortest first."""
    first = periods - np.arange(1, min(longest, periods) + 1)
    return Windows(first, np.full(len(first), periods - 1))


def retrospective_windows(periods: int, longest: int) -> Windows:
    """Return all windows of at most ``longest`` periods, shortest first."""
    lengths = range(1, min(longest, periods) + 1)
    first = np.concatenate([np.arange(periods - length + 1) for length in lengths])
    length_of = np.concatenate([np.full(periods - length + 1, length) for length in lengths])
    return Windows(first, first + length_of - 1)


def window_sums(cells: npt.NDArray[Any], windows: Windows, start: int = 0) -> npt.NDArray[Any]:
    """Return sums over the windows along the last axis, shape (..., window).

    Parameters
    ----------
    cells : array, shape (..., period)
        Its first period is number ``start``.
    """
    running = np.zeros((*cells.shape[:-1], cells.shape[-1] + 1), cells.dtype)
    np.cumsum(cells, axis=-1, dtype=cells.dtype, out=running[..., 1:])
    return np.asarray(running[..., windows.last + 1 - start] - running[..., windows.first - start])
