"""p-chart, u-chart and laney-p: published tables, and what the limits mean."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from riskwatch.detectors import detector
from riskwatch.detectors.attribute_charts import sigma_z
from riskwatch.detectors.proportions import binomial_quantile, binomial_tail, widened_quantile, widened_tail
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel

THREE_SIGMA = 0.0013498980316300933
# Montgomery, Introduction to Statistical Quality Control, 7th ed., example 7.1: 30 samples of 50 orange juice cans.
CANS = [12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9, 6]
# Table 7.4: purchase orders with errors, 25 weeks of varying size.
ORDERS = [12, 8, 6, 9, 10, 12, 11, 16, 10, 6, 20, 15, 9, 8, 6, 8, 10, 7, 5, 8, 5, 8, 10, 6, 9]
SIZES = [100, 80, 80, 100, 110, 110, 100, 100, 90, 90, 110, 120, 120, 120, 110, 80, 80, 80, 90, 100, 100, 100, 100, 90, 90]
# Table 7.10: nonconformities in ten rolls of dyed cloth, in units of 50 square metres.
CLOTH = [14, 12, 20, 11, 7, 10, 21, 16, 19, 23]
UNITS = [10.0, 8.0, 13.0, 10.0, 9.5, 10.0, 12.0, 10.5, 12.0, 12.5]


def limits(name, counts, sizes, judged_size, judged_count=0, **parameters):
    """Chart one more sample against all of ``counts``; return its signals."""
    periods = pd.period_range("2020-01", periods=len(counts) + 1, freq="M")
    panel = Panel(np.array([[*counts, judged_count]], float), pd.Index(["a"]), periods, np.array([[*sizes, judged_size]], float))
    given = {"limits": "normal", "alpha": THREE_SIGMA, "guard_periods": 0, "history_periods": len(counts), **parameters}
    return detector(name, **given).detect(panel)


def test_orange_juice_cans():
    signals = limits("p-chart", CANS, [50] * 30, 50)
    assert signals.expected[0, 0] / 50 == pytest.approx(0.2313, abs=5e-5)
    assert signals.upper[0, 0] / 50 == pytest.approx(0.4102, abs=5e-5)
    assert signals.lower[0, 0] / 50 == pytest.approx(0.0524, abs=5e-5)
    # Samples 15 (22 cans) and 23 (24 cans) are outside, 20 cans are not; without the two the book has 0.2150, 0.3893 and 0.0407.
    assert [bool(limits("p-chart", CANS, [50] * 30, 50, count).alarm[0, 0]) for count in (20, 22, 24)] == [False, True, True]
    rest = [count for at, count in enumerate(CANS) if at not in (14, 22)]
    signals = limits("p-chart", rest, [50] * 28, 50)
    assert signals.expected[0, 0] / 50 == pytest.approx(0.2150, abs=5e-5)
    assert signals.upper[0, 0] / 50 == pytest.approx(0.3893, abs=1e-4)
    assert signals.lower[0, 0] / 50 == pytest.approx(0.0407, abs=1e-4)


@pytest.mark.parametrize(
    ("size", "lower", "upper"), [(100, 0.007, 0.184), (80, 0.0, 0.194), (110, 0.012, 0.180), (120, 0.015, 0.176), (90, 0.003, 0.189)]
)
def test_purchase_orders_of_varying_size(size, lower, upper):
    """The book's limits, from p-bar rounded to 0.096."""
    signals = limits("p-chart", ORDERS, SIZES, size)
    assert signals.expected[0, 0] / size == pytest.approx(0.0955, abs=5e-5)
    assert signals.upper[0, 0] / size == pytest.approx(upper, abs=1.2e-3)
    assert signals.lower[0, 0] / size == pytest.approx(lower, abs=1.2e-3)


@pytest.mark.parametrize(
    ("units", "lower", "upper"),
    [
        (10.0, 0.29, 2.55),
        (8.0, 0.16, 2.68),
        (13.0, 0.43, 2.41),
        (9.5, 0.26, 2.58),
        (12.0, 0.39, 2.45),
        (10.5, 0.32, 2.52),
        (12.5, 0.41, 2.43),
    ],
)
def test_dyed_cloth(units, lower, upper):
    """The book's limits, from u-bar rounded to 1.42."""
    signals = limits("u-chart", CLOTH, UNITS, units)
    assert signals.expected[0, 0] / units == pytest.approx(1.4233, abs=5e-5)
    assert signals.upper[0, 0] / units == pytest.approx(upper, abs=1.1e-2)
    assert signals.lower[0, 0] / units == pytest.approx(lower, abs=1.1e-2)


# Sigma-z and limits of the same purchase orders by laney_p_chart of the Python package pccpy 0.16.2, which divides by 2 / sqrt(pi) and not
# by 1.128.
PCCPY_SIGMA_Z = 0.9653495313614876
PCCPY_RANGE = 2.0 / np.sqrt(np.pi)


@pytest.mark.parametrize(
    ("size", "lower", "upper"),
    [(100, 0.01039002, 0.18063039), (80, 0.00034294, 0.19067747), (110, 0.01435129, 0.17666912), (120, 0.01780646, 0.17321395)],
)
def test_laney_p_against_another_package(size, lower, upper):
    failed, inspected = np.array([ORDERS], float), np.array([SIZES], float)
    assert sigma_z(failed, inspected, np.array([234 / 2450]))[0] == pytest.approx(PCCPY_SIGMA_Z * PCCPY_RANGE / 1.128, rel=1e-12)
    signals = limits("laney-p", ORDERS, SIZES, size, min_sigma_z=0.0)
    centre = 234 / 2450
    assert signals.upper[0, 0] / size - centre == pytest.approx((upper - centre) * PCCPY_RANGE / 1.128, abs=1e-8)
    assert centre - signals.lower[0, 0] / size == pytest.approx((centre - lower) * PCCPY_RANGE / 1.128, abs=1e-8)
    # As shipped, limits are never narrower than by chance.
    plain = limits("p-chart", ORDERS, SIZES, size)
    assert limits("laney-p", ORDERS, SIZES, size).upper[0, 0] == plain.upper[0, 0]


