"""What a replay has to compute: a key for every result, made of all that it rests on, and whether it is there."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from riskwatch.assessment.discovery import control_rules
from riskwatch.backtest.cache import key_of
from riskwatch.backtest.setting import Setting
from riskwatch.backtest.work import AssessTask, DayKeys, DetectTask, LooksTask
from riskwatch.definitions.types import PipelineDefinition
from riskwatch.errors import ProjectError
from riskwatch.records.streams import STREAMS
from riskwatch.runner.borders import borders_hash, borders_of
from riskwatch.runner.code import code_hash
from riskwatch.runner.detect import detection_id
from riskwatch.runner.freshness import freshness_by_source

__all__ = ["Detections", "plan_assessments", "plan_detections", "plan_looks", "run_days"]

# Definitions that no assessment reads. Models and their sources count through their detections as well.
UNREAD = (
    "settings", "delivery", "schedule", "retention", "report", "backtest", "lifecycle", "indicators", "trends", "rates", "ladders",
)  # fmt: skip
UNREAD_KINDS = ("pipelines.", "centres.")
BLOCK = 7  # days of one model that a worker takes at once


def run_days(first: dt.date, last: dt.date, step: int) -> list[dt.date]:
    """Return the days from ``first`` to ``last``, every ``step`` days; the last day is not added where it does not fall on one.

    Raises
    ------
    ProjectError
        If the first lies after the last.
    """
    if first > last:
        raise ProjectError(f"backtest: --from {first} lies after --to {last}")
    return [first + dt.timedelta(days=number) for number in range(0, (last - first).days + 1, step)]


@dataclass
class Detections:
    """Where the detections of a replay lie.

    Attributes
    ----------
    models : sequence of str
        In the order of their definitions.
    addresses, keys : mapping of (str, date) to str
        Of a model and day.
    failed : mapping of date to mapping of str to str
        Day -> model -> why it failed.
    """

    models: Sequence[str]
    days: Sequence[dt.date]
    addresses: dict[tuple[str, dt.date], str] = field(default_factory=dict)
    keys: dict[tuple[str, dt.date], str] = field(default_factory=dict)
    failed: dict[dt.date, dict[str, str]] = field(default_factory=dict)

    def of_day(self, day: dt.date, looks: dict[tuple[str, dt.date], str]) -> DayKeys:
        """Return which results make up a day."""
        failed = self.failed.get(day, {})
        return DayKeys(day, {name: (self.keys[name, day], looks[name, day]) for name in self.models if name not in failed}, failed)


def plan_detections(
    setting: Setting, pipeline: PipelineDefinition, days: Sequence[dt.date], advance: Callable[[], None] = lambda: None
) -> tuple[Detections, list[DetectTask], int]:
    """Return the keys of all detections, what is to be computed, and how many results that is.

    Raises
    ------
    ProjectError
        If the pipeline does not detect, assess and warn.
    """
    steps = {step.step: step for step in pipeline.steps}
    missing = [name for name in ("detect", "assess", "warn") if name not in steps]
    if missing:
        raise ProjectError(
            f"backtest: pipeline {pipeline.name} has no step {', '.join(missing)}", hint="replay one that warns, such as daily"
        )
    wanted = steps["detect"].models
    models = [name for name in setting.definitions.models if not wanted or name in wanted]
    found = Detections(models, days)
    code = code_hash()
    todo: dict[str, list[tuple[dt.date, str, str]]] = {}
    first: set[str] = set()
    for day in days:
        ctx = setting.context(day)
        fresh = freshness_by_source(ctx.store, day)
        for name in models:
            address = detection_id(ctx, setting.definitions.models[name], fresh)
            key = key_of(stage="detection", address=address, code=code)
            found.addresses[name, day], found.keys[name, day] = address, key
            # The same address on two days: fitted once, as in a run.
            if key not in first and not setting.cache.has("detection", key):
                first.add(key)
                todo.setdefault(name, []).append((day, address, key))
        advance()
    tasks = [
        DetectTask(name, tuple(listed[start : start + BLOCK])) for name, listed in todo.items() for start in range(0, len(listed), BLOCK)
    ]
    return found, tasks, len(first)


def plan_looks(setting: Setting, found: Detections) -> tuple[dict[tuple[str, dt.date], str], list[LooksTask]]:
    """Return the key of the looks of every model and day, and the models for which some are missing."""
    keys: dict[tuple[str, dt.date], str] = {}
    tasks = []
    for name in found.models:
        days = [day for day in found.days if name not in found.failed.get(day, {})]
        before, listed = "", []
        for day in days:
            # A figure that is seen again is no further look: the same detection twice in a row changes nothing.
            before = keys[name, day] = key_of(stage="looks", before=before, detection=found.keys[name, day])
            listed.append((found.keys[name, day], before))
        if any(not setting.cache.has("looks", key) for _, key in listed):
            tasks.append(LooksTask(name, tuple(listed)))
    return keys, tasks


def plan_assessments(
    setting: Setting, pipeline: PipelineDefinition, found: Detections, looks: dict[tuple[str, dt.date], str]
) -> tuple[dict[dt.date, str], list[AssessTask]]:
    """Return the key of the assessments of every day, and what is to be computed."""
    profiles = any(step.step == "profile" for step in pipeline.steps)
    definitions = {
        name: value
        for name, value in sorted(setting.definitions.hashes.items())
        if name not in UNREAD and not name.startswith(UNREAD_KINDS)
    }
    # How warnings live on is for the state machine alone: no assessment reads it.
    graded = {name: value for name, value in setting.definitions.catalogue("grading").items() if name != "lifecycle"}
    others = {name: value for name, value in definitions.items() if name != "grading" and not name.startswith("models.")}
    shared = {
        "trees": {name: tree.fingerprint for name, tree in sorted(setting.trees.items())},
        "borders": borders_hash(borders_of(setting.definitions.root)),
        "code": code_hash(),
    }
    grading = hashlib.sha256(json.dumps(graded, sort_keys=True, default=str).encode()).hexdigest()
    ruled = {"definitions": key_of(**{**definitions, "grading": grading}), "profiles": profiles}
    # Of the grading rules, the control of false discoveries reads these alone; of the rest, detections, looks and the trees.
    controlled = {"rules": control_rules(setting.grading), "trees": shared["trees"], "code": shared["code"]}
    keys: dict[dt.date, str] = {}
    tasks = []
    for day in found.days:
        of_day = found.of_day(day, looks)
        vintages = {stream: setting.arrivals.vintage(stream, None, day) for stream in STREAMS}
        models = {name: list(pair) for name, pair in of_day.models.items()}
        known = {"day": day.isoformat(), "vintages": vintages, **shared}
        key = keys[day] = key_of(stage="assessment", models=models, failed=sorted(of_day.failed), **known, **ruled)
        if not setting.cache.has("assessment", key):
            # The figures of a concern rest on the records in its window, whoever raised it: neither on models nor on thresholds.
            facts = key_of(stage="facts", definitions=key_of(**others), **known)
            judged = key_of(stage="judged", models=models, **controlled)
            tasks.append(AssessTask(of_day, profiles, key, facts, judged))
    return keys, tasks
