"""The pieces of a replay that workers do: each reads the setting and the cache, and leaves one file or several."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from riskwatch.assessment import to_payload
from riskwatch.backtest.cache import key_of
from riskwatch.backtest.frames import load_detection, load_looks, save_detection, save_looks
from riskwatch.backtest.memory import DayMemory
from riskwatch.backtest.setting import Setting
from riskwatch.errors import LeaseHeldError, StoreError
from riskwatch.runner.detect import Detection, fit
from riskwatch.runner.freshness import freshness_by_source
from riskwatch.runner.looks import FIGURES, KEY, count_looks
from riskwatch.runner.quality import quality_report, reporter_state
from riskwatch.runner.run import RunReport, assess_day, read_since, supported_by_profiles

__all__ = ["AssessTask", "DayKeys", "DetectTask", "LooksTask", "assess", "detect", "looks", "signals_of"]

SERIES_COLUMNS = ("model", "stratum", "product", "industry", "region")


@dataclass(frozen=True)
class DetectTask:
    """Judge one model as of some days: each with the address of the detection and the key of its result."""

    model: str
    days: tuple[tuple[dt.date, str, str], ...]


@dataclass(frozen=True)
class LooksTask:
    """Count the looks of one model over all days, in order: (key of the detection, key of the looks)."""

    model: str
    days: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class DayKeys:
    """Which results make up a day: model -> (key of its detection, key of its looks), in the order of the definitions."""

    day: dt.date
    models: Mapping[str, tuple[str, str]]
    failed: Mapping[str, str]


@dataclass(frozen=True)
class AssessTask:
    """Assess one day; ``facts``: key of what it remembers whatever the thresholds."""

    day: DayKeys
    profiles: bool
    key: str
    facts: str


def detect(setting: Setting, task: DetectTask) -> dict[dt.date, str]:
    """Judge one model as of each day of the task; return the days on which it failed, and how. Failures are not kept."""
    failed = {}
    model = setting.definitions.models[task.model]
    for day, address, key in task.days:
        ctx = setting.context(day)
        try:
            save_detection(setting.cache, key, fit(ctx, model, freshness_by_source(ctx.store, day), address))
        except (StoreError, LeaseHeldError):
            raise
        except Exception as error:  # noqa: BLE001 - as in a run: whatever is wrong with one model, the others are judged
            failed[day] = f"{type(error).__name__}: {error}"
    return failed


def looks(setting: Setting, task: LooksTask) -> None:
    """Count how often each judgement of a model was looked at before, over all days in order."""
    model = setting.definitions.models[task.model]
    seen = pd.DataFrame(columns=[*KEY, *FIGURES])
    for detected, key in task.days:
        signals = load_detection(setting.cache, detected, model).signals
        judged = signals.loc[signals["p_value"].notna(), [*KEY, *FIGURES]]
        # Periods before the oldest judged one are not asked for again: a model's window only moves on.
        mine = seen[seen["period_start"] >= min(judged["period_start"])] if len(judged) and len(seen) else seen
        save_looks(setting.cache, key, count_looks(mine, signals) if len(judged) else np.ones(len(signals), np.int64))
        if len(judged):
            seen = pd.concat([mine, judged], ignore_index=True) if len(mine) else judged
            seen = seen.drop_duplicates([*KEY, *FIGURES], ignore_index=True)


def signals_of(setting: Setting, keys: DayKeys) -> tuple[Detection, pd.DataFrame]:
    """Return a day's detection, and its signals with looks."""
    detection = Detection(failed=dict(keys.failed))
    counted = []
    for name, (detected, looked) in keys.models.items():
        run = load_detection(setting.cache, detected, setting.definitions.models[name])
        detection.runs.append(run)
        if len(run.signals):
            counted.append(load_looks(setting.cache, looked))
    signals = detection.signals
    return detection, signals.assign(looks=np.concatenate(counted) if counted else 1)


def assess(setting: Setting, task: AssessTask) -> None:
    """Assess the concerns of one day, and keep what the state machine reads beside them."""
    ctx = setting.context(task.day.day)
    detection, signals = signals_of(setting, task.day)
    memory = DayMemory(setting.cache, key_of(facts=task.facts, since=read_since(ctx, signals).isoformat()))
    rules = [getattr(ctx.grading, name).model_dump(mode="json") for name in ("absence", "artefacts")]
    absence = memory.recall("reporters", rules, lambda: reporter_state(ctx))
    assessments = assess_day(ctx, signals, quality_report(ctx, detection, [], absence), absence, memory)
    memory.save()
    report = RunReport("", "", ctx.as_of)
    if task.profiles:
        assessments = list(supported_by_profiles(ctx, assessments, report))
    judged = signals.loc[(signals["reason"] == "").to_numpy() & signals["p_value"].notna().to_numpy()]
    reached = judged[[*SERIES_COLUMNS, "period_end"]].drop_duplicates()
    alarms = judged.loc[
        judged["alarm"].to_numpy(bool) & (judged["observed"] > judged["expected"]).to_numpy(), list(SERIES_COLUMNS)
    ].drop_duplicates()
    tables = {"judged": _table(reached), "alarms": _table(alarms)}
    tables["judged"] = tables["judged"].append_column("period_end", pa.array(reached["period_end"].tolist(), pa.date32()))
    setting.cache.write(
        "assessment",
        task.key,
        tables,
        {
            "assessments": [to_payload(one) for one in assessments],
            "silent": absence.shares,
            "streams": dict(zip(signals["model"], signals["stream"], strict=True)),
            "faults": report.faults,
        },
    )


def _table(frame: pd.DataFrame) -> pa.Table:
    return pa.table({name: pa.array(frame[name].astype(str).tolist(), pa.string()).dictionary_encode() for name in SERIES_COLUMNS})
