"""Panels from records.

Grouping works on integer codes and ``numpy.bincount``; no text is touched per row, so five million records take about a second.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.errors import PanelError
from riskwatch.panel.matrix import FloatArray, IntArray, Panel

__all__ = ["DIMENSIONS", "LEVELS", "UNCODED", "BuiltPanel", "Frequency", "SparseRule", "TreeLike", "build_panel", "period_ordinals"]

Frequency = Literal["day", "week", "4-week", "month"]

DIMENSIONS = ("product", "industry", "region")
LEVELS = (*DIMENSIONS, "stratum")
UNCODED = "?"


class TreeLike(Protocol):
    """What :func:`build_panel` needs of a dimension tree (see ``riskwatch.dimensions``).

    A tree that also has ``levels`` (names, top first) lets thin series be lifted one level at a time;
    without it they go straight to the sum over the dimension.
    """

    def ancestor_at(self, codes: Any, level: str) -> npt.NDArray[Any]:
        """Return, for each code, the code of its ancestor (or itself) at ``level``; "" where there is none."""
        ...


_FREQUENCY_CODE: dict[str, str] = {"day": "D", "week": "W-SUN", "4-week": "4W-SUN", "month": "M"}
# Day 4 since 1970-01-01 is Monday 1970-01-05, which pandas gives the ordinal 2 among the weeks that end on Sunday.
_MONDAY, _MONDAY_ORDINAL = 4, 2


def period_ordinals(dates: Any, frequency: str) -> IntArray:
    """Return the pandas ordinal of each date's period: day, ISO week, block of four ISO weeks on the 1970-01-05 grid, month."""
    days = np.asarray(dates, dtype="datetime64[D]")
    if frequency == "month":
        return days.astype("datetime64[M]").astype(np.int64)
    number = days.astype(np.int64)
    if frequency == "week":
        return (number - _MONDAY) // 7 + _MONDAY_ORDINAL
    if frequency == "4-week":
        return (number - _MONDAY) // 28 * 4 + _MONDAY_ORDINAL
    return number