def test_moving_ranges_skip_periods_without_inspections():
    x, n = np.array([[3.0, 0, 9, 1]]), np.array([[20.0, 0, 30, 10]])
    rate = np.array([13 / 60])
    z = (np.array([3, 9, 1]) - np.array([20, 30, 10]) * rate) / np.sqrt(np.array([20, 30, 10]) * rate * (1 - rate))
    assert sigma_z(x, n, rate)[0] == pytest.approx(np.abs(np.diff(z)).mean() / 1.128, rel=1e-13)
    assert sigma_z(x[:, :2], n[:, :2], rate)[0] == 1.0


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(0, 5000),
    rate=st.floats(0.001, 0.999),
    level=st.sampled_from([1e-5, 0.005, 0.05, 0.3]),
    sigma=st.sampled_from([1.0, 1.3, 4.0]),
)
def test_quantile_is_the_largest_count_that_is_not_significant(n, rate, level, sigma):
    n, rate = np.array([float(n)]), np.array([rate])
    q = binomial_quantile(level, n, rate)
    assert q[0] == min(stats.binom.isf(level, n[0], rate[0]), n[0]) or binomial_tail(q, n, rate)[0] == pytest.approx(level, rel=1e-9)
    wide = widened_quantile(level, n, rate, sigma)
    assert wide[0] >= q[0]
    assert wide[0] == 0 or widened_tail(wide, n, rate, sigma)[0] > level * (1 - 1e-9)
    assert wide[0] == n[0] or widened_tail(wide + 1, n, rate, sigma)[0] <= level * (1 + 1e-9)


def test_tail_against_scipy():
    rng = np.random.default_rng(1)
    n = rng.integers(1, 3000, 800).astype(float)
    rate, x = rng.random(800), np.floor(rng.random(800) * (n + 2))
    np.testing.assert_allclose(binomial_tail(x, n, rate), stats.binom.sf(x - 1, n, rate), rtol=1e-9, atol=1e-300)


def null(rng, name, mean_n, rho, **parameters):
    """Return the share of alarms at 1 % of two thousand quiet series judged in three months."""
    n = rng.poisson(mean_n, (2000, 40)).astype(float)
    rate = np.full(n.shape, 0.08) if not rho else rng.beta(0.08 * (1 / rho - 1), 0.92 * (1 / rho - 1), n.shape)
    x = np.where(n > 0, rng.binomial(n.astype(int), rate), np.nan)
    panel = Panel(x, pd.RangeIndex(2000), pd.period_range("2020-01", periods=40, freq="M"), n)
    signals = detector(name, alpha=0.01, **parameters).detect(panel, panel.periods[[-9, -5, -1]])
    return signals.alarm[signals.reason == 0].mean()


def test_realised_levels():
    """At nominal 1 %, with 24 months of baseline whose rate is estimated; p and u chart do not know over-dispersion, Laney's does."""
    rng = np.random.default_rng(2)
    assert 0.002 < null(rng, "p-chart", 8, 0.0) < 0.012
    assert 0.006 < null(rng, "p-chart", 200, 0.0) < 0.014
    assert 0.006 < null(rng, "u-chart", 200, 0.0) < 0.014
    assert null(rng, "p-chart", 200, 0.01) > 0.05
    assert 0.005 < null(rng, "laney-p", 200, 0.01) < 0.025
    # Normal limits are too low for the skewed counts of few inspections.
    assert null(rng, "p-chart", 8, 0.0, limits="normal") > 0.015


def test_a_baseline_without_failures_has_limits_above_zero():
    signals = limits("p-chart", [0] * 12, [10] * 12, 10, 1, limits="exact", alpha=0.005)
    assert signals.expected[0, 0] == pytest.approx(10 * 0.5 / 120)
    assert not signals.alarm[0, 0]
    assert limits("p-chart", [0] * 12, [10] * 12, 10, 2, limits="exact", alpha=0.005).alarm[0, 0]


@pytest.mark.parametrize(
    ("name", "x", "n", "message"),
    [
        ("p-chart", [3.5, 1], [9, 9], "p-chart: failures must be whole numbers; 1 cells are not, first 3.5 of 9 for series 'a' in 2021-01"),
        ("laney-p", [3, 12], [9, 9], "laney-p: failures must be <= inspections"),
        ("u-chart", [3, 1.5], [9, 9], "u-chart: counts must be whole numbers; 1 cells are not, first 1.5 for series 'a' in 2021-02"),
        ("u-chart", [3, 1], None, "u-chart: the panel needs exposure, got none"),
    ],
)
def test_impossible_counts(name, x, n, message):
    exposure = None if n is None else np.array([n], float)
    panel = Panel(np.array([x], float), pd.Index(["a"]), pd.period_range("2021-01", periods=2, freq="M"), exposure)
    with pytest.raises(DetectorError, match=message):
        detector(name).detect(panel)


def test_parameter_messages():
    with pytest.raises(DetectorError, match=r"p-chart: min_history_periods must be <= history_periods \(4\), got 9"):
        detector("p-chart", history_periods=4, min_history_periods=9)
    with pytest.raises(DetectorError, match="u-chart: limits must be one of exact, normal, got 'poisson'"):
        detector("u-chart", limits="poisson")
