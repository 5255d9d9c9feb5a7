"""Beta priors of each key product by moments, and the posterior of each cell from samples that fade with age."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.coverage.grid import hits_of, regions_at, window
from riskwatch.coverage.rules import AdviceRules, CatalogueVersion, CoverageRules
from riskwatch.dimensions import Tree
from riskwatch.errors import RecordError

__all__ = ["CELLS", "PRIORS", "cell_counts", "posteriors", "priors_by_moments"]

CELLS = ("product", "region", "population", "inspected", "failed", "weighted_inspected", "weighted_failed", "last_sampled")
"""Columns of :func:`cell_counts`."""

PRIORS = ("product", "rate", "strength")
"""Columns of a frame of priors: Beta(rate x strength, (1 - rate) x strength)."""

Floats = npt.NDArray[np.float64]


def cell_counts(
    records: pd.DataFrame,
    trees: Mapping[str, Tree],
    catalogue: CatalogueVersion,
    *,
    as_of: dt.date,
    coverage: CoverageRules,
    advice: AdviceRules,
) -> pd.DataFrame:
    """Count comparison samples of every key product in every region of the advice's level.

    Parameters
    ----------
    records : DataFrame
        Spot checks known on ``as_of``; only those of ``advice.history_days`` are looked at. The order of rows does not matter.

    Returns
    -------
    DataFrame
        Columns :data:`CELLS`, one row per product x region in the order of catalogue and tree. The weighted counts halve every
        ``advice.half_life_days``; ``last_sampled`` is of any sample that is no repeat.
    """
    products, tree = trees.get("product"), trees.get("region")
    if products is None or tree is None:
        return pd.DataFrame(columns=list(CELLS))
    hits = hits_of(window(records, as_of, advice.history_days), catalogue, coverage, products)
    regions = regions_at(tree, advice.level, catalogue.jurisdiction, as_of)
    known = [number for number, entry in enumerate(catalogue.entries) if entry.product in products]
    number = np.full(len(catalogue.entries), -1, dtype=np.int64)
    number[known] = np.arange(len(known))
    size = len(known) * regions.codes.size
    if not size:
        return pd.DataFrame(columns=list(CELLS))
    category = pd.Categorical(hits.records["region"])
    above = tree.ancestor_at(category.categories, advice.level)
    place = np.array([*(regions.of_code.get(str(code), -1) for code in above), -1])[category.codes][hits.row]
    entry = number[hits.entry]
    cell = np.where((place >= 0) & (entry >= 0), entry * regions.codes.size + place, -1)
    today = (pd.Timestamp(as_of) - pd.Timestamp(0)).days
    usable = np.flatnonzero((cell >= 0) & hits.comparison)
    # Whole numbers by cell and day first, then the weights in the order of days: the sums do not depend on the order of rows.
    span = advice.history_days + 1
    key, inverse = np.unique(cell[usable] * span + (today - hits.day[usable]), return_inverse=True)
    fade = 0.5 ** ((key % span) / advice.half_life_days)
    counts = {}
    for name, values in (("inspected", hits.inspected), ("failed", hits.failed)):
        daily = np.bincount(inverse, weights=values[usable].astype(np.float64), minlength=key.size)
        counts[name] = np.bincount(key // span, weights=daily, minlength=size).astype(np.int64)
        counts[f"weighted_{name}"] = np.bincount(key // span, weights=daily * fade, minlength=size)
    fresh = ~hits.repeat & (cell >= 0) & (hits.inspected > 0)
    last = np.full(size, np.iinfo(np.int64).min)
    np.maximum.at(last, cell[fresh], hits.day[fresh])
    never = last == np.iinfo(np.int64).min
    frame = pd.DataFrame(
        {
            "product": np.repeat([catalogue.entries[one].product for one in known], regions.codes.size).astype(object),
            "region": np.tile(regions.codes, len(known)),
            "population": np.tile(regions.population, len(known)),
            **counts,
            "last_sampled": np.where(never, np.datetime64("NaT"), np.where(never, 0, last).astype("datetime64[D]")).astype("datetime64[s]"),
        }
    )
    return frame[list(CELLS)]


def priors_by_moments(cells: pd.DataFrame, tree: Tree, *, strength: tuple[float, float]) -> pd.DataFrame:
    """Return a beta prior for each product by the method of moments over its regions.

    The mean is failures over samples, drawn to the mean of the products under the same parent (and that to the mean of all) with the
    weight of the lowest strength. With p that mean, N samples, k regions and S = sum n_i (p_i - p)^2, the variance between regions is
    (S - p (1 - p)(k - 1)) / (N - sum n_i^2 / N - (k - 1)) (Kleinman 1973, weights n_i), and the strength is p (1 - p) / variance - 1,
    kept within bounds: at its upper bound where regions differ no more than by chance.

    Parameters
    ----------
    cells : DataFrame
        ``product, region, inspected, failed`` (:func:`cell_counts`).
    tree : Tree
        The product tree.
    strength : (float, float)
        Bounds of the strength, in samples.

    Returns
    -------
    DataFrame
        Columns :data:`PRIORS`, by product.
    """
    counted = cells.sort_values(["product", "region"], kind="stable")
    by_product = counted.groupby("product")[["inspected", "failed"]].sum()
    parents = pd.Series([tree.parent_of(str(code)) if code in tree else "" for code in by_product.index], index=by_product.index)
    by_parent = by_product.groupby(parents).sum()
    low, high = strength
    overall = (by_product["failed"].sum() + 0.5) / (by_product["inspected"].sum() + 1.0)
    parent_rate = (by_parent["failed"] + low * overall) / (by_parent["inspected"] + low)
    rate = (by_product["failed"] + low * parents.map(parent_rate)) / (by_product["inspected"] + low)
    n = counted["inspected"].to_numpy(dtype=np.float64)
    mean = counted["product"].map(rate).to_numpy(dtype=np.float64)
    own = np.divide(counted["failed"].to_numpy(dtype=np.float64), n, out=mean.copy(), where=n > 0)
    work = pd.DataFrame({"product": counted["product"].to_numpy(), "n": n, "n2": n * n, "s": n * (own - mean) ** 2, "k": n > 0})
    sums = work.groupby("product").sum()
    spread = rate * (1.0 - rate)
    room = sums["n"] - sums["n2"] / sums["n"].where(sums["n"] > 0) - (sums["k"] - 1.0)
    between = (sums["s"] - spread * (sums["k"] - 1.0)) / room.where(room > 0)
    found = (spread / between.where(between > 0) - 1.0).clip(low, high)
    # Nothing to tell regions apart by: they are taken for alike where data show it, and for unknown where there are none.
    found = found.where(found.notna(), np.where(room.fillna(0.0) > 0, high, low))
    return pd.DataFrame({"product": rate.index.to_numpy(dtype=object), "rate": rate.to_numpy(), "strength": found.to_numpy()})


def posteriors(cells: pd.DataFrame, priors: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return a and b of each cell's posterior.

    Parameters
    ----------
    cells : DataFrame
        :func:`cell_counts`.
    priors : DataFrame
        ``product, rate, strength`` for every product of ``cells``; may also have ``region`` for priors by cell.

    Raises
    ------
    RecordError
        If a cell has no prior, or one is out of range.
    """
    keys = ["product", "region"] if "region" in priors.columns else ["product"]
    joined = cells[["product", "region"]].merge(priors.drop_duplicates(keys), on=keys, how="left")
    rate, strength = joined["rate"].to_numpy(dtype=np.float64), joined["strength"].to_numpy(dtype=np.float64)
    if not (np.isfinite(rate) & np.isfinite(strength) & (rate > 0) & (rate < 1) & (strength > 0)).all():
        odd = sorted({str(code) for code in joined["product"].to_numpy()[~((rate > 0) & (rate < 1) & (strength > 0))]})
        raise RecordError(
            f"posteriors: every product needs a prior with 0 < rate < 1 and strength > 0; not so for {', '.join(odd)}",
            hint="make priors with priors_by_moments(cells, tree, strength=...)",
        )
    failed = cells["weighted_failed"].to_numpy(dtype=np.float64)
    passed = cells["weighted_inspected"].to_numpy(dtype=np.float64) - failed
    return rate * strength + failed, (1.0 - rate) * strength + passed
