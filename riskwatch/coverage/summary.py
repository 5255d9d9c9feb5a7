"""Coverage added up: by product, by region for a scorecard, and the few lines that a digest or report shows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskwatch.coverage.gaps import CHANNEL
from riskwatch.coverage.rules import CatalogueVersion
from riskwatch.dimensions import Tree
from riskwatch.errors import RecordError

__all__ = ["TOTALS", "CoverageSummary", "GapLine", "by_product", "by_region", "summarise"]

TOTALS = ("cells", "covered", "sampled", "thin", "gaps", "share", "lower", "population_share", "weight_share")
"""Columns of sums after the key."""


@dataclass(frozen=True, slots=True)
class GapLine:
    """One cell without samples, with the names of the trees, {zh, en}."""

    product: str
    product_name: Mapping[str, str]
    region: str
    region_name: Mapping[str, str]
    weight: float
    expected: float
    higher_level: int
    note: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CoverageSummary:
    """What a digest's or report's coverage section needs to know about the key-product catalogue.

    Attributes
    ----------
    cells, covered, thin, gaps : int
        Cells of the finest level; covered are those with at least one sample, thin ones included.
    share, plan_share : float
        Covered cells, and cells that reached their plan, of all.
    population_share : float or None
        Covered cells weighted by population; None where the tree does not know it.
    top : tuple of GapLine
        Gaps, heaviest first: weight x population (x 1 where unknown), then code.
    """

    region: str
    as_of: dt.date
    window_days: int
    catalogue: str
    verified: bool
    level: str
    cells: int
    covered: int
    thin: int
    gaps: int
    share: float
    plan_share: float
    population_share: float | None
    top: tuple[GapLine, ...]


def _totals(cells: pd.DataFrame, key: str) -> pd.DataFrame:
    """Add cells up by a key, in the order in which keys first appear."""
    covered = (cells["state"] != "gap").to_numpy()
    work = pd.DataFrame(
        {
            key: cells[key].to_numpy(),
            "covered": covered,
            "sampled": (cells["state"] == "sampled").to_numpy(),
            "thin": (cells["state"] == "thin").to_numpy(),
            "gaps": ~covered,
            "population": cells["population"].to_numpy(dtype=np.float64),
            "weight": cells["weight"].to_numpy(dtype=np.float64),
        }
    )
    work["people"] = work["population"] * covered
    work["heavy"] = work["weight"] * covered
    grouped = work.groupby(key, sort=False)
    sums = grouped[["covered", "sampled", "thin", "gaps"]].sum().astype(np.int64)
    out = pd.DataFrame({"cells": grouped.size().astype(np.int64), **{name: sums[name] for name in sums}})
    out["share"] = out["covered"] / out["cells"]
    out["lower"] = out["sampled"] / out["cells"]
    # One region of unknown population makes the weighted share unknown: leaving it out would call it unimportant.
    out["population_share"] = grouped["people"].sum(min_count=1) / grouped["population"].sum(min_count=1)
    out.loc[grouped["population"].apply(lambda values: bool(values.isna().any())), "population_share"] = np.nan
    out["weight_share"] = grouped["heavy"].sum() / grouped["weight"].sum()
    return out[list(TOTALS)].reset_index()


def by_product(frame: pd.DataFrame, *, level: str) -> pd.DataFrame:
    """Return coverage by key product over the cells of a level.

    Returns
    -------
    DataFrame
        ``product`` and :data:`TOTALS`. ``share`` counts cells with at least one sample, ``lower`` those that reached their plan;
        ``population_share`` and ``weight_share`` are ``share`` weighted by people and by the catalogue's weights.
    """
    return _totals(frame[frame["level"] == level], "product")


def by_region(frame: pd.DataFrame, tree: Tree, *, level: str, at: str | None = None) -> pd.DataFrame:
    """Return coverage by region for a scorecard: cells of ``level``, added up by the region itself or by the one above it at ``at``.

    Returns
    -------
    DataFrame
        ``region`` and :data:`TOTALS`; ``lower`` is the stricter reading of ``share`` (cells that reached their plan).

    Raises
    ------
    RecordError
        If the frame has no cell on ``level``.
    """
    cells = frame[frame["level"] == level]
    if cells.empty and not frame.empty:
        known = sorted(set(frame["level"]) - {CHANNEL})
        raise RecordError(f"by_region: no cell on level {level!r}", hint=f"levels in the frame: {', '.join(known) or 'none'}")
    if at is not None:
        cells = cells.assign(region=tree.ancestor_at(cells["region"].to_numpy(dtype=object), at))
    return _totals(cells, "region")


def summarise(
    frame: pd.DataFrame,
    trees: Mapping[str, Tree],
    catalogue: CatalogueVersion,
    *,
    as_of: dt.date,
    window_days: int,
    level: str,
    region: str = "",
    top: int = 5,
) -> CoverageSummary | None:
    """Return the summary of one jurisdiction; None where none of its cells is on the grid.

    Parameters
    ----------
    frame : DataFrame
        From :func:`riskwatch.coverage.coverage`.
    trees : mapping of str to Tree
    catalogue : CatalogueVersion
        Version that the frame was made with.
    level : str
        Level whose cells are counted.
    region : str
        Jurisdiction; "" for everything. A region that the tree does not know has no cells.
    top : int
        Gaps named.
    """
    cells = frame[frame["level"] == level]
    tree = trees.get("region")
    if tree is not None and region:
        cells = cells[tree.is_within(cells["region"].to_numpy(dtype=object), region)] if region in tree else cells.iloc[:0]
    if cells.empty:
        return None
    whole = _totals(cells.assign(all=""), "all").iloc[0]
    gaps = cells[cells["state"] == "gap"]
    heavy = gaps["weight"].to_numpy(dtype=np.float64) * gaps["population"].fillna(1.0).to_numpy(dtype=np.float64)
    gaps = gaps.assign(heavy=heavy).sort_values(["heavy", "product", "region"], ascending=[False, True, True], kind="stable")
    people = float(whole["population_share"])
    return CoverageSummary(
        region=region,
        as_of=as_of,
        window_days=window_days,
        catalogue=catalogue.version,
        verified=catalogue.basis.verified,
        level=level,
        cells=int(whole["cells"]),
        covered=int(whole["covered"]),
        thin=int(whole["thin"]),
        gaps=int(whole["gaps"]),
        share=float(whole["share"]),
        plan_share=float(whole["lower"]),
        population_share=None if np.isnan(people) else people,
        top=tuple(_line(row, trees, catalogue) for row in gaps.head(top).to_dict("records")),
    )


def _line(row: Mapping[object, object], trees: Mapping[str, Tree], catalogue: CatalogueVersion) -> GapLine:
    product, region = str(row["product"]), str(row["region"])
    entry = catalogue.entry(product)
    label = {language: trees["product"].name(product, language) for language in ("zh", "en")}
    return GapLine(
        product=product,
        product_name=label if entry is None else {"zh": entry.label.zh, "en": entry.label.en},
        region=region,
        region_name={language: trees["region"].name(region, language) for language in ("zh", "en")},
        weight=float(str(row["weight"])),
        expected=float(str(row["expected"])),
        higher_level=int(str(row["higher_level"])),
        note={"zh": str(row["note_zh"]), "en": str(row["note_en"])},
    )
