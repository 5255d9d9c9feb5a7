"""The joint level of windows against enumeration, multivariate normal probabilities and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import special, stats

from riskwatch.detectors.windows import Windows, chain_probability, enumerated_probability

WINDOWS = Windows((0.0, 1.0, 2.0))


def mass(mean, phi, size):
    if mean == 0:
        return np.eye(1, size)[0]
    return stats.poisson.pmf(range(size), mean) if phi == 1 else stats.nbinom.pmf(range(size), mean / (phi - 1), 1 / phi)


@pytest.mark.parametrize("means", [(0.4, 0.3, 0.5), (2.0, 1.0, 3.0), (1.0, 0.0, 0.5), (0.2, 0.0, 0.0)])
@pytest.mark.parametrize("phi", [1.0, 1.7, 4.0])
@pytest.mark.parametrize("limits", [(3, 4, 6), (5, 5, 5), (2, 7, 7), (6, 4, 3), (1, 2, 2)])
def test_enumeration(means, phi, limits):
    size = 400  # far beyond the tail
    p1, p2, p3 = (mass(mean, phi, size) for mean in means)
    c1, c2, c3 = limits
    reach = max(math.ceil(means[0]), 1)
    quiet = 0.0
    for y, x in itertools.product(range(reach, c1), range(c2)):
        if y + x < c2:
            quiet += p1[y] * p2[x] * p3[: max(c3 - y - x, 0)].sum()
    expected = p1[reach:].sum() - quiet
    found = enumerated_probability(np.array(limits)[:, None], np.array([reach]), np.array(means)[:, None], np.array([phi]))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("rho", [(0.7071, 0.8165), (0.3, 0.9), (0.95, 0.5)])
def test_chain_is_the_multivariate_normal(rho):
    tails = np.array([[0.01, 0.004, 0.002], [0.02, 0.05, 0.001], [0.001, 0.001, 0.001]]).T
    reach = np.full(3, 0.45)
    found = chain_probability(tails, reach, np.tile(np.array(rho)[:, None], 3))
    covariance = np.array([[1, rho[0], rho[0] * rho[1]], [rho[0], 1, rho[1]], [rho[0] * rho[1], rho[1], 1]])
    law = stats.multivariate_normal(np.zeros(3), covariance, allow_singular=True, abseps=1e-9, releps=1e-9, maxpts=2_000_000)
    for at in range(3):
        a, r = -special.ndtri(tails[:, at]), -special.ndtri(reach[at])
        quiet = law.cdf(a, lower_limit=[r, -9.0, -9.0], rng=np.random.default_rng(0))
        np.testing.assert_allclose(found[at], reach[at] - quiet, rtol=2e-3, atol=3e-6)


def test_chain_in_the_far_tail_and_at_full_correlation():
    tails = np.array([[1e-200, 1e-200, 1e-200], [0.01, 0.01, 0.01]]).T
    far, equal = chain_probability(tails, np.array([0.5, 0.5]), np.array([[0.7, 1.0], [0.8, 1.0]]))
    assert 1e-200 <= far <= 3e-200
    assert equal == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(("mean", "phi"), [(0.05, 1.0), (0.14, 2.0), (0.6, 1.5), (1.5, 1.2)])
def test_level_of_small_counts_is_exact(mean, phi):
    """Over all triples of counts, P(p <= a) never exceeds a, and comes to within a step of it."""
    size = 26
    y = np.array(list(itertools.product(range(size), repeat=3)), dtype=float).T
    weight = np.prod([mass(mean, phi, size)[part.astype(int)] for part in y], axis=0)
    keep = weight > 1e-16
    p = WINDOWS.p_value(y[:, keep], np.full((3, keep.sum()), mean), np.full(keep.sum(), phi))
    for level in np.unique(p[(p < 0.3) & (p > 1e-6)])[::7]:
        # At a value that is taken, the level is met: nothing is lost but the steps themselves.
        assert weight[keep][p <= level * (1 + 1e-9)].sum() == pytest.approx(level, rel=1e-3)


@pytest.mark.parametrize(("mean", "phi"), [(14.0, 1.0), (9.0, 4.0), (40.0, 1.5), (3000.0, 20.0)])
def test_level_of_larger_counts(mean, phi):
    rng = np.random.default_rng(7)
    cells = 150_000
    y = (rng.negative_binomial(mean / (phi - 1), 1 / phi, (3, cells)) if phi > 1 else rng.poisson(mean, (3, cells))).astype(float)
    p = WINDOWS.p_value(y, np.full((3, cells), mean), np.full(cells, phi))
    for level in (0.05, 0.01, 0.002):
        realised = (p <= level).mean()
        assert 0.68 * level - 3 * math.sqrt(level / cells) < realised < 1.05 * level + 3 * math.sqrt(level / cells)


def test_chain_and_enumeration_agree(monkeypatch):
    rng = np.random.default_rng(3)
    mean, phi = np.full((3, 4000), 4.0), np.full(4000, 1.5)
    y = rng.poisson(5.0, (3, 4000)).astype(float)
    exact = WINDOWS.p_value(y, mean, phi)
    monkeypatch.setattr("riskwatch.detectors.windows._TABLES", ())
    near = WINDOWS.p_value(y, mean, phi)
    signal = exact < 0.1
    ratio = near[signal] / exact[signal]
    assert signal.sum() > 300
    assert abs(np.log(ratio).mean()) < 0.06
    assert (np.abs(np.log(ratio)) < 0.35).all()


def test_largest_quiet_count_and_monotony():
    rng = np.random.default_rng(5)
    cells = 3000
    means = rng.uniform(0.5, 1.5, (3, cells)) * np.geomspace(0.02, 1e6, cells)
    phi = rng.uniform(1.0, 5.0, cells)
    before = rng.poisson(means[1:] * rng.uniform(0.5, 1.8, cells)).astype(float)
    for alpha in (0.05, 0.005, 1e-4):
        upper = WINDOWS.largest_quiet(alpha, before, means, phi)
        assert (upper >= np.ceil(means[0]) - 1).all()
        at, above = (WINDOWS.p_value(np.vstack([upper[None] + more, before]), means, phi) for more in (0, 1))
        assert (at > alpha).all()
        assert (above <= alpha).all()
    later = [WINDOWS.p_value(np.vstack([np.ceil(means[0])[None] + more, before]), means, phi) for more in range(5)]
    assert (np.diff(later, axis=0) <= 1e-9).all()


def test_the_second_period_counts():
    """Twice 9 cases where 3 are expected: neither week is remarkable, the two together are."""
    means, phi = np.full((3, 1), 3.0), np.ones(1)
    alone = WINDOWS.p_value(np.array([[7.0], [0.0], [0.0]]), means * [[1.0], [0.0], [0.0]], phi)  # the others are missing
    together = WINDOWS.p_value(np.array([[7.0], [9.0], [3.0]]), means, phi)
    assert together < alone / 10
    assert alone == pytest.approx(stats.poisson.sf(6, 3.0))


def test_no_evidence_below_the_expectation():
    p = WINDOWS.p_value(np.array([[2.0], [40.0], [40.0]]), np.full((3, 1), 3.0), np.ones(1))
    assert p == pytest.approx(stats.poisson.sf(1, 3.0))
    assert WINDOWS.p_value(np.array([[0.0], [9.0], [9.0]]), np.full((3, 1), 0.2), np.ones(1)) == pytest.approx(1.0)


@pytest.mark.parametrize(("mean", "phi"), [(0.6, 1.5), (4.5, 1.0), (40.0, 1.5)])
def test_mid_p(mean, phi):
    """For one window half of the count's own probability is left out; a count below the mean is never evidence."""
    y = np.zeros((3, 90))
    y[0] = np.arange(90.0)
    means, phis = np.zeros((3, 90)), np.full(90, phi)
    means[0] = mean
    mid = Windows((0.0, 1.0, 2.0), mid_p=True)
    found = mid.p_value(y, means, phis)
    own = mass(mean, phi, 400)
    exact = np.array([own[at + 1 :].sum() + own[at] / 2 for at in range(90)])
    low = np.arange(90) < math.ceil(mean)
    small = ~low & (exact > 1e-9)
    np.testing.assert_allclose(found[small], exact[small], rtol=1e-6)
    np.testing.assert_allclose(found[low], np.maximum(exact[low], 0.5), rtol=1e-9)


