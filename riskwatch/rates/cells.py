"""From spot checks to cells: failures and samples by product, industry, region, period and stratum, with enterprises told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.calendar import period_of, periods_from_numbers
from riskwatch.dimensions import Tree
from riskwatch.errors import RateError
from riskwatch.rates.clusters import Clusters, correlations, effective
from riskwatch.rates.rules import RateRules
from riskwatch.rates.strata import UNKNOWN, as_category, need, stratum_of
from riskwatch.rates.sums import sums

__all__ = ["COUNTS", "KEYS", "build_cells", "tree_of"]

IntArray = npt.NDArray[np.int64]

KEYS = ("product", "industry", "region", "producer_region")
"""Columns that cells may be keyed by; places of production live in the region tree."""
COUNTS = ["failed", "inspected", "producers", "unnamed", "largest_share", "correlation", "failed_eff", "inspected_eff"]


def tree_of(trees: Mapping[str, Tree], key: str) -> Tree:
    """Return the tree that a key column's codes live in."""
    if key not in KEYS:
        raise RateError(f"cells cannot be keyed by {key!r}", hint=f"keys are {', '.join(KEYS)}")
    name = "region" if key == "producer_region" else key
    if name not in trees:
        raise RateError(f"there is no {name} tree", hint=f"trees: {', '.join(trees) or 'none'}")
    return trees[name]


def build_cells(
    records: pd.DataFrame, trees: Mapping[str, Tree], by: Mapping[str, str], rules: RateRules, *, frequency: str | None = None
) -> pd.DataFrame:
    """Count failures and samples.

    Parameters
    ----------
    records : DataFrame
        Spot checks: ``inspected``, ``failed``, ``producer``, the columns of ``by`` and of ``rules.strata``; ``event_date`` where a
        frequency is given. Categoricals and missing values are allowed. Which records to take is the caller's choice: see
        :func:`riskwatch.rates.strata.purpose_of`.
    trees : mapping of str to Tree
    by : mapping of str to str
        Key column to tree level, for example ``{"product": "product", "region": "prefecture"}``; may be empty.
    rules : RateRules
    frequency : {"day", "week", "4-week", "month"}, optional
        Also by period of ``event_date``.

    Returns
    -------
    DataFrame
        One row per cell with samples, sorted by key: the columns of ``by`` ("?" where a record has no code at that level), ``period`` (if a
        frequency is given), ``stratum``, and:

        * ``failed, inspected``: counts;
        * ``producers``: distinct enterprises; ``unnamed``: samples without one, each taken as of an enterprise of its own;
        * ``largest_share``: share of the samples that one enterprise has (NaN where none is named);
        * ``correlation``: of two samples of one enterprise in this stratum;
        * ``failed_eff, inspected_eff``: counts after the design effect and the cap on one enterprise's weight.

    Raises
    ------
    RateError
        If a column is absent or counts are out of range.
    DimensionError
        If a tree has no such level.
    """
    need(records, ["inspected", "failed", "producer", *by, *(["event_date"] if frequency else [])], "build_cells")
    n = records["inspected"].to_numpy(np.float64, na_value=np.nan)
    x = records["failed"].to_numpy(np.float64, na_value=np.nan)
    wrong = ~((x >= 0) & (x <= n) & np.isfinite(n))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise RateError(
            f"build_cells: failed must lie between 0 and inspected; {int(wrong.sum())} record(s) do not, "
            f"first: {x[first]:g} of {n[first]:g}"
        )
    columns = {name: as_category(tree_of(trees, name).ancestor_at(as_category(records[name]), level)) for name, level in by.items()}
    stratum = stratum_of(records, rules)
    parts: list[tuple[IntArray, int]] = [
        (np.where(c.codes < 0, len(c.categories), c.codes).astype(np.int64), len(c.categories) + 1) for c in columns.values()
    ]
    if frequency is not None:
        when = period_of(records["event_date"].to_numpy(), frequency)
        first_period = int(when.min(initial=0)) if len(when) else 0
        parts.append((when - first_period, int(when.max(initial=0)) - first_period + 1 if len(when) else 1))
    parts.append((stratum.codes.astype(np.int64), max(len(stratum.categories), 1)))
    key, cell = np.unique(_mixed(parts), return_inverse=True)
    values = _unmixed(key, [size for _, size in parts])
    out: dict[str, object] = {}
    for (name, column), code in zip(columns.items(), values, strict=False):
        out[name] = np.append(column.categories.to_numpy(dtype=object), UNKNOWN)[code]
    if frequency is not None:
        out["period"] = periods_from_numbers(values[len(columns)] + first_period, frequency)
    out["stratum"] = stratum.categories.to_numpy(dtype=object)[values[-1]] if len(key) else np.empty(0, dtype=object)
    out.update(
        _counts(
            x,
            n,
            cell.astype(np.int64),
            len(key),
            producer=records["producer"],
            stratum=values[-1],
            strata=max(len(stratum.categories), 1),
            rules=rules,
        )
    )
    return pd.DataFrame(out)


