"""A stable number for the content of a record: equal content, equal number, on any machine and in any order.

The store compares it with the last version's to tell a repeated row (nothing happens) from a corrected one (a new version).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.util import hash_array

from riskwatch.records.columns import Typed
from riskwatch.records.streams import Stream

__all__ = ["content_hash", "row_words"]

_NOT_CONTENT = frozenset({"row_no", "known_on", "item_no"})
_KEY = "riskwatch-record"  # 16 bytes, as SipHash wants; changing it makes every stored record look corrected
Words = npt.NDArray[np.uint64]


def _mix(words: Words) -> Words:
    """Spread bits (the finaliser of splitmix64, Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return cast("Words", words ^ (words >> np.uint64(31)))


def _hash_texts(texts: Any) -> Words:
    values = np.asarray(texts, dtype=object)
    return cast("Words", hash_array(values, encoding="utf8", hash_key=_KEY, categorize=False))


def _column_words(column: pd.Series) -> tuple[Words, npt.NDArray[np.bool_]]:
    """Return a word per row and where there is a value."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        codes = np.asarray(column.cat.codes)
        table = np.append(_hash_texts(column.cat.categories), np.uint64(0))
        return table[codes], codes >= 0
    present = column.notna().to_numpy()
    if pd.api.types.is_datetime64_any_dtype(dtype):
        days = column.to_numpy().astype("datetime64[D]").astype(np.int64)
        return days.view(np.uint64), present
    if pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_numeric_dtype(dtype):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan) + 0.0  # -0.0 and 0.0 are one number
        return numbers.view(np.uint64), present
    words = np.zeros(len(column), dtype=np.uint64)
    if isinstance(dtype, pd.StringDtype):  # keys, which hardly repeat
        words[present] = _hash_texts(column.array[present])
    elif present.any():
        numbers_of, unique = pd.factorize(column.to_numpy(dtype=object)[present])
        words[present] = _hash_texts([str(value) for value in unique])[numbers_of]
    return words, present


def _frame_words(frame: pd.DataFrame, names: Iterable[str]) -> Words:
    """Return the sum over columns of a mix of name and value; missing values add nothing, so a new optional field changes no hash."""
    total = np.zeros(len(frame), dtype=np.uint64)
    for name in names:
        words, present = _column_words(frame[name])
        seed = _hash_texts([name])[0]
        with np.errstate(over="ignore"):
            total += np.where(present, _mix(_mix(words) ^ seed), np.uint64(0))
    return total


def row_words(columns: Mapping[str, Typed], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return a number for the content of some rows of one batch: equal where all their values are.

    Cheaper than :func:`content_hash`, as distinct texts of a batch are told apart by their places; of no meaning beyond the batch.
    """
    total = np.zeros(len(rows), dtype=np.uint64)
    for number, typed in enumerate(columns.values(), start=1):
        if typed.kind == "text":
            words = np.arange(len(typed.values), dtype=np.uint64)
        else:
            words = (typed.values.astype(np.float64) + 0.0).view(np.uint64)
        with np.errstate(over="ignore"):
            # Places are small numbers: the seeds must be far from them, or one would cancel the other and look like no value.
            mixed = _mix(_mix(words) ^ _hash_texts([f"column {number}"]))
            total += np.append(mixed, np.uint64(0))[typed.indices[rows]]
    return total.view(np.int64)


def content_hash(records: pd.DataFrame, items: pd.DataFrame | None = None, stream: Stream | None = None) -> npt.NDArray[np.int64]:
    """Hash the content of each record, its items included.

    Parameters
    ----------
    records : DataFrame
        Parsed records.
    items : DataFrame, optional
        Their items; matched by ``row_no`` where both frames have it, else by ``record_key``. Order does not count.
    stream : Stream, optional
        Restricts both to declared fields; by default all columns count but ``row_no``, ``known_on`` and ``item_no``.

    Returns
    -------
    array of int64, shape (records,)
        64 bits, independent of row order, of column order, of process, and of how a value is held (categorical or text, int or
        float). Two different contents agree by chance once in 2**64.
    """
    allowed = set(records.columns) if stream is None else {field.name for field in stream.all_fields}
    total = _frame_words(records, [name for name in records.columns if name in allowed and name not in _NOT_CONTENT])
    if items is not None and len(items):
        owner = "row_no" if "row_no" in items.columns and "row_no" in records.columns else "record_key"
        declared = set(items.columns) if stream is None else {field.name for field in stream.items}
        words = _mix(
            _frame_words(items, [name for name in items.columns if name in declared and name not in {*_NOT_CONTENT, "record_key"}])
        )
        place = pd.Index(records[owner].astype(object)).get_indexer(pd.Index(items[owner].astype(object)))
        with np.errstate(over="ignore"):
            np.add.at(total, place[place >= 0], words[place >= 0])
    return _mix(total).view(np.int64)
