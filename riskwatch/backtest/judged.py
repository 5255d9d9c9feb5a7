"""A day's judged series with their q-values as a file of the cache, and back: the same whatever thresholds are put on them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from riskwatch.assessment.discovery import Controlled
from riskwatch.backtest.cache import Cache
from riskwatch.backtest.frames import objects_of

__all__ = ["JudgedDay", "load_judged", "save_judged"]


@dataclass(frozen=True, eq=False)
class JudgedDay:
    """What an assessment reads of a day's detections.

    Attributes
    ----------
    controlled : Controlled
    first_alarm : date or None
        First day of the earliest period in alarm.
    streams : mapping of str to str
        Model -> stream.
    tables : mapping of str to pyarrow.Table
        ``judged`` and ``alarms``, for the state machine.
    """

    controlled: Controlled
    first_alarm: dt.date | None
    streams: dict[str, str]
    tables: dict[str, pa.Table]


def save_judged(cache: Cache, key: str, day: JudgedDay) -> None:
    """Store what the judged series of a day came to."""
    table = day.controlled.table
    kinds = {str(name): str(table[name].dtype) for name in table.columns}
    columns = {
        name: pa.array(table[name].tolist(), pa.string()).dictionary_encode() if kind == "object" else pa.array(table[name].to_numpy())
        for name, kind in kinds.items()
    }
    note = {
        "kinds": kinds,
        "counts": day.controlled.counts,
        "first_alarm": None if day.first_alarm is None else day.first_alarm.isoformat(),
        "streams": day.streams,
    }
    tables = {"series": pa.table(columns), "families": pa.table({"q": pa.array(day.controlled.family_q, pa.float64())}), **day.tables}
    cache.write("judged", key, tables, note)


def load_judged(cache: Cache, key: str) -> JudgedDay:
    """Return what :func:`save_judged` stored."""
    tables, note = cache.read("judged", key)
    series, families = tables.pop("series"), tables.pop("families")
    # Fresh columns, each as it is: to lay them together would copy all of them.
    table = pd.DataFrame({name: _column(series.column(name), note["kinds"][name]) for name in series.column_names}, copy=False)
    family_q = np.asarray(families.column("q").to_numpy(), dtype=np.float64)
    told = note["first_alarm"]
    first = None if told is None else dt.date.fromisoformat(told)
    return JudgedDay(Controlled(table, family_q, note["counts"]), first, note["streams"], tables)


def _column(values: pa.ChunkedArray, kind: str) -> pd.Series:
    if kind == "object":
        # Plain Python strings as they were: without the type, texts become Arrow's.
        return pd.Series(objects_of(values), dtype="object", copy=False)
    if pa.types.is_string(values.type):
        return pd.Series(pd.array(values, dtype=kind), copy=False)
    return pd.Series(values.to_numpy(zero_copy_only=False).astype(kind, copy=False), copy=False)
