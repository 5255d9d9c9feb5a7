"""What is accepted must mean the same to the scheduler."""

import datetime as dt

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.definitions.cron import cron_complaints

number = st.integers(0, 60).map(str)
part = st.one_of(
    st.just("*"),
    number,
    st.builds("{}-{}".format, number, number),
    st.builds("*/{}".format, number),
    st.builds("{}-{}/{}".format, number, number, number),
    st.builds("{}/{}".format, number, number),
)
day = st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun", "*", "Mon"])
weekday = st.one_of(day, st.builds("{}-{}".format, day, day), st.lists(day, min_size=1, max_size=3).map(",".join))
lists = st.lists(part, min_size=1, max_size=2).map(",".join)


@settings(deadline=None)
@given(st.tuples(lists, lists, lists, lists, weekday).map(" ".join))
def test_the_scheduler_takes_what_we_take(line):
    if not cron_complaints(line):
        CronTrigger.from_crontab(line, timezone="Asia/Shanghai")


@pytest.mark.parametrize("line", ["0 6 * * *", "*/15 8-18 * * mon-fri", "30 7 1,15 1-12/3 *", "0 6 * * MON"])
def test_ordinary_lines_are_taken(line):
    assert cron_complaints(line) == []


def test_why_digits_are_refused():
    # Cron's 1 is Monday; the scheduler's is Tuesday.
    midnight = dt.datetime(2025, 6, 1, tzinfo=dt.UTC)
    fires = CronTrigger.from_crontab("0 6 * * 1", timezone=dt.UTC).get_next_fire_time(None, midnight)
    assert fires.strftime("%A") == "Tuesday"
    [complaint] = cron_complaints("0 6 * * 1")
    assert complaint.startswith("day of week must be written with names (mon, tue, wed, thu, fri, sat, sun), got")
