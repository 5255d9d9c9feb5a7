"""Times of cron lines: none twice, none lost, in every zone; APScheduler's trigger is the oracle where clocks are not set."""

from __future__ import annotations

import datetime as dt
import pickle
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.errors import CalendarError
from riskwatch.scheduling.cron import delay, occurrences, parse_cron, upcoming
from riskwatch.scheduling.trigger import SlotTrigger

# With and without summer time, both hemispheres, half and quarter hours, changes at midnight, a half-hour change, a day left out.
ZONES = (
    "Asia/Shanghai", "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo",
    "Africa/Cairo", "Pacific/Apia", "Pacific/Kiritimati", "Antarctica/Troll", "Asia/Urumqi",
)  # fmt: skip
DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def number_field(low: int, high: int):
    value = st.integers(low, high)
    spans = st.tuples(value, value).map(lambda ends: f"{min(ends)}-{max(ends)}")
    steps = st.integers(1, high - low).map(lambda step: f"*/{step}")
    return st.one_of(
        st.just("*"), value.map(str), st.lists(value, min_size=1, max_size=3).map(lambda found: ",".join(map(str, found))), spans, steps
    )


WEEKDAYS = st.one_of(
    st.just("*"), st.lists(st.sampled_from(DAY_NAMES), min_size=1, max_size=3, unique=True).map(",".join), st.just("mon-fri")
)
LINES = st.tuples(number_field(0, 59), number_field(0, 23), number_field(1, 31), number_field(1, 12), WEEKDAYS).map(" ".join)
INSTANTS = st.datetimes(dt.datetime(2010, 1, 1), dt.datetime(2026, 12, 31), timezones=st.just(dt.UTC))


def oracle(line: str, zone: ZoneInfo, after: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
    trigger = CronTrigger.from_crontab(line, timezone=zone)
    found, previous = [], after
    while (fires := trigger.get_next_fire_time(None, previous + dt.timedelta(microseconds=1))) is not None and fires <= until:
        found.append(fires.astimezone(dt.UTC))
        previous = fires.astimezone(dt.UTC)
    return found


def offsets(zone: ZoneInfo, after: dt.datetime, until: dt.datetime) -> set[dt.timedelta | None]:
    hours = int((until - after) / dt.timedelta(hours=1)) + 4
    return {(after + dt.timedelta(hours=hour - 2)).astimezone(zone).utcoffset() for hour in range(hours)}


@settings(max_examples=120, deadline=None)
@given(LINES, st.sampled_from(ZONES), INSTANTS, st.integers(1, 60))
def test_where_clocks_stand_still_it_agrees_with_apscheduler(line, name, after, hours):
    zone, until = ZoneInfo(name), after + dt.timedelta(hours=hours)
    if len(offsets(zone, after, until)) == 1:
        assert occurrences(line, zone, after, until) == oracle(line, zone, after, until)


@settings(max_examples=120, deadline=None)
@given(LINES, st.sampled_from(ZONES), INSTANTS, st.lists(st.integers(1, 40_000), max_size=6))
def test_however_a_span_is_cut_its_times_are_the_same(line, name, after, minutes):
    """Nothing twice, nothing lost: schedulers that look at other moments find the same times."""
    zone = ZoneInfo(name)
    cuts = [after, *(after + dt.timedelta(minutes=sum(minutes[: k + 1]) / 10) for k in range(len(minutes)))]
    whole = occurrences(line, zone, cuts[0], cuts[-1])
    assert [found for start, end in pairwise(cuts) for found in occurrences(line, zone, start, end)] == whole
    assert whole == sorted(set(whole))
    assert occurrences(line, zone, cuts[-1], cuts[0]) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 23), st.integers(0, 59), st.sampled_from(ZONES), st.integers(2010, 2026))
def test_a_daily_line_has_one_time_on_every_day_of_the_year(hour, minute, name, year):
    zone = ZoneInfo(name)
    start, end = (dt.datetime(each, 1, 1, tzinfo=zone) - dt.timedelta(microseconds=1) for each in (year, year + 1))
    days = [found.astimezone(zone).date() for found in occurrences(f"{minute} {hour} * * *", zone, start, end)]
    wanted = [dt.date(year, 1, 1) + dt.timedelta(days=k) for k in range((dt.date(year + 1, 1, 1) - dt.date(year, 1, 1)).days)]
    # Apia had no 30 December 2011: its time falls on the 31st's own.
    assert days == [day for day in wanted if not (name == "Pacific/Apia" and day == dt.date(2011, 12, 30))]


