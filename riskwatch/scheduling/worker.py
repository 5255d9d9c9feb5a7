"""Do what is due: one run after the other, each claimed under the run lease."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from riskwatch.api import Project
from riskwatch.errors import LeaseHeldError, RiskwatchError
from riskwatch.runner.context import RunContext
from riskwatch.runner.progress import Reporter
from riskwatch.runner.run import RunReport, next_run_id, run_pipeline
from riskwatch.scheduling.plan import Plan, Task, Timetable, backoff, make_plan
from riskwatch.scheduling.rules import schedule_rules
from riskwatch.scheduling.stopping import Stop, StopRequested
from riskwatch.store import Store
from riskwatch.store.lease import this_process
from riskwatch.store.occurrences import Occurrence, State, claim, put_back, read_occurrences, settle
from riskwatch.store.schedules import read_schedule, register

__all__ = ["Outcome", "Worker", "plan_of", "run_now", "scheduled", "timetable"]

LABEL = "scheduler"


@dataclass(frozen=True)
class Outcome:
    """How one time of a pipeline ended.

    ``state`` is that of the stored time, or ``retry`` (failed, to be tried again), ``lost`` (another process took the lease over; nothing
    more was written), ``stopped`` (given back) or ``taken`` (settled by another process before this one claimed it).
    """

    occurrence: Occurrence
    state: str
    seconds: float = 0.0
    report: RunReport | None = None
    message: str = ""
    error: BaseException | None = None

    @property
    def exit_code(self) -> int:
        """Exit code of a command that did this alone."""
        if self.error is not None:
            return self.error.exit_code if isinstance(self.error, RiskwatchError) else RiskwatchError.exit_code
        return 0 if self.report is None else self.report.exit_code


def timetable(project: Project, pipeline: str) -> Timetable:
    """Return when a pipeline runs."""
    definition = project.pipeline(pipeline)
    settings = project.definitions.settings
    return Timetable(pipeline, definition.schedule, ZoneInfo(settings.timezone), definition.jitter_seconds, settings.as_of)


def plan_of(project: Project, store: Store, pipeline: str, now: dt.datetime, *, force: bool = False) -> Plan:
    """Return what is to run of a pipeline now; nothing while it is paused (unless forced) or before a scheduler has seen it."""
    state = read_schedule(store.database, pipeline)
    if state is None or (state.paused_at is not None and not force):
        return Plan()
    return make_plan(
        timetable(project, pipeline),
        read_occurrences(store.database, pipeline),
        counted_from=state.counted_from,
        now=now,
        rules=schedule_rules(project.definitions),
        force=force,
    )


def scheduled(project: Project) -> list[str]:
    """Return the pipelines that have a schedule."""
    return [name for name, definition in project.definitions.pipelines.items() if definition.schedule]


class Worker:
    """Does what is due, until nothing is or it is asked to stop.

    Parameters
    ----------
    projects : callable
        Gives the project as its files stand now.
    stop : Stop
    started : callable
        Told of each run before it begins: its occurrence as claimed.
    observed : callable
        Told of each outcome.
    reporter : Reporter
        Takes what the runs tell of their progress.
    """

    def __init__(
        self,
        projects: Callable[[], Project],
        *,
        stop: Stop | None = None,
        started: Callable[[Occurrence], None] = lambda _: None,
        observed: Callable[[Outcome], None] = lambda _: None,
        reporter: Reporter | None = None,
    ) -> None:
        self._projects, self._stop, self._started, self._observed = projects, stop or Stop(), started, observed
        self._reporter = reporter or Reporter()

    def work(self, pipelines: Sequence[str] = ()) -> list[Outcome]:
        """Make all runs that are due, of these pipelines or all; another process that works makes this one do nothing."""
        outcomes: list[Outcome] = []
        while not self._stop.asked:
            project = self._projects()
            names = [name for name in scheduled(project) if not pipelines or name in pipelines]
            if not self._due(project, names):
                break
            try:
                with project.leased(label=LABEL, reporter=self._reporter) as ctx:
                    found = self._step(project, ctx, names)
            except LeaseHeldError:
                break  # another run is under way: the next tick looks again
            outcomes += found
            if not found or found[-1].state in {"lost", "stopped"}:
                break
        return outcomes

    def now(self, pipeline: str, *, wait_seconds: float = 0.0) -> list[Outcome]:
        """Make the runs of a pipeline that are missed, due, paused or waiting; if there are none, one run for this moment.

        Raises
        ------
        ProjectError
            If there is no such pipeline.
        LeaseHeldError
            If another run is under way after the wait.
        """
        project = self._projects()
        project.pipeline(pipeline)
        outcomes: list[Outcome] = []
        with project.leased(label=f"run-now {pipeline}", wait_seconds=wait_seconds, reporter=self._reporter) as ctx:
            register(ctx.store.database, pipeline, ctx.now)
            while (task := self._next(project, ctx, [pipeline], outcomes, force=True)) is not None:
                outcomes.append(self._tell(self._run(project, ctx, task)))
                if outcomes[-1].state not in {"done", "caught-up", "failed", "taken"}:
                    return outcomes
            if not any(outcome.report or outcome.error for outcome in outcomes):
                moment = ctx.now.replace(microsecond=0)
                wanted = Occurrence(pipeline, moment, timetable(project, pipeline).day(moment), "due")
                outcomes.append(self._tell(self._run(project, ctx, Task(wanted, final=True))))
        return outcomes

    def _due(self, project: Project, names: Sequence[str]) -> bool:
        """Look without the lease whether there is anything to do; a pipeline that is seen for the first time is counted from now."""
        now = project.clock()
        with project.store() as store:
            for name in names:
                register(store.database, name, now)
            plans = [plan_of(project, store, name, now) for name in names]
        return any(plan.tasks or plan.skipped for plan in plans)

    def _step(self, project: Project, ctx: RunContext, names: Sequence[str]) -> list[Outcome]:
        """Under the lease: record what is skipped, and make the run whose time came first."""
        outcomes: list[Outcome] = []
        task = self._next(project, ctx, names, outcomes)
        if task is not None:
            outcomes.append(self._tell(self._run(project, ctx, task)))
        return outcomes

    def _next(
        self, project: Project, ctx: RunContext, names: Sequence[str], outcomes: list[Outcome], *, force: bool = False
    ) -> Task | None:
        """Return the task whose time came first; what is skipped is recorded and added to the outcomes."""
        plans = [plan_of(project, ctx.store, name, ctx.now, force=force) for name in names]
        for skipped in (entry for plan in plans for entry in plan.skipped):
            settle(ctx.store.database, skipped, state="skipped", now=ctx.now, message=skipped.message)
            outcomes.append(self._tell(Outcome(skipped, "skipped", message=skipped.message)))
        tasks = [task for plan in plans for task in plan.tasks]
        return min(tasks, key=lambda task: (task.occurrence.as_of, task.occurrence.scheduled_for, task.occurrence.pipeline), default=None)

    def _run(self, project: Project, ctx: RunContext, task: Task) -> Outcome:
        began = time.monotonic()
        try:
            outcome = self._claimed(project, ctx, task)
        except LeaseHeldError as error:
            outcome = Outcome(task.occurrence, "lost", message=error.message, error=error)
        return dataclasses.replace(outcome, seconds=time.monotonic() - began)

    def _claimed(self, project: Project, ctx: RunContext, task: Task) -> Outcome:
        database, wanted, rules = ctx.store.database, task.occurrence, schedule_rules(ctx.definitions)
        newest = ctx.store.newest_run_day(wanted.pipeline)
        if newest is not None and wanted.as_of < newest:
            text = f"{wanted.as_of} needs no run: {newest} is decided already (by hand, or as one day of others)"
            settle(database, wanted, state="caught-up", now=ctx.now, message=text)
            return Outcome(wanted, "caught-up", message=text)
        if wanted.attempts >= rules.retry.starts:
            text = f"started {wanted.attempts} times and never came to an end; last by {wanted.holder}"
            settle(database, wanted, state="failed", now=ctx.now, message=text)
            return Outcome(wanted, "failed", message=text)
        claimed = claim(database, _spoken(ctx, wanted), holder=this_process(LABEL), now=ctx.now, covered=task.covered)
        if claimed is None:
            return Outcome(wanted, "taken")

        def heartbeat() -> None:
            self._stop.check()
            ctx.heartbeat()

        own = dataclasses.replace(ctx, as_of=claimed.as_of, quiet=claimed.quiet, catch_up_from=claimed.catch_up_from, heartbeat=heartbeat)
        self._started(dataclasses.replace(claimed, run_id=next_run_id(own, claimed.pipeline)))
        try:
            report = run_pipeline(own, project.pipeline(claimed.pipeline))
        except LeaseHeldError:
            raise
        except StopRequested:
            put_back(database, claimed)
            return Outcome(claimed, "stopped", message="asked to stop: given back")
        except Exception as error:  # noqa: BLE001 - whatever a run dies of, the scheduler lives on, counts it and tries again
            return self._failed(project, ctx, task, claimed, error)
        state: State = "caught-up" if claimed.quiet else "done"
        told = [f"model {name} failed" for name in report.failed_models] + list(report.faults)
        # Rows before the last time that spoke are for people to look at; the plan needs none of them.
        keep = None if claimed.quiet else dt.timedelta(days=rules.keep_days)
        settle(database, claimed, state=state, now=project.clock(), message="; ".join(told), run_id=report.run_id, keep=keep)
        return Outcome(claimed, state, report=report, message="; ".join(told))

    def _failed(self, project: Project, ctx: RunContext, task: Task, claimed: Occurrence, error: Exception) -> Outcome:
        retry = schedule_rules(ctx.definitions).retry
        failures, now = claimed.failures + 1, project.clock()
        text = f"{type(error).__name__}: {error}"
        over = task.final or failures >= retry.attempts
        retry_at = None if over else now + backoff(retry, failures)
        settle(ctx.store.database, claimed, state="failed" if over else "due", now=now, message=text, failed=True, retry_at=retry_at)
        return Outcome(claimed, "failed" if over else "retry", message=text, error=error)

    def _tell(self, outcome: Outcome) -> Outcome:
        self._observed(outcome)
        return outcome


def _spoken(ctx: RunContext, wanted: Occurrence) -> Occurrence:
    """Let a time that has spoken already (killed between its last transaction and its mark) stay the one that spoke."""
    if wanted.attempts == 0:
        return wanted
    stored = next((row for row in read_occurrences(ctx.store.database, wanted.pipeline) if row.scheduled_for == wanted.scheduled_for), None)
    ran = any(
        run["pipeline"] == wanted.pipeline and run["as_of"] == wanted.as_of and run["state"] == "done"
        for run in ctx.store.read_runs(limit=1000)
    )
    if stored is None or not ran:
        return wanted
    return dataclasses.replace(wanted, quiet=stored.quiet, catch_up_from=stored.catch_up_from)


def run_now(project: Project, pipeline: str, *, wait_seconds: float = 0.0, reporter: Reporter | None = None) -> list[Outcome]:
    """Run a pipeline now, through the same claim as the scheduler; see :meth:`Worker.now`."""
    return Worker(lambda: project, reporter=reporter).now(pipeline, wait_seconds=wait_seconds)
