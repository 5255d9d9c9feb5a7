"""What the mix of a cell's inspections leads to expect: targeted samples fail more often than random ones, whoever made the goods.

Every label (a kind of sampling, a laboratory) has an effect on the logit that all series share; a cell's share is expected at the
average of its own inspections' labels. So samples of all kinds are weighed together, and a month in which more of them were
targeted is no rise. Sums over strata that are tested with an expectation of each go back to Mantel & Haenszel (1959), J. Nat. Cancer
Inst. 22(4), 719-748; effects by empirical Bayes: :mod:`riskwatch.detectors.laboratory`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import special

from riskwatch.detectors.laboratory import estimate_effects
from riskwatch.panel import Breakdown

__all__ = ["label_factors"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


def label_factors(parts: Breakdown, past: slice, groups: Sequence[IntArray]) -> FloatArray:
    """Return by how much the labels of each cell raise its expected share, shape (series, period); 1 where nothing was inspected.

    Parameters
    ----------
    parts : Breakdown
        With exposure. Effects are learnt from all its series together.
    past : slice
        Periods of the baseline: from them the effects are learnt.
    groups : sequence of array of int
        Rows of each group of siblings; effects on the logit are turned into ratios of shares at the group's common share.

    Notes
    -----
    Factors are relative: only their ratios between periods of one series count, and what a series' own level is takes up the rest.
    """
    if parts.exposure is None or not len(parts.labels):
        return np.ones(parts.observed.shape[1:])
    failed, inspected = parts.observed[..., past].sum(axis=2), parts.exposure[..., past].sum(axis=2)
    # The same sums whatever the order of the series.
    order = np.lexsort((*failed, *inspected))
    share = np.divide(failed.sum(), inspected.sum(), where=inspected.sum() > 0, out=np.array(0.05))
    base = np.full(failed.shape, special.logit(np.clip(share, 1e-6, 1 - 1e-6)))
    effect = estimate_effects(failed[:, order], inspected[:, order], base).effect
    total = parts.exposure.sum(axis=0)
    out = np.ones(total.shape)
    for rows in groups:
        some = inspected[:, rows].sum()
        # Drawn towards the common share, so that a group without a failure has one too.
        level = np.clip((failed[:, rows].sum() + share) / (some + 1.0), 1e-6, 1 - 1e-6)
        ratio = special.expit(special.logit(level) + effect) / level
        raised = np.einsum("l,lst->st", ratio, parts.exposure[:, rows])
        np.divide(raised, total[rows], out=raised, where=total[rows] > 0)
        out[rows] = np.where(total[rows] > 0, raised, 1.0)
    return out
