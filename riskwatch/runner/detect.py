"""Detect: records -> panels -> signals, one model after the other, without refitting what has not changed.

A detection is addressed by what it rests on: the model's definition, the trees, the detector's code version, what the store knew on the
day, and the judged periods. The same address means the same numbers, so they are read back instead of computed again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch import __version__
from riskwatch.calendar import frequency_of, period_bounds, period_numbers, periods_from_numbers
from riskwatch.definitions.types import ModelDefinition
from riskwatch.detectors.signals import Signals
from riskwatch.errors import LeaseHeldError, StoreError
from riskwatch.panel import BuiltPanel
from riskwatch.records.streams import STREAMS
from riskwatch.runner.borders import borders_hash, borders_of
from riskwatch.runner.context import RunContext
from riskwatch.runner.freshness import Freshness, freshness_by_source
from riskwatch.runner.overrides import Thresholds, judge, thresholds
from riskwatch.runner.panels import heard_until, model_panel, needs_geography, window
from riskwatch.runner.terms import names_hash
from riskwatch.store import DetectionResult

__all__ = ["Detection", "ModelRun", "detect", "detection_id", "fit", "model_panel", "signal_frame"]

HISTORY_PERIODS = 104  # how far back the digest's small charts look


@dataclass(frozen=True)
class ModelRun:
    """One model's judgement: its signals in long form, what was rolled up, and the history of the alarmed series."""

    model: str
    detection_id: str
    reused: bool
    signals: pd.DataFrame
    rolled_up: pd.DataFrame
    history: dict[str, list[dict[str, object]]]

    def result(self, as_of: dt.date) -> DetectionResult:
        """Return what the store keeps of it."""
        return DetectionResult(self.detection_id, self.model, as_of, self.signals, self.rolled_up, self.history)


@dataclass
class Detection:
    """All models of a run."""

    runs: list[ModelRun] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def signals(self) -> pd.DataFrame:
        """All judged series and periods of the run, one row each."""
        frames = [run.signals for run in self.runs if len(run.signals)]
        return pd.concat(frames, ignore_index=True) if frames else _empty_signals()

    @property
    def reused(self) -> list[str]:
        """Models whose stored signals were read back."""
        return [run.model for run in self.runs if run.reused]


SERIES = ("product", "industry", "region", "stratum")
SIGNAL_COLUMNS = (
    "model", "stream", "source_type", "detector", "detector_hash", *SERIES, "frequency", "period_start", "period_end",
    "observed", "exposure", "expected", "lower", "upper", "p_value", "alarm", "reason", "memory", "evidence_start",
)  # fmt: skip


def _empty_signals() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype="object") for name in SIGNAL_COLUMNS})


def signal_frame(model: ModelDefinition, signals: Signals, held: Thresholds) -> pd.DataFrame:
    """Put a detector's signals in the run's long form and apply the absolute floors to the alarms.

    ``held`` is what each series of ``signals`` is held against: floors, and the method that judged it.
    """
    frame = signals.to_frame()
    for name in SERIES:
        if name not in frame:
            frame[name] = ""
    start, end = period_bounds(signals.periods)
    position = {period: k for k, period in enumerate(signals.periods)}
    k = frame["period"].map(position).to_numpy(dtype=np.int64)
    frame["period_start"] = pd.DatetimeIndex(start).date[k]
    frame["period_end"] = pd.DatetimeIndex(end).date[k]
    frame["evidence_start"] = _evidence_start(signals, k)
    frame["model"], frame["stream"], frame["frequency"] = model.name, model.stream, model.frequency
    frame["source_type"] = STREAMS[model.stream].evidence
    rows = held.repeated(len(signals.periods))
    frame["detector"], frame["detector_hash"], frame["memory"] = model.detector, rows.detector_hash, rows.memory
    # A method that weighs several periods together rests on the cases of all of them: one more after two is three.
    enough = (signals.support.ravel() >= rows.min_observed) & (frame["observed"] >= rows.min_relative_risk * frame["expected"])
    frame["alarm"] = frame["alarm"].to_numpy(dtype=bool) & enough.to_numpy(dtype=bool)
    if "exposure" not in frame:
        frame["exposure"] = np.nan
    return frame[list(SIGNAL_COLUMNS)]


def _evidence_start(signals: Signals, column: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.object_]:
    """Return the first day of the periods in which the evidence of each row lies; ``column``: which judged period a row is of."""
    first = period_numbers(signals.periods)[column] - (signals.spans.ravel() - 1)
    numbers, place = np.unique(first, return_inverse=True)
    days = pd.DatetimeIndex(period_bounds(periods_from_numbers(numbers, frequency_of(signals.periods)))[0]).date
    return np.asarray(days, dtype=object)[place]


def series_key(row: Sequence[str]) -> str:
    """Return the text key of one series: its dimension codes joined by ``|``."""
    return "|".join(row)


