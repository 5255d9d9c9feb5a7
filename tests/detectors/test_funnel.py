"""The funnel: limits and scores against R, and what siblings do to each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskwatch.detectors import detector
from riskwatch.detectors.funnel_limits import funnel_limits, funnel_table, scores, spread_of
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel

REFERENCE = Path(__file__).parents[1] / "reference"


def test_limits_against_r():
    for (rate, level), rows in pd.read_csv(REFERENCE / "funnel_limits.csv").groupby(["rate", "level"]):
        smooth = funnel_limits(rate, rows["inspected"], [level])
        np.testing.assert_allclose(smooth[["lower", "upper"]], rows[["lower", "upper"]], rtol=1e-6, atol=1e-9)
        exact = funnel_limits(rate, rows["inspected"], [level], limits="exact")
        np.testing.assert_allclose(exact[["lower", "upper"]], rows[["exact_lower", "exact_upper"]], rtol=1e-12)


@pytest.mark.parametrize(
    ("adjustment", "limits", "z", "p"),
    [
        ("none", "exact", "z", "p_none"),
        ("multiplicative", "normal", "z_mult", "p_mult_normal"),
        ("additive", "normal", "z_add", "p_add_normal"),
        ("multiplicative", "exact", "z_mult", "p_mult_exact"),
        ("additive", "exact", "z_add", "p_add_exact"),
    ],
)
def test_scores_against_r(adjustment, limits, z, p):
    expected = pd.read_csv(REFERENCE / "funnel_scores.csv")
    found = funnel_table(expected["failed"], expected["inspected"], adjustment=adjustment, limits=limits)
    np.testing.assert_allclose(found["z"], expected["z"], rtol=1e-6)
    np.testing.assert_allclose(found["z_adjusted"], expected[z], rtol=1e-6)
    np.testing.assert_allclose(found["p_value"], expected[p], rtol=1e-6)
    if adjustment != "none":
        name = {"multiplicative": "phi", "additive": "tau2"}[adjustment]
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)


@pytest.mark.parametrize("adjustment", ["none", "multiplicative", "additive"])
@pytest.mark.parametrize("limits", ["exact", "normal"])
def test_limits_and_p_values_tell_the_same_story(adjustment, limits):
    rng = np.random.default_rng(3)
    inspected = rng.integers(1, 400, 300)
    failed = rng.binomial(inspected, rng.beta(3, 30, 300))
    found = funnel_table(failed, inspected, adjustment=adjustment, limits=limits, alpha=0.02)
    assert 3 < found["alarm"].sum() < 60
    np.testing.assert_array_equal(found["rate"] > found["upper"], found["alarm"])
    assert (found["lower"] <= found["upper"]).all()


def test_smooth_limits_shrink_and_widen():
    n = np.arange(2, 3000)
    for given in ({}, {"phi": 2.0}, {"tau2": 0.001}):
        curves = funnel_limits(0.1, n, (0.001,), **given)
        # Between whole counts the lines still waver a little, far less than one count.
        assert (np.diff(curves["upper"][20:]) * n[21:] < 0.5).all()
        assert curves["upper"].iloc[-1] < curves["upper"].iloc[200] < curves["upper"].iloc[20]
        assert (curves["lower"] <= 0.1).all()
        assert (curves["upper"] >= 0.1).all()
    plain, wide = (funnel_limits(0.1, [500], (0.025,), phi=phi) for phi in (1.0, 4.0))
    assert (wide["upper"] - 0.1)[0] == pytest.approx(2 * (plain["upper"] - 0.1)[0])


def test_array_input_carries_no_names():
    found = funnel_table([1, 0, 4], [10, 0, 20])
    assert list(found.columns) == [
        "failed",
        "inspected",
        "rate",
        "expected",
        "z",
        "phi",
        "tau2",
        "z_adjusted",
        "p_value",
        "lower",
        "upper",
        "alarm",
    ]
    assert found.index.tolist() == [0, 1, 2]
    assert found.loc[1, ["rate", "z", "p_value", "lower", "upper"]].isna().all()
    assert funnel_table([], []).empty
    np.testing.assert_array_equal(funnel_table([0, 0], [5, 9])["p_value"], [1.0, 1.0])


def test_order_does_not_matter():
    rng = np.random.default_rng(4)
    inspected = rng.integers(1, 200, 50)
    failed = rng.binomial(inspected, 0.1)
    order = rng.permutation(50)
    for adjustment in ("multiplicative", "additive"):
        straight = funnel_table(failed, inspected, adjustment=adjustment)
        turned = funnel_table(failed[order], inspected[order], adjustment=adjustment)
        np.testing.assert_array_equal(turned.to_numpy(), straight.iloc[order].to_numpy())


def test_spread_finds_what_was_put_in():
    rng = np.random.default_rng(5)
    inspected = np.full(4000, 200.0)
    failed = rng.binomial(200, rng.beta(10, 90, 4000)).astype(float)
    spread = spread_of(scores(failed, inspected, 0.1), inspected, 0.1, winsorise=0.0)
    assert spread.tau2 == pytest.approx(0.1 * 0.9 / 101, rel=0.1)
    assert spread.phi == pytest.approx(1 + 199 / 101, rel=0.1)
    robust = spread_of(scores(failed, inspected, 0.1), inspected, 0.1, consistent=True)
    assert robust.phi == pytest.approx(1 + 199 / 101, rel=0.1)
    assert spread_of(scores(failed, inspected, 0.1), inspected, 0.1).phi == pytest.approx(0.68 * robust.phi, rel=0.01)
    chance = rng.binomial(200, 0.1, 4000).astype(float)
    assert spread_of(scores(chance, inspected, 0.1), inspected, 0.1).phi == 1.0


def regions(rng, series, mean_n, tau, months=40):
    n = rng.poisson(mean_n, (series, months)).astype(float)
    rate = np.clip(rng.normal(0.08, tau, (series, 1)), 0.005, 0.5)
    x = np.where(n > 0, rng.binomial(n.astype(int), np.broadcast_to(rate, n.shape)), np.nan)
    return Panel(x, pd.RangeIndex(series), pd.period_range("2020-01", periods=months, freq="M"), n)


def test_realised_levels():
    """Share of alarms at 1 % where nothing but chance, or chance and a lasting spread of rates, sets regions apart."""
    rng = np.random.default_rng(6)

    def level(panel, **parameters):
        signals = detector("funnel", alpha=0.01, **parameters).detect(panel, panel.periods[-8:])
        return signals.alarm[signals.reason == 0].mean()

    same = regions(rng, 600, 60, 0.0)
    assert 0.003 < level(same) < 0.013
    assert 0.003 < level(same, adjustment="additive") < 0.013
    apart = regions(rng, 600, 60, 0.03)
    plain = level(apart, adjustment="none")
    assert plain > 0.025
    assert level(apart, consistent=True) < level(apart) < 0.7 * plain
    assert 0.004 < level(apart, consistent=True) < 0.016
    assert 0.002 < level(apart, adjustment="additive") < 0.025


def test_siblings_are_those_of_the_stratum_or_of_the_product():
    rng = np.random.default_rng(7)
    keys = [(p, "", f"r{r}", f"selection={s}") for s in ("random", "targeted") for p in ("a", "b") for r in range(12)]
    index = pd.MultiIndex.from_tuples(keys, names=["product", "industry", "region", "stratum"])
    n = np.full((48, 30), 50.0)
    rate = np.where(index.get_level_values("stratum") == "selection=targeted", 0.3, 0.05) * np.where(
        index.get_level_values("product") == "a", 1.0, 2.0
    )
    x = rng.binomial(50, np.broadcast_to(rate[:, None], n.shape)).astype(float)
    panel = Panel(x, index, pd.period_range("2020-01", periods=30, freq="M"), n)
    expected = detector("funnel").detect(panel).expected[:, 0] / 50
    for rows in (slice(0, 24), slice(24, 48)):
        assert np.ptp(expected[rows]) == 0
        assert expected[rows][0] == pytest.approx(np.nansum(x[rows, -1]) / 24 / 50)
    within = detector("funnel", within="product").detect(panel).expected[:, 0] / 50
    np.testing.assert_allclose([within[0], within[12], within[24], within[36]], [0.05, 0.1, 0.3, 0.6], atol=0.04)


def test_a_window_adds_up_what_one_month_does_not_show():
    rng = np.random.default_rng(8)
    panel = regions(rng, 40, 25, 0.0)
    panel.exposure[0, -3:] = 25
    panel.observed[0, -3:] = [6, 5, 6]
    one, three = (detector("funnel", window_periods=width, guard_periods=3).detect(panel) for width in (1, 3))
    assert three.p_value[0, 0] < 0.1 * one.p_value[0, 0]
    assert three.alarm[0, 0]
    assert three.upper[0, 0] < 6
    assert detector("funnel", window_periods=3).memory("month") == 3
    # Nothing in the newest month is no evidence, whatever came before.
    panel.observed[0, -1] = 0
    assert detector("funnel", window_periods=3).detect(panel).p_value[0, 0] >= 0.5


def test_reasons():
    rng = np.random.default_rng(9)
    panel = regions(rng, 4, 25, 0.0)
    panel.observed[0, -1], panel.exposure[0, -1] = np.nan, 0
    panel.observed[1, -1] = np.nan
    assert detector("funnel").detect(panel).reason_text[:, 0].tolist() == ["no-exposure", "missing", "too-few-cases", "too-few-cases"]
    assert detector("funnel", min_siblings=2).detect(panel).reason_text[:, 0].tolist() == ["no-exposure", "missing", "", ""]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: funnel_table([3], [2]), "funnel: counts must be whole and 0 <= failed <= inspected"),
        (lambda: funnel_table([3], [2, 4]), "funnel: failed and inspected must have the same length"),
        (lambda: funnel_table([1], [2], alpha=0.6), r"funnel: alpha must be in \(0, 0.5\), got 0.6"),
        (lambda: funnel_limits(0.1, [10], phi=2.0, tau2=0.1), "funnel: phi must be >= 1 and tau2 >= 0, and one of them neutral"),
        (lambda: funnel_limits(0.1, [0]), "funnel: inspected must be above 0"),
        (lambda: detector("funnel", within="place"), "funnel: within must be one of"),
    ],
)
def test_messages(call, message):
    with pytest.raises(DetectorError, match=message):
        call()
