"""Shrunken rates of enterprises: the fit against other software, and that one failure of one sample is not 100 %."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from enterprises_world import fail, recheck, records, sound
from scipy import special, stats

from riskwatch.enterprises import fit_beta_binomial, persistence
from riskwatch.enterprises.rules import Shrinkage

FAILED = np.array([0, 1, 0, 3, 2, 0, 5, 1, 0, 8, 0, 2], float)
SAMPLES = np.array([10, 12, 3, 20, 15, 1, 30, 7, 25, 40, 5, 9], float)


def test_the_fit_is_that_of_r():
    """R 4: ``Coef(VGAM::vglm(cbind(x, n - x) ~ 1, betabinomial))``, then ``optim`` (BFGS, reltol 1e-15) on the same likelihood."""
    mean, scatter = fit_beta_binomial(FAILED, SAMPLES)
    assert (mean, scatter) == pytest.approx((0.1196726541491, 0.0134475985896), rel=5e-4)
    assert (mean, scatter) == pytest.approx((0.1196768374005, 0.0134422906289), rel=2e-4)


def test_the_fit_does_not_depend_on_order_and_knows_its_limits():
    order = np.random.default_rng(1).permutation(len(FAILED))
    assert fit_beta_binomial(FAILED[order], SAMPLES[order]) == fit_beta_binomial(FAILED, SAMPLES)
    assert np.isnan(fit_beta_binomial(np.zeros(5), np.full(5, 10.0))).all()
    assert np.isnan(fit_beta_binomial(np.zeros(0), np.zeros(0))).all()
    # Equal shares: less scatter than a binomial has.
    assert fit_beta_binomial(np.full(20, 2.0), np.full(20, 20.0)) == pytest.approx((0.1, 0.0), abs=1e-4)


def test_one_sample_each_says_nothing_about_scatter():
    """Two failures among two hundred enterprises, both of one that was sampled twice: the likelihood runs to its bound, the prior holds
    it."""
    x, n = np.append(np.zeros(200), 2.0), np.append(np.ones(200), 2.0)
    assert fit_beta_binomial(x, n)[1] > 0.85
    mean, scatter = fit_beta_binomial(x, n, scatter_weight=20)
    assert scatter < 0.3
    assert 1 / 202 < mean < 2 / 202
    # Where there are data, the prior hardly matters.
    rng = np.random.default_rng(6)
    many = np.full(2000, 40.0)
    some = rng.binomial(40, rng.beta(0.8, 9.2, 2000)).astype(float)
    assert fit_beta_binomial(some, many, scatter_weight=20) == pytest.approx(fit_beta_binomial(some, many), rel=0.02)


def test_the_fit_finds_what_was_put_in():
    rng = np.random.default_rng(4)
    n = rng.integers(5, 80, 3000).astype(float)
    x = rng.binomial(n.astype(int), rng.beta(0.08 * 9, 0.92 * 9, 3000)).astype(float)
    mean, scatter = fit_beta_binomial(x, n)
    assert mean == pytest.approx(0.08, abs=0.006)
    assert scatter == pytest.approx(0.1, abs=0.015)


@pytest.fixture
def small() -> Shrinkage:
    return Shrinkage.model_validate(
        {
            "min_samples": 50,
            "min_enterprises": 3,
            "scatter_weight": 0,
            "level": 0.9,
            "basis": {"source": "test", "dated": "2026-01-01", "verified": False},
        }
    )


@pytest.fixture
def world() -> pd.DataFrame:
    rows = [fail("2025-01-01", producer="one")]
    for number, (x, n) in enumerate(zip(FAILED.astype(int), SAMPLES.astype(int), strict=True)):
        rows += [fail("2025-01-01", producer=f"E{number}")] * x + [sound("2025-01-01", producer=f"E{number}")] * (n - x)
    rows += [fail("2025-01-01", producer="E0", selection="targeted"), recheck("2025-03-01", "R1", "fail", producer="E0")]
    rows += [fail("2025-01-01", producer="E0", counterfeit_claim=True), fail("2025-01-01", producer=None)]
    rows += [sound("2025-01-01", producer="rare", product="P0999")]
    return records(*rows)


def test_one_failure_of_one_sample_is_not_all(world, small):
    found = persistence(world, small).set_index(["product", "enterprise"])
    one = found.loc[("P0101", "list/one")]
    assert one["rate"] == 1.0
    assert one["shrunk"] < 0.2
    assert one["p_value"] == pytest.approx(one["stratum_rate"])
    # By the formula: a = mean (1 - rho) / rho, the posterior mean is (x + a) / (n + a + b).
    size = (1 - one["scatter"]) / one["scatter"]
    a, b = one["stratum_rate"] * size, (1 - one["stratum_rate"]) * size
    nine = found.loc[("P0101", "list/E9")]
    assert (nine["failed"], nine["samples"]) == (8, 40)
    assert nine["shrunk"] == pytest.approx((8 + a) / (40 + a + b))
    assert (nine["lower"], nine["upper"]) == pytest.approx(
        (special.betaincinv(8 + a, 32 + b, 0.05), special.betaincinv(8 + a, 32 + b, 0.95))
    )
    assert nine["p_value"] == pytest.approx(stats.betabinom.sf(7, 40, a, b))


def test_only_random_samples_of_named_producers_count(world, small):
    found = persistence(world, small).set_index(["product", "enterprise"])
    assert found.loc[("P0101", "list/E0"), ["samples", "failed"]].tolist() == [10, 0]
    assert found["samples"].sum() == SAMPLES.sum() + 2


def test_a_thin_stratum_borrows_from_all(world, small):
    found = persistence(world, small).set_index(["product", "enterprise"])
    assert not found.loc[("P0999", "list/rare"), "own_stratum"]
    assert found.loc[("P0101", "list/one"), "own_stratum"]
    assert np.isfinite(found["shrunk"]).all()


def test_row_order_changes_nothing(world, small):
    pd.testing.assert_frame_equal(persistence(world, small), persistence(world.sample(frac=1, random_state=2), small))


def test_the_p_values_are_calibrated(small):
    """Enterprises of one stratum, none of them special: no more than alpha of them fall below alpha."""
    rng = np.random.default_rng(8)
    n = rng.integers(5, 60, 4000)
    x = rng.binomial(n, rng.beta(0.08 * 12, 0.92 * 12, 4000))
    frame = records(sound("2025-01-01")).iloc[np.zeros(4000, int)].reset_index(drop=True)
    frame = frame.assign(producer=[f"E{k}" for k in range(4000)], inspected=n, failed=x, verdict="undetermined")
    p = persistence(frame, small)["p_value"].to_numpy()
    for alpha in (0.01, 0.05, 0.2):
        assert (p <= alpha).mean() < alpha + 3 * np.sqrt(alpha * (1 - alpha) / 4000)
        assert (p <= alpha).mean() > alpha / 3
