"""Panels from records.

Grouping works on integer codes and ``numpy.bincount``; no text is touched per row, so five million records take about a second.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.calendar import FREQUENCIES, Frequency, period_of, periods_from_numbers
from riskwatch.errors import PanelError
from riskwatch.panel.context import Breakdown
from riskwatch.panel.grouping import (
    DIMENSIONS,
    LEVELS,
    UNCODED,
    Combination,
    Group,
    Rows,
    TreeLike,
)
from riskwatch.panel.matrix import FloatArray, Panel

__all__ = ["BuiltPanel", "Frequency", "SilenceRule", "SparseRule", "build_panel", "series_of_records"]


@dataclass(frozen=True, slots=True)
class SparseRule:
    """When a series is too thin to model.

    Parameters
    ----------
    min_total : float
        Smallest sum over the panel's periods: of the denominator if there is one (a series of many inspections without a failure is
        not thin), else of the numerator.
    min_active_periods : int
        Smallest number of periods in which that is above zero.
    roll_up : tuple of str
        Dimensions in the order in which a thin series is lifted: each goes up level by level until it is summed over.
    """

    min_total: float = 20
    min_active_periods: int = 5
    roll_up: tuple[str, ...] = ("region", "product")


@dataclass(frozen=True, eq=False)
class BuiltPanel:
    """A panel and what is not in it.

    Attributes
    ----------
    panel : Panel
    rolled_up : DataFrame
        One row per series left out: its key, ``parent_*`` (the key that carries its records; empty text with ``reason``
        ``dropped`` if even the top is too thin), ``total``, ``active_periods``, ``reason``. Records without a code at the level
        asked for are one row with code "?" in that dimension. Per level asked for (attribute ``level``), panel totals plus
        these totals are the total of all records in the panel's periods.
    silent : PeriodIndex
        Periods in which nothing at all was reported and which are therefore missing.
    """

    panel: Panel
    rolled_up: pd.DataFrame
    silent: pd.PeriodIndex = field(default_factory=lambda: pd.PeriodIndex([], freq="D"))


@dataclass(frozen=True, slots=True)
class SilenceRule:
    """When an empty period reads as "the source did not report" and not as "nothing happened".

    A period without a single record is missing if the median number of records per period is at least ``typical_records``.
    At the default of 10, a source that does report stays empty by chance in e^-10, about 1 of 22,000 periods.

    Parameters
    ----------
    typical_records : float
        Median records per period from which silence is not believed; ``inf`` switches the rule off.
    """

    typical_records: float = 10.0


def build_panel(
    frame: pd.DataFrame,
    *,
    levels: Mapping[str, str | None] | Sequence[Mapping[str, str | None]],
    trees: Mapping[str, TreeLike],
    frequency: Frequency,
    until: dt.date,
    start: dt.date | None = None,
    numerator: str,
    denominator: str | None = None,
    product_fields: Sequence[str] = ("product",),
    stratify: Sequence[str] = (),
    breakdown: str | None = None,
    distinct: tuple[str, float] | None = None,
    sparse: SparseRule | None = None,
    silence: SilenceRule | None = None,
) -> BuiltPanel:
    """Count records per series and period.

    Parameters
    ----------
    frame : DataFrame
        Narrow records: ``event_date`` (datetime64), the dimension columns used (categorical or text), measures, strata.
    levels : mapping, or sequence of mappings
        Dimension -> tree level, e.g. ``{"product": "product", "region": "prefecture"}``; a dimension not named is summed over
        and is "" in the key. With several mappings, all their series are in one panel, a series named twice only once.
    trees : mapping of dimension to TreeLike
    frequency : {"day", "week", "4-week", "month"}
        ISO weeks from Monday; "4-week" are blocks of four ISO weeks on the grid of Monday 1970-01-05, as pandas '4W-SUN'.
    until : date
        Last day that the data cover. Only periods that are over by then are in the panel: an unfinished period would read as a fall.
    start : date, optional
        First day covered; periods that begin before it are left out. Default: the whole period of the first record.
    numerator, denominator : str
        Columns that are summed. With a denominator, a covered cell with nothing inspected has exposure 0 and observed NaN.
    product_fields : sequence of str
        A record counts once for each distinct product that these columns name at the level asked for.
    stratify : sequence of str
        Columns whose values are never pooled; the key's ``stratum`` reads "selection=random".
    breakdown : str, optional
        Column by whose values the panel's counts are split as well ("laboratory"): the panel's ``breakdown``. Records without a value are
        "(missing)"; of more than 60 values the rarest are "(other)".
    distinct : (str, float), optional
        Column that names who a record is from ("complainant"), and the most that one of them counts in a series and period: with 1 the
        numerator counts distinct persons. Records without a name count by themselves. Such counts do not add up over series.
    sparse : SparseRule, optional
        Thin series are left out, and the full series of their nearest parent that is thick enough is in the panel instead.
    silence : SilenceRule, optional
        When a period without any record is missing and not zero. Default: ``SilenceRule()``.

    Returns
    -------
    BuiltPanel

    Raises
    ------
    PanelError
        If columns, dimensions or trees are absent, dates or measures are missing, or no period is complete by ``until``.
    """
    silence = silence or SilenceRule()
    wanted = [dict(levels)] if isinstance(levels, Mapping) else [dict(level) for level in levels]
    _check_request(
        frame,
        wanted,
        trees=trees,
        frequency=frequency,
        measures=(numerator, denominator),
        product_fields=product_fields,
        stratify=[*stratify, *([breakdown] if breakdown else []), *(distinct[:1] if distinct else ())],
    )
    if distinct is not None and (breakdown is not None or denominator is not None or not distinct[1] > 0):
        raise PanelError(
            f"build_panel: distinct needs a cap above zero, and neither denominator nor breakdown, got cap {distinct[1]:g}",
            hint="count persons in a model of their own",
        )
    when = period_of(frame["event_date"].to_numpy(), frequency)
    end = int(period_of([np.datetime64(until, "D") + 1], frequency)[0])  # exclusive: the period that holds the day after
    if start is not None:
        first = int(period_of([np.datetime64(start, "D") - 1], frequency)[0]) + 1
    else:
        first = int(when.min()) if len(when) else end - 1
    if first >= end:
        raise PanelError(
            f"build_panel: no {frequency} period is complete between {start or 'the first record'} and {until}",
            hint="widen the dates; unfinished periods are left out",
        )
    periods = periods_from_numbers(np.arange(first, end), frequency)
    inside = (when >= first) & (when < end)
    measures = (
        frame[numerator].to_numpy(np.float64, na_value=np.nan),
        None if denominator is None else frame[denominator].to_numpy(np.float64, na_value=np.nan),
    )
    for name, values in zip((numerator, denominator), measures, strict=True):
        if values is not None and not np.isfinite(values).all():
            lacking = int((~np.isfinite(values)).sum())
            raise PanelError(f"build_panel: {name} must be a number in every record; {lacking} of {len(values)} are not")
    rows = Rows(
        frame,
        inside=inside,
        when=when - first,
        periods=len(periods),
        trees=trees,
        measures=measures,
        product_fields=product_fields,
        stratify=stratify,
        breakdown=breakdown,
        distinct=distinct,
    )
    kept: dict[tuple[str, ...], _Series] = {}
    reports: list[pd.DataFrame] = []
    for level in wanted:
        combination = (level.get("product"), level.get("industry"), level.get("region"))
        _place(rows, combination, sparse=sparse, trees=trees, kept=kept, reports=reports)
    records = rows.records_per_period()
    silent = (records == 0) & (np.median(records) >= silence.typical_records)
    index = pd.MultiIndex.from_tuples(list(kept), names=LEVELS) if kept else pd.MultiIndex.from_arrays([[]] * len(LEVELS), names=LEVELS)
    observed = np.array([one.numerator for one in kept.values()]).reshape(len(kept), len(periods))
    exposure = None
    if denominator is not None:
        exposure = np.array([one.denominator for one in kept.values()]).reshape(len(kept), len(periods))
        observed[exposure == 0] = np.nan
        exposure[:, silent] = np.nan
    observed[:, silent] = np.nan
    rolled_up = pd.concat(reports, ignore_index=True) if reports else pd.DataFrame(columns=list(_REPORT_COLUMNS))
    parts = (
        None
        if breakdown is None
        else _breakdown(breakdown, rows.labels, list(kept.values()), observed.shape, exposure=denominator is not None)
    )
    return BuiltPanel(Panel(observed, index, periods, exposure, breakdown=parts), rolled_up, periods[silent])


@dataclass(frozen=True, eq=False)
class _Series:
    """One series' counts by period; ``parts`` by label and period."""

    numerator: FloatArray
    denominator: FloatArray | None
    parts: tuple[FloatArray, FloatArray | None] | None


