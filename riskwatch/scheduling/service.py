"""The process that runs pipelines at their times: APScheduler wakes it, the store decides what is done.

APScheduler's own table holds nothing that could be lost: which times are due, running, done or given up stands in the table
``occurrence``. With SQLite its table lies in a file of its own beside the database (``scheduler.db``): SQLAlchemy's driver must not have
open the file that ADBC works on in the same process (docs/decisions/0006).
"""

from __future__ import annotations

import datetime as dt
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from riskwatch.api import Project
from riskwatch.errors import RiskwatchError, StoreError
from riskwatch.scheduling import jobs
from riskwatch.scheduling.logs import LogReporter, log
from riskwatch.scheduling.metrics import Metrics
from riskwatch.scheduling.post import send_due
from riskwatch.scheduling.projects import Place, Projects
from riskwatch.scheduling.rules import schedule_rules
from riskwatch.scheduling.stopping import Stop
from riskwatch.scheduling.trigger import SlotTrigger
from riskwatch.scheduling.worker import Outcome, Worker, scheduled
from riskwatch.store import Store
from riskwatch.store.faults import translated
from riskwatch.store.lease import this_process
from riskwatch.store.occurrences import Occurrence
from riskwatch.store.schedules import beat, sign_off

__all__ = ["JOB_DEFAULTS", "JOB_TABLE", "Service", "job_store_url"]

