"""Rates of regions (or periods, products) as if all had sampled the same mix.

Sources
-------
Direct standardisation: Breslow & Day (1987), Statistical Methods in Cancer Research II, chapter 2 (IARC). Cells without samples take a
model's rate, as in multilevel regression with poststratification: Gelman & Little (1997), Survey Methodology 23(2), 127-135.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from riskwatch.errors import RateError
from riskwatch.rates.mixture import beta_from_moments
from riskwatch.rates.shrinkage import Shrunken
from riskwatch.rates.sums import sums

__all__ = ["reference_mix", "standardise"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def reference_mix(cells: pd.DataFrame, over: Sequence[str]) -> pd.DataFrame:
    """Return the share of all samples in each combination of ``over``: columns ``over`` and ``weight``, which sums to 1."""
    mix = cells.groupby(list(over), observed=True, sort=True)["inspected"].sum()
    total = float(mix.sum())
    if total <= 0:
        raise RateError("reference_mix: nothing was inspected, so there is no mix to refer to")
    return (mix[mix > 0] / total).rename("weight").reset_index()


def standardise(
    cells: Shrunken | pd.DataFrame,
    weights: pd.DataFrame | None = None,
    *,
    by: str,
    over: Sequence[str],
    level: float = 0.95,
) -> pd.DataFrame:
    """Weigh the rates of each row's cells by one reference mix.

    Parameters
    ----------
    cells : Shrunken or DataFrame
        One row per ``by`` and ``over``. With :class:`Shrunken` each cell's rate is its shrunken one, and errors that cells share (tree,
        region, stratum) are added up as shared. With plain cells (``failed, inspected``) it is the raw one, and a cell without samples
        takes the rate of its combination in all rows together.
    weights : DataFrame, optional
        Columns ``over`` and ``weight`` (any positive total). Default: all samples of the cells given.
    by : str
        Column whose values are compared.
    over : sequence of str
        Columns that the mix is of.
    level : float
        Of the intervals.

    Returns
    -------
    DataFrame
        By value of ``by``, sorted: ``inspected, failed, raw`` (NaN without samples), ``rate, lower, upper`` (standardised), ``variance``,
        ``borrowed`` (share of the reference mix in cells without samples: their rate comes from elsewhere) and ``weight`` (share of the
        standardised rate that rests on the row's own samples).

    Raises
    ------
    RateError
        If columns are absent, cells repeat, or no weight is positive.
    """
    frame = cells.cells if isinstance(cells, Shrunken) else cells
    over = list(over)
    absent = [name for name in (by, *over, "failed", "inspected") if name not in frame.columns]
    if absent:
        raise RateError(f"standardise: cells lack the column(s) {', '.join(absent)}")
    if frame.duplicated([by, *over]).any():
        raise RateError(f"standardise: several cells have the same {by}, {', '.join(over)}", hint="sum them, or name every key in over")
    mix = reference_mix(frame, over) if weights is None else weights
    w = mix["weight"].to_numpy(np.float64)
    if not (np.isfinite(w).all() and (w >= 0).all() and w.sum() > 0):
        raise RateError("standardise: weights must not be negative and must not all be zero")
    mix = mix.assign(weight=w / w.sum())
    rows = np.sort(frame[by].unique())
    row = pd.Index(rows).get_indexer(frame[by])
    place = pd.MultiIndex.from_frame(mix[over]).get_indexer(pd.MultiIndex.from_frame(frame[over]))
    share = np.where(place >= 0, np.append(mix["weight"].to_numpy(np.float64), 0.0)[place], 0.0)
    count = len(rows)
    n, x = frame["inspected"].to_numpy(np.float64), frame["failed"].to_numpy(np.float64)
    if isinstance(cells, Shrunken):
        rate = frame["rate"].to_numpy(np.float64)
        own = frame["weight"].to_numpy(np.float64)
        variance = sums(row, share**2 * frame["own_variance"].to_numpy(np.float64), count)
        pull = share * frame["pull"].to_numpy(np.float64)
        for part in cells.shared:
            variance += _shared(row, part.level, pull, part.variance, count)
        covered = sums(row, share, count)
        if not np.allclose(covered, 1.0, atol=1e-9):
            lacking = rows[int(np.argmin(covered))]
            raise RateError(
                f"standardise: {by} {lacking!r} has cells for {covered.min():.1%} of the reference mix",
                hint="complete the cells before they are shrunk",
            )
        value = sums(row, share * rate, count)
        empty = sums(row, share * (n == 0), count)
    else:
        value, variance, empty, own = _raw(x, n, place, share, row=row, mix=mix["weight"].to_numpy(np.float64), rows=count, frame=frame)
    a, b = beta_from_moments(value, variance)
    tail = (1.0 - level) / 2.0
    inspected, failed = sums(row, n, count), sums(row, x, count)
    return pd.DataFrame(
        {
            by: rows,
            "inspected": inspected.astype(np.int64),
            "failed": failed.astype(np.int64),
            "raw": np.where(inspected > 0, failed / np.maximum(inspected, 1.0), np.nan),
            "rate": value,
            "lower": special.betaincinv(a, b, tail),
            "upper": special.betaincinv(a, b, 1.0 - tail),
            "variance": variance,
            "borrowed": empty,
            "weight": sums(row, share * own, count),
        }
    )


def _shared(row: IntArray, level: IntArray, pull: FloatArray, variance: FloatArray, rows: int) -> FloatArray:
    """Return the variance of each row's rate from errors that its cells share: squares of summed pulls, not sums of squares."""
    some = level >= 0
    pair, at = np.unique(row[some] * (len(variance) + 1) + level[some], return_inverse=True)
    total = sums(at, pull[some], len(pair))
    return sums(pair // (len(variance) + 1), total**2 * variance[pair % (len(variance) + 1)], rows)


def _raw(
    x: FloatArray, n: FloatArray, place: IntArray, share: FloatArray, *, row: IntArray, mix: FloatArray, rows: int, frame: pd.DataFrame
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Plain cells: raw rates where there are samples, the rate of all rows together where there are none."""
    inside = place >= 0
    pooled_n, pooled_x = sums(place[inside], n[inside], len(mix)), sums(place[inside], x[inside], len(mix))
    pooled = np.where(pooled_n > 0, pooled_x / np.maximum(pooled_n, 1.0), x.sum() / max(n.sum(), 1.0))
    has = n > 0
    size = frame["inspected_eff"].to_numpy(np.float64) if "inspected_eff" in frame.columns else n
    rate = np.where(has, x / np.maximum(n, 1.0), 0.0)
    # Half a failure and half a pass more for the variance only: none of three is not certainty.
    guard = (rate * size + 0.5) / (size + 1.0)
    variance = sums(row, np.where(has, share**2 * guard * (1.0 - guard) / np.maximum(size, 1e-9), 0.0), rows)
    covered = sums(row, np.where(has, share, 0.0), rows)
    at_home = np.zeros((rows, len(mix)), dtype=np.bool_)
    at_home[row[inside & has], place[inside & has]] = True
    lent = np.where(at_home, 0.0, mix[None, :])
    borrowed = (lent * pooled[None, :]).sum(axis=1)
    spread = (lent**2 * (pooled * (1.0 - pooled) / np.maximum(pooled_n, 1.0))[None, :]).sum(axis=1)
    return sums(row, np.where(has, share * rate, 0.0), rows) + borrowed, variance + spread, 1.0 - covered, has.astype(np.float64)
