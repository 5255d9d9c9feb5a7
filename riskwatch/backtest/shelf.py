"""Versions of records in memory, column by column as they are asked for: the records of many days are cut out of one reading.

A replay asks for nearly the same records day after day. Reading them from the database costs a second a day and more; cutting them out of
columns that are in memory costs milliseconds. What is cut equals what the database would have given, types and categories included.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.errors import StoreError
from riskwatch.store.database import Database
from riskwatch.store.read import all_items, count_versions, read_versions, whole_number_columns

__all__ = ["MOST_VERSIONS", "Shelf"]

Rows = npt.NDArray[np.intp]
MOST_VERSIONS = 1_500_000
"""A stream with more versions than this is read from the database, day by day: memory must not grow with the size of the province."""
_ALWAYS = ("record_id", "event_date", "source", "known_at", "superseded_at")


@dataclass
class Shelf:
    """Columns of all versions, by stream; each is read once, when it is first asked for.

    Parameters
    ----------
    database : Database
    most : int
        Streams with more versions are not kept.
    """

    database: Database
    most: int = MOST_VERSIONS
    _sizes: dict[str, tuple[int, int]] = field(default_factory=dict, init=False, repr=False)
    _columns: dict[tuple[str, str], Any] = field(default_factory=dict, init=False, repr=False)
    _items: dict[str, pd.DataFrame] = field(default_factory=dict, init=False, repr=False)
    _visible: dict[str, tuple[dt.date, Rows]] = field(default_factory=dict, init=False, repr=False)

    def holds(self, stream: str) -> bool:
        """Say whether a stream is small enough to be kept."""
        if stream not in self._sizes:
            self._sizes[stream] = count_versions(self.database, stream)
        return self._sizes[stream][0] <= self.most

    def records(
        self,
        stream: str,
        names: Sequence[str],
        as_of: dt.date,
        *,
        where: Mapping[str, Iterable[object]] | None = None,
        between: Mapping[str, tuple[float, float]] | None = None,
        sources: Iterable[str] | None = None,
        since: dt.date | None = None,
        until: dt.date | None = None,
    ) -> pd.DataFrame | None:
        """Return what :func:`riskwatch.store.read.read_records` does; None where it must be asked.

        Raises
        ------
        StoreError
            If rows went away while they were read.
        """
        if not self.holds(stream):
            return None
        self._load(stream, [*_ALWAYS, *names, *(where or {}), *(between or {})])
        chosen = self._seen(stream, as_of)
        event = self._columns[stream, "event_date"][chosen]
        keep = np.ones(len(chosen), np.bool_)
        if since is not None:
            keep &= event >= np.datetime64(since)
        if until is not None:
            keep &= event <= np.datetime64(until)
        allowed: dict[str, list[object]] = {name: list(values) for name, values in (where or {}).items()}
        if wanted := list(sources or ()):
            allowed["source"] = [value for value in allowed.get("source", wanted) if value in wanted]
        for name, values in allowed.items():
            column = self._columns[stream, name]
            if not isinstance(column, pd.Categorical) or not all(isinstance(value, str) for value in values):
                return None  # the database compares values of other types by rules of its own
            codes = column.categories.get_indexer(pd.Index(values, dtype=column.categories.dtype)) if values else np.empty(0, np.intp)
            keep &= np.isin(column.codes[chosen], codes[codes >= 0])
        for name, (low, high) in (between or {}).items():
            column = self._columns[stream, name]
            if not isinstance(column, np.ndarray) or column.dtype.kind not in "if":
                return None
            keep &= (column[chosen] >= low) & (column[chosen] <= high)
        chosen = chosen[keep]
        whole = whole_number_columns(stream)
        return pd.DataFrame({name: _cut(self._columns[stream, name], chosen, whole=name in whole) for name in names}, copy=False)

    def items(self, stream: str, record_ids: Sequence[int] | None, as_of: dt.date | None) -> pd.DataFrame | None:
        """Return what :func:`riskwatch.store.read.read_items` does; None where it must be asked."""
        if not self.holds(stream) or (record_ids is None and as_of is None):
            return None
        if stream not in self._items:
            self._items[stream] = all_items(self.database, stream)
        every = self._items[stream]
        if record_ids is None and as_of is not None:
            self._load(stream, _ALWAYS)
            wanted = self._columns[stream, "record_id"][self._seen(stream, as_of)]
        else:
            wanted = np.asarray(record_ids, dtype=np.int64)
        chosen = np.flatnonzero(np.isin(every["record_id"].to_numpy(), wanted))
        return pd.DataFrame({name: _cut(every[name].array, chosen, whole=False) for name in every.columns}, copy=False)

    def first_known(self, stream: str, sources: Iterable[str] | None, as_of: dt.date) -> pd.DataFrame | None:
        """Return what :func:`riskwatch.store.read.first_known` does; None where it must be asked."""
        if not self.holds(stream):
            return None
        self._load(stream, [*_ALWAYS, "key_hash"])
        superseded, known = self._columns[stream, "superseded_at"], self._columns[stream, "known_at"]
        old = superseded <= np.datetime64(as_of)  # NaT: still in force
        if wanted := list(sources or ()):
            old &= np.asarray(pd.Series(self._columns[stream, "source"]).isin(wanted))
        keys, place = np.unique(self._columns[stream, "key_hash"][old], return_inverse=True)
        first = np.full(len(keys), np.iinfo(np.int64).max)
        np.minimum.at(first, place, known[old].astype("datetime64[s]").astype(np.int64))
        return pd.DataFrame({"key_hash": keys.astype(np.int64), "first_known": first.astype("datetime64[s]")})

    def _load(self, stream: str, names: Iterable[str]) -> None:
        size, newest = self._sizes[stream]
        lacking = [name for name in dict.fromkeys(names) if (stream, name) not in self._columns]
        if not lacking:
            return
        frame = read_versions(self.database, stream, lacking, until=newest)
        if len(frame) != size:
            raise StoreError(f"backtest: records of {stream} went away while they were read", hint="start again")
        for name in lacking:
            values = frame[name]
            self._columns[stream, name] = values.to_numpy() if isinstance(values.dtype, np.dtype) else values.array

    def _seen(self, stream: str, as_of: dt.date) -> Rows:
        """Return the rows of the versions in force at the end of a day."""
        last = self._visible.get(stream)
        if last is None or last[0] != as_of:
            day = np.datetime64(as_of)
            known, superseded = self._columns[stream, "known_at"], self._columns[stream, "superseded_at"]
            last = self._visible[stream] = (as_of, np.flatnonzero((known <= day) & ~(superseded <= day)))
        return last[1]


def _cut(column: Any, rows: Rows, *, whole: bool) -> Any:
    """Return some rows of a column as the database would give them: categories those that occur, in the order of their first rows."""
    part = column[rows]
    if isinstance(part, pd.Categorical):
        codes = part.codes
        known = codes >= 0
        first = np.full(len(part.categories), len(codes), np.int64)
        places = np.flatnonzero(known)[::-1]
        first[codes[places]] = places
        present = np.flatnonzero(first < len(codes))
        order = present[np.argsort(first[present])]
        number = np.full(len(part.categories) + 1, -1, np.int64)
        number[order] = np.arange(len(order))
        # The database's empty categories are of no type.
        categories = part.categories.take(order) if len(order) else pd.Index([], dtype=object)
        return pd.Categorical.from_codes(number[codes], categories=categories)
    if whole and part.dtype.kind == "f" and not np.isnan(part).any():
        return part.astype(np.int64)
    return part
