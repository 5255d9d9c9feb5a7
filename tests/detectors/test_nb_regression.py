"""The batched regression against statsmodels, and its shrinkage against hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest

from riskwatch.detectors import nb_regression
from riskwatch.detectors.nb_regression import invert, pairs_of, solve


@pytest.fixture
def case():
    rng = np.random.default_rng(4)
    n, series = 260, 24
    t = np.arange(n)
    columns = np.column_stack([np.ones(n), (t - n) / 52.0, np.cos(2 * np.pi * t / 52), np.sin(2 * np.pi * t / 52)])
    truth = np.vstack([np.linspace(-1.5, 8, series), rng.normal(0, 0.1, series), rng.normal(0, 0.4, (2, series))])
    exposure = rng.uniform(0.5, 2.0, (n, series))
    y = rng.poisson(exposure * np.exp(columns @ truth)).astype(float)
    weight = rng.choice([0.0, 0.3, 1.0], (n, series), p=[0.1, 0.1, 0.8])
    start = np.zeros((4, series))
    start[0] = np.log((weight * y).sum(axis=0) / (weight * exposure).sum(axis=0))
    return y, weight, columns, exposure, start


def test_statsmodels_finds_the_same(case):
    sm = pytest.importorskip("statsmodels.api")
    y, weight, columns, exposure, start = case
    found = nb_regression.fit(np.where(weight > 0, y, 1e6), weight, pairs_of(columns), start, offset=np.log(exposure))
    for at in range(y.shape[1]):
        family = sm.families.Poisson()
        oracle = sm.GLM(y[:, at], columns, family=family, freq_weights=weight[:, at], offset=np.log(exposure[:, at])).fit(
            tol=1e-13, maxiter=60
        )
        np.testing.assert_allclose(found.coefficients[:, at], oracle.params, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(invert(found.information)[..., at], oracle.cov_params(), rtol=1e-7, atol=1e-12)
        np.testing.assert_allclose(found.mean[:, at], oracle.fittedvalues, rtol=1e-8)


def test_neighbours_do_not_matter(case):
    y, weight, columns, exposure, start = case
    pairs = pairs_of(columns)
    whole = nb_regression.fit(y, weight, pairs, start, offset=np.log(exposure))
    order = np.random.default_rng(0).permutation(y.shape[1])
    order[3] = order[4]  # another neighbour
    moved = nb_regression.fit(
        *(np.ascontiguousarray(part[:, order]) for part in (y, weight)),
        pairs,
        np.ascontiguousarray(start[:, order]),
        offset=np.log(np.ascontiguousarray(exposure[:, order])),
    )
    np.testing.assert_array_equal(moved.coefficients, whole.coefficients[:, order])
    np.testing.assert_array_equal(moved.information, whole.information[..., order])


def test_inverse():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(9, 7, 12)) * np.geomspace(1e-3, 1e4, 7)[None, :, None]
    matrix = np.einsum("ais,ajs->ijs", root, root)
    for at in range(12):
        np.testing.assert_allclose(invert(matrix)[..., at] @ matrix[..., at], np.eye(7), atol=1e-5)
        np.testing.assert_allclose(invert(matrix)[..., at], np.linalg.inv(matrix[..., at]), rtol=1e-5)


def test_shrinkage_of_orthogonal_terms():
    """Information 4 and phi 2: estimates 3 and (0.5, 0.5) have Wald statistics 4 * 9 / 2 = 18 and 4 * 0.5 / 2 = 1."""
    information = np.zeros((4, 4, 1))
    information[range(4), range(4)] = 4.0
    beta = np.array([[1.0], [3.0], [0.5], [0.5]])
    base = np.zeros_like(information)
    groups = [(slice(2, 4), np.array([2.0])), (slice(1, 2), np.array([1.0]))]
    penalty, shrunken = nb_regression.shrinkage(information, beta, np.array([2.0]), groups, base)
    np.testing.assert_allclose(shrunken[:, 0], [1.0, 3.0 * (1 - 1 / 18), 0.0, 0.0], atol=1e-7)
    np.testing.assert_allclose(penalty[1, 1, 0], 4.0 * (1 / 18) / (1 - 1 / 18))
    _, kept = nb_regression.shrinkage(information, beta, np.array([2.0]), [(slice(1, 2), np.array([0.0]))], base)
    np.testing.assert_allclose(kept, beta, rtol=1e-12)


def test_dropping_a_term_is_fitting_without_it(case):
    y, weight, columns, _, start = case
    full = nb_regression.fit(y, weight, pairs_of(columns), start)
    infinite = [(slice(2, 4), np.full(y.shape[1], np.inf))]
    penalty, begin = nb_regression.shrinkage(
        full.information, full.coefficients, np.ones(y.shape[1]), infinite, np.zeros_like(full.information)
    )
    dropped = nb_regression.fit(y, weight, pairs_of(columns), begin, penalty=penalty)
    without = nb_regression.fit(y, weight, pairs_of(columns[:, :2]), np.ascontiguousarray(start[:2]))
    np.testing.assert_allclose(dropped.coefficients[:2], without.coefficients, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(dropped.coefficients[2:], 0.0, atol=1e-5)


def test_a_penalty_is_a_prior(case):
    """With penalty P the estimate solves X' w (y - mean) = P b."""
    y, weight, columns, _, start = case
    penalty = np.zeros((4, 4, y.shape[1]))
    penalty[1, 1], penalty[2, 2] = 40.0, 7.0
    found = nb_regression.fit(y, weight, pairs_of(columns), start, penalty=penalty)
    gradient = columns.T @ (weight * (y - found.mean))
    np.testing.assert_allclose(gradient, np.einsum("ijs,js->is", penalty, found.coefficients), rtol=1e-6, atol=1e-6)


def test_solutions_of_badly_scaled_systems():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(30, 6, 40)) * np.geomspace(1e-4, 1e4, 6)[:, None]
    matrix = np.einsum("nis,njs->ijs", x, x)
    truth = rng.normal(size=(6, 40))
    found = solve(matrix, np.einsum("ijs,js->is", matrix, truth))
    np.testing.assert_allclose(found, truth, rtol=1e-8, atol=1e-8)
