"""The pieces of a replay that workers do: each reads the setting and the cache, and leaves one file or several."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from riskwatch.assessment import to_payload
from riskwatch.assessment.discovery import control
from riskwatch.assessment.protocols import TreePaths, tree_of
from riskwatch.backtest.cache import key_of
from riskwatch.backtest.calibration import counted
from riskwatch.backtest.frames import load_detection, load_looks, save_detection, save_looks
from riskwatch.backtest.judged import JudgedDay, load_judged, save_judged
from riskwatch.backtest.memory import DayMemory
from riskwatch.backtest.setting import Setting
from riskwatch.digest import QualityReport
from riskwatch.errors import LeaseHeldError, StoreError
from riskwatch.runner.assess import assess_day, first_alarm, since_alarm
from riskwatch.runner.detect import Detection, fit
from riskwatch.runner.freshness import freshness_by_source
from riskwatch.runner.looks import SeenFigures
from riskwatch.runner.quality import reporter_state, source_health
from riskwatch.runner.run import RunReport, supported_by_profiles

__all__ = ["AssessTask", "DayKeys", "DetectTask", "LooksTask", "assess", "detect", "judged_day", "looks", "signals_of"]

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
    """Assess one day; ``facts``: key of what it remembers whatever the thresholds; ``judged``: of its series judged together."""

    day: DayKeys
    profiles: bool
    key: str
    facts: str
    judged: str


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
    seen = SeenFigures()
    for detected, key in task.days:
        save_looks(setting.cache, key, seen.count(load_detection(setting.cache, detected, model, setting.trees).signals))


def signals_of(setting: Setting, keys: DayKeys) -> tuple[Detection, pd.DataFrame]:
    """Return a day's detection, and its signals with looks."""
    detection = Detection(failed=dict(keys.failed))
    counted = []
    for name, (detected, looked) in keys.models.items():
        run = load_detection(setting.cache, detected, setting.definitions.models[name], setting.trees)
        detection.runs.append(run)
        if len(run.signals):
            counted.append(load_looks(setting.cache, looked))
    signals = detection.signals
    return detection, signals.assign(looks=np.concatenate(counted) if counted else 1)


def judged_day(setting: Setting, task: AssessTask) -> JudgedDay:
    """Return a day's judged series with false discoveries controlled, from the cache where they are there."""
    if setting.cache.has("judged", task.judged):
        return load_judged(setting.cache, task.judged)
    ctx = setting.context(task.day.day)
    detection, signals = signals_of(setting, task.day)
    paths = {name: TreePaths(tree_of(ctx.trees, name)) for name in ("product", "industry", "region")}
    judged = signals.loc[(signals["reason"] == "").to_numpy() & signals["p_value"].notna().to_numpy()]
    reached = judged[[*SERIES_COLUMNS, "period_end"]].drop_duplicates()
    alarms = judged.loc[
        judged["alarm"].to_numpy(bool) & (judged["observed"] > judged["expected"]).to_numpy(), list(SERIES_COLUMNS)
    ].drop_duplicates()
    tables = {"judged": _table(reached), "alarms": _table(alarms)}
    tables["judged"] = tables["judged"].append_column("period_end", pa.array(reached["period_end"].tolist(), pa.date32()))
    streams = {run.model: setting.definitions.models[run.model].stream for run in detection.runs if len(run.signals)}
    made = JudgedDay(control(signals, ctx.grading, paths), first_alarm(signals), streams, tables)
    save_judged(setting.cache, task.judged, made)
    return made


def assess(setting: Setting, task: AssessTask) -> None:
    """Assess the concerns of one day, and keep what the state machine reads beside them."""
    ctx = setting.context(task.day.day)
    day = judged_day(setting, task)
    since = since_alarm(ctx, day.first_alarm)
    memory = DayMemory(setting.cache, key_of(facts=task.facts, since=since.isoformat()))
    rules = [getattr(ctx.grading, name).model_dump(mode="json") for name in ("absence", "artefacts")]
    absence = memory.recall("reporters", rules, lambda: reporter_state(ctx))
    # Of the quality report an assessment reads the states of sources alone.
    quality = QualityReport(sources=source_health(ctx, []))
    assessments = assess_day(ctx, day.controlled, quality, absence, memory, since=since)
    report = RunReport("", "", ctx.as_of)
    if task.profiles:
        assessments = list(supported_by_profiles(ctx, assessments, report, memory))
    memory.save()
    setting.cache.write(
        "assessment",
        task.key,
        day.tables,
        {
            "assessments": [to_payload(one) for one in assessments],
            "silent": absence.shares,
            "streams": day.streams,
            "calibration": counted(day.controlled.table),
            "faults": report.faults,
        },
    )


def _table(frame: pd.DataFrame) -> pa.Table:
    return pa.table({name: pa.array(frame[name].astype(str).tolist(), pa.string()).dictionary_encode() for name in SERIES_COLUMNS})
