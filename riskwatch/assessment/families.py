"""False discoveries along a tree of families, and the looks that a daily run takes at the same test.

Tests are grouped into nested families (branch of the product or industry tree, model, subject, place). A family is looked into only if
it is selected, and then only as hard as the share of its level that was selected allows (Benjamini & Bogomolov, J. R. Stat. Soc. B
76:297-318, 2014; Bogomolov, Peterson, Benjamini & Sabatti, Biometrika 108:575-590, 2021). Families count by their number of tests
(Benjamini & Hochberg, Scand. J. Stat. 24:407-418, 1997), so that a single strong test needs the same p-value wherever it hangs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.errors import DetectorError

__all__ = ["level_weights", "look_shares", "look_weights", "tree_q_values"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def _through(needed: FloatArray, child: IntArray, parent: IntArray) -> FloatArray:
    """Return the smallest level of each test's parent at which the level handed down to its child reaches ``needed``.

    At level a the parent selects, of its children ordered by p-value, the largest k with p_(k) <= a W_k / W, where W_k is the number of
    tests in the first k and W in all; what it hands down is a W_k / W. The smallest a that hands down x is the smallest
    max(p_(k), x) W / W_k over k. A child's p-value is the smallest level at which anything below it would be rejected.
    """
    number = int(child.max()) + 1
    weight = np.bincount(child, minlength=number).astype(np.float64)
    p_child = np.full(number, np.inf)
    np.minimum.at(p_child, child, needed)
    above = np.zeros(number, dtype=np.int64)
    above[child] = parent
    total = np.bincount(parent).astype(np.float64)

    owner = np.concatenate([above, parent])
    value = np.concatenate([p_child, needed])
    is_test = np.concatenate([np.zeros(number, dtype=np.int64), np.ones(len(needed), dtype=np.int64)])
    order = np.lexsort((is_test, value, owner))
    owner, value = owner[order], value[order]
    grown = np.cumsum(np.concatenate([weight, np.zeros(len(needed))])[order])
    starts = np.searchsorted(owner, np.arange(len(total)))
    before = np.where(starts > 0, grown[np.maximum(starts - 1, 0)], 0.0)
    factor = total[owner] / (grown - before[owner])  # W / W_k; every test stands behind its own child
    later = np.where(is_test[order] == 0, value * factor, np.inf)
    best = pd.Series(later[::-1]).groupby(owner[::-1], sort=False).cummin().to_numpy()[::-1]
    reached = np.minimum(value * factor, best)
    found = np.empty(len(order))
    found[order] = reached
    return np.asarray(found[number:], dtype=np.float64)


def tree_q_values(p_values: npt.ArrayLike, levels: Sequence[npt.ArrayLike]) -> FloatArray:
    """Return the smallest level at which the tree procedure rejects each test, shape (tests,).

    Parameters
    ----------
    p_values : array_like of float, shape (tests,)
        One-sided p-values; values above 1 (after weighting) count as 1.
    levels : sequence of array_like, each of shape (tests,)
        Labels of the families of each test, coarse to fine; a family is told by its labels on all levels down to its own. Without
        levels the result is Benjamini-Hochberg.

    Raises
    ------
    DetectorError
        If a p-value is missing or negative, or the labels are of another length.
    """
    p = np.minimum(np.asarray(p_values, dtype=np.float64), 1.0)
    if p.size == 0:
        return p
    if not (p >= 0).all():
        raise DetectorError(f"tree_q_values: p-values must not be missing or negative, {int((~(p >= 0)).sum())} of {p.size} are")
    nodes = [np.zeros(p.size, dtype=np.int64)]
    for level in levels:
        given = np.asarray(level)
        labels = pd.factorize(given if given.dtype.kind in "iu" else np.asarray(level, dtype=object))[0].astype(np.int64)
        if labels.size != p.size:
            raise DetectorError(f"tree_q_values: each level needs one label for each of {p.size} tests, got {labels.size}")
        nodes.append(pd.factorize(nodes[-1] * (labels.max() + 2) + labels)[0].astype(np.int64))
    needed, child = p, np.arange(p.size, dtype=np.int64)
    for parent in reversed(nodes):
        needed = _through(needed, child, parent)
        child = parent
    return np.minimum(needed, 1.0)


def level_weights(groups: npt.ArrayLike, levels: npt.ArrayLike) -> FloatArray:
    """Return the weight of each test where the levels of a group share its error equally, shape (tests,); a p-value is divided by it.

    Parameters
    ----------
    groups, levels : array_like of int, shape (tests,)
        Group of each test (its model), and its level within it (how far up the region tree it stands), both not negative.

    Notes
    -----
    Weights are fixed before anything is seen and have mean 1 in each group, so that false discoveries stay controlled (Genovese, Roeder &
    Wasserman, Biometrika 93:509-524, 2006). A handful of series over a whole province no longer pays for the thousands of its parts.
    """
    group, level = np.asarray(groups, dtype=np.int64), np.asarray(levels, dtype=np.int64)
    if not group.size:
        return np.ones(0)
    cells, cell, in_cell = np.unique(np.stack([group, level]), axis=1, return_inverse=True, return_counts=True)
    levels_of, in_group = np.bincount(cells[0]), np.bincount(group)
    return np.asarray((in_group[group] / levels_of[group]) / in_cell[cell.ravel()], dtype=np.float64)


def look_shares(looks: npt.ArrayLike, first: float) -> FloatArray:
    """Return the share of a test's error that its ``looks``-th look may spend: ``first``, then half of what is left, and so on.

    The shares of all looks sum to 1, however many there are.
    """
    number = np.asarray(looks, dtype=np.float64)
    return np.where(number <= 1, first, (1 - first) * 0.5 ** (number - 1))


def look_weights(series: npt.ArrayLike, looks: npt.ArrayLike, *, first: float, most: int) -> FloatArray:
    """Return the weight of each test by the look that it is, shape (tests,); a p-value is divided by it.

    Parameters
    ----------
    series : array_like of int, shape (tests,)
        Which series each test is about; the tests of a series stand in order of their periods.
    looks : array_like of int, shape (tests,)
        Looks taken so far at the same series and period, this one included; at least 1. A period that is not its series' newest was newest
        before, so its look is at least its place counted from the newest.
    first : float
        Share of the first look.
    most : int
        With more periods than this a series is read in retrospect, every period once: all weights 1.

    Notes
    -----
    A series with J judged periods counts J times among the tests of the run, so its looks share J: over all days on which a period is
    judged its weights sum to at most J, that is, over its life it is given no more error than one test of a run that judges each period
    once.
    Within a run the weights of a series sum to at most J as well (Genovese, Roeder & Wasserman, Biometrika 93:509-524, 2006).
    """
    codes = pd.factorize(np.asarray(series))[0]
    size = np.bincount(codes, minlength=1)[codes] if codes.size else codes
    place = size - pd.Series(codes).groupby(codes).cumcount().to_numpy() if codes.size else codes
    weight = size * look_shares(np.maximum(place, np.asarray(looks, dtype=np.int64)), first)
    return np.where(size > most, 1.0, weight).astype(np.float64)
