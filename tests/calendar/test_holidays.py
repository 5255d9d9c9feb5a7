from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from riskwatch.calendar import HolidayCalendar
from riskwatch.errors import CalendarError

# An invented fragment of a year: a holiday from Thursday 11 to Wednesday 17 February 2021, with two worked weekends.
CONTENT = {
    "spring_festival": {2020: dt.date(2020, 1, 25), "2021": "2021-02-12"},
    "holidays": [{"date": f"2021-02-{day}", "name": "春节", "verified": day != 17} for day in range(11, 18)],
    "adjusted_workdays": [{"date": dt.date(2021, 2, 7)}, {"date": "2021-02-20", "verified": True}],
}


@pytest.fixture
def calendar():
    return HolidayCalendar.from_config(CONTENT)


def test_workdays(calendar):
    days = np.arange("2021-02-05", "2021-02-23", dtype="datetime64[D]")
    worked = days[calendar.is_workday(days)].astype(str).tolist()
    expected = ["05", "07", "08", "09", "10", "18", "19", "20", "22"]
    assert worked == [f"2021-02-{day}" for day in expected]
    assert calendar.is_workday(np.array(["NaT", "2021-03-01"], dtype="datetime64[D]")).tolist() == [False, True]
    assert calendar.unverified == {dt.date(2021, 2, 17)}


@pytest.mark.parametrize(
    ("start", "n", "end"),
    [
        ("2021-02-10", 1, "2021-02-18"),
        ("2021-02-06", 1, "2021-02-07"),
        ("2021-02-10", 3, "2021-02-20"),
        ("2021-02-18", -1, "2021-02-10"),
        ("2021-02-13", 0, "2021-02-18"),
    ],
)
def test_working_days_are_counted_over_the_holiday(calendar, start, n, end):
    assert calendar.add_working_days(dt.date.fromisoformat(start), n) == dt.date.fromisoformat(end)


def test_deadlines(calendar):
    start = dt.date(2021, 2, 5)
    assert calendar.due_date(start, 7, "natural-day") == dt.date(2021, 2, 12)
    assert calendar.due_date(start, 7, "natural-day", to_workday=True) == dt.date(2021, 2, 18)
    assert calendar.due_date(start, 5, "working-day") == dt.date(2021, 2, 18)
    assert calendar.due_date(dt.datetime(2021, 2, 5, 9, 30), 24, "hour") == dt.datetime(2021, 2, 6, 9, 30)
    assert calendar.due_date(dt.date(2099, 1, 1), 90, "natural-day") == dt.date(2099, 4, 1)  # needs no holidays
    with pytest.raises(CalendarError, match="deadline unit 'week' is unknown"):
        calendar.due_date(start, 1, "week")
    with pytest.raises(CalendarError, match="must be >= 0 working-days, got -1"):
        calendar.due_date(start, -1, "working-day")


def test_festival_offsets(calendar):
    days = ["2021-01-28", "2021-01-29", "2021-02-11", "2021-02-12", "2021-03-05", "2021-03-06", "2020-01-25"]
    offsets = calendar.spring_festival_offset(days)
    assert np.array_equal(offsets, [np.nan, -14, -1, 0, 21, np.nan, 0], equal_nan=True)


def test_a_year_without_data_is_an_error(calendar):
    with pytest.raises(CalendarError, match=r"working days of 2022, 2023: no data in config/holidays.yaml \(years known: 2021 to 2021\)"):
        calendar.is_workday(["2022-01-04", "2023-01-04", "2021-01-04"])
    with pytest.raises(CalendarError, match="working days of 2022"):
        calendar.add_working_days(dt.date(2021, 12, 31), 1)
    with pytest.raises(CalendarError, match=r"Spring Festival of 2019: no data in config/holidays.yaml \(years known: 2020 to 2021\)"):
        calendar.spring_festival_offset(["2019-02-05"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"holidays": [{"date": "2021-02-30"}]}, "holidays entry 1: '2021-02-30' is not a date"),
        ({"holidays": [{"name": "x"}]}, "holidays entry 1: None is not a date"),
        ({"adjusted_workdays": [{"date": "2021-02-22"}]}, "adjusted workday 2021-02-22 is not a Saturday or Sunday"),
        ({"adjusted_workdays": [{"date": "2021-02-13"}]}, "2021-02-13 is both a holiday and an adjusted workday"),
        ({"spring_festival": {2021: "2020-01-25"}}, "spring_festival 2021: 2020-01-25 is not between 21 January and 21 February"),
        ({"holiday": []}, "unknown key 'holiday'"),
    ],
)
def test_wrong_content(change, message):
    with pytest.raises(CalendarError, match=message):
        HolidayCalendar.from_config({**CONTENT, **change})
