"""The filter against statsmodels, levels that cover the truth, and what must not matter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.statespace.kalman_smoother import KalmanSmoother
from statsmodels.tsa.statespace.structural import UnobservedComponents

from riskwatch.errors import TrendError
from riskwatch.trends.design import years_of
from riskwatch.trends.kalman import kalman, level_season
from riskwatch.trends.level import levels

MONTHS = pd.period_range("2015-01", periods=60, freq="M")
YEARS = years_of(MONTHS)


def test_level_and_season_are_those_of_unobserved_components():
    y = np.random.default_rng(1).normal(size=(3, 60)).cumsum(axis=1)
    y[1, 5:9] = np.nan
    found = kalman(
        y,
        np.full(y.shape, 0.7),
        level_season(step=1 / 12, harmonics=2),
        disturbance=np.tile([0.2, 0.05, 0.05, 0.05, 0.05], (3, 1)),
        start_mean=np.zeros((3, 5)),
        start_variance=np.full((3, 5), 100.0),
        smooth=True,
    )
    for row in range(3):
        model = UnobservedComponents(y[row], level="llevel", freq_seasonal=[{"period": 12, "harmonics": 2}])
        model.ssm.initialize_known(np.zeros(5), np.eye(5) * 100)
        model.loglikelihood_burn = 0
        peer = model.smooth([0.7, 0.2, 0.05])
        assert found.loglike[row] == pytest.approx(peer.llf, abs=1e-6)
        np.testing.assert_allclose(found.state[row], peer.filtered_state[:, -1], atol=1e-6)
        np.testing.assert_allclose(found.covariance[row], peer.filtered_state_cov[:, :, -1], atol=1e-6)
        np.testing.assert_allclose(found.signal[row], peer.smoothed_state[[0, 1, 3]].sum(axis=0), atol=1e-6)


def test_damped_slope_and_changing_noise_are_those_of_a_general_filter():
    rng = np.random.default_rng(2)
    y, noise = rng.normal(size=60).cumsum(), rng.uniform(0.3, 2, 60)
    system = level_season(step=1 / 12, harmonics=1, slope_memory=0.8)
    steps = np.array([0.1, 0.02, 0.01, 0.01])
    mean, variance = np.full((1, 4), 0.5), np.full((1, 4), 9.0)
    found = kalman(y[None], noise[None], system, disturbance=steps[None], start_mean=mean, start_variance=variance, smooth=True)
    peer = KalmanSmoother(k_endog=1, k_states=4, k_posdef=4)
    peer.bind(y)
    peer["design"], peer["transition"], peer["selection"] = system.observe[None], system.transition, np.eye(4)
    peer["state_cov"], peer["obs_cov"] = np.diag(steps), noise[None, None, :]
    peer.initialize_known(np.full(4, 0.5), np.eye(4) * 9)
    result = peer.smooth()
    assert found.loglike[0] == pytest.approx(result.llf_obs.sum(), abs=1e-6)
    np.testing.assert_allclose(found.state[0], result.filtered_state[:, -1], atol=1e-6)
    np.testing.assert_allclose(found.signal[0], system.observe @ result.smoothed_state, atol=1e-6)


@pytest.mark.parametrize(("base", "wander"), [(2.0, 0.0), (20.0, 0.1), (20.0, 0.4)])
def test_levels_of_counts_cover_the_truth(base, wander):
    rng = np.random.default_rng(3)
    level = np.log(base) + rng.normal(0, wander / np.sqrt(12), (800, 60)).cumsum(axis=1)
    y = rng.poisson(np.exp(level + 0.3 * np.cos(2 * np.pi * YEARS))).astype(float)
    found = levels(y, YEARS, harmonics=1)
    truth = np.exp(level[:, -1])
    assert ((found.lower <= truth) & (truth <= found.upper)).mean() > 0.89
    assert np.median(found.value / truth) == pytest.approx(1.0, abs=0.04)


def test_rates_zeros_and_gaps():
    rng = np.random.default_rng(4)
    size = rng.integers(30, 90, (300, 60)).astype(float)
    y = rng.binomial(size.astype(int), 0.1).astype(float)
    y[0], y[1, 10:30], size[2, 40:], y[3] = 0.0, np.nan, 0.0, np.nan
    found = levels(y, YEARS, family="binomial", exposure=size, harmonics=1)
    assert 0 < found.value[0] < 0.002
    assert np.isnan(found.value[3])
    rest = np.arange(4, 300)
    assert ((found.lower[rest] <= 0.1) & (found.upper[rest] >= 0.1)).mean() > 0.93
    assert found.upper[2] - found.lower[2] > np.median(found.upper[rest] - found.lower[rest])
    order = rng.permutation(300)
    turned = levels(y[order], YEARS, family="binomial", exposure=size[order], harmonics=1)
    np.testing.assert_array_equal(turned.value, found.value[order])
    np.testing.assert_array_equal(levels(y[7:8], YEARS, family="binomial", exposure=size[7:8], harmonics=1).upper, found.upper[7:8])


def test_wrong_input_is_named():
    with pytest.raises(TrendError, match="family"):
        levels(np.ones((1, 60)), YEARS, family="binomial")
    with pytest.raises(TrendError, match="at least 2"):
        levels(np.ones((1, 1)), YEARS[:1])
