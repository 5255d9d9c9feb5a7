"""Measured values judged by the limit of yesterday: how much of a rise is the new standard.

The sample is the unit. A sample that fails under the new edition would have passed under the old one where every item that made it fail
does so only by the new limit. What cannot be compared (units, text, unknown limits) is counted, never guessed: the share of a rise that is
standard effect comes with the bounds that those samples leave open.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.dimensions import Tree
from riskwatch.items.measured import Readings, compare, normal_unit, read_measured
from riskwatch.items.rules import StandardCatalogue, StandardChange
from riskwatch.items.units import UnitTable

__all__ = ["EFFECT_COLUMNS", "RESCORED_COLUMNS", "governed", "rescore", "standard_effect"]

BoolArray = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]

RESCORED_COLUMNS = (
    "change", "standard", "effective_from", "key", "event_date", "product", "item", "recorded", "old", "new", "reason", "other_failure",
)  # fmt: skip
EFFECT_COLUMNS = (
    "change", "standard", "product", "item", "effective_from", "simulated", "verified", "n_before", "failed_before", "n_after",
    "failed_after", "passed_old", "failed_old", "not_comparable", "disagree", "rate_before", "rate_after", "rise", "effect", "share",
    "share_lower", "share_upper",
)  # fmt: skip


def governed(change: StandardChange, products: object, tree: Tree | None) -> BoolArray:
    """Tell which product codes a change is about.

    Raises
    ------
    DimensionError
        If the change names a code that the tree does not have.
    """
    codes = pd.Series(products)
    if not change.products:
        return np.ones(len(codes), np.bool_)
    if tree is None:
        return np.asarray(codes.astype("object").isin(change.products))
    return np.asarray(np.logical_or.reduce([tree.is_within(codes, code) for code in change.products]), dtype=np.bool_)


def _item_mask(change: StandardChange, items: pd.Series) -> BoolArray:
    codes, distinct = pd.factorize(items)
    pattern = re.compile(change.item, re.IGNORECASE)
    hit = np.array([*(pattern.search(str(name)) is not None for name in distinct), False])
    return np.asarray(hit[codes], dtype=np.bool_)


def _limit(value: float | str | None, operator: str | None, size: int) -> Readings:
    """Return the same limit ``size`` times; no limit allows everything, an unknown one is missing."""
    kind, low, high = "missing", np.nan, np.nan
    if value == "none":
        kind, low, high = "number", -np.inf, np.inf
    elif isinstance(value, float | int):
        kind = "number"
        low, high = (-np.inf, float(value)) if operator in {"<", "<="} else (float(value), np.inf)
    return Readings(
        np.full(size, kind, dtype=object),
        np.full(size, low),
        np.full(size, high),
        np.full(size, operator == ">"),
        np.full(size, operator == "<"),
        np.full(size, "", dtype=object),
    )


def _judged(rows: pd.DataFrame, change: StandardChange, units: UnitTable, *, not_detected_passes: bool) -> tuple[Texts, Texts, Texts]:
    """Return verdicts by the old and by the new limit, and why a row cannot be compared."""
    values = read_measured(rows["measured"])
    column = rows["unit"].astype("object").fillna("").to_numpy() if "unit" in rows else np.full(len(rows), "", dtype=object)
    written = np.array([normal_unit(str(unit)) for unit in column], dtype=object)
    # The unit beside the value counts; where the column says another one, nobody knows which is right.
    clash = (values.unit != "") & (written != "") & (values.unit != written)
    factor, reason = units.factors(np.where(values.unit != "", values.unit, written), np.full(len(rows), change.unit, dtype=object))
    no_number = np.isin(values.kind, ["text", "several", "plan", "missing"])
    unitless = np.isin(values.kind, ["detected", "not-detected"]) & np.isnan(values.high)
    factor = np.where(unitless | clash, np.where(clash, np.nan, 1.0), factor)
    reason = np.where(unitless, "", reason)
    reason = np.select([no_number, clash], [np.where(values.kind == "missing", "no-value", "not-a-number"), "unit-contradiction"], reason)
    scaled = values.scaled(factor)
    verdicts = []
    for limit in (change.old, change.new):
        found = compare(scaled, _limit(limit, change.operator, len(rows)), not_detected_passes=not_detected_passes)
        # Without a limit everything passes, whatever was measured.
        verdicts.append(np.full(len(rows), "pass", dtype=object) if limit == "none" else np.where(reason == "", found, ""))
    unknown = [limit is None for limit in (change.old, change.new)]
    reason = np.where((reason == "") & any(unknown), "limit-unknown", reason)
    reason = np.where((reason == "") & ((verdicts[0] == "undetermined") | (verdicts[1] == "undetermined")), "censored", reason)
    return verdicts[0], verdicts[1], reason.astype(object)


def rescore(
    items: pd.DataFrame,
    records: pd.DataFrame,
    catalogue: StandardCatalogue,
    tree: Tree | None = None,
    *,
    profile: str | None = None,
    key: str = "record_id",
) -> pd.DataFrame:
    """Judge every measured value that a change of a standard is about by the old and the new limit.

    Parameters
    ----------
    items : DataFrame
        ``key, item, measured, verdict``, and ``unit`` where known.
    records : DataFrame
        ``key, event_date, product``, one row per sample.
    catalogue : StandardCatalogue
    tree : Tree, optional
        Product tree; without it only equal codes are the products of a change.
    profile : str, optional
        Only changes in force in it.
    key : str
        Column that ties items to samples.

    Returns
    -------
    DataFrame
        Columns :data:`RESCORED_COLUMNS`, one row per change and item row: ``recorded`` verdict, verdicts ``old`` and ``new`` (``pass``,
        ``fail``, ``undetermined``, "" not comparable), ``reason`` why not, and ``other_failure``: the sample fails another item as well.
    """
    place = pd.Index(records[key]).get_indexer(pd.Index(items[key]))
    inside = place >= 0
    linked = items[inside].reset_index(drop=True)
    at = place[inside]
    product, event = records["product"].astype("object").to_numpy()[at], records["event_date"].to_numpy("datetime64[s]")[at]
    failing = (linked["verdict"].astype("object") == "fail").to_numpy()
    failures = np.bincount(at, weights=failing, minlength=len(records))
    units = catalogue.unit_table
    parts = [pd.DataFrame(columns=list(RESCORED_COLUMNS))]
    for change in catalogue.changes(profile):
        if not change.item:
            continue
        chosen = np.flatnonzero(_item_mask(change, linked["item"]) & governed(change, product, tree))
        if not chosen.size:
            continue
        rows = linked.iloc[chosen]
        old, new, reason = _judged(rows, change, units, not_detected_passes=catalogue.not_detected_passes)
        own = np.bincount(at[chosen], weights=failing[chosen], minlength=len(records))
        parts.append(
            pd.DataFrame(
                {
                    "change": change.id,
                    "standard": change.standard,
                    "effective_from": pd.Timestamp(change.effective_from).as_unit("s"),
                    "key": rows[key].to_numpy(),
                    "event_date": event[chosen],
                    "product": product[chosen],
                    "item": rows["item"].astype("object").to_numpy(),
                    "recorded": rows["verdict"].astype("object").to_numpy(),
                    "old": old,
                    "new": new,
                    "reason": reason,
                    "other_failure": failures[at[chosen]] > own[at[chosen]],
                }
            )
        )
    return pd.concat(parts[1:], ignore_index=True) if len(parts) > 1 else parts[0]


def _sample_states(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row per sample that failed an item of the change: would it have passed, failed, or is it not comparable."""
    failed = rows[rows["recorded"] == "fail"]
    grouped = failed.assign(
        fails=(failed["old"] == "fail") | failed["other_failure"],
        unknown=~failed["old"].isin(["pass", "fail"]),
        disagree=failed["new"] == "pass",
    ).groupby("key", sort=True)
    return pd.DataFrame(
        {
            "product": grouped["product"].first(),
            "item": grouped["item"].min(),
            "fails": grouped["fails"].any(),
            "unknown": grouped["unknown"].any(),
            "disagree": grouped["disagree"].any(),
        }
    )


