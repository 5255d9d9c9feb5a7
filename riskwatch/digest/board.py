"""Sections beside the warnings: accidents, systemic watch, running terms, data quality, calibration."""

from __future__ import annotations

import datetime as dt
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import pandas as pd

from riskwatch.assessment.types import Action, Scope
from riskwatch.casework.view import Handling
from riskwatch.digest.cards import bilingual, domain_of, grade_name
from riskwatch.digest.focus import refused_counts
from riskwatch.digest.inputs import Labels, QualityReport, Recent
from riskwatch.digest.model import Calibration, Case, CaseBoard, DataQuality, Incidents, SourceLine, SystemicItem, Text
from riskwatch.digest.names import Namer
from riskwatch.digest.privacy import known_figures, scrub
from riskwatch.digest.seen import Day, Seen, assign

__all__ = ["calibration", "cases", "data_quality", "incidents", "systemic", "within"]

WEEK_DAYS = 7
EXAMPLES = 3


def incidents(recent: Recent, seen: Sequence[Seen], namer: Namer, as_of: dt.date) -> Incidents:
    """Return what the injury stream knows, with the terms to report that are running."""
    return Incidents(
        newest_day=recent.newest_injury_day,
        day_persons=recent.day_persons,
        day_admitted=recent.day_admitted,
        day_died=recent.day_died,
        window_days=recent.window_days,
        persons=recent.persons,
        admitted=recent.admitted,
        died=recent.died,
        clocks=tuple(case for case in _action_cases(seen, namer, as_of) if _is_report_clock(case)),
    )


def _is_report_clock(case: Case) -> bool:
    """Terms to report that still run stand with the accidents; those that ran out stand with the overdue."""
    return case.kind == "report" and case.days_left >= 0


def systemic(seen: Sequence[Seen], namer: Namer, labels: Labels) -> tuple[SystemicItem, ...]:
    """Return the open warnings whose scope is industry-wide or systemic, by grade."""
    found = []
    for item in seen:
        if item.warning.scope not in {Scope.INDUSTRY_WIDE, Scope.SYSTEMIC} or item.change == "recovered":
            continue
        figures = known_figures(item.assessment)
        found.append(
            SystemicItem(
                warning_id=item.warning.warning_id,
                subject=namer.subject(item.warning.subject.kind, item.warning.subject.code),
                place=item.place,
                grade=grade_name(item.warning.grade) or "NONE",
                domain=domain_of(item.assessment, item.warning),
                scope=str(item.warning.scope),
                prefectures=figures.prefectures,
                counties=figures.counties,
                producers=figures.producers,
                hazard_name=labels.hazards.get(item.assessment.hazard) if item.assessment else None,
            )
        )
    return tuple(found)


def _action_cases(seen: Sequence[Seen], namer: Namer, as_of: dt.date) -> list[Case]:
    """One clock per warning and due day; several measures due together are one line that names all owners."""
    grouped: dict[tuple[str, dt.date, Literal["action", "report"]], list[Action]] = {}
    for item in seen:
        for action in item.actions if item.change != "recovered" else ():
            if action.due_on is not None:
                key = (item.warning.warning_id, action.due_on, _clock_kind(action))
                grouped.setdefault(key, []).append(action)
    known = {item.warning.warning_id: item for item in seen}
    found = []
    for (warning_id, due_on, kind), actions in grouped.items():
        warning = known[warning_id].warning
        owners = list(dict.fromkeys(bilingual(action.owner) for action in actions))
        found.append(
            Case(
                kind=kind,
                warning_id=warning_id,
                grade=grade_name(warning.grade),
                domain=domain_of(known[warning_id].assessment, warning),
                subject=namer.subject(warning.subject.kind, warning.subject.code),
                owner=Text(zh="、".join(owner.zh for owner in owners), en=", ".join(owner.en for owner in owners)),
                due_on=due_on,
                days_left=(due_on - as_of).days,
                count=len(actions),
            )
        )
    return found


def _clock_kind(action: Action) -> Literal["action", "report"]:
    return "report" if action.object == "reporting" else "action"


def _record_cases(recent: Recent, as_of: dt.date) -> list[Case]:
    """Terms from orders to correct, summed over what is overdue and over each day still to come."""
    found: dict[tuple[str, bool, dt.date | None], Case] = {}
    for clock in sorted(recent.clocks, key=lambda clock: (clock.kind, clock.due_on)):
        overdue = clock.due_on < as_of
        key = (clock.kind, overdue, None if overdue else clock.due_on)
        known = found.get(key)
        due = known.due_on if known else clock.due_on
        count = clock.count + (known.count if known else 0)
        days = (due - as_of).days
        found[key] = Case(kind=clock.kind, warning_id="", grade=None, subject=None, owner=None, due_on=due, days_left=days, count=count)
    return list(found.values())


