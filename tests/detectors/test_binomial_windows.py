"""Windows of one to three periods of failures out of inspections."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from riskwatch.detectors import binomial_windows, detector
from riskwatch.detectors.binomial_windows import BinomialWindows, Rates
from riskwatch.panel import Panel

COSTS = (0.0, 1.0, 2.0)


def enumerated(x, n, rate, rho, *, mid):
    """Return the p-value of independent beta-binomial months by going through all their counts."""
    s = 1 / rho - 1

    def masses(size, r=0.0):
        return stats.betabinom.pmf(np.arange(size + 1), size, rate * s, (1 - rate) * s)

    months = [masses(int(size)) for size in n]
    sums = [months[0], np.convolve(months[0], months[1]), np.convolve(np.convolve(months[0], months[1]), months[2])]
    tails = [np.append(np.cumsum(mass[::-1])[::-1], 0.0) for mass in sums]

    def score(y):
        return min(tails[w][sum(y[: w + 1])] * np.exp(COSTS[w]) for w in range(3))

    reach = max(np.ceil(n[0] * rate), 1)

    def strict(first):
        seen = score((first, *x[1:]))
        total = 0.0
        for i in range(int(reach), int(n[0]) + 1):
            for j in range(int(n[1]) + 1):
                for k in range(int(n[2]) + 1):
                    if score((i, j, k)) <= seen * (1 + 1e-9):
                        total += months[0][i] * months[1][j] * months[2][k]
        return total

    return (strict(x[0]) + (strict(x[0] + 1) if x[0] < n[0] else 0.0)) / 2 if mid else strict(x[0])


@pytest.mark.parametrize("mid", [False, True])
def test_p_value_against_enumeration(mid):
    """Sums of months are taken as beta-binomial, their dependence as that of normal scores: a quarter off at the most."""
    cases = [
        ((2, 1, 0), (6, 5, 7)),
        ((2, 2, 2), (8, 8, 8)),
        ((3, 0, 1), (5, 2, 9)),
        ((1, 2, 1), (3, 6, 4)),
        ((4, 1, 2), (12, 9, 10)),
        ((1, 1, 1), (2, 3, 2)),
    ]
    for x, n in cases:
        rates = Rates(np.array([0.08]), np.array([0.0]), np.array([0.03]))
        ours = BinomialWindows(COSTS, mid_p=mid).judge(0.01, np.array(x, float)[:, None], np.array(n, float)[:, None], rates)[0][0]
        assert ours == pytest.approx(enumerated(x, n, 0.08, 0.03, mid=mid), rel=0.25), (x, n)


def test_one_window_that_says_it_all():
    """Without inspections before, windows change nothing."""
    n, x = np.array([[20.0], [0.0], [0.0]]), np.array([[5.0], [0.0], [0.0]])
    rates = Rates(np.array([0.07]), np.array([0.01]), np.array([0.02]))
    p, upper = BinomialWindows(COSTS).judge(0.01, x, n, rates)
    s = 1 / (0.01 + 0.02 * 0.99) - 1
    assert p[0] == pytest.approx(stats.betabinom.sf(4, 20, 0.07 * s, 0.93 * s), rel=1e-3)
    assert upper[0] == next(count for count in range(20) if stats.betabinom.sf(count, 20, 0.07 * s, 0.93 * s) <= 0.01)


def test_tables_and_direct_tails_agree(monkeypatch):
    """Above the largest tabulated size levels count as attained: a few parts in a hundred from whole counts."""
    rng = np.random.default_rng(1)
    n = rng.integers(90, 120, (3, 60)).astype(float)
    x = rng.binomial(n.astype(int), 0.16).astype(float)
    rates = Rates(np.full(60, 0.1), np.full(60, 0.002), np.full(60, 0.01))
    windows = BinomialWindows(COSTS, mid_p=True)
    tabulated = windows.judge(0.01, x, n, rates)
    monkeypatch.setattr(binomial_windows, "_TABLE", 0.0)
    direct = windows.judge(0.01, x, n, rates)
    np.testing.assert_allclose(np.log(direct[0]), np.log(tabulated[0]), atol=0.3)
    assert np.abs(direct[1] - tabulated[1]).max() <= 1


def quiet(rng, series, mean_n):
    months = pd.period_range("2019-01", periods=48, freq="M")
    n = rng.poisson(mean_n, (series, 48)).astype(float)
    mu = rng.beta(2, 38, (series, 1)) * np.ones_like(n)
    x = rng.binomial(n.astype(int), rng.beta(mu * 40, (1 - mu) * 40)).astype(float)
    return Panel(np.where(n > 0, x, np.nan), pd.RangeIndex(series), months, n)


def test_realised_level():
    for mean_n in (4, 30):
        panel = quiet(np.random.default_rng(3), 1200, mean_n)
        for width in (2, 3):
            signals = detector("binomial-baseline", alpha=0.05, mid_p=True, window_periods=width).detect(panel, panel.periods[[-9, -5, -1]])
            assert 0.02 < signals.alarm[signals.reason == 0].mean() < 0.056


def test_three_months_show_what_one_does_not():
    panel = quiet(np.random.default_rng(4), 200, 8)
    panel.exposure[0, -3:], panel.observed[0, -3:] = 8.0, [3.0, 2.0, 3.0]
    one, three = (detector("binomial-baseline", mid_p=True, guard_periods=3, window_periods=width) for width in (1, 3))
    assert (one.memory("month"), three.memory("month")) == (1, 3)
    p_one, p_three = one.detect(panel).p_value[0, 0], three.detect(panel).p_value[0, 0]
    assert p_three < 0.3 * p_one
    assert three.detect(panel).upper[0, 0] <= one.detect(panel).upper[0, 0]
    panel.observed[0, -1] = 0.0  # nothing now is no evidence, whatever came before
    assert three.detect(panel).p_value[0, 0] >= 0.5


def test_the_guard_keeps_the_window_out_of_the_baseline():
    assert detector("binomial-baseline", guard_periods=0, window_periods=3).min_periods("month") == detector(
        "binomial-baseline", guard_periods=2
    ).min_periods("month")


def test_the_share_of_a_window_is_that_of_its_inspections():
    """Months with shares of their own: equal shares give what one share gives, and their sum is judged by the shares' mean."""
    rng = np.random.default_rng(5)
    n = rng.poisson(12, (3, 40)).astype(float) + 1
    x = rng.binomial(n.astype(int), 0.15).astype(float)
    common = Rates(np.full(40, 0.08), np.full(40, 0.01), np.full(40, 0.02))
    apart = Rates(np.full((3, 40), 0.08), common.error, common.correlation)
    windows = BinomialWindows(COSTS, mid_p=True)
    for ours, theirs in zip(windows.judge(0.01, x, n, apart), windows.judge(0.01, x, n, common), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    # Failures two months ago count for less where more was expected of them.
    x, n = np.array([[2.0], [2.0], [2.0]]), np.full((3, 1), 8.0)
    p = [windows.judge(0.01, x, n, Rates(np.array([[0.08], [0.08], [before]]), np.zeros(1), np.zeros(1)))[0][0] for before in (0.08, 0.16)]
    assert p[1] > 1.2 * p[0]


def test_windows_of_the_regression():
    panel = quiet(np.random.default_rng(4), 200, 8)
    panel.exposure[0, -3:], panel.observed[0, -3:] = 8.0, [3.0, 2.0, 3.0]
    one, three = (detector("binomial-glm", mid_p=True, guard_periods=3, window_periods=width) for width in (1, 3))
    assert (one.memory("month"), three.memory("month")) == (1, 3)
    assert three.detect(panel).p_value[0, 0] < 0.3 * one.detect(panel).p_value[0, 0]
    assert detector("binomial-glm", guard_periods=0, window_periods=3).min_periods("month") == one.min_periods("month") - 1
    signals = detector("binomial-glm", alpha=0.05, mid_p=True, window_periods=3).detect(panel, panel.periods[[-9, -5, -1]])
    assert 0.015 < signals.alarm[signals.reason == 0].mean() < 0.075  # 600 cells: standard error 0.9 points


@pytest.mark.parametrize("periods", [1, 2, 3])
def test_a_judgement_says_how_many_cases_it_rests_on(periods):
    x = np.zeros((2, 30))
    x[0, -5:] = [4.0, 0.0, 2.0, 1.0, 1.0]
    x[1, -2:] = [3.0, np.nan]
    panel = Panel(x, pd.RangeIndex(2), pd.period_range("2022-01", periods=30, freq="M"), np.full((2, 30), 8.0))
    signals = detector("binomial-baseline", window_periods=periods, guard_periods=3).detect(panel, panel.periods[-3:])
    expected = {1: [2.0, 1.0, 1.0], 2: [2.0, 3.0, 2.0], 3: [6.0, 3.0, 4.0]}[periods]
    assert signals.support[0].tolist() == expected
    assert (signals.weighed is None) == (periods == 1)
    np.testing.assert_array_equal(signals.support[1], [0.0, 3.0, np.nan])


def test_the_span_is_the_window_that_speaks_loudest():
    """Against tail probabilities by scipy: the smallest of the three, each raised by its cost."""
    rng = np.random.default_rng(6)
    n = rng.poisson(9, (3, 200)).astype(float) + 1
    x = rng.binomial(n.astype(int), 0.25).astype(float)
    rates = Rates(np.full(200, 0.06), np.full(200, 0.015), np.zeros(200))
    span = BinomialWindows(COSTS).span(x, n, rates)
    total, failed = n.cumsum(axis=0), x.cumsum(axis=0)
    size = 1.0 / 0.015 - 1.0  # one rate for all periods: nothing within a period beyond what is between them
    tails = stats.betabinom.sf(failed - 1, total, 0.06 * size, 0.94 * size) * np.exp(np.array(COSTS))[:, None]
    np.testing.assert_array_equal(span, 1 + tails.argmin(axis=0))
    assert set(span.tolist()) == {1, 2, 3}


@pytest.mark.parametrize("name", ["binomial-baseline", "binomial-glm"])
def test_alarms_tell_their_span_and_quiet_cells_one(name):
    panel = quiet(np.random.default_rng(4), 200, 8)
    panel.exposure[:3, -3:] = 8.0
    panel.observed[:3, -3:] = [[4.0, 4.0, 4.0], [0.0, 0.0, 8.0], [0.0, 0.0, 0.0]]
    signals = detector(name, alpha=0.01, mid_p=True, guard_periods=3, window_periods=3).detect(panel, panel.periods[-3:])
    assert signals.span[:3, 2].tolist() == [3, 1, 1]
    assert (signals.span[~signals.alarm] == 1).all()
    alone = detector(name, alpha=0.01, mid_p=True, guard_periods=3).detect(panel)
    assert alone.alarm[1, 0]
    assert (alone.spans == 1).all()
