"""binomial-baseline and the beta-binomial distribution under it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from riskwatch.detectors import binomial_baseline, detector
from riskwatch.detectors.binomial_prior import Prior, effective, estimate_prior, predictive
from riskwatch.detectors.binomial_scatter import estimate_correlation
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel
from riskwatch.rates import beta_binomial

WEEKS = pd.period_range("2021-01-04", periods=118, freq="W-SUN")


def simulate(rng, series, mean_n, correlation, *, a=2.0, b=38.0):
    n = rng.poisson(mean_n, (series, len(WEEKS))).astype(float)
    mu = rng.beta(a, b, (series, 1)) * np.ones_like(n)
    size = 1 / correlation - 1 if correlation else None
    rate = mu if size is None else rng.beta(mu * size, (1 - mu) * size)
    x = rng.binomial(n.astype(int), rate).astype(float)
    x[n == 0] = np.nan
    return x, n


# --- the distribution -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [2000.0, 0.0])
def test_tail_against_scipy(monkeypatch, limit):
    """Both methods, the sum and the integral, against scipy's sum of the mass function."""
    monkeypatch.setattr(beta_binomial, "_SUM_LIMIT", limit)
    rng = np.random.default_rng(0)
    n = rng.integers(1, 400, 1500).astype(float)
    a, b = rng.gamma(1, 3, 1500) + 0.05, rng.gamma(1, 60, 1500) + 0.05
    x = np.floor(rng.random(1500) * (n + 2))
    expected = stats.betabinom.sf(x - 1, n, a, b)
    ours = beta_binomial.tail(x, n, a, b)
    np.testing.assert_allclose(ours, expected, rtol=1e-8, atol=1e-11)


def test_small_tails_keep_their_digits():
    """P(X = n) is a product; tails of 1e-40 are right to ten digits."""
    n, a, b = np.array([30.0, 80.0]), np.array([2.0, 1.5]), np.array([400.0, 90.0])
    exact = [np.prod([(ai + k) / (ai + bi + k) for k in range(int(ni))]) for ni, ai, bi in zip(n, a, b, strict=True)]
    np.testing.assert_allclose(beta_binomial.tail(n, n, a, b), exact, rtol=1e-10)


def test_tail_of_a_billion_trials():
    a, b, n = np.array([1e3, 1e12]), np.array([9e3, 9e12]), np.array([1e9, 1e9])
    x = np.array([1.05e8, 1e8 + 30000])
    limits = [stats.beta.sf(0.105, 1e3, 9e3), stats.binom.sf(1e8 + 29999, 1e9, 0.1)]  # one part of the variance vanishes in each
    np.testing.assert_allclose(beta_binomial.tail(x, n, a, b), limits, rtol=1e-3)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 3000),
    a=st.floats(0.05, 500),
    b=st.floats(0.05, 500),
    level=st.sampled_from([0.0005, 0.005, 0.05, 0.3]),
    mid_p=st.booleans(),
)
def test_quantile_is_the_largest_count_that_is_not_significant(n, a, b, level, mid_p):
    n, a, b = (np.array([float(value)]) for value in (n, a, b))

    def p(x):
        return beta_binomial.tail(x, n, a, b) - (beta_binomial.mass(x, n, a, b) / 2 if mid_p else 0)

    q = beta_binomial.quantile(level, n, a, b, mid_p=mid_p)
    assert 0 <= q[0] <= n[0]
    assert q[0] == 0 or p(q)[0] > level
    assert p(q + 1)[0] <= level


# --- baseline and prediction ------------------------------------------------------------------------------------------


def test_estimates_find_what_was_put_in():
    rng = np.random.default_rng(1)
    for correlation in (0.0, 0.03, 0.2):
        x, n = simulate(rng, 1500, 8, correlation)
        x = np.nan_to_num(x)
        found = estimate_correlation(x, n)
        assert abs(found - correlation) < 0.004 + 0.06 * correlation
        prior = estimate_prior(*effective(x, n, found), found, 0.05, 20)
        assert abs(prior.rate - 0.05) < 0.003
        assert 30 < prior.strength < 55


