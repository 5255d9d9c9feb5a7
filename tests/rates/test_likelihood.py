"""Digamma and trigamma, derivatives, and maximum likelihood against R VGAM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

from riskwatch.errors import RateError
from riskwatch.rates import fit_groups
from riskwatch.rates.likelihood import derivatives, log_likelihood
from riskwatch.rates.polygamma import both, rise

REFERENCE = Path(__file__).parents[1] / "reference"


def test_polygamma_against_scipy():
    x = np.exp(np.random.default_rng(0).uniform(-12, 14, 20_000))
    first, second = both(x)
    np.testing.assert_allclose(first, special.digamma(x), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(second, special.polygamma(1, x), rtol=1e-13)
    zero = rise(np.zeros(3), np.array([0.1, 1.0, 50.0]))
    assert (zero[0] == 0).all()
    assert (zero[1] == 0).all()


def test_derivatives_against_differences():
    rng = np.random.default_rng(1)
    n = rng.poisson(12, 200) + 1.0
    x = rng.binomial(n.astype(int), 0.2) * 0.7  # counts may be fractions
    eta, psi, h = rng.normal(-2, 1, 200), rng.normal(2, 1.0, 200), 1e-3

    def at(by_eta, by_psi):
        return log_likelihood(x, n, eta + by_eta * h, psi + by_psi * h)

    found = derivatives(x, n, eta, psi)
    expected = [
        (at(1, 0) - at(-1, 0)) / (2 * h),
        (at(0, 1) - at(0, -1)) / (2 * h),
        -(at(1, 0) - 2 * at(0, 0) + at(-1, 0)) / h**2,
        -(at(0, 1) - 2 * at(0, 0) + at(0, -1)) / h**2,
        -(at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * h * h),
    ]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_fits_against_vgam():
    cells = pd.read_csv(REFERENCE / "beta_binomial_cells.csv")
    theirs = pd.read_csv(REFERENCE / "beta_binomial_fits.csv")
    ours = fit_groups(cells["x"].to_numpy(float), cells["n"].to_numpy(float), cells["group"].to_numpy() - 1, len(theirs))
    assert ours.converged.all()
    assert len(theirs) >= 7
    np.testing.assert_allclose(ours.mean, theirs["mu"], rtol=1e-6)
    np.testing.assert_allclose(ours.correlation, theirs["rho"], rtol=1e-6)
    np.testing.assert_allclose(ours.log_likelihood, theirs["loglik"], rtol=1e-9)


def test_many_groups_against_a_simplex_search():
    rng = np.random.default_rng(2)
    groups, size = 300, 25
    mean, strength = rng.beta(2, 30, groups), np.exp(rng.normal(3, 0.7, groups))
    group = np.repeat(np.arange(groups), size)
    n = rng.poisson(20, len(group)).astype(float)
    x = rng.binomial(n.astype(int), rng.beta((mean * strength)[group], ((1 - mean) * strength)[group])).astype(float)
    found = fit_groups(x, n, group, groups)
    assert found.converged.mean() > 0.98
    for at in range(0, groups, 20):
        if found.at_bound[at]:
            continue
        rows = group == at

        def loss(p, rows=rows):
            return -log_likelihood(x[rows], n[rows], np.full(size, p[0]), np.full(size, p[1])).sum()

        start = [special.logit(found.mean[at]) + 0.1, np.log(found.strength[at]) - 0.2]
        best = optimize.minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000})
        assert special.expit(best.x[0]) == pytest.approx(found.mean[at], rel=1e-5)
        assert best.x[1] == pytest.approx(np.log(found.strength[at]), abs=1e-4)


def test_order_of_the_cells_changes_no_bit():
    rng = np.random.default_rng(3)
    group = rng.integers(0, 40, 800)
    n = rng.poisson(8, 800).astype(float)
    x = rng.binomial(n.astype(int), 0.1) / 1.3
    order = rng.permutation(800)
    a, b = fit_groups(x, n, group, 41), fit_groups(x[order], n[order], group[order], 41)
    for name in ("mean", "strength", "log_likelihood"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert np.isnan(a.mean[40])  # nothing was sampled there: no rate, not zero


def test_counts_out_of_range_are_named():
    with pytest.raises(RateError, match="cell 1 has 5 of 3"):
        fit_groups(np.array([1.0, 5.0]), np.array([2.0, 3.0]), np.array([0, 0]), 1)
