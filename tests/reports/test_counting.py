"""Intervals against published and R figures; frames do not depend on the order of rows; small figures give no ratio."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskwatch.errors import RiskwatchError
from riskwatch.reports.counting import count_ratio, difference, injury_frame, notice_frame, overall_frame, strata_frame, wilson


# R 4.x: stats::prop.test(x, n, correct = FALSE)$conf.int, which is Wilson's score interval.
@pytest.mark.parametrize(
    ("x", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.27753280),
        (5, 50, 0.0434757649, 0.2136023144),
        (81, 263, 0.255288520, 0.366209577),
        (15, 148, 0.0623863995, 0.1604872417),
    ],
)
def test_wilson_is_that_of_prop_test(x, n, low, high):
    lower, upper = wilson(np.array([float(x)]), np.array([float(n)]))
    assert (lower[0], upper[0]) == pytest.approx((low, high), abs=5e-8)


# Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10.
@pytest.mark.parametrize(
    ("a", "m", "b", "n", "low", "high"),
    [(56, 70, 48, 80, 0.0524, 0.3339), (9, 10, 3, 10, 0.1705, 0.8090), (10, 10, 0, 20, 0.6791, 1.0), (5, 56, 0, 29, -0.0381, 0.1926)],
)
def test_difference_is_that_of_the_paper(a, m, b, n, low, high):
    gap, below, above = difference(a, m, b, n)
    assert gap == pytest.approx(a / m - b / n)
    assert (below, above) == pytest.approx((low, high), abs=5.1e-5)


# R 4.x: stats::poisson.test(c(x, y))$conf.int
RATIOS = [(41, 20, 41 / 20, 1.17382255, 3.69337400), (11, 15, 11 / 15, 0.304668859, 1.708702986), (3, 0, np.inf, 0.413231355, np.inf)]


@pytest.mark.parametrize(("x", "y", "ratio", "low", "high"), RATIOS)
def test_ratio_is_that_of_poisson_test(x, y, ratio, low, high):
    found = count_ratio(np.array([x]), np.array([y]))
    assert [float(part[0]) for part in found] == pytest.approx([ratio, low, high], rel=1e-7)


@given(st.integers(0, 400), st.integers(1, 400))
def test_wilson_holds_its_rate_and_is_symmetric(x, n):
    x = min(x, n)
    low, high = wilson(np.array([float(x)]), np.array([float(n)]))
    other_low, other_high = wilson(np.array([float(n - x)]), np.array([float(n)]))
    assert 0 <= low[0] <= x / n <= high[0] <= 1
    assert (low[0], high[0]) == pytest.approx((1 - other_high[0], 1 - other_low[0]), abs=1e-12)


def test_impossible_counts_are_refused_and_nothing_inspected_is_no_rate():
    with pytest.raises(RiskwatchError, match="failed must lie between 0 and inspected"):
        wilson(np.array([3.0]), np.array([2.0]))
    assert np.isnan(wilson(np.array([0.0]), np.array([0.0]))).all()
    assert np.isnan(difference(0, 0, 1, 10)).all()


def checks(n=200, seed=3):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "check_type": pd.Categorical(rng.choice(["national", "county"], n)),
            "selection": rng.choice(["random", "targeted"], n),
            "channel": pd.Series(rng.choice(["online", "production"], n)).where(rng.random(n) > 0.1, None),
            "inspected": 1,
            "failed": rng.integers(0, 2, n),
            "producer": rng.choice([f"F{number}" for number in range(40)], n),
        }
    )


def test_frames_do_not_depend_on_the_order_of_rows():
    rows = checks()
    mixed = rows.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(strata_frame(rows), strata_frame(mixed))
    periods = {"now": rows, "before": rows.iloc[:50], "last-year": rows.iloc[50:120]}
    shuffled = {name: frame.sample(frac=1, random_state=2) for name, frame in periods.items()}
    pd.testing.assert_frame_equal(overall_frame(periods), overall_frame(shuffled))


def test_strata_add_up_and_keep_what_has_no_name():
    rows = checks()
    strata = strata_frame(rows)
    assert strata["inspected"].sum() == len(rows)
    assert strata["failed"].sum() == rows["failed"].sum()
    assert "" in set(strata["channel"])


def test_overall_leaves_out_periods_without_samples():
    rows = checks()
    frame = overall_frame({"now": rows, "before": rows.iloc[:0], "last-year": rows.iloc[:30]})
    assert frame["period"].tolist() == ["now", "last-year"]
    assert np.isnan(frame["change"].iloc[0])
    assert frame["change"].iloc[1] == pytest.approx(rows["failed"].mean() - rows["failed"].iloc[:30].mean())
    assert overall_frame({"now": rows.iloc[:0], "before": rows}).empty


def test_no_ratio_on_few_cases():
    now = pd.DataFrame({"code": ["a"] * 2 + ["b"] * 40 + ["c"] * 19 + ["d"] * 60, "persons": 1})
    past = pd.DataFrame({"code": ["a"] * 3 + ["b"] * 20 + ["c"] * 2, "persons": 1})
    frame = injury_frame(now, past, level=0.95, min_cases=20, max_cv=0.33).set_index("code")
    assert frame["ratio"].notna().to_dict() == {"a": False, "b": True, "c": False, "d": False}
    assert frame.loc["b", "ratio"] == 2.0
    assert frame.loc["d", "last_year"] == 0


def test_notices_of_either_period_have_a_row():
    now, past = pd.DataFrame({"system": ["x", "x"], "notices": [1, 2]}), pd.DataFrame({"system": ["y"], "notices": [4]})
    assert notice_frame(now, past).to_dict("list") == {"system": ["x", "y"], "notices": [3, 0], "last_year": [0, 4]}