def test_prior_without_siblings_is_the_typical_one():
    prior = estimate_prior(np.zeros(0), np.zeros(0), 0.0, 0.05, 20.0)
    assert prior.rate == pytest.approx(0.05)
    assert prior.strength == pytest.approx(20.0)


def test_predictive_tail_against_integration():
    """Without correlation between inspections the predictive is exact: integrate the binomial tail over the posterior."""
    prior = Prior(0.06, 25.0, 0.0)
    failed, total = np.array([0.0, 3.0, 40.0]), np.array([0.0, 50.0, 300.0])
    a, b = predictive(failed, total, prior)
    for at, (x, n) in enumerate([(2, 5), (6, 40), (30, 120)]):
        posterior = stats.beta(0.06 * 25 + failed[at], 0.94 * 25 + total[at] - failed[at])
        exact, _ = integrate.quad(lambda p, x=x, n=n, f=posterior: stats.binom.sf(x - 1, n, p) * f.pdf(p), 0, 1, epsabs=1e-13, limit=400)
        ours = beta_binomial.tail(np.array([float(x)]), np.array([float(n)]), a[at : at + 1], b[at : at + 1])[0]
        assert ours == pytest.approx(exact, rel=1e-7)


def test_predictive_with_correlation_against_double_integration():
    """With correlation, a period's rate is a mixture of betas, replaced by the beta with its mean and variance."""
    ratios = []
    for rate, strength, rho, failed, total in ((0.06, 25.0, 0.04, 5.0, 60.0), (0.06, 25.0, 0.01, 30.0, 400.0), (0.3, 10.0, 0.1, 8.0, 40.0)):
        a, b = predictive(np.array([failed]), np.array([total]), Prior(rate, strength, rho))
        size = 1 / rho - 1
        posterior = stats.beta(rate * strength + failed, (1 - rate) * strength + total - failed)
        node, weight = np.polynomial.legendre.leggauss(200)
        mu = (node + 1) / 2
        weight = weight / 2 * posterior.pdf(mu)
        assert weight.sum() == pytest.approx(1, rel=1e-9)
        for x in np.arange(1, 24):
            exact = weight @ beta_binomial.tail(np.array([float(x)]), np.array([30.0]), mu * size, (1 - mu) * size)
            if exact > 1e-4:
                ratios.append(beta_binomial.tail(np.array([float(x)]), np.array([30.0]), a, b)[0] / exact)
    # Down to p-values of 0.0001: never more than 2 % too small, at most 30 % too large (docs/detectors/binomial-baseline.md).
    assert min(ratios) > 0.98
    assert 1.2 < max(ratios) < 1.3


def test_none_of_five_is_not_a_rate_of_zero():
    rng = np.random.default_rng(2)
    x, n = simulate(rng, 60, 10, 0.02)
    x[0], n[0] = np.nan, 0.0
    n[0, 40:60], x[0, 40:60] = [[1.0] * 20, [0.0] * 20]  # twenty inspections, none failed
    n[0, -1], x[0, -1] = 5.0, 1.0
    signals = detector("binomial-baseline").detect(Panel(x, pd.RangeIndex(60), WEEKS, n))
    assert signals.reason[0, 0] == 0
    assert 0.01 < signals.expected[0, 0] / 5 < 0.05
    assert 0.05 < signals.p_value[0, 0] < 0.3
    assert not signals.alarm[0, 0]


def test_strata_learn_apart():
    """Targeted sampling fails often; it must not lift what is expected of random sampling."""
    rng = np.random.default_rng(3)
    low, n_low = simulate(rng, 40, 10, 0.02)
    high, n_high = simulate(rng, 40, 10, 0.02, a=20, b=30)
    index = pd.MultiIndex.from_tuples(
        [(f"{at:02d}", "", "", f"selection={kind}") for kind in ("random", "targeted") for at in range(40)],
        names=["product", "industry", "region", "stratum"],
    )
    both = Panel(np.vstack([low, high]), index, WEEKS, np.vstack([n_low, n_high]))
    alone = Panel(low, index[:40], WEEKS, n_low)
    judge = detector("binomial-baseline")
    np.testing.assert_array_equal(judge.detect(both).expected[:40], judge.detect(alone).expected)


