"""Detections and assessments as files of the cache, and back as a run has them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from riskwatch.assessment import Assessment, from_payload
from riskwatch.backtest.cache import Cache
from riskwatch.definitions.types import ModelDefinition
from riskwatch.dimensions import Tree
from riskwatch.records.streams import STREAMS
from riskwatch.runner.detect import SERIES, SIGNAL_COLUMNS, ModelRun
from riskwatch.runner.overrides import thresholds

__all__ = ["load_assessments", "load_detection", "load_looks", "objects_of", "save_detection", "save_looks", "words_of"]

NUMBERS = ("observed", "exposure", "expected", "lower", "upper", "p_value")
DAYS = ("period_start", "period_end", "evidence_start")
_EPOCH = dt.date(1970, 1, 1)
ROLLED_UP = ("series", "parent", "total")


def save_detection(cache: Cache, key: str, run: ModelRun) -> None:
    """Store one model's judgements of a day."""
    frame = run.signals
    # The same on every row and told by the model's definition: model, stream, source type, detector, memory.
    columns: dict[str, pa.Array] = {
        name: pa.array(frame[name].astype(str).tolist(), pa.string()).dictionary_encode() for name in (*SERIES, "reason")
    }
    columns |= {name: pa.array(frame[name].to_numpy(np.float64)) for name in NUMBERS}
    columns |= {name: pa.array(frame[name].tolist(), pa.date32()) for name in DAYS}
    columns["alarm"] = pa.array(frame["alarm"].to_numpy(bool))
    thin = {name: pa.array(run.rolled_up[name].astype(str).tolist(), pa.string()) for name in ROLLED_UP[:2]}
    thin["total"] = pa.array(run.rolled_up["total"].to_numpy(np.float64))
    note = {"address": run.detection_id, "history": run.history}
    cache.write("detection", key, {"signals": pa.table(columns), "rolled_up": pa.table(thin)}, note)


def load_detection(cache: Cache, key: str, model: ModelDefinition, trees: Mapping[str, Tree]) -> ModelRun:
    """Return one model's judgements of a day, as a run reads them back."""
    tables, note = cache.read("detection", key)
    signals = tables["signals"]
    frame = pd.DataFrame({name: objects_of(signals.column(name)) for name in (*SERIES, "reason")})
    for name in NUMBERS:
        frame[name] = signals.column(name).to_numpy()
    for name in DAYS:
        frame[name] = _dates_of(signals.column(name))
    frame["alarm"] = signals.column("alarm").to_numpy(zero_copy_only=False)
    frame["model"], frame["stream"], frame["source_type"] = model.name, model.stream, STREAMS[model.stream].evidence
    held = thresholds(model, frame[list(SERIES)], trees)
    frame["detector"], frame["detector_hash"], frame["frequency"] = model.detector, held.detector_hash, model.frequency
    frame["memory"] = held.memory
    rolled_up = tables["rolled_up"].to_pandas()
    return ModelRun(model.name, note["address"], True, frame[list(SIGNAL_COLUMNS)], rolled_up, note["history"])


def words_of(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.integer[Any]]]:
    """Return the distinct texts of a column of repeating texts, as plain Python strings, and the place of each row's among them."""
    whole = column.combine_chunks()
    whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    return np.array(whole.dictionary.to_pylist(), dtype=object), whole.indices.to_numpy()


def objects_of(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    """Return a column of repeating texts as plain Python strings, each text once in memory."""
    words, rows = words_of(column)
    return np.asarray(words[rows], dtype=object) if len(words) else np.empty(len(rows), dtype=object)


def _dates_of(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    """Return a column of repeating days as dates, each made once."""
    numbers, days = pd.factorize(column.cast(pa.int32()).to_numpy())
    return np.asarray(np.array([_EPOCH + dt.timedelta(days=day) for day in days.tolist()], dtype=object)[numbers], dtype=object)


def save_looks(cache: Cache, key: str, looks: npt.NDArray[np.int64]) -> None:
    """Store how often each judgement's series and period had been looked at."""
    cache.write("looks", key, {"looks": pa.table({"looks": pa.array(looks, pa.int64())})})


def load_looks(cache: Cache, key: str) -> npt.NDArray[np.int64]:
    """Return what :func:`save_looks` stored."""
    tables, _ = cache.read("looks", key)
    return np.asarray(tables["looks"].column("looks").to_numpy(), dtype=np.int64)


def load_assessments(cache: Cache, key: str) -> tuple[list[Assessment], dict[str, pa.Table], dict[str, Any]]:
    """Return a day's assessments, the tables beside them, and the note."""
    tables, note = cache.read("assessment", key)
    return [from_payload(one) for one in note.pop("assessments")], tables, note
