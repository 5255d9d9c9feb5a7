"""Slopes against statsmodels, the level of their tests under autocorrelation, and what must not matter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from riskwatch.errors import TrendError
from riskwatch.trends.design import design_of, following, years_of
from riskwatch.trends.glm import fit, moment_alpha
from riskwatch.trends.slope import slopes

MONTHS = pd.period_range("2015-01", periods=60, freq="M")
YEARS = years_of(MONTHS)


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(1)
    mean = 8 * np.exp(0.1 * (YEARS - 2017) + 0.4 * np.cos(2 * np.pi * YEARS)) * rng.gamma(4, 1 / 4, (30, 60))
    y, size = rng.poisson(mean).astype(float), rng.integers(20, 90, (30, 60)).astype(float)
    y[rng.random(y.shape) < 0.05] = np.nan
    return y, size


def peer(y, size, family, **how):
    columns = design_of(YEARS, harmonics=2).columns
    seen = np.isfinite(y)
    if family == "poisson":
        model = sm.GLM(y[seen], columns[seen], family=sm.families.Poisson(), offset=np.log(size[seen]))
    elif "scale" not in how:
        model = sm.GLM(np.column_stack([y[seen], size[seen] - y[seen]]), columns[seen], family=sm.families.Binomial())
    else:  # with two columns statsmodels forgets the trials in Pearson's scale
        model = sm.GLM(y[seen] / size[seen], columns[seen], family=sm.families.Binomial(), var_weights=size[seen])
    return model.fit(tol=1e-13, maxiter=100, **how)


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_coefficients_and_errors_are_those_of_statsmodels(counts, family):
    y, size = counts
    y = np.minimum(y, size)
    found = slopes(y, YEARS, family=family, exposure=size, harmonics=2, errors="quasi")
    for row in range(10):
        model = peer(y[row], size[row], family, scale="X2")
        np.testing.assert_allclose(found.fit.coefficients[row], model.params, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose([found.error[row], found.dispersion[row]], [model.bse[1], model.scale], rtol=1e-6)
    full = np.where(np.isfinite(y), y, 3.0)  # statsmodels' lags would close up the gaps
    found = slopes(full, YEARS, family=family, exposure=size, harmonics=2, errors="newey-west", lags=4)
    for row in range(10):
        model = peer(full[row], size[row], family, cov_type="HAC", cov_kwds={"maxlags": 4})
        np.testing.assert_allclose(found.error[row], model.bse[1], rtol=1e-6)


def test_negative_binomial_is_that_of_statsmodels_and_alpha_solves_pearsons_equation(counts):
    y = np.where(np.isfinite(counts[0]), counts[0], 4.0)
    columns = design_of(YEARS, harmonics=1).columns
    alpha = moment_alpha(fit(y, columns, family="poisson"))
    found = fit(y, columns, family="negative-binomial", alpha=alpha)
    for row in range(10):
        model = sm.GLM(y[row], columns, family=sm.families.NegativeBinomial(alpha=alpha[row])).fit(tol=1e-13, maxiter=200)
        np.testing.assert_allclose(found.coefficients[row], model.params, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(found.covariance[row], model.normalized_cov_params, rtol=1e-5, atol=1e-12)
    first = fit(y, columns, family="poisson")
    spread = ((y - first.mean) ** 2 / (first.mean + alpha[:, None] * first.mean**2)).sum(axis=1)
    np.testing.assert_allclose(spread[alpha > 0], 56, rtol=1e-9)
    assert (spread[alpha == 0] <= 56 + 1e-9).all()


@pytest.mark.parametrize(("rho", "most"), [(0.0, 0.055), (0.3, 0.06), (0.6, 0.085)])
def test_null_level_under_autocorrelation(rho, most):
    rng = np.random.default_rng(2)
    state = rng.normal(size=(1500, 60))
    for at in range(1, 60):
        state[:, at] = rho * state[:, at - 1] + np.sqrt(1 - rho**2) * state[:, at]
    y = rng.poisson(20 * np.exp(0.3 * state)).astype(float)
    robust, plain = slopes(y, YEARS, harmonics=1), slopes(y, YEARS, harmonics=1, errors="quasi")
    share = (robust.p_value < 0.05).mean()
    assert 0.02 < share < most
    inside = ((robust.lower <= 0) & (robust.upper >= 0)).mean()
    assert inside == pytest.approx(1 - share)
    if rho > 0.5:
        assert (plain.p_value < 0.05).mean() > 2 * share, "without the allowance it is worse"


def test_a_true_slope_is_found_and_told_in_per_cent():
    rng = np.random.default_rng(3)
    y = rng.poisson(30 * np.exp(np.log(1.2) * (YEARS - 2017)) * np.ones((200, 1))).astype(float)
    found = slopes(y, YEARS)
    assert np.median(found.percent) == pytest.approx(20, abs=0.5)
    assert ((found.percent_lower <= 20) & (found.percent_upper >= 20)).mean() > 0.92
    size = np.full((200, 60), 100.0)
    rate = 0.1 * np.exp(np.log(1.2) * (YEARS - 2017))
    found = slopes(rng.binomial(100, rate, (200, 60)).astype(float), YEARS, family="binomial", exposure=size)
    assert np.median(found.percent) == pytest.approx(18.5, abs=2)  # the logit bends: not exactly exponential
    assert np.median(found.level) == pytest.approx(rate[-1], rel=0.05)


def test_rows_and_partitions_do_not_change_a_bit(counts):
    y, size = counts
    y = np.minimum(y, size)
    whole = slopes(y, YEARS, family="binomial", exposure=size, harmonics=2)
    order = np.random.default_rng(4).permutation(30)
    turned = slopes(y[order], YEARS, family="binomial", exposure=size[order], harmonics=2)
    for name in ("slope", "error", "p_value", "percent_lower", "dispersion"):
        np.testing.assert_array_equal(getattr(turned, name), getattr(whole, name)[order])
        np.testing.assert_array_equal(
            getattr(slopes(y[7:8], YEARS, family="binomial", exposure=size[7:8], harmonics=2), name), getattr(whole, name)[7:8]
        )


def test_scale_of_exposure_moves_the_level_alone(counts):
    y, size = counts
    one, other = slopes(y, YEARS, exposure=size), slopes(y, YEARS, exposure=size * 1000)
    np.testing.assert_allclose(one.slope, other.slope, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(one.level, other.level * 1000, rtol=1e-8)


def test_series_without_a_maximum_are_refused_and_disturb_nobody(counts):
    y, size = counts
    y, size = np.minimum(y, size).copy(), size.copy()
    alone = slopes(y, YEARS, family="binomial", exposure=size)
    y[0], y[1], y[2, 3:] = 0.0, size[1], np.nan
    y[3] = np.where(np.arange(60) == 59, 5.0, 0.0)  # nothing, then five: the slope runs away
    size[4, :10] = 0.0
    found = slopes(y, YEARS, family="binomial", exposure=size)
    assert np.isnan(found.slope[:2]).all()
    assert not np.isfinite(found.p_value[[0, 1]]).any()
    assert np.isfinite(found.slope[4])
    np.testing.assert_array_equal(found.slope[5:], alone.slope[5:])


def test_years_and_following_periods():
    assert years_of(pd.period_range("2020-01", periods=12, freq="M"))[[0, 11]] == pytest.approx([2020.04, 2020.96], abs=0.01)
    weeks = pd.period_range("2020-01-06", periods=3, freq="W-SUN")
    assert list(following(weeks, 2)) == list(pd.period_range("2020-01-06", periods=5, freq="W-SUN")[3:])


@pytest.mark.parametrize(
    ("change", "said"),
    [({"family": "gamma"}, "family"), ({"family": "binomial"}, "exposure"), ({"level": 0.0}, "level"), ({"errors": "x"}, "errors")],
)
def test_wrong_parameters_are_named(counts, change, said):
    with pytest.raises(TrendError, match=said):
        slopes(counts[0], YEARS, **change)
    with pytest.raises(TrendError, match="share the periods"):
        slopes(counts[0], YEARS[:-1])