def test_levels_of_the_mid_p_value_are_right_on_average():
    """Over many means one count more or less at the limit evens out, nearly; the strict p-value stays below the level."""
    rng = np.random.default_rng(8)
    cells = 120_000
    means = np.tile(rng.uniform(1.0, 9.0, cells), (3, 1))
    y, phi = rng.poisson(means).astype(float), np.ones(cells)
    strict, mid = (Windows((0.0, 1.0, 2.0), mid_p=on).p_value(y, means, phi) for on in (False, True))
    assert 0.0095 < (mid <= 0.01).mean() < 0.0125
    assert (strict <= 0.01).mean() < 0.0092


def test_limit_by_the_mid_p_value():
    rng = np.random.default_rng(5)
    means = rng.uniform(0.5, 1.5, (3, 2000)) * np.geomspace(0.02, 1e5, 2000)
    phi = rng.uniform(1.0, 5.0, 2000)
    before = rng.poisson(means[1:] * rng.uniform(0.5, 1.8, 2000)).astype(float)
    mid = Windows((0.0, 1.0, 2.0), mid_p=True)
    upper = mid.largest_quiet(0.01, before, means, phi)
    at, above = (mid.p_value(np.vstack([upper[None] + more, before]), means, phi) for more in (0, 1))
    assert (at > 0.01).all()
    assert (above <= 0.01).all()
    assert (upper <= WINDOWS.largest_quiet(0.01, before, means, phi)).all()


def test_the_span_is_the_window_that_speaks_loudest():
    """Against Poisson tails by scipy: the smallest of the three, each raised by its cost."""
    rng = np.random.default_rng(2)
    means = rng.uniform(1.0, 8.0, (3, 300))
    y = rng.poisson(1.6 * means).astype(float)
    tails = stats.poisson.sf(y.cumsum(axis=0) - 1, means.cumsum(axis=0)) * np.exp(np.array(WINDOWS.costs))[:, None]
    span = WINDOWS.span(y, means, np.ones(300))
    np.testing.assert_array_equal(span, 1 + tails.argmin(axis=0))
    assert set(span.tolist()) == {1, 2, 3}
