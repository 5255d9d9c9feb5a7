"""Claims, failures, catch-up and stops against a real store; the runs themselves are made up unless a test says otherwise."""

from __future__ import annotations

import datetime as dt
import threading

import pytest

from riskwatch.api import Project
from riskwatch.errors import LeaseHeldError, RiskwatchError, StoreError
from riskwatch.runner.digests import DIGEST_LANGUAGE
from riskwatch.scheduling import worker as working
from riskwatch.scheduling.stopping import Stop
from riskwatch.scheduling.worker import Worker, run_now
from riskwatch.store import Store
from riskwatch.store.occurrences import Occurrence, claim, read_occurrences, recent_occurrences, settle
from riskwatch.store.schedules import beat, pause, read_schedulers, register, resume


@pytest.fixture
def worker(project: Project) -> Worker:
    """A worker that has been there since the first of March, 00:00."""
    made = Worker(lambda: project)
    assert made.work() == []
    return made


def states(project: Project) -> list[tuple[int, str]]:
    with project.store() as store:
        return [(found.as_of.day, found.state) for found in reversed(recent_occurrences(store.database))]


def test_a_time_is_run_once_whoever_asks_and_however_often(project, worker, runs, clock):
    clock.set("2026-03-01T06:00:00+08:00")
    [first] = worker.work()
    assert first.state == "done"
    assert (worker.work(), Worker(lambda: project).work()) == ([], [])
    clock.set("2026-03-01T05:00:00+08:00")  # the clock is set back an hour
    assert worker.work() == []
    clock.set("2026-03-01T06:00:00+08:00")
    assert worker.work() == []
    assert runs.calls == [("2026-03-01", False, None)]
    with project.store() as store:
        [found] = recent_occurrences(store.database)
    assert (found.run_id, found.attempts, found.failures, found.finished_at) == (
        "tiny-2026-03-01-made-up-1",
        1,
        0,
        dt.datetime(2026, 2, 28, 22, tzinfo=dt.UTC),
    )


def test_ten_missed_days_are_ten_runs_and_one_of_them_speaks(project, worker, runs, clock):
    clock.set("2026-03-10T09:00:00+08:00")
    worker.work()
    assert runs.calls == [*((f"2026-03-{day:02d}", True, None) for day in range(1, 10)), ("2026-03-10", False, "2026-03-01")]
    assert states(project) == [*((day, "caught-up") for day in range(1, 10)), (10, "done")]


def test_a_worker_killed_between_missed_days_goes_on_where_it_was(project, worker, runs, clock):
    clock.set("2026-03-05T09:00:00+08:00")

    class Killed(BaseException):
        pass

    for survived in range(5):
        runs.errors = [None] * survived + [Killed()] if survived < 2 else []
        try:
            Worker(lambda: project).work()
        except Killed:
            continue
        break
    assert [day[-1] for day, _, _ in runs.calls] == ["1", "1", "2", "2", "3", "4", "5"]
    assert [call for call in runs.calls if not call[1]] == [("2026-03-05", False, "2026-03-01")]
    assert states(project) == [(1, "caught-up"), (2, "caught-up"), (3, "caught-up"), (4, "caught-up"), (5, "done")]


def test_the_one_that_spoke_and_was_killed_before_its_mark_stays_the_one_that_spoke(project, worker, runs, clock, monkeypatch):
    """Killed between the run's last transaction and the mark, started again a day later: not a second catch-up digest."""
    clock.set("2026-03-02T09:00:00+08:00")
    real = working.settle

    def power_cut(database, wanted, **more):
        if not wanted.quiet:
            raise KeyboardInterrupt
        real(database, wanted, **more)

    monkeypatch.setattr(working, "settle", power_cut)
    with pytest.raises(KeyboardInterrupt):
        worker.work()
    monkeypatch.setattr(working, "settle", real)
    assert states(project) == [(1, "caught-up"), (2, "running")]
    clock.set("2026-03-03T06:00:00+08:00")
    Worker(lambda: project).work()
    assert [call for call in runs.calls if not call[1]] == [
        ("2026-03-02", False, "2026-03-01"),
        ("2026-03-02", False, "2026-03-01"),  # the run finds itself done and says nothing new
        ("2026-03-03", False, None),
    ]
    assert states(project) == [(1, "caught-up"), (2, "done"), (3, "done")]


def test_a_failed_run_is_tried_again_with_growing_waits_then_given_up_and_the_next_day_goes_on(project, worker, runs, clock):
    runs.errors = [ValueError("no luck"), StoreError("disk full"), RiskwatchError("again"), RuntimeError("last")]
    tries = []
    for minute in (360, 361, 364, 365, 374, 375, 380, 394, 395, 396, 500):
        clock.set(f"2026-03-01T{minute // 60:02d}:{minute % 60:02d}:00+08:00")
        tries += [(minute - 360, outcome.state, outcome.message) for outcome in worker.work()]
    assert tries == [
        (0, "retry", "ValueError: no luck"),
        (5, "retry", "StoreError: disk full"),
        (15, "retry", "RiskwatchError: again"),
        (35, "failed", "RuntimeError: last"),
    ]
    clock.set("2026-03-02T06:00:00+08:00")
    [next_day] = worker.work()
    assert next_day.state == "done"
    assert runs.calls[-1] == ("2026-03-02", False, "2026-03-01")
    assert states(project) == [(1, "failed"), (2, "done")]