def cases(seen: Sequence[Seen], recent: Recent, namer: Namer, as_of: dt.date) -> CaseBoard:
    """Return the terms that ran out, those that end within the week, and how many run longer."""
    cases = [case for case in (*_action_cases(seen, namer, as_of), *_record_cases(recent, as_of)) if not _is_report_clock(case)]
    cases.sort(key=lambda case: (case.due_on, case.kind, case.warning_id, case.owner.zh if case.owner else ""))
    return CaseBoard(
        overdue=tuple(case for case in cases if case.days_left < 0),
        this_week=tuple(case for case in cases if 0 <= case.days_left <= WEEK_DAYS),
        later=sum(case.count for case in cases if case.days_left > WEEK_DAYS),
    )


def _thin(key: tuple[str, str, str, str, str], namer: Namer, labels: Labels) -> Text:
    """Name a series that was too thin to model: model, product, industry, place, stratum."""
    model, product, industry, region, stratum = key
    parts = [labels.models.get(model, bilingual(model))]
    parts += [name(code) for name, code in ((namer.product, product), (namer.industry, industry), (namer.region, region)) if code]
    parts += [bilingual(stratum)] if stratum else []
    return Text(zh=scrub("，".join(part.zh for part in parts), limit=300), en=scrub(", ".join(part.en for part in parts), limit=300))


def data_quality(
    quality: QualityReport, visible: pd.DataFrame, labels: Labels, namer: Namer, jurisdiction: str, *, centre: str
) -> DataQuality:
    """Return the state of sources, troubled ones first, and the defects of the data, as far as they concern the jurisdiction."""
    rank = {"failed": 0, "silent": 1, "late": 2, "on-time": 3, "closed": 4}
    lines = [
        SourceLine(
            source=item.source,
            label=bilingual({"zh": item.zh, "en": item.en}),
            state=item.state,
            newest_event=item.newest_event,
            newest_known=item.newest_known,
            records=item.records,
            quarantine_open=item.quarantine_open,
            message=bilingual({"zh": item.message_zh, "en": item.message_en}) if item.message_zh or item.message_en else None,
        )
        for item in sorted(quality.sources, key=lambda item: (rank[item.state], item.source))
    ]
    refused = tuple(sorted(quality.refused.items(), key=lambda pair: (-pair[1], pair[0]))) if quality.refused else refused_counts(visible)
    thin = [key for key in quality.rolled_up if namer.relation(key[3], jurisdiction)]
    undelivered = quality.undelivered.get(centre, ())
    return DataQuality(
        window_days=quality.window_days,
        sources=tuple(lines),
        quarantine_open=sum(item.quarantine_open for item in quality.sources),
        duplicates=quality.duplicates,
        rolled_up=len(thin),
        rolled_up_series=tuple(_thin(key, namer, labels) for key in thin),
        refused=refused,
        failed_models=tuple(labels.models.get(name, bilingual(name)) for name in quality.failed_models),
        silent_reporters=_silent(quality, namer, jurisdiction),
        undelivered=tuple(sorted(Counter(kind for kind, _ in undelivered).items())),
        undelivered_since=min((day for _, day in undelivered), default=None),
    )


def within(quality: QualityReport, namer: Namer, jurisdiction: str) -> QualityReport:
    """Return the report with the sources that cover some of the jurisdiction: its own, and those of wider areas."""
    return replace(quality, sources=tuple(source for source in quality.sources if namer.relation(source.region, jurisdiction)))


def _silent(quality: QualityReport, namer: Namer, jurisdiction: str) -> tuple[tuple[str, int, int], ...]:
    """Return stream, silent and expected reporters, those of the jurisdiction and of wider areas; only where one is silent."""
    found: list[tuple[str, int, int]] = []
    for stream, homes in sorted(quality.silent_reporters.items()):
        mine = [counts for home, counts in homes.items() if namer.relation(home, jurisdiction)]
        silent, expected = (sum(counts[place] for counts in mine) for place in (0, 1))
        if silent:
            found.append((stream, silent, expected))
    return tuple(found)


def calibration(day: Day, namer: Namer, jurisdiction: str, handled: Mapping[str, Handling] | None = None) -> Calibration:
    """Return what became of all warnings of the jurisdiction, and how long the newest took from the end of their period.

    Confirmed and refuted are those that people closed with a reason that says so.
    """
    own = {item.warning_id: item for item in day.warnings if namer.relation(item.subject.region, jurisdiction)}
    closed = {name: known.verdict for name, known in (handled or {}).items() if known.closed and name in own}
    recovered = sum(str(item.state) == "recovered" for item in own.values())
    gone = {name for name, item in own.items() if str(item.state) in {"recovered", "absorbed"}}
    assigned = assign(day, namer)
    delays = []
    for item in own.values():
        assessment = assigned.get(item.warning_id) if item.first_seen == day.as_of else None
        if assessment is not None and assessment.evidence:
            delays.append((day.as_of - max(evidence.period_end for evidence in assessment.evidence)).days)
    return Calibration(
        issued=len(own),
        confirmed=sum(verdict == "true" for verdict in closed.values()),
        refuted=sum(verdict == "false" for verdict in closed.values()),
        recovered=recovered,
        open=len(own) - len(gone | set(closed)),
        days_to_warning=float(statistics.median(delays)) if delays else None,
        days_to_warning_n=len(delays),
    )
