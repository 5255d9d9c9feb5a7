"""Thinning a count by the share of it that has been reported."""

from __future__ import annotations

import numpy as np

from riskwatch.detectors import thresholds


def test_thinned_moments_are_those_of_a_simulation():
    rng = np.random.default_rng(4)
    mean, phi, share, error = 30.0, 2.5, 0.6, 0.08
    counts = rng.negative_binomial(mean / (phi - 1), 1 / phi, 2_000_000)
    size = share * (1 - share) / error**2 - 1
    reported = rng.binomial(counts, rng.beta(share * size, (1 - share) * size, len(counts)))
    thin_mean, thin_phi = thresholds.thinned(*(np.array([value]) for value in (mean, phi, share, error)))
    assert abs(reported.mean() / thin_mean[0] - 1) < 0.002
    # The product of the two small variances, phi mean error^2, is left out.
    assert abs(reported.var() / (thin_mean * thin_phi)[0] - 1) < 0.02


def test_complete_cells_keep_their_bits():
    rng = np.random.default_rng(5)
    mean, phi = rng.gamma(2.0, 3.0, 1000), 1 + rng.gamma(1.0, 1.0, 1000)
    same_mean, same_phi = thresholds.thinned(mean, phi, np.ones(1000), np.zeros(1000))
    np.testing.assert_array_equal(same_mean, mean)
    np.testing.assert_array_equal(same_phi, phi)
