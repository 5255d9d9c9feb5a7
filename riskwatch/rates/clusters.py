"""Several samples of one enterprise: how alike they are, and what they count for.

Sources
-------
Design effect 1 + (m - 1) rho: Kish (1965), Survey Sampling, section 5.4. Counts divided by it: Rao & Scott (1992), Biometrics 48(2),
577-585. Moment estimate of rho: Kleinman (1973), J. Amer. Statist. Assoc. 68(341), 46-54, here as one unbiased equation over all cells of
a stratum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskwatch.rates.rules import CorrelationRule
from riskwatch.rates.sums import sums

__all__ = ["Clusters", "correlations", "effective"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Clusters:
    """Samples of one enterprise in one cell; arrays of shape (cluster,), sorted by cell.

    Attributes
    ----------
    cell : array of int
    failed, inspected : array
    """

    cell: IntArray
    failed: FloatArray
    inspected: FloatArray


def correlations(clusters: Clusters, stratum: IntArray, strata: int, rule: CorrelationRule) -> FloatArray:
    """Return the correlation between two samples of one enterprise, for each stratum.

    In a cell with n samples in k clusters, with Q = sum (x - m p)^2 / m and q = p (1 - p), E[Q] = v (k - 1 + rho s) and
    E[q] = v (1 - 1/n - rho P / n^2), where P = sum m (m - 1) and s = sum (m - 1) - P / n. Cross-multiplied and summed over cells
    this is linear in rho.

    Parameters
    ----------
    clusters : Clusters
    stratum : array of int, shape (cell,)
    strata : int
    rule : CorrelationRule
        Bounds, and the value that a stratum with few pairs is drawn to.
    """
    cells = len(stratum)
    cell, x, m = clusters.cell, clusters.failed, clusters.inspected
    n, failed, k = sums(cell, m, cells), sums(cell, x, cells), np.bincount(cell, minlength=cells)
    pairs = sums(cell, m * (m - 1.0), cells)
    use = n > 1
    size = np.where(use, n, 2.0)
    p = np.where(use, failed / size, 0.0)
    spread = sums(cell, (x - m * p[cell]) ** 2 / m, cells)
    q = p * (1.0 - p)
    slope = sums(cell, m - 1.0, cells) - pairs / size
    scale = np.where(use, 1.0 / (1.0 - 1.0 / size), 0.0)
    above = scale * (spread * (1.0 - 1.0 / size) - q * (k - 1.0))
    below = scale * (spread * pairs / size**2 + q * slope)
    # A few pairs say little: the typical value counts for some, at the variance of the stratum.
    total = sums(stratum, n, strata)
    variance = sums(stratum, n * q, strata) / np.maximum(total, 1.0)
    anchor = rule.weight * np.maximum(variance, 1e-6)
    rho = (sums(stratum, above, strata) + anchor * rule.typical) / np.maximum(sums(stratum, below, strata) + anchor, 1e-12)
    return np.clip(rho, rule.minimum, rule.maximum)


def effective(clusters: Clusters, rho: FloatArray, largest_share: float, beside: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Return failures and samples of each cell with every cluster divided by its design effect and the largest held down.

    Parameters
    ----------
    clusters : Clusters
    rho : array, shape (cell,)
    largest_share : float
        At least 0.5: in a cell with several clusters the heaviest counts for no more than this share.
    beside : array, shape (cell,), optional
        Samples of the cell that belong to no cluster: they count in the sum that the share is of, and are not in the result.
    """
    cells = len(rho)
    cell = clusters.cell
    weight = 1.0 / (1.0 + np.maximum(clusters.inspected - 1.0, 0.0) * rho[cell])
    size = clusters.inspected * weight
    total = sums(cell, size, cells)
    # The heaviest of each cell: the last of its clusters in order of size (then of failures: the same whatever the order of the rows).
    order = np.lexsort((clusters.failed, size, cell))
    last = np.flatnonzero(np.append(cell[order][1:] != cell[order][:-1], True)) if len(cell) else np.empty(0, dtype=np.int64)
    top = order[last]
    rest = total[cell[top]] - size[top] + (0.0 if beside is None else beside[cell[top]])
    alone = rest <= 1e-9 * size[top]
    allowed = np.where(alone, np.inf, rest * largest_share / max(1.0 - largest_share, 1e-12))
    weight[top] *= np.minimum(1.0, allowed / size[top])
    return sums(cell, clusters.failed * weight, cells), sums(cell, clusters.inspected * weight, cells)
