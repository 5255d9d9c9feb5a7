"""What is to run: pure, so every case of missed days, clocks and failures is a table of rows."""

from __future__ import annotations

import dataclasses
import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.scheduling.plan import Timetable, backoff, make_plan
from riskwatch.scheduling.rules import RetryRules, ScheduleRules
from riskwatch.store.occurrences import Occurrence

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAILY = Timetable("daily", "0 6 * * *", SHANGHAI)
RULES = ScheduleRules(version="test")


def at(day: int, hour: int = 6, minute: int = 0, month: int = 3) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, minute, tzinfo=SHANGHAI)


def row(day: int, state: str = "done", timetable: Timetable = DAILY, **more) -> Occurrence:
    return Occurrence(timetable.pipeline, at(day), dt.date(2026, 3, day), state, **more)


def plan(stored=(), now=None, timetable=DAILY, since=None, rules=RULES, force=False):
    return make_plan(timetable, list(stored), counted_from=since or at(1, 0), now=now, rules=rules, force=force)


def told(found) -> list[tuple[int, bool, int | None]]:
    """Day, quiet, first missed day of each task."""
    entries = [task.occurrence for task in found.tasks]
    return [(each.as_of.day, each.quiet, each.catch_up_from and each.catch_up_from.day) for each in entries]


def test_nothing_before_its_time_and_one_run_at_it():
    assert plan([row(1)], at(2, 5, 59)).tasks == ()
    assert told(plan([row(1)], at(2, 6))) == [(2, False, None)]


def test_missed_days_are_run_in_order_quietly_and_the_last_one_speaks():
    assert told(plan([row(1)], at(5, 7))) == [(2, True, None), (3, True, None), (4, True, None), (5, False, 2)]


def test_after_each_day_the_rest_is_planned_the_same():
    """Killed between two days and started again: the same runs, and the same first missed day."""
    stored, now, seen = [row(1)], at(5, 7), []
    while (tasks := plan(stored, now).tasks) != ():
        seen.append(told(plan(stored, now))[0])
        first = tasks[0].occurrence
        stored.append(dataclasses.replace(first, state="caught-up" if first.quiet else "done"))
    assert seen == told(plan([row(1)], now))


def test_a_time_that_comes_while_days_are_caught_up_with_joins_them():
    stored = [row(1), row(2, "caught-up", quiet=True), row(3, "caught-up", quiet=True)]
    assert told(plan(stored, at(5, 7))) == [(4, True, None), (5, False, 2)]


def test_days_beyond_the_limit_are_skipped_in_one_row_with_a_reason():
    found = plan([row(1)], at(20, 7), rules=ScheduleRules(version="test", catch_up_days=3))
    assert [day for day, _, _ in told(found)] == [17, 18, 19, 20]
    [skipped] = found.skipped
    assert (skipped.as_of.day, skipped.covers) == (16, 15)
    assert skipped.message == ("not computed: 2026-03-02 to 2026-03-16 lies more than 3 days back (catch_up_days in config/schedule.yaml)")
    # What was skipped was not computed: the digest speaks for the days that were.
    assert told(found)[-1] == (20, False, 17)
    after = [row(1), dataclasses.replace(skipped, state="skipped")]
    assert told(plan(after, at(20, 7), rules=ScheduleRules(version="test", catch_up_days=3))) == told(found)


def test_a_year_of_silence_makes_no_year_of_rows():
    found = plan([], at(1, 7, month=3), since=at(1, 0, month=3) - dt.timedelta(days=365))
    assert len(found.skipped) == 1
    assert len(found.tasks) == 32
    assert found.skipped[0].covers + len(found.tasks) == 366


def test_the_clock_set_back_makes_nothing_due_again():
    stored = [row(1), row(2)]
    for hour in (5, 6, 7):
        assert plan(stored, at(2, hour)).tasks == ()
        assert plan(stored, at(1, hour)).tasks == ()
    assert told(plan(stored, at(3, 6))) == [(3, False, None)]


def test_a_failed_time_waits_and_is_tried_again_and_run_now_does_not_wait():
    waits = row(2, "due", attempts=1, failures=1, retry_at=at(2, 6, 5))
    assert plan([row(1), waits], at(2, 6, 4)).tasks == ()
    [task] = plan([row(1), waits], at(2, 6, 5)).tasks
    assert (task.occurrence.failures, task.final) == (1, False)
    assert told(plan([row(1), waits], at(2, 6, 4), force=True)) == [(2, False, None)]