def test_realised_level_is_at_most_nominal():
    rng = np.random.default_rng(4)
    x, n = simulate(rng, 1500, 12, 0.03)
    panel = Panel(x, pd.RangeIndex(1500), WEEKS, n)
    for mid_p, lowest in ((False, 0.005), (True, 0.02)):
        signals = detector("binomial-baseline", alpha=0.05, mid_p=mid_p).detect(panel, WEEKS[-4:])
        share = signals.alarm[signals.reason == 0].mean()
        assert lowest < share < 0.056


def test_reasons():
    rng = np.random.default_rng(5)
    x, n = simulate(rng, 6, 12, 0.0)
    x[0, -1], n[0, -1] = np.nan, 0.0
    x[1, -1], n[1, -1] = np.nan, np.nan
    x[2, :-10], n[2, :-10] = np.nan, 0.0
    x[3, -1], n[3, -1] = 1.0, 2.0
    signals = detector("binomial-baseline", min_inspected=3).detect(Panel(x, pd.RangeIndex(6), WEEKS, n))
    assert signals.reason_text[:, 0].tolist() == ["no-exposure", "missing", "too-short", "too-few-cases", "", ""]


@pytest.mark.parametrize(
    ("x", "n", "message"),
    [
        ([3.5, 1], [9, 9], "failures must be whole numbers; 1 cells are not, first 3.5 of 9 for series 'a' in 2021-01"),
        ([3, 12], [9, 9], "failures must be <= inspections; 1 cells are not, first 12 of 9 for series 'a' in 2021-02"),
        ([3, 1], [9.5, 9], "inspections must be whole numbers"),
    ],
)
def test_impossible_counts(x, n, message):
    panel = Panel(np.array([x], float), pd.Index(["a"]), pd.period_range("2021-01", periods=2, freq="M"), np.array([n], float))
    with pytest.raises(DetectorError, match=message):
        detector("binomial-baseline").detect(panel)


def test_needs_exposure():
    with pytest.raises(DetectorError, match=r"binomial-baseline: the panel needs exposure \(inspections\), got none"):
        detector("binomial-baseline").detect(Panel(np.ones((1, 2)), pd.Index(["a"]), pd.period_range("2021-01", periods=2, freq="M")))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"typical_rate": 0.0}, "binomial-baseline: typical_rate must be > 0.0, got 0.0"),
        ({"history_periods": 4, "min_history_periods": 9}, "binomial-baseline: min_history_periods must be <= history_periods (4), got 9"),
        ({"midp": True}, "binomial-baseline: unknown parameter 'midp'; did you mean 'mid_p'?"),
    ],
)
def test_parameter_messages(given, message):
    with pytest.raises(DetectorError) as caught:
        detector("binomial-baseline", **given)
    assert caught.value.message == message


@pytest.mark.parametrize("parameters", [{}, {"mid_p": True}, {"mid_p": True, "window_periods": 3, "guard_periods": 3}])
def test_series_that_are_alike_are_worked_out_once_to_the_same_bits(monkeypatch, parameters):
    """Leaving out what repeats changes no bit of any result."""
    rng = np.random.default_rng(11)
    x, n = simulate(rng, 150, 1.5, 0.0)
    x, n = np.repeat(x, 2, axis=0), np.repeat(n, 2, axis=0)
    index = pd.Index([f"s{number}" for number in range(len(x))])
    panel = Panel(x, index, WEEKS, n)
    method = detector("binomial-baseline", min_history_periods=0, **parameters)
    kinds = []
    alike = binomial_baseline.distinct

    def noted(*figures):
        found = alike(*figures)
        kinds.append((len(found[0]), len(found[1])))
        return found

    monkeypatch.setattr(binomial_baseline, "distinct", noted)
    once = method.detect(panel, WEEKS[-3:])
    assert all(few < every for few, every in kinds)
    monkeypatch.setattr(binomial_baseline, "distinct", lambda *figures: (np.arange(len(figures[0])),) * 2)
    each = method.detect(panel, WEEKS[-3:])
    for name in ("expected", "lower", "upper", "p_value", "alarm", "reason"):
        np.testing.assert_array_equal(getattr(once, name), getattr(each, name))
    assert np.isfinite(once.p_value).any()
