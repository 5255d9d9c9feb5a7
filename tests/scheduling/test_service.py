"""The scheduler in a process of its own: fires at its time, lives on, ends as it is told to."""

from __future__ import annotations

import datetime as dt
import signal
import sqlite3
from contextlib import closing

from riskwatch.api import Project
from riskwatch.store.occurrences import recent_occurrences
from riskwatch.store.schedules import read_schedulers, register
from tests.scheduling.processes import Process


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
