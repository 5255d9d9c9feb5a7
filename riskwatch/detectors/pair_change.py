"""Is a pair more disproportionate than its own past? Predictive distribution of a window's count, and how far ratios drift.

Sources
-------
Predictive tail as p-value: Box (1980), J. R. Statist. Soc. A 143(4), 383-430. A past that is worth at most a number of cases (discounting):
West & Harrison (1997), Bayesian Forecasting and Dynamic Models, ch. 6; power prior: Ibrahim & Chen (2000), Statist. Sci. 15(1), 46-60.
The largest of two p-values for "both": Berger (1982), Technometrics 24(4), 295-300 (intersection-union test).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.detectors.gamma_poisson import Posterior, TwoGammas, log_marginal_of, posterior

__all__ = ["MEMORIES", "discounted", "largest_quiet", "learn_memory", "poisson_tail", "predictive_tail"]

FloatArray = npt.NDArray[np.float64]

# How many cases the knowledge of a pair may be worth, from hardly any to all.
MEMORIES = (*(float(2**power) for power in range(0, 31, 2)), float("inf"))


def discounted(known: Posterior, memory: float) -> Posterior:
    """Return what is known of the ratios in a later window: the same means, and no component worth more than ``memory`` cases.

    A gamma of shape a has a squared relative error of 1 / a; afterwards it is 1 / a + 1 / memory: what a ratio that drifts, or cases that
    come in clusters, with a relative standard deviation of 1 / sqrt(memory) deserve.
    """
    if np.isinf(memory):
        return known
    one, two = memory / (memory + known.a1), memory / (memory + known.a2)
    return Posterior(known.weight, known.a1 * one, known.b1 * one, known.a2 * two, known.b2 * two)


def predictive_tail(y: FloatArray, known: Posterior, e: FloatArray) -> FloatArray:
    """Return P(N >= y) of a new count with expected count ``e`` under independence, its ratio drawn from what is known of it."""
    at_least_one = np.maximum(y, 1e-300)
    one, two = (special.betainc(at_least_one, a, e / (b + e)) for a, b in ((known.a1, known.b1), (known.a2, known.b2)))
    return np.where(y > 0, np.minimum(known.weight * one + (1.0 - known.weight) * two, 1.0), 1.0)


def poisson_tail(y: FloatArray, mean: FloatArray) -> FloatArray:
    """Return P(N >= y) of a Poisson count."""
    return np.where(y > 0, special.gammainc(np.maximum(y, 1e-300), mean), 1.0)


def learn_memory(prior: TwoGammas, n: FloatArray, e: FloatArray, *, blocks: int = 6) -> float:
    """Return with how many cases' worth of knowledge pairs are best predicted: the memory of the highest predictive likelihood.

    Parameters
    ----------
    prior : TwoGammas
    n, e : array, shape (pair, block)
        Counts and expected counts of past blocks, oldest first; an expected count of 0 says that the block tells nothing of the pair.
    blocks : int
        The newest so many blocks are predicted, each from those before it.

    Notes
    -----
    Only pairs with a case before the predicted block count: of the others there is nothing to remember. Without any, all is remembered.
    """
    before_n, before_e = np.cumsum(n, axis=1), np.cumsum(e, axis=1)
    first = max(n.shape[1] - blocks, 1)
    score = np.zeros(len(MEMORIES))
    for block in range(first, n.shape[1]):
        rows = np.flatnonzero((before_n[:, block - 1] > 0) & (e[:, block] > 0))
        if not rows.size:
            continue
        known, now = posterior(prior, before_n[rows, block - 1], before_e[rows, block - 1]), (n[rows, block], e[rows, block])
        for at, memory in enumerate(MEMORIES):
            score[at] += float(log_marginal_of(discounted(known, memory), *now).sum())
    # Of equally good ones the longest.
    return MEMORIES[len(MEMORIES) - 1 - int(np.argmax(score[::-1]))]


def largest_quiet(tail: Callable[[FloatArray, npt.NDArray[np.intp]], FloatArray], alpha: float, centre: FloatArray) -> FloatArray:
    """Return, for each cell, the largest whole count whose tail probability is above ``alpha``, by doubling and halving.

    Parameters
    ----------
    tail : function of (counts, rows)
        P(N >= count) of those rows, falling in the count; 1 at 0.
    alpha : float
    centre : array, shape (cell,)
        Where to begin: about the expected count.
    """
    low, high = np.zeros(len(centre)), np.full(len(centre), np.inf)
    guess = np.floor(centre + 2.0 * np.sqrt(centre)) + 1.0
    step = np.maximum(np.floor(np.sqrt(centre)), 1.0)
    live = np.arange(len(centre))
    while live.size:
        quiet = tail(guess[live], live) > alpha
        low[live] = np.where(quiet, guess[live], low[live])
        high[live] = np.where(quiet, high[live], guess[live])
        live = live[high[live] - low[live] > 1.0]
        open_ = np.isinf(high[live])
        guess[live] = np.where(open_, low[live] + step[live], np.floor(low[live] + (high[live] - low[live]) / 2.0))
        step[live] *= 2.0
    return low
