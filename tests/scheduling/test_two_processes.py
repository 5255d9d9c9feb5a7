"""Two schedulers on one store: a paused one loses its lease, learns of it and writes nothing."""

from __future__ import annotations

import datetime as dt
import signal
import time

import pytest
import sqlalchemy as sa

from riskwatch.scheduling.service import JOB_TABLE
from riskwatch.store import Store
from riskwatch.store.database import Database
from riskwatch.store.occurrences import recent_occurrences
from riskwatch.store.schedules import register
from riskwatch.store.tables import lease
from tests.scheduling.processes import HOLD, Process


@pytest.fixture
def own_url(url):
    yield url
    # The tests of the schema compare this database with what is declared.
    if url.startswith("postgresql"):
        database = Database(url)
        with database.session("drop the scheduler's table", write=True) as session:
            session.execute(sa.text(f"DROP TABLE IF EXISTS {JOB_TABLE}"))
        database.close()


def end_of_lease(store: Store) -> str:
    """Let the time pass that the lease was taken for."""
    with store.database.session("let the lease end", write=True) as session:
        holder = session.scalar(sa.select(lease.c.holder).where(lease.c.name == "run"))
        session.execute(lease.update().values(expires_at="2026-03-01T22:00:00.000000Z"))
    return holder


@pytest.mark.slow
def test_a_paused_scheduler_loses_its_lease_and_writes_nothing(tiny, own_url):
    rules = (tiny / "config" / "schedule.yaml").read_text(encoding="utf-8").replace("tick_seconds: 20", "tick_seconds: 1")
    (tiny / "config" / "schedule.yaml").write_text(rules, encoding="utf-8")
    moment = "2026-03-02T06:05:00+08:00"
    with Store.open(own_url) as store:
        register(store.database, "tiny", dt.datetime.fromisoformat("2026-03-02T05:30:00+08:00"))
        with (
            Process(tiny, "serve", "--scheduler", moment=moment, before=HOLD, database=own_url) as paused,
        ):
            paused.wait_for("half way")
            paused.process.send_signal(signal.SIGSTOP)
            with Process(tiny, "serve", "--scheduler", moment=moment, database=own_url) as other:
                other.wait_for("scheduler started")
                time.sleep(1.5)
                assert not any(line["event"] == "run started" for line in other.log)  # the lease is held, its holder is alive
                [claimed] = recent_occurrences(store.database)
                holder = end_of_lease(store)
                assert f"(process {paused.process.pid})" in holder
                assert other.wait_for("run ended")["state"] == "done"
                rows = store.read_runs()
                paused.process.send_signal(signal.SIGCONT)
                paused.process.stdin.write("go on\n")
                paused.process.stdin.flush()
                lost = paused.wait_for("run ended")
                assert (lost["state"], lost["level"]) == ("lost", "error")
                assert "expired and is now held by nobody" in lost["message"]
                assert (paused.end(signal.SIGTERM), other.end(signal.SIGTERM)) == (0, 0)
        [found] = recent_occurrences(store.database)
        assert (claimed.state, claimed.attempts, found.state, found.attempts) == ("running", 1, "done", 2)
        assert f"(process {other.process.pid})" in found.holder
        assert store.read_runs() == rows
        assert [row["state"] for row in rows] == ["done"]
        assert sum(line["event"] == "run started" for line in (*paused.log, *other.log)) == 2
