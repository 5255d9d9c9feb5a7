"""The scheduler in a process of its own: fires at its time, lives on, ends as it is told to."""

from __future__ import annotations

import datetime as dt
import signal
import sqlite3
from contextlib import closing

import pytest
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from riskwatch.api import Project
from riskwatch.scheduling.metrics import Metrics
from riskwatch.scheduling.projects import Place
from riskwatch.scheduling.service import JOB_DEFAULTS, JOB_TABLE, Service, job_store_url
from riskwatch.scheduling.trigger import SlotTrigger
from riskwatch.store.figures import lease_holder
from riskwatch.store.occurrences import recent_occurrences
from riskwatch.store.schedules import read_schedulers, register
from tests.scheduling.processes import HOLD, Process


def test_it_runs_a_pipeline_at_its_time_and_ends_on_sigterm(tiny):
    project = Project(tiny)
    with project.store() as store:
        register(store.database, "tiny", dt.datetime.fromisoformat("2026-03-02T05:30:00+08:00"))
    with Process(tiny, "serve", "--scheduler", moment="2026-03-02T05:59:52+08:00") as server:
        started = server.wait_for("scheduler started")
        run = server.wait_for("run started")
        ended = server.wait_for("run ended")
        assert server.end(signal.SIGTERM) == 0
        assert server.log[-1]["event"] == "scheduler ended"
    due = dt.datetime.fromisoformat("2026-03-02T06:00:00+08:00")
    begun, late = dt.datetime.fromisoformat(started["timestamp"]), dt.datetime.fromisoformat(run["timestamp"]) - due
    assert late > dt.timedelta(0)
    if begun < due:  # on a machine so slow that the start took longer, it is a missed time that is made good
        assert late < dt.timedelta(seconds=3)
    assert (ended["state"], ended["as_of"]) == ("done", "2026-03-02")
    assert run["run_id"] == "tiny-2026-03-02-1"
    with project.store() as store:
        [found] = recent_occurrences(store.database)
        assert (found.state, found.run_id, found.scheduled_for, found.attempts) == ("done", "tiny-2026-03-02-1", due, 1)
        assert read_schedulers(store.database) == []  # signed off
        assert [row["state"] for row in store.read_runs()] == ["done"]
    # APScheduler's table lies beside the database, never in it.
    with closing(sqlite3.connect(project.var / "scheduler.db")) as jobs:
        assert jobs.execute("SELECT id FROM scheduler_job").fetchall() == [("tiny",)]


def test_the_stored_jobs_are_made_those_of_the_definitions_and_right_ones_are_left_alone(tiny):
    """`replace_existing` at every start would forget the time that a job waits for: only what is absent or changed is written."""
    service = Service(Place(tiny), Metrics())
    path, sound = tiny / "pipelines" / "tiny.yaml", (tiny / "pipelines" / "tiny.yaml").read_text(encoding="utf-8")
    (tiny / "var" / "demo").mkdir(parents=True)
    scheduler = BackgroundScheduler(
        jobstores={"default": SQLAlchemyJobStore(url=job_store_url(service._current()), tablename=JOB_TABLE)}, job_defaults=JOB_DEFAULTS
    )
    scheduler.start(paused=True)
    try:
        service._agree(scheduler)
        [job] = scheduler.get_jobs()
        assert (job.id, job.args, job.func_ref) == ("tiny", ("tiny",), "riskwatch.scheduling.jobs:fire")
        assert (job.coalesce, job.misfire_grace_time) == (True, None)
        waits = dt.datetime(2026, 3, 1, 6, tzinfo=dt.UTC)
        job.modify(next_run_time=waits)
        service._agree(scheduler)
        assert [job.next_run_time for job in scheduler.get_jobs()] == [waits]
        path.write_text(sound.replace('"0 6 * * *"', '"30 7 * * *"\njitter_seconds: 60'), encoding="utf-8")
        service._current()
        service._agree(scheduler)
        [job] = scheduler.get_jobs()
        assert job.trigger == SlotTrigger("tiny", "30 7 * * *", "Asia/Shanghai", 60)
        path.write_text(sound.replace("name: tiny", "name: other"), encoding="utf-8")
        service._current()
        service._agree(scheduler)
        assert [job.id for job in scheduler.get_jobs()] == ["other"]
    finally:
        scheduler.shutdown()


@pytest.mark.slow
def test_a_killed_run_is_taken_over_at_once_and_a_stopped_one_is_given_back(tiny):
    rules = (tiny / "config" / "schedule.yaml").read_text(encoding="utf-8").replace("stop_grace_seconds: 60", "stop_grace_seconds: 0")
    (tiny / "config" / "schedule.yaml").write_text(rules, encoding="utf-8")
    moment = "2026-03-02T06:05:00+08:00"
    with Project(tiny).store() as store:
        register(store.database, "tiny", dt.datetime.fromisoformat("2026-03-02T05:30:00+08:00"))
        with Process(tiny, "serve", "--scheduler", moment=moment, before=HOLD) as killed:
            killed.wait_for("half way")
            killed.end(signal.SIGKILL)
        [found] = recent_occurrences(store.database)
        assert (found.state, found.attempts) == ("running", 1)
        with Process(tiny, "serve", "--scheduler", moment=moment, before=HOLD) as stopped:
            assert stopped.wait_for("run started")["attempt"] == 2
            stopped.wait_for("half way")
            stopped.process.send_signal(signal.SIGTERM)
            assert stopped.wait_for("scheduler stopping")["running"] is True
            stopped.process.stdin.write("go on\n")
            stopped.process.stdin.flush()
            assert stopped.wait_for("run ended")["state"] == "stopped"
            assert stopped.process.wait(60) == 0
        [found] = recent_occurrences(store.database)
        assert (found.state, found.attempts, found.holder) == ("due", 1, None)
        assert lease_holder(store.database) is None
        assert read_schedulers(store.database) == []
        assert [run["state"] for run in store.read_runs()] == ["running"]  # nothing was decided
