"""Shares worked out from records: every count checked by hand."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from riskwatch.indicators.derived import derive, fields_of
from riskwatch.indicators.values import RECORD_COLUMNS, prepare

AS_OF = dt.date(2024, 12, 31)
REGIONS = {"220000": {"220000", "220100", "220102", "220200"}, "220100": {"220100", "220102"}, "220300": {"220300"}}


def sample(day, region, *, inspected=1, failed=0, selection="random", verdict="pass", **more):
    blank = {"recheck_of": None, "recheck_result": None, "recheck_on": None, "ordered_on": None, "rectified_on": None}
    return (
        {"event_date": day, "region": region, "inspected": inspected, "failed": failed, "selection": selection, "verdict": verdict}
        | blank
        | more
    )


def work_out(catalogue, code, *samples, periods=("quarter",), as_of=AS_OF, first_year=2023, order=None):
    records = pd.DataFrame(list(samples))
    for name in ("event_date", "recheck_on", "ordered_on", "rectified_on"):
        records[name] = pd.to_datetime(records[name]).astype("datetime64[s]")
    for name in ("region", "selection", "verdict", "recheck_result"):
        records[name] = records[name].astype("category")
    records = records if order is None else records.iloc[order]
    form = catalogue.indicators[code].form
    assert set(fields_of(form)) <= set(records.columns)
    return derive(records, code, form, regions=REGIONS, periods=periods, as_of=as_of, first_year=first_year)


SAMPLES = (
    sample("2024-01-10", "220102"),
    sample("2024-02-10", "220102", failed=1, verdict="fail"),
    sample("2024-03-31", "220200", inspected=10, failed=3, verdict="fail"),
    sample("2024-03-31", "220200", failed=1, verdict="fail", selection="targeted"),  # another frame
    sample("2024-03-30", "220200", verdict="undetermined"),
    sample("2024-03-30", "220200", failed=1, verdict="fail", recheck_of="A1"),
    sample("2024-04-01", "220100"),
    sample("2024-12-30", "220100"),  # its quarter has not ended
    sample("2022-12-30", "220100"),  # before the first whole year
)


def test_spot_check_pass_rate_of_random_samples(catalogue):
    found = work_out(catalogue, "spot-check-pass-random", *SAMPLES)
    assert list(found.columns) == [*RECORD_COLUMNS, "source", "known_at"]
    rows = {(row.region, str(row.event_date.date())): (row.numerator, row.n, row.value) for row in found.itertuples()}
    assert rows == {
        ("220000", "2024-03-31"): (8.0, 12.0, pytest.approx(100 * 8 / 12)),
        ("220000", "2024-06-30"): (1.0, 1.0, 100.0),
        ("220100", "2024-03-31"): (1.0, 2.0, 50.0),
        ("220100", "2024-06-30"): (1.0, 1.0, 100.0),
    }
    values = prepare(found, catalogue.indicators, catalogue.methods)
    assert set(values["method"]) == {"wilson"}
    assert (values["flag"] == "").all()


def test_order_of_records_does_not_matter(catalogue):
    expected = work_out(catalogue, "spot-check-pass-random", *SAMPLES, periods=("year", "quarter"), as_of=dt.date(2025, 1, 1))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(SAMPLES))
        found = work_out(catalogue, "spot-check-pass-random", *SAMPLES, periods=("year", "quarter"), as_of=dt.date(2025, 1, 1), order=order)
        pd.testing.assert_frame_equal(found, expected)
    assert expected.loc[expected["period_type"] == "year", "n"].tolist() == [14.0, 4.0]


def test_rechecks_count_by_the_day_of_the_recheck(catalogue):
    rows = [
        sample("2024-01-10", "220100", recheck_on="2024-05-01", recheck_result="pass"),
        sample("2024-01-10", "220100", recheck_on="2024-06-30", recheck_result="fail"),
        sample("2024-01-10", "220100", recheck_on="2024-06-30", recheck_result="undetermined"),
        sample("2024-01-10", "220100", recheck_result="pass"),
    ]
    found = work_out(catalogue, "recheck-pass", *rows)
    own = found.loc[found["region"] == "220100"]
    assert own[["numerator", "n"]].to_numpy().tolist() == [[1.0, 2.0]]
    assert str(own["event_date"].iloc[0].date()) == "2024-06-30"


def test_an_order_whose_term_still_runs_is_neither_met_nor_missed(catalogue):
    rows = [
        sample("2024-01-01", "220100", ordered_on="2024-07-01", rectified_on="2024-08-30"),  # the sixtieth day
        sample("2024-01-01", "220100", ordered_on="2024-07-01", rectified_on="2024-08-31"),
        sample("2024-01-01", "220100", ordered_on="2024-07-02"),
        sample("2024-01-01", "220100", ordered_on="2024-09-28", rectified_on="2024-10-02"),
    ]
    for as_of, counts in ((dt.date(2024, 10, 1), [1.0, 3.0]), (AS_OF, [2.0, 4.0])):
        found = work_out(catalogue, "rectified-in-time", *rows, as_of=as_of)
        assert found.loc[found["region"] == "220100", ["numerator", "n"]].to_numpy().tolist() == [counts]


def test_nothing_to_count_gives_no_row(catalogue):
    found = work_out(catalogue, "recheck-pass", *SAMPLES)
    assert found.empty
    assert list(found.columns) == [*RECORD_COLUMNS, "source", "known_at"]
