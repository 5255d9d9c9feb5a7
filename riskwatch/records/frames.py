"""Put typed columns together as data frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from riskwatch.records.columns import Typed
from riskwatch.records.streams import Field

__all__ = ["column_of", "frame_of", "text_column"]

Rows = npt.NDArray[np.int64]


def text_column(typed: Typed, rows: Rows) -> Any:
    """Return plain text of some rows; for keys, which hardly repeat."""
    indices = typed.indices[rows]
    return pd.array(pc.take(typed.values, pa.array(indices, mask=indices < 0)), dtype="str")


def _categorical(typed: Typed | None, rows: Rows) -> pd.Categorical:
    if typed is None or not len(typed.values):
        return pd.Categorical.from_codes(np.full(len(rows), -1, dtype=np.int8), categories=pd.Index([], dtype="str"))
    indices, texts = typed.indices[rows], typed.values
    used = np.zeros(len(texts) + 1, dtype=np.bool_)
    used[indices] = True
    used = used[:-1]
    if not used.all():
        # A category that only rejected rows had would still show up in every grouping.
        table = np.append(np.cumsum(used, dtype=np.int32) - 1, np.int32(-1))
        indices, texts = table[indices], texts.filter(pa.array(used))
    return pd.Categorical.from_codes(indices, categories=pd.Index(texts.to_pandas(), dtype="str"), validate=False)


def column_of(field: Field, typed: Typed | None, rows: Rows) -> Any:
    """Return one column of a frame as an array, in the dtype of the field's kind.

    Text, codes, choices and moments are categoricals, dates ``datetime64[s]``, yes/no ``boolean``, floats float64, counts int64
    (``Int64`` where the field is not required).
    """
    size = len(rows)
    if field.kind in {"text", "code", "moment"}:
        return _categorical(typed, rows)
    if field.kind == "date":
        missing = np.datetime64("NaT", "s")
        return np.full(size, missing) if typed is None else np.append(typed.values, missing)[typed.indices[rows]]
    if field.kind == "bool":
        if typed is None:
            return pd.arrays.BooleanArray(np.zeros(size, dtype=np.bool_), np.ones(size, dtype=np.bool_))
        indices = typed.indices[rows]
        return pd.arrays.BooleanArray(np.append(typed.values, False)[indices], indices < 0)
    numbers = np.full(size, np.nan) if typed is None else np.append(typed.values, np.nan)[typed.indices[rows]]
    if field.kind == "float":
        return numbers
    if field.required:
        return numbers.astype(np.int64)
    absent = np.isnan(numbers)
    return pd.arrays.IntegerArray(np.where(absent, 0, numbers).astype(np.int64), absent)


def frame_of(
    fields: Sequence[Field],
    columns: Mapping[str, Typed | None],
    rows: Rows,
    *,
    keys: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return the fields of some rows as a frame; a field without a column is all missing.

    ``keys`` holds columns that stand before the fields or in place of one, ``extra`` further ones at the end.
    """
    ready = dict(keys or {})
    made = {field.name: column_of(field, columns.get(field.name), rows) for field in fields if field.name not in ready}
    return pd.DataFrame({**ready, **made, **(extra or {})}, index=pd.RangeIndex(len(rows)), copy=False)
