"""Pairs: fit of the two-gamma prior, EBGM and EB05 of the reference's 17,189 pairs against a loop over the pairs with scipy.

python -m pytest benchmarks/bench_pairs.py  # the loop does a sample of RISKWATCH_BENCH_LOOP_CELLS (500) pairs: compare per pair
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import size
from scipy import optimize, special, stats

from riskwatch.detectors.gamma_poisson import TwoGammas, fit_prior, posterior, squash
from riskwatch.detectors.pair_expectation import cross_table

LOOP_CELLS = size("LOOP_CELLS", 500)
GROUP = "pairs: EBGM and EB05 of each"


@pytest.fixture(scope="module")
def table():
    root = Path(os.environ.get("RISKWATCH_REAL_DATA", Path(__file__).parents[1].parent / "shared" / "data"))
    if not (root / "ref_disproportionality").is_dir():
        pytest.skip(f"no reference in {root}")
    rows = pd.read_csv(root / "ref_disproportionality" / "caers_2012_supplements.csv.gz")
    return cross_table(pd.factorize(rows["var1"])[0], pd.factorize(rows["var2"])[0], rows["id"].to_numpy())


PRIOR = TwoGammas(3.2538, 0.3999, 2.0261, 1.9081, 0.0653)


@pytest.mark.benchmark(group=GROUP)
def test_all_pairs(benchmark, table):
    def run():
        known = posterior(PRIOR, table.observed, table.expected)
        return known.ebgm, known.quantile(0.05)

    benchmark.extra_info["cells"] = len(table.observed)
    assert len(benchmark(run)[0]) == 17_189


@pytest.mark.benchmark(group=GROUP)
def test_loop(benchmark, table):
    n, e = table.observed[:LOOP_CELLS], table.expected[:LOOP_CELLS]

    def one(n, e):
        mass = [stats.nbinom.pmf(n, a, b / (b + e)) for a, b in ((PRIOR.a1, PRIOR.b1), (PRIOR.a2, PRIOR.b2))]
        q = PRIOR.share * mass[0] / (PRIOR.share * mass[0] + (1 - PRIOR.share) * mass[1])
        (a1, b1), (a2, b2) = (PRIOR.a1 + n, PRIOR.b1 + e), (PRIOR.a2 + n, PRIOR.b2 + e)
        ebgm = np.exp(q * (special.digamma(a1) - np.log(b1)) + (1 - q) * (special.digamma(a2) - np.log(b2)))
        first, second = stats.gamma(a1, scale=1 / b1), stats.gamma(a2, scale=1 / b2)
        return ebgm, optimize.brentq(lambda x: q * first.cdf(x) + (1 - q) * second.cdf(x) - 0.05, 1e-6, 1e4)

    benchmark.extra_info["cells"] = LOOP_CELLS
    found = benchmark.pedantic(lambda: np.array([one(*pair) for pair in zip(n, e, strict=True)]), rounds=1)
    np.testing.assert_allclose(posterior(PRIOR, n, e).quantile(0.05), found[:, 1], rtol=1e-6)


@pytest.mark.benchmark(group="pairs: fit of the prior")
@pytest.mark.parametrize("ratio", [None, 1.01], ids=["all cells", "cells within 1 %"])
def test_fit(benchmark, table, ratio):
    found = benchmark.pedantic(lambda: fit_prior(*squash(table.observed, table.expected, ratio=ratio)), rounds=1)
    np.testing.assert_allclose(found.array, PRIOR.array, rtol=2e-3)
