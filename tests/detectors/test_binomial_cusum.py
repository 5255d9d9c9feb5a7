"""binomial-cusum: its chain against enumeration and simulation, its chart against R's, and what it finds."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from riskwatch.detectors import cusum_statistics, detector, memory_of
from riskwatch.detectors.binomial_chain import binomial_arl, binomial_limit_for, binomial_survival, chain_tail, lattice
from riskwatch.detectors.binomial_expectation import Expectation
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel

REFERENCE = Path(__file__).parents[1] / "reference"
MONTHS = pd.period_range("2019-01", periods=75, freq="M")


def test_survival_is_that_of_scipy():
    rng = np.random.default_rng(0)
    n = rng.integers(1, 900, 200).astype(float)
    a, b = rng.gamma(1, 3, 200) + 0.05, rng.gamma(1, 60, 200) + 0.05
    edge = np.floor(rng.uniform(-2, 1.1, (200, 20)) * n[:, None])
    np.testing.assert_allclose(
        binomial_survival(edge, n, a, b), stats.betabinom.sf(edge - 1, n[:, None], a[:, None], b[:, None]), rtol=1e-6, atol=1e-10
    )
    large = np.array([4e4])
    found = binomial_survival(np.array([[2000.0, 2200.0, 2400.0]]), large, np.array([50.0]), np.array([950.0]))
    np.testing.assert_allclose(found, stats.betabinom.sf([[1999, 2199, 2399]], 4e4, 50, 950), rtol=0.01)


def test_chain_equals_enumeration():
    """All outcomes of three small batches of their own sizes and shares."""
    n, rate = np.array([[2.0, 0.0, 3.0, 1.0]]), np.array([[0.1, 0.2, 0.15, 0.3]])
    chart = lattice(n, rate, np.zeros(1), 2.0)
    tail = chain_tail(chart, n, rate, np.zeros(1), np.zeros(1))[0]
    exact = np.zeros(len(tail))
    for x in itertools.product(range(3), range(1), range(4), range(2)):
        state = int(cusum_statistics.recursion(chart.increments(np.array([x], float)))[0, -1])
        exact[: state + 1] += np.prod(stats.binom.pmf(x, n[0], rate[0]))
    np.testing.assert_allclose(tail, exact, rtol=1e-6, atol=1e-9)


def test_lattice_costs_add_up():
    """Batches that cost less than half a step each: over any run the lattice is within a step of the exact chart."""
    n, rate = np.ones((1, 400)), np.full((1, 400), 0.02)
    chart = lattice(n, rate, np.zeros(1), 2.0)
    exact = np.cumsum(-cusum_statistics.binomial_ratio(0 * n, n, rate, 2.0))
    assert np.abs(np.cumsum(chart.cost) * chart.unit - exact).max() <= chart.unit / 2 + 1e-9
    assert chart.cost.sum() > 0


def test_chain_with_uncertain_share_and_scatter():
    """Against simulation: 40,000 charts of six batches, share and scatter drawn as the chain assumes."""
    rng = np.random.default_rng(1)
    n, rate, rho, error = np.full((1, 6), 20.0), np.full((1, 6), 0.08), np.array([0.04]), np.array([0.3])
    chart = lattice(n, rate, rho, 2.0)
    tail = chain_tail(chart, n, rate, rho, error)[0]
    shift = rng.normal(0, error[0], (40_000, 1)) - 0.5 * error[0] ** 2 * (1 - 2 * 0.08)
    p = 1 / (1 + np.exp(-(np.log(0.08 / 0.92) + shift))) * np.ones((1, 6))
    p = rng.beta(p * (1 / rho - 1), (1 - p) * (1 / rho - 1))
    states = cusum_statistics.recursion(np.floor(chart.slope * rng.binomial(20, p) + 0.5) - chart.cost)[:, -1]
    for state in (1, 5, 10, 20):
        assert tail[state] == pytest.approx(np.mean(states >= state), abs=0.006 if state < 10 else 0.004)


@pytest.mark.parametrize(("batch", "rate", "rho"), [(1, 0.05, 0.0), (1, 0.2, 0.0), (12, 0.05, 0.0), (30, 0.1, 0.05)])
def test_run_length_against_simulation(batch, rate, rho):
    """The exact chart, simulated; batches of one are the Bernoulli CUSUM."""
    rng = np.random.default_rng(2)
    limit, runs = 1.75, 4000
    n = np.full(runs, float(batch))
    state, length, live = np.zeros(runs), np.zeros(runs), np.ones(runs, bool)
    design = 1 + (batch - 1) * rho
    while live.any():
        p = rng.beta(rate * (1 / rho - 1), (1 - rate) * (1 / rho - 1), runs) if rho else rate
        state = np.maximum(state + cusum_statistics.binomial_ratio(rng.binomial(batch, p, runs), n, rate, 2.0) / design, 0)
        length += live
        live &= state < limit
    ours = binomial_arl(batch, rate, 2.0, limit, correlation=rho)[0]
    assert ours == pytest.approx(length.mean(), rel=0.08)


def test_limit_for_run_length():
    limits = binomial_limit_for(370.0, [1, 10, 40], [0.05, 0.05, 0.1], 2.0)
    assert (np.diff(limits) > 0).all()
    for limit, n, p in zip(limits, (1, 10, 40), (0.05, 0.05, 0.1), strict=True):
        assert binomial_arl(n, p, 2.0, float(limit))[0] == pytest.approx(450, rel=0.25)  # whole steps; never much too short
        assert binomial_arl(n, p, 2.0, float(limit), actual=2 * p)[0] < 0.4 * binomial_arl(n, p, 2.0, float(limit))[0]
    with pytest.raises(DetectorError, match="arl0 must be > 1"):
        binomial_limit_for(1.0, 10, 0.05, 2.0)
    with pytest.raises(DetectorError, match="limit must be > 0 and <= 16 nats"):
        binomial_arl(10, 0.05, 2.0, 99.0)


def test_chart_equals_surveillance():
    """Meat inspections, R's categoricalCUSUM: the detector's alarms by a fixed limit, given R's in-control shares, up to R's first."""
    rows = pd.read_csv(REFERENCE / "cusum_abattoir.csv")
    first = int(np.flatnonzero(rows["alarm"] == 1)[0])
    judge = detector("binomial-cusum", odds_ratio=1.5, limit=2.0)
    for until in range(1, first + 2):
        x, n, rate = (rows[name].to_numpy(float)[None, :until] for name in ("y", "n", "pi0"))
        _, upper, alarm = judge._numbers(x, n, Expectation(rate, np.zeros(1), np.zeros(1)))
        assert alarm[0] == rows["alarm"][until - 1]
        assert (x[0, -1] > upper[0]) == alarm[0]


def quiet(rng, series, size, *, rho=0.0):
    n = rng.poisson(size, (series, 75)).astype(float)
    rate = rng.beta(2, 38, (series, 1)) * np.ones((1, 75))
    if rho:
        rate = rng.beta(rate * (1 / rho - 1), (1 - rate) * (1 / rho - 1))
    return Panel(np.where(n > 0, rng.binomial(n.astype(int), rate), np.nan), pd.RangeIndex(series), MONTHS, n)


@pytest.mark.parametrize("rho", [0.0, 0.03])
def test_level_is_held(rho):
    """750 cells of 250 series in three months apart by the run-in; above the level by no more than chance."""
    for size in (4, 60):
        panel = quiet(np.random.default_rng(3), 250, size, rho=rho)
        p = detector("binomial-cusum").detect(panel, MONTHS[[-13, -7, -1]]).p_value
        p = p[np.isfinite(p)]
        for level in (0.05, 0.01):
            assert np.mean(p <= level) <= stats.binom.ppf(0.995, p.size, level) / p.size
        assert np.mean(p <= 0.05) > 0.005


def test_a_lasting_rise_is_found_where_single_months_are_not():
    rng = np.random.default_rng(4)
    panel = quiet(rng, 200, 60)
    n = panel.exposure.astype(int)
    observed = panel.observed.copy()
    rate = 1 - (1 - np.nanmean(observed[:, :60] / panel.exposure[:, :60], axis=1))  # the series' own share
    raised = 2 * rate / (1 - rate) / (1 + 2 * rate / (1 - rate))
    observed[:, -6:] = rng.binomial(n[:, -6:], raised[:, None])
    worse = dataclasses.replace(panel, observed=observed)
    chart, single = (detector(name).detect(worse).alarm.mean() for name in ("binomial-cusum", "binomial-glm"))
    assert chart > 1.5 * single
    assert chart > 0.3


def test_upper_is_the_largest_quiet_count():
    panel = quiet(np.random.default_rng(5), 40, 30, rho=0.02)
    for given in ({}, {"limit": 2.5}, {"arl0": 200.0}):
        judge = detector("binomial-cusum", **given)
        upper = judge.detect(panel).upper[:, 0]
        free = np.flatnonzero((upper >= 0) & (upper < panel.exposure[:, -1]))
        assert free.size > 15
        for more, alarmed in ((0, False), (1, True)):
            observed = panel.observed.copy()
            observed[free, -1] = upper[free] + more
            alarm = judge.detect(dataclasses.replace(panel, observed=observed)).alarm[free, 0]
            assert (alarm == alarmed).mean() > 0.95  # the newest count is in no baseline; a tie at a step may round either way


def test_memory_and_parameters():
    assert memory_of(detector("binomial-cusum"), "month") == 6
    assert memory_of(detector("binomial-cusum", run_in=9), "week") == 9
    with pytest.raises(DetectorError, match=r"limit and arl0 both set the limit: give one, got 3\.0 and 370\.0"):
        detector("binomial-cusum", limit=3.0, arl0=370.0)
    first = detector("binomial-cusum", start="first-judged", limit=3.0).detect(quiet(np.random.default_rng(6), 20, 30), MONTHS[-8:])
    assert (first.reason == 0).all()
