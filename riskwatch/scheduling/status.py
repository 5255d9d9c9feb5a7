"""How the project stands: schedulers, pipelines, sources, warnings, outbox, and what of it needs someone."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from itertools import islice
from zoneinfo import ZoneInfo

from riskwatch.api import Project
from riskwatch.runner.doctor import Finding
from riskwatch.runner.freshness import ABSENT, freshness_by_source
from riskwatch.runner.quality import source_state
from riskwatch.scheduling.cron import delay, upcoming
from riskwatch.scheduling.rules import ScheduleRules, schedule_rules
from riskwatch.scheduling.worker import plan_of, scheduled, timetable
from riskwatch.store import Store
from riskwatch.store.figures import lease_holder, open_warnings, outbox_states, run_states
from riskwatch.store.lease import is_dead
from riskwatch.store.occurrences import read_occurrences
from riskwatch.store.schedules import SchedulerRow, read_schedule, read_schedulers

__all__ = ["PipelineState", "SchedulerState", "SourceState", "Status", "coming", "schedule_findings", "status_of"]

GRADES = ("I", "II", "III", "IV")
_SILENT_BEATS = 4


@dataclass(frozen=True, slots=True)
class SchedulerState:
    """One scheduler process."""

    holder: str
    alive: bool
    silent_seconds: float
    stopping: bool
    version: str


@dataclass(frozen=True, slots=True)
class PipelineState:
    """One pipeline: its newest run and what waits. ``open`` and ``failed`` are times, in the project's zone."""

    pipeline: str
    schedule: str
    paused: bool
    next: str | None
    run_id: str | None
    run_state: str | None
    last_day: str | None
    last_ended: str | None
    open: tuple[str, ...]
    failed: tuple[str, ...]
    late: bool
    message: str


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source: how old its newest record is against what is expected, and its last pull."""

    source: str
    state: str
    newest_event: str | None
    age_days: int | None
    last_success: str | None
    failures: int
    open_quarantine: int
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """All of it; ``problems`` are what makes ``riskwatch status`` end with 1."""

    now: str
    day: str
    database: str
    schedulers: tuple[SchedulerState, ...]
    pipelines: tuple[PipelineState, ...]
    sources: tuple[SourceState, ...]
    warnings: dict[str, int]
    outbox: dict[str, int] | None
    problems: tuple[str, ...] = field(default=())

    @property
    def scheduler_alive(self) -> bool:
        """Whether any scheduler lives."""
        return any(entry.alive for entry in self.schedulers)


def status_of(project: Project, store: Store, now: dt.datetime) -> Status:
    """Return how the project stands; nothing is written."""
    rules = schedule_rules(project.definitions)
    schedulers = tuple(_scheduler(row, now, rules) for row in read_schedulers(store.database))
    pipelines = tuple(_pipeline(project, store, name, now) for name in project.definitions.pipelines)
    watched = any(read_schedule(store.database, name) is not None for name in scheduled(project))
    outbox = outbox_states(store.database)
    problems = list(_problems(pipelines, outbox))
    if watched and not any(entry.alive for entry in schedulers):
        problems.insert(0, "no scheduler lives: start `riskwatch serve --scheduler`")
    return Status(
        now=now.isoformat(timespec="seconds"),
        day=project.day().isoformat(),
        database=store.describe(),
        schedulers=schedulers,
        pipelines=pipelines,
        sources=_sources(project, store),
        warnings=open_warnings(store.database, GRADES),
        outbox=outbox,
        problems=tuple(problems),
    )


def schedule_findings(project: Project) -> list[Finding]:
    """Return what ``riskwatch doctor`` says of schedulers and times."""
    with project.store() as store:
        status = status_of(project, store, project.clock())
    findings = []
    for entry in status.schedulers:
        # Where another one lives its work goes on.
        mark, found = ("ok", "lives") if entry.alive else ("note" if status.scheduler_alive else "wrong", "is dead or stopped")
        remedy = "" if entry.alive else "systemctl restart riskwatch-scheduler; journalctl -u riskwatch-scheduler"
        findings.append(Finding(mark, "scheduler", f"{entry.holder} {found}, last heard {entry.silent_seconds:.0f} s ago", remedy))
    if not findings:
        findings.append(Finding("note", "scheduler", "none", "riskwatch serve --scheduler (deploy/riskwatch-scheduler.service)"))
    for pipeline in status.pipelines:
        name = f"schedule {pipeline.pipeline}"
        if pipeline.failed:
            found = f"given up at {', '.join(pipeline.failed)}: {pipeline.message}"
            findings.append(Finding("wrong", name, found, f"mend it, then riskwatch schedule run-now {pipeline.pipeline}"))
        elif pipeline.paused:
            findings.append(Finding("note", name, "paused", f"riskwatch schedule resume {pipeline.pipeline}"))
        elif pipeline.run_state == "interrupted":
            found = f"run {pipeline.run_id} was interrupted"
            findings.append(Finding("note", name, found, f"riskwatch schedule run-now {pipeline.pipeline}"))
        elif pipeline.next is not None:
            waits = f"; {len(pipeline.open)} waiting" if pipeline.open else ""
            findings.append(Finding("ok", name, f"next {pipeline.next}{waits}"))
    return findings


def coming(project: Project, pipeline: str, after: dt.datetime, number: int) -> list[dt.datetime]:
    """Return the next times of a pipeline in the project's zone, put off by their jitter."""
    table = timetable(project, pipeline)
    if not table.cron:
        return []
    slots = islice(upcoming(table.cron, table.zone, after), number)
    return [(slot + delay(pipeline, slot, table.jitter_seconds)).astimezone(table.zone) for slot in slots]


