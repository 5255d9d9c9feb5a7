"""Frames to Arrow columns as a table wants them, and back."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

__all__ = ["arrow_column", "arrow_rows", "arrow_type", "days", "to_days"]

_EPOCH = dt.date(1970, 1, 1)


def arrow_type(column: sa.ColumnElement[Any]) -> pa.DataType:
    """Return the Arrow type that holds the values of a column."""
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return pa.bool_()
    if isinstance(kind, sa.Integer):
        return pa.int64()
    if isinstance(kind, sa.Double):
        return pa.float64()
    if isinstance(kind, sa.Date):
        return pa.date32()
    if isinstance(kind, sa.LargeBinary):
        return pa.binary()
    return pa.string()


def arrow_column(values: Any, column: sa.Column[Any], dialect: str) -> pa.Array | pa.ChunkedArray:
    """Convert a pandas, numpy or Arrow column to what ADBC writes into ``column``.

    Missing values (NaN, NaT, None, <NA>) become NULL. SQLite gets days as ISO text, PostgreSQL as dates.

    Raises
    ------
    pyarrow.ArrowInvalid
        If a value does not fit the type, such as 1.5 in a column of integers.
    """
    target = arrow_type(column)
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else _from_python(values, target)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_floating(array.type):
        array = pa.array(np.asarray(array), from_pandas=True) if array.null_count == 0 else array
    if array.type != target:
        array = array.cast(target)
    return _iso_text(array) if pa.types.is_date(target) and dialect == "sqlite" else array


def _iso_text(dates: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Write days as ISO text; each distinct day once, for writing them is dear and they repeat."""
    whole = pa.concat_arrays(dates.chunks) if isinstance(dates, pa.ChunkedArray) and dates.num_chunks else dates
    if not len(whole):
        return pa.array([], pa.string())
    encoded = whole.dictionary_encode()
    return encoded.dictionary.cast(pa.string()).take(encoded.indices)


def _from_python(values: Any, target: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, pd.Series) and values.dtype == object:
        return pa.array(values.to_numpy(), type=target, from_pandas=True)
    return pa.array(values, from_pandas=True)


def arrow_rows(rows: Iterable[Mapping[str, Any]], table: sa.Table, dialect: str) -> pa.Table:
    """Convert a list of mappings (every column of the table, None where NULL) to an Arrow table for it."""
    listed = list(rows)
    columns = {}
    for column in table.columns:
        values = [row.get(column.name) for row in listed]
        values = [None if isinstance(value, float) and math.isnan(value) else value for value in values]
        columns[column.name] = arrow_column(pa.array(values, type=arrow_type(column)), column, dialect)
    return pa.table(columns)


def to_days(values: Any) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    """Convert dates, text in ISO form, or datetimes to ``datetime64[D]``; missing becomes NaT."""
    return pd.to_datetime(pd.Series(values)).to_numpy().astype("datetime64[D]")


def days(values: Sequence[dt.date | None] | pa.ChunkedArray | pa.Array) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    """Convert an Arrow column of dates, or of ISO text, to ``datetime64[D]`` with NaT for NULL."""
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, type=pa.date32())
    if not pa.types.is_date(array.type):
        array = array.cast(pa.string()).cast(pa.date32())
    return np.asarray(array.to_numpy(zero_copy_only=False) if isinstance(array, pa.Array) else array.to_numpy()).astype("datetime64[D]")
