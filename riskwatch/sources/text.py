"""One canonical text for every value, whatever file or database it came from.

The same fact must read the same from CSV, XLSX, Parquet and SQL, or loading it twice would make two versions of it:

* whole numbers have no ``.0`` (spreadsheets and pandas turn integers with gaps into floats), others their shortest exact form;
* a time stamp at midnight is a date (``2024-01-02``), others are ISO 8601 (``2024-01-02T10:21:09``);
* true and false are ``true`` and ``false``; nested values are JSON; missing, NaN and empty text are null.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from riskwatch.errors import SourceError

__all__ = ["canonical", "canonical_column", "canonical_table", "table_of_rows"]

_MIDNIGHT = dt.time(0, 0)
# Beyond this a float no longer holds every integer, so its digits mean nothing as a code.
_EXACT = 2.0**53


def canonical(value: object) -> str | None:
    """Return the canonical text of one value; None for missing.

    Examples
    --------
    >>> canonical(42.0), canonical(2.5), canonical(True), canonical("")
    ('42', '2.5', 'true', None)
    """
    if value is None:
        return None
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    if isinstance(value, Decimal):
        if value.is_nan():
            return None
        return format(value.to_integral_value(), "f") if value == value.to_integral_value() else format(value.normalize(), "f")
    if isinstance(value, dt.datetime):
        if value.tzinfo is None and value.time() == _MIDNIGHT:
            return value.date().isoformat()
        return value.isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex() or None
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping | Sequence):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=canonical)
    return str(value)


def table_of_rows(names: Sequence[str], rows: Sequence[Sequence[object]]) -> pa.Table:
    """Return a table of text from rows of Python values, one column per name."""
    columns: list[list[str | None]] = [[canonical(row[position]) for row in rows] for position in range(len(names))]
    return pa.table([pa.array(column, pa.string()) for column in columns], names=list(names))


def canonical_table(table: pa.Table) -> pa.Table:
    """Return `table` with every column turned into canonical text."""
    arrays = [canonical_column(table.column(position)) for position in range(table.num_columns)]
    return pa.table(arrays, names=table.column_names)


def canonical_column(column: Any) -> Any:
    """Turn one Arrow column (chunked array) into canonical text, by whole-array operations where the type allows."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return canonical_column(pc.cast(column, kind.value_type))
    if pa.types.is_null(kind):
        return pa.chunked_array([pa.nulls(len(column), pa.string())])
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        try:
            text = pc.cast(column, pa.string())
        except pa.ArrowInvalid as error:  # more than 2 GiB of text in one chunk
            raise SourceError(f"a column of text is too large to convert: {error}") from error
        return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_date(kind):
        return pc.cast(pc.cast(column, pa.date32()), pa.string())
    if pa.types.is_timestamp(kind) and kind.tz is None:
        return _timestamps(column)
    if pa.types.is_floating(kind):
        return _floats(column)
    return pa.chunked_array([pa.array([canonical(value) for value in column.to_pylist()], pa.string())])


def _timestamps(column: Any) -> Any:
    days = pc.cast(pc.floor_temporal(column, unit="day"), pa.timestamp(column.type.unit))
    whole = pc.equal(column, days)
    dates = pc.strftime(days, format="%Y-%m-%d")
    if pc.all(whole, min_count=0).as_py():
        return dates
    full = pa.chunked_array([pa.array([canonical(value) for value in column.to_pylist()], pa.string())])
    return pc.if_else(whole, dates, full)


def _floats(column: Any) -> Any:
    wide = pc.cast(column, pa.float64()) if not pa.types.is_float32(column.type) else column
    # float32 keeps its own shortest form: 0.1 must not become 0.10000000149011612.
    nan = pc.is_nan(wide)
    wide = pc.if_else(nan, pa.scalar(None, wide.type), wide)
    whole = pc.and_(pc.equal(wide, pc.floor(wide)), pc.less(pc.abs(wide), _EXACT))
    integers = pc.cast(pc.cast(pc.if_else(whole, wide, pa.scalar(None, wide.type)), pa.int64()), pa.string())
    if pc.all(pc.fill_null(whole, True), min_count=0).as_py():
        return integers
    shortest = [None if value is None else canonical(value) for value in _python_floats(wide)]
    return pc.if_else(pc.fill_null(whole, False), integers, pa.chunked_array([pa.array(shortest, pa.string())]))


def _python_floats(column: Any) -> list[float | None]:
    if pa.types.is_float32(column.type):
        return [None if text is None else float(text) for text in pc.cast(column, pa.string()).to_pylist()]
    values: list[float | None] = column.to_pylist()
    return values