def _breakdown(name: str, labels: tuple[str, ...], series: list[_Series], shape: tuple[int, int], *, exposure: bool) -> Breakdown:
    parts = [one.parts for one in series if one.parts is not None]
    nothing = np.zeros((len(labels), *shape))
    observed = np.stack([part[0] for part in parts], axis=1) if parts else nothing
    inspected = [part[1] for part in parts if part[1] is not None]
    return Breakdown(name, labels, observed, None if not exposure else np.stack(inspected, axis=1) if inspected else nothing)


def series_of_records(
    frame: pd.DataFrame,
    index: pd.Index[Any],
    *,
    levels: Sequence[Mapping[str, str | None]],
    trees: Mapping[str, TreeLike],
    product_fields: Sequence[str] = ("product",),
    stratify: Sequence[str] = (),
    roll_up: Sequence[str] = (),
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Tell which records each series of a built panel is made of.

    Parameters
    ----------
    frame : DataFrame
        Records as for :func:`build_panel`.
    index : pandas.Index
        Keys of the panel's series.
    levels, trees, product_fields, stratify
        As the panel was built with.
    roll_up : sequence of str
        The sparse rule's, so that series that stand for thin ones are found.

    Returns
    -------
    record, series : array of int, shape (pair,)
        Positions in ``frame`` and ``index``; a record is named once for each series that holds it.
    """
    rows = Rows(
        frame,
        inside=np.ones(len(frame), np.bool_),
        when=np.zeros(len(frame), np.int64),
        periods=1,
        trees=trees,
        measures=(np.ones(len(frame)), None),
        product_fields=product_fields,
        stratify=stratify,
    )
    combinations: dict[Combination, None] = {}
    for level in levels:
        combination: Combination = (level.get("product"), level.get("industry"), level.get("region"))
        combinations[combination] = None
        for dimension in roll_up:
            while combination[DIMENSIONS.index(dimension)] is not None:
                combination = _parent(combination, dimension, trees)
                combinations[combination] = None
    open_series = np.ones(len(index), np.bool_)
    records, series = [np.empty(0, np.intp)], [np.empty(0, np.intp)]
    for combination in combinations:
        if not open_series.any():
            break
        found = rows.members(combination)
        place = index.get_indexer(pd.MultiIndex.from_frame(found.keys))
        place[place >= 0] = np.where(open_series[place[place >= 0]], place[place >= 0], -1)
        of_record = place[found.series]
        kept = np.flatnonzero(of_record >= 0)
        records.append(kept if found.rows is None else found.rows[kept])
        series.append(of_record[kept])
        open_series[place[place >= 0]] = False
    return np.concatenate(records), np.concatenate(series)


_REPORT_COLUMNS = ("level", *LEVELS, "parent_product", "parent_industry", "parent_region", "total", "active_periods", "reason")


def _check_request(
    frame: pd.DataFrame,
    wanted: list[dict[str, str | None]],
    *,
    trees: Mapping[str, TreeLike],
    frequency: str,
    measures: tuple[str, str | None],
    product_fields: Sequence[str],
    stratify: Sequence[str],
) -> None:
    problems = []
    if frequency not in FREQUENCIES:
        problems.append(f"frequency must be one of {', '.join(FREQUENCIES)}, got {frequency!r}")
    if not wanted:
        problems.append("levels must name at least one combination, got none")
    used = {name for level in wanted for name, value in level.items() if value is not None}
    problems += [f"levels: no dimension {name!r}, there are {', '.join(DIMENSIONS)}" for name in sorted(used - set(DIMENSIONS))]
    problems += [f"trees: none for dimension {name!r}" for name in sorted(used & set(DIMENSIONS)) if name not in trees]
    columns = ["event_date", *(name for name in measures if name), *stratify]
    columns += [name for name in ("industry", "region") if name in used] + (list(product_fields) if "product" in used else [])
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        problems.append(f"frame lacks the column(s) {', '.join(absent)}")
    if "event_date" in frame.columns:
        if not pd.api.types.is_datetime64_any_dtype(frame["event_date"]):
            problems.append(f"event_date must be datetime64, got {frame['event_date'].dtype}")
        elif frame["event_date"].isna().any():
            problems.append(f"event_date must be present; {int(frame['event_date'].isna().sum())} records have none")
    if problems:
        raise PanelError("build_panel: " + "; ".join(problems))


def _parent(combination: Combination, dimension: str, trees: Mapping[str, TreeLike]) -> Combination:
    """Return the combination with one dimension a level higher, or summed over where it is at the top."""
    at = DIMENSIONS.index(dimension)
    level = combination[at]
    names: Sequence[str] = tuple(getattr(trees[dimension], "levels", ()))
    position = names.index(level) if level in names else 0
    higher = names[position - 1] if position > 0 else None
    lifted = list(combination)
    lifted[at] = higher
    return (lifted[0], lifted[1], lifted[2])


def _place(
    rows: Rows,
    combination: Combination,
    *,
    sparse: SparseRule | None,
    trees: Mapping[str, TreeLike],
    kept: dict[tuple[str, ...], _Series],
    reports: list[pd.DataFrame],
) -> None:
    """Put the series of one combination into ``kept``; lift the thin ones and report them."""
    asked = rows.group(combination)
    uncoded = (asked.keys == UNCODED).any(axis=1).to_numpy()
    thin = _thin(asked, sparse) & ~uncoded
    _keep(asked, np.flatnonzero(~thin & ~uncoded), kept)
    left = np.flatnonzero(thin | uncoded)
    if not left.size:
        return
    text = " x ".join(f"{name}={level}" for name, level in zip(DIMENSIONS, combination, strict=True) if level) or "all"
    report = asked.keys.iloc[left].reset_index(drop=True)
    report.insert(0, "level", text)
    for name in DIMENSIONS:
        report[f"parent_{name}"] = ""
    report["total"] = asked.numerator[left].sum(axis=1)
    report["active_periods"] = (asked.size[left] > 0).sum(axis=1)
    report["reason"] = np.where(uncoded[left], "no code at this level", "dropped: too sparse at every level")
    waiting = np.flatnonzero(thin[left])
    keys = asked.keys.iloc[left].reset_index(drop=True)
    for dimension in sparse.roll_up if sparse else ():
        while waiting.size and combination[DIMENSIONS.index(dimension)] is not None:
            combination = _parent(combination, dimension, trees)
            level = combination[DIMENSIONS.index(dimension)]
            codes = report[dimension].to_numpy(object)
            keys[dimension] = "" if level is None else np.asarray(trees[dimension].ancestor_at(codes, level), dtype=object)
            parent = rows.group(combination)
            position = pd.MultiIndex.from_frame(parent.keys).get_indexer(pd.MultiIndex.from_frame(keys.iloc[waiting]))
            good = (position >= 0) & ~_thin(parent, sparse)[position]
            placed = waiting[good]
            report.loc[placed, "reason"] = "too sparse"
            for name in DIMENSIONS:
                report.loc[placed, f"parent_{name}"] = keys[name].to_numpy(object)[placed]
            _keep(parent, np.unique(position[good]), kept)
            waiting = waiting[~good]
    reports.append(report[list(_REPORT_COLUMNS)])


def _thin(group: Group, sparse: SparseRule | None) -> npt.NDArray[np.bool_]:
    if sparse is None:
        return np.zeros(len(group.keys), np.bool_)
    size = group.size
    return np.asarray((size.sum(axis=1) < sparse.min_total) | ((size > 0).sum(axis=1) < sparse.min_active_periods), dtype=np.bool_)


def _keep(group: Group, which: npt.NDArray[np.intp], kept: dict[tuple[str, ...], _Series]) -> None:
    texts = group.keys.to_numpy(object)
    for at in which:
        denominator = None if group.denominator is None else group.denominator[at]
        parts = None
        if group.parts is not None:
            failed, inspected = group.parts
            parts = (failed[:, at], None if inspected is None else inspected[:, at])
        kept.setdefault(tuple(texts[at]), _Series(group.numerator[at], denominator, parts))
