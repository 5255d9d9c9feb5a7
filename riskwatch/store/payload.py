"""JSON text of results: dataclasses, enumerations and days included, always the same characters for the same content."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["dumps"]


def dumps(value: Any) -> str:
    """Write a value as JSON with sorted keys.

    Dataclasses and mappings become objects, tuples and sets lists (sets sorted), days ISO text, enumerations with text values
    their value and others their name. JSON has no NaN and no infinity: NaN becomes null, infinity the text ``"inf"`` or ``"-inf"``.

    Raises
    ------
    TypeError
        If a value has no JSON form.
    """
    return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    # The plain types themselves first, for nearly all values are of them; what derives from them is looked at below.
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is dict:
        return {key if type(key) is str else str(_plain(key)): _plain(entry) for key, entry in value.items()}
    if kind is list or kind is tuple:
        return [_plain(entry) for entry in value]
    if isinstance(value, enum.Enum):
        return value.value if isinstance(value.value, str) else value.name
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float | np.floating):
        number = float(value)
        if math.isnan(number):
            return None
        return number if math.isfinite(number) else str(number)
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, dt.date):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(entry) for key, entry in value.items()}
    if isinstance(value, set | frozenset):
        return [_plain(entry) for entry in sorted(value)]
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(entry) for entry in value]
    raise TypeError(f"dumps: no JSON form for {type(value).__name__}: {value!r}")
