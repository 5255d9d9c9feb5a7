"""Regressors of the calendar, counted by hand."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import yaml

from riskwatch.calendar import FESTIVAL_WINDOW, HolidayCalendar, level_shift, period_index, spring_festival, workdays
from riskwatch.errors import CalendarError

CONFIG = Path(__file__).parents[2] / "config" / "holidays.yaml"


@pytest.fixture(scope="module")
def calendar():
    return HolidayCalendar.from_config(yaml.safe_load(CONFIG.read_text(encoding="utf-8")))


def test_festival_phases_of_2024(calendar):
    # The lunar year began on Saturday 10 February 2024, the eve was the Friday of the week of 5 February.
    periods = period_index("week", "2024-01-15", "2024-03-10")
    names, values = spring_festival(periods, calendar)
    assert names == ("spring-festival-before", "spring-festival-holiday", "spring-festival-after")
    expected = np.array([[0, 2, 7, 4, 0, 0, 0, 0], [0, 0, 0, 3, 5, 0, 0, 0], [0, 0, 0, 0, 2, 7, 6, 0]]) / 7
    np.testing.assert_array_equal(values, expected)


def test_the_phases_fill_the_window_and_no_day_twice(calendar):
    periods = period_index("day", "2015-01-01", "2030-12-31")
    _, values = spring_festival(periods, calendar)
    assert set(values.sum(axis=0).tolist()) == {0.0, 1.0}
    assert values.sum() == 16 * (FESTIVAL_WINDOW[1] - FESTIVAL_WINDOW[0] + 1)


def test_a_year_with_53_weeks_has_its_festival_where_it_is(calendar):
    """2020 had 53 ISO weeks: every week keeps its seven days, and the columns go on without a gap or a repeat."""
    periods = period_index("week", "2019-12-30", "2021-03-28")
    assert len(periods) == 65
    _, values = spring_festival(periods, calendar)
    days = (values * 7).round().astype(int)
    assert [int(row.sum()) for row in days] == [13 + 13, 8 + 8, 15 + 15]
    eve = [np.datetime64("2020-01-24"), np.datetime64("2021-02-11")]
    holding = [int((day - np.datetime64("2019-12-30")).astype(int) // 7) for day in eve]
    assert (values[1, holding] > 0).all()
    _, worked = workdays(periods[:53], calendar)
    assert worked[0, 52] == pytest.approx(4 / 7 - 5 / 7)  # 28 December 2020 to 3 January 2021: Friday was New Year's Day


@pytest.mark.parametrize(
    ("first", "worked"),
    [
        ("2024-01-29", 6),  # Sunday 4 February in exchange
        ("2024-02-05", 5),  # the arrangement began on Saturday the 10th; the eve, a Friday, was advised, not given
        ("2024-02-12", 1),  # Sunday the 18th in exchange
        ("2024-03-11", 5),
    ],
)
def test_worked_days_hold_the_adjusted_ones(calendar, first, worked):
    names, values = workdays(period_index("week", first, first), calendar)
    assert names == ("workdays",)
    assert values[0, 0] == pytest.approx((worked - 5) / 7)


def test_a_year_without_data_is_an_error_and_so_is_an_unverified_one(calendar):
    with pytest.raises(CalendarError, match="Spring Festival of 2031: no data"):
        spring_festival(period_index("week", "2031-01-13", "2031-02-09"), calendar)
    with pytest.raises(CalendarError, match="working days of 2031: no data"):
        workdays(period_index("month", "2031-05-01", "2031-05-31"), calendar)
    made = HolidayCalendar.from_config({"holidays": [{"date": "2029-10-01", "name": "国庆节", "verified": False}]})
    with pytest.raises(CalendarError, match=r"worked days of 2029: .* not verified"):
        workdays(period_index("month", "2029-05-01", "2029-05-31"), made)


def test_a_level_shift_within_a_period_is_a_part_of_it():
    periods = period_index("week", "2019-12-23", "2020-01-12")
    np.testing.assert_array_equal(level_shift(periods, dt.date(2020, 1, 1)), [0.0, 5 / 7, 1.0])
    np.testing.assert_array_equal(level_shift(period_index("month", "2019-12-01", "2020-01-31"), dt.date(2020, 1, 1)), [0.0, 1.0])


def test_regressors_of_a_period_do_not_depend_on_the_rest(calendar):
    whole, part = period_index("week", "2016-01-04", "2024-12-29"), period_index("week", "2019-01-07", "2020-12-27")
    at = whole.get_indexer(part)
    for made in (spring_festival, workdays):
        np.testing.assert_array_equal(made(whole, calendar)[1][:, at], made(part, calendar)[1])
