"""How often pairs of labels would be seen together if they were independent: expected counts, summed over strata.

Sources
-------
Stratified expected counts: Mantel & Haenszel (1959), J. Natl. Cancer Inst. 22(4), 719-748; DuMouchel (1999), Amer. Statist. 53(3),
177-190. Impossible cells (structural zeros), quasi-independence: Goodman (1968), J. Amer. Statist. Assoc. 63, 1091-1131; fitted by
iterative scaling: Deming & Stephan (1940), Ann. Math. Statist. 11(4), 427-444.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskwatch.errors import DetectorError

__all__ = ["PairTable", "cross_table", "expected_counts", "quasi_independence"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PairTable:
    """Pairs that occur, and the margins of each stratum, all counted in distinct reports.

    A report that names two products and three injuries holds six pairs but is one report: it counts once in each pair, once in the margin
    of each of its labels, and once in the total. So margins are not sums over pairs.

    Attributes
    ----------
    left, right : array of int, shape (pair,)
        Numbers of the two labels, in the order of (left, right).
    observed : array, shape (pair,)
        Reports that hold both.
    row : array, shape (stratum, left label)
        Reports of the stratum with the left label.
    column : array, shape (stratum, right label)
    total : array, shape (stratum,)
        Reports of the stratum.
    """

    left: IntArray
    right: IntArray
    observed: FloatArray
    row: FloatArray
    column: FloatArray
    total: FloatArray

    @property
    def expected(self) -> FloatArray:
        """Expected counts of the pairs under independence within strata, shape (pair,)."""
        return expected_counts(self.row, self.column, self.total, self.left, self.right)


def cross_table(
    left: IntArray, right: IntArray, report: IntArray | None = None, stratum: IntArray | None = None, weight: FloatArray | None = None
) -> PairTable:
    """Count the pairs of ``left`` and ``right`` labels in distinct reports.

    Parameters
    ----------
    left, right : array of int, shape (row,)
        Numbers of the labels from 0. Rows with a negative number are left out: a missing label pairs with nothing.
    report : array of int, shape (row,), optional
        Rows with one number are one report. Default: every row is one.
    stratum : array of int, shape (row,), optional
        Number of the report's stratum from 0. Default: one stratum.
    weight : array, shape (row,), optional
        How much a report counts (persons, notices), the same in all its rows. Default: 1.

    Raises
    ------
    DetectorError
        If the arrays differ in length, or rows of one report differ in stratum or weight.
    """
    size = len(left)
    report = np.arange(size) if report is None else report
    stratum = np.zeros(size, np.int64) if stratum is None else stratum
    weight = np.ones(size) if weight is None else weight
    if any(len(part) != size for part in (right, report, stratum, weight)):
        raise DetectorError("cross_table: left, right, report, stratum and weight must have one length")
    known = (left >= 0) & (right >= 0)
    left, right, stratum, weight = left[known], right[known], stratum[known], weight[known]
    report = np.unique(report[known], return_inverse=True)[1]
    head = np.unique(report, return_index=True)[1]
    if not (np.array_equal(stratum, stratum[head][report]) and np.array_equal(weight, weight[head][report])):
        raise DetectorError("cross_table: rows of one report must have one stratum and one weight")
    strata, rows, columns = (int(part.max(initial=-1)) + 1 for part in (stratum, left, right))
    pairs, observed = _sums(left * max(columns, 1) + right, report, weight)
    margins = []
    for label, labels in ((left, rows), (right, columns)):
        cell, count = _sums(stratum * max(labels, 1) + label, report, weight)
        margin = np.zeros(strata * labels)
        margin[cell] = count
        margins.append(margin.reshape(strata, labels))
    total = np.bincount(stratum[head], weights=weight[head], minlength=strata).astype(np.float64)
    return PairTable(pairs // max(columns, 1), pairs % max(columns, 1), observed, margins[0], margins[1], total)


def _sums(cell: IntArray, report: IntArray, weight: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return distinct cells in order and the weight of the distinct reports in each."""
    order = np.lexsort((report, cell))
    cell, report, weight = cell[order], report[order], weight[order]
    fresh = np.ones(len(cell), np.bool_)
    fresh[1:] = (cell[1:] != cell[:-1]) | (report[1:] != report[:-1])
    cell, weight = cell[fresh], weight[fresh]
    distinct, start = np.unique(cell, return_index=True)
    # Weights are sorted within a cell, so that the sum does not depend on the order of the rows.
    weight = weight[np.lexsort((weight, cell))]
    return distinct, np.add.reduceat(weight, start) if len(start) else np.empty(0)


def expected_counts(row: FloatArray, column: FloatArray, total: FloatArray, left: IntArray, right: IntArray) -> FloatArray:
    """Return ``sum over strata of row * column / total`` for the pairs asked for.

    Parameters
    ----------
    row : array, shape (stratum, left label)
    column : array, shape (stratum, right label)
    total : array, shape (stratum,)
        Strata with a total of 0 add nothing.
    left, right : array of int, shape (pair,)

    Notes
    -----
    Strata are added one after the other in their order: memory is that of one stratum, and the sum is the same for any choice of pairs.
    """
    out = np.zeros(len(left))
    for of_row, of_column, whole in zip(row, column, total, strict=True):
        if whole > 0:
            out += of_row[left] * of_column[right] / whole
    return out


def quasi_independence(
    counts: FloatArray, possible: npt.NDArray[np.bool_], *, tolerance: float = 1e-10, rounds: int = 10_000
) -> FloatArray:
    """Return expected counts where some cells cannot occur: independent among the possible cells, with the margins observed.

    With a product that cannot have a hazard, plain independence expects cases there that never come, and so too few everywhere else in
    that row and column. Here the impossible cells are expected to be 0 and the others a_i b_j.

    Parameters
    ----------
    counts : array, shape (stratum, left label, right label) or (left label, right label)
    possible : array of bool, shape (left label, right label)
    tolerance : float
        Largest difference of a margin at which scaling stops, relative to it.
    rounds : int
        Most rounds.

    Returns
    -------
    array, shape (left label, right label)
        Summed over strata.

    Raises
    ------
    DetectorError
        If an impossible cell holds a count, or scaling does not converge (margins that the possible cells cannot have).
    """
    tables = counts if counts.ndim == 3 else counts[None]
    if (tables[:, ~possible] > 0).any():
        raise DetectorError("quasi_independence: a cell that is said to be impossible holds a count")
    whole = np.zeros(possible.shape)
    for table in tables:
        rows, columns = table.sum(axis=1), table.sum(axis=0)
        fitted = possible.astype(np.float64)
        for _ in range(rounds):
            for axis, margin in ((1, rows), (0, columns)):
                now = fitted.sum(axis=axis)
                fitted *= np.expand_dims(np.divide(margin, now, out=np.zeros_like(margin), where=now > 0), axis)
            if (np.abs(fitted.sum(axis=1) - rows) <= tolerance * np.maximum(rows, 1.0)).all():
                break
        else:
            raise DetectorError(
                f"quasi_independence: margins do not converge in {rounds} rounds",
                hint="the table falls apart: a row or column whose only possible cells are another's too",
            )
        whole += fitted
    return whole
