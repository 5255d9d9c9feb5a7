"""Targets: what counts as attained, what the gap is, and whether the chances are what they say."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pytest

from riskwatch.indicators.attainment import TARGET_COLUMNS, aim_of, attainment, chances
from riskwatch.indicators.values import prepare
from tests.indicators.conftest import frame, record, years

AS_OF = dt.date(2025, 12, 31)


def judge(catalogue, rows, *, regions=("220000",), as_of=AS_OF, targets=None):
    values = prepare(frame(*rows), catalogue.indicators, catalogue.methods)
    return attainment(values, catalogue, as_of=as_of, regions=regions, targets=targets).set_index(["target", "region"])


def test_a_target_whose_year_has_passed_is_judged_on_that_year(catalogue):
    rows = [
        *years("system-certification", "220000", [89.0, 91.3, 88.0, 88.0, 88.0, 88.0]),
        *years("excellence-methods", "220000", [70.0, 79.96, 90.0, 91.0, 92.0, 93.0]),
        *years("advanced-standard-adoption", "220000", [80.0, 84.9, 86.0, 87.0, 88.0, 89.0]),
    ]
    found = judge(catalogue, rows).xs("220000", level="region")
    assert found.loc["P3", ["state", "period", "basis", "passed"]].tolist() == ["attained", "2020", "target-year", True]
    assert found.loc["P3", "gap"] == pytest.approx(1.3)
    assert found.loc["P3", "now_gap"] == pytest.approx(-2.0)  # it stood there then and does not now: both are told
    # "=" is reached within the rounding of the figure; the gap is to the figure itself.
    assert found.loc["P4", "state"] == "attained"
    assert found.loc["P4", "gap"] == pytest.approx(-0.04)
    assert found.loc["P2", ["state", "now_period"]].tolist() == ["missed", "2024"]
    assert found.loc["P2", "now_gap"] == pytest.approx(4.0)


def test_without_a_value_of_its_year_nothing_is_claimed(catalogue):
    found = judge(catalogue, years("waste-treatment", "220000", [95, 96, 97, 98, 98, 98.0])).xs("220000", level="region")
    assert found.loc["V3", ["state", "basis", "period", "passed"]].tolist() == ["unknown", "", "", True]
    assert np.isnan(found.loc["V3", "value"])
    assert found.loc["V3", ["now_period", "now_value"]].tolist() == ["2024", 98.0]
    assert found.loc["V3", "chance_year"] == 2026
    assert found.loc["V3", "risk"] == ""  # nothing is at risk of missing a year that has gone
    assert found.loc["V1", ["state", "now_period"]].tolist() == ["unknown", ""]


def test_scale_is_context_and_a_target_without_a_figure_has_a_trend_only(catalogue):
    rows = [
        *years("vehicle-scale", "220000", [500.0] * 3, first=2013),
        *years("engineering-satisfaction", "220000", [70, 72, 74, 76, 78, 80.0], se=0.3),
        *years("environmental-noise", "220000", [50, 51, 52, 53, 54, 55.0]),
    ]
    found = judge(catalogue, rows).xs("220000", level="region")
    assert found.loc["P7", ["state", "period", "value"]].tolist() == ["context", "2015", 500.0]
    assert np.isnan(found.loc["P7", "chance"])
    assert found.loc["E9", ["state", "trend"]].tolist() == ["no-figure", "improving"]
    assert found.loc["E9", ["aim", "chance", "gap"]].isna().all()
    # Lower is better for noise: what rises gets worse.
    assert found.loc["V7", ["state", "trend"]].tolist() == ["no-figure", "worsening"]


def test_a_target_ahead_has_a_chance_and_a_lower_is_better_one_too(catalogue):
    rows = [
        *years("quality-loss-rate", "220000", [1.9, 1.8, 1.7, 1.6, 1.5, 1.4], se=0.02),
        *years("quality-loss-rate", "220100", [1.9, 1.9, 1.9, 1.9, 1.9, 1.9], se=0.02),
        *years("quality-loss-rate", "220200", [1.9, 1.6, 1.3]),
    ]
    found = judge(catalogue, rows, regions=("220000", "220100", "220200")).loc["D2"]
    assert found["state"].tolist() == ["short", "short", "short"]
    assert found.loc["220000", "gap"] == pytest.approx(-0.2)
    assert found.loc["220000", "chance"] > 0.7
    assert found.loc["220100", "chance"] < 0.05
    assert found["risk"].tolist() == ["on-track", "at-risk", "lost"]
    assert found["trend"].tolist() == ["improving", "no-trend", ""]  # three values are too few
    assert found.loc["220000", "certain"] is True
    assert np.isnan(found.loc["220200", "chance"])


def test_a_figure_of_the_target_year_settles_it_before_the_year_has_passed(catalogue):
    rows = years("customer-satisfaction", "220000", [78, 79, 80, 81, 82.0], first=2022, se=0.4)
    found = judge(catalogue, rows, as_of=dt.date(2026, 12, 31)).loc[("D4", "220000")]
    assert found[["state", "basis", "passed"]].tolist() == ["attained", "target-year", False]
    assert np.isnan(found["chance"])
    assert found["gap"] == 2.0


def test_stopped_figures_are_not_on_track(catalogue):
    rows = years("customer-satisfaction", "222400", [78, 80, 82, 84.0], se=0.4)
    found = judge(catalogue, rows, regions=("222400",)).loc[("D4", "222400")]
    assert found["risk"] == "lost"
    assert np.isnan(found["chance"])


def test_figures_out_of_bounds_and_of_the_future_are_left_aside(catalogue):
    rows = years("customer-satisfaction", "220000", [78, 78, 78, 78, 78, 78.0], se=0.4)
    known = judge(catalogue, rows).loc[("D4", "220000")]
    spoiled = judge(catalogue, [*rows, record("customer-satisfaction", "220000", "2026-12-31", 99.0, se=0.1)]).loc[("D4", "220000")]
    assert spoiled["now_period"] == "2024"
    assert spoiled["chance"] == known["chance"]
    wild = judge(catalogue, [*rows[:2], {**rows[2], "value": 300.0}, *rows[3:]]).loc[("D4", "220000")]
    assert wild["points"] == 5
    assert wild["chance"] < 0.2


def test_regions_do_not_bear_on_one_another_and_order_does_not_matter(catalogue):
    rows = [
        *years("customer-satisfaction", "220000", [75, 76, 76, 78, 78, 79.0], se=0.4),
        *years("customer-satisfaction", "220100", [60, 62, 61], first=2017, se=0.4),
    ]
    both = judge(catalogue, rows, regions=("220000", "220100"))
    alone = judge(catalogue, rows, regions=("220000",))
    turned = judge(catalogue, rows[::-1], regions=("220100", "220000"))
    pd.testing.assert_frame_equal(both.xs("220000", level="region"), alone.xs("220000", level="region"), check_dtype=False)
    pd.testing.assert_frame_equal(both.sort_index(), turned.sort_index())
    assert list(both.reset_index().columns) == ["target", "region", *[name for name in TARGET_COLUMNS if name not in {"target", "region"}]]


def test_aim_leaves_the_rounding(catalogue):
    assert aim_of(catalogue.targets["P1"], catalogue.indicators["mandatory-standard-conformity"]) == pytest.approx(99.95)
    assert aim_of(catalogue.targets["P3"], catalogue.indicators["system-certification"]) == 90.0
    assert np.isnan(aim_of(catalogue.targets["E9"], catalogue.indicators["engineering-satisfaction"]))


def test_an_easier_target_or_better_values_never_lower_the_chance(catalogue):
    rng = np.random.default_rng(3)
    times = np.arange(2019, 2025) + 0.5
    for code, up in (("customer-satisfaction", 1.0), ("quality-loss-rate", -1.0)):
        indicator = catalogue.indicators[code]
        middle, spread = (75.0, 1.5) if up > 0 else (2.0, 0.1)
        values = middle + spread * rng.normal(size=(200, 6))
        errors = np.full(values.shape, 0.3 * spread)

        def chance(given, aim, errors=errors, indicator=indicator, spread=spread):
            return chances(given, errors, times, aim=np.full(200, aim), at=2027.5, indicator=indicator)["chance"]

        harder = [chance(values, middle + up * step * spread) for step in (-2, -1, 0, 1, 2)]
        assert all((later <= before + 1e-12).all() for before, later in itertools.pairwise(harder))
        # All values better by the same amount (on a scale far from its ends).
        better = chance(values + up * 0.5 * spread, middle)
        assert (better >= harder[2] - 0.02).all()
        assert better.mean() > harder[2].mean()
        # A surer past makes a surer forecast: the chance of a line well above its aim grows.
        line = middle + up * spread * (2.0 + 0.05 * np.arange(6)) * np.ones((200, 1))
        sure, unsure = (chance(line, middle, errors=np.full(line.shape, size)) for size in (0.1 * spread, 2.0 * spread))
        assert (sure > unsure).all()


@pytest.mark.parametrize(("kind", "wobble", "error"), [("line", 0.3, 0.5), ("walk", 0.6, 0.5)])
def test_chances_are_calibrated_on_simulated_truths(catalogue, kind, wobble, error):
    """Of the targets given a chance about p, about the share p is reached: lines with good and bad years, and random walks."""
    rng = np.random.default_rng(11)
    series, known, ahead = 3000, 7, 2
    steps = rng.normal(size=(series, known + ahead))
    level = rng.uniform(70.0, 80.0, (series, 1))
    if kind == "line":
        truth = level + rng.normal(0.0, 0.4, (series, 1)) * np.arange(known + ahead) + wobble * steps
    else:
        truth = level + np.cumsum(wobble * steps, axis=1)
    measured = truth + error * rng.normal(size=truth.shape)
    aim = truth[:, known - 1] + rng.normal(0.0, 2.0, series)
    times = np.arange(2018, 2018 + known) + 0.5
    indicator = catalogue.indicators["customer-satisfaction"]
    found = chances(
        measured[:, :known], np.full((series, known), error), times, aim=aim, at=2018 + known + ahead - 0.5, indicator=indicator
    )
    chance, reached = found["chance"], measured[:, -1] >= aim
    assert np.isfinite(chance).all()
    assert abs(chance.mean() - reached.mean()) < 0.03
    edges = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    for low, high in itertools.pairwise(edges):
        inside = (chance >= low) & (chance <= high)
        assert inside.sum() > 150
        # A straight line through a random walk is not the truth: a little wider there.
        assert abs(reached[inside].mean() - chance[inside].mean()) < (0.08 if kind == "line" else 0.12), (low, high)
    brier = ((chance - reached) ** 2).mean()
    assert brier < 0.7 * reached.mean() * (1.0 - reached.mean())
