"""The lives of warnings over the days of a replay: the state machine, day by day, and what stood at the end of each day."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from riskwatch.assessment import Assessment
from riskwatch.assessment.types import Grade
from riskwatch.backtest.frames import load_assessments, words_of
from riskwatch.backtest.setting import Setting
from riskwatch.backtest.view import History
from riskwatch.backtest.work import SERIES_COLUMNS
from riskwatch.lifecycle import EarlyWarning, WarningEvent, advance
from riskwatch.runner.rows import assessment_row, event_rows, warning_row
from riskwatch.store import AssessmentRow, CaseRow

__all__ = ["STANDING", "Day", "Lives", "live"]

STANDING = (
    "day", "warning_id", "kind", "code", "region", "grade", "state", "scope", "hazard", "opened", "covered_by", "cases_only", "models",
    "source_types", "name_zh", "name_en", "place_zh", "place_en", "alarm_since", "q_value",
)  # fmt: skip
"""Columns of the frame of what stood: one row per day and warning that speaks for itself at a warning level. ``q_value``: the least of
its evidence of that day; None where it has none of its own."""


@dataclass(frozen=True)
class Day:
    """What one replayed day decided."""

    day: dt.date
    assessments: Sequence[Assessment]
    warnings: Sequence[EarlyWarning]
    events: Sequence[WarningEvent]


@dataclass
class Lives:
    """All days of a replay.

    Attributes
    ----------
    days : list of Day
    standing : pandas.DataFrame
        :data:`STANDING`.
    history : History
        What a store would hold at the end.
    faults : list of str
    calibration : list of list of dict
        Of each day: :func:`riskwatch.backtest.calibration.counted`.
    """

    days: list[Day] = field(default_factory=list)
    standing: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(STANDING)))
    history: History = field(default_factory=History)
    faults: list[str] = field(default_factory=list)
    calibration: list[list[dict[str, Any]]] = field(default_factory=list)


def live(
    setting: Setting,
    keys: Iterable[tuple[dt.date, str]],
    *,
    each: Callable[[Day, History], list[CaseRow]] | None = None,
    advance_bar: Callable[[], None] = lambda: None,
) -> Lives:
    """Advance the warnings through all days in order.

    Parameters
    ----------
    setting : Setting
    keys : iterable of (date, str)
        Days in order, each with the key of its assessments.
    each : callable, optional
        Called with each day decided and the history before it; returns what followed by itself in the cases of that day. Without it,
        no day's assessments are kept.
    """
    found = Lives()
    current: dict[str, EarlyWarning] = {}
    rows: list[dict[str, Any]] = []
    alarms: dict[tuple[str, ...], dt.date] = {}
    by_day: dict[dt.date, list[AssessmentRow]] = {}
    found.history.assessments = lambda day: by_day.get(day, [])
    for day, key in keys:
        assessments, tables, note = load_assessments(setting.cache, key)
        found.faults += [f"{day}: {fault}" for fault in note["faults"]]
        found.calibration.append(note["calibration"])
        outcome = advance(
            current.values(),
            assessments,
            as_of=day,
            rules=setting.grading,
            judged=_judged(tables["judged"], note["streams"], current.values(), assessments),
            trees=setting.trees,
            silent=note["silent"],
        )
        alarms = _since(alarms, tables["alarms"], day)
        rows += _standing(day, outcome.warnings, assessments, alarms)
        decided = Day(day, assessments, outcome.warnings, outcome.events)
        followed = each(decided, found.history) if each is not None else []
        found.days.append(decided if each is not None else dataclasses.replace(decided, assessments=()))
        written = {one.warning_id: warning_row(one, day) for one in outcome.warnings if one.last_run == day}
        # As a run writes them, those that the day advanced, and as the next one reads them.
        current.update({name: EarlyWarning.from_payload(row.payload) for name, row in written.items()})
        found.history.warnings.update(written)
        found.history.events += event_rows(outcome.events)
        found.history.case_events += followed
        found.history.days.append(day)
        by_day[day] = [assessment_row(one) for one in assessments] if each is not None else []
        advance_bar()
    if rows:
        found.standing = pd.DataFrame(rows, columns=list(STANDING))
    return found


def _judged(table: pa.Table, streams: Mapping[str, str], held: Iterable[EarlyWarning], assessments: Sequence[Assessment]) -> pd.DataFrame:
    """Return the judged periods of the models that some warning rests on, in the columns that the state machine reads.

    Periods of other models are never asked for; each model has a row, so that its stream is known.
    """
    mine = {model for one in held for model, *_ in one.series} | {e.model for one in assessments for e in one.evidence}
    models, codes = words_of(table.column("model"))
    stream_of = np.array([streams[name] for name in models], dtype=object)
    rows = np.flatnonzero(np.isin(codes, [code for code, name in enumerate(models) if name in mine]))
    named = np.array(list(streams), dtype=object)
    texts = {"model": (models[codes[rows]], named), "stream": (stream_of[codes[rows]], np.array(list(streams.values()), dtype=object))}
    for name in SERIES_COLUMNS[1:]:
        words, of_row = words_of(table.column(name))
        texts[name] = words[of_row[rows]], np.full(len(named), "", dtype=object)
    parts = [len(rows), len(named)]
    texts["reason"] = np.full(parts[0], "", dtype=object), np.full(parts[1], "name", dtype=object)
    ends = table.column("period_end").cast(pa.timestamp("s")).to_numpy()[rows]
    # Plain Python strings: single rows are read, and Arrow strings are slow at that.
    return pd.DataFrame({name: np.concatenate(both) for name, both in texts.items()}, dtype=object).assign(
        period_end=np.append(ends, np.full(parts[1], np.datetime64("NaT", "s"))), p_value=np.repeat([0.0, 1.0], parts)
    )


def _since(before: Mapping[tuple[str, ...], dt.date], table: pa.Table, day: dt.date) -> dict[tuple[str, ...], dt.date]:
    """Return, for each series in alarm, the first of the run days in a row on which it was."""
    names = zip(*(table.column(name).to_pylist() for name in SERIES_COLUMNS), strict=True)
    return {series: before.get(series, day) for series in names}


def _standing(
    day: dt.date, warnings: Sequence[EarlyWarning], assessments: Sequence[Assessment], alarms: Mapping[tuple[str, ...], dt.date]
) -> list[dict[str, Any]]:
    types: dict[tuple[str, ...], set[str]] = {}
    least: dict[tuple[str, ...], float] = {}
    for seen in assessments:
        if seen.evidence:
            least[seen.subject.kind, seen.subject.code, seen.subject.region] = min(e.q_value for e in seen.evidence)
        rests_on = seen.facts.get("rests_on")
        told = {str(name) for name in rests_on.get("source_types", ())} if isinstance(rests_on, Mapping) else set()
        told |= {e.source_type for e in seen.evidence}
        types[seen.subject.kind, seen.subject.code, seen.subject.region] = told
        types.setdefault((seen.subject.kind, seen.subject.code), told)
    rows = []
    for one in warnings:
        if not one.live or one.grade < Grade.IV or one.last_run != day:
            continue
        subject = (one.subject.kind, one.subject.code, one.subject.region)
        named, placed = (one.summary.get(name) or {} for name in ("name", "place"))
        rows.append(
            {
                "day": day,
                "warning_id": one.warning_id,
                "kind": one.subject.kind,
                "code": one.subject.code,
                "region": one.subject.region,
                "grade": one.grade.name,
                "state": one.state,
                "scope": one.scope.value,
                "hazard": one.hazard,
                "opened": one.opened or one.first_seen,
                "covered_by": one.covered_by,
                "cases_only": bool(one.summary.get("cases_only")),
                "models": tuple(sorted({model for model, *_ in one.series})),
                "source_types": tuple(sorted(types.get(subject, types.get(subject[:2], set())))),
                "name_zh": str(named.get("zh", "")),
                "name_en": str(named.get("en", "")),
                "place_zh": str(placed.get("zh", "")),
                "place_en": str(placed.get("en", "")),
                "alarm_since": min((alarms[series] for series in one.series if series in alarms), default=None),
                "q_value": least.get(subject),
            }
        )
    return rows