JOB_TABLE = "scheduler_job"
# Which runs a wake-up means is worked out from the store: one is as good as ten, and one that comes late is none too late.
JOB_DEFAULTS = {"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
_SILENT_BEATS = 40
_ERROR_STATES = {"failed", "retry", "lost"}


def job_store_url(project: Project) -> str:
    """Return where APScheduler keeps its jobs: the project's PostgreSQL schema, or a file beside the project's SQLite file."""
    url = sa.make_url(project.definitions.database_url())
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    return f"sqlite:///{(project.var / 'scheduler.db').resolve().as_posix()}"


class Service:
    """A scheduler that lives until it is told to stop.

    Parameters
    ----------
    place : Place
        The project.
    metrics : Metrics
        Takes what happens.
    """

    def __init__(self, place: Place, metrics: Metrics) -> None:
        self.stop = Stop()
        self._metrics = metrics
        self._projects = Projects(place, self._broken)
        self._project = self._projects.current()
        self._clock = self._project.clock
        self._started_at = self._clock()
        self._holder = f"{this_process('scheduler')} (since {self._started_at.isoformat(timespec='microseconds')})"
        self._worker = Worker(self._current, stop=self.stop, started=self._begins, observed=self._ended, reporter=LogReporter())
        self._working = threading.Lock()
        self._measured: dt.datetime | None = None
        self._scheduler: BackgroundScheduler | None = None

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; then let the run in hand end, or give it back when its time of grace is over.

        Raises
        ------
        StoreError
            If the database cannot be used at the start; later faults are logged and tried again.
        """
        rules = schedule_rules(self._project.definitions)
        with self._project.store() as store, self._signals(rules.stop_grace_seconds):
            jobs.bind(fire=self._fire, tick=self._tick, beat=lambda: self._beat(store))
            self._beat(store)
            with translated(store.describe(), "open the table of the scheduler's jobs"):
                self._scheduler = self._make()
            log.info("scheduler started", holder=self._holder, pipelines=scheduled(self._project), database=store.describe())
            try:
                self.stop.wait()
            finally:
                log.info("scheduler stopping", running=self._working.locked())
                self._end(store)
        log.info("scheduler ended")

    def _make(self) -> BackgroundScheduler:
        """Start APScheduler with its jobs."""
        project = self._project
        rules = schedule_rules(project.definitions)
        made = BackgroundScheduler(
            jobstores={"default": SQLAlchemyJobStore(url=job_store_url(project), tablename=JOB_TABLE), "memory": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(1), "beat": ThreadPoolExecutor(1)},
            job_defaults=JOB_DEFAULTS,
            timezone=ZoneInfo(project.definitions.settings.timezone),
        )
        made.start(paused=True)
        first = dt.datetime.now(dt.UTC)
        made.add_job(jobs.tick, IntervalTrigger(seconds=rules.tick_seconds), id="tick", jobstore="memory", next_run_time=first)
        made.add_job(jobs.beat, IntervalTrigger(seconds=rules.heartbeat_seconds), id="beat", jobstore="memory", executor="beat")
        self._agree(made)
        made.resume()
        return made

    def _agree(self, made: BackgroundScheduler) -> None:
        """Make the stored jobs those of the definitions; jobs that are right stay as they are, with the time they wait for."""
        project = self._project
        zone = project.definitions.settings.timezone
        stored = {job.id: job for job in made.get_jobs(jobstore="default")}
        for name in scheduled(project):
            definition = project.pipeline(name)
            trigger = SlotTrigger(name, definition.schedule, zone, definition.jitter_seconds)
            job = stored.pop(name, None)
            if job is None or job.trigger != trigger:
                made.add_job(
                    jobs.fire,
                    trigger,
                    args=(name,),
                    id=name,
                    jobstore="default",
                    replace_existing=True,
                    coalesce=True,
                    misfire_grace_time=None,
                )
        for name in stored:
            made.remove_job(name, jobstore="default")

    @contextmanager
    def _signals(self, grace_seconds: float) -> Iterator[None]:
        def asked(number: int, _frame: FrameType | None) -> None:
            log.info("asked to stop", signal=signal.Signals(number).name, grace_seconds=grace_seconds)
            self.stop.ask(grace_seconds)

        before = {number: signal.signal(number, asked) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, store: Store) -> None:
        if not self.stop.asked:
            self.stop.ask()
        self._guarded("say that it stops", lambda: self._beat(store))
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=True)
        jobs.bind()
        self._guarded("sign off", lambda: sign_off(store.database, self._holder))

    # --- what the jobs do -------------------------------------------------------------------------------------------

    def _fire(self, pipeline: str) -> None:
        self._work((pipeline,))

    def _tick(self) -> None:
        self._work(())

    def _work(self, pipelines: tuple[str, ...]) -> None:
        if not self._working.acquire(blocking=False):
            return  # the one that works looks again before it ends
        try:
            self._guarded("look for what is due", lambda: self._worker.work(pipelines))
            if not self.stop.asked:
                self._guarded("send what is due", self._send)
            self._measure()
        finally:
            self._working.release()

    def _send(self) -> None:
        report = send_due(self._project)
        if report is not None:
            tell = log.warning if report.faults else log.info
            tell("messages", sent=report.sent, retry=report.retry, dead=report.dead, waiting=report.waiting, faults=report.faults)
            self._measured = None

    def _beat(self, store: Store) -> None:
        rules = schedule_rules(self._project.definitions)
        keep = dt.timedelta(seconds=rules.heartbeat_seconds * _SILENT_BEATS)

        def write() -> None:
            beat(store.database, self._holder, started_at=self._started_at, now=self._clock(), keep=keep, stopping=self.stop.asked)
            self._metrics.heartbeat(self._clock())

        self._guarded("note that the scheduler lives", write)

    def _measure(self) -> None:
        """Read the figures of the store anew, now and then."""
        project, now = self._project, self._clock()
        every = dt.timedelta(seconds=schedule_rules(project.definitions).metrics_seconds)
        if self._metrics.served and (self._measured is None or now - self._measured >= every):
            self._measured = now
            self._guarded("read the figures", lambda: self._metrics.read(project, now))

    def _guarded(self, doing: str, call: Callable[[], object]) -> None:
        """Log what fails and live on: the next tick tries again."""
        try:
            call()
        except StoreError as error:
            log.error("database", doing=doing, message=error.message, hint=error.hint)
            self._metrics.fault("database")
        except Exception:  # noqa: BLE001 - a scheduler that dies of one bad tick is none
            log.exception("unexpected", doing=doing)
            self._metrics.fault("unexpected")

    # --- what is told -----------------------------------------------------------------------------------------------

    def _current(self) -> Project:
        found = self._projects.current()
        if found is not self._project:
            self._project = found
            log.info("definitions read anew", pipelines=scheduled(found))
            if self._scheduler is not None:
                self._agree(self._scheduler)
        self._metrics.definitions(broken=self._projects.broken is not None)
        return found

    def _broken(self, error: RiskwatchError) -> None:
        log.error("definitions are wrong; the last sound ones go on", message=error.message)

    def _begins(self, claimed: Occurrence) -> None:
        structlog.contextvars.bind_contextvars(run_id=claimed.run_id, pipeline=claimed.pipeline, as_of=str(claimed.as_of))
        log.info(
            "run started", scheduled_for=claimed.scheduled_for.isoformat(), attempt=claimed.attempts, quiet=claimed.quiet,
            catch_up_from=None if claimed.catch_up_from is None else str(claimed.catch_up_from),
        )  # fmt: skip

    def _ended(self, outcome: Outcome) -> None:
        found = outcome.occurrence
        tell = log.error if outcome.state in _ERROR_STATES else log.warning if outcome.state == "skipped" or outcome.exit_code else log.info
        tell(
            "run ended", pipeline=found.pipeline, as_of=str(found.as_of), scheduled_for=found.scheduled_for.isoformat(),
            state=outcome.state, seconds=round(outcome.seconds, 3), message=outcome.message,
            unchanged=outcome.report is not None and outcome.report.unchanged,
        )  # fmt: skip
        structlog.contextvars.unbind_contextvars("run_id", "pipeline", "as_of")
        self._metrics.ended(outcome)
        self._measured = None
