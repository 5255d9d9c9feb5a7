"""Sums of periods for series with few periods or few cases."""

from __future__ import annotations

import numpy as np
import pytest

from riskwatch.trends.pooled import block_values, pooled_trend

ASK = {"step": 1 / 12, "pool": (1, 3, 6), "max_zero_share": 0.25, "treatment": "effective-size", "level": 0.95}


def test_blocks_count_back_from_the_newest_period():
    y = np.array([[9.0, 1.0, 2.0, np.nan, 4.0, 5.0, 6.0]])
    value, cases = block_values(y, np.full((1, 7), 2.0), 3)
    np.testing.assert_allclose(cases, [[3.0, 15.0]])
    np.testing.assert_allclose(value, [[3.0 / 4.0, 15.0 / 6.0]])
    value, cases = block_values(np.full((1, 6), np.nan), np.full((1, 6), 2.0), 3)
    assert np.isnan(value).all()
    assert np.isnan(cases).all()


def test_rare_cases_are_summed_until_few_sums_are_empty_and_their_rise_is_found():
    rng = np.random.default_rng(1)
    years = (np.arange(96) - 48) / 12
    mean = np.full((300, 96), 0.5)
    rising = rng.poisson(0.5 * np.exp(0.25 * years), (300, 96)).astype(float)
    found = pooled_trend(rising, mean, **ASK)
    assert set(found.length) <= {3, 6}
    assert (found.p_value < 0.05).mean() > 0.6
    assert np.median(found.percent) == pytest.approx(25, abs=8)
    level = pooled_trend(rng.poisson(0.5, (600, 96)).astype(float), np.full((600, 96), 0.5), **ASK)
    assert (level.p_value < 0.05).mean() < 0.06
    assert ((level.lower <= 0) & (level.upper >= 0)).mean() > 0.93


def test_short_series_get_the_exact_test_and_too_short_ones_none():
    y = np.array([[1.0, 3.0, 4.0, 6.0, 9.0, 12.0], [np.nan, np.nan, np.nan, 2.0, 3.0, 4.0]])
    found = pooled_trend(y, np.full((2, 6), 5.0), **ASK)
    assert found.p_value[0] == pytest.approx(2 / 720)
    assert np.isnan(found.p_value[1])
    assert (found.blocks == [6, 3]).all()
