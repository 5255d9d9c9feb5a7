"""Priors of many groups of siblings at once: the optimum that scipy finds, whatever else is in the call."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special

from riskwatch.detectors import binomial_prior
from riskwatch.detectors.binomial_prior import effective, estimate_prior, estimate_priors

RATE, STRENGTH = 0.05, 20.0
BOUNDS = [(-13.8, 13.8), (math.log(0.1), math.log(1e6))]
CENTRE = np.array([special.logit(RATE), math.log(STRENGTH)])


def loss(point, x, n):
    """The penalised loss and its gradient as scipy's functions give them."""
    mean, size = special.expit(point[0]), math.exp(point[1])
    a, b = mean * size, special.expit(-point[0]) * size
    value = (special.betaln(x + a, n - x + b) - special.betaln(a, b)).sum()
    common = special.digamma(size) - special.digamma(n + size)
    by_a = (special.digamma(x + a) - special.digamma(a) + common).sum()
    by_b = (special.digamma(n - x + b) - special.digamma(b) + common).sum()
    away = (point - CENTRE) / 2
    return away @ away / 2 - value, away / 2 - np.array([(by_a - by_b) * mean * (1 - mean) * size, by_a * a + by_b * b])


def scipy_optimum(x, n, start=CENTRE):
    options = {"maxiter": 500, "ftol": 1e-14, "gtol": 1e-8}
    return optimize.minimize(loss, start, (x, n), jac=True, method="L-BFGS-B", bounds=BOUNDS, options=options)


def point_of(prior):
    return np.array([special.logit(prior.rate), math.log(prior.strength)])


def together(pairs, **found):
    ends = np.cumsum([len(x) for x, _ in pairs])
    groups = [np.arange(end - len(x), end) for end, (x, _) in zip(ends, pairs, strict=True)]
    x, n = (np.concatenate([pair[at] for pair in pairs]) for at in range(2))
    return estimate_priors(x, n, groups, [0.0] * len(pairs), rate=RATE, strength=STRENGTH, **found)


def draw(rng, kind):
    series = int(rng.choice([1, 2, 5, 30, 150]))
    n = np.ceil(rng.gamma(rng.choice([0.3, 2.0]), 1.0, series) * 10 ** rng.uniform(0, 3))
    p = rng.beta(*(10 ** rng.uniform(-1, 2) * np.array([0.05, 0.95])), series)
    if kind == "whole":
        return rng.binomial(n.astype(int), p).astype(float), n
    if kind == "fractions":
        months = rng.poisson(n[:, None] / 12, (series, 12)).astype(float)
        return effective(rng.binomial(months.astype(int), p[:, None]).astype(float), months, 0.1)
    if kind == "none failed":
        return np.zeros(series), n
    if kind == "all failed":
        return n.copy(), n
    if kind == "two kinds":
        return np.where(rng.random(series) < 0.5, 0.0, n), n
    if kind == "one rate":
        return n * 0.03, n
    return n * 1e6 * p, n * 1e6  # huge


@pytest.mark.parametrize("kind", ["whole", "fractions", "none failed", "all failed", "two kinds", "one rate", "huge"])
def test_the_optimum_is_that_of_scipy(kind):
    """Never a worse loss than L-BFGS run to the end, from the belief or from far away; the same place where rounding lets scipy find it."""
    rng = np.random.default_rng(11)
    pairs = [draw(rng, kind) for _ in range(15)]
    for (x, n), prior in zip(pairs, together(pairs), strict=True):
        theirs = scipy_optimum(x, n)
        away = scipy_optimum(x, n, np.array([rng.uniform(-10, 10), rng.uniform(-2, 12)]))
        ours = loss(point_of(prior), x, n)[0]
        # Differences of lgamma that scipy's formula takes are lost to rounding at totals of a billion.
        rounding = 1e-14 * (special.gammaln(n + prior.strength) + 1.0).sum()
        assert ours <= min(theirs.fun, away.fun) + 1e-11 + rounding
        if kind != "huge":
            np.testing.assert_allclose(point_of(prior), theirs.x, atol=2e-5)


def test_the_gradient_vanishes_at_the_optimum():
    rng = np.random.default_rng(12)
    for kind in ("whole", "fractions", "none failed", "two kinds"):
        for _ in range(20):
            x, n = draw(rng, kind)
            prior = estimate_prior(x, n, 0.0, RATE, STRENGTH)
            low, high = np.transpose(BOUNDS)
            point = point_of(prior)
            downhill = np.clip(point - loss(point, x, n)[1], low, high) - point  # nothing where a bound holds it up
            np.testing.assert_allclose(downhill, 0.0, atol=1e-11 * (1.0 + n.sum()))