def local(found: list[dt.datetime], zone: ZoneInfo) -> list[str]:
    return [each.astimezone(zone).strftime("%d %H:%M %z") for each in found]


def test_in_spring_the_time_that_does_not_exist_comes_after_the_change():
    zone = ZoneInfo("Europe/Berlin")
    after, until = dt.datetime(2025, 3, 29, tzinfo=dt.UTC), dt.datetime(2025, 3, 31, tzinfo=dt.UTC)
    assert local(occurrences("30 2 * * *", zone, after, until), zone) == ["29 02:30 +0100", "30 03:30 +0200"]
    # Two times that fall together are one.
    assert local(occurrences("30 2,3 * * *", zone, after, until), zone) == ["29 02:30 +0100", "29 03:30 +0100", "30 03:30 +0200"]


def test_in_autumn_a_time_of_day_comes_once_and_every_hour_means_every_hour():
    zone = ZoneInfo("Europe/Berlin")
    after, until = dt.datetime(2025, 10, 25, 12, tzinfo=dt.UTC), dt.datetime(2025, 10, 26, 3, tzinfo=dt.UTC)
    assert local(occurrences("30 2 * * *", zone, after, until), zone) == ["26 02:30 +0200"]
    hourly = occurrences("30 * * * *", zone, after, until)
    assert {later - earlier for earlier, later in pairwise(hourly)} == {dt.timedelta(hours=1)}
    # The rule of the library fires a daily job twice: the reason for ours.
    assert local(oracle("30 2 * * *", zone, after, until), zone) == ["26 02:30 +0200", "26 02:30 +0100"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 6 29 2 *", ["2028-02-29", "2032-02-29"]),
        ("0 6 1 * mon", ["2027-02-01", "2027-03-01"]),  # both must fit
        ("0 6 30 2 *", []),
    ],
)
def test_rare_lines_are_found_and_impossible_ones_end(line, expected):
    found = islice(upcoming(line, ZoneInfo("Asia/Shanghai"), dt.datetime(2026, 11, 26, tzinfo=dt.UTC)), 2)
    assert [each.astimezone(ZoneInfo("Asia/Shanghai")).date().isoformat() for each in found] == expected


def test_a_wrong_line_is_told():
    with pytest.raises(CalendarError, match='cron line "0 6 \\* \\* 1": day of week must be written with names'):
        parse_cron("0 6 * * 1")


def stored_and_read(trigger: SlotTrigger) -> SlotTrigger:
    return pickle.loads(pickle.dumps(trigger))  # noqa: S301 - as APScheduler's table keeps it


@settings(max_examples=60, deadline=None)
@given(LINES, st.sampled_from(ZONES), INSTANTS, st.sampled_from([0, 1, 90, 3600]))
def test_the_trigger_fires_for_each_time_once_after_its_delay(line, name, after, jitter):
    zone, trigger = ZoneInfo(name), stored_and_read(SlotTrigger("daily", line, name, jitter))
    fired, previous = [], None
    for _ in range(4):
        previous = trigger.get_next_fire_time(previous, after)
        if previous is None:
            break
        fired.append(previous)
    until = fired[-1] if fired else after + dt.timedelta(days=1)
    due = {slot + delay("daily", slot, jitter) for slot in occurrences(line, zone, after - dt.timedelta(hours=2), until)}
    assert fired == sorted(each for each in due if after <= each <= until)


def test_the_delay_is_the_same_for_every_scheduler_and_differs_between_days():
    slots = [dt.datetime(2026, 1, day, 6, tzinfo=dt.UTC) for day in range(1, 29)]
    drawn = [delay("daily", slot, 600) for slot in slots]
    assert drawn == [delay("daily", slot.astimezone(ZoneInfo("Asia/Shanghai")), 600) for slot in slots]
    assert dt.timedelta(0) <= min(drawn)
    assert max(drawn) <= dt.timedelta(seconds=600)
    assert len(set(drawn)) > 20
    assert drawn != [delay("monthly", slot, 600) for slot in slots]
    assert delay("daily", slots[0], 0) == dt.timedelta(0)
