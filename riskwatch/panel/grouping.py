"""Records as integer codes, and their sums per series and period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.panel.matrix import FloatArray, IntArray

__all__ = ["DIMENSIONS", "LEVELS", "MISSING", "OTHER", "UNCODED", "Combination", "Group", "Members", "Rows", "TreeLike"]

DIMENSIONS = ("product", "industry", "region")
LEVELS = (*DIMENSIONS, "stratum")
UNCODED = "?"
MISSING, OTHER = "(missing)", "(other)"  # labels of a breakdown


class TreeLike(Protocol):
    """What :func:`build_panel` needs of a dimension tree (see ``riskwatch.dimensions``).

    A tree that also has ``levels`` (names, top first) lets thin series be lifted one level at a time;
    without it they go straight to the sum over the dimension.
    """

    def ancestor_at(self, codes: Any, level: str) -> npt.NDArray[Any]:
        """Return, for each code, the code of its ancestor (or itself) at ``level``; "" where there is none."""
        ...


@dataclass(frozen=True)
class Group:
    """All series of one combination of levels: integer keys (rows) in sorted order, and their matrices.

    ``parts`` are the same matrices by label, shape (label, series, period), where a breakdown was asked for.
    """

    keys: pd.DataFrame
    numerator: FloatArray
    denominator: FloatArray | None
    parts: tuple[FloatArray, FloatArray | None] | None = None

    @property
    def size(self) -> FloatArray:
        """What tells how much there is to see: the denominator, or the numerator without one."""
        return self.numerator if self.denominator is None else self.denominator


@dataclass(frozen=True, eq=False)
class Members:
    """Which records belong to which series: ``rows[i]`` (None: record i) is in series ``series[i]``, whose key is that row of ``keys``."""

    keys: pd.DataFrame
    rows: npt.NDArray[np.intp] | None
    series: IntArray


# Above so many cells a matrix is not allocated for all combinations of codes; those that occur are looked up first.
_DENSE_CELLS = 30_000_000
# A breakdown keeps so many labels, those with most records; the rest are one label. A matrix for each of a thousand would not fit.
_MOST_LABELS = 60
Combination = tuple[str | None, str | None, str | None]


class Rows:
    """The records inside the panel's periods as integer codes, and their groupings, each made once."""

    def __init__(
        self,
        frame: pd.DataFrame,
        *,
        inside: npt.NDArray[np.bool_],
        when: IntArray,
        periods: int,
        trees: Mapping[str, TreeLike],
        measures: tuple[FloatArray, FloatArray | None],
        product_fields: Sequence[str],
        stratify: Sequence[str],
        breakdown: str | None = None,
        distinct: tuple[str, float] | None = None,
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
        self._groups: dict[Combination, Group] = {}
        self._stratum, self.strata = self._combine(stratify)
        self._label, self.labels = self._labelled(breakdown)
        self._person = None if distinct is None else self._column(distinct[0])[0].astype(np.int64)
        self._cap = np.inf if distinct is None else distinct[1]

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

    def _labelled(self, field: str | None) -> tuple[npt.NDArray[np.intp] | None, tuple[str, ...]]:
        """Return each row's label number and the labels of a breakdown, in the order of their texts."""
        if field is None:
            return None, ()
        codes, texts = self._column(field)
        counts = np.bincount(codes + 1, minlength=len(texts) + 1)
        names = [MISSING, *texts.tolist()]
        ranked = sorted(np.flatnonzero(counts).tolist(), key=lambda at: (-counts[at], names[at]))
        kept = sorted(ranked[:_MOST_LABELS], key=lambda at: names[at])
        number = np.full(len(names), len(kept))
        number[kept] = np.arange(len(kept))
        labels = tuple(names[at] for at in kept) + ((OTHER,) if len(ranked) > len(kept) else ())
        return number[codes + 1], labels

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

    def group(self, combination: Combination) -> Group:
        """Return all series of one combination of levels (``None``: summed over)."""
        if combination not in self._groups:
            self._groups[combination] = self._group(combination)
        return self._groups[combination]

    def members(self, combination: Combination) -> Members:
        """Return which records belong to which series of one combination of levels."""
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
        codes_of: dict[str, Any] = {}
        left = present
        for name, table in zip(reversed(LEVELS), reversed(tables), strict=True):
            left, at = np.divmod(left, len(table))
            codes_of[name] = np.asarray(table, dtype=object)[at]
        return Members(pd.DataFrame({name: codes_of[name] for name in LEVELS}, dtype=object), rows, key)

    def _group(self, combination: Combination) -> Group:
        found = self.members(combination)
        rows, series = found.rows, len(found.keys)
        cell = found.series * self._periods + (self._when if rows is None else self._when[rows])

        def total(values: FloatArray) -> FloatArray:
            weights = values if rows is None else values[rows]
            flat = np.bincount(cell, weights=weights, minlength=series * self._periods).astype(np.float64, copy=False)
            return flat.reshape(series, self._periods)

        def distinct(values: FloatArray, of_row: IntArray) -> FloatArray:
            """Sum with at most the cap for each person and cell; a row that names nobody counts by itself."""
            person, weights = (of_row, values) if rows is None else (of_row[rows], values[rows])
            named = person >= 0
            persons = int(person.max(initial=0)) + 1
            pair, inverse = np.unique(cell[named] * persons + person[named], return_inverse=True)
            capped = np.minimum(np.bincount(inverse, weights=weights[named], minlength=len(pair)), self._cap)
            where = np.concatenate([pair // persons, cell[~named]])
            flat = np.bincount(where, weights=np.concatenate([capped, weights[~named]]), minlength=series * self._periods)
            return flat.astype(np.float64, copy=False).reshape(series, self._periods)

        def by_label(values: FloatArray, label: npt.NDArray[np.intp]) -> FloatArray:
            weights, of_row = (part if rows is None else part[rows] for part in (values, label))
            size = len(self.labels) * series * self._periods
            flat = np.bincount(of_row * (series * self._periods) + cell, weights=weights, minlength=size).astype(np.float64, copy=False)
            return flat.reshape(len(self.labels), series, self._periods)

        less = self._denominator
        parts = None
        if self._label is not None:
            parts = (by_label(self._numerator, self._label), None if less is None else by_label(less, self._label))
        observed = total(self._numerator) if self._person is None else distinct(self._numerator, self._person)
        return Group(found.keys, observed, None if less is None else total(less), parts)

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