@dataclass(frozen=True, slots=True)
class SparseRule:
    """When a series is too thin to model.

    Parameters
    ----------
    min_total : float
        Smallest sum of the numerator over the panel's periods.
    min_active_periods : int
        Smallest number of periods with a count above zero.
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


@dataclass(frozen=True)
class _Group:
    """All series of one combination of levels: integer keys (rows) in sorted order, and their matrices."""

    keys: pd.DataFrame
    numerator: FloatArray
    denominator: FloatArray | None


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


# Above so many cells a matrix is not allocated for all combinations of codes; those that occur are looked up first.
_DENSE_CELLS = 30_000_000
Combination = tuple[str | None, str | None, str | None]


class _Rows:
    """The records inside the panel's periods as integer codes, and their groupings, each made once."""

    def __init__(
        self,
        frame: pd.DataFrame,
        inside: npt.NDArray[np.bool_],
        when: IntArray,
        periods: int,
        trees: Mapping[str, TreeLike],
        measures: tuple[FloatArray, FloatArray | None],
        product_fields: Sequence[str],
        stratify: Sequence[str],
    ) -> None:
        self._frame = frame
        self._inside = None if inside.all() else np.flatnonzero(inside)
        self._when = self._keep(when)
        self._periods = periods
        self._trees = trees
        self._numerator = self._keep(measures[0])
        self._denominator = None if measures[1] is None else self._keep(measures[1])
        self._product_fields = tuple(product_fields)
        self._labels: dict[str, tuple[npt.NDArray[np.int32], npt.NDArray[Any]]] = {}
        self._levels: dict[tuple[str, str], tuple[list[npt.NDArray[np.int32]], list[str]]] = {}
        self._groups: dict[Combination, _Group] = {}
        self._stratum, self.strata = self._combine(stratify)

    def _keep(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return values if self._inside is None else values[self._inside]

    def _column(self, name: str) -> tuple[npt.NDArray[np.int32], npt.NDArray[Any]]:
        """Return integer codes (-1 missing) and the distinct texts of a column."""
        if name not in self._labels:
            values = self._frame[name]
            if isinstance(values.dtype, pd.CategoricalDtype):
                codes, labels = values.cat.codes.to_numpy(np.int32), values.cat.categories
            else:
                found, labels = pd.factorize(values, use_na_sentinel=True)
                codes = found.astype(np.int32)
            self._labels[name] = (self._keep(codes), np.asarray([str(label) for label in labels], dtype=object))
        return self._labels[name]

    def _combine(self, fields: Sequence[str]) -> tuple[npt.NDArray[np.int32] | None, list[str]]:
        """Return each row's stratum number and the texts of the strata ("selection=random, channel=online")."""
        if not fields:
            return None, [""]
        number = np.zeros(len(self._when), np.int64)
        texts = [""]
        for name in fields:
            codes, labels = self._column(name)
            number = number * (len(labels) + 1) + codes + 1
            texts = [f"{text}, {name}={label}" if text else f"{name}={label}" for text in texts for label in ("(missing)", *labels)]
        present, inverse = np.unique(number, return_inverse=True)
        return inverse.astype(np.int32), [texts[at] for at in present]

    def at_level(self, dimension: str, level: str) -> tuple[list[npt.NDArray[np.int32]], list[str]]:
        """Return, per column of the dimension, each row's code number at a level (0: no code there), and the table of codes."""
        if (dimension, level) not in self._levels:
            table, known, columns = [UNCODED], {}, []
            for name in self._product_fields if dimension == "product" else (dimension,):
                rows, labels = self._column(name)
                numbers = np.zeros(len(labels) + 1, np.int32)  # the last entry serves -1, missing
                if len(labels):
                    for at, ancestor in enumerate(np.asarray(self._trees[dimension].ancestor_at(labels, level), dtype=object)):
                        if isinstance(ancestor, str) and ancestor:
                            if ancestor not in known:
                                known[ancestor] = len(table)
                                table.append(ancestor)
                            numbers[at] = known[ancestor]
                columns.append(numbers[rows])
            self._levels[dimension, level] = (columns, table)
        return self._levels[dimension, level]

    def group(self, combination: Combination) -> _Group:
        """Return all series of one combination of levels (``None``: summed over)."""
        if combination not in self._groups:
            self._groups[combination] = self._group(combination)
        return self._groups[combination]

    def _group(self, combination: Combination) -> _Group:
        rows: npt.NDArray[np.intp] | None = None  # None: every record once
        product: npt.NDArray[np.int32] | None = None
        if combination[0] is not None:
            rows, product = _once_per_product(self.at_level("product", combination[0])[0])
        key = np.zeros(len(self._when) if rows is None else len(rows), np.int64)
        tables: list[list[str]] = []
        for dimension, level in zip(DIMENSIONS, combination, strict=True):
            if level is None:
                tables.append([""])
                continue
            columns, table = self.at_level(dimension, level)
            codes = columns[0] if product is None or dimension != "product" else product
            if dimension != "product" and rows is not None:
                codes = codes[rows]
            key *= len(table)
            key += codes
            tables.append(table)
        if self._stratum is not None:
            key *= len(self.strata)
            key += self._stratum if rows is None else self._stratum[rows]
        tables.append(self.strata)
        cells = int(np.prod([len(table) for table in tables], dtype=np.int64))
        if cells * max(self._periods, 1) <= _DENSE_CELLS:
            present = np.flatnonzero(np.bincount(key, minlength=cells))
            place = np.zeros(cells, np.int64)
            place[present] = np.arange(len(present))
            key = place[key]
        else:
            present, key = np.unique(key, return_inverse=True)
        when = self._when if rows is None else self._when[rows]
        cell = key * self._periods + when

        def total(values: FloatArray) -> FloatArray:
            weights = values if rows is None else values[rows]
            return np.bincount(cell, weights=weights, minlength=len(present) * self._periods).reshape(len(present), self._periods)

        codes_of: dict[str, Any] = {}
        left = present
        for name, table in zip(reversed(LEVELS), reversed(tables), strict=True):
            left, at = np.divmod(left, len(table))
            codes_of[name] = np.asarray(table, dtype=object)[at]
        keys = pd.DataFrame({name: codes_of[name] for name in LEVELS}, dtype=object)
        return _Group(keys, total(self._numerator), None if self._denominator is None else total(self._denominator))

    def records_per_period(self) -> IntArray:
        """Return how many records each period has."""
        return np.bincount(self._when, minlength=self._periods).astype(np.int64)


def _once_per_product(columns: list[npt.NDArray[np.int32]]) -> tuple[npt.NDArray[np.intp] | None, npt.NDArray[np.int32]]:
    """Return rows and product numbers such that a record counts once for each distinct product, and once as "no code" if it has none."""
    if len(columns) == 1:
        return None, columns[0]
    anything = np.zeros(len(columns[0]), np.bool_)
    rows, codes = [], []
    for at, column in enumerate(columns):
        new = column > 0
        for earlier in columns[:at]:
            new &= column != earlier
        anything |= new
        chosen = np.flatnonzero(new)
        rows.append(chosen)
        codes.append(column[chosen])
    nothing = np.flatnonzero(~anything)
    rows.append(nothing)
    codes.append(np.zeros(len(nothing), np.int32))
    return np.concatenate(rows), np.concatenate(codes)


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
    _check_request(frame, wanted, trees, frequency, (numerator, denominator), product_fields, stratify)
    when = period_ordinals(frame["event_date"].to_numpy(), frequency)
    step = 4 if frequency == "4-week" else 1
    end = period_ordinals(np.datetime64(until, "D") + 1, frequency).item()  # exclusive: the period that holds the day after
    if start is not None:
        first = period_ordinals(np.datetime64(start, "D") - 1, frequency).item() + step
    else:
        first = int(when.min()) if len(when) else end - step
    if first >= end:
        raise PanelError(
            f"build_panel: no {frequency} period is complete between {start or 'the first record'} and {until}",
            hint="widen the dates; unfinished periods are left out",
        )
    periods = pd.PeriodIndex.from_ordinals(np.arange(first, end, step), freq=_FREQUENCY_CODE[frequency])
    inside = (when >= first) & (when < end)
    measures = (
        frame[numerator].to_numpy(np.float64, na_value=np.nan),
        None if denominator is None else frame[denominator].to_numpy(np.float64, na_value=np.nan),
    )
    for name, values in zip((numerator, denominator), measures, strict=True):
        if values is not None and not np.isfinite(values).all():
            raise PanelError(f"build_panel: {name} must be a number in every record; {int((~np.isfinite(values)).sum())} of {len(values)} are not")
    rows = _Rows(frame, inside, (when - first) // step, len(periods), trees, measures, product_fields, stratify)
    kept: dict[tuple[str, ...], tuple[FloatArray, FloatArray | None]] = {}
    reports: list[pd.DataFrame] = []
    for level in wanted:
        _place(rows, (level.get("product"), level.get("industry"), level.get("region")), sparse, trees, kept, reports)
    records = rows.records_per_period()
    silent = (records == 0) & (np.median(records) >= silence.typical_records)
    index = pd.MultiIndex.from_tuples(list(kept), names=LEVELS) if kept else pd.MultiIndex.from_arrays([[]] * len(LEVELS), names=LEVELS)
    observed = np.array([pair[0] for pair in kept.values()]).reshape(len(kept), len(periods))
    exposure = None
    if denominator is not None:
        exposure = np.array([pair[1] for pair in kept.values()]).reshape(len(kept), len(periods))
        observed[exposure == 0] = np.nan
        exposure[:, silent] = np.nan
    observed[:, silent] = np.nan
    rolled_up = pd.concat(reports, ignore_index=True) if reports else pd.DataFrame(columns=list(_REPORT_COLUMNS))
    return BuiltPanel(Panel(observed, index, periods, exposure), rolled_up, periods[silent])


_REPORT_COLUMNS = ("level", *LEVELS, "parent_product", "parent_industry", "parent_region", "total", "active_periods", "reason")


def _check_request(
    frame: pd.DataFrame,
    wanted: list[dict[str, str | None]],
    trees: Mapping[str, TreeLike],
    frequency: str,
    measures: tuple[str, str | None],
    product_fields: Sequence[str],
    stratify: Sequence[str],
) -> None:
    problems = []
    if frequency not in _FREQUENCY_CODE:
        problems.append(f"frequency must be one of {', '.join(_FREQUENCY_CODE)}, got {frequency!r}")
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
    rows: _Rows,
    combination: Combination,
    sparse: SparseRule | None,
    trees: Mapping[str, TreeLike],
    kept: dict[tuple[str, ...], tuple[FloatArray, FloatArray | None]],
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
    report["active_periods"] = (asked.numerator[left] > 0).sum(axis=1)
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


def _thin(group: _Group, sparse: SparseRule | None) -> npt.NDArray[np.bool_]:
    if sparse is None:
        return np.zeros(len(group.keys), np.bool_)
    return np.asarray(
        (group.numerator.sum(axis=1) < sparse.min_total) | ((group.numerator > 0).sum(axis=1) < sparse.min_active_periods), dtype=np.bool_
    )


def _keep(group: _Group, which: npt.NDArray[np.intp], kept: dict[tuple[str, ...], tuple[FloatArray, FloatArray | None]]) -> None:
    texts = group.keys.to_numpy(object)
    for at in which:
        kept.setdefault(tuple(texts[at]), (group.numerator[at], None if group.denominator is None else group.denominator[at]))
