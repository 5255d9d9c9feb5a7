"""What Prometheus reads from the scheduler process."""

from __future__ import annotations

import datetime as dt
import shutil
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from riskwatch import __version__
from riskwatch.api import Project
from riskwatch.errors import ProjectError
from riskwatch.scheduling.status import Status, status_of
from riskwatch.scheduling.worker import Outcome

__all__ = ["Metrics"]

_BUCKETS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600)
_ROWS = ("new", "changed", "same", "stale", "duplicates", "rejected")
_MESSAGES = ("pending", "sending", "sent", "dead", "dropped")


class Metrics:
    """Counters of what this process did, and gauges read from the store now and then.

    They hold no codes of enterprises and no names: labels are pipelines, sources, models, grades and states.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.served = False
        self._server: WSGIServer | None = None

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"riskwatch_{name}", text, labels, registry=self.registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"riskwatch_{name}", text, labels, registry=self.registry)

        self._runs = counter("runs", "runs by outcome: done, caught-up, failed, retry, skipped, lost, stopped, taken", "pipeline", "state")
        self._seconds = Histogram(
            "riskwatch_run_seconds", "length of runs that came to an end", ("pipeline",), buckets=_BUCKETS, registry=self.registry
        )
        self._rows = counter("rows", "rows pulled, by what became of them", "source", "kind")
        self._source_faults = counter("source_faults", "pulls that ended with a fault", "source")
        self._model_failures = counter("model_failures", "models that failed in a run", "model")
        self._faults = counter("scheduler_faults", "what the scheduler could not do and tries again: database or unexpected", "kind")
        for kind in ("database", "unexpected"):
            self._faults.labels(kind)
        self._heartbeat = gauge("heartbeat_timestamp_seconds", "last sign of life that was stored")
        self._broken = gauge("definitions_broken", "1 while the definitions on disk are wrong and the last sound ones go on")
        self._success = gauge("last_success_timestamp_seconds", "end of the newest run that was done", "pipeline")
        self._day = gauge("last_day_timestamp_seconds", "as-of day of the newest run that was done", "pipeline")
        self._open = gauge("occurrences_open", "times that wait or run", "pipeline")
        self._failed = gauge("occurrences_failed", "times given up since the last that went well", "pipeline")
        self._paused = gauge("pipeline_paused", "1 while a pipeline is paused", "pipeline")
        self._warnings = gauge("warnings_open", "open warnings", "grade")
        self._quarantine = gauge("quarantine_open", "findings in quarantine that wait", "source")
        self._age = gauge("source_age_days", "days since the newest event of a source", "source")
        self._silent = gauge("source_silent", "1 where a source is silent, against what is expected of it", "source")
        self._pull_failures = gauge("source_failures_in_a_row", "pulls of a source that failed, in a row", "source")
        self._messages = gauge("outbox_messages", "messages of the outbox by state; dead ones could not be delivered", "state")
        self._free = gauge("disk_free_bytes", "free space where the database and the digests lie")
        gauge("build_info", "version of riskwatch", "version").labels(__version__).set(1)

    def serve(self, port: int, host: str = "127.0.0.1") -> int:
        """Answer on ``http://host:port/metrics``; return the port (0 chooses a free one).

        Raises
        ------
        ProjectError
            If the port cannot be taken.
        """
        try:
            self._server, _ = start_http_server(port, addr=host, registry=self.registry)
        except OSError as error:
            raise ProjectError(
                f"metrics: cannot listen on {host}:{port}: {error.strerror}", hint="choose another --metrics-port"
            ) from error
        self.served = True
        return int(self._server.server_port)

    def close(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def heartbeat(self, now: dt.datetime) -> None:
        """Note a stored sign of life."""
        self._heartbeat.set(now.timestamp())

    def definitions(self, *, broken: bool) -> None:
        """Note whether the definitions on disk are wrong."""
        self._broken.set(int(broken))

    def fault(self, kind: str) -> None:
        """Count what the scheduler could not do."""
        self._faults.labels(kind).inc()

    def ended(self, outcome: Outcome) -> None:
        """Count a run."""
        pipeline = outcome.occurrence.pipeline
        self._runs.labels(pipeline, outcome.state).inc()
        if outcome.report is None:
            return
        self._seconds.labels(pipeline).observe(outcome.seconds)
        for pull in outcome.report.pulls:
            for kind in _ROWS:
                self._rows.labels(pull.source, kind).inc(getattr(pull, kind))
            self._source_faults.labels(pull.source).inc(1 if pull.faults else 0)
        for model in outcome.report.failed_models:
            self._model_failures.labels(model).inc()

    def read(self, project: Project, now: dt.datetime) -> Status:
        """Read the gauges anew from the store; return what was read."""
        with project.store() as store:
            status = status_of(project, store, now)
        for pipeline in status.pipelines:
            if pipeline.last_ended is not None and pipeline.last_day is not None:
                self._success.labels(pipeline.pipeline).set(dt.datetime.fromisoformat(pipeline.last_ended).timestamp())
                day = dt.datetime.combine(dt.date.fromisoformat(pipeline.last_day), dt.time(), dt.UTC)
                self._day.labels(pipeline.pipeline).set(day.timestamp())
            self._open.labels(pipeline.pipeline).set(len(pipeline.open))
            self._failed.labels(pipeline.pipeline).set(len(pipeline.failed))
            self._paused.labels(pipeline.pipeline).set(int(pipeline.paused))
        for source in status.sources:
            self._quarantine.labels(source.source).set(source.open_quarantine)
            self._silent.labels(source.source).set(int(source.state == "silent"))
            self._pull_failures.labels(source.source).set(source.failures)
            if source.age_days is not None:
                self._age.labels(source.source).set(source.age_days)
        for grade, count in status.warnings.items():
            self._warnings.labels(grade).set(count)
        for state in dict.fromkeys((*_MESSAGES, *(status.outbox or {}))):
            self._messages.labels(state).set((status.outbox or {}).get(state, 0))
        self._free.set(shutil.disk_usage(project.var).free)
        return status