def _scheduler(row: SchedulerRow, now: dt.datetime, rules: ScheduleRules) -> SchedulerState:
    silent = (now - row.beat_at).total_seconds()
    # A clock that was set back shows a sign of life from the future: that is one.
    alive = silent <= _SILENT_BEATS * rules.heartbeat_seconds and not is_dead(row.holder)
    return SchedulerState(row.holder, alive, round(silent, 1), row.stopping, row.version)


def _pipeline(project: Project, store: Store, name: str, now: dt.datetime) -> PipelineState:
    state = read_schedule(store.database, name)
    runs = run_states(store.database, name)
    stored = read_occurrences(store.database, name)
    # Given up since the last time that went well.
    failed = [row for row in stored if row.state == "failed"]
    waiting = [task.occurrence for task in plan_of(project, store, name, now).tasks]
    held = [row for row in stored if row.state in {"due", "running"} and all(row.scheduled_for != each.scheduled_for for each in waiting)]
    open_times = [*held, *waiting]
    patience = dt.timedelta(hours=schedule_rules(project.definitions).late_hours)
    late = any(now - row.scheduled_for > patience for row in open_times)
    newest = runs[0] if runs else {}
    run_state = newest.get("state")
    if run_state == "running" and _nobody_works(store):
        run_state = "interrupted"
    paused = state is not None and state.paused_at is not None
    times = [] if paused else coming(project, name, now, 1)
    return PipelineState(
        pipeline=name,
        schedule=project.pipeline(name).schedule,
        paused=paused,
        next=_local(project, times[0]) if times else None,
        run_id=newest.get("run_id"),
        run_state=run_state,
        last_day=next((row["as_of"] for row in runs if row["state"] == "done"), None),
        last_ended=next((row["finished_at"] for row in runs if row["state"] == "done"), None),
        open=tuple(_local(project, row.scheduled_for) for row in open_times),
        failed=tuple(_local(project, row.scheduled_for) for row in failed),
        late=late,
        message=next((row.message for row in reversed([*failed, *held]) if row.message), ""),
    )


def _local(project: Project, moment: dt.datetime) -> str:
    return moment.astimezone(ZoneInfo(project.definitions.settings.timezone)).isoformat(timespec="seconds")


def _nobody_works(store: Store) -> bool:
    holder = lease_holder(store.database)
    return holder is None or is_dead(holder)


def _sources(project: Project, store: Store) -> tuple[SourceState, ...]:
    day = project.day()
    fresh = freshness_by_source(store, day)
    found = []
    for name, source in project.definitions.sources.items():
        row, health = fresh.get(name, ABSENT), store.source_status(name)
        state = source_state(source, row.newest_event, day, fault=health.consecutive_failures > 0)
        newest = row.newest_event
        found.append(
            SourceState(
                source=name,
                state=state,
                newest_event=None if newest is None else newest.isoformat(),
                age_days=None if newest is None else (day - newest).days,
                last_success=health.last_success_at,
                failures=health.consecutive_failures,
                open_quarantine=row.open_quarantine,
                last_error=health.last_error,
            )
        )
    return tuple(found)


def _problems(pipelines: tuple[PipelineState, ...], outbox: dict[str, int] | None) -> list[str]:
    problems = []
    for entry in pipelines:
        if entry.failed:
            problems.append(f"pipeline {entry.pipeline}: given up at {', '.join(entry.failed)}: {entry.message}")
        if entry.late and not entry.paused:
            problems.append(f"pipeline {entry.pipeline}: waits since {entry.open[0]}")
        if entry.run_state == "interrupted" and not entry.open:
            problems.append(
                f"pipeline {entry.pipeline}: run {entry.run_id} was interrupted; `riskwatch schedule run-now {entry.pipeline}` ends it"
            )
    dead = (outbox or {}).get("dead", 0)
    if dead:
        problems.append(f"outbox: {dead} messages could not be delivered; `riskwatch outbox` lists them")
    return problems
