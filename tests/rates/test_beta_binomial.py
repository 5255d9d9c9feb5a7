"""Quantiles and tails of the beta-binomial distribution against scipy's, wherever the search for them begins."""

import math

import numpy as np
import pytest
from scipy import stats

from riskwatch.rates import beta_binomial


def _shapes(seed: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = rng.integers(0, 400, size).astype(np.float64)
    a, b = 10 ** rng.uniform(-2.0, 3.0, (2, size))
    return n, a, b


@pytest.mark.parametrize("level", [0.5, 0.05, 0.005, 1e-6])
def test_a_quantile_is_the_largest_count_that_is_not_significant(level: float) -> None:
    """Shapes with most mass at either end, below one and above, and counts of nothing."""
    n, a, b = _shapes(3, 300)
    found = beta_binomial.quantile(level, n, a, b)
    for q, size, one, other in zip(found, n, a, b, strict=True):
        tails = stats.betabinom.sf(np.arange(-1, size), size, one, other)
        clear = np.abs(tails / level - 1.0) > 1e-9  # on the limit itself rounding decides
        assert clear.all()
        assert q == np.flatnonzero(tails > level).max()


def _summed(x: float, n: float, a: float, b: float) -> float:
    """Return the tail as a sum of the mass upwards: scipy's own is 1 less the sum downwards."""
    return math.fsum(stats.betabinom.pmf(np.arange(x, n + 1.0), n, a, b).tolist())


def test_short_sums_at_either_end_are_the_long_ones() -> None:
    n, a, b = _shapes(4, 800)
    rng = np.random.default_rng(6)
    x = np.floor(rng.uniform(0.0, 1.0, n.size) * (n + 1.0))
    wanted = [_summed(*one) for one in zip(x, n, a, b, strict=True)]
    np.testing.assert_allclose(beta_binomial.tail(x, n, a, b), wanted, rtol=1e-8, atol=1e-300)


@pytest.mark.parametrize("b", [40.0, 400.0, 900.0, 2000.0, 1e4])
def test_small_tails_of_few_counts_do_not_cancel(b: float) -> None:
    found = beta_binomial.tail(np.array([12.0]), np.array([200.0]), np.array([0.4]), np.array([b]))
    assert found[0] == pytest.approx(_summed(12.0, 200.0, 0.4, b), rel=1e-9)
