"""Forecasts: coverage, whole and possible counts, calibrated probabilities, rolling origins that mend intervals."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from riskwatch.errors import TrendError
from riskwatch.panel import Panel
from riskwatch.trends.design import years_of
from riskwatch.trends.forecast import covered, forecast, interval, predicted, probability_of_count, probability_of_level, widened
from riskwatch.trends.level import LevelSettings, levels
from riskwatch.trends.rolling import FACTORS, rolling_origin, widening

MONTHS = pd.period_range("2015-01", periods=72, freq="M")
YEARS = years_of(MONTHS)
STEPS = np.array([1, 3, 6, 12])
SEASON = 0.3 * np.cos(2 * np.pi * YEARS)


def simulated(rng, *, base, slope, wander, series=800):
    level = np.log(base) + rng.normal(0, slope, (series, 1)) * (YEARS - YEARS[30])
    return level + rng.normal(0, wander / np.sqrt(12), (series, 72)).cumsum(axis=1)


@pytest.mark.parametrize(("base", "wander", "slope"), [(2.0, 0.0, 0.0), (20.0, 0.1, 0.1), (20.0, 0.5, 0.1)])
def test_coverage_of_counts(base, wander, slope):
    rng = np.random.default_rng(1)
    level = simulated(rng, base=base, slope=slope, wander=wander)
    y = rng.poisson(np.exp(level + SEASON)).astype(float)
    made = forecast(levels(y[:, :60], YEARS[:60], harmonics=1), STEPS)
    low, high = interval(made, 0.95)
    actual = y[:, 59 + STEPS]
    inside = ((actual >= low) & (actual <= high)).mean(axis=0)
    assert (inside > 0.92).all()
    assert (inside < 0.998).all()  # few cases: whole numbers cover more
    assert (low >= 0).all()
    assert (low == np.floor(low)).all()
    assert (high == np.floor(high)).all()
    assert np.abs(predicted(made)[:, 0] - actual[:, 0]).mean() < np.abs(y[:, 59:60] - actual[:, :1]).mean()


def test_failures_never_exceed_inspections_and_cover():
    rng = np.random.default_rng(2)
    size = rng.integers(5, 60, (500, 72)).astype(float)
    rate = rng.beta(0.15 * 20, 0.85 * 20, (500, 72))
    y = rng.binomial(size.astype(int), rate).astype(float)
    found = levels(y[:, :60], YEARS[:60], family="binomial", exposure=size[:, :60])
    made = forecast(found, STEPS, exposure=size[:, 59 + STEPS])
    low, high = interval(made, 0.95)
    actual = y[:, 59 + STEPS]
    assert (high <= size[:, 59 + STEPS]).all()
    assert (low >= 0).all()
    assert ((actual >= low) & (actual <= high)).mean() == pytest.approx(0.96, abs=0.025)


@pytest.mark.parametrize("kind", ["count", "level"])
def test_probability_of_crossing_is_reliable(kind):
    rng = np.random.default_rng(3)
    level = simulated(rng, base=15.0, slope=0.15, wander=0.2, series=3000)
    y = rng.poisson(np.exp(level)).astype(float)
    made = forecast(levels(y[:, :60], YEARS[:60]), STEPS)
    aim = np.full((3000, 1), 18.0)
    if kind == "count":
        probability, reached = probability_of_count(made, aim)[:, 3], y[:, 71] >= 18
    else:
        probability, reached = probability_of_level(made, aim)[:, 3], np.exp(level[:, 71]) >= 18
    edges = np.array([0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])
    for first, last in itertools.pairwise(edges):
        band = (probability >= first) & (probability < last)
        assert band.sum() > 80
        assert reached[band].mean() == pytest.approx(probability[band].mean(), abs=0.09)
    assert ((probability - reached) ** 2).mean() < 0.6 * reached.mean() * (1 - reached.mean()), "it says more than the base rate"


def test_probabilities_and_limits_agree():
    rng = np.random.default_rng(4)
    y = rng.poisson(6, (50, 60)).astype(float)
    made = forecast(levels(y, YEARS[:60]), STEPS)
    low, high = interval(made, 0.9)
    assert (probability_of_count(made, high + 1) <= 0.05 + 1e-9).all()
    assert (probability_of_count(made, high) > 0.05 - 1e-9).all()
    assert (1 - probability_of_count(made, low) <= 0.05 + 1e-9).all()
    assert (probability_of_count(made, np.zeros((50, 1))) == 1).all()
    for count in (0.0, 3.0, 9.0, 12.0, 15.0):
        actual = np.full((50, 4), count)
        np.testing.assert_array_equal(covered(made, actual, 0.9), (actual >= low) & (actual <= high))
    wide = interval(widened(made, np.full(4, 2.0)), 0.9)
    assert (wide[1] >= high).all()
    assert (wide[1] > high).any()


def test_rolling_origin_sees_intervals_that_are_too_short_and_mends_them():
    rng = np.random.default_rng(5)
    level = simulated(rng, base=25.0, slope=0.0, wander=0.6, series=120)
    panel = Panel(rng.poisson(np.exp(level)).astype(float), pd.RangeIndex(120), MONTHS)
    sound = rolling_origin(panel, [4, 12], origins=4, spacing=3)
    assert (sound["coverage"] > 0.9).all()
    # A model that knows of no wandering is far too sure.
    sure = LevelSettings(wander=(0.0,), slope_sd=0.001)
    short = rolling_origin(panel, [4, 12], origins=4, spacing=3, settings=sure)
    assert (short["coverage"] < 0.85).all()
    assert (short["factor"] > 1).all()
    assert (short["coverage_widened"] > short["coverage"] + 0.05).all()
    assert list(short.columns) == list(sound.columns)
    np.testing.assert_array_equal(short["forecasts"], [480, 480])
    factors = widening(short, [2, 4, 12])
    assert factors[0] == 1.0
    assert (np.diff(factors) >= 0).all()
    assert set(factors) <= set(FACTORS)
    order = rng.permutation(120)
    turned = Panel(panel.observed[order], pd.RangeIndex(120), MONTHS)
    pd.testing.assert_frame_equal(rolling_origin(turned, [4, 12], origins=4, spacing=3, settings=sure), short)


def test_rolling_origin_without_enough_past_is_empty_and_few_forecasts_widen_nothing():
    panel = Panel(np.ones((2, 72)), pd.RangeIndex(2), MONTHS)
    assert rolling_origin(panel, [12], min_periods=70).empty
    few = rolling_origin(panel, [12], origins=2, settings=LevelSettings(wander=(0.0,)))
    assert few["factor"].tolist() == [1.0]
    with pytest.raises(TrendError, match="origins"):
        rolling_origin(panel, [12], origins=0)


@pytest.mark.parametrize("steps", [[], [0, 1], [3, 1], [1.5]])
def test_wrong_steps_are_named(steps):
    found = levels(np.ones((1, 60)), YEARS[:60])
    with pytest.raises(TrendError, match="steps"):
        forecast(found, steps)
