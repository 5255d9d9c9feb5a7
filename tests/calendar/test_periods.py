from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.calendar import (
    FREQUENCIES,
    MISSING,
    frequency_of,
    last_complete_period,
    period_bounds,
    period_index,
    period_numbers,
    period_of,
    periods_from_numbers,
    periods_per_year,
)
from riskwatch.errors import CalendarError

DAYS = st.dates(dt.date(1900, 1, 1), dt.date(2200, 12, 31))
EVERY = st.sampled_from(list(FREQUENCIES))


@given(day=DAYS, frequency=EVERY)
@settings(max_examples=300, deadline=None)
def test_a_day_lies_in_its_period_and_numbers_go_there_and_back(day, frequency):
    number = period_of([day], frequency)
    period = periods_from_numbers(number, frequency)
    start, end = period_bounds(period)
    assert start[0] <= np.datetime64(day) <= end[0]
    assert period_numbers(period).tolist() == number.tolist()
    assert frequency_of(period) == frequency
    # pandas itself agrees on where the period begins and ends.
    assert period[0].start_time == pd.Timestamp(start[0])
    assert period[0].end_time.normalize() == pd.Timestamp(end[0])


@given(day=DAYS, frequency=EVERY)
@settings(max_examples=200, deadline=None)
def test_periods_follow_each_other_without_gap_or_overlap(day, frequency):
    number = period_of([day], frequency)[0]
    starts, ends = period_bounds(periods_from_numbers(np.arange(number - 1, number + 3), frequency))
    assert (starts[1:] - ends[:-1] == np.timedelta64(1, "D")).all()
    assert period_of(ends, frequency).tolist() == period_of(starts, frequency).tolist() == list(range(number - 1, number + 3))


@given(start=DAYS, days=st.integers(0, 900), frequency=EVERY)
@settings(max_examples=100, deadline=None)
def test_an_index_covers_its_days_and_no_more(start, days, frequency):
    end = start + dt.timedelta(days=days)
    index = period_index(frequency, start, end)
    starts, ends = period_bounds(index)
    assert starts[0] <= np.datetime64(start) <= ends[0]
    assert starts[-1] <= np.datetime64(end) <= ends[-1]
    assert (np.diff(period_numbers(index)) == 1).all()
    assert index.is_unique
    assert index.is_monotonic_increasing


@pytest.mark.parametrize("year", [2004, 2009, 2015, 2020, 2026])
def test_years_of_53_iso_weeks(year):
    first, last = dt.date.fromisocalendar(year, 1, 1), dt.date.fromisocalendar(year, 53, 7)
    weeks = period_index("week", first, last)
    assert len(weeks) == 53
    days = pd.date_range(first, last)
    assert np.bincount(period_of(days, "week") - period_of([first], "week")[0]).tolist() == [7] * 53
    assert weeks.end_time.isocalendar().week.tolist() == list(range(1, 54))


def test_weeks_begin_on_monday_and_match_pandas():
    days = pd.date_range("1969-12-20", "2030-01-10")
    assert period_of(days, "week").tolist() == days.to_period("W-SUN").asi8.tolist()
    assert period_of(days, "month").tolist() == days.to_period("M").asi8.tolist()
    assert period_of(days, "day").tolist() == days.to_period("D").asi8.tolist()
    starts, _ = period_bounds(period_index("week", "2020-12-30", "2021-01-08"))
    assert starts.astype(str).tolist() == ["2020-12-28", "2021-01-04"]


def test_the_four_week_grid_is_anchored_on_monday_1970_01_05():
    assert period_of(["1970-01-04", "1970-01-05", "1970-02-01", "1970-02-02"], "4-week").tolist() == [-1, 0, 0, 1]
    # A block does not depend on where the history starts.
    late, early = period_index("4-week", "2020-03-01", "2020-06-01"), period_index("4-week", "2011-01-01", "2020-06-01")
    assert late.isin(early).all()
    assert late[0].start_time == pd.Timestamp("2020-02-24")


def test_traps_of_pandas_four_week_periods():
    blocks = period_index("4-week", "2020-01-01", "2020-06-01")
    assert np.diff(blocks.asi8).tolist() == [4] * (len(blocks) - 1)  # ordinals step by four: never use them as columns
    assert (blocks + 1)[0] == blocks[1]
    assert pd.period_range(blocks[0], blocks[-1], freq="4W-SUN").equals(blocks)
    assert blocks[0].end_time - blocks[0].start_time > pd.Timedelta(days=27)
    assert str(blocks[0]) == "2019-12-30/2020-01-05"  # the first week only
    made_by_pandas = pd.PeriodIndex(["2020-01-06"], freq="4W-SUN")  # one week off the grid
    with pytest.raises(CalendarError, match="4-week period starting 2020-01-06 is off the grid that is anchored at Monday 1970-01-05"):
        period_bounds(made_by_pandas)


def test_missing_days():
    for frequency in FREQUENCIES:
        numbers = period_of(np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"), frequency)
        assert numbers[1] == MISSING
        periods = periods_from_numbers(numbers, frequency)
        assert pd.isna(periods[1])
        assert np.isnat(period_bounds(periods)[0][1])
        assert period_numbers(periods)[1] == MISSING


def test_times_of_day_do_not_matter():
    assert period_of(np.array(["2020-01-05T23:59:59"], dtype="datetime64[s]"), "week") == period_of(["2020-01-05"], "week")


@pytest.mark.parametrize(
    ("as_of", "frequency", "ripe", "end"),
    [
        ("2021-12-31", "day", 0, "2021-12-31"),
        ("2021-12-31", "month", 0, "2021-12-31"),
        ("2021-12-31", "month", 1, "2021-11-30"),
        ("2022-01-30", "month", 30, "2021-12-31"),
        ("2022-01-02", "week", 0, "2022-01-02"),
        ("2022-01-01", "week", 0, "2021-12-26"),
        ("2022-01-08", "week", 7, "2021-12-26"),
        ("2022-01-09", "week", 7, "2022-01-02"),
        ("2020-02-23", "4-week", 0, "2020-02-23"),
        ("2020-02-22", "4-week", 0, "2020-01-26"),
    ],
)
def test_the_last_complete_period(as_of, frequency, ripe, end):
    period = last_complete_period(as_of, frequency, ripe)
    assert period_bounds(pd.PeriodIndex([period]))[1].astype(str).tolist() == [end]


def test_errors_name_what_was_asked():
    with pytest.raises(CalendarError, match="frequency 'fortnight' is unknown\nHint: use one of day, week, 4-week, month"):
        period_of(["2020-01-01"], "fortnight")
    with pytest.raises(CalendarError, match="periods from 2020-02-01 to 2020-01-01"):
        period_index("day", "2020-02-01", "2020-01-01")
    with pytest.raises(CalendarError, match="ripe_after_days must be >= 0, got -1"):
        last_complete_period("2020-01-01", "week", -1)
    with pytest.raises(CalendarError, match="pandas frequency 'Q-DEC'"):
        period_bounds(pd.period_range("2020Q1", periods=2, freq="Q"))


def test_periods_per_year():
    assert [periods_per_year(frequency) for frequency in FREQUENCIES] == [365, 52, 13, 12]
