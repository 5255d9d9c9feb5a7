"""A panel read as a table of pairs: which series share a left and a right label, and what independence leads to expect of each.

The right label of a series is its stratum ("hazard=salmonella", "diagnosis=fracture"), the left one is the rest of its key (a product, or a
product in a place). Series summed over the same dimensions make one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors.failures import siblings
from riskwatch.detectors.gamma_poisson import TwoGammas, fit_prior, squash
from riskwatch.panel import Panel

__all__ = ["Pairs", "blocks_of", "expected_of_blocks", "learn_prior", "tables_of"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

_RATIO = 1.05  # cells of one count with expected counts this near become one when the prior is fitted
_CHUNK = 1_000_000
_SPAN = 2_000  # classes of expected counts on either side of 1: a ratio of 1.05 to the 2,000th is more than doubles can hold apart
_PULL = 0.05  # what a dozen pairs outweigh; without it a table whose ratios are all alike has no best prior


@dataclass(frozen=True, eq=False)
class Pairs:
    """One table: rows of the panel in the order of their keys, and the number of each one's left and right label."""

    rows: IntArray
    left: IntArray
    right: IntArray


def tables_of(panel: Panel) -> list[Pairs]:
    """Return the tables of a panel; without strata every series is compared with equal shares of the whole."""
    index = panel.index
    strata = isinstance(index, pd.MultiIndex) and "stratum" in index.names and index.nlevels > 1
    others: pd.Index[Any] = index.droplevel("stratum") if isinstance(index, pd.MultiIndex) and strata else index
    place = np.argsort(index.argsort())
    out = []
    for group in siblings(others):
        rows = group[np.argsort(place[group])]
        if strata:
            left, right = others[rows].factorize(sort=True)[0], index[rows].get_level_values("stratum").factorize(sort=True)[0]
        else:
            left, right = np.arange(len(rows)), np.zeros(len(rows), np.intp)
        out.append(Pairs(rows, np.asarray(left, np.intp), np.asarray(right, np.intp)))
    return out


def blocks_of(counts: FloatArray, width: int) -> FloatArray:
    """Return sums over blocks of ``width`` periods that end with the last one, shape (series, block); NaN where a period is missing."""
    many = counts.shape[1] // width
    return np.asarray(counts[:, counts.shape[1] - many * width :].reshape(len(counts), many, width).sum(axis=2))


def _margins(pairs: Pairs, blocks: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return row and column sums and totals, shape (label, block), of one table's blocks; missing cells add nothing."""
    known = np.nan_to_num(blocks)
    row, column = (np.zeros((int(labels.max(initial=-1)) + 1, blocks.shape[1])) for labels in (pairs.left, pairs.right))
    np.add.at(row, pairs.left, known)
    np.add.at(column, pairs.right, known)
    if len(column) == 1:
        # A single right label: what would be shared out among the left ones if they were alike.
        seen = np.isfinite(blocks).sum(axis=0)
        row[:] = np.divide(known.sum(axis=0), seen, out=np.zeros(blocks.shape[1]), where=seen > 0)
    return row, column, row.sum(axis=0)


def expected_of_blocks(pairs: Pairs, blocks: FloatArray) -> FloatArray:
    """Return the expected count of each pair in each block, independent within the block; 0 where the cell is missing.

    Parameters
    ----------
    pairs : Pairs
    blocks : array, shape (pair, block)
        Counts of the table's rows.
    """
    row, column, total = _margins(pairs, blocks)
    share = np.divide(column, total, out=np.zeros_like(column), where=total > 0)
    return np.where(np.isnan(blocks), 0.0, row[pairs.left] * share[pairs.right])


def learn_prior(pairs: Pairs, blocks: FloatArray, n: FloatArray, e: FloatArray) -> TwoGammas:
    """Return the prior of the ratios of all cells of the table, those without a case and without a series included.

    Parameters
    ----------
    pairs : Pairs
    blocks : array, shape (pair, block)
    n, e : array, shape (pair,)
        Sums over the blocks of counts and expected counts.

    Notes
    -----
    A cell that never had a case is in no panel, yet its expected count is known from its margins. Whether it cannot have a case or just has
    none makes no difference: either way such ratios are near 0, and the prior's second component learns how common that is.
    Cells are put in classes of count and of expected count, so a table of millions of cells costs no more than its listed pairs.
    """
    row, column, total = _margins(pairs, blocks)
    share = np.divide(column, total, out=np.zeros_like(column), where=total > 0)
    number, amount = np.zeros(2 * _SPAN), np.zeros(2 * _SPAN)
    chunk = max(_CHUNK // max(len(column), 1), 1)
    for start in range(0, len(row) if len(column) > 1 else 0, chunk):
        cells = np.zeros((len(row[start : start + chunk]), len(column)))
        for block in range(blocks.shape[1]):  # not a matrix product, whose bits may depend on the number of threads
            cells += row[start : start + chunk, block, None] * share[None, :, block]
        inside = (pairs.left >= start) & (pairs.left < start + chunk)
        cells[pairs.left[inside] - start, pairs.right[inside]] = 0.0
        cells = cells[cells > 0]
        at = _class(cells)
        number += np.bincount(at, minlength=2 * _SPAN)
        amount += np.bincount(at, weights=cells, minlength=2 * _SPAN)
    listed = e > 0
    counts, expected, weight = squash(n[listed], e[listed], ratio=_RATIO)
    empty = number > 0
    counts = np.concatenate([counts, np.zeros(int(empty.sum()))])
    expected = np.concatenate([expected, amount[empty] / number[empty]])
    if not len(counts):
        return TwoGammas(2.0, 1.0, 2.0, 2.0, 0.1)
    return fit_prior(counts, expected, np.concatenate([weight, number[empty]]), floor=0, pull=_PULL)


def _class(e: FloatArray) -> npt.NDArray[np.int64]:
    return np.asarray(np.clip(np.floor(np.log(e) / np.log(_RATIO)).astype(np.int64) + _SPAN, 0, 2 * _SPAN - 1))
