"""Dispersion, weights against past outbreaks, and shrinkage between siblings."""

from __future__ import annotations

import numpy as np
import pytest

from riskwatch.detectors.nb_baseline import dispersion, outbreak_weights, shrunken_dispersion
from riskwatch.detectors.nb_regression import Fit


def counts(rng, mean, phi, shape):
    return (rng.negative_binomial(mean / (phi - 1), 1 / phi, shape) if phi > 1 else rng.poisson(mean, shape)).astype(float)


@pytest.mark.parametrize(("mean", "phi"), [(0.14, 2.0), (1.0, 1.0), (3.0, 5.0), (40.0, 1.5), (1000.0, 3.0)])
def test_dispersion_and_its_freedom(mean, phi):
    rng = np.random.default_rng(2)
    y = counts(rng, mean, phi, (500, 1500))
    ones = np.ones_like(y)
    known = Fit(np.zeros((1, 1500)), np.full((1, 1, 1500), 500 * mean), mean * ones)
    found, freedom = dispersion(y, ones, ones, fitted=known, penalty=np.full((1, 1, 1500), 1e12), phi=np.full(1500, phi))
    assert found.mean() == pytest.approx(phi, rel=0.04)
    # Two over the squared relative error is what the freedom promises.
    assert np.median(freedom) == pytest.approx(2 / (found.std() / phi) ** 2, rel=0.3)


def test_clean_history_keeps_its_weight():
    rng = np.random.default_rng(3)
    for mean, phi in ((0.14, 2.0), (2.0, 4.0), (50.0, 1.2)):
        y = counts(rng, mean, phi, (520, 300))
        weight = outbreak_weights(y, np.ones_like(y), np.full_like(y, mean), np.full(300, phi), 2.58)
        assert weight.mean() > 0.99
        kept = (weight * (y - mean) ** 2).sum() / ((y - mean) ** 2).sum()
        assert kept > 0.82, (mean, phi)


def test_outbreaks_lose_their_weight():
    mean, phi = np.full((20, 8), 9.0), np.ones(8)
    y = mean.copy()
    y[5, 0] = 30.0
    y[5:7, 1] = 15.0  # z is 1.7 alone and 2.6 for the pair
    y[5, 2], y[6, 2] = 25.0, 5.0
    y[5, 3] = 9.0
    prior = np.ones_like(y)
    prior[9, 4], y[9, 4] = 0.0, 500.0
    weight = outbreak_weights(y, prior, mean, phi, 2.5)
    assert weight[5, 0] < 0.05
    assert (weight[5:7, 1] < 1).all()
    assert weight[5, 2] < 1
    assert weight[6, 2] == 1  # below its mean: no part of an outbreak
    assert (weight[:, 3] == 1).all()
    assert weight[9, 4] == 0
    assert (weight[[8, 10], 4] == 1).all()


def test_shrunken_dispersion():
    rng = np.random.default_rng(1)
    truth = 2.0
    freedom = np.full(200, 12.0)
    own = truth * rng.chisquare(12, 200) / 12
    found = shrunken_dispersion(own, freedom)
    assert np.abs(np.log(found / truth)).mean() < 0.4 * np.abs(np.log(own / truth)).mean()
    order = rng.permutation(200)
    np.testing.assert_array_equal(shrunken_dispersion(own[order], freedom), found[order])
    # Alone, a series with a long history keeps what it has; one with hardly any is given a typical value. Never below 1.
    assert shrunken_dispersion(np.array([4.0]), np.array([500.0])) == pytest.approx(4.0, rel=0.03)
    assert shrunken_dispersion(np.array([4.0]), np.array([0.5])) < 2.5
    assert shrunken_dispersion(np.array([0.5]), np.array([500.0])) == 1.0
