"""A change of a failure rate taken apart: the rates themselves, and what was sampled.

Sources
-------
Two parts, symmetric and without a remainder: Kitagawa (1955), J. Amer. Statist. Assoc. 50(272), 1168-1194. The mix as a product of
shares (of strata, of categories within strata, of products within categories) with each factor's part averaged over the orders of change:
Das Gupta (1993), Standardization and Decomposition of Rates, US Bureau of the Census P23-186.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.errors import RateError
from riskwatch.rates.sums import sums

__all__ = ["decompose_change"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def decompose_change(
    before: pd.DataFrame, after: pd.DataFrame, *, nested: Sequence[str] = ("stratum", "category", "product"), by: str | None = None
) -> pd.DataFrame:
    """Split the change of the raw rate between two windows into within-rate part and mix part.

    Parameters
    ----------
    before, after : DataFrame
        Cells with ``nested``, ``by`` if given, ``failed``, ``inspected``, and ``failed_eff, inspected_eff`` for the errors if there are.
        Cells of the same key are summed.
    nested : sequence of str
        Columns from the outermost to the innermost; together they name a cell within ``by``.
    by : str, optional
        Column whose values are taken apart one by one.

    Returns
    -------
    DataFrame
        One row per value of ``by`` (or one): ``inspected_before, failed_before, inspected_after, failed_after, raw_before, raw_after``,
        ``change`` (after minus before), ``within`` and ``mix``, which add up to it exactly, ``mix_<column>`` for each of ``nested``, which
        add up to ``mix``, standard errors ``change_se, within_se, mix_se``, and ``unmatched`` (share of samples, averaged over both
        windows, in cells that only one window has: their rates cannot be compared, so all that they change is mix). All NaN where a window
        has no samples.

    Notes
    -----
    The mix is what was decided to sample: its error is that of the rates at which it is valued. A share within a parent that one
    window lacks is taken as in the other window, so that the change counts at the parent.

    Raises
    ------
    RateError
        If columns are absent.
    """
    nested = list(nested)
    keys = [*([by] if by else []), *nested]
    for name, cells in (("before", before), ("after", after)):
        absent = [column for column in (*keys, "failed", "inspected") if column not in cells.columns]
        if absent:
            raise RateError(f"decompose_change: {name} lacks the column(s) {', '.join(absent)}")
    counted = [_summed(cells, keys) for cells in (before, after)]
    both = counted[0].add_suffix("_0").join(counted[1].add_suffix("_1"), how="outer").fillna(0.0).sort_index().reset_index()
    row_labels = np.sort(both[by].unique()) if by else np.array([""], dtype=object)
    row = pd.Index(row_labels).get_indexer(both[by]) if by else np.zeros(len(both), dtype=np.int64)
    rows = len(row_labels)
    n = [both[f"inspected_{k}"].to_numpy(np.float64) for k in (0, 1)]
    x = [both[f"failed_{k}"].to_numpy(np.float64) for k in (0, 1)]
    size = [both[f"size_{k}"].to_numpy(np.float64) for k in (0, 1)]
    total = [sums(row, part, rows) for part in n]
    failed = [sums(row, part, rows) for part in x]
    raw = [f / np.where(t > 0, t, np.nan) for f, t in zip(failed, total, strict=True)]
    known = [part > 0 for part in n]
    own = [np.where(k, a / np.where(k, b, 1.0), 0.0) for k, a, b in zip(known, x, n, strict=True)]
    # A cell that one window lacks has, for want of better, the other's rate: no change of rate can be told there.
    rate = [np.where(known[k], own[k], own[1 - k]) for k in (0, 1)]
    factors = [_shares(both, keys, [n[k] for k in (0, 1)], depth, by) for depth in range(len(nested))]
    share = [part / np.where(total[k] > 0, total[k], np.nan)[row] for k, part in enumerate(n)]
    middle = (rate[0] + rate[1]) / 2.0
    within = sums(row, (share[0] + share[1]) / 2.0 * (rate[1] - rate[0]), rows)
    parts = {f"mix_{name}": sums(row, middle * _part(factors, depth), rows) for depth, name in enumerate(nested)}
    mix = sums(row, middle * (share[1] - share[0]), rows)
    variance = _variances(x, n, size, known)
    weight = (share[0] + share[1]) / 2.0
    errors = {
        "change_se": share[0] ** 2 * variance[0] + share[1] ** 2 * variance[1],
        "within_se": np.where(known[0] & known[1], weight**2 * (variance[0] + variance[1]), 0.0),
        "mix_se": _mix_variance(share, variance, known),
    }
    out: dict[str, object] = {by: row_labels} if by else {}
    for k, name in ((0, "before"), (1, "after")):
        out[f"inspected_{name}"], out[f"failed_{name}"] = total[k].astype(np.int64), failed[k].astype(np.int64)
    out |= {"raw_before": raw[0], "raw_after": raw[1], "change": raw[1] - raw[0], "within": within, "mix": mix, **parts}
    out |= {name: np.sqrt(sums(row, part, rows)) for name, part in errors.items()}
    out["unmatched"] = sums(row, np.where(known[0] & known[1], 0.0, weight), rows)
    return pd.DataFrame(out)


def _summed(cells: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    size = cells["inspected_eff"] if "inspected_eff" in cells.columns else cells["inspected"]
    frame = cells[list(keys)].assign(
        failed=cells["failed"].astype(np.float64), inspected=cells["inspected"].astype(np.float64), size=size.astype(np.float64)
    )
    # Counts are whole numbers; effective sizes are sorted before they are summed.
    frame = frame.sort_values([*keys, "size"], kind="stable")
    return frame[frame["inspected"] > 0].groupby(list(keys), observed=True).sum()


def _shares(both: pd.DataFrame, keys: Sequence[str], n: list[FloatArray], depth: int, by: str | None) -> list[FloatArray]:
    """Return, for both windows, the share of each cell's ancestor at one depth among its parent's samples."""
    start = depth + (1 if by else 0)
    parent, child = (_numbers(both, keys[:end]) for end in (start, start + 1))
    above, below = ([sums(group, part, len(both))[group] for part in n] for group in (parent, child))
    share = [b / np.where(a > 0, a, np.nan) for a, b in zip(above, below, strict=True)]
    return [np.where(np.isnan(share[k]), share[1 - k], share[k]) for k in (0, 1)]


def _numbers(frame: pd.DataFrame, columns: Sequence[str]) -> IntArray:
    """Return a number for each combination of values; 0 everywhere without columns."""
    if not columns:
        return np.zeros(len(frame), dtype=np.int64)
    return np.asarray(frame.groupby(list(columns), observed=True, sort=True).ngroup(), dtype=np.int64)


def _part(factors: list[list[FloatArray]], depth: int) -> FloatArray:
    """Return how much one factor adds to the change of the product of all, averaged over the orders in which factors may change."""
    others = [at for at in range(len(factors)) if at != depth]
    total = np.zeros(len(factors[depth][0]))
    for changed in itertools.chain.from_iterable(itertools.combinations(others, size) for size in range(len(others) + 1)):
        weight = math.factorial(len(changed)) * math.factorial(len(others) - len(changed)) / math.factorial(len(factors))
        product = np.full(len(total), weight)
        for at in others:
            product = product * factors[at][1 if at in changed else 0]
        total += product
    return total * (factors[depth][1] - factors[depth][0])


def _variances(x: list[FloatArray], n: list[FloatArray], size: list[FloatArray], known: list[npt.NDArray[np.bool_]]) -> list[FloatArray]:
    """Return the variance of each cell's rate: the rate of both windows with half a failure and half a pass, over the effective size."""
    pooled = (x[0] + x[1] + 0.5) / (n[0] + n[1] + 1.0)
    spread = pooled * (1.0 - pooled)
    return [np.where(k, spread / np.where(k, s, 1.0), 0.0) for s, k in zip(size, known, strict=True)]


def _mix_variance(share: list[FloatArray], variance: list[FloatArray], known: list[npt.NDArray[np.bool_]]) -> FloatArray:
    away = (share[1] - share[0]) ** 2
    matched = known[0] & known[1]
    # Where one window lends its rate to the other, its error counts whole.
    return np.asarray(np.where(matched, away * (variance[0] + variance[1]) / 4.0, away * (variance[0] + variance[1])))
