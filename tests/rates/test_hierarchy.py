"""Hierarchies: smoothing along a tree, coverage of the intervals, independence of order and threads."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from riskwatch.rates import mixture
from riskwatch.rates.hierarchy import Layout, fit_hierarchy
from riskwatch.rates.posterior import posterior
from riskwatch.rates.smoothing import smooth
from riskwatch.rates.testing import predictive_p

CLASSES = (0, 1, 3, 6, 21)


def test_smoothing_is_the_exact_normal_posterior():
    rng = np.random.default_rng(0)
    parent = np.array([-1, 0, 0, 0, 1, 1, 2, 3, 3, 3])
    depth = np.array([0, 1, 1, 1, 2, 2, 2, 2, 2, 2])
    variance, centre = np.array([4.0, 0.3, 0.2]), -1.0
    precision = np.array([0, 0, 0, 0, 3.0, 0.0, 2.0, 5.0, 0.7, 0.0])
    value = rng.normal(size=10)
    prior = np.zeros((10, 10))
    for node in range(10):
        chain = [node]
        while parent[chain[-1]] >= 0:
            chain.append(parent[chain[-1]])
        for other in range(10):
            up = [other]
            while parent[up[-1]] >= 0:
                up.append(parent[up[-1]])
            prior[node, other] = sum(variance[depth[at]] for at in set(chain) & set(up))
    inverse = np.linalg.inv(prior)
    covariance = np.linalg.inv(inverse + np.diag(precision))
    mean = covariance @ (inverse @ np.full(10, centre) + precision * value)
    ours, spread, squared = smooth(parent, depth, value, precision, variance, centre=centre)
    np.testing.assert_allclose(ours, mean, rtol=1e-10)
    np.testing.assert_allclose(spread, np.diag(covariance), rtol=1e-10)
    for node in (4, 6, 7, 1):
        above = parent[node]
        expected = (mean[node] - mean[above]) ** 2 + covariance[node, node] + covariance[above, above] - 2 * covariance[node, above]
        assert squared[node] == pytest.approx(expected)
    assert np.isnan(squared[5])


@pytest.mark.parametrize(
    "world", [{}, {"mean_n": 1.0}, {"strength": 5.0, "mean_n": 100.0}, {"rate": 0.25, "strength": 2.0, "spread": (0.6, 1.0)}], ids=str
)
def test_intervals_hold_the_truth(hierarchy, world):
    """93 to 97 % of the true rates by class of n, cells without samples included; plain empirical Bayes holds fewer."""
    rng = np.random.default_rng(7)
    hits, plain = [], []
    for _ in range(5):
        drawn = hierarchy(rng, **world)
        fit = fit_hierarchy(drawn.x, drawn.n, drawn.layout)
        found = posterior(drawn.x, drawn.n, drawn.layout, fit)
        lower, upper = found.interval(0.95)
        hits.append(np.column_stack([np.digitize(drawn.n, CLASSES), (lower <= drawn.truth) & (drawn.truth <= upper)]))
        a = found.prior_rate * found.strength + drawn.x
        b = (1 - found.prior_rate) * found.strength + drawn.n - drawn.x
        plain.append((stats.beta.ppf(0.025, a, b) <= drawn.truth) & (drawn.truth <= stats.beta.ppf(0.975, a, b)))
    table = np.concatenate(hits)
    overall = table[:, 1].mean()
    assert 0.935 <= overall <= 0.97
    assert overall > np.concatenate(plain).mean()
    for number in range(1, len(CLASSES) + 1):
        rows = table[table[:, 0] == number, 1]
        if len(rows) > 800:
            assert 0.925 <= rows.mean() <= 0.975


def test_fitted_and_observed_failures_agree(hierarchy):
    rng = np.random.default_rng(8)
    drawn = hierarchy(rng, mean_n=10.0)
    found = posterior(drawn.x, drawn.n, drawn.layout, fit_hierarchy(drawn.x, drawn.n, drawn.layout))
    assert (found.rate * drawn.n).sum() == pytest.approx(drawn.x.sum(), rel=0.05)


def test_no_failure_of_five_is_not_nought_and_follows_its_relatives(hierarchy):
    drawn = hierarchy(np.random.default_rng(9), mean_n=20.0)
    x, n = drawn.x.copy(), drawn.n.copy()
    x[0], n[0] = 0.0, 5.0
    found = posterior(x, n, drawn.layout, fit_hierarchy(x, n, drawn.layout))
    _, upper = found.interval(0.95)
    assert 0 < found.rate[0] < found.prior_rate[0]
    assert upper[0] > 0.03
    assert 0 < found.weight[0] < 0.5
    empty = n == 0
    np.testing.assert_allclose(found.rate[empty], found.prior_rate[empty], rtol=1e-6)
    assert (found.weight[empty] == 0).all()


def test_bits_depend_on_neither_order_nor_threads(hierarchy, monkeypatch):
    drawn = hierarchy(np.random.default_rng(10))
    layout = drawn.layout
    order = np.random.default_rng(11).permutation(len(drawn.x))
    mixed = Layout(layout.parent, layout.depth, layout.node[order], (layout.crossed[0][order],))
    answers = []
    for threads, x, n, where in (("1", drawn.x, drawn.n, layout), ("2", drawn.x[order], drawn.n[order], mixed)):
        monkeypatch.setenv("RISKWATCH_THREADS", threads)
        answers.append(posterior(x, n, where, fit_hierarchy(x, n, where)))
    np.testing.assert_array_equal(answers[0].rate[order], answers[1].rate)
    np.testing.assert_array_equal(answers[0].own_variance[order], answers[1].own_variance)


def test_null_calibration_of_new_counts(hierarchy):
    """New counts at the true rates: mid-p levels hold on average, exact ones at most."""
    rng = np.random.default_rng(12)
    levels = np.array([0.1, 0.05, 0.01])
    shares = {True: [], False: []}
    for _ in range(3):
        drawn = hierarchy(rng, mean_n=15.0)
        found = posterior(drawn.x, drawn.n, drawn.layout, fit_hierarchy(drawn.x, drawn.n, drawn.layout))
        n = rng.poisson(20, len(drawn.x)) + 1.0
        x = rng.binomial(n.astype(int), drawn.truth).astype(float)
        for mid_p, levels_held in shares.items():
            p = predictive_p(x, n, found.a, found.b, found.weights, mid_p=mid_p)
            levels_held.append((p[:, None] <= levels).mean(axis=0))
    exact, mid = np.mean(shares[False], axis=0), np.mean(shares[True], axis=0)
    assert (exact <= levels * 1.1).all()
    np.testing.assert_allclose(mid, levels, rtol=0.3)
    assert (mid > exact).all()


def test_interval_of_mixtures_against_inversion():
    rng = np.random.default_rng(13)
    a = np.exp(rng.uniform(-2, 6, (3, 400)))
    a[1:] = a[0] * np.array([[2.0], [5.0]])
    b = np.exp(rng.uniform(0, 7, (3, 400)))
    b[1:] = b[0] * np.array([[2.0], [5.0]])
    weights = np.array([1, 4, 1]) / 6
    lower, upper = mixture.interval(a, b, weights, 0.9)
    np.testing.assert_allclose(mixture.cumulative(lower, a, b, weights), 0.05, rtol=0.03)
    np.testing.assert_allclose(mixture.cumulative(upper, a, b, weights, upper=True), 0.05, rtol=0.03)
    one = np.array([1.0])
    low, high = mixture.interval(a[:1], b[:1], one, 0.95)
    np.testing.assert_allclose(stats.beta.cdf(low, a[0], b[0]), 0.025, rtol=0.03)
    np.testing.assert_allclose(stats.beta.sf(high, a[0], b[0]), 0.025, rtol=0.03)
