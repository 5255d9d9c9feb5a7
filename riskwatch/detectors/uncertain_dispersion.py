"""A dispersion that is only roughly known, as a few values with weights; and limits of counts under any tail probability.

Sources
-------
Scaled inverse chi-squared law of an estimated dispersion: Smyth (2004), Stat. Appl. Genet. Mol. Biol. 3(1), article 3.
Cube-root transformation of chi-squared: Wilson & Hilferty (1931), PNAS 17(12), 684-688.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["WEIGHTS", "Dispersion", "largest_not_significant"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# Nodes and weights for the mean over a standard normal variable.
_NODES, _UNSCALED = np.polynomial.hermite_e.hermegauss(7)
WEIGHTS: FloatArray = _UNSCALED / _UNSCALED.sum()
_SMALLEST_CUBE_ROOT = 0.05  # the transformation goes below zero far out at few degrees of freedom


@dataclass(frozen=True, eq=False)
class Dispersion:
    """What is known of phi: ``freedom * scale / phi`` has a chi-squared distribution with ``freedom`` degrees of freedom."""

    scale: FloatArray
    freedom: FloatArray

    def nodes(self) -> FloatArray:
        """Return values of phi, at least 1, shape (node, ...), whose weights are :data:`WEIGHTS`.

        Averaged over them, a normal distribution of variance phi has tails within 5 % of Student's t down to 0.005 and within 20 %
        down to 0.001 at 6 degrees of freedom, and closer with more.
        """
        spread = 2.0 / (9.0 * self.freedom)
        normal = _NODES.reshape(-1, *([1] * np.ndim(self.scale)))
        cube_root = np.maximum(1.0 - spread + normal * np.sqrt(spread), _SMALLEST_CUBE_ROOT)
        return np.asarray(np.maximum(self.scale / (cube_root * cube_root * cube_root), 1.0), dtype=np.float64)


def largest_not_significant(significant: Callable[[FloatArray, BoolArray], BoolArray], guess: FloatArray) -> FloatArray:
    """Return the largest count that is not significant, -1 where 0 is: from a guess outwards in doubling steps, then by halving.

    Parameters
    ----------
    significant : callable
        Given counts and the mask of the cells they belong to, says which are significant; once so for all greater counts.
    guess : array
        Any value will do, one near the answer is fastest. NaN: the cell is left out.
    """
    known = np.isfinite(guess)
    low, high = np.full(guess.shape, -1.0), np.full(guess.shape, np.inf)  # invariant: low is not significant, high is
    trial, step = np.where(known, np.maximum(np.floor(guess), 0.0), 0.0), np.ones(guess.shape)
    while (open_ := known & (high - low > 1.0)).any():
        hit = significant(trial[open_], open_)
        high[open_] = np.where(hit, trial[open_], high[open_])
        low[open_] = np.where(hit, low[open_], trial[open_])
        # No upper end yet: upwards. No count known to pass yet: downwards. Else the middle.
        walk = np.where(np.isinf(high), low + step, np.where(low < 0.0, np.maximum(high - step, 0.0), np.floor((low + high) / 2.0)))
        trial, step = np.where(open_, walk, trial), 2.0 * step
    return np.where(known, low, np.nan)
