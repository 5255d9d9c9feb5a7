"""The shipped rules, a small world of trees, and a simulated hierarchy with known truth."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import special

from riskwatch.definitions import load_definitions
from riskwatch.dimensions import load_trees
from riskwatch.rates import RateRules
from riskwatch.rates.hierarchy import Layout

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def rules():
    return RateRules.model_validate(load_definitions(ROOT, environ={}).catalogue("rates"))


@pytest.fixture(scope="session")
def trees():
    return load_trees(load_definitions(ROOT, environ={}).dimensions, root=ROOT, data=ROOT / "data")


@pytest.fixture(scope="session")
def hierarchy():
    """Return a function that draws cells of categories x products x regions with a known truth."""

    def draw(rng, *, categories=12, products=8, regions=9, rate=0.06, spread=(0.6, 0.5), effect=0.3, strength=3.0, varied=0.5, mean_n=6.0):
        leaves = categories * products
        parent = np.concatenate([[-1], np.zeros(categories, int), 1 + np.repeat(np.arange(categories), products)])
        depth = np.concatenate([[0], np.ones(categories, int), np.full(leaves, 2)])
        eta = np.full(len(parent), special.logit(rate))
        eta[1 : 1 + categories] += rng.normal(0, spread[0], categories)
        eta[1 + categories :] = eta[parent[1 + categories :]] + rng.normal(0, spread[1], leaves)
        by_region = rng.normal(0, effect, regions)
        product, region = (part.ravel() for part in np.meshgrid(np.arange(leaves), np.arange(regions), indexing="ij"))
        size = np.exp(rng.normal(strength, varied, leaves))[product]
        mean = special.expit(eta[1 + categories + product] + by_region[region])
        truth = rng.beta(mean * size, (1 - mean) * size)
        n = rng.negative_binomial(0.6, 0.6 / (0.6 + mean_n), len(product)).astype(float)
        x = rng.binomial(n.astype(int), truth).astype(float)
        return SimpleNamespace(x=x, n=n, truth=truth, layout=Layout(parent, depth, 1 + categories + product, (region,)))

    return draw