def test_a_run_that_takes_its_process_down_every_time_is_given_up(runs, clock, tiny):
    rules = (tiny / "config" / "schedule.yaml").read_text(encoding="utf-8").replace("starts: 50", "starts: 3")
    (tiny / "config" / "schedule.yaml").write_text(rules, encoding="utf-8")
    strict = Project(tiny, clock=clock)
    assert Worker(lambda: strict).work() == []

    class Killed(BaseException):
        pass

    clock.set("2026-03-01T06:00:00+08:00")
    runs.errors = [Killed(), Killed(), Killed()]
    for _ in range(3):
        with pytest.raises(Killed):
            Worker(lambda: strict).work()
    [outcome] = Worker(lambda: strict).work()
    assert (outcome.state, outcome.message.split(";")[0]) == ("failed", "started 3 times and never came to an end")
    assert len(runs.calls) == 3


def test_while_another_run_holds_the_lease_nothing_is_done_and_nothing_is_lost(project, worker, runs, clock):
    clock.set("2026-03-01T06:00:00+08:00")
    with project.leased(label="by hand"):
        assert Worker(lambda: project).work() == []
        with pytest.raises(LeaseHeldError, match="by hand"):
            run_now(project, "tiny")
    assert runs.calls == []
    assert [outcome.state for outcome in worker.work()] == ["done"]


def test_one_that_slept_past_its_lease_writes_nothing_of_its_run_and_nothing_of_its_time(project, worker, runs, clock):
    """While it slept another worker did the run: its own last transaction and its mark are refused."""
    clock.set("2026-03-01T06:00:00+08:00")

    def asleep(_ctx) -> None:
        runs.inside = None
        clock.set("2026-03-01T06:20:00+08:00")
        assert [outcome.state for outcome in Worker(lambda: project).work()] == ["done"]

    runs.inside = asleep
    [outcome] = worker.work()
    assert outcome.state == "lost"
    assert "expired and is now held by nobody" in outcome.message
    with project.store() as store:
        [found] = recent_occurrences(store.database)
        assert (found.state, found.attempts, found.run_id) == ("done", 2, "tiny-2026-03-01-made-up-2")
        assert [run["run_id"] for run in store.read_runs()] == ["tiny-2026-03-01-made-up-2"]


def test_asked_to_stop_a_run_ends_within_its_grace_or_is_given_back(project, worker, runs, clock):
    clock.set("2026-03-01T06:00:00+08:00")
    stop = Stop()
    runs.inside = lambda _: stop.ask(60)
    [outcome] = Worker(lambda: project, stop=stop).work()
    assert outcome.state == "done"
    clock.set("2026-03-02T06:00:00+08:00")
    stop = Stop()
    runs.inside = lambda _: stop.ask(0)
    [outcome] = Worker(lambda: project, stop=stop).work()
    assert outcome.state == "stopped"
    with project.store() as store:
        found = recent_occurrences(store.database)[0]
        assert (found.state, found.attempts, found.holder) == ("due", 0, None)
        with store.lease("run"):  # released
            pass
    runs.inside = None
    assert [outcome.state for outcome in worker.work()] == ["done"]


def test_a_paused_pipeline_rests_and_catches_up_or_forgets(project, worker, runs, clock):
    clock.set("2026-03-01T06:00:00+08:00")
    with project.store() as store:
        assert pause(store.database, "tiny", by="ops", now=clock())
        assert not pause(store.database, "tiny", by="ops", now=clock())
    assert worker.work() == []
    clock.set("2026-03-03T07:00:00+08:00")
    assert worker.work() == []
    with project.store() as store:
        assert resume(store.database, "tiny", now=clock())
    worker.work()
    assert [call[0] for call in runs.calls] == ["2026-03-01", "2026-03-02", "2026-03-03"]
    with project.store() as store:
        pause(store.database, "tiny", by="ops", now=clock())
    clock.set("2026-03-06T07:00:00+08:00")
    with project.store() as store:
        resume(store.database, "tiny", now=clock(), skip_missed=True)
    assert worker.work() == []
    clock.set("2026-03-07T06:00:00+08:00")
    worker.work()
    assert runs.calls[3:] == [("2026-03-07", False, None)]