def _history(built: BuiltPanel, signals: Signals) -> dict[str, list[dict[str, object]]]:
    """Return the last periods of every alarmed series, with the judged periods' expectation and limit, for charts."""
    alarmed = np.flatnonzero(signals.alarm.any(axis=1)).tolist()
    panel = built.panel
    starts = pd.DatetimeIndex(period_bounds(panel.periods)[0])
    first = max(0, len(panel.periods) - HISTORY_PERIODS)
    judged = {period: k for k, period in enumerate(signals.periods)}
    out: dict[str, list[dict[str, object]]] = {}
    for i in alarmed:
        rows: list[dict[str, object]] = []
        for t in range(first, len(panel.periods)):
            k = judged.get(panel.periods[t])
            rows.append(
                {
                    "period_start": starts[t].date().isoformat(),
                    "observed": _number(panel.observed[i, t]),
                    "exposure": None if panel.exposure is None else _number(panel.exposure[i, t]),
                    "expected": None if k is None else _number(signals.expected[i, k]),
                    "upper": None if k is None else _number(signals.upper[i, k]),
                    "alarm": bool(k is not None and signals.alarm[i, k]),
                }
            )
        out[series_key([str(part) for part in panel.index[i]])] = rows
    return out


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def detection_id(ctx: RunContext, model: ModelDefinition, fresh: Mapping[str, Freshness]) -> str:
    """Return the address of a model's detection: a hash of all that its numbers rest on."""
    start, until = window(ctx, model, fresh)
    basis: dict[str, object] = {
        "model": ctx.definitions.hashes[f"models.{model.name}"],
        "trees": {name: tree.fingerprint for name, tree in sorted(ctx.trees.items())},
        "version": __version__,
        "window": [start.isoformat(), until.isoformat()],
        "vintage": ctx.store.data_vintage(model.stream, sources=model.sources or None, as_of=ctx.as_of),
    }
    if model.delay is not None:
        # The same records on a later day are a larger share of what is to come.
        basis["heard"] = heard_until(ctx, model, fresh).isoformat()
    if model.covariates:
        basis["holidays"] = ctx.definitions.hashes["holidays"]
    if model.terms is not None:
        basis["texts"] = ctx.definitions.hashes.get("texts", "")
        basis["names"] = names_hash(ctx)
    if model.standard_changes:
        basis["standards"] = ctx.definitions.hashes.get("standards", "")
    if needs_geography(model) and "region" in ctx.trees:
        # The trees' fingerprints know codes and parents, not where the regions lie.
        where = ctx.trees["region"].attributes.reindex(columns=["longitude", "latitude"]).sort_index()
        basis["coordinates"] = hashlib.sha256(where.to_csv().encode()).hexdigest()
        basis["borders"] = borders_hash(borders_of(ctx.root))
    return hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()


def _rolled_up(frame: pd.DataFrame) -> pd.DataFrame:
    """Return thin series and the parents that stand for them, as text keys, with the thin series' total."""

    def joined(*names: str) -> pd.Series:
        return pd.Series([series_key(row) for row in zip(*(frame[name].astype(str) for name in names), strict=True)], dtype=str)

    own, above = joined(*SERIES), joined("parent_product", "parent_industry", "parent_region", "stratum")
    return pd.DataFrame({"series": own, "parent": above, "total": frame["total"].astype(float).to_numpy()})


def _read_back(ctx: RunContext, model: ModelDefinition, address: str) -> ModelRun:
    frame = ctx.store.read_signals([address])
    for name in ("period_start", "period_end", "evidence_start"):
        frame[name] = frame[name].dt.date
    frame["stream"], frame["source_type"] = model.stream, STREAMS[model.stream].evidence
    held = thresholds(model, frame[list(SERIES)], ctx.trees)
    frame["detector"], frame["detector_hash"], frame["memory"] = model.detector, held.detector_hash, held.memory
    rolled_up = ctx.store.read_rolled_up([address])
    return ModelRun(model.name, address, True, frame[list(SIGNAL_COLUMNS)], rolled_up, ctx.store.read_history(address))


def _detect_one(ctx: RunContext, model: ModelDefinition, fresh: Mapping[str, Freshness]) -> ModelRun:
    address = detection_id(ctx, model, fresh)
    return _read_back(ctx, model, address) if ctx.store.has_detection(address) else fit(ctx, model, fresh, address)


def fit(ctx: RunContext, model: ModelDefinition, fresh: Mapping[str, Freshness], address: str) -> ModelRun:
    """Judge the series of one model anew; ``address`` is its :func:`detection_id`."""
    built = model_panel(ctx, model, fresh)
    signals = judge(model, built.panel, ctx.trees)
    frame = signal_frame(model, signals, thresholds(model, built.panel.index, ctx.trees))
    return ModelRun(model.name, address, False, frame, _rolled_up(built.rolled_up), _history(built, signals))


def detect(ctx: RunContext, names: Sequence[str] = ()) -> Detection:
    """Run the named models, or all in force. A model that fails is reported and the others go on."""
    chosen = [model for name, model in ctx.definitions.models.items() if not names or name in names]
    detection = Detection()
    fresh = freshness_by_source(ctx.store, ctx.as_of)
    with ctx.reporter.task("detect", total=len(chosen)) as task:
        for model in chosen:
            ctx.heartbeat()
            try:
                detection.runs.append(_detect_one(ctx, model, fresh))
            except (StoreError, LeaseHeldError):
                # Not the model's fault, and not to be written down as such: the run ends here and can be started again.
                raise
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one model, the others are judged
                detection.failed[model.name] = f"{type(error).__name__}: {error}"
                ctx.reporter.say(f"detect {model.name}: failed: {error}")
            task.advance()
    return detection


def judged_day(frame: pd.DataFrame) -> dt.date | None:
    """Return the newest day that any judged period reaches, None if nothing was judged."""
    judged = frame.loc[frame["reason"] == "", "period_end"]
    return None if judged.empty else max(judged)