@pytest.mark.parametrize(("rate", "strength", "at"), [(0.999999, 1.0, 1e6), (1e-6, 1e5, 1e6), (0.5, 0.1, 0.1)])
def test_bounds_of_the_strength(rate, strength, at):
    """Where the likelihood pulls beyond a bound the estimate lies on it; the rate is found along it, from far away too."""
    x, n = (np.full(400, 5e6), np.full(400, 1e7)) if at > 1 else (np.repeat([0.0, 1e7], 200), np.full(400, 1e7))
    prior = estimate_prior(x, n, 0.0, rate, strength)
    assert prior.strength == pytest.approx(at, rel=1e-12)
    assert prior.rate == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize("belief", [1e-7, 1.0 - 1e-7])
def test_bounds_of_the_rate(belief):
    """The strength is found along the bound of the rate, too."""
    n = np.array([5.0, 60.0, 700.0])
    x = n * round(belief)
    prior = estimate_prior(x, n, 0.0, belief, 5.0)
    assert special.logit(prior.rate) == pytest.approx(math.copysign(13.8, belief - 0.5), abs=1e-8)
    assert prior.strength == pytest.approx(5.0, rel=1e-3)
    back = estimate_prior(np.array([2.0, 30.0, 300.0]), n, 0.0, belief, 5.0)
    assert abs(special.logit(back.rate)) < 5  # where there are failures and passes the start on the bound holds nothing


GROUPS = st.lists(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 40), st.sampled_from([1.0, 0.7, 1 / 3, 1e6])), max_size=12), min_size=1, max_size=8
)


@settings(max_examples=60, deadline=None)
@given(GROUPS, st.randoms(use_true_random=False))
def test_neither_other_groups_nor_the_order_of_series_move_a_bit(groups, random):
    pairs = [(np.array([x * f for x, _, f in one]), np.array([(x + more) * f for x, more, f in one])) for one in groups]
    found = together(pairs)
    assert found == [estimate_prior(x, n, 0.0, RATE, STRENGTH) for x, n in pairs]
    order = random.sample(range(len(pairs)), len(pairs))
    mixed = []
    for at in order:
        rows = random.sample(range(len(pairs[at][0])), len(pairs[at][0]))
        mixed.append(tuple(part[np.array(rows, dtype=int)] for part in pairs[at]))
    assert together(mixed) == [found[at] for at in order]


def test_large_groups_do_not_depend_on_others_either():
    """Sums of hundreds of terms are taken pairwise, by blocks: those of a segment must begin with the segment."""
    rng = np.random.default_rng(13)
    pairs = [draw(rng, "fractions") for _ in range(60)]
    assert together(pairs) == [estimate_prior(x, n, 0.0, RATE, STRENGTH) for x, n in pairs]
    assert together(pairs[::-1]) == together(pairs)[::-1]
    shuffled = [(x[order], n[order]) for x, n in pairs for order in [rng.permutation(len(x))]]
    assert together(shuffled) == together(pairs)


def test_rows_of_groups_may_lie_anywhere():
    rng = np.random.default_rng(14)
    x, n = draw(rng, "whole")
    x, n = np.tile(x, 3), np.tile(n, 3)
    rows = np.array_split(rng.permutation(len(x)), 3)
    found = estimate_priors(x, n, rows, [0.1, 0.2, 0.3], rate=RATE, strength=STRENGTH)
    assert found == [estimate_prior(x[at], n[at], rho, RATE, STRENGTH) for at, rho in zip(rows, (0.1, 0.2, 0.3), strict=True)]


def test_no_groups_and_groups_without_series():
    assert estimate_priors(np.zeros(0), np.zeros(0), [], [], rate=RATE, strength=STRENGTH) == []
    x, n = np.array([1.0, 0.0]), np.array([20.0, 30.0])
    none, some = estimate_priors(x, n, [np.arange(0), np.arange(2)], [0.0, 0.0], rate=RATE, strength=STRENGTH)
    assert (none.rate, none.strength) == pytest.approx((RATE, STRENGTH), rel=1e-15)
    assert some == estimate_prior(x, n, 0.0, RATE, STRENGTH)
    # A series that was never inspected says nothing.
    assert some == estimate_prior(np.append(x, 0.0), np.append(n, 0.0), 0.0, RATE, STRENGTH)


@pytest.mark.parametrize("start", [1e-7, 0.03, 1.0, 9.99, 37.5, 1e4, 1e6])
def test_rises_of_gamma_functions(start):
    """For whole counts they are finite sums: of logarithms, reciprocals and their squares."""
    count = np.array([0, 1, 2, 17, 400, 20_000])
    counts = binomial_prior._Counts(count.astype(float), np.ones(6), np.zeros(6, dtype=np.intp), np.zeros(1, dtype=np.intp))
    found = binomial_prior._rises(np.array([start]), counts)
    steps = [start + np.arange(k) for k in count]
    for ours, term in zip(found, (np.log, lambda z: 1 / z, lambda z: -1 / z**2), strict=True):
        exact = [math.fsum(term(part)) for part in steps]
        # What the loss multiplies them by is of the order of the start, and of its square.
        np.testing.assert_allclose(ours, exact, rtol=4e-15, atol=1e-14 / max(start, 1.0))
