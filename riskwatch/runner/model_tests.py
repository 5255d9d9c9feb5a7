"""Run the unit tests of models: records made from a series, judged and graded by the same code as a run's.

What is tested is the model with its detector, parameters and floors, and the grading, on goods of which nothing else is known: one series,
fully reported, each record of another firm and another person. Nothing is read from the store.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from riskwatch.assessment import Grade, assess
from riskwatch.assessment.rules import ActionCatalogue, GradingRules, HazardCatalogue
from riskwatch.calendar import HolidayCalendar, last_complete_period, period_bounds, period_numbers, periods_from_numbers
from riskwatch.definitions import Definitions
from riskwatch.definitions.model_tests import ModelTest, read_series
from riskwatch.definitions.types import ModelDefinition
from riskwatch.dimensions import Tree
from riskwatch.errors import RiskwatchError
from riskwatch.panel import Covariates, build_panel
from riskwatch.panel.by_item import ITEM
from riskwatch.records.streams import STREAMS
from riskwatch.runner.assess import first_alarm
from riskwatch.runner.detect import signal_frame
from riskwatch.runner.overrides import judge, thresholds
from riskwatch.runner.panels import calendar_columns, needs_geography, panel_rules

__all__ = ["Verdict", "run_test", "run_tests"]

_DIMENSIONS = ("product", "industry", "region")
_MOST_RECORDS = 200_000
_SOURCE = "test"
_OWN = frozenset({"record_key", "producer", "sampled", "complainant", "claimant", "case_key"})  # each record has its own


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a test found: ``said`` is empty where all was as expected, else one sentence for each thing that was not."""

    test: str
    model: str
    said: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.said


def run_tests(definitions: Definitions, trees: Mapping[str, Tree], *, advance: Callable[[], object] = lambda: None) -> list[Verdict]:
    """Run all tests of models that are in force, in the order of the files."""
    found = []
    for test in definitions.tests.values():
        if test.model in definitions.models:
            found.append(run_test(definitions, trees, test))
            advance()
    return found


def run_test(definitions: Definitions, trees: Mapping[str, Tree], test: ModelTest) -> Verdict:
    """Run one test; whatever the model or the grading raises is said as a finding."""
    model = definitions.models[test.model]
    try:
        said = _findings(definitions, trees, test, model)
    except RiskwatchError as error:
        said = [f"could not be run: {error.message}"]
    return Verdict(test.name, test.model, tuple(said))


def _findings(definitions: Definitions, trees: Mapping[str, Tree], test: ModelTest, model: ModelDefinition) -> list[str]:
    _refuse(test, model, trees)
    records, until = _records(test, model)
    signals = _signals(definitions, trees, model, records, until)
    key = {name: getattr(test, name) for name in _DIMENSIONS}
    mine = signals.loc[np.logical_and.reduce([(signals[name].astype(str) == code).to_numpy() for name, code in key.items()])]
    if test.item or model.stratify:
        mine = mine.loc[(mine["stratum"].astype(str) == _stratum(test, model)).to_numpy()]
    mine = mine.sort_values("period_start")
    said = []
    if test.alarms:
        judged = mine.tail(len(test.alarms))
        got = tuple(judged["alarm"].astype(bool))
        if not got:
            said.append("alarms: the series was not judged by itself: it is too thin, and its parent stands for it (sparse)")
        elif got != test.alarms:
            figures = ", ".join(map(_figures, judged.to_dict("records")))
            said.append(f"alarms: expected {_words(test.alarms)}, got {_words(got)}: {figures}")
    if test.grade is not None:
        grade = _grade(definitions, trees, test, signals, (records, until))
        wanted = Grade[test.grade]
        if (grade < wanted) if test.least else (grade is not wanted):
            said.append(f"grade: expected {test.grade}{' or graver' if test.least else ''}, got {grade.name}")
    return said


def _figures(row: Mapping[Any, Any]) -> str:
    reason = f", {row['reason']}" if row["reason"] else ""
    return f"{row['observed']:g} against {row['expected']:.3g} (limit {row['upper']:.3g}, p {row['p_value']:.2g}{reason})"


def _words(alarms: tuple[bool, ...]) -> str:
    return "[" + ", ".join("true" if one else "false" for one in alarms) + "]"


def _refuse(test: ModelTest, model: ModelDefinition, trees: Mapping[str, Tree]) -> None:
    """Refuse what a made series cannot test, with what the model asks for."""
    if model.terms is not None or needs_geography(model):
        raise RiskwatchError(f"{model.name} judges {'words' if model.terms else 'places together'}: one series cannot test it")
    if bool(model.denominator) != bool(test.exposure):
        raise RiskwatchError(f"{model.name} {'judges shares: give exposure' if model.denominator else 'judges counts: leave exposure out'}")
    wanted = {*model.stratify, *([model.breakdown] if model.breakdown else [])}
    if set(test.strata) != wanted:
        raise RiskwatchError(f"strata: {model.name} needs a value of {', '.join(sorted(wanted)) or 'no field'}, got {sorted(test.strata)}")
    if bool(test.item) != model.by_item:
        raise RiskwatchError(f"{model.name} {'judges by item: give item' if model.by_item else 'does not judge by item: leave it out'}")
    for name in _DIMENSIONS:
        code = getattr(test, name)
        if code and (name not in trees or code not in trees[name]):
            raise RiskwatchError(f'{name}: no code "{code}" in the {name} tree')
    asked = {name: trees[name].level_of(getattr(test, name)) for name in _DIMENSIONS if getattr(test, name)}
    levels = [level.model_dump(exclude_none=True) for level in model.levels]
    if asked not in levels:
        known = "; ".join(", ".join(f"{name} {level}" for name, level in one.items()) or "all" for one in levels)
        raise RiskwatchError(
            f"{model.name} judges no series of {', '.join(f'{name} {level}' for name, level in asked.items()) or 'all'}; it judges: {known}"
        )