def _mixed(parts: Sequence[tuple[IntArray, int]]) -> IntArray:
    """Return one number for each combination of codes."""
    total = 1
    for _, size in parts:
        total *= size
    if total >= 2**62:
        raise RateError("build_cells: too many combinations of keys", hint="take a higher level, or fewer keys")
    number = np.zeros(len(parts[0][0]), dtype=np.int64)
    for code, size in parts:
        number = number * size + code
    return number


def _unmixed(key: IntArray, sizes: Sequence[int]) -> list[IntArray]:
    out: list[IntArray] = []
    for size in reversed(sizes):
        out.append(key % size)
        key = key // size
    return out[::-1]


def _counts(
    x: npt.NDArray[np.float64],
    n: npt.NDArray[np.float64],
    cell: IntArray,
    cells: int,
    *,
    producer: pd.Series,
    stratum: IntArray,
    strata: int,
    rules: RateRules,
) -> dict[str, object]:
    who = (
        producer.cat.codes.to_numpy(np.int64)
        if isinstance(producer.dtype, pd.CategoricalDtype)
        else pd.factorize(producer)[0].astype(np.int64)
    )
    if isinstance(producer.dtype, pd.CategoricalDtype):
        empty = np.flatnonzero(producer.cat.categories.astype(str) == "")
        who = np.where(np.isin(who, empty), -1, who)
    named = (who >= 0) & (n > 0)
    # The products of two numbers below 2^31 fit.
    pair, at = np.unique(cell[named] * (int(who.max(initial=0)) + 1) + who[named], return_inverse=True)
    m, failed = sums(at, n[named], len(pair)), sums(at, x[named], len(pair))
    owner = pair // (int(who.max(initial=0)) + 1)
    order = np.lexsort((failed, m, owner))  # the same sums whatever the numbers of the enterprises
    clusters = Clusters(owner[order], failed[order], m[order])
    inspected, total_failed = sums(cell, n, cells), sums(cell, x, cells)
    unnamed, unnamed_failed = sums(cell[~named], n[~named], cells), sums(cell[~named], x[~named], cells)
    largest = np.zeros(cells)
    np.maximum.at(largest, clusters.cell, clusters.inspected)
    rho = correlations(clusters, stratum, strata, rules.correlation)[stratum]
    failed_eff, inspected_eff = effective(clusters, rho, rules.largest_share, beside=unnamed)
    return {
        "failed": total_failed.astype(np.int64),
        "inspected": inspected.astype(np.int64),
        "producers": np.bincount(clusters.cell, minlength=cells),
        "unnamed": unnamed.astype(np.int64),
        "largest_share": np.where(largest > 0, largest / np.maximum(inspected, 1.0), np.nan),
        "correlation": rho,
        "failed_eff": failed_eff + unnamed_failed,
        "inspected_eff": inspected_eff + unnamed,
    }