def test_once_the_next_day_has_come_a_failed_one_has_one_last_try():
    waits = row(2, "due", attempts=2, failures=2, retry_at=at(3, 9))
    found = plan([row(1), waits], at(3, 6))
    assert told(found) == [(2, True, None), (3, False, 2)]
    assert [task.final for task in found.tasks] == [True, False]


def test_a_day_given_up_holds_up_nothing_and_the_next_one_speaks_for_it():
    assert told(plan([row(1), row(2, "failed")], at(3, 6))) == [(3, False, 2)]
    # Only since the last run that spoke.
    assert told(plan([row(1, "failed"), row(2)], at(3, 6))) == [(3, False, None)]


def test_what_a_dead_process_left_running_is_run_again():
    assert told(plan([row(1), row(2, "running", attempts=1)], at(2, 8))) == [(2, False, None)]


def test_times_of_one_day_are_one_run():
    hourly = Timetable("hourly", "0 * * * *", SHANGHAI)
    stored = [Occurrence("hourly", at(1, 10), dt.date(2026, 3, 1), "done"), Occurrence("hourly", at(1, 11), dt.date(2026, 3, 1), "due")]
    found = plan(stored, at(2, 3, 30), timetable=hourly, since=at(1, 0))
    assert [(task.occurrence.scheduled_for, task.occurrence.covers, task.covered) for task in found.tasks] == [
        (at(1, 23), 13, (at(1, 11),)),
        (at(2, 3), 4, ()),
    ]


def test_a_pinned_day_is_run_once_however_long_nobody_ran_it():
    pinned = dataclasses.replace(DAILY, pinned=dt.date(2025, 12, 31))
    found = plan([], at(9, 7), timetable=pinned)
    assert [(task.occurrence.as_of, task.occurrence.quiet, task.occurrence.covers) for task in found.tasks] == [
        (dt.date(2025, 12, 31), False, 9)
    ]
    assert found.tasks[0].occurrence.catch_up_from is None


def test_jitter_puts_a_time_off_and_run_now_does_not_wait_for_it():
    late = dataclasses.replace(DAILY, jitter_seconds=3600)
    due = [minute for minute in range(61) if plan([row(1)], at(2, 6) + dt.timedelta(minutes=minute), timetable=late).tasks]
    assert due
    assert 0 < due[0] <= 60
    assert due == list(range(due[0], 61))
    assert len(plan([row(1)], at(2, 6), timetable=late, force=True).tasks) == 1


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-90, 3000), st.sampled_from(["done", "fail", "kill", "none"])), min_size=1, max_size=40),
    st.sampled_from(["0 6 * * *", "30 2 * * *", "0 */7 * * *", "0 6 * * mon-fri"]),
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Pacific/Apia"]),
)
def test_whatever_happens_no_time_is_settled_twice_and_no_day_is_lost(steps, cron, zone):
    """A clock that jumps (also back), runs that end, fail or are killed: each day is settled once, in order, and the last one spoke."""
    timetable, begin = Timetable("daily", cron, ZoneInfo(zone)), dt.datetime(2025, 10, 20, tzinfo=dt.UTC)
    rules = ScheduleRules(version="test", catch_up_days=3660)
    stored: dict[dt.datetime, Occurrence] = {}
    settled: list[dt.datetime] = []
    now = newest = begin

    def step(outcome: str) -> bool:
        found = make_plan(timetable, sorted(stored.values(), key=lambda each: each.scheduled_for), counted_from=begin, now=now, rules=rules)
        if not found.tasks:
            return False
        task = found.tasks[0]
        wanted = task.occurrence
        for each in task.covered:
            stored[each] = dataclasses.replace(stored[each], state="caught-up")
        state = {
            "done": "caught-up" if wanted.quiet else "done",
            "fail": "failed" if task.final else "due",
            "kill": "running",
            "none": None,
        }[outcome]
        if state is not None:
            stored[wanted.scheduled_for] = dataclasses.replace(wanted, state=state)
        if state not in {None, "due", "running"}:
            settled.append(wanted.scheduled_for)
        return True

    for minutes, outcome in steps:
        now += dt.timedelta(minutes=minutes)
        newest = max(newest, now)
        step(outcome)
    now = newest
    while step("done"):
        pass
    assert settled == sorted(set(settled))
    days = [stored[each].as_of for each in settled]
    from riskwatch.scheduling.cron import occurrences

    assert set(days) == {timetable.day(slot) for slot in occurrences(cron, timetable.zone, begin, newest)}
    if settled:
        assert stored[settled[-1]].state == "done"


@pytest.mark.parametrize(("failures", "minutes"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (30, 60)])
def test_waits_double_up_to_the_longest(failures, minutes):
    assert backoff(RetryRules(), failures) == dt.timedelta(minutes=minutes)
