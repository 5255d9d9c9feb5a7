"""Rates by product, industry or region that can be compared, and their change between two windows: one call each."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from riskwatch.dimensions import Tree
from riskwatch.errors import RateError
from riskwatch.rates.cells import build_cells, tree_of
from riskwatch.rates.decompose import decompose_change
from riskwatch.rates.rules import PURPOSES, RateRules
from riskwatch.rates.shrinkage import Shrunken, complete, shrink
from riskwatch.rates.standardise import reference_mix, standardise
from riskwatch.rates.strata import NONE, UNKNOWN, as_category, need, purpose_of

__all__ = ["CHANGE_COLUMNS", "COMPARE_COLUMNS", "RECORD_COLUMNS", "change", "compare", "level_of", "period_levels", "window_of"]

Window = tuple[dt.date, dt.date]

RECORD_COLUMNS = (
    "event_date", "product", "industry", "region", "producer_region", "check_type", "selection", "channel", "laboratory", "producer",
    "inspected", "failed",
)  # fmt: skip
"""Columns of spot checks that this room reads."""

COMPARE_COLUMNS = [
    "code", "inspected", "failed", "producers", "largest_share", "raw", "rate", "lower", "upper", "borrowed", "weight", "shown",
]  # fmt: skip

CHANGE_COLUMNS = [
    "code", "inspected_before", "failed_before", "inspected_after", "failed_after", "raw_before", "raw_after", "raw_change",
    "raw_lower", "raw_upper",
    "rate_before", "rate_after", "change", "lower", "upper", "within", "within_lower", "within_upper", "mix", "mix_lower", "mix_upper",
    "unmatched", "shown",
]  # fmt: skip


def window_of(end: dt.date, months: int) -> Window:
    """Return the first and last day of the window of some months that ends on a day."""
    index = pd.Timestamp(end) - pd.DateOffset(months=months) + pd.Timedelta(days=1)
    return index.date(), end


def level_of(records: pd.DataFrame, trees: Mapping[str, Tree], key: str, level: str | None = None) -> str:
    """Return a tree level: the one asked for, else the highest at which the records have at least two codes, else the lowest they have.

    Raises
    ------
    DimensionError
        If the tree has no such level.
    RateError
        If no record has a code of this tree.
    """
    tree = tree_of(trees, key)
    codes = as_category(records[key]).categories
    if level is not None:
        tree.ancestor_at(codes[:1], level)
        return level
    found = ""
    for name in tree.levels:
        here = set(map(str, np.asarray(tree.ancestor_at(np.asarray(codes, dtype=object), name), dtype=object))) - {""}
        if here:
            found = name
        if len(here) > 1:
            return name
    if not found:
        raise RateError(f"no record has a {key} code of the {tree.dimension} tree", hint="choose another --by, or another source")
    return found


@dataclass(frozen=True, eq=False)
class _Plan:
    """Who is compared, along which tree, over which mix."""

    by: str
    level: str
    levels: dict[str, str]
    along: str
    over: list[str]


def _plan(records: pd.DataFrame, trees: Mapping[str, Tree], by: str, level: str | None) -> _Plan:
    tree_of(trees, by)
    need(records, [by, "product", "region", "inspected", "failed"], "compare")
    level = level_of(records, trees, by, level)
    if by in {"region", "producer_region"}:
        leaf = tree_of(trees, "product").levels[-1]
        return _Plan(by, level, {"product": leaf, by: level}, "product", ["product", "stratum"])
    # Products and industries are compared as if all were sampled in the same places.
    if not len(as_category(records["region"]).categories):
        return _Plan(by, level, {by: level}, by, ["stratum"])
    return _Plan(by, level, {by: level, "region": level_of(records, trees, "region")}, by, ["region", "stratum"])


def _comparable(
    records: pd.DataFrame, rules: RateRules, window: Window | None, within: Mapping[str, str], trees: Mapping[str, Tree]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the records of a window that may be compared, and how many samples were left out for their purpose."""
    frame = records
    if window is not None:
        when = frame["event_date"].to_numpy("datetime64[D]")
        frame = frame[(when >= np.datetime64(window[0], "D")) & (when <= np.datetime64(window[1], "D"))]
    for key, code in within.items():
        frame = frame[tree_of(trees, key).is_within(frame[key], code)]
    purpose = purpose_of(frame, rules)
    samples = frame["inspected"].to_numpy(np.float64)
    left = {name: int(samples[purpose == name].sum()) for name in (*PURPOSES, NONE) if name != "comparison"}
    kept = frame[purpose == "comparison"]
    if not kept["inspected"].sum() > 0:
        said = ", ".join(f"{count:,} {name}" for name, count in left.items() if count) or "no samples at all"
        span = "" if window is None else f" from {window[0]} to {window[1]}"
        raise RateError(
            f"no sample{span} serves comparison ({said})", hint="rates are compared on random samples only: see config/rates.yaml"
        )
    return kept, left