def standard_effect(
    items: pd.DataFrame,
    records: pd.DataFrame,
    catalogue: StandardCatalogue,
    tree: Tree | None = None,
    *,
    as_of: dt.date,
    window_days: int = 365,
    selections: Sequence[str] = ("random",),
    profile: str | None = None,
    key: str = "record_id",
) -> pd.DataFrame:
    """Say, for each changed standard and product, how much of the rise of failures is the standard's doing.

    Compared are the ``window_days`` before the change and the as many days from it on (up to ``as_of``); samples of other selections
    than ``selections`` are left out, so that a campaign is not taken for a rise.

    Parameters
    ----------
    items, records, catalogue, tree, profile, key
        As for :func:`rescore`; records also ``selection``.
    as_of : date
        Last day looked at.
    window_days : int
        Natural days on either side.
    selections : sequence of str
        Kinds of selection that count.

    Returns
    -------
    DataFrame
        Columns :data:`EFFECT_COLUMNS`, one row per change and product that had a failure of the item in either window: samples and
        failures; of the later failures ``passed_old`` (would have passed), ``failed_old`` (fail anyway) and ``not_comparable``;
        ``disagree``: fail on record, though the value is within the new limit. ``rise`` = rate after - rate before; ``effect`` =
        passed_old / n_after; ``share`` = effect / rise, cut to [0, 1], NaN where the rate did not rise; ``share_lower``, ``share_upper``
        if none or all of the samples that cannot be compared would have passed.
    """
    chosen = records[records["selection"].astype("object").isin(list(selections))]
    scored = rescore(items, chosen, catalogue, tree, profile=profile, key=key)
    event = chosen["event_date"].to_numpy("datetime64[D]")
    rows: list[pd.DataFrame] = []
    for change in catalogue.changes(profile):
        start = np.datetime64(change.effective_from, "D")
        if not change.item or change.effective_from > as_of:
            continue
        width = np.timedelta64(window_days, "D")
        last = min(start + width, np.datetime64(as_of, "D") + 1)
        mine = scored[scored["change"] == change.id]
        found = mine["event_date"].to_numpy("datetime64[D]")
        about = governed(change, chosen["product"], tree)
        product = chosen["product"].astype("object")
        before, after = about & (event >= start - width) & (event < start), about & (event >= start) & (event < last)
        earlier = _sample_states(mine[(found >= start - width) & (found < start)])
        later = _sample_states(mine[(found >= start) & (found < last)])
        table = pd.DataFrame({"n_before": product[before].value_counts(), "n_after": product[after].value_counts()}).fillna(0)
        passes = ~later["fails"].astype(bool) & ~later["unknown"].astype(bool)
        counts = {
            "failed_before": earlier["product"],
            "failed_after": later["product"],
            "passed_old": later.loc[passes, "product"],
            "failed_old": later.loc[later["fails"].astype(bool), "product"],
            "not_comparable": later.loc[later["unknown"].astype(bool) & ~later["fails"].astype(bool), "product"],
            "disagree": later.loc[later["disagree"].astype(bool), "product"],
        }
        for name, products in counts.items():
            table[name] = products.value_counts().reindex(table.index).fillna(0)
        names = sorted(set(mine["item"].astype(str)))
        # Products of which no sample ever failed the item are mostly never tested for it.
        table = table[table["failed_before"] + table["failed_after"] > 0]
        table = table.sort_index().astype("int64").rename_axis("product").reset_index()
        rows.append(
            table.assign(
                change=change.id,
                standard=change.standard,
                item="、".join(names),
                effective_from=pd.Timestamp(change.effective_from).as_unit("s"),
                simulated=change.simulated,
                verified=change.basis.verified,
            )
        )
    if not rows:
        return pd.DataFrame(columns=list(EFFECT_COLUMNS))
    return _with_shares(pd.concat(rows, ignore_index=True))[list(EFFECT_COLUMNS)]


def _with_shares(table: pd.DataFrame) -> pd.DataFrame:
    """Add rates, the rise, and the share of it that is standard effect."""
    before, after = (table[name].to_numpy(np.float64) for name in ("n_before", "n_after"))
    with np.errstate(invalid="ignore", divide="ignore"):
        rate_before, rate_after = table["failed_before"].to_numpy() / before, table["failed_after"].to_numpy() / after
        rise = rate_after - rate_before
        passed, open_ = table["passed_old"].to_numpy(), table["not_comparable"].to_numpy()
        shares = [np.where(rise > 0, np.clip(count / after / rise, 0.0, 1.0), np.nan) for count in (passed, passed, passed + open_)]
    names = ("share", "share_lower", "share_upper")
    return table.assign(
        rate_before=rate_before, rate_after=rate_after, rise=rise, effect=passed / np.where(after > 0, after, np.nan),
        **dict(zip(names, shares, strict=True)),
    )  # fmt: skip