def test_run_now_makes_what_is_missed_or_a_run_of_its_own(project, worker, runs, clock):
    clock.set("2026-03-02T07:00:00+08:00")
    outcomes = run_now(project, "tiny")
    assert [outcome.state for outcome in outcomes] == ["caught-up", "done"]
    clock.set("2026-03-02T15:30:00.5+08:00")
    [outcome] = run_now(project, "tiny")
    assert outcome.occurrence.scheduled_for == dt.datetime(2026, 3, 2, 7, 30, tzinfo=dt.UTC)
    assert [call[0] for call in runs.calls] == ["2026-03-01", "2026-03-02", "2026-03-02"]
    clock.set("2026-03-03T06:00:00+08:00")
    assert [outcome.state for outcome in worker.work()] == ["done"]


def test_run_now_does_not_wait_for_a_retry_nor_for_a_paused_pipeline(project, worker, runs, clock):
    clock.set("2026-03-01T06:00:00+08:00")
    runs.errors = [ValueError("no luck")]
    worker.work()
    with project.store() as store:
        pause(store.database, "tiny", by="ops", now=clock())
    [outcome] = run_now(project, "tiny")
    assert outcome.state == "done"
    assert states(project) == [(1, "done")]


def test_run_now_fails_as_the_run_does(project, worker, runs):
    runs.errors = [StoreError("disk full")]
    [outcome] = run_now(project, "tiny")
    assert (outcome.state, outcome.exit_code) == ("failed", 4)


def test_a_missed_day_that_was_decided_by_hand_needs_no_run(project, worker, runs, clock):
    clock.set("2026-03-04T05:00:00+08:00")
    project.run("tiny", as_of="2026-03-03")  # by hand: not under the worker
    clock.set("2026-03-04T06:00:00+08:00")
    outcomes = worker.work()
    assert [(outcome.occurrence.as_of.day, outcome.state) for outcome in outcomes] == [
        (1, "caught-up"),
        (2, "caught-up"),
        (3, "caught-up"),
        (4, "done"),
    ]
    assert [call[0] for call in runs.calls] == ["2026-03-03", "2026-03-04"]


def test_a_real_catch_up_computes_each_day_as_of_itself(project, worker, clock):
    clock.set("2026-03-02T07:00:00+08:00")
    seen = []
    outcomes = Worker(lambda: project, started=seen.append).work()
    assert [outcome.state for outcome in outcomes] == ["caught-up", "done"]
    assert [claimed.run_id for claimed in seen] == ["tiny-2026-03-01-1", "tiny-2026-03-02-1"]
    with project.store() as store:
        assert sorted(str(run["as_of"]) for run in store.read_runs()) == ["2026-03-01", "2026-03-02"]
        assert store.read_digest("changchun", dt.date(2026, 3, 1), language=DIGEST_LANGUAGE) is not None


def test_of_two_that_claim_one_time_the_second_finds_it_settled(url):
    """In SQLite and PostgreSQL: a claim, a takeover of what is left running, and none of what is settled."""
    now = dt.datetime(2026, 3, 1, 6, tzinfo=dt.UTC)
    wanted = Occurrence("daily", now, now.date(), "due")
    with Store.open(url) as store:
        register(store.database, "daily", now)
        with store.lease("run", holder="1@here"):
            first = claim(store.database, wanted, holder="1@here", now=now)
            assert (first.state, first.attempts, first.holder) == ("running", 1, "1@here")
        with store.lease("run", holder="2@here"):
            second = claim(store.database, wanted, holder="2@here", now=now)
            assert (second.attempts, second.holder) == (2, "2@here")
            settle(store.database, second, state="done", now=now, run_id="daily-1")
            assert claim(store.database, wanted, holder="2@here", now=now) is None
        held = store.lease("run", holder="1@here")
        with held:
            held.release()
            for write in (
                lambda: claim(store.database, wanted, holder="1@here", now=now),
                lambda: settle(store.database, wanted, state="failed", now=now),
            ):
                with pytest.raises(LeaseHeldError):
                    write()
        [found] = read_occurrences(store.database, "daily")
        assert (found.state, found.run_id, found.attempts) == ("done", "daily-1", 2)


def test_old_times_are_swept_and_the_plan_needs_none_of_them(project, worker, runs, clock):
    clock.set("2026-03-01T06:00:00+08:00")
    worker.work()
    clock.set("2027-04-10T06:00:00+08:00")  # 405 days later
    worker.work()
    found = states(project)
    assert len(found) == 33
    assert found[0][1] == "skipped"
    assert found[-1] == (10, "done")
    clock.set("2027-04-11T06:00:00+08:00")
    assert [outcome.state for outcome in worker.work()] == ["done"]


def test_a_sign_of_life_waits_for_a_long_write_and_is_not_lost(project, clock):
    """SQLite has one writer: a run that stores much holds up the heartbeat for a while, and nothing fails."""
    written = threading.Event()
    with project.store() as store, project.store() as other:

        def beats() -> None:
            beat(other.database, "1@here", started_at=clock(), now=clock(), keep=dt.timedelta(hours=1))
            written.set()

        with store.database.session("write for long", write=True):
            thread = threading.Thread(target=beats)
            thread.start()
            assert not written.wait(0.5)
        thread.join(20)
        assert written.is_set()
        assert [row.holder for row in read_schedulers(store.database)] == ["1@here"]
