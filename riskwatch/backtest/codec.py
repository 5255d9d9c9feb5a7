"""Figures of concerns as JSON and back, exactly: floats keep every bit, tuples stay tuples, and only known types are made."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from riskwatch.assessment.cases import Cases
from riskwatch.assessment.doubts import Doubt
from riskwatch.assessment.facts import Facts, InjuryFacts, NoticeFacts, OtherFacts, SpotCheckFacts
from riskwatch.assessment.floors import FloorEvent
from riskwatch.assessment.outside import Heard
from riskwatch.assessment.related import Shared
from riskwatch.assessment.suppliers import SupplierFigures
from riskwatch.assessment.types import Grade
from riskwatch.outside.goods import Met
from riskwatch.outside.weight import Term, Weight
from riskwatch.runner.quality import ReporterState

__all__ = ["decode", "encode"]

TYPES: dict[str, type] = {
    one.__name__: one
    for one in (
        Cases, Doubt, Facts, FloorEvent, Heard, InjuryFacts, Met, NoticeFacts, OtherFacts, ReporterState, Shared, SpotCheckFacts,
        SupplierFigures, Term, Weight,
    )
}  # fmt: skip
_KIND, _VALUE = "~", "v"


def encode(value: object) -> Any:
    """Return a value as JSON-able data that :func:`decode` turns back.

    Raises
    ------
    TypeError
        If it holds a type that is not known here.
    """
    if value is None or isinstance(value, (bool, str)) or type(value) is int:
        return value
    if isinstance(value, Grade):
        return {_KIND: "grade", _VALUE: value.name}
    if isinstance(value, np.generic):
        return {_KIND: "scalar", "t": value.dtype.str, _VALUE: encode(value.item())}
    if isinstance(value, float):
        return value if math.isfinite(value) else {_KIND: "float", _VALUE: repr(value)}
    if type(value) is dt.date:
        return {_KIND: "day", _VALUE: value.isoformat()}
    if isinstance(value, np.ndarray):
        return {_KIND: "array", "t": value.dtype.str, _VALUE: [encode(one) for one in value.tolist()]}
    if isinstance(value, pd.DataFrame) and value.index.equals(pd.RangeIndex(len(value))):
        return {_KIND: "frame", "rows": len(value), _VALUE: [[str(name), *_column(value[name])] for name in value.columns]}
    if isinstance(value, list):
        return [encode(one) for one in value]
    if isinstance(value, tuple):
        return {_KIND: "tuple", _VALUE: [encode(one) for one in value]}
    if isinstance(value, frozenset):
        return {_KIND: "set", _VALUE: [encode(one) for one in sorted(value)]}
    if isinstance(value, Mapping):
        return {_KIND: "map", _VALUE: [[encode(key), encode(one)] for key, one in value.items()]}
    name = type(value).__name__
    if TYPES.get(name) is type(value) and dataclasses.is_dataclass(value):
        fields = {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {_KIND: name, _VALUE: fields}
    raise TypeError(f"encode: no form for {type(value).__module__}.{name}")


def _column(values: pd.Series[Any]) -> tuple[Any, Any]:
    """Return the type and the values of a column."""
    kind = values.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return ["category", bool(kind.ordered), _column(pd.Series(kind.categories))], values.cat.codes.tolist()
    if isinstance(kind, pd.StringDtype):
        return ["text", kind.storage, kind.na_value is pd.NA], [
            None if missing else text for text, missing in zip(values, values.isna(), strict=True)
        ]
    if not isinstance(kind, np.dtype) or kind.kind not in "biufMO":
        raise TypeError(f"encode: no form for a column of {kind}")
    array = values.to_numpy()
    plain = (array.view(np.int64) if kind.kind == "M" else array).tolist()
    return kind.str, plain if kind.kind in "biuM" else [encode(one) for one in plain]


def _values(kind: Any, data: Any) -> Any:
    """Return what :func:`_column` was given, as an array."""
    if isinstance(kind, str):
        dtype = np.dtype(kind)
        if dtype.kind == "M":
            return np.array(data, np.int64).view(dtype)
        if dtype.kind in "biu":
            return np.array(data, dtype)
        found = np.empty(len(data), dtype)
        found[:] = [decode(one) for one in data]
        # Plain Python strings stay what they are: without the type, texts become Arrow's.
        return pd.Series(found, dtype=dtype) if dtype.kind == "O" else found
    if kind[0] == "category":
        return pd.Categorical.from_codes(data, categories=pd.Index(_values(*kind[2])), ordered=kind[1])
    return pd.array(data, dtype=pd.StringDtype(kind[1], na_value=pd.NA if kind[2] else np.nan))


def decode(data: Any) -> Any:
    """Return what :func:`encode` was given.

    Raises
    ------
    TypeError
        If the data name a type that is not known here.
    """
    if isinstance(data, list):
        return [decode(one) for one in data]
    if not isinstance(data, dict):
        return data
    kind, value = data[_KIND], data[_VALUE]
    if kind == "frame":
        return pd.DataFrame({name: _values(dtype, values) for name, dtype, values in value}, index=range(data["rows"]))
    if kind == "float":
        return float(value)
    if kind == "scalar":
        return np.dtype(data["t"]).type(decode(value))
    if kind == "grade":
        return Grade[value]
    if kind == "day":
        return dt.date.fromisoformat(value)
    if kind == "array":
        return np.array([decode(one) for one in value], dtype=np.dtype(data["t"]))
    if kind in {"tuple", "set"}:
        return (tuple if kind == "tuple" else frozenset)(decode(one) for one in value)
    if kind == "map":
        return {decode(key): decode(one) for key, one in value}
    if kind in TYPES:
        return TYPES[kind](**{name: decode(one) for name, one in value.items()})
    raise TypeError(f"decode: no type {kind!r}")
