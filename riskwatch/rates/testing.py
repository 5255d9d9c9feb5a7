"""Is a new count too high for its cell? Exact predictive tails against shrunken baselines, all cells at once.

Source
------
Predictive tail as p-value: Box (1980), J. R. Statist. Soc. A 143(4), 383-430.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.errors import RateError
from riskwatch.rates import mixture
from riskwatch.rates.shrinkage import Shrunken

__all__ = ["judge_counts", "predictive_p"]

FloatArray = npt.NDArray[np.float64]


def predictive_p(
    x: FloatArray,
    n: FloatArray,
    a: FloatArray,
    b: FloatArray,
    weights: FloatArray,
    *,
    correlation: FloatArray | float = 0.0,
    mid_p: bool = False,
) -> FloatArray:
    """Return P(X >= x) for a new count of ``x`` failures out of ``n``, whose rate comes from a mixture of betas.

    Parameters
    ----------
    x, n : array, shape (cell,)
        Whole numbers; NaN where n is 0: nothing was inspected, so nothing can be said.
    a, b : array, shape (component, cell)
    weights : array, shape (component,)
    correlation : array or float
        Between two samples of one cell and period beyond what the rate explains (scatter of a period's rate around the long-run one):
        each component keeps its mean and gets the variance of both together, 1 / (a + b + 1) = r + rho (1 - r).
    mid_p : bool
        Leave out half of P(X = x): levels are then right on average and not at most.

    Raises
    ------
    RateError
        If counts are out of range.
    """
    wrong = np.flatnonzero(~((x >= 0) & (x <= n) & np.isfinite(n) & (x == np.round(x)) & (n == np.round(n))))
    if wrong.size:
        first = int(wrong[0])
        raise RateError(f"predictive_p: counts must be whole with 0 <= x <= n; cell {first} has {x[first]:g} of {n[first]:g}")
    rho = np.broadcast_to(np.asarray(correlation, dtype=np.float64), x.shape)
    if not ((rho >= 0) & (rho < 1)).all():
        raise RateError("predictive_p: correlation must be in [0, 1)")
    if (rho > 0).any():
        share = 1.0 / (a + b + 1.0)
        factor = (1.0 / (share + rho * (1.0 - share)) - 1.0) / (a + b)
        a, b = a * factor, b * factor
    out = np.full(len(x), np.nan)
    some = np.flatnonzero(n > 0)
    out[some] = mixture.tail(x[some], n[some], a[:, some], b[:, some], weights, mid_p=mid_p)
    return out


def judge_counts(
    new: pd.DataFrame, baseline: Shrunken, keys: Sequence[str], *, correlation: float | None = None, mid_p: bool = False
) -> pd.DataFrame:
    """Judge the cells of a newer window by the cells of an older one.

    Parameters
    ----------
    new : DataFrame
        Cells with ``keys``, ``failed`` and ``inspected``.
    baseline : Shrunken
        Made from earlier samples; a cell of ``new`` that it lacks is not judged (complete the baseline to judge it by its prior).
    keys : sequence of str
        Columns that name a cell in both.
    correlation : float, optional
        Over-dispersion of a new count. Default: what :func:`riskwatch.rates.cells.build_cells` found between samples of one enterprise
        times the new cell's ``largest_share``: one enterprise with all samples makes them count for less.
    mid_p : bool

    Returns
    -------
    DataFrame
        ``keys``, ``failed``, ``inspected``, ``expected`` (failures), ``baseline_rate``, ``baseline_n``, ``p_value`` (NaN where not
        judged) and ``reason`` ("", "no-baseline" or "not-inspected"), in the order of ``new``.

    Raises
    ------
    RateError
        If keys do not name cells uniquely, or columns are absent.
    """
    keys = list(keys)
    absent = [name for name in (*keys, "failed", "inspected") if name not in new.columns]
    if absent:
        raise RateError(f"judge_counts: new cells lack the column(s) {', '.join(absent)}")
    old = pd.MultiIndex.from_frame(baseline.cells[keys])
    if not old.is_unique:
        raise RateError(f"judge_counts: {', '.join(keys)} do not name the baseline's cells uniquely", hint="add stratum to the keys")
    place = old.get_indexer(pd.MultiIndex.from_frame(new[keys]))
    x, n = new["failed"].to_numpy(np.float64), new["inspected"].to_numpy(np.float64)
    known = np.flatnonzero(place >= 0)
    if correlation is not None:
        rho = np.full(len(new), correlation)
    elif {"correlation", "largest_share"} <= set(new.columns):
        rho = (new["correlation"] * new["largest_share"].fillna(0.0)).to_numpy(np.float64)
    else:
        rho = np.zeros(len(new))
    p = np.full(len(new), np.nan)
    at = place[known]
    p[known] = predictive_p(x[known], n[known], baseline.a[:, at], baseline.b[:, at], baseline.weights, correlation=rho[known], mid_p=mid_p)
    rate = np.append(baseline.cells["rate"].to_numpy(np.float64), np.nan)[place]
    return new[[*keys, "failed", "inspected"]].assign(
        expected=rate * n,
        baseline_rate=rate,
        baseline_n=np.append(baseline.cells["inspected"].to_numpy(np.float64), np.nan)[place],
        p_value=p,
        reason=np.select([place < 0, n <= 0], ["no-baseline", "not-inspected"], ""),
    )
