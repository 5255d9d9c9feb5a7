"""Mann-Kendall against pymannkendall and scipy; exact small series; what must not matter; the null of correlated series."""

from __future__ import annotations

import itertools

import numpy as np
import pymannkendall
import pytest
from scipy import stats

from riskwatch.errors import TrendError
from riskwatch.trends.mann_kendall import mann_kendall

PEERS = {
    "none": pymannkendall.original_test,
    "hamed-rao": pymannkendall.hamed_rao_modification_test,
    "prewhitened": pymannkendall.trend_free_pre_whitening_modification_test,
    "seasonal": pymannkendall.seasonal_test,
}


def mixed(rng, series=40, periods=50):
    """Ties, no ties, gaps, trends and runs."""
    values = rng.poisson(3, (series, periods)).astype(float)
    values[: series // 2] += rng.normal(size=(series // 2, periods)).cumsum(axis=1) / 3
    values[::5] += np.linspace(0, 4, periods)
    values[1::4] = np.where(rng.random((len(values[1::4]), periods)) < 0.1, np.nan, values[1::4])
    return values


@pytest.mark.parametrize("treatment", PEERS)
@pytest.mark.parametrize("periods", [11, 50])
def test_agrees_with_pymannkendall_to_nine_digits(treatment, periods):
    values = mixed(np.random.default_rng(5), periods=periods)
    found = mann_kendall(values, treatment=treatment, exact_up_to=0, season=4 if periods == 11 else 12)
    compared = 0
    for row, series in enumerate(values):
        if treatment == "prewhitened" and row >= len(values) // 2:
            break  # whole numbers less a multiple: whether two are tied hangs on rounding
        given = {"period": 4 if periods == 11 else 12} if treatment == "seasonal" else {}
        try:
            with np.errstate(invalid="ignore"):
                peer = PEERS[treatment](series, **given)
        except ValueError:
            continue
        ours = [getattr(found, name)[row] for name in ("score", "variance", "z", "p_value", "tau", "slope")]
        np.testing.assert_allclose(ours, [peer.s, peer.var_s, peer.z, peer.p, peer.Tau, peer.slope], rtol=1e-9, atol=1e-9)
        compared += 1
    assert compared >= (19 if treatment == "prewhitened" else 38)


def test_slope_and_interval_are_those_of_scipy():
    values = np.random.default_rng(6).normal(size=(20, 30)).cumsum(axis=1)
    found = mann_kendall(values, level=0.9)
    for row, series in enumerate(values):
        peer = stats.theilslopes(series, np.arange(30), alpha=0.9)
        assert found.slope[row] == pytest.approx(peer.slope, rel=1e-12)
        # scipy rounds the places of the order statistics, we go between neighbours: never further than one of them.
        pairs = np.sort([(series[j] - series[i]) / (j - i) for i, j in itertools.combinations(range(30), 2)])
        for ours, theirs in ((found.lower[row], peer.low_slope), (found.upper[row], peer.high_slope)):
            assert abs(np.searchsorted(pairs, ours) - np.searchsorted(pairs, theirs)) <= 1


def test_short_series_without_ties_have_the_exact_distribution():
    rng = np.random.default_rng(7)
    values = rng.normal(size=(30, 7))
    found = mann_kendall(values)
    assert found.exact.all()
    for row, series in enumerate(values):
        assert found.p_value[row] == pytest.approx(stats.kendalltau(np.arange(7), series, method="exact").pvalue, rel=1e-12)
    every = np.array(list(itertools.permutations(range(6))), float)
    p = mann_kendall(every).p_value
    for level in (0.01, 0.05, 0.2):
        assert (p <= level).mean() <= level
    tied = mann_kendall(np.array([[1.0, 1.0, 2.0, 3.0, 4.0]]))
    assert not tied.exact[0]


def test_rows_monotone_changes_and_turned_time():
    values = mixed(np.random.default_rng(8))
    order = np.random.default_rng(9).permutation(len(values))
    found = mann_kendall(values, treatment="hamed-rao")
    np.testing.assert_array_equal(mann_kendall(values[order], treatment="hamed-rao").p_value, found.p_value[order])
    plain, cubed = mann_kendall(values), mann_kendall(values**3)
    np.testing.assert_array_equal(plain.score, cubed.score)
    back = mann_kendall(values[:, ::-1])
    np.testing.assert_array_equal(back.score, -plain.score)
    np.testing.assert_allclose(back.upper, -plain.lower, rtol=1e-9)


def test_too_few_and_constant_series():
    values = np.array([[1.0, 2.0, 3.0, np.nan, np.nan], [np.nan] * 5, [4.0] * 5])
    found = mann_kendall(values)
    assert np.isnan(found.slope[:2]).all()
    assert np.isnan(found.p_value[:2]).all()
    assert (found.slope[2], found.p_value[2], found.level[2]) == (0.0, 1.0, 4.0)


@pytest.mark.parametrize(
    ("treatment", "rho", "most"),
    [("none", 0.0, 0.055), ("effective-size", 0.0, 0.055), ("effective-size", 0.4, 0.07), ("effective-size", 0.6, 0.09)],
)
def test_null_level(treatment, rho, most):
    rng = np.random.default_rng(10)
    values = rng.normal(size=(2000, 60))
    for at in range(1, 60):
        values[:, at] = rho * values[:, at - 1] + np.sqrt(1 - rho**2) * values[:, at]
    share = (mann_kendall(values, treatment=treatment).p_value < 0.05).mean()
    assert 0.02 < share < most
    if rho:
        for other in ("none", "prewhitened", "hamed-rao"):
            assert (mann_kendall(values, treatment=other).p_value < 0.05).mean() > 2 * share, "the reason for the default"


@pytest.mark.parametrize("change", [{"treatment": "magic"}, {"level": 1.0}, {"season": 1}])
def test_wrong_parameters_are_named(change):
    with pytest.raises(TrendError, match=next(iter(change))):
        mann_kendall(np.ones((2, 8)), **change)
