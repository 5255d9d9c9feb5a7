"""Log-likelihood ratios of zones with more cases than expected, and the least counts that reach a given ratio.

Sources
-------
Poisson and Bernoulli: Kulldorff (1997), Communications in Statistics: Theory and Methods 26(6), 1481-1496. Space-time permutation, which
has the Poisson form with expected counts from the margins: Kulldorff, Heffernan, Hartman, Assuncao, Mostashari (2005), PLoS Medicine
2(3), e59.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

__all__ = ["Likelihood", "least_counts", "permutation_expected"]

FloatArray = npt.NDArray[np.float64]

_HALVINGS = 60


@dataclass(frozen=True)
class Likelihood:
    """The log-likelihood ratio of a count in a window, given what the window would hold on average.

    Parameters
    ----------
    cases : float
        All cases, inside and outside.
    population : float or None
        None: Poisson, and ``base`` is the expected count of a window, all of them adding up to ``cases``. Otherwise Bernoulli: the trials
        (cases and controls) altogether, and ``base`` is those of the window.
    """

    cases: float
    population: float | None = None

    def expected(self, base: FloatArray) -> FloatArray:
        """Return the expected count of windows."""
        return base if self.population is None else base * (self.cases / self.population)

    def ratio(self, count: FloatArray, base: FloatArray) -> FloatArray:
        """Return the log-likelihood ratio; 0 where the count is not above its expectation.

        Parameters
        ----------
        count, base : array
            Of shapes that broadcast.
        """
        count, base = np.broadcast_arrays(np.asarray(count, dtype=np.float64), np.asarray(base, dtype=np.float64))
        expected = self.expected(base)
        above = count > expected * (1 + 1e-12) + 1e-12
        out = np.zeros(count.shape)
        c, b = count[above], base[above]
        rest = np.maximum(self.cases - c, 0.0)
        if self.population is None:
            with np.errstate(divide="ignore"):
                outside = np.maximum(self.cases - b, 0.0)
                out[above] = special.xlogy(c, c / b) + np.where(rest > 0, special.xlogy(rest, rest / np.where(rest > 0, outside, 1.0)), 0.0)
            return out
        total, others = self.population, np.maximum(self.population - b, 0.0)
        safe = np.where(others > 0, others, 1.0)
        null = special.xlogy(self.cases, self.cases / total) + special.xlogy(total - self.cases, 1 - self.cases / total)
        inside = special.xlogy(c, c / b) + special.xlogy(b - c, np.maximum(1 - c / b, 0.0))
        outer = special.xlogy(rest, rest / safe) + special.xlogy(np.maximum(others - rest, 0.0), np.maximum(1 - rest / safe, 0.0))
        out[above] = np.maximum(inside + outer - null, 0.0)
        return out


def least_counts(likelihood: Likelihood, level: float) -> FloatArray:
    """Return, for each whole count from 0 to all cases, the largest base at which the ratio still reaches ``level``; rising.

    ``np.searchsorted`` of a base in it is the least count whose ratio reaches the level: the ratio rises with the count and falls with the
    base. All windows of all replicates are then compared with whole numbers instead of taking logarithms.

    Parameters
    ----------
    level : float
        Above 0.
    """
    counts = np.arange(round(likelihood.cases) + 1, dtype=np.float64)
    if likelihood.population is None:
        low, high = np.full(len(counts), 1e-300), np.maximum(counts, 1e-300)
    else:
        low = counts.copy()
        high = np.minimum(counts * (likelihood.population / max(likelihood.cases, 1e-300)), likelihood.population)
    reaches = likelihood.ratio(counts, np.maximum(low, 1e-300)) >= level
    for _ in range(_HALVINGS):
        middle = np.sqrt(low * high) if likelihood.population is None else (low + high) / 2
        enough = likelihood.ratio(counts, np.maximum(middle, 1e-300)) >= level
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    # A hair's breadth up: what lies on the level belongs to it. Exact ratios of what is let through are taken later.
    return np.maximum.accumulate(np.where(reaches, high * (1 + 1e-9), -1.0))


def permutation_expected(counts: FloatArray) -> FloatArray:
    """Return the counts expected from the margins: a place's cases times a period's over all, shape (place, period)."""
    total = counts.sum()
    if not total:
        return np.zeros(counts.shape)
    return np.asarray(counts.sum(axis=1)[:, None] * counts.sum(axis=0) / total)
