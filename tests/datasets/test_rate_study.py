"""The simulation study of failure rates: what it draws is what it says."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from riskwatch.datasets import simulate_rates

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def made():
    return simulate_rates(np.random.default_rng(1))


def test_shape(made):
    assert made.panel.shape == (864, 60)
    assert made.panel.index.names == ["product", "industry", "region", "stratum"]
    assert made.cells["product"].nunique() == 48
    assert made.cells["category"].nunique() == 8
    inspected = made.panel.exposure
    np.testing.assert_array_equal(np.isnan(made.panel.observed), inspected == 0)
    np.testing.assert_array_equal(made.by_laboratory[2].sum(axis=0), inspected)
    np.testing.assert_array_equal(made.by_laboratory[0].sum(axis=0), np.nan_to_num(made.panel.observed))
    pooled = made.pooled(made.panel).exposure
    np.testing.assert_array_equal(pooled, inspected[:432] + inspected[432:])
    assert 2 <= np.median(pooled[pooled > 0]) <= 6  # small numbers are the rule


def test_twin_differs_by_the_rises_only(made):
    more = np.nan_to_num(made.panel.observed - made.twin.observed)
    assert (more >= 0).all()
    risen = np.tile(made.odds_ratio > 1, (2, 1))
    assert not more[~risen].any()
    assert more[risen].sum() > 30
    assert not (made.odds_ratio[:, :-12] > 1).any()
    assert set(np.unique(made.odds_ratio)) == {1.0, 2.0, 3.0, 5.0, 8.0}
    assert (made.odds_ratio > 1).any(axis=1).sum() == 65  # 15 % of 432


def test_rates_are_the_true_ones(made):
    """Enterprise, batch and laboratory draw the mean towards one half; laboratories move a whole study by a tenth, several less."""
    spread = 0.5**2 + 0.8**2 + 0.3**2
    ratios = []
    for seed in range(1, 9):
        study = simulate_rates(np.random.default_rng(seed))
        expected = study.twin.exposure * special.expit(study.log_odds / np.sqrt(1 + 0.346 * spread))
        failed = np.nan_to_num(study.twin.observed)
        ratios.append([failed[rows].sum() / expected[rows].sum() for rows in (slice(0, 432), slice(432, 864))])
    np.testing.assert_allclose(np.mean(ratios, axis=0), 1.0, atol=0.08)
    gap = made.log_odds[432:] - made.log_odds[:432]
    assert np.exp(gap).mean() == pytest.approx(3.1, abs=0.5)
    assert 0.4 < made.log_odds[:432].mean(axis=1).std() < 1.1


def test_campaigns_add_targeted_samples_and_leave_quality(made):
    targeted, random = made.twin.exposure[432:], made.twin.exposure[:432]
    assert 0.03 < made.campaign.mean() < 0.14
    assert targeted[made.campaign].mean() > 8 * targeted[~made.campaign].mean()
    assert random[made.campaign].mean() == pytest.approx(random[~made.campaign].mean(), rel=0.25)
    log_odds = made.log_odds[432:]
    assert abs(log_odds[made.campaign].mean() - log_odds[~made.campaign].mean()) < 0.25


def test_same_seed_same_samples():
    first, second = (simulate_rates(np.random.default_rng(7), categories=2, products=2, regions=3) for _ in range(2))
    np.testing.assert_array_equal(first.panel.observed, second.panel.observed)
    np.testing.assert_array_equal(first.twin.exposure, second.twin.exposure)


def test_the_small_benchmark(monkeypatch):
    """Two categories, one seed: during a campaign pooled peers alarm without cause, the engine does not."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("bench_spot_checks", BENCHMARKS / "bench_spot_checks.py")
    bench = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "bench_spot_checks", bench)
    spec.loader.exec_module(bench)
    peer, engine = "exact binomial, rate of the product", "the same, crossed prior, all months"
    found, truth, _ = bench.run([5], [peer, engine], categories=2)
    frames = bench.tables(found, truth)
    false = next(frame for title, frame in frames.items() if "nominal" in title).set_index("method")
    assert false.loc[peer, "during one"] > 3 * false.loc[engine, "cell-months during"]
    assert false.loc[engine, "cell-months without"] < 0.02
    equal = next(frame for title, frame in frames.items() if title.startswith("At an equal")).set_index("method")
    assert (equal["FPR"] <= 0.01).all()
    assert (equal["power"] > equal["FPR"]).all()
