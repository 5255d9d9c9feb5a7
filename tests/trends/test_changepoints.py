"""Change points: planted steps are found and measured, stationary series keep their level, and what must not matter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskwatch.errors import TrendError
from riskwatch.trends.changepoints import changepoints, stabilised
from riskwatch.trends.design import years_of

YEARS = years_of(pd.period_range("2015-01", periods=60, freq="M"))
SEASON = 0.4 * np.cos(2 * np.pi * YEARS)


def test_a_planted_step_is_found_dated_and_measured():
    rng = np.random.default_rng(1)
    rate = np.where(np.arange(60) < 35, 10.0, 20.0) * np.exp(SEASON)
    found = changepoints(rng.poisson(rate, (60, 60)).astype(float), YEARS, harmonics=1)
    assert len(np.unique(found.series)) >= 57
    assert (np.abs(found.period - 35) <= 2).mean() > 0.9
    assert np.median(found.after / found.before) == pytest.approx(2.0, rel=0.08)
    assert np.median(found.before) == pytest.approx(10.0 * np.exp(SEASON).mean(), rel=0.1)
    assert (found.p_value <= 0.05).all()


def test_failures_of_inspections_and_two_steps():
    rng = np.random.default_rng(2)
    size = rng.integers(100, 200, (40, 60)).astype(float)
    size[:, 7] = 0.0
    rate = np.select([np.arange(60) < 20, np.arange(60) < 40], [0.1, 0.25], 0.1)
    found = changepoints(rng.binomial(size.astype(int), rate).astype(float), YEARS, family="binomial", exposure=size)
    assert (np.bincount(found.series, minlength=40) == 2).mean() > 0.85
    first = found.period < 30
    assert np.median(found.period[first]) == 20
    assert np.median(found.period[~first]) == 40
    assert np.median(found.after[first]) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(("rho", "mean"), [(0.0, 2.0), (0.0, 20.0), (0.4, 20.0)])
def test_null_share_of_series_with_any_change(rho, mean):
    rng = np.random.default_rng(3)
    state = rng.normal(size=(300, 60))
    for at in range(1, 60):
        state[:, at] = rho * state[:, at - 1] + np.sqrt(1 - rho**2) * state[:, at]
    y = rng.poisson(mean * np.exp(0.3 * state + SEASON)).astype(float)
    found = changepoints(y, YEARS, harmonics=1)
    assert len(np.unique(found.series)) / 300 <= 0.05


def test_rows_do_not_matter_and_constant_series_have_none():
    rng = np.random.default_rng(4)
    y = rng.poisson(np.where(np.arange(60) < 30, 5.0, 12.0), (20, 60)).astype(float)
    y[0], y[1] = 3.0, np.nan
    whole = changepoints(y, YEARS)
    assert not {0, 1} & set(whole.series.tolist())
    alone = changepoints(y[5:6], YEARS)
    np.testing.assert_array_equal(alone.period, whole.period[whole.series == 5])
    np.testing.assert_array_equal(alone.p_value, whole.p_value[whole.series == 5])
    assert changepoints(y[:, :6], YEARS[:6]).series.size == 0


def test_stabilised_values_have_the_same_spread_at_all_means():
    rng = np.random.default_rng(5)
    for mean in (3.0, 30.0):
        scaled, _ = stabilised(rng.poisson(mean, (400, 60)).astype(float), YEARS)
        assert scaled.std() == pytest.approx(1.0, abs=0.08)
    size = np.full((400, 60), 80.0)
    scaled, mean_ = stabilised(rng.binomial(80, 0.2, (400, 60)).astype(float), YEARS, family="binomial", exposure=size)
    assert scaled.std() == pytest.approx(1.0, abs=0.05)
    assert mean_.mean() == pytest.approx(16, rel=0.02)


@pytest.mark.parametrize("change", [{"penalty": 0.0}, {"most": 0}, {"min_length": 1}, {"alpha": 1.0}, {"permutations": 9}])
def test_wrong_parameters_are_named(change):
    with pytest.raises(TrendError, match="changepoints: needs"):
        changepoints(np.ones((1, 60)), YEARS, **change)
