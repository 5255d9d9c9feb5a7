"""Newest values and their intervals."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from riskwatch.errors import RiskwatchError
from riskwatch.indicators.periods import labels, last_day, middle, numbers
from riskwatch.indicators.values import VALUE_COLUMNS, binomial_interval, newest, prepare
from tests.indicators.conftest import frame, record, shipped, years

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "indicator_intervals.csv"


def test_intervals_are_those_of_r():
    table = pd.read_csv(REFERENCE)
    assert len(table) == 20
    for level, rows in table.groupby("level"):
        x, n = rows["x"].to_numpy(dtype=float), rows["n"].to_numpy(dtype=float)
        for method, name in (("wilson", "wilson"), ("clopper-pearson", "exact")):
            low, high = binomial_interval(x, n, level=float(level), method=method)
            np.testing.assert_allclose(low, rows[f"{name}_low"], rtol=1e-9, atol=1e-14)
            np.testing.assert_allclose(high, rows[f"{name}_high"], rtol=1e-9, atol=1e-14)


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(1, 400), st.integers(2, 50))
def test_intervals_hold_the_share_and_narrow_with_n(x, n, times):
    x = min(x, n)
    for method in ("wilson", "clopper-pearson"):
        low, high = (float(part[0]) for part in binomial_interval(np.array([x]), np.array([n]), method=method))
        assert 0.0 <= low <= x / n <= high <= 1.0
        more = [float(part[0]) for part in binomial_interval(np.array([x * times]), np.array([n * times]), method=method)]
        assert more[1] - more[0] < high - low


def test_impossible_counts_have_no_interval():
    low, high = binomial_interval(np.array([3.0, -1.0, 1.0, np.nan]), np.array([2.0, 5.0, 0.0, 5.0]))
    assert np.isnan(low).all()
    assert np.isnan(high).all()


@pytest.mark.parametrize("coverage", [0.90, 0.95])
def test_the_exact_interval_never_covers_less(coverage):
    n = 60
    x = np.arange(n + 1.0)
    low, high = binomial_interval(x, np.full(n + 1, float(n)), level=coverage, method="clopper-pearson")
    for share in np.linspace(0.01, 0.99, 99):
        inside = stats.binom.pmf(x, n, share)[(low <= share) & (share <= high)].sum()
        assert inside >= coverage


def test_the_newest_of_a_period_wins_whatever_the_order():
    rows = [
        record("waste-treatment", "220000", "2024-12-31", 95.0, status="preliminary", known="2025-03-01"),
        record("waste-treatment", "220000", "2024-12-31", 96.0, status="final", known="2025-06-01"),
        record("waste-treatment", "220000", "2024-12-31", 97.0, status="final", known="2025-06-01", source="r"),
        record("waste-treatment", "220000", "2024-12-31", 94.0, status="revised", known="2025-06-01"),
        record("waste-treatment", "220000", "2023-12-31", 90.0),
        record("waste-treatment", "220100", "2024-12-31", 80.0),
    ]
    expected = [("220000", 90.0), ("220000", 94.0), ("220100", 80.0)]
    for order in (rows, rows[::-1], [rows[index] for index in (3, 0, 5, 2, 4, 1)]):
        found = newest(frame(*order)).sort_values(["region", "number"])
        assert list(zip(found["region"], found["value"], strict=True)) == expected


def test_missing_columns_are_named():
    with pytest.raises(RiskwatchError, match="missing n, status"):
        newest(frame(record("waste-treatment", "220000", "2024-12-31", 95.0)).drop(columns=["n", "status"]))


def test_periods_are_consecutive_numbers():
    days = pd.Series(pd.to_datetime(["2024-12-31", "2024-06-30", "2024-09-30", "2024-07-31"]))
    kinds = pd.Series(["year", "half", "quarter", "month"])
    found = numbers(days, kinds)
    assert labels(found, kinds) == ["2024", "2024H1", "2024Q3", "2024-07"]
    assert [last_day(number, kind) for number, kind in zip(found.tolist(), kinds, strict=True)] == [day.date() for day in days]
    assert middle(np.array([2024]), "year").tolist() == [2024.5]
    assert last_day(2024 * 4 + 3, "quarter") == dt.date(2024, 12, 31)
    assert labels(np.array([2024 * 4 + 4]), pd.Series(["quarter"])) == ["2025Q1"]


def test_each_kind_of_figure_has_its_interval(catalogue):
    values = frame(
        record("manufacturing-pass-rate", "220000", "2024-12-31", 93.62, numerator=2434, n=2600),
        record("manufacturing-pass-rate", "220100", "2024-12-31", 93.62, n=2600),
        record("manufacturing-pass-rate", "220200", "2024-12-31", 93.62),
        record("manufacturing-pass-rate", "220300", "2024-12-31", 93.62, se=0.5),
        record("manufacturing-pass-rate", "220400", "2024-12-31", 90.0, numerator=2434, n=2600),
        record("customer-satisfaction", "220000", "2024-12-31", 80.0, se=1.0),
        record("customer-satisfaction", "220100", "2024-12-31", 99.5, se=1.0),
        record("customer-satisfaction", "220200", "2024-12-31", 120.0, se=1.0),
        record("waste-treatment", "220000", "2024-12-31", 98.0),
        record("no-such-indicator", "220000", "2024-12-31", 1.0),
    )
    found = prepare(values, catalogue.indicators, catalogue.methods).set_index(["indicator", "region"])
    assert list(prepare(values, catalogue.indicators, catalogue.methods).columns) == VALUE_COLUMNS
    assert len(found) == len(values) - 1
    rate = found.loc["manufacturing-pass-rate"]
    assert rate.loc["220000", ["lower", "upper"]].tolist() == pytest.approx([92.6098, 94.49228], rel=1e-6)
    assert rate.loc["220100", ["lower", "upper"]].tolist() == pytest.approx([92.6098, 94.49228], rel=1e-4)
    assert np.isnan(rate.loc["220200", "lower"])
    assert rate["method"].tolist() == ["wilson", "wilson", "none", "normal", "wilson"]
    assert rate["flag"].tolist() == ["", "", "", "", "mismatch"]
    assert rate.loc["220400", "lower"] < 90.0 < rate.loc["220400", "upper"]
    index = found.loc["customer-satisfaction"]
    assert index.loc["220000", ["lower", "upper"]].tolist() == pytest.approx([80 - 1.959964, 80 + 1.959964], rel=1e-6)
    assert index.loc["220100", "upper"] == 100.0  # a scale ends where it ends
    assert index.loc["220200", "flag"] == "out-of-bounds"
    assert np.isnan(index.loc["220200", "lower"])
    assert found.loc[("waste-treatment", "220000"), "method"] == "none"


def test_a_design_effect_widens_the_interval(catalogue):
    indicator = catalogue.indicators["manufacturing-pass-rate"]
    values = frame(record("manufacturing-pass-rate", "220000", "2024-12-31", 93.62, numerator=2434, n=2600))
    plain = prepare(values, {"manufacturing-pass-rate": indicator}, catalogue.methods)
    wide = prepare(values, {"manufacturing-pass-rate": indicator.model_copy(update={"design_effect": 4.0})}, catalogue.methods)
    ratio = (wide["upper"] - wide["lower"]) / (plain["upper"] - plain["lower"])
    assert ratio.iloc[0] == pytest.approx(2.0, rel=0.01)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(12)))
def test_order_of_rows_does_not_matter(order):
    known = shipped()
    rows = years("customer-satisfaction", "220000", [70, 71, 72, 73, 74, 75], se=1.0) + years(
        "waste-treatment", "220100", [1, 2, 3, 4, 5, 6]
    )
    expected = prepare(frame(*rows), known.indicators, known.methods)
    found = prepare(frame(*(rows[place] for place in order)), known.indicators, known.methods)
    pd.testing.assert_frame_equal(found, expected)


def test_nothing_is_nothing(catalogue):
    empty = frame(record("waste-treatment", "220000", "2024-12-31", 95.0)).iloc[:0]
    assert prepare(empty, catalogue.indicators, catalogue.methods).columns.tolist() == VALUE_COLUMNS