def _stratum(test: ModelTest, model: ModelDefinition) -> str:
    parts = [f"{name}={test.strata[name]}" for name in model.stratify] + ([f"{ITEM}={test.item}"] if test.item else [])
    return ", ".join(parts)


def _records(test: ModelTest, model: ModelDefinition) -> tuple[pd.DataFrame, dt.date]:
    """Return the records that a series stands for, one for each case or sample, and the last day of its newest period."""
    observed, exposure = read_series(test.observed), read_series(test.exposure) if test.exposure else ()
    newest = int(period_numbers(pd.PeriodIndex([last_complete_period(test.last, model.frequency)]))[0])
    starts, ends = period_bounds(periods_from_numbers(np.arange(newest - len(observed) + 1, newest + 1), model.frequency))
    counts = [0 if math.isnan(value) else round(value) for value in (exposure or observed)]
    if sum(counts) > _MOST_RECORDS:
        raise RiskwatchError(f"the series stands for {sum(counts):,} records, at most {_MOST_RECORDS:,} are made")
    size = sum(counts)
    period = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(size) - np.repeat(np.cumsum([0, *counts[:-1]]), counts)
    frame = _blank(model.stream, size)
    frame["record_id"] = np.arange(1, size + 1)
    frame["event_date"] = starts[period].astype("datetime64[s]")
    frame[model.product_fields[0]] = test.product or None
    for name in ("industry", "region"):
        if name in frame and getattr(test, name):
            frame[name] = getattr(test, name)
    for name, value in test.strata.items():
        frame[name] = value
    hits = np.array([0 if math.isnan(value) else round(value) for value in observed])[period]
    if model.denominator:
        frame[model.denominator] = 1
        frame[model.numerator] = (place < hits).astype(np.int64)
    else:
        frame[model.numerator] = 1
    if model.distinct is not None:
        frame[model.distinct.field] = [f"person-{number}" for number in range(size)]
    if model.by_item:
        frame[ITEM] = pd.Categorical([test.item] * size)
    if "verdict" in frame and model.numerator == "failed":
        frame["verdict"] = np.where(frame["failed"] > 0, "fail", "pass")
    return frame, ends[-1].astype("datetime64[D]").item()


def _blank(stream: str, size: int) -> pd.DataFrame:
    """Return records of which nothing is known but that each is its own: firms, persons and keys all differ."""
    frame = pd.DataFrame({"source": [_SOURCE] * size})
    for field in STREAMS[stream].all_fields:
        if field.kind == "date":
            frame[field.name] = np.full(size, np.datetime64("NaT", "s"))
        elif field.kind == "int":
            frame[field.name] = np.zeros(size, dtype=np.int64)
        elif field.name in _OWN:
            frame[field.name] = [f"{field.name}-{number}" for number in range(size)]
        else:
            frame[field.name] = pd.Series([None] * size, dtype="object")
    return frame


def _signals(
    definitions: Definitions, trees: Mapping[str, Tree], model: ModelDefinition, records: pd.DataFrame, until: dt.date
) -> pd.DataFrame:
    built = build_panel(records, trees=trees, until=until, **panel_rules(model))
    panel = built.panel
    if model.covariates:
        holidays = HolidayCalendar.from_config(definitions.catalogue("holidays"))
        panel = replace(panel, covariates=Covariates(*calendar_columns(model, panel.periods, holidays)))
    return signal_frame(model, judge(model, panel, trees), thresholds(model, panel.index, trees))


def _grade(
    definitions: Definitions, trees: Mapping[str, Tree], test: ModelTest, signals: pd.DataFrame, made: tuple[pd.DataFrame, dt.date]
) -> Grade:
    """Return the gravest level proposed for anything, were this all that is known."""
    records, until = made
    rules = GradingRules.model_validate(definitions.catalogue("grading"))
    stream = definitions.models[test.model].stream
    known = {name: _blank(name, 0).assign(record_id=[]) for name in STREAMS}
    since = pd.Timestamp(until) - pd.Timedelta(days=rules.floors.lookback_days)
    if (alarm := first_alarm(signals)) is not None:
        since = min(since, pd.Timestamp(alarm))
    known[stream] = records.loc[(records["event_date"] >= since).to_numpy()].reset_index(drop=True)
    items = pd.DataFrame({"record_id": [], "record_key": [], "source": [], "item": [], "verdict": []}, dtype="object")
    if test.item:
        failed = known[stream].loc[(known[stream]["failed"] > 0).to_numpy()]
        items = failed[["record_id", "record_key", "source"]].assign(item=test.item, verdict="fail")
    assessed = assess(
        signals,
        known,
        items,
        as_of=until,
        rules=rules,
        actions=ActionCatalogue.model_validate(definitions.catalogue("actions")),
        hazards=HazardCatalogue.model_validate(definitions.catalogue("hazards")),
        trees=trees,
        quality={"sources": {_SOURCE: "on-time"}, "streams": {stream: "on-time"}, "flags": []},
        holidays=HolidayCalendar.from_config(definitions.catalogue("holidays")),
    )
    return max((one.grade for one in assessed), default=Grade.NONE)
