"""Smoothing along a tree: normal nodes around their parents, one noisy observation each, by one pass up and one down.

Sources
-------
Chou, Willsky & Benveniste (1994), IEEE Trans. Automatic Control 39(3), 464-478. Variances by EM, held off zero by a weak prior, since a
variance fitted as zero makes intervals too short: Chung et al. (2013), Psychometrika 78(4), 685-709.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riskwatch.rates.sums import sums

__all__ = ["em_variances", "smooth"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def smooth(
    parent: IntArray, depth: IntArray, value: FloatArray, precision: FloatArray, variance: FloatArray, *, centre: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean and variance of each node given all observations, and the expected square of its distance to its parent.

    Parameters
    ----------
    parent, depth : array of int, shape (node,)
        As in :class:`riskwatch.rates.hierarchy.Layout`.
    value, precision : array, shape (node,)
        One observation of each node; precision 0 where there is none.
    variance : array, shape (depth,)
        Variance between a node of that depth and its parent; of the root around ``centre``.
    centre : float

    Returns
    -------
    mean, variance, squared : array, shape (node,)
        ``squared`` is NaN for nodes with nothing observed at or below them.
    """
    nodes = len(depth)
    own = precision.copy()
    total = precision * value
    by_depth = [np.flatnonzero(depth == level) for level in range(len(variance))]
    for level in range(len(variance) - 1, 0, -1):
        here = by_depth[level]
        sent = own[here] / (1.0 + own[here] * variance[level])
        with np.errstate(invalid="ignore", divide="ignore"):
            at = np.where(own[here] > 0, total[here] / own[here], 0.0)
        own = own + sums(parent[here], sent, nodes)
        total = total + sums(parent[here], sent * at, nodes)
    mean, spread, squared = np.empty(nodes), np.empty(nodes), np.full(nodes, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        local = np.where(own > 0, total / own, 0.0)
    for level, here in enumerate(by_depth):
        above_mean = np.full(len(here), centre) if level == 0 else mean[parent[here]]
        above_variance = np.zeros(len(here)) if level == 0 else spread[parent[here]]
        share = 1.0 / (1.0 + own[here] * variance[level])  # of the parent
        mean[here] = share * above_mean + (1.0 - share) * local[here]
        spread[here] = share * variance[level] + share**2 * above_variance
        distance = (mean[here] - above_mean) ** 2 + share * variance[level] + (1.0 - share) ** 2 * above_variance
        squared[here] = np.where(own[here] > 0, distance, np.nan)
    return mean, spread, squared


def em_variances(squared: FloatArray, depth: IntArray, old: FloatArray, belief: float, weight: float) -> FloatArray:
    """Return the variance of each depth after one EM step; the root's stays.

    Parameters
    ----------
    squared : array, shape (node,)
        Of :func:`smooth`.
    depth : array of int, shape (node,)
    old : array, shape (depth,)
    belief, weight : float
        Standard deviation believed before, and the number of nodes that it counts for.
    """
    seen = np.isfinite(squared)
    count = np.bincount(depth[seen], minlength=len(old))
    total = sums(depth[seen], squared[seen], len(old))
    new = (total + weight * belief**2) / (count + weight)
    new[0] = old[0]
    return np.asarray(new)
