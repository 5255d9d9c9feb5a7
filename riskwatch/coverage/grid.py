"""Records counted onto the grid of the catalogue: which rows fall on which key product and region, as flat arrays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.coverage.rules import CatalogueVersion, CoverageRules
from riskwatch.dimensions import Tree
from riskwatch.errors import RecordError

__all__ = ["COLUMNS", "Hits", "Regions", "hits_of", "regions_at", "window"]

COLUMNS = ("event_date", "product", "region", "channel", "check_type", "selection", "inspected", "failed")
"""Columns of spot-check records that coverage reads."""

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Hits:
    """Rows of records that fall on entries of the catalogue, once for each entry; arrays of shape (hits,).

    Attributes
    ----------
    entry : array of int
        Number of the entry.
    row : array of int
        Row of ``records``.
    records : DataFrame
        The rows that were looked at.
    inspected, failed : array of int
        Samples, by hit.
    day : array of int
        Days since 1970-01-01.
    comparison, other, repeat : array of bool
        What the samples may be used for; exactly one holds.
    """

    entry: Ints
    row: Ints
    records: pd.DataFrame
    inspected: Ints
    failed: Ints
    day: Ints
    comparison: Mask
    other: Mask
    repeat: Mask


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions of one level within the jurisdiction.

    Attributes
    ----------
    codes : array of str, shape (regions,)
        In the order of the tree.
    population : array of float, shape (regions,)
        NaN where the tree does not say.
    of_code : mapping of str to int
        Code -> place in ``codes``.
    """

    codes: npt.NDArray[np.object_]
    population: npt.NDArray[np.float64]
    of_code: Mapping[str, int]


def window(records: pd.DataFrame, as_of: dt.date, days: int) -> pd.DataFrame:
    """Return the records of the ``days`` days that end with ``as_of``.

    Raises
    ------
    RecordError
        If a column of :data:`COLUMNS` is missing; the message names all of them.
    """
    missing = [name for name in COLUMNS if name not in records.columns]
    if missing:
        raise RecordError(
            f"coverage: records must have the columns {', '.join(COLUMNS)}; missing: {', '.join(missing)}",
            hint='pass project.records("spot_check")',
        )
    last = pd.Timestamp(as_of)
    inside = (records["event_date"] <= last) & (records["event_date"] > last - pd.Timedelta(days=days))
    return records.loc[inside.to_numpy(), list(COLUMNS)].reset_index(drop=True)


def hits_of(records: pd.DataFrame, catalogue: CatalogueVersion, rules: CoverageRules, tree: Tree) -> Hits:
    """Return which rows fall on which entry: on its code or below it.

    Parameters
    ----------
    records : DataFrame
        As :func:`window` returns them.
    catalogue : CatalogueVersion
        Entries whose code the tree does not know get no hit.
    rules : CoverageRules
    tree : Tree
        The product tree.
    """
    product = pd.Categorical(records["product"])
    rows, entries = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for number, entry in enumerate(catalogue.entries):
        if entry.product in tree:
            below = np.append(tree.is_within(product.categories, entry.product), False)
            found = np.flatnonzero(below[product.codes])
            rows.append(found)
            entries.append(np.full(found.size, number, dtype=np.int64))
    row, entry_of = np.concatenate(rows), np.concatenate(entries)
    selection, check = (records[name].astype("object").to_numpy()[row] for name in ("selection", "check_type"))
    repeat = np.isin(check.astype(str), rules.repeats) | np.isin(selection.astype(str), rules.repeats)
    comparison = np.isin(selection.astype(str), rules.comparison) & ~repeat
    return Hits(
        entry=entry_of,
        row=row,
        records=records,
        inspected=records["inspected"].to_numpy(dtype=np.int64)[row],
        failed=records["failed"].to_numpy(dtype=np.int64)[row],
        day=records["event_date"].to_numpy().astype("datetime64[D]").astype(np.int64)[row],
        comparison=comparison,
        other=~comparison & ~repeat,
        repeat=repeat,
    )


def regions_at(tree: Tree, level: str, jurisdiction: str, on: dt.date) -> Regions:
    """Return the regions of a level that lie in the jurisdiction and are valid on a day; none where the tree has no such level."""
    if level not in tree.levels or (jurisdiction and jurisdiction not in tree):
        return Regions(np.empty(0, dtype=object), np.empty(0), {})
    codes = tree.codes.to_numpy(dtype=object)
    chosen = codes[(tree.level == level) & tree.is_within(codes, jurisdiction) & tree.valid_on(codes, on)]
    population = pd.to_numeric(pd.Series(tree.attribute(chosen, "population", inherit=False), dtype="object"), errors="coerce")
    return Regions(chosen, population.to_numpy(dtype=np.float64), {str(code): place for place, code in enumerate(chosen)})
