"""Figures of concerns as JSON and back, exactly: floats keep every bit, tuples stay tuples, and only known types are made."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from riskwatch.assessment.cases import Cases
from riskwatch.assessment.doubts import Doubt
from riskwatch.assessment.facts import Facts, InjuryFacts, NoticeFacts, OtherFacts, SpotCheckFacts
from riskwatch.assessment.outside import Heard
from riskwatch.assessment.related import Shared
from riskwatch.outside.goods import Met
from riskwatch.outside.weight import Term, Weight
from riskwatch.runner.quality import ReporterState

__all__ = ["decode", "encode"]

TYPES: dict[str, type] = {
    one.__name__: one
    for one in (Cases, Doubt, Facts, Heard, InjuryFacts, Met, NoticeFacts, OtherFacts, ReporterState, Shared, SpotCheckFacts, Term, Weight)
}
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
    if isinstance(value, np.generic):
        return {_KIND: "scalar", "t": value.dtype.str, _VALUE: encode(value.item())}
    if isinstance(value, float):
        return value if math.isfinite(value) else {_KIND: "float", _VALUE: repr(value)}
    if type(value) is dt.date:
        return {_KIND: "day", _VALUE: value.isoformat()}
    if isinstance(value, np.ndarray):
        return {_KIND: "array", "t": value.dtype.str, _VALUE: [encode(one) for one in value.tolist()]}
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
    if kind == "float":
        return float(value)
    if kind == "scalar":
        return np.dtype(data["t"]).type(decode(value))
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