def _fit(
    records: pd.DataFrame, trees: Mapping[str, Tree], rules: RateRules, plan: _Plan, beside: pd.DataFrame | None
) -> tuple[pd.DataFrame, Shrunken]:
    """Return the cells with samples, and all cells (those that ``beside`` has as well) with their shrunken rates."""
    cells = build_cells(records, trees, plan.levels, rules)
    wanted = cells if beside is None else pd.concat([cells, _absent(cells, beside, plan)], ignore_index=True)
    return cells, shrink(complete(wanted, plan.by, plan.over), trees, rules, along=plan.along, intervals=False)


def _absent(cells: pd.DataFrame, beside: pd.DataFrame, plan: _Plan) -> pd.DataFrame:
    """Return cells without samples for those that another window has and this one lacks."""
    keys = [plan.by, *plan.over]
    known = pd.MultiIndex.from_frame(cells[keys])
    out = beside.drop_duplicates(keys)
    out = out[~pd.MultiIndex.from_frame(out[keys]).isin(known)].copy()
    out[["failed", "inspected", "producers", "unnamed"]] = 0
    out[["failed_eff", "inspected_eff"]] = 0.0
    out["largest_share"] = np.nan
    return out.astype(cells.dtypes)


def compare(
    records: pd.DataFrame,
    trees: Mapping[str, Tree],
    rules: RateRules,
    *,
    by: str = "region",
    level: str | None = None,
    window: Window | None = None,
    within: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Compare failure rates: raw, and as if all rows had sampled the same mix.

    Regions are compared at the mix of products and strata of all comparison samples of the window; products and industries at the mix
    of regions and strata.

    Parameters
    ----------
    records : DataFrame
        Spot checks with :data:`RECORD_COLUMNS` (``laboratory`` and the key columns not used may be absent).
    trees : mapping of str to Tree
    rules : RateRules
    by : {"region", "producer_region", "product", "industry"}
    level : str, optional
        Tree level of the rows. Default: the highest with at least two codes.
    window : (date, date), optional
        First and last ``event_date``.
    within : mapping of str to str, optional
        Key column to code: only records of this code or below it.

    Returns
    -------
    DataFrame
        One row per code, in the order of codes; "?" for samples without one. ``code, inspected, failed, producers``, ``largest_share``
        (of the samples, the biggest enterprise's), ``raw``; ``rate, lower, upper`` (standardised, with interval), ``borrowed`` (share of
        the mix without samples here), ``weight`` (share of the rate that rests on samples from here), ``shown``. Where fewer than
        ``rules.min_inspected`` were inspected, ``shown`` is False and all rates are NaN. ``attrs``: ``by, level, over, samples, strata``,
        ``reference`` (raw rate of all), ``left_out`` (samples by purpose), ``correlation`` (between samples of an enterprise, mean over
        samples).

    Raises
    ------
    RateError
        If no sample serves comparison, a column is absent, or the key is none of those named.
    DimensionError
        If the tree has no such level or code.
    """
    kept, left = _comparable(records, rules, window, within or {}, trees)
    plan = _plan(kept, trees, by, level)
    cells, fitted = _fit(kept, trees, rules, plan, None)
    table = standardise(fitted, by=by, over=plan.over, level=rules.interval_level)
    alone = build_cells(kept, trees, {by: plan.level}, rules.model_copy(update={"strata": ("selection",)}))
    people = alone.set_index(by)[["producers", "largest_share"]].reindex(table[by])
    table = table.assign(producers=people["producers"].to_numpy(), largest_share=people["largest_share"].to_numpy())
    table["shown"] = table["inspected"] >= rules.min_inspected
    table.loc[~table["shown"], ["raw", "rate", "lower", "upper"]] = np.nan
    out = _ordered(table.rename(columns={by: "code"}))[COMPARE_COLUMNS].reset_index(drop=True)
    total = int(cells["inspected"].sum())
    out.attrs = {
        "by": by,
        "level": plan.level,
        "over": plan.over,
        "samples": total,
        "strata": int(cells["stratum"].nunique()),
        "reference": float(cells["failed"].sum() / total),
        "left_out": left,
        "correlation": float((cells["correlation"] * cells["inspected"]).sum() / total),
    }
    return out


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Sort by code, what has none last."""
    return table.sort_values("code", key=lambda codes: codes.where(codes != UNKNOWN, "\uffff"), kind="stable")


def change(
    records: pd.DataFrame,
    trees: Mapping[str, Tree],
    rules: RateRules,
    *,
    before: Window,
    after: Window,
    by: str = "region",
    level: str | None = None,
    within: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Tell how failure rates changed between two windows, and how much of it is a change of what was sampled.

    Parameters
    ----------
    records, trees, rules, by, level, within
        As for :func:`compare`.
    before, after : (date, date)
        First and last day of each window.

    Returns
    -------
    DataFrame
        First all samples together (code ""), then one row per code. ``inspected_before, failed_before, inspected_after, failed_after``;
        ``raw_before, raw_after, raw_change`` with ``raw_lower, raw_upper``; ``rate_before, rate_after, change`` with ``lower, upper``:
        standardised on the mix of both windows together; ``within`` and ``mix`` with intervals: the parts of ``raw_change`` (Kitagawa),
        which add up to it; ``mix_stratum`` and ``mix_<level>`` for each product level, which add up to ``mix``; ``unmatched`` (share of
        samples in cells that only one window has); ``shown`` (False, and all rates NaN, where a window has fewer than
        ``rules.min_inspected``).
        The row of code "" has standardised rates of its own: all samples at the common mix.

    Raises
    ------
    RateError
        If a window has no sample for comparison, or windows overlap.
    """
    if not (before[0] <= before[1] < after[0] <= after[1]):
        raise RateError(
            f"change: the windows {before[0]} to {before[1]} and {after[0]} to {after[1]} must follow each other without overlap"
        )
    parts = [_comparable(records, rules, window, within or {}, trees) for window in (before, after)]
    frames = [part[0] for part in parts]
    plan = _plan(pd.concat(frames, ignore_index=True), trees, by, level)
    leaf = tree_of(trees, "product").levels[-1]
    finest = {"product": leaf, plan.by: plan.level} if by != "product" else {"product": leaf}
    cells = [_with_levels(build_cells(frame, trees, finest, rules), trees, plan) for frame in frames]
    nested = ["stratum", *[name for name in cells[0].columns if name.startswith("level:") and name in cells[1].columns]]
    by_row = decompose_change(*cells, nested=nested, by="row").rename(columns={"row": "code"})
    overall = decompose_change(*cells, nested=nested).assign(code="")
    table = pd.concat([overall, _ordered(by_row)], ignore_index=True).rename(columns={"change": "raw_change"})
    table = table.rename(columns={name: name.replace("mix_level:", "mix_") for name in table.columns})
    z = float(stats.norm.isf((1.0 - rules.interval_level) / 2.0))
    for name, prefix in (("raw_change", "raw"), ("within", "within"), ("mix", "mix")):
        error = z * table[f"{'change' if name == 'raw_change' else name}_se"]
        table[f"{prefix}_lower"], table[f"{prefix}_upper"] = table[name] - error, table[name] + error
    table = table.merge(_standardised_change(frames, trees, rules, plan, z), on="code", how="left")
    table["shown"] = table[["inspected_before", "inspected_after"]].min(axis=1) >= rules.min_inspected
    kept = {"code", "inspected_before", "failed_before", "inspected_after", "failed_after", "unmatched", "shown"}
    extra = [name for name in table.columns if name.startswith("mix_") and name not in {"mix_se", "mix_lower", "mix_upper"}]
    table.loc[~table["shown"], [name for name in [*CHANGE_COLUMNS, *extra] if name not in kept]] = np.nan
    place = CHANGE_COLUMNS.index("unmatched")
    out = table[[*CHANGE_COLUMNS[:place], *extra, *CHANGE_COLUMNS[place:]]]
    out.attrs = {
        "by": by,
        "level": plan.level,
        "over": plan.over,
        "left_out": {name: sum(part[1][name] for part in parts) for name in parts[0][1]},
    }
    return out


def _with_levels(cells: pd.DataFrame, trees: Mapping[str, Tree], plan: _Plan) -> pd.DataFrame:
    """Add the product's ancestor at each level that tells products apart, and the row that the cell belongs to."""
    tree = tree_of(trees, "product")
    codes = cells["product"].to_numpy(dtype=object)
    out = cells.copy()
    row = np.asarray(tree.ancestor_at(codes, plan.level), dtype=object) if plan.by == "product" else cells[plan.by].to_numpy(dtype=object)
    out["row"] = np.where(row == "", UNKNOWN, row)
    for name in tree.levels[:-1]:
        above = np.asarray(tree.ancestor_at(codes, name), dtype=object)
        if (above != "").any():
            out[f"level:{name}"] = np.where(above == "", UNKNOWN, above)
    out[f"level:{tree.levels[-1]}"] = codes
    return out


def _standardised_change(
    frames: Sequence[pd.DataFrame], trees: Mapping[str, Tree], rules: RateRules, plan: _Plan, z: float
) -> pd.DataFrame:
    cells = pd.concat([build_cells(frame, trees, plan.levels, rules) for frame in frames], ignore_index=True)
    mix, whole = reference_mix(cells, plan.over), reference_mix(cells, [plan.by, *plan.over])
    tables = []
    for frame in frames:
        _, fitted = _fit(frame, trees, rules, plan, cells)
        rows = standardise(fitted, mix, by=plan.by, over=plan.over).rename(columns={plan.by: "code"})
        together = dataclasses.replace(fitted, cells=fitted.cells.assign(code=""))
        all_ = standardise(together, whole, by="code", over=[plan.by, *plan.over])
        tables.append(pd.concat([all_, rows], ignore_index=True).set_index("code")[["rate", "variance"]])
    both = tables[0].add_suffix("_before").join(tables[1].add_suffix("_after"), how="outer")
    moved = both["rate_after"] - both["rate_before"]
    error = z * np.sqrt(both["variance_before"] + both["variance_after"])
    return both[["rate_before", "rate_after"]].assign(change=moved, lower=moved - error, upper=moved + error).reset_index()


def period_levels(
    frames: Mapping[str, pd.DataFrame], trees: Mapping[str, Tree], rules: RateRules, *, level: str | None = None
) -> pd.DataFrame:
    """Return the failure rate of each of some periods as if the same products had been sampled in the same places in all of them.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        Period to its spot checks, with :data:`RECORD_COLUMNS`. Samples that do not serve comparison are left out.
    trees, rules
        As for :func:`compare`.
    level : str, optional
        Level of the region tree. Default: the highest with at least two codes.

    Returns
    -------
    DataFrame
        ``period, rate, lower, upper, borrowed`` in the order given; the common mix is that of all periods together. Periods without a
        sample for comparison are left out.

    Raises
    ------
    RateError
        If no period has a sample for comparison.
    """
    kept = {}
    for name, frame in frames.items():
        chosen = frame[purpose_of(frame, rules) == "comparison"]
        if chosen["inspected"].sum() > 0:
            kept[name] = chosen
    if not kept:
        raise RateError("period_levels: no sample of any period serves comparison", hint="see config/rates.yaml")
    together = pd.concat([frame.astype({"product": object, "region": object}) for frame in kept.values()], ignore_index=True)
    plan = _plan(together, trees, "region", level)
    cells = pd.concat([build_cells(frame, trees, plan.levels, rules) for frame in kept.values()], ignore_index=True)
    whole = reference_mix(cells, [plan.by, *plan.over])
    rows = []
    for name, frame in kept.items():
        _, fitted = _fit(frame, trees, rules, plan, cells)
        alone = dataclasses.replace(fitted, cells=fitted.cells.assign(code=""))
        found = standardise(alone, whole, by="code", over=[plan.by, *plan.over], level=rules.interval_level).iloc[0]
        rows.append((name, *(float(found[column]) for column in ("rate", "lower", "upper", "borrowed"))))
    return pd.DataFrame(rows, columns=["period", "rate", "lower", "upper", "borrowed"])
