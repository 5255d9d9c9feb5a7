"""When did a pair first stand out? The table as it was known at the end of each period."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riskwatch.detectors.gamma_poisson import STARTS, TwoGammas, fit_prior, posterior, squash

__all__ = ["first_appearance"]

FloatArray = npt.NDArray[np.float64]

_RATIO = 1.05


def first_appearance(
    n: FloatArray, e: FloatArray, *, threshold: float = 2.0, level: float = 0.05, min_cases: int = 3
) -> npt.NDArray[np.int64]:
    """Return, for each pair, the first period after which the lower end of its ratio was above ``threshold``; -1 where it never was.

    Parameters
    ----------
    n, e : array, shape (pair, period)
        Counts and expected counts of each period, oldest first. After each period both are summed from the beginning, and the prior is
        learnt anew from the pairs that had occurred by then: nothing later is looked at.
    threshold : float
        Ratio of observed to expected.
    level : float
        0.05: EB05.
    min_cases : int
        Pairs with fewer cases by then have not appeared.
    """
    found = np.full(len(n), -1)
    starts: tuple[TwoGammas, ...] = STARTS
    n, e = np.cumsum(n, axis=1), np.cumsum(e, axis=1)
    for period in range(n.shape[1]):
        here = np.flatnonzero((n[:, period] >= 1) & (e[:, period] > 0))
        open_ = here[(n[here, period] >= min_cases) & (found[here] < 0)]
        if not open_.size:
            continue
        prior = fit_prior(*squash(n[here, period], e[here, period], ratio=_RATIO), pull=0.05, starts=starts)
        starts = (prior, STARTS[0])
        lower = posterior(prior, n[open_, period], e[open_, period]).quantile(level)
        found[open_[lower > threshold]] = period
    return found
